"""MACs against speed, the plot that shows what MACs do not say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from benchsuite.format import counted, some
from benchsuite.labels import noun
from benchsuite.report import canvas as draw
from benchsuite.report.canvas import NamedMarks, Panel, grid, mark_size, measure, text_size
from benchsuite.report.figures.choose import (
    MANY,
    Drawn,
    FigureRequest,
    ends,
    evenly,
    faded,
    notable,
    too_many,
    without_number,
)
from benchsuite.report.figures.layout import LITV2, Layout
from benchsuite.report.figures.scales import Scale, apply, scale, title_of
from benchsuite.report.label_places import Box, around, segment
from benchsuite.report.reported_cells import ReportedCell, kernels_of, names_of, noise_of, resolutions_of
from benchsuite.report.theme import MUTED, Look, crossing, fills
from benchsuite.report.words import pixels
from benchsuite.results.metrics import METRICS, Metric
from benchsuite.stats.pareto import pareto_front

MOST_PANELS = 3
FEW, MOST, SMALL, NEAR = 30, 0.7, 0.4, 1.15
"""Marks from which on a part is enlarged, the share of them in it, the share of the axis at most,
and how far it reaches beyond them, as a ratio."""
MOST_TEXT = 0.2
"""Share of a panel that the names of its marks may take; a legend has them where it is more."""
MOST_SHARED, MOST_STACKED = 2.5, 1.5
"""Length of an axis that panels share, in lengths of the longest that one of them needs; and where panels
stand on top of each other, as these are low."""


def scatter(request: FigureRequest) -> Drawn | None:
    """Speed over MACs with the Pareto front, a panel a resolution; None for fewer than two names.

    Where most of many marks lie close to each other, a second panel enlarges that part.
    """
    cells, looks, layout = request.chosen, request.looks, request.layout
    metric = METRICS[request.metric or "throughput"]
    drawn = [p for p in cells if p.metrics[metric.key].known and not math.isnan(p.macs)]
    names = names_of(drawn)
    if len(names) < 2:
        return None
    resolutions = evenly(resolutions_of(drawn), MOST_PANELS)
    views = [[p for p in drawn if p.resolution == resolution] for resolution in resolutions]
    dense = _dense(views[0]) if len(views) == 1 else []
    views += [dense] if dense else []
    columns = layout.panels(len(views))
    # Panels on top of each other are low, and in a narrow column they are small in both directions.
    most = [0.0 if dense else MOST_STACKED if low else MOST_SHARED for low in (layout.narrow, columns == 1)]
    ticks = (5 if layout.narrow or columns > 1 else 6, 6 if columns == 1 else 5)
    speeds = [ends(p.metrics[metric.key] for p in view) for view in views]
    xs = _scales([[p.macs for p in view] for view in views], "MAC", ticks[0], pad=0.1, most=most[0])
    ys = _scales(speeds, metric.unit, ticks[1], pad=0.05, most=most[1])
    one_x, one_y = len(set(xs)) == 1, len(set(ys)) == 1
    left = 8 + text_size() * 2 + measure("200 k", text_size())[0]
    height = _height(layout, len(views), columns, bool(dense))
    filled = fills(kernels_of(cells))
    band = max(height * 2 * math.log10(1 + noise_of(drawn)) / y.span for y in ys)
    listed = _names_listed([looks[name].label for name in names], height * (layout.width / columns - left))
    figure, panels = grid(
        layout,
        len(views),
        columns=columns,
        height=height,
        handles=[
            *_handles(drawn, filled, band, layout),
            *(draw.look_handles(look for name, look in looks.items() if name in names) if listed else []),
        ],
        left=left,
        gap=14.0 if one_y else left - 8,
        between=20.0 if one_x else 32.0 if layout.narrow else 36.0,
    )
    unnamed: set[str] = set()
    for panel, here, x, y in zip(panels, views, xs, ys, strict=True):
        lowest = panel.row == panels[-1].row
        apply(panel.ax, "x", x, "MAC", labels=lowest or not one_x)
        apply(panel.ax, "y", y, metric.unit, labels=panel.column == 0 or not one_y)
        panel.ax.set_title(pixels(here[0].resolution) + (", enlarged" if here is dense else ""))
        panel.ax.set_xlabel(title_of(METRICS["macs"]) if lowest else "")
        panel.ax.set_ylabel(title_of(metric) if panel.column == 0 else "")
        frame = [_framed(panel, xs[1], ys[1])] if dense and here is not dense else []
        elsewhere = names if listed else [] if here is dense else names_of(dense)
        where = f" at {pixels(here[0].resolution)}" if len(resolutions) > 1 else ""
        plot = _Plot(panel, here, views[0] if here is dense else here, x, metric, looks, filled)
        unnamed |= {f"{name}{where}" for name in plot.draw(elsewhere, frame, many=too_many(drawn))}
    caption = _caption(drawn, resolutions, metric, unnamed, shared=one_x and one_y, enlarged=bool(dense))
    return figure, caption + without_number([p for p in cells if p.resolution in resolutions])


def _names_listed(labels: Sequence[str], room: float) -> bool:
    """True if the legend has the names: they are two arguments, or would take too much of a panel's room."""
    area = sum(math.prod(measure(label, text_size())) for label in labels)
    return bool(crossing(labels)) or (len(labels) <= MANY and area > MOST_TEXT * room)


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
    panels: Sequence[Sequence[float]], unit: str, ticks: int, *, pad: float, most: float
) -> list[Scale]:
    """Logarithmic scales on which equal distances are equal ratios in all panels.

    The limits are the same, too, unless that would squeeze the marks of every panel.

    Args:
        pad: share of a common axis that is free at both ends.
        most: length of a common axis, in lengths of the longest that one of the panels needs; 0 gives every
            panel its own, as one enlarges a part of another.
    """
    own = [scale(values, unit, pad=0.12, most_ticks=ticks, log=True) for values in panels]
    if not most:
        return own
    longest = max(one.span for one in own)
    whole = scale([value for values in panels for value in values], unit, pad=pad, most_ticks=ticks, log=True)
    if whole.span <= most * longest:
        return [whole] * len(own)
    half = 10 ** (longest / 2)
    return [one.limited(one.at(0.5) / half, one.at(0.5) * half, unit, ticks) for one in own]


