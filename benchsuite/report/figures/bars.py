"""Stacked bars, one a cell: the one way in which parts of a whole are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchsuite.findings.operator_kinds import OTHER
from benchsuite.report.canvas import measure, text, text_size
from benchsuite.report.figures.choose import Drawn, setting_labels
from benchsuite.report.figures.layout import Layout, Panel, grid, label_rows
from benchsuite.report.points import Point
from benchsuite.report.theme import GRID, INK, MUTED, PAPER, SERIES, Look
from benchsuite.report.words import counted, scale_of

MOST_ROWS = 24
FARTHEST_MARK = 2.0  # lengths of the longest bar: farther marks would squeeze the bars
WAITS = "device waits"
_GREY = {OTHER: MUTED, WAITS: GRID}


@dataclass(frozen=True, slots=True)
class Bar:
    """One cell: its parts in order, and values that are marked beside them, all in one unit."""

    point: Point
    parts: Mapping[str, float]
    marks: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.parts.values())


def stacked(
    bars: Sequence[Bar],
    looks: Mapping[str, Look],
    layout: Layout,
    *,
    unit: str,
    axis: str,
    caption: str,
    formatted: Callable[[Bar], str],
    share: bool = False,
) -> Drawn:
    """Bars with their parts stacked, the first on top, each with its total on the right.

    Args:
        unit: of the parts; they are scaled to be shown.
        axis: what the length of a bar is.
        formatted: the text on the right of a bar.
        share: draw parts as shares of their bar, so that all bars are of one length.
    """
    drawn = bars[:MOST_ROWS]
    colors, (markers, too_far) = _colors(drawn), _markers(drawn)
    handles = [
        Line2D([], [], linestyle="none", marker="s", color=color, label=part)
        for part, color in colors.items()
    ] + [
        Line2D([], [], linestyle="none", marker=marker, color=INK, label=key)
        for key, marker in markers.items()
    ]
    size = text_size()
    labels = setting_labels([bar.point for bar in drawn], [looks[bar.point.name].label for bar in drawn])
    totals = [formatted(bar) for bar in drawn]
    canvas, (panel,) = grid(
        layout,
        1,
        columns=1,
        height=len(drawn) * (2.4 * size) + 6,
        handles=handles,
        left=14.0 if layout.narrow else 14 + max(measure(label, size)[0] for label in labels),
        right=14.0 if layout.narrow else 16 + max(measure(total, size)[0] for total in totals),
        above=6.0,
    )
    factor, name = (1.0, "") if share else scale_of([bar.total for bar in drawn], unit)
    _axes(panel, labels, totals, layout, f"{axis} [{name}]" if name else axis, share=share)
    end = 0.0
    for level, bar in enumerate(drawn):
        whole = bar.total if share else factor
        end = max(end, _bar(panel, bar, level, colors, whole, layout, inside=share))
        for key, marker in markers.items():
            if key in bar.marks:
                at = bar.marks[key] / factor
                panel.ax.plot([at], [level], linestyle="none", marker=marker, color=INK)
                end = max(end, at)
    panel.ax.set_xlim(0, end if share else 1.02 * end)
    if len(drawn) < len(bars):
        caption += f" The first {len(drawn)} of {counted(len(bars), 'cell')}."
    for key in too_far:
        caption += f" Too far out to be marked: {key}."
    return canvas, caption


def _colors(bars: Sequence[Bar]) -> dict[str, str]:
    """Part → its colour; grey parts last."""
    parts = list(dict.fromkeys(part for bar in bars for part, size in bar.parts.items() if size))
    parts.sort(key=lambda part: part in _GREY)
    plain = iter(SERIES)
    return {part: _GREY.get(part) or next(plain) for part in parts}


def _markers(bars: Sequence[Bar]) -> tuple[dict[str, str], list[str]]:
    """Value beside the parts → its marker, and the values that are too far out to be marked."""
    longest = max(bar.total for bar in bars)
    farthest = {key: max(bar.marks.get(key, 0.0) for bar in bars) for bar in bars for key in bar.marks}
    near = [key for key, most in farthest.items() if most <= FARTHEST_MARK * longest]
    markers = dict(zip(near, "|x", strict=False))
    return markers, [key for key in farthest if key not in markers]


def _axes(
    panel: Panel, labels: Sequence[str], totals: Sequence[str], layout: Layout, title: str, *, share: bool
) -> None:
    """Names beside the bars, or over them in a column of a paper, which so have its whole width."""
    ax, rows = panel.ax, len(labels)
    ax.set_xlabel(title)
    if share:
        ax.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda part, _: f"{100 * part:g} %"))
    label_rows(ax, labels)
    if layout.narrow:
        ax.yaxis.set_major_locator(NullLocator())
    ax.grid(visible=False, axis="y")
    for level, (label, total) in enumerate(zip(labels, totals, strict=True)):
        if layout.narrow:
            y = panel.height * (1 - (level + 0.24) / rows)
            text(ax, 3, y, label)
            text(ax, panel.width - 3, y, total, ha="right", color=MUTED)
        else:
            text(ax, panel.width + 8, panel.height * (1 - (level + 0.5) / rows), total, color=MUTED)


def _bar(
    panel: Panel,
    bar: Bar,
    level: int,
    colors: Mapping[str, str],
    whole: float,
    layout: Layout,
    *,
    inside: bool,
) -> float:
    """Draw the parts in the order of the legend, so that colour is not all that tells them apart; its end."""
    ax: Axes = panel.ax
    height, middle = (0.4, level + 0.2) if layout.narrow else (0.72, float(level))
    start = 0.0
    for part, color in colors.items():
        size = bar.parts.get(part, 0.0) / whole
        if size > 0:
            (piece,) = ax.barh(
                middle, size, left=start, height=height, color=color, edgecolor=PAPER, linewidth=0.5
            )
            piece.set_gid(f"cell:{bar.point.cell}")
        if inside and not layout.narrow and size * panel.width >= 26 and color != GRID:
            ax.text(
                start + size / 2,
                level,
                f"{100 * size:.0f} %",
                color=PAPER,
                fontsize=text_size() - 0.5,
                ha="center",
                va="center_baseline",
            )
        start += size
    return start
