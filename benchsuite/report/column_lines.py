"""MACs against throughput, and growth with resolution, in a column of a paper. Frame → `Drawing`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchsuite.analyse.pareto import pareto_front
from benchsuite.report.axes import Scale, apply_x, apply_y, resolution_axis, scale, title_of
from benchsuite.report.canvas import Drawing, cross
from benchsuite.report.column import Column, kernel_handles, marker, mixer_handles
from benchsuite.report.crowd import crowded, faded, told
from benchsuite.report.figures import evenly
from benchsuite.report.points import Point, Value, kernels_of, names_of, points, resolutions_of, stated
from benchsuite.report.scaling import SHOWN
from benchsuite.report.theme import MUTED, Look, fills
from benchsuite.report.words import counted, joined, lowered, pixels, places
from benchsuite.results.metrics import METRICS
from benchsuite.units import byte_size

MOST_PANELS = 3
AT_LEAST = "MACs at least"
PANEL = 130.0  # points
SMALLEST, LARGEST = 3.5, 10.0  # diameters of marks in points; areas go by memory


def scatter(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """Throughput over MACs with memory as the area of marks; None for fewer than two names."""
    cells = points(frame)
    drawn = [point for point in cells if point.throughput.known and not math.isnan(point.macs)]
    if len(names_of(drawn)) < 2:
        return None
    resolutions = evenly(resolutions_of(drawn), MOST_PANELS)
    shown = [point for point in drawn if point.resolution in resolutions]
    filled = fills(kernels_of(cells))
    most = max((_memory(point) for point in shown), default=0.0)
    named = set(names_of(shown))
    if crowded(shown):
        named = {
            name for one in resolutions for name in told([p for p in shown if p.resolution == one], looks)
        }
        looks = faded(looks, named)
    handles = mixer_handles([looks[name] for name in looks if name in named])
    handles += kernel_handles(kernels_of(shown), filled)
    if not all(point.exact for point in shown):
        # 5 is a caret to the right.
        handles.append(Line2D([], [], color=MUTED, lw=0.8, marker=5, markersize=4, label=AT_LEAST))
    if any(point.exact for point in shown):
        handles.append(Line2D([], [], color=MUTED, linewidth=0.9, linestyle="--", label="Pareto front"))
    if most:
        handles += [_circle(share * most, most) for share in (0.25, 1.0)]
    column = Column(handles, [PANEL] * len(resolutions), between=44.0, titled=True)
    for ax, resolution in zip(column.axes, resolutions, strict=True):
        panel = [point for point in shown if point.resolution == resolution]
        ax.set_title(pixels(resolution))
        ax.set_xlabel(title_of(METRICS["macs"]))
        ax.set_ylabel(title_of(METRICS["throughput"]))
        _panel(ax, panel, looks, filled, most)
    caption = (
        f"Throughput over MACs at {places(resolutions)}."
        + stated(" Bars are 95 % intervals.", (point.throughput for point in shown))
        + " The area of a mark is its peak memory. The front joins the medians of exactly counted MACs."
    )
    alt = f"Scatter plot of MACs and throughput of {joined(names_of(shown))} at {places(resolutions)}."
    return Drawing(column.canvas.figure, caption, alt)


def scaling(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """Each metric over resolution, a line a mixer and kernel; None for fewer than two resolutions."""
    cells = points(frame)
    keys = [key for key in SHOWN if any(point.metrics[key].known for point in cells)]
    if len(resolutions_of(cells)) < 2 or not keys:
        return None
    x, filled = resolution_axis(cells), fills(kernels_of(cells))
    failed = [point for point in cells if point.status != "ok"]
    handles = mixer_handles([looks[name] for name in looks if name in names_of(cells)])
    handles += kernel_handles(kernels_of(cells), filled)
    if failed:
        label = f"no number ({joined(list(dict.fromkeys(point.status for point in failed)), 'or')})"
        handles.append(Line2D([], [], linestyle="none", marker="x", color=MUTED, markersize=4.5, label=label))
    column = Column(handles, [PANEL * 0.8] * len(keys), between=12.0)
    for ax, key in zip(column.axes, keys, strict=True):
        metric = METRICS[key]
        y = scale([end for point in cells for end in _ends(point.metrics[key])], metric.unit, most_ticks=5)
        y = y.extended(**{"below" if metric.better == "higher" else "above": 0.12 if failed else 0.0})
        apply_y(ax, y, metric.unit)
        x.apply(ax, column.width)
        ax.set_ylabel(title_of(metric))
        if ax is not column.axes[-1]:
            ax.set_xlabel("")
            ax.tick_params(labelbottom=False)
        _lines(ax, key, cells, looks, filled, x.positions)
        edge = 7.0 if metric.better == "higher" else PANEL * 0.8 - 7.0
        for point in failed:
            if not point.metrics[key].known:
                across = x.across(point.resolution, column.width)
                cross(ax, across, edge, looks[point.name].color, point.cell)
    labels = joined([lowered(METRICS[key].label) for key in keys])
    bounded = (point.metrics[key] for point in cells for key in keys)
    caption = f"Growth of {labels} with resolution.{stated(' Bars are 95 % intervals.', bounded)}"
    if failed:
        caption += f" {counted(len(failed), 'cell')} without a number marked × at the edge."
    return Drawing(column.canvas.figure, caption, f"Line charts of {labels} of {joined(names_of(cells))}.")


def _panel(
    ax: Axes, panel: Sequence[Point], looks: Mapping[str, Look], filled: Mapping[str, str], most: float
) -> None:
    ends = [end for point in panel for end in _ends(point.throughput)]
    x = scale([point.macs for point in panel], "MAC", pad=0.1, most_ticks=5)
    y = scale(ends, "images/s", pad=0.12, most_ticks=5)
    apply_x(ax, x, "MAC")
    apply_y(ax, y, "images/s")
    _front(ax, panel, x)
    for point in sorted(panel, key=lambda point: -_memory(point)):  # small marks over large ones
        look, speed = looks[point.name], point.throughput
        if speed.bounded:
            ax.plot([point.macs] * 2, [speed.lo, speed.hi], color=look.color, linewidth=0.9, zorder=2.5)
        style = marker(look, filled[point.kernel], diameter(_memory(point), most))
        ax.plot([point.macs], [speed.value], linestyle="none", zorder=3, clip_on=False, **style)
        if not point.exact:
            _at_least(ax, point.macs, speed.value, look.color)


def _at_least(ax: Axes, x: float, y: float, color: str) -> None:
    """An arrow to the right: MACs are a lower bound."""
    style = {"arrowstyle": "<-", "color": color, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 2}
    ax.annotate("", (x, y), (14, 0), textcoords="offset points", arrowprops=style)  # its head is at the text


def _front(ax: Axes, panel: Sequence[Point], x: Scale) -> None:
    known = [(point.macs, point.throughput.value) for point in panel if point.exact]
    front = [known[i] for i in pareto_front(known)]
    if front:
        xs = [*(macs for macs, _ in front), x.hi]
        ys = [*(speed for _, speed in front), front[-1][1]]
        ax.step(xs, ys, where="post", color=MUTED, linewidth=0.9, linestyle="--", zorder=1.5)


def diameter(memory: float, most: float) -> float:
    """Of a mark in points: its area goes by the memory, the largest of the figure being `most` bytes."""
    return max(SMALLEST, LARGEST * math.sqrt(memory / most)) if memory and most else SMALLEST


def _circle(memory: float, most: float) -> Line2D:
    style = marker(Look(MUTED, "o", ""), "none", diameter(memory, most))
    return Line2D([], [], linestyle="none", label=byte_size(memory, 2), **style)


def _lines(
    ax: Axes,
    key: str,
    cells: Sequence[Point],
    looks: Mapping[str, Look],
    filled: Mapping[str, str],
    positions: Mapping[int | str, float],
) -> None:
    for kernel in kernels_of(cells):
        for name in names_of(cells):
            line = [p for p in cells if (p.name, p.kernel) == (name, kernel) and p.metrics[key].known]
            line.sort(key=lambda point: positions[point.resolution])
            xs, values = [positions[point.resolution] for point in line], [p.metrics[key] for p in line]
            ax.plot(
                xs, [value.value for value in values], linewidth=1.2, **marker(looks[name], filled[kernel])
            )
            for at, value in zip(xs, values, strict=True):
                if value.bounded:
                    ax.plot([at, at], [value.lo, value.hi], color=looks[name].color, lw=0.9, zorder=1.9)


def _memory(point: Point) -> float:
    """Peak bytes; 0 where they are not known."""
    value = point.metrics["peak_memory_bytes"].value
    return 0.0 if math.isnan(value) else value


def _ends(value: Value) -> tuple[float, float, float]:
    return value.value, value.lo, value.hi
