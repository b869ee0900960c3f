"""Stacked bars, one a cell: the one way in which parts of a whole are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchsuite.findings.operator_kinds import OTHER
from benchsuite.format import byte_size, counted, scale_of, si
from benchsuite.report.canvas import Panel, grid, handle, label_rows, text, text_size, widest
from benchsuite.report.figures.choose import Drawn, FigureRequest, setting_labels
from benchsuite.report.reported_cells import ReportedCell
from benchsuite.report.theme import GRID, INK, MUTED, PAPER, SERIES

MOST_ROWS = 24
FARTHEST_MARK = 2.0  # lengths of the longest bar: farther marks would squeeze the bars
WAITS = "device waits"
RESERVED = "reserved by the allocator"
_GREY = {OTHER: MUTED, WAITS: GRID}

Parts = Mapping[str, float]
"""Name of a part of a cell → its size."""
Bar = tuple[ReportedCell, Parts]
"""A cell and its parts in order, in one unit."""


def stacked(
    request: FigureRequest,
    bars: Sequence[Bar],
    *,
    unit: str,
    axis: str,
    caption: str,
    share: bool = False,
    totals: Sequence[str] = (),
) -> Drawn | None:
    """Bars with their parts stacked, the first on top, each with its total on the right; None for no bars.

    Bars of memory mark what the allocator reserved, which is no part of them.

    Args:
        unit: of the parts; they are scaled to be shown.
        axis: what the length of a bar is.
        share: draw parts as shares of their bar, so that all bars are of one length.
        totals: texts beside the bars; those of their sums if none.
    """
    if not bars:
        return None
    drawn, layout = bars[:MOST_ROWS], request.layout
    cells, parts = zip(*drawn, strict=True)
    lengths = [sum(one.values()) for one in parts]
    if len(drawn) < len(bars):
        caption += f" The first {len(drawn)} of {counted(len(bars), 'cell')}."
    colors = _colors(parts)
    known = [cell.metrics["peak_reserved_bytes"] for cell in cells] if unit == "B" else []
    reserved = max((value.value for value in known if value.known), default=0.0)
    marked = 0 < reserved <= FARTHEST_MARK * max(lengths)
    if reserved and not marked:
        caption += f" Too far out to be marked: {RESERVED}."
    handles = [handle(part, "s", color) for part, color in colors.items()]
    labels = setting_labels(cells, [request.looks[cell.name].label for cell in cells])
    totals = totals[: len(drawn)] or [
        byte_size(one, 3) if unit == "B" else si(one, unit, 3) for one in lengths
    ]
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
    factor, name = (1.0, "") if share else scale_of(lengths, unit)
    panel.ax.set_xlabel(f"{axis} [{name}]" if name else axis)
    _name_rows(panel, labels, totals, beside=not layout.narrow)
    for level, (bar, length) in enumerate(zip(drawn, lengths, strict=True)):
        whole = length if share else factor
        _bar(panel, bar, level, colors, whole, narrow=layout.narrow, inside=share and not layout.narrow)
        if marked and known[level].value > 0:
            panel.ax.plot([known[level].value / factor], [level], linestyle="none", marker="|", color=INK)
    if share:
        panel.ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    longest = max(*lengths, reserved if marked else 0.0) / factor
    panel.ax.set_xlim(0, 1 if share else 1.02 * longest)
    return figure, caption


def _colors(bars: Iterable[Parts]) -> dict[str, str]:
    """Part → its colour; grey parts last."""
    parts = list(dict.fromkeys(part for bar in bars for part, size in bar.items() if size))
    parts.sort(key=lambda part: part in _GREY)
    plain = iter(SERIES)
    return {part: _GREY.get(part) or next(plain) for part in parts}


def _name_rows(panel: Panel, labels: Sequence[str], totals: Sequence[str], *, beside: bool) -> None:
    """Names beside the bars, or over them in a column of a paper, which so have its whole width."""
    label_rows(panel.ax, labels)
    panel.ax.grid(visible=False, axis="y")
    if not beside:
        panel.ax.set_yticks([])
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
    (cell, parts), start = bar, 0.0
    for part, color in colors.items():
        size = parts.get(part, 0.0) / whole
        if size > 0:
            pieces = panel.ax.barh(
                middle, size, left=start, height=height, color=color, edgecolor=PAPER, linewidth=0.5
            )
            pieces[0].set_gid(f"cell:{cell.id}")
        if inside and size * panel.width >= 26 and color != GRID:
            panel.ax.text(
                start + size / 2, level, f"{100 * size:.0f} %", color=PAPER, fontsize=text_size() - 0.5,
                ha="center", va="center_baseline",
            )  # fmt: skip
        start += size
