"""Dots in rows, a row a mixer: speed relative to a reference, kernels, protocols, every metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from matplotlib.artist import Artist
from matplotlib.lines import Line2D

from benchsuite.labels import noun
from benchsuite.report import canvas as draw
from benchsuite.report.canvas import Canvas, measure, text_size
from benchsuite.report.figures.choose import MANY, Drawn, FigureRequest, chosen, ends, evenly, fullest
from benchsuite.report.figures.layout import Layout, Panel, grid, label_rows
from benchsuite.report.figures.scales import Scale, apply, scale, title_of, wants_log
from benchsuite.report.points import (
    Point,
    Value,
    besides_protocol,
    counting,
    kernels_of,
    names_of,
    noise_of,
    resolutions_of,
    stated,
)
from benchsuite.report.ranking import relative_speed
from benchsuite.report.theme import MUTED, Look, fills
from benchsuite.report.theme import looks as new_looks
from benchsuite.report.words import STATUS_WORDS, joined, pixels, the_kernels
from benchsuite.results.kernels import is_fused
from benchsuite.results.metrics import METRICS

MOST_PANELS = 3
PAPER = 640.0
"""Points of height that panels of a figure in a paper may take."""
METRIC_KEYS = ("macs", "throughput", "peak_memory_bytes")


@dataclass(frozen=True, slots=True)
class Dot:
    """One value in the row of a name.

    Attributes:
        lane: which of the parallel lines of a row, from 0 on.
    """

    point: Point
    value: Value
    look: Look
    fill: str
    lane: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """One panel: dots on a scale with its label and unit; failures, which have no value, at the bad edge."""

    title: str
    label: str
    unit: str
    dots: Sequence[Dot]
    better: Literal["lower", "higher"] = "higher"


def ratio(request: FigureRequest) -> Drawn | None:
    """Speed relative to the reference with its interval, a panel a resolution; None without a pair."""
    cells, looks, layout, options = request
    shown = chosen(cells, options)
    reference = options.reference or next(iter(names_of(cells)), "")
    bases = {
        (kernel, point.resolution): point
        for kernel in ([options.kernel] if options.kernel else kernels_of(cells))
        for point in counting(cells, kernel)
        if point.name == reference and point.throughput.known
    }
    kernels = list(dict.fromkeys(kernel for kernel, _ in bases))
    filled = fills(kernels_of(cells))
    dots = [
        Dot(point, value, looks[point.name], filled[point.kernel], kernels.index(kernel))
        for kernel in kernels
        for point in counting(shown, kernel)
        if (base := bases.get((kernel, point.resolution))) and point.name != reference
        if (value := relative_speed(point, base)).known
    ]
    if not dots:
        return None
    handles: list[Artist] = [*draw.kernel_handles(kernels, filled)] if len(kernels) > 1 else []
    same = " on the same kernel" if len(kernels) > 1 else ""
    caption = f"Speed relative to {reference}{same}, paired by round; right of the line is faster."
    if any(dot.point.kernel != kernels[dot.lane] for dot in dots):
        called = noun(dot.point.subject for dot in dots).plural.capitalize()
        caption += f" {called} without a fused kernel are hollow on every kernel of {reference}."
    missing = [p for p in cells if p.status != "ok" and p.resolution in {k for _, k in bases}]
    if missing:
        caption += f" Without a number: {joined(sorted({p.name for p in missing}))}."
    return _relative(dots, looks, layout, handles, f"Speed relative to {looks[reference].label}", caption)


def kernel_speedup(request: FigureRequest) -> Drawn | None:
    """Speed of fused kernels relative to math; None where no mixer ran on both."""
    cells, looks, layout, options = request
    cells = chosen(cells, replace(options, kernel=None))
    pairs = [(one, base) for one, base in beside_math(cells) if options.kernel in (None, one.kernel)]
    fused, filled = kernels_of(one for one, _ in pairs), fills(kernels_of(cells))
    dots = [
        Dot(one, relative_speed(one, base), looks[one.name], filled[one.kernel], fused.index(one.kernel))
        for one, base in pairs
    ]
    if not dots:
        return None
    handles: list[Artist] = [*draw.kernel_handles(fused, filled)] if len(fused) > 1 else []
    caption = (
        f"Speed on {the_kernels(fused)} relative to math, paired by round; right of the line the fused "
        "kernel is faster."
    )
    title = f"Speed on {fused[0]} relative to math" if len(fused) == 1 else "Speed relative to math"
    return _relative(dots, looks, layout, handles, title, caption)


def protocols(request: FigureRequest) -> Drawn | None:
    """Speed as each protocol reads it relative to adaptive sampling; None for one protocol."""
    cells, looks, layout, options = request
    timed = [point for point in chosen(cells, options) if point.throughput.known]
    bases = {besides_protocol(p): p for p in timed if p.settings["protocol"] == "adaptive"}
    others = [p for p in timed if p.settings["protocol"] != "adaptive" and besides_protocol(p) in bases]
    words = list(dict.fromkeys(str(point.settings["protocol"]) for point in others))
    own = new_looks(words)
    dots = [
        Dot(p, relative_speed(p, bases[besides_protocol(p)]), own[word], "full", words.index(word))
        for p in others
        if (word := str(p.settings["protocol"]))
    ]
    if not dots:
        return None
    handles: list[Artist] = [Line2D([], [], color=MUTED, linewidth=1, label="adaptive (1×)")]
    handles += [draw.mixer_handle(own[word], line=False) for word in words]
    caption = (
        "Speed as other timing protocols read it, relative to adaptive sampling of the same cell; right of "
        "the line a protocol reports a higher speed."
    )
    return _relative(dots, looks, layout, handles, "Speed relative to adaptive", caption)


def _relative(
    dots: Sequence[Dot],
    looks: Mapping[str, Look],
    layout: Layout,
    handles: Sequence[Artist],
    title: str,
    caption: str,
) -> Drawn:
    """Ratios in rows, the largest of the last panel on top, with the band of the noise floor."""
    every = resolutions_of(dot.point for dot in dots)
    sizes = evenly(every, MOST_PANELS)
    dots = [dot for dot in dots if dot.point.resolution in sizes]
    rank: dict[str, tuple[int, float]] = {}
    for dot in dots:
        here = sizes.index(dot.point.resolution), dot.value.value
        rank[dot.point.name] = max(here, rank.get(dot.point.name, here))
    names = sorted(rank, key=lambda name: rank[name], reverse=True)
    charts = [
        Chart(pixels(size), title, "×", [dot for dot in dots if dot.point.resolution == size])
        for size in sizes
    ]
    noise = noise_of([dot.point for dot in dots])
    values = [1.0, *ends(dot.value for dot in dots)]
    width = layout.width / (layout.panels(len(sizes)) + 1)  # names take about as much as a panel
    apart = max(math.log(max(values) / min(values)), noise)
    band = 2 * math.log(1 + noise) / apart * width if apart else 0.0
    handles = [*handles, *draw.noise_handles(noise, band, narrow=layout.narrow)]
    caption += stated(" Bars are 95 % confidence intervals.", (dot.value for dot in dots))
    if any(len({dot.point.name for dot in chart.dots}) < len(names) for chart in charts):
        caption += " An empty row has no number there."
    if len(sizes) < len(every):
        caption += f" {len(sizes)} of {len(every)} resolutions."
    canvas, left_out = _rows(charts, names, looks, layout, handles, noise=noise)
    caption += left_out
    return canvas, caption


def metrics(request: FigureRequest) -> Drawn | None:
    """Every metric at the resolution that most cells have, the fastest on top; None for a single cell."""
    cells, looks, layout, options = request
    cells = fullest(chosen(cells, options))
    keys = [options.metric] if options.metric else METRIC_KEYS
    keys = [key for key in keys if any(point.metrics[key].known for point in cells)]
    if len({(p.name, p.kernel) for p in cells}) < 2 or not keys:
        return None
    kernels, filled = kernels_of(cells), fills(kernels_of(cells))
    best = {
        name: max((p.throughput.value for p in cells if p.name == name and p.throughput.known), default=0.0)
        for name in names_of(cells)
    }
    names = sorted(best, key=lambda name: -best[name])
    charts = [
        Chart(
            "", title_of(METRICS[key]), METRICS[key].unit,
            [
                Dot(p, p.metrics[key], looks[p.name], filled[p.kernel], kernels.index(p.kernel))
                for p in cells if p.metrics[key].known or p.status != "ok"
            ],
            METRICS[key].better,
        )
        for key in keys
    ]  # fmt: skip
    handles = draw.kernel_handles(kernels, filled) if len(kernels) > 1 else []
    canvas, left_out = _rows(charts, names, looks, layout, handles)
    called = noun(point.subject for point in cells)
    size = pixels(cells[0].resolution)
    caption = f"At {size}, the fastest {called.single} on top.{left_out}"
    bounded = (dot.value for chart in charts for dot in chart.dots)
    caption += stated(" Bars are 95 % confidence intervals, where larger than the mark.", bounded)
    if any(not dot.value.known for chart in charts for dot in chart.dots):
        caption += " A × at the edge is a cell without a number, with its status."
    return canvas, caption


def beside_math(cells: Sequence[Point]) -> list[tuple[Point, Point]]:
    """Every cell on a fused kernel with that of the same mixer and resolution on math, both timed."""
    base = {(p.name, p.resolution): p for p in cells if p.kernel == "math" and p.latency.known}
    return [
        (point, base[point.name, point.resolution])
        for point in cells
        if is_fused(point.kernel, point.backends)
        and point.latency.known
        and (point.name, point.resolution) in base
    ]


def _rows(
    charts: Sequence[Chart],
    names: Sequence[str],
    looks: Mapping[str, Look],
    layout: Layout,
    handles: Sequence[Artist],
    *,
    noise: float | None = None,
) -> tuple[Canvas, str]:
    """Panels that share their rows, the first name on top; and what the caption says of names left out.

    Args:
        noise: of the machine, if values are ratios: they share a scale, and the band around 1 is shaded.
    """
    size = text_size()
    lanes = 1 + max(dot.lane for chart in charts for dot in chart.dots)
    line = size + 3 if len(names) > MANY else max(size + 5, lanes * (size - 0.5) + 2)
    across = layout.panels(len(charts))
    room = int((PAPER / math.ceil(len(charts) / across) - 46) / line)
    left_out = ""
    if not layout.wide and len(names) > room:
        left_out = f" The first {room} of {len(names)}."
        names = names[:room]
        charts = [replace(one, dots=[dot for dot in one.dots if dot.point.name in names]) for one in charts]
    left = 14 + max(measure(looks[name].label, size)[0] for name in names)
    titled = any(chart.title for chart in charts)
    canvas, panels = grid(
        layout,
        len(charts),
        columns=across,
        height=len(names) * line + 6,
        handles=handles,
        left=left,
        right=18.0,
        gap=26.0,
        between=44.0,
        above=16.0 if titled else 6.0,
    )
    common = [end for chart in charts for end in ends(dot.value for dot in chart.dots)]
    log = any(
        wants_log(
            [1.0, *common] if noise is not None else [d.value.value for d in chart.dots if d.value.value]
        )
        for chart in charts
    )
    for panel, chart in zip(panels, charts, strict=True):
        ax = panel.ax
        values = [1.0, *common] if noise is not None else ends(dot.value for dot in chart.dots)
        x = _scale(chart, values, panel.width, log=log)
        apply(ax, "x", x, chart.unit)
        label_rows(ax, [looks[name].label if panel.column == 0 else "" for name in names])
        ax.set_title(chart.title)
        fits = measure(chart.label, size)[0] < panel.width + 20
        if noise is None or (panel.row == panels[-1].row and (fits or panel.column == across // 2)):
            ax.set_xlabel(chart.label)
        if noise is not None:
            ax.axvline(1, color=MUTED, linewidth=0.6, zorder=1.5)
            ax.axvspan(1 / (1 + noise), 1 + noise, color=MUTED, alpha=0.3, linewidth=0, zorder=1.2)
        for dot in chart.dots:
            level = names.index(dot.point.name) + (dot.lane - (lanes - 1) / 2) * 0.8 / lanes
            _draw(panel, chart, x, dot, level, panel.height * (1 - (level + 0.5) / len(names)))
    return canvas, left_out


def _scale(chart: Chart, values: Sequence[float], width: float, *, log: bool) -> Scale:
    """The scale of a panel so many points wide, with room for the statuses of failures at the bad edge."""
    x = scale(values, chart.unit, pad=0.08, most_ticks=6 if width > 150 else 4, log=log)
    failed = [STATUS_WORDS[dot.point.status] for dot in chart.dots if not dot.value.known]
    share = min(0.6, max((measure(word, text_size())[0] + 18 for word in failed), default=0.0) / width)
    return x.extended(**{"above" if chart.better == "lower" else "below": share / (1 - share)})


def _draw(panel: Panel, chart: Chart, x: Scale, dot: Dot, level: float, y: float) -> None:
    """The mark of a value with its interval, or the cross of a failure with its status."""
    ax, value = panel.ax, dot.value
    if value.known:
        wide = chart.unit == "×" or (x.share(value.hi) - x.share(value.lo)) * panel.width > 8
        if value.bounded and wide:
            draw.bar(ax, (value.lo, value.hi), (level, level), dot.look.color)
        draw.mark(ax, x.place(value.value), level, dot.look, dot.fill, dot.point.cell)
        return
    edge = panel.width - 6 if chart.better == "lower" else 6.0
    draw.cross(ax, edge, y, dot.look.color, dot.point.cell)
    word = STATUS_WORDS[dot.point.status]
    if chart.better == "lower":
        draw.text(ax, edge - 7, y, word, ha="right", backed=True)
    else:
        draw.text(ax, edge + 7, y, word, backed=True)
