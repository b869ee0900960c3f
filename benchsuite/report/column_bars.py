"""Stacked bars in a column of a paper, each under its name. Bars, or frame → `Drawing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchsuite.report.busy import WAITS, WORKS, waiting, waits
from benchsuite.report.canvas import Drawing, text
from benchsuite.report.column import COLUMN, SMALL, Column
from benchsuite.report.operators import largest, profiled, row_labels
from benchsuite.report.points import Point
from benchsuite.report.splits import Bar
from benchsuite.report.theme import INK, MUTED, SERIES, Look
from benchsuite.report.words import counted, pixels, scale_of
from benchsuite.report.work import OTHER
from benchsuite.results.launch import LAUNCH_BOUND
from benchsuite.units import si

MOST_ROWS = 12
ROW = 18.0  # points: a line of text and the bar under it


@dataclass(frozen=True, slots=True)
class _Row:
    """One bar with its name and what it amounts to."""

    point: Point
    parts: Mapping[str, float]
    total: str


def bars(
    found: Sequence[Bar],
    looks: Mapping[str, Look],
    unit: str,
    axis: str,
    said: str,
    what: str,
    formatted: Callable[[float], str],
) -> Drawing:
    """What `splits.draw_bars` draws, without the marks of memory; the same arguments."""
    drawn = found[:MOST_ROWS]
    factor, name = scale_of([bar.total for bar in drawn], unit)
    rows = [
        _Row(bar.point, {part: size / factor for part, size in bar.parts.items()}, formatted(bar.total))
        for bar in drawn
    ]
    names = [part for part in drawn[0].parts if any(bar.parts[part] for bar in drawn)]
    column = _draw(rows, dict(zip(names, SERIES, strict=False)), looks)
    column.axes[0].set_xlabel(f"{axis} [{name}]")
    caption = f"At {pixels(drawn[0].point.resolution)}: {said}"
    if len(drawn) < len(found):
        caption += f" Drawn are the first {len(drawn)} of {counted(len(found), 'cell')}."
    return Drawing(column.canvas.figure, caption, f"Stacked bars of {what}. {said}")


def device(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """What `busy.wall_and_busy` draws, for a column."""
    cells = waiting(frame)
    if not cells:
        return None
    drawn = cells[:MOST_ROWS]
    rows = [
        _Row(one.point, {WORKS: one.share, WAITS: max(0.0, 1 - one.share)}, one.wall_text) for one in drawn
    ]
    column = _draw(rows, {WORKS: SERIES[0], WAITS: "#d9d9de"}, looks)
    (ax,) = column.axes
    _shares(ax, "Share of the wall time of a step", max(1.0, drawn[-1].share))
    ax.axvline(1 / LAUNCH_BOUND, color=INK, linewidth=0.8, linestyle="--", zorder=2.5)
    caption = f"{waits(frame)} The dashed line is where a step becomes launch-bound."
    return Drawing(column.canvas.figure, caption, f"Bars of device time. {waits(frame)}")


def operators(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """What `operators.time_by_operator` draws, for a column."""
    found, what = profiled(frame)
    if not found:
        return None
    drawn = found[:MOST_ROWS]
    kinds = largest(drawn)
    rows = [
        _Row(
            bar.point,
            {kind: bar.shares.get(kind, 0.0) for kind in kinds}
            | {OTHER: 1 - sum(bar.shares.get(kind, 0.0) for kind in kinds)},
            si(bar.seconds, "s", 3),
        )
        for bar in drawn
    ]
    column = _draw(rows, dict(zip(kinds, SERIES, strict=False)) | {OTHER: MUTED}, looks)
    _shares(column.axes[0], f"Share of the own time of all {what}s", 1.0)
    caption = f"Own time of the {what}s of a step by kind of work; on the right that of all {what}s."
    if len(drawn) < len(found):
        caption += f" The first {len(drawn)} of {counted(len(found), 'cell')}."
    return Drawing(column.canvas.figure, caption, caption)


def _shares(ax: Axes, title: str, end: float) -> None:
    ax.set_xlabel(title)
    ax.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    ax.set_xlim(0, end)


def _draw(rows: Sequence[_Row], colors: Mapping[str, str], looks: Mapping[str, Look]) -> Column:
    """The first row on top. Names stand over their bars, which so have the whole width."""
    handles = [
        Line2D([], [], linestyle="none", marker="s", markersize=5, color=color, label=part)
        for part, color in colors.items()
    ]
    height = len(rows) * ROW + 4
    column = Column(handles, [height])
    (ax,) = column.axes
    margin = 14.0
    box = ax.get_position()
    ax.set_position((margin / COLUMN, box.y0, 1 - 2 * margin / COLUMN, box.height))
    width = COLUMN - 2 * margin
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.yaxis.set_major_locator(NullLocator())
    ax.grid(visible=False, axis="y")
    labels = row_labels([row.point for row in rows], looks)
    for level, (row, label) in enumerate(zip(rows, labels, strict=True)):
        start = 0.0
        for part, color in colors.items():
            size = row.parts.get(part, 0.0)
            if size > 0:
                ax.barh(
                    level + 0.2, size, left=start, height=0.4, color=color, edgecolor="white", linewidth=0.3
                )
            start += size
        y = height * (1 - (level + 0.24) / len(rows))
        text(ax, 3, y, label, size=SMALL)
        text(ax, width - 3, y, row.total, ha="right", color=MUTED, size=SMALL)
    ax.set_xlim(left=0)
    return column
