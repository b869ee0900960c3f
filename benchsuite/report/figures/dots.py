"""Speeds relative to those of another cell, a row a mixer: to a reference, to math, to adaptive sampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchsuite.labels import noun
from benchsuite.report import canvas as draw
from benchsuite.report.canvas import grid, label_rows, measure, text_size, widest
from benchsuite.report.figures.choose import (
    MANY,
    Drawn,
    FigureRequest,
    ends,
    evenly,
    without_number,
)
from benchsuite.report.figures.scales import apply, scale, wants_log
from benchsuite.report.ranking import relative_speed
from benchsuite.report.reported_cells import (
    ReportedCell,
    Value,
    besides_protocol,
    counting,
    kernels_of,
    names_of,
    noise_of,
    resolutions_of,
    stated,
)
from benchsuite.report.theme import MUTED, Look, fills
from benchsuite.report.theme import looks as new_looks
from benchsuite.report.words import pixels, the_kernels
from benchsuite.results.kernels import backends_of, is_fused

MOST_PANELS = 3
PAPER = 640.0
"""Points of height that panels of a figure in a paper may take."""
_RIGHT, _GAP = 18.0, 26.0


@dataclass(frozen=True, slots=True)
class Dot:
    """One ratio in the row of a name.

    Attributes:
        look: of its mark, and `fill`, that of the kernel.
        lane: which of the parallel lines of a row, from 0 on.
    """

    cell: ReportedCell
    value: Value
    look: Look
    fill: str
    lane: int = 0


def ratio(request: FigureRequest) -> Drawn | None:
    """Speed relative to the reference with its interval, a panel a resolution; None without a pair."""
    cells, looks = request.cells, request.looks
    reference = request.reference or next(iter(names_of(cells)), "")
    bases = {
        (kernel, cell.resolution): cell
        for kernel in ([request.kernel] if request.kernel else kernels_of(cells))
        for cell in counting(cells, kernel)
        if cell.name == reference and cell.throughput.known
    }
    kernels = list(dict.fromkeys(kernel for kernel, _ in bases))
    filled = fills(kernels_of(cells))
    dots = [
        Dot(cell, relative_speed(cell, base), looks[cell.name], filled[cell.kernel], lane)
        for lane, kernel in enumerate(kernels)
        for cell in counting(request.chosen, kernel)
        if (base := bases.get((kernel, cell.resolution))) and cell.name != reference
    ]
    dots = [dot for dot in dots if dot.value.known]
    if not dots:
        return None
    same = " on the same kernel" if len(kernels) > 1 else ""
    caption = f"Speed relative to {reference}{same}, paired by round; right of the line is faster."
    if any(dot.cell.kernel != kernels[dot.lane] for dot in dots):
        called = noun(dot.cell.subject for dot in dots).plural.capitalize()
        caption += f" {called} without a fused kernel are hollow on every kernel of {reference}."
    caption += without_number([p for p in cells if p.resolution in {size for _, size in bases}])
    handles = draw.kernel_handles(kernels, filled)
    return _relative(dots, request, handles, f"Speed relative to {looks[reference].label}", caption)


def kernel_speedup(request: FigureRequest) -> Drawn | None:
    """Speed of fused kernels relative to math; None where no mixer ran on both."""
    cells, looks = replace(request, kernel=None).chosen, request.looks
    math_of = {(p.name, p.resolution): p for p in cells if p.kernel == "math"}
    found = [
        (cell, value)
        for cell in cells
        if is_fused(cell.kernel, backends_of(cell.measured.record))
        and request.kernel in (None, cell.kernel)
        and (cell.name, cell.resolution) in math_of
        and (value := relative_speed(cell, math_of[cell.name, cell.resolution])).known
    ]
    if not found:
        return None
    fused, filled = kernels_of(cell for cell, _ in found), fills(kernels_of(cells))
    dots = [
        Dot(cell, value, looks[cell.name], filled[cell.kernel], fused.index(cell.kernel))
        for cell, value in found
    ]
    caption = (
        f"Speed on {the_kernels(fused)} relative to math, paired by round; right of the line the fused "
        "kernel is faster."
    )
    title = f"Speed on {fused[0]} relative to math" if len(fused) == 1 else "Speed relative to math"
    return _relative(dots, request, draw.kernel_handles(fused, filled), title, caption)


def protocols(request: FigureRequest) -> Drawn | None:
    """Speed as each protocol reads it relative to adaptive sampling; None for one protocol."""
    timed = [cell for cell in request.chosen if cell.throughput.known]
    bases = {besides_protocol(p): p for p in timed if p.settings["protocol"] == "adaptive"}
    others = [p for p in timed if p.settings["protocol"] != "adaptive" and besides_protocol(p) in bases]
    if not others:
        return None
    own = new_looks(str(cell.settings["protocol"]) for cell in others)
    dots = [
        Dot(p, relative_speed(p, bases[besides_protocol(p)]), own[word], "full", list(own).index(word))
        for p in others
        if (word := str(p.settings["protocol"]))
    ]
    handles = [
        Line2D([], [], color=MUTED, linewidth=1, label="adaptive (1×)"),
        *draw.look_handles(own.values()),
    ]
    caption = (
        "Speed as other timing protocols read it, relative to adaptive sampling of the same cell; right of "
        "the line a protocol reports a higher speed."
    )
    return _relative(dots, request, handles, "Speed relative to adaptive", caption)


def _relative(
    dots: Sequence[Dot], request: FigureRequest, handles: Sequence[Artist], title: str, caption: str
) -> Drawn:
    """Ratios in rows, a panel a resolution, the largest of the last panel on top; with the noise floor."""
    every = resolutions_of(dot.cell for dot in dots)
    sizes = evenly(every, MOST_PANELS)
    dots = [dot for dot in dots if dot.cell.resolution in sizes]
    rank: dict[str, tuple[int, float]] = {}
    for dot in dots:
        here = sizes.index(dot.cell.resolution), dot.value.value
        rank[dot.cell.name] = max(here, rank.get(dot.cell.name, here))
    names = sorted(rank, key=lambda name: rank[name], reverse=True)
    caption += stated(" Bars are 95 % confidence intervals.", (dot.value for dot in dots))
    if len({(dot.cell.name, dot.cell.resolution) for dot in dots}) < len(names) * len(sizes):
        caption += " An empty row has no number there."
    if len(sizes) < len(every):
        caption += f" {len(sizes)} of {len(every)} resolutions."
    lanes, across = 1 + max(dot.lane for dot in dots), request.layout.panels(len(sizes))
    size = text_size()
    line = size + 3 if len(names) > MANY else max(size + 5, lanes * (size - 0.5) + 2)
    room = int((PAPER / math.ceil(len(sizes) / across) - 46) / line)
    if not request.layout.wide and len(names) > room:
        caption += f" The first {room} of {len(names)}."
        names = names[:room]
        dots = [dot for dot in dots if dot.cell.name in names]
    return _rows(dots, sizes, names, request, handles, title, line), caption


def _rows(
    dots: Sequence[Dot],
    sizes: Sequence[int | str],
    names: Sequence[str],
    request: FigureRequest,
    handles: Sequence[Artist],
    title: str,
    line: float,
) -> Figure:
    """Panels that share their scale and their rows, each `line` points high."""
    looks, layout = request.looks, request.layout
    lanes, across = 1 + max(dot.lane for dot in dots), layout.panels(len(sizes))
    noise, values = noise_of([dot.cell for dot in dots]), [1.0, *ends(dot.value for dot in dots)]
    known = [value for value in values if not math.isnan(value)]
    left = 14 + widest(looks[name].label for name in names)
    width = (layout.width - left - _RIGHT - _GAP * (across - 1)) / across
    x = scale(values, "×", pad=0.08, most_ticks=6 if width > 150 else 4, log=wants_log(values))
    band = 2 * math.log1p(noise) / max(math.log(max(known) / min(known)), 1e-3) * width
    figure, panels = grid(
        layout,
        len(sizes),
        columns=across,
        height=len(names) * line + 6,
        handles=[*handles, *draw.noise_handles(noise, band, narrow=layout.narrow)],
        left=left,
        right=_RIGHT,
        gap=_GAP,
    )
    fits = measure(title, text_size())[0] < width + 20
    for panel, resolution in zip(panels, sizes, strict=True):
        ax = panel.ax
        apply(ax, "x", x, "×")
        label_rows(ax, [looks[name].label if panel.column == 0 else "" for name in names])
        ax.set_title(pixels(resolution))
        if panel.row == panels[-1].row and (fits or panel.column == across // 2):
            ax.set_xlabel(title)
        ax.axvline(1, color=MUTED, linewidth=0.6, zorder=1.5)
        ax.axvspan(1 / (1 + noise), 1 + noise, color=MUTED, alpha=0.3, linewidth=0, zorder=1.2)
        for dot in (dot for dot in dots if dot.cell.resolution == resolution):
            level = names.index(dot.cell.name) + (dot.lane - (lanes - 1) / 2) * 0.8 / lanes
            if dot.value.bounded:
                draw.bar(ax, (dot.value.lo, dot.value.hi), (level, level), dot.look.color)
            draw.mark(ax, dot.value.value, level, dot.look, dot.fill, dot.cell.id)
    return figure
