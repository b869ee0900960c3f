"""Dots in lines, a line a mixer, and the roofline, in a column of a paper. Frame → `Drawing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from benchsuite.report import roof
from benchsuite.report.axes import apply_x, scale, title_of
from benchsuite.report.canvas import Drawing, measure
from benchsuite.report.column import LINE, SMALL, Column, kernel_handles, marker, mixer_handles
from benchsuite.report.crowd import crowded, faded
from benchsuite.report.dots import speedups
from benchsuite.report.figures import evenly
from benchsuite.report.points import Point, Value, kernels_of, names_of, points, resolutions_of, stated
from benchsuite.report.scaling import SHOWN
from benchsuite.report.theme import MUTED, Look, fills
from benchsuite.report.words import counted, joined, lowered, pixels, places
from benchsuite.results.metrics import METRICS
from benchsuite.results.nouns import noun

MOST_PANELS = 3
ROOM = 560.0
"""Points that the lines of all panels may take: a column is about 650 high."""


def kernels(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """The speed-up by fused kernels, a panel a resolution; None where no mixer ran on both."""
    cells = points(frame)
    gains = speedups(cells)
    if not gains:
        return None
    chosen = evenly(resolutions_of(point for point, _ in gains), MOST_PANELS)
    gains = [(point, gain) for point, gain in gains if point.resolution in chosen]
    gained = {point.name: 0.0 for point, _ in gains}
    for point, gain in gains:
        gained[point.name] = max(gained[point.name], gain.value)
    names = sorted(gained, key=lambda name: -gained[name])
    drawn = _fitting(names, len(chosen))
    column = _column(drawn, looks, cells, [point.kernel for point, _ in gains], len(chosen), titled=True)
    x = scale([1.0, *(end for _, gain in gains for end in (gain.value, gain.lo, gain.hi))], "", most_ticks=5)
    for ax, resolution in zip(column.axes, chosen, strict=True):
        apply_x(ax, x, "")
        ax.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}×" for tick in x.ticks]))
        ax.axvline(1, color=MUTED, linewidth=0.8, zorder=1.5)
        ax.set_title(pixels(resolution))
        here = [(point, gain) for point, gain in gains if point.resolution == resolution]
        _dots(ax, here, drawn, looks, fills(kernels_of(cells)))
    column.axes[-1].set_xlabel("Speed-up over the math kernel")
    caption = (
        f"Latency on the math kernel over that on the fused one at {places(chosen)}, paired by round."
        + stated(" Bars are 95 % intervals of the ratio.", (gain for _, gain in gains))
    )
    return _drawing(column, caption, drawn, names, "those that gain most", cells)


def metrics(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """Every metric, a panel each, the fastest on top; None where resolution is swept or nothing is known."""
    cells = points(frame)
    keys = [key for key in SHOWN if any(point.metrics[key].known for point in cells)]
    if len(resolutions_of(cells)) != 1 or not keys:
        return None
    speed = dict.fromkeys(names_of(cells), 0.0)
    for point in cells:
        if point.throughput.known:
            speed[point.name] = max(speed[point.name], point.throughput.value)
    names = sorted(speed, key=lambda name: -speed[name])
    drawn = _fitting(names, len(keys))
    shown = [point for point in cells if point.name in drawn]
    column = _column(drawn, looks, cells, kernels_of(shown), len(keys), between=34.0)
    for ax, key in zip(column.axes, keys, strict=True):
        ax.set_xlabel(title_of(METRICS[key]))
        values = [(point, point.metrics[key]) for point in shown if point.metrics[key].known]
        if not values:
            ax.xaxis.set_major_locator(FixedLocator([]))
            continue
        ends = [end for _, value in values for end in (value.value, value.lo, value.hi)]
        apply_x(ax, scale(ends, METRICS[key].unit, most_ticks=5), METRICS[key].unit)
        _dots(ax, values, drawn, looks, fills(kernels_of(cells)))
    labels = joined([lowered(METRICS[key].label) for key in keys])
    caption = f"{labels[:1].upper()}{labels[1:]} at {pixels(resolutions_of(cells)[0])}, the fastest on top."
    failed = sum(point.status != "ok" for point in shown)
    if failed:
        caption += f" {counted(failed, 'cell')} gave no number."
    return _drawing(column, caption, drawn, names, "the fastest", cells)


def roofline(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """What `roof.under_the_roof` draws, for a column."""
    rows = roof.placed(frame)
    if rows.empty:
        return None
    if crowded(points(frame)):
        named = roof.named(rows, looks)
        looks = faded(looks, named)
    else:
        named = set(rows["name"])
    used = [look for name, look in looks.items() if name in named]
    column = Column(mixer_handles(used), [170.0])
    (ax,) = column.axes
    roof.plot(ax, rows, looks)
    for line in ax.lines:
        line.set_markersize(4.5)
    said, caption = roof.words(rows)
    return Drawing(column.canvas.figure, caption, f"Roofline of {counted(len(rows), 'cell')}. {said}")


def _fitting(names: Sequence[str], panels: int) -> list[str]:
    return list(names[: max(1, int(ROOM / panels / LINE))])


def _column(
    names: Sequence[str],
    looks: Mapping[str, Look],
    cells: Sequence[Point],
    used: Sequence[str],
    panels: int,
    *,
    between: float = 30.0,
    titled: bool = False,
) -> Column:
    """Panels with a line for each of the names, and their names on the left."""
    handles = kernel_handles(kernels_of(p for p in cells if p.kernel in used), fills(kernels_of(cells)))
    left = 8 + max(measure(looks[name].label, SMALL)[0] for name in names)
    height = len(names) * LINE + 4
    column = Column(handles, [height] * panels, between=between, titled=titled, left=min(left, 120.0))
    for ax in column.axes:
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.yaxis.set_major_locator(FixedLocator(list(range(len(names)))))
        ax.yaxis.set_major_formatter(FixedFormatter([looks[name].label for name in names]))
        ax.tick_params(axis="y", length=0)
    return column


def _dots(
    ax: Axes,
    values: Sequence[tuple[Point, Value]],
    names: Sequence[str],
    looks: Mapping[str, Look],
    filled: Mapping[str, str],
) -> None:
    for point, value in values:
        if point.name in names:
            level, look = names.index(point.name), looks[point.name]
            if value.bounded:
                ax.plot([value.lo, value.hi], [level, level], color=look.color, linewidth=0.9, zorder=1.9)
            style = marker(look, filled[point.kernel])
            ax.plot([value.value], [level], linestyle="none", clip_on=False, zorder=3, **style)


def _drawing(
    column: Column,
    caption: str,
    drawn: Sequence[str],
    names: Sequence[str],
    which: str,
    cells: Sequence[Point],
) -> Drawing:
    called = noun(point.subject for point in cells)
    if len(drawn) < len(names):
        caption += f" Drawn are {which}, {len(drawn)} of {called.counted(len(names))}."
    return Drawing(column.canvas.figure, caption, f"Dot plot of {joined(drawn)}. {caption}")