def _dense(cells: Sequence[ReportedCell]) -> list[ReportedCell]:
    """The cells of many within the shortest range of MACs, as a ratio, that holds `MOST` of them.

    None where that range is no small part of the whole.
    """
    known = sorted((p for p in cells if p.macs > 0), key=lambda p: p.macs)
    size = math.ceil(MOST * len(cells))
    if len(cells) < FEW or len(known) < size:
        return []
    starts = range(len(known) - size + 1)
    start = min(starts, key=lambda i: known[i + size - 1].macs / known[i].macs)
    low, high = known[start].macs, known[start + size - 1].macs
    if math.log(high / low) >= SMALL * math.log(known[-1].macs / known[0].macs):
        return []
    return [p for p in known if low / NEAR <= p.macs <= high * NEAR]


def _framed(panel: Panel, x: Scale, y: Scale) -> Box:
    """Draw a frame around what another panel enlarges; its place in points."""
    size = (x.hi - x.lo, y.hi - y.lo)
    panel.ax.add_patch(Rectangle((x.lo, y.lo), *size, fill=False, edgecolor=MUTED, linewidth=0.8))
    return Box(*panel.at(x.lo, y.lo), *panel.at(x.hi, y.hi))


@dataclass(frozen=True, slots=True)
class _Plot:
    """One panel: its cells, how they look, and the cells that its front is of."""

    panel: Panel
    cells: Sequence[ReportedCell]
    front_of: Sequence[ReportedCell]
    x: Scale
    metric: Metric
    looks: Mapping[str, Look]
    filled: Mapping[str, str]

    def bar(self, cell: ReportedCell) -> tuple[float, float] | None:
        """Ends of the interval in points from the lower edge, where it is larger than the mark."""
        value = cell.metrics[self.metric.key]
        if not value.bounded:
            return None
        low, high = (self.panel.at(self.x.place(cell.macs), end)[1] for end in (value.lo, value.hi))
        return (low, high) if high - low > 8 else None

    def bar_place(self, cell: ReportedCell) -> float:
        """Value of the x axis at which to draw a cell's bar: its MACs, or so near that two bars are told."""
        x = self.x.place(cell.macs)
        bars = {
            p.kernel: bar
            for p in self.cells
            if p.name == cell.name and math.isclose(p.macs, cell.macs, rel_tol=1e-3) and (bar := self.bar(p))
        }
        own = bars.pop(cell.kernel, None)
        if own is None or not any(own[0] < high and low < own[1] for low, high in bars.values()):
            return x
        turn = sorted([*bars, cell.kernel]).index(cell.kernel) - len(bars) / 2
        aside = turn * 0.6 * mark_size() / self.panel.width
        return x * (self.x.hi / self.x.lo) ** aside if self.x.log else x + aside * self.x.span

    def draw(self, elsewhere: Sequence[str], taken: Sequence[Box] = (), *, many: bool) -> set[str]:
        """Draw front, marks and names; the names for which there is no room.

        Args:
            elsewhere: names that stand in another panel, or in the legend.
            taken: where no name may stand.
            many: colour the telling names only.
        """
        ax = self.panel.ax
        telling = notable(self.cells, self.looks) if many else set()
        looks = faded(self.looks, telling) if many else self.looks
        marks = NamedMarks(self.panel, looks, taken)
        marks.lines += self._front()
        last: dict[str, tuple[float, float]] = {}
        for cell in sorted(self.cells, key=lambda cell: -cell.throughput.value):
            value, color = cell.metrics[self.metric.key], looks[cell.name].color
            x = self.x.place(cell.macs)
            here = marks.add(cell.name, x, value.value, self.filled[cell.kernel], cell.id)
            if cell.name in last:  # the same mixer on another kernel
                draw.stroke(ax, last[cell.name], here, color, dotted=True)
                marks.lines.append(segment(last[cell.name], here))
            last[cell.name] = here
            if bar := self.bar(cell):
                aside = self.bar_place(cell)
                draw.bar(ax, (aside, aside), (value.lo, value.hi), color)
                marks.lines.append(Box(here[0] - 2, bar[0] - 2, here[0] + 2, bar[1] + 2))
            if not cell.exact:
                draw.stroke(ax, (here[0] + 4, here[1]), (here[0] + 15, here[1]), color, arrow=True)
                marks.taken.append(around(here[0] + 10, here[1], 5))
            if cell.flags and color != MUTED:  # room for their sign
                marks.taken.append(Box(here[0] + 3, here[1] + 2, here[0] + 9, here[1] + 13))
        names = sorted((name for name in last if name not in elsewhere), key=lambda name: name not in telling)
        first = len(telling.intersection(names))
        size = text_size() - (1 if many else 0)
        return marks.name(names, size=size, colored=many, first=first, far=first if many else None)

    def _front(self) -> list[Box]:
        """Draw the staircase of exactly counted cells with the band of the noise floor; its segments."""
        sign = 1 if self.metric.better == "higher" else -1
        known = [(p.macs, p.metrics[self.metric.key].value) for p in self.front_of if p.exact]
        front = [known[i] for i in pareto_front([(cost, sign * speed) for cost, speed in known])]
        if not front:
            return []
        xs = [*(max(self.x.lo, self.x.place(macs)) for macs, _ in front), self.x.hi]
        ys = [*(speed for _, speed in front), front[-1][1]]
        ax, noise = self.panel.ax, noise_of(self.cells)
        if noise:
            low, high = [y / (1 + noise) for y in ys], [y * (1 + noise) for y in ys]
            ax.fill_between(xs, low, high, step="post", color=MUTED, alpha=0.3, linewidth=0, zorder=1.2)
        ax.plot(xs, ys, drawstyle="steps-post", color=MUTED, linewidth=1, zorder=1.5)
        spots = [self.panel.at(x, y) for x, y in zip(xs, ys, strict=True)]
        corners = spots[:1]
        for (_, y), (x, above) in pairwise(spots):
            corners += [(x, y), (x, above)]
        return [segment(a, b) for a, b in pairwise(corners)]


