"""MACs against speed, the plot that shows what MACs do not say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from benchsuite.labels import noun
from benchsuite.report import canvas as draw
from benchsuite.report.canvas import measure, text_size
from benchsuite.report.figures.choose import (
    MANY,
    Drawn,
    FigureRequest,
    chosen,
    ends,
    evenly,
    faded,
    notable,
    too_many,
    without_number,
)
from benchsuite.report.figures.layout import Layout, Panel, grid
from benchsuite.report.figures.scales import Scale, apply, limited, scale, title_of
from benchsuite.report.figures.styles import LITV2
from benchsuite.report.label_places import Box, around, segment
from benchsuite.report.points import Point, kernels_of, names_of, noise_of, resolutions_of
from benchsuite.report.theme import MUTED, Look, fills
from benchsuite.report.words import counted, pixels, some
from benchsuite.results.metrics import METRICS, Metric
from benchsuite.stats.pareto import pareto_front

MOST_PANELS = 3
FEW, MOST, SMALL, NEAR = 30, 0.7, 0.4, 1.15
"""Marks from which on a part is enlarged, the share of them in it, the share of the axis at most,
and how far it reaches beyond them, as a ratio."""
MOST_TEXT = 0.2
"""Share of a panel that the names of its marks may take; a legend has them where it is more."""
MOST_SHARED = 2.5
"""Length of an axis that all panels share, in lengths of the longest that one of them needs."""


def scatter(request: FigureRequest) -> Drawn | None:
    """Speed over MACs with the Pareto front, a panel a resolution; None for fewer than two names.

    Where most of many marks lie close to each other, a second panel enlarges that part.
    """
    cells, looks, layout, options = request
    metric = METRICS[options.metric or "throughput"]
    cells = chosen(cells, options)
    drawn = [p for p in cells if p.metrics[metric.key].known and not math.isnan(p.macs)]
    if len(names_of(drawn)) < 2:
        return None
    resolutions = evenly(resolutions_of(drawn), MOST_PANELS)
    shown = [[p for p in drawn if p.resolution == resolution] for resolution in resolutions]
    dense = _dense(shown[0]) if len(shown) == 1 else []
    views = [*shown, dense] if dense else shown
    columns = layout.panels(len(views))
    few = layout.narrow or columns > 1
    xs = _scales([[p.macs for p in view] for view in views], "MAC", few, pad=0.1, apart=bool(dense))
    speeds = [ends(p.metrics[metric.key] for p in view) for view in views]
    ys = _scales(speeds, metric.unit, columns == 1, pad=0.05, apart=bool(dense))
    left = 8 + text_size() * 2 + measure("200 k", text_size())[0]
    shared = len(set(xs)) == len(set(ys)) == 1
    filled = fills(kernels_of(cells))
    height = _height(layout, len(views), columns, bool(dense))
    band = max(height * 2 * math.log10(1 + noise_of(drawn)) / y.span for y in ys)
    handles = _handles(drawn, filled, band, layout)
    named = {look.label: name for name, look in looks.items() if name in names_of(drawn)}
    area = sum(math.prod(measure(text, text_size())) for text in named)
    crossed = draw.crossed_handles([looks[name] for name in named.values()])
    listed = len(named) <= MANY and area > MOST_TEXT * height * (layout.width / columns - left)
    if listed or crossed:
        handles += crossed or [draw.mixer_handle(looks[name], line=False) for name in named.values()]
    canvas, panels = grid(
        layout,
        len(views),
        columns=columns,
        height=height,
        handles=handles,
        left=left,
        gap=14.0 if shared else left - 8,
        between=20.0 if shared else 32.0 if layout.narrow else 36.0,
    )
    unnamed: set[str] = set()
    for panel, here, x, y in zip(panels, views, xs, ys, strict=True):
        lowest = panel.row == panels[-1].row
        apply(panel.ax, "x", x, "MAC", labels=lowest or not shared)
        apply(panel.ax, "y", y, metric.unit, labels=panel.column == 0 or not shared)
        panel.ax.set_title(pixels(here[0].resolution) + (", enlarged" if here is dense else ""))
        if lowest:
            panel.ax.set_xlabel(title_of(METRICS["macs"]))
        if panel.column == 0:
            panel.ax.set_ylabel(title_of(metric))
        elsewhere = set(names_of(drawn if listed or crossed else () if here is dense else dense))
        plot = _Plot(panel, x, y, metric, looks, filled)
        frame = [plot.framed(xs[1], ys[1])] if dense and here is not dense else []
        where = f" at {pixels(here[0].resolution)}" if len(resolutions) > 1 else ""
        unnamed |= {f"{name}{where}" for name in plot.draw(here, elsewhere, frame, many=too_many(drawn))}
    return canvas, _caption(cells, drawn, resolutions, metric, unnamed, shared=shared, enlarged=bool(dense))


def _height(layout: Layout, panels: int, columns: int, dense: bool) -> float:
    """Of a panel in points, so that half a page is not taller than a screen."""
    if columns > 1:
        return (250.0 if layout.wide else 150.0) * (1.6 if dense else 1)
    if layout.narrow:
        return (190.0 if panels == 1 else 120.0) * (2 if dense else 1)
    if columns < panels:
        return 190.0 if dense else (180.0, 118.0)[panels - 2]
    return 240.0 if layout.style == LITV2 else 330.0


def _scales(
    panels: Sequence[Sequence[float]], unit: str, few: bool, *, pad: float, apart: bool
) -> list[Scale]:
    """Logarithmic scales on which equal distances are equal ratios in all panels.

    The limits are the same, too, unless that would squeeze the marks of every panel (`MOST_SHARED`).

    Args:
        pad: share of a common axis that is free at both ends.
        apart: give every panel the scale of its own marks, as one enlarges a part of another.
    """
    ticks = 5 if few else 6
    own = [scale(values, unit, pad=0.12, most_ticks=ticks, log=True) for values in panels]
    if apart:
        return own
    whole = scale([value for values in panels for value in values], unit, pad=pad, most_ticks=ticks, log=True)
    if whole.span <= MOST_SHARED * max(one.span for one in own):
        return [whole] * len(own)
    half = 10 ** (max(one.span for one in own) / 2)
    middles = [math.sqrt(one.lo * one.hi) for one in own]
    return [
        limited(True, middle / half, middle * half, unit, ticks, one.slot, one.wall)
        for one, middle in zip(own, middles, strict=True)
    ]


def _dense(cells: Sequence[Point]) -> list[Point]:
    """The cells of many within the shortest range of MACs, as a ratio, that holds `MOST` of them.

    None where that range is no small part of the whole.
    """
    known = sorted((p for p in cells if p.macs > 0), key=lambda p: p.macs)
    if len(cells) < FEW:
        return []
    size = math.ceil(MOST * len(cells))
    starts = range(len(known) - size + 1)
    if not starts:
        return []
    start = min(starts, key=lambda i: known[i + size - 1].macs / known[i].macs)
    low, high = known[start].macs, known[start + size - 1].macs
    whole = math.log(known[-1].macs / known[0].macs)
    if math.log(high / low) >= SMALL * whole:
        return []
    return [p for p in known if low / NEAR <= p.macs <= high * NEAR]


@dataclass(frozen=True, slots=True)
class _Plot:
    """One panel: where its cells stand, and how they look."""

    panel: Panel
    x: Scale
    y: Scale
    metric: Metric
    looks: Mapping[str, Look]
    filled: Mapping[str, str]

    def at(self, point: Point) -> tuple[float, float]:
        """Place of a cell in points from the lower left corner."""
        x, y = self.x.place(point.macs), point.metrics[self.metric.key].value
        return self.x.share(x) * self.panel.width, self.y.share(y) * self.panel.height

    def bar(self, point: Point) -> tuple[float, float] | None:
        """Ends of the interval in points from the lower edge, where it is larger than the mark."""
        value = point.metrics[self.metric.key]
        low, high = (self.y.share(end) * self.panel.height for end in (value.lo, value.hi))
        return (low, high) if value.bounded and high - low > 8 else None

    def beside(self, point: Point, cells: Sequence[Point]) -> float:
        """Points to the right of its MACs at which to draw a cell, so that its bar covers no other of its."""
        own = self.bar(point)
        here = [p for p in cells if p.name == point.name and abs(self.at(p)[0] - self.at(point)[0]) < 1]
        bars = {p.kernel: bar for p in here if (bar := self.bar(p))}
        if own is None or not any(
            own[0] < bar[1] and bar[0] < own[1] for kernel, bar in bars.items() if kernel != point.kernel
        ):
            return 0.0
        return (sorted(bars).index(point.kernel) - (len(bars) - 1) / 2) * draw.mark_size()

    def framed(self, x: Scale, y: Scale) -> Box:
        """Draw a frame around what another panel enlarges; its place in points."""
        size = (x.hi - x.lo, y.hi - y.lo)
        self.panel.ax.add_patch(Rectangle((x.lo, y.lo), *size, fill=False, edgecolor=MUTED, linewidth=0.8))
        left, right = (self.x.share(end) * self.panel.width for end in (x.lo, x.hi))
        bottom, top = (self.y.share(end) * self.panel.height for end in (y.lo, y.hi))
        return Box(left, bottom, right, top)

    def draw(
        self, cells: Sequence[Point], elsewhere: set[str], taken: Sequence[Box] = (), *, many: bool
    ) -> set[str]:
        """Draw front, marks and names; the names for which there is no room.

        Args:
            elsewhere: names that stand in another panel, or in the legend.
            taken: where no name may stand.
            many: colour the telling names only.
        """
        ax = self.panel.ax
        telling = notable(cells, self.looks) if many else set()
        looks = faded(self.looks, telling) if many else self.looks
        lines = self._front(cells)
        signs: list[Box] = []
        anchors: dict[str, list[tuple[float, float]]] = {}
        for point in sorted(cells, key=lambda point: -point.throughput.value):
            look, value = looks[point.name], point.metrics[self.metric.key]
            aside = self.beside(point, cells)
            here = self.at(point)[0] + aside, self.at(point)[1]
            x = self.x.at(here[0] / self.panel.width) if aside else self.x.place(point.macs)
            earlier = anchors.setdefault(point.name, [])
            if earlier:  # the same mixer on another kernel
                draw.stroke(ax, earlier[-1], here, look.color, dotted=True)
                lines.append(segment(earlier[-1], here))
            earlier.append(here)
            if bar := self.bar(point):
                draw.bar(ax, (x, x), (value.lo, value.hi), look.color)
                lines.append(Box(here[0] - 2, bar[0] - 2, here[0] + 2, bar[1] + 2))
            if not point.exact:
                draw.stroke(ax, (here[0] + 4, here[1]), (here[0] + 15, here[1]), look.color, arrow=True)
                signs.append(around(here[0] + 10, here[1], 5))
            draw.mark(ax, x, value.value, look, self.filled[point.kernel], point.cell)
            if point.flags:  # room for their sign
                signs.append(Box(here[0] + 3, here[1] + 2, here[0] + 9, here[1] + 13))
        names = sorted((name for name in anchors if name not in elsewhere), key=lambda n: n not in telling)
        size = text_size() - (1 if many else 0)
        placed = draw.name_marks(
            ax,
            [looks[name].label for name in names],
            [anchors[name] for name in names],
            Box(1, 1, self.panel.width + 4, self.panel.height),
            size=size,
            colors=[looks[name].color for name in names] if many else (),
            taken=[*taken, *signs, *(around(*here, 4) for name in names for here in anchors[name])],
            first=len(telling.intersection(names)),
            far=len(telling.intersection(names)) if many else None,
            avoid=[*lines, *(around(*here, 4) for name in elsewhere for here in anchors.get(name, ()))],
        )
        return {name for name, there in zip(names, placed, strict=True) if not there}

    def _front(self, cells: Sequence[Point]) -> list[Box]:
        """Draw the staircase of exactly counted cells with the band of the noise floor; its segments."""
        sign = 1 if self.metric.better == "higher" else -1
        known = [(p.macs, p.metrics[self.metric.key].value) for p in cells if p.exact]
        front = [known[i] for i in pareto_front([(cost, sign * speed) for cost, speed in known])]
        if not front:
            return []
        xs = [*(self.x.place(macs) for macs, _ in front), self.x.hi]
        ys = [*(speed for _, speed in front), front[-1][1]]
        ax = self.panel.ax
        noise = noise_of(cells)
        if noise:
            low, high = [y / (1 + noise) for y in ys], [y * (1 + noise) for y in ys]
            ax.fill_between(xs, low, high, step="post", color=MUTED, alpha=0.3, linewidth=0, zorder=1.2)
        ax.plot(xs, ys, drawstyle="steps-post", color=MUTED, linewidth=1, zorder=1.5)
        spots = [
            (self.x.share(x) * self.panel.width, self.y.share(y) * self.panel.height)
            for x, y in zip(xs, ys, strict=True)
        ]
        corners = [spots[0]]
        for (_, y), (x, above) in pairwise(spots):
            corners += [(x, y), (x, above)]
        return [segment(a, b) for a, b in pairwise(corners)]


def _handles(drawn: Sequence[Point], filled: Mapping[str, str], band: float, layout: Layout) -> list[Artist]:
    """Legend entries of the kernels, the front and the noise floor, whose band is so many points wide."""
    kernels = kernels_of(drawn)
    found: list[Artist] = [*draw.kernel_handles(kernels, filled)] if len(kernels) > 1 else []
    if any(point.exact for point in drawn):
        found.append(Line2D([], [], color=MUTED, linewidth=1, label="Pareto front"))
        found += draw.noise_handles(noise_of(drawn), band, narrow=layout.narrow)
    return found


def _caption(
    cells: Sequence[Point],
    drawn: Sequence[Point],
    resolutions: Sequence[int | str],
    metric: Metric,
    unnamed: set[str],
    *,
    shared: bool,
    enlarged: bool,
) -> str:
    """The caption of the figure.

    Args:
        cells: all that were asked for; `drawn`, those with a place.
        unnamed: names for which there was no room.
        shared: whether all panels have the same axes.
        enlarged: whether the second panel enlarges a part of the first.
    """
    kernels = kernels_of(drawn)
    called = noun(point.subject for point in drawn)
    parts = ["The Pareto front is that of the medians."]
    if len(resolutions) > 1 and not shared:
        parts.append("Logarithmic axes of one scale; their ranges differ.")
    if enlarged:
        parts.append("The second panel enlarges the frame; its front is of these marks alone.")
    if len(kernels) > 1:
        parts.append(f"A dotted line joins the kernels of one {called.single}.")
    if any(point.metrics[metric.key].bounded for point in drawn):
        beside = "; of two kernels they stand beside each other" if len(kernels) > 1 else ""
        parts.append(f"Bars are 95 % confidence intervals, where larger than the mark{beside}.")
    if not all(point.exact for point in drawn):
        parts.append("An arrow marks MACs that are a lower bound; such marks are not on the front.")
    if any(point.macs == 0 for point in drawn):
        bounds = not all(point.exact for point in drawn if point.macs == 0)
        parts.append(f"Left of the dotted line stands 0{', also as a lower bound' if bounds else ''}.")
    if too_many(drawn):
        parts.append("Coloured are the front, the extremes and the reference.")
    if unnamed:
        parts.append(f"No room for {counted(len(unnamed), 'name')}: {some(sorted(unnamed), 4)}.")
    if len(resolutions) < len(resolutions_of(drawn)):
        parts.append(f"{len(resolutions)} of {len(resolutions_of(drawn))} resolutions.")
    return " ".join(parts) + without_number([p for p in cells if p.resolution in resolutions])
