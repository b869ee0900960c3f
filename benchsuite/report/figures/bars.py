"""Stacked bars, one a cell: the one way in which parts of a whole are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from benchsuite.findings.operator_kinds import OTHER
from benchsuite.format import byte_size, si
from benchsuite.report.canvas import Panel, grid, handle, label_rows, text, text_size, widest
from benchsuite.report.figures.choose import Drawn, FigureRequest, setting_labels
from benchsuite.report.points import Point
from benchsuite.report.theme import GRID, INK, MUTED, PAPER, SERIES
from benchsuite.report.words import counted, scale_of

MOST_ROWS = 24
FARTHEST_MARK = 2.0  # lengths of the longest bar: farther marks would squeeze the bars
WAITS = "device waits"
RESERVED = "reserved by the allocator"
_GREY = {OTHER: MUTED, WAITS: GRID}


@dataclass(frozen=True, slots=True)
class Bar:
    """One cell: its parts in order, in one unit.

    Attributes:
        reserved: memory that the allocator reserved, which is no part of the bar; 0 where nobody knows.
        total: the text beside the bar; that of the sum if empty.
    """

    point: Point
    parts: Mapping[str, float]
    reserved: float = 0.0
    total: str = ""

    @property
    def length(self) -> float:
        """Sum of the parts."""
        return sum(self.parts.values())

    def text(self, unit: str) -> str:
        """The text beside the bar."""
        return self.total or (byte_size(self.length, 3) if unit == "B" else si(self.length, unit, 3))


def stacked(
    request: FigureRequest, bars: Sequence[Bar], *, unit: str, axis: str, caption: str, share: bool = False
) -> Drawn | None:
    """Bars with their parts stacked, the first on top, each with its total on the right; None for no bars.

    Args:
        unit: of the parts; they are scaled to be shown.
        axis: what the length of a bar is.
        share: draw parts as shares of their bar, so that all bars are of one length.
    """
    if not bars:
        return None
    drawn, layout = bars[:MOST_ROWS], request.layout
    if len(drawn) < len(bars):
        caption += f" The first {len(drawn)} of {counted(len(bars), 'cell')}."
    colors, reserved = _colors(drawn), max(bar.reserved for bar in drawn)
    marked = 0 < reserved <= FARTHEST_MARK * max(bar.length for bar in drawn)
    if reserved and not marked:
        caption += f" Too far out to be marked: {RESERVED}."
    handles = [handle(part, "s", color) for part, color in colors.items()]
    names = [request.looks[bar.point.name].label for bar in drawn]
    labels = setting_labels([bar.point for bar in drawn], names)
    totals = [bar.text(unit) for bar in drawn]
    figure, (panel,) = grid(
        layout,
        1,
        columns=1,
        height=len(drawn) * 2.4 * text_size() + 6,
        handles=[*handles, *([handle(RESERVED, "|", INK)] if marked else [])],
        left=14.0 if layout.narrow else 14 + widest(labels),
        right=14.0 if layout.narrow else 16 + widest(totals),
        above=6.0,
    )
    factor, name = (1.0, "") if share else scale_of([bar.length for bar in drawn], unit)
    panel.ax.set_xlabel(f"{axis} [{name}]" if name else axis)
    _name_rows(panel, labels, totals, beside=not layout.narrow)
    for level, bar in enumerate(drawn):
        whole = bar.length if share else factor
        _bar(panel, bar, level, colors, whole, narrow=layout.narrow, inside=share and not layout.narrow)
        if marked and bar.reserved:
            panel.ax.plot([bar.reserved / factor], [level], linestyle="none", marker="|", color=INK)
    if share:
        panel.ax.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
        panel.ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    ends = [bar.length / factor for bar in drawn] + [reserved / factor if marked else 0.0]
    panel.ax.set_xlim(0, 1 if share else 1.02 * max(ends))
    return figure, caption


def _colors(bars: Sequence[Bar]) -> dict[str, str]:
    """Part → its colour; grey parts last."""
    parts = list(dict.fromkeys(part for bar in bars for part, size in bar.parts.items() if size))
    parts.sort(key=lambda part: part in _GREY)
    plain = iter(SERIES)
    return {part: _GREY.get(part) or next(plain) for part in parts}


def _name_rows(panel: Panel, labels: Sequence[str], totals: Sequence[str], *, beside: bool) -> None:
    """Names beside the bars, or over them in a column of a paper, which so have its whole width."""
    label_rows(panel.ax, labels)
    panel.ax.grid(visible=False, axis="y")
    if not beside:
        panel.ax.yaxis.set_major_locator(NullLocator())
    for level, (label, total) in enumerate(zip(labels, totals, strict=True)):
        y = panel.height * (1 - (level + (0.5 if beside else 0.24)) / len(labels))
        if beside:
            text(panel.ax, panel.width + 8, y, total, color=MUTED)
        else:
            text(panel.ax, 3, y, label)
            text(panel.ax, panel.width - 3, y, total, ha="right", color=MUTED)


def _bar(
    panel: Panel, bar: Bar, level: int, colors: Mapping[str, str], whole: float, *, narrow: bool, inside: bool
) -> None:
    """Draw the parts in the order of the legend, so that colour is not all that tells them apart.

    Args:
        inside: write the share of each part into it, where it has room.
    """
    height, middle = (0.4, level + 0.2) if narrow else (0.72, float(level))
    start = 0.0
    for part, color in colors.items():
        size = bar.parts.get(part, 0.0) / whole
        if size > 0:
            pieces = panel.ax.barh(
                middle, size, left=start, height=height, color=color, edgecolor=PAPER, linewidth=0.5
            )
            pieces[0].set_gid(f"cell:{bar.point.cell}")
        if inside and size * panel.width >= 26 and color != GRID:
            panel.ax.text(
                start + size / 2, level, f"{100 * size:.0f} %", color=PAPER, fontsize=text_size() - 0.5,
                ha="center", va="center_baseline",
            )  # fmt: skip
        start += size