def _handles(
    drawn: Sequence[ReportedCell], filled: Mapping[str, str], band: float, layout: Layout
) -> list[Artist]:
    """Legend entries of the kernels, the front and the noise floor, whose band is so many points wide."""
    found = draw.kernel_handles(kernels_of(drawn), filled)
    if any(cell.exact for cell in drawn):
        found.append(Line2D([], [], color=MUTED, linewidth=1, label="Pareto front"))
        found += draw.noise_handles(noise_of(drawn), band, narrow=layout.narrow)
    return found


def _caption(
    drawn: Sequence[ReportedCell],
    resolutions: Sequence[int | str],
    metric: Metric,
    unnamed: set[str],
    *,
    shared: bool,
    enlarged: bool,
) -> str:
    """The caption of the figure.

    Args:
        unnamed: names for which there was no room.
        shared: whether all panels have the same axes.
        enlarged: whether the second panel enlarges a part of the first.
    """
    several = len(kernels_of(drawn)) > 1
    zero = [cell for cell in drawn if cell.macs == 0]
    bounds = "" if all(cell.exact for cell in zero) else ", also as a lower bound"
    every = resolutions_of(drawn)
    beside = "; those of two kernels stand beside each other" if several else ""
    bars = f"Bars are 95 % confidence intervals, where larger than the mark{beside}."
    sentences = [
        ("The Pareto front is that of the medians.", True),
        ("Logarithmic axes of one scale; their ranges differ.", len(resolutions) > 1 and not shared),
        ("The second panel enlarges the frame.", enlarged),
        (f"A dotted line joins the kernels of one {noun(p.subject for p in drawn).single}.", several),
        (bars, any(cell.metrics[metric.key].bounded for cell in drawn)),
        (
            "An arrow marks MACs that are a lower bound; such marks are not on the front.",
            not all(cell.exact for cell in drawn),
        ),
        (f"Left of the dotted line stands 0{bounds}.", bool(zero)),
        ("Coloured are the front, the extremes and the reference.", too_many(drawn)),
        (f"No room for {counted(len(unnamed), 'name')}: {some(sorted(unnamed), 4)}.", bool(unnamed)),
        (f"{len(resolutions)} of {len(every)} resolutions.", len(resolutions) < len(every)),
    ]
    return " ".join(sentence for sentence, true in sentences if true)
