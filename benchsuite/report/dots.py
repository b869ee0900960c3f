"""Dot plots, a line a mixer: every metric at a single resolution, and the gain by fused kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from benchsuite.report import canvas as draw
from benchsuite.report.axes import Scale, apply_x, scale, title_of
from benchsuite.report.canvas import WIDTH, Canvas, Drawing, legend_height, measure
from benchsuite.report.figures import evenly
from benchsuite.report.order import ratio, valued
from benchsuite.report.points import Point, Value, kernels_of, names_of, points, resolutions_of
from benchsuite.report.scaling import SHOWN
from benchsuite.report.theme import MUTED, Look, fills
from benchsuite.report.words import STATUS_WORDS, joined, lowered, pixels, the_kernels
from benchsuite.results.kernels import is_fused
from benchsuite.results.metrics import METRICS
from benchsuite.results.nouns import noun

LINE = 20.0  # height of a mixer's line, in points


def at_one_resolution(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """Every metric side by side, the fastest mixer on top.

    None where resolution is swept, nothing is known, or there is nobody to compare with.
    """
    cells = points(frame)
    keys = [key for key in SHOWN if any(point.metrics[key].known for point in cells)]
    if len(resolutions_of(cells)) != 1 or len({(p.name, p.kernel) for p in cells}) < 2 or not keys:
        return None
    kernels = kernels_of(cells)
    filled = fills(kernels)
    names = sorted(names_of(cells), key=lambda name: -_best(cells, name))
    canvas, boxes, height = _layout(names, looks, len(keys), kernels if len(kernels) > 1 else [], filled)
    for i, (key, (ax, width)) in enumerate(zip(keys, boxes, strict=True)):
        metric = METRICS[key]
        values = [end for point in cells for end in _ends(point.metrics[key])]
        failed = [point for point in cells if point.status != "ok" and not point.metrics[key].known]
        room = max((measure(STATUS_WORDS[point.status], 7.5)[0] + 18 for point in failed), default=0.0)
        x = scale(values, metric.unit, most_ticks=4)
        share = room / (width - room)
        x = x.extended(**{"below" if metric.better == "higher" else "above": share})
        _lines(ax, names, looks, labels=i == 0)
        apply_x(ax, x, metric.unit)
        ax.set_xlabel(title_of(metric))
        for point in cells:
            level = names.index(point.name) + _offset(kernels.index(point.kernel), len(kernels))
            value = point.metrics[key]
            if value.known:
                _dot(ax, x, value, level, looks[point.name], filled[point.kernel], point.cell, width)
            elif point.status != "ok":
                _failure(ax, point, level, metric.better == "lower", looks, (width, height, len(names)))
    called = noun(point.subject for point in cells)
    caption = f"The fastest {called.single} is on top; {the_kernels(kernels)}."
    if any(point.throughput.bounded for point in cells):
        caption += " Bars are 95 % intervals, where larger than the marker."
    if any(point.status != "ok" for point in cells):
        caption += " A × at the edge is a cell without a number, with its status."
    labels = joined([lowered(METRICS[key].label) for key in keys])
    alt = (
        f"Dot plots of {labels} at {pixels(resolutions_of(cells)[0])} for {called.counted(len(names))} "
        f"with {the_kernels(kernels)}, sorted by throughput from {names[0]} down to {names[-1]}."
    )
    return Drawing(canvas.figure, caption, alt)


def kernel_speedup(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """Latency on the math kernel over latency on fused ones; None where no mixer ran on both."""
    gains = speedups(points(frame))
    if not gains:
        return None
    fused = kernels_of(point for point, _ in gains)
    filled = fills(kernels_of(points(frame)))
    names = [name for name in names_of(points(frame)) if any(point.name == name for point, _ in gains)]
    every = resolutions_of(point for point, _ in gains)
    chosen = evenly(every)
    canvas, boxes, _ = _layout(names, looks, len(chosen), fused if len(fused) > 1 else [], filled)
    x = scale([1.0, *(end for _, gain in gains for end in _ends(gain))], "", most_ticks=5)
    for i, (resolution, (ax, width)) in enumerate(zip(chosen, boxes, strict=True)):
        _lines(ax, names, looks, labels=i == 0)
        apply_x(ax, x, "")
        near = any(abs(x.share(tick) - x.share(1.0)) * width < 22 for tick in x.ticks)
        ticks = x.ticks if near else (1.0, *x.ticks)
        ax.xaxis.set_major_locator(FixedLocator(list(ticks)))
        ax.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}×" for tick in ticks]))
        ax.set_title(pixels(resolution))
        ax.set_xlabel(f"Speed-up by {fused[0]}" if len(fused) == 1 else "Speed-up over math")
        ax.axvline(1, color=MUTED, linewidth=1, zorder=1.5)
        for point, gain in gains:
            if point.resolution == resolution:
                level = names.index(point.name) + _offset(fused.index(point.kernel), len(fused))
                _dot(ax, x, gain, level, looks[point.name], filled[point.kernel], point.cell, width)
    caption = (
        "Latency on the math kernel over that on the fused one, paired by round: right of the line the fused "
        "kernel is faster."
    )
    if any(gain.bounded for _, gain in gains):
        caption += " Bars are 95 % intervals of the ratio."
    if len(chosen) < len(every):
        caption += f" {len(chosen)} of {len(every)} resolutions, spread evenly."
    called = noun(point.subject for point, _ in gains)
    best, gain = max(gains, key=lambda item: item[1].value)
    alt = (
        f"Dot plot of the speed-up of {the_kernels(fused)} over the math kernel "
        f"for {called.counted(len(names))}. The largest is {gain.value:.2f} times, "
        f"{best.name} at {pixels(best.resolution)}."
    )
    return Drawing(canvas.figure, caption, alt)


def speedups(cells: Sequence[Point]) -> list[tuple[Point, Value]]:
    """For every cell on a fused kernel, its speed over that of the same mixer on math, paired by round."""
    return [(point, valued(ratio(point, base))) for point, base in beside_math(cells)]


def beside_math(cells: Sequence[Point]) -> list[tuple[Point, Point]]:
    """Every cell on a fused kernel with that of the same mixer and resolution on math, both timed."""
    math = {(p.name, p.resolution): p for p in cells if p.kernel == "math" and p.latency.known}
    return [
        (point, math[point.name, point.resolution])
        for point in cells
        if is_fused(point.kernel, point.backends)
        and point.latency.known
        and (point.name, point.resolution) in math
    ]


def _best(cells: Sequence[Point], name: str) -> float:
    return max((p.throughput.value for p in cells if p.name == name and p.throughput.known), default=0.0)


def _ends(value: Value) -> tuple[float, float, float]:
    return value.value, value.lo, value.hi


def _offset(i: int, of: int) -> float:
    """Shift of the i-th kernel within the line of its mixer, whose height is 1."""
    return (i - (of - 1) / 2) * min(0.3, 0.8 / of)


def _layout(
    names: Sequence[str],
    looks: Mapping[str, Look],
    columns: int,
    kernels: Sequence[str],
    filled: Mapping[str, str],
) -> tuple[Canvas, list[tuple[Axes, float]], float]:
    """Columns of axes that share their lines, with their width; and the height of each."""
    left = 17 + max(measure(looks[name].label, 8.5)[0] for name in names)
    gap, right = 30.0, 12.0
    handles = draw.kernel_handles(kernels, filled)
    top = legend_height(handles) + 20
    line = max(LINE, 9.0 * len(kernels))
    height = len(names) * line + 8
    canvas = Canvas(WIDTH, top + height + 38)
    canvas.legend(handles, left)
    width = (WIDTH - left - right - gap * (columns - 1)) / columns
    return (
        canvas,
        [(canvas.axes(left + i * (width + gap), top, width, height), width) for i in range(columns)],
        height,
    )


def _lines(ax: Axes, names: Sequence[str], looks: Mapping[str, Look], *, labels: bool) -> None:
    """One line a mixer, the first on top."""
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.yaxis.set_major_locator(FixedLocator(list(range(len(names)))))
    ax.yaxis.set_major_formatter(FixedFormatter([looks[name].label if labels else "" for name in names]))
    ax.tick_params(axis="y", length=0, pad=8)  # a mark may stand on the axis
    ax.spines["left"].set_visible(False)


def _dot(
    ax: Axes, x: Scale, value: Value, level: float, look: Look, fill: str, cell: str, width: float
) -> None:
    if value.bounded and (x.share(value.hi) - x.share(value.lo)) * width > 8:
        draw.bar(ax, (value.lo, value.hi), (level, level), look.color)
    draw.mark(ax, value.value, level, look, fill, cell)


def _failure(
    ax: Axes,
    point: Point,
    level: float,
    at_right: bool,
    looks: Mapping[str, Look],
    size: tuple[float, float, int],
) -> None:
    """A cross at the bad edge, its status inwards."""
    width, height, lines = size
    y = height * (1 - (level + 0.5) / lines)
    x = width - 6 if at_right else 6
    draw.cross(ax, x, y, looks[point.name].color, point.cell)
    word = STATUS_WORDS[point.status]
    draw.text(
        ax, x - 7 if at_right else x + 7, y, word, ha="right" if at_right else "left", size=7.5, backed=True
    )
