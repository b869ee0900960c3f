"""MACs against throughput, the plot that shows what MACs do not say. Frame → `Drawing`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchsuite.analyse.pareto import Standing, pareto_front
from benchsuite.report import canvas as draw
from benchsuite.report.axes import apply_y, cost_scale, scale, title_of
from benchsuite.report.canvas import WIDTH, Canvas, Drawing, legend_height, measure
from benchsuite.report.crowd import crowded, faded, told
from benchsuite.report.labels import Box, around, place, segment
from benchsuite.report.points import Point, Value, kernels_of, names_of, points, resolutions_of
from benchsuite.report.theme import MUTED, Look, fills
from benchsuite.report.words import STATUS_WORDS, counted, pixels, places, rate
from benchsuite.results.metrics import METRICS
from benchsuite.results.nouns import noun

MOST_PANELS = 6

_JUDGED = "All kernels of a panel are judged together. "

_Place = Callable[[float, float], tuple[float, float]]


def evenly(items: Sequence[int | str], most: int = MOST_PANELS) -> list[int | str]:
    """At most `most` of the items, the first and the last among them, spread evenly."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def cost_versus_speed(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """Throughput over MACs, a panel a resolution, with the Pareto front; None for fewer than two names."""
    cells = points(frame)
    drawn = [point for point in cells if point.throughput.known and not math.isnan(point.macs)]
    if len(names_of(drawn)) < 2:
        return None
    resolutions = evenly(resolutions_of(drawn))
    filled = fills(kernels_of(cells))
    handles: list[Artist] = [*draw.kernel_handles(kernels_of(drawn), filled)]
    handles += _front_handles(drawn)
    many = crowded(drawn)
    canvas, complete = _draw(drawn, resolutions, looks, filled, handles)
    if not complete and not many:  # once more, with a legend of the mixers and few names at points
        handles += [draw.mixer_handle(looks[name]) for name in looks if name in names_of(drawn)]
        canvas, _ = _draw(drawn, resolutions, looks, filled, handles, few=True)
    return Drawing(canvas.figure, _caption(cells, drawn, resolutions), _alt(drawn, resolutions))


def _draw(
    drawn: Sequence[Point],
    resolutions: Sequence[int | str],
    looks: Mapping[str, Look],
    filled: Mapping[str, str],
    handles: Sequence[Artist],
    *,
    few: bool = False,
) -> tuple[Canvas, bool]:
    """The figure, and whether every mixer got its label in every panel; `few` asks for telling ones only."""
    # Three panels beside each other are too small for the labels of many mixers.
    columns = min(len(resolutions), 2 if len(resolutions) == 4 or len(names_of(drawn)) > 10 else 3)
    rows = math.ceil(len(resolutions) / columns)
    left, right, gap, between = 56.0, 14.0, 50.0, 62.0
    width = (WIDTH - left - right - gap * (columns - 1)) / columns
    height = (320.0, 230.0, 190.0)[columns - 1]
    top = legend_height(handles) + 22
    canvas = Canvas(WIDTH, top + rows * height + (rows - 1) * between + 40)
    canvas.legend(handles, left)
    complete = True
    for i, resolution in enumerate(resolutions):
        row, column = divmod(i, columns)
        ax = canvas.axes(left + column * (width + gap), top + row * (height + between), width, height)
        ax.set_title(pixels(resolution))
        ax.set_xlabel(title_of(METRICS["macs"]))
        if column == 0:
            ax.set_ylabel(title_of(METRICS["throughput"]))
        panel = [point for point in drawn if point.resolution == resolution]
        complete &= _panel(ax, panel, looks, filled, (width, height), few=few, many=crowded(drawn))
    return canvas, complete


def _panel(
    ax: Axes,
    panel: Sequence[Point],
    looks: Mapping[str, Look],
    filled: Mapping[str, str],
    size: tuple[float, float],
    *,
    few: bool,
    many: bool,
) -> bool:
    """Draw one panel; whether every mixer got its label.

    Args:
        few: name telling ones only.
        many: so, too, and the others are grey.
    """
    named = told(panel, looks) if few or many else set(names_of(panel))
    if many:
        looks = faded(looks, named)
    ends = [end for point in panel for end in (point.throughput.lo, point.throughput.hi)]
    x = cost_scale([point.macs for point in panel])
    y = scale([*(point.throughput.value for point in panel), *ends], "images/s", pad=0.12, most_ticks=6)
    x.apply(ax)
    apply_y(ax, y, "images/s")
    stands = [point.standing for point in panel]
    panel = [replace(p, metrics={**p.metrics, "macs": Value(x.place(p.macs))}) for p in panel]

    def at(macs: float, speed: float) -> tuple[float, float]:
        return x.scale.share(macs) * size[0], y.share(speed) * size[1]

    lines = _front(ax, panel, x.scale.hi, at)
    ringed = _rings(ax, panel, stands, looks)
    arrows: list[Box] = []
    anchors: dict[str, list[tuple[float, float]]] = {}
    for point in sorted(panel, key=lambda point: -point.throughput.value):
        look = looks[point.name]
        here = at(point.macs, point.throughput.value)
        earlier = anchors.setdefault(point.name, [])
        if earlier:  # the same mixer on another kernel
            draw.stroke(ax, earlier[-1], here, look.color, dotted=True)
            lines.append(segment(earlier[-1], here))
        earlier.append(here)
        lo, hi = point.throughput.lo, point.throughput.hi
        if point.throughput.bounded and at(point.macs, hi)[1] - at(point.macs, lo)[1] > 8:
            draw.bar(ax, (point.macs, point.macs), (lo, hi), look.color)
            lines.append(segment(at(point.macs, lo), at(point.macs, hi)))
        if not point.exact:
            tip = (here[0] + 17, here[1])
            draw.stroke(ax, (here[0] + 4, here[1]), tip, look.color, arrow=True)
            arrows.append(around(here[0] + 12, here[1], 5))
        draw.mark(ax, point.macs, point.throughput.value, look, filled[point.kernel], point.cell)

    texts = [looks[name].label for name in anchors if name in named]
    found = place(
        [spots for name, spots in anchors.items() if name in named],
        [measure(text, 8) for text in texts],
        Box(0, 0, size[0] + 10, size[1]),
        taken=[
            *arrows,
            *(around(*here, 4) for name in anchors for here in anchors[name] if name in named or not many),
            *(around(*at(macs, speed), 5.5) for macs, speed in ringed),
        ],
        avoid=[
            *lines,
            *(around(*here, 4) for name in anchors for here in anchors[name] if name not in named),
        ],
    )
    for text, spot in zip(texts, found, strict=True):
        if spot is not None:
            _label(ax, text, *spot)
    return None not in found


def _front_handles(drawn: Sequence[Point]) -> list[Artist]:
    """Legend entries of the front: its line, and the rings that some point in some panel has."""
    stands = {point.standing for point in drawn}
    axes = Figure().add_subplot()  # rings are collections, which need axes to be made in
    handles: list[Artist] = [Line2D([], [], color=MUTED, linewidth=1, label="Pareto front of the medians")]
    for stand, label, dashed in (("certain", "certainly on it", False), ("possible", "possibly on it", True)):
        if stand in stands:
            handles.append(draw.ring(axes, 0, 0, MUTED, dashed=dashed, label=label))
    return handles


def _rings(
    ax: Axes, panel: Sequence[Point], stands: Sequence[Standing | None], looks: Mapping[str, Look]
) -> list[tuple[float, float]]:
    """A solid ring around what is certainly on the front, a dashed one where it may be; where they are."""
    ringed = []
    for point, stand in zip(panel, stands, strict=True):
        if stand in ("certain", "possible"):
            ringed.append((point.macs, point.throughput.value))
            draw.ring(ax, *ringed[-1], looks[point.name].color, dashed=stand == "possible")
    return ringed


def _front(ax: Axes, panel: Sequence[Point], end: float, at: _Place) -> list[Box]:
    """Draw the staircase of what exactly counted mixers reach; returns its segments, for labels to avoid."""
    known = [(point.macs, point.throughput.value) for point in panel if point.exact]
    front = [known[i] for i in pareto_front(known)]
    if not front:
        return []
    xs = [*(macs for macs, _ in front), end]
    ys = [*(speed for _, speed in front), front[-1][1]]
    _band(ax, panel, end, at)
    ax.plot(xs, ys, drawstyle="steps-post", color=MUTED, linewidth=1, zorder=1.5)
    corners = [at(xs[0], ys[0])]
    for i in range(1, len(xs)):
        corners += [at(xs[i], ys[i - 1]), at(xs[i], ys[i])]
    return [segment(a, b) for a, b in pairwise(corners)]


def _band(ax: Axes, panel: Sequence[Point], end: float, at: _Place) -> None:
    """Between what the lower and what the upper ends of the intervals reach, where that can be seen."""
    known = sorted((p for p in panel if p.exact and p.throughput.bounded), key=lambda p: p.macs)
    if not known:
        return
    xs = [*(point.macs for point in known), end]
    low = list(accumulate([point.throughput.lo for point in known], max))
    high = list(accumulate([point.throughput.hi for point in known], max))
    low, high = [*low, low[-1]], [*high, high[-1]]
    if any(at(x, hi)[1] - at(x, lo)[1] > 2 for x, lo, hi in zip(xs, low, high, strict=True)):
        ax.fill_between(xs, low, high, step="post", color=MUTED, alpha=0.16, linewidth=0, zorder=1.2)


def _label(ax: Axes, text: str, box: Box, point: tuple[float, float]) -> None:
    """A name in its box, with a leader line where the box is not next to its point."""
    x, y = point
    nearest = (min(max(x, box.left), box.right), min(max(y, box.bottom), box.top))
    if math.dist(nearest, point) > 9:
        draw.stroke(ax, point, nearest, MUTED, width=0.5)
    draw.text(ax, box.left, (box.bottom + box.top) / 2, text)


def _caption(cells: Sequence[Point], drawn: Sequence[Point], resolutions: Sequence[int | str]) -> str:
    kernels = kernels_of(drawn)
    called = noun(point.subject for point in drawn)
    parts = [
        f"Each point is a {called.single}: MACs for one image against images per second at the median "
        "latency."
    ]
    parts.append(
        "The grey staircase is the Pareto front of the medians: no other point has both fewer MACs and more "
        "speed."
    )
    if any(point.exact for point in drawn):
        parts.append(
            "A solid ring marks what is on the front for all that the rounds leave open, a dashed one what "
            f"may be; points without a ring are dominated. {_JUDGED if len(kernels) > 1 else ''}The band "
            "lies between the fronts of the lower and the upper ends of the intervals."
        )
    if crowded(drawn):
        parts.append(
            "Named are those on the front or perhaps on it, the extremes and the reference; the grey ones "
            f"are in the table of all numbers, among {called.counted(len(names_of(drawn)))}."
        )
    if any(cost_scale([p.macs for p in drawn if p.resolution == one]).slot for one in resolutions):
        parts.append(
            "Left of the dotted line stands what needs no MACs, for which a logarithmic axis has no place."
        )
    if len(kernels) > 1:
        parts.append(f"A dotted line joins the kernels of one {called.single}.")
    if any(point.throughput.bounded for point in drawn):
        parts.append("Bars are 95 % intervals, drawn where they are larger than the marker.")
    if not all(point.exact for point in drawn):
        parts.append(
            "An arrow to the right marks MACs that are a lower bound; such points are not on the front and "
            "dominate no other."
        )
    all_resolutions = resolutions_of(drawn)
    if len(resolutions) < len(all_resolutions):
        parts.append(f"{len(resolutions)} of {len(all_resolutions)} resolutions, spread evenly.")
    missing = [point for point in cells if point.status != "ok" and point.resolution in resolutions]
    if missing:
        parts.append(f"Not drawn: {_failures(missing, len(kernels_of(cells)) > 1)}.")
    return " ".join(parts)


def _failures(missing: Sequence[Point], name_kernel: bool, most: int = 8) -> str:
    """Cells that are not drawn, by mixer: "performer with flash at 224 and 448 px (unsupported)"."""
    alike: dict[tuple[str, str, str], list[Point]] = {}
    for point in missing:
        alike.setdefault((point.name, point.kernel, point.status), []).append(point)
    texts = [
        f"{name}{f' with {kernel}' if name_kernel else ''} at "
        f"{places(resolutions_of(failed))} ({STATUS_WORDS[status]})"
        for (name, kernel, status), failed in alike.items()
    ]
    if len(texts) > most:
        rest = sum(len(failed) for failed in list(alike.values())[most:])
        texts = [*texts[:most], f"and {counted(rest, 'more cell')}"]
    return "; ".join(texts)


def _alt(drawn: Sequence[Point], resolutions: Sequence[int | str]) -> str:
    number = noun(point.subject for point in drawn).counted(len(names_of(drawn)))
    parts = [f"Scatter plot of throughput over MACs per image for {number}."]
    for resolution in resolutions:
        panel = [point for point in drawn if point.resolution == resolution]
        best = max(panel, key=lambda point: point.throughput.value)
        worst = min(panel, key=lambda point: point.throughput.value)
        parts.append(
            f"At {pixels(resolution)} from {worst.name} with {rate(worst.throughput.value)} "
            f"to {best.name} with {rate(best.throughput.value)}."
        )
    return " ".join(parts)
