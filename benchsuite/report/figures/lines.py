"""Growth of MACs, speed and memory over resolution or any other axis: a line a mixer, one kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from benchsuite.labels import noun
from benchsuite.report import canvas as draw
from benchsuite.report.canvas import Canvas, measure, text_size
from benchsuite.report.figures.choose import (
    MANY,
    Drawn,
    FigureRequest,
    Options,
    chosen,
    evenly,
    faded,
    notable,
    one_kernel,
)
from benchsuite.report.figures.layout import Layout, Panel, grid
from benchsuite.report.figures.scales import (
    Positions,
    Scale,
    apply,
    positions,
    scale,
    tick_text,
    title_of,
    wants_log,
)
from benchsuite.report.label_places import stack
from benchsuite.report.points import Point, resolutions_of
from benchsuite.report.sweeps import RESOLUTION, AxisLine, AxisSweep, Spot, over_resolution
from benchsuite.report.theme import MUTED, Look, fills
from benchsuite.report.theme import looks as new_looks
from benchsuite.report.words import STATUS_WORDS, pixels, places
from benchsuite.results.metrics import METRICS, Metric

SHOWN = ("macs", "throughput", "peak_memory_bytes")
MOST_ROWS = 3
LEAST_WIDTH = 80.0
"""Points of a panel below which names stand in a legend, and not at the ends of lines."""


def over_axis(request: FigureRequest) -> Drawn | None:
    """MACs, throughput and peak memory over resolution, or over the sweep of the options.

    A column a metric, a row a resolution, a line a name; None where nothing is known, and for one resolution.
    """
    sweep = request.options.sweep or over_resolution(request.cells)
    if sweep is None:
        return None
    layout, options = request.layout, request.options
    kernel = one_kernel(sweep.cells, options)
    kept = {point.cell for point in chosen(sweep.cells, Options(kernel))}
    lines = [line for line in sweep.lines if any(spot.point.cell in kept for spot in line.spots)]
    lines = [line for line in lines if not options.names or line.name in options.names]
    cells = [spot.point for line in lines for spot in line.spots]
    metrics = [METRICS[key] for key in ((options.metric,) if options.metric else SHOWN)]
    metrics = [metric for metric in metrics if any(point.metrics[metric.key].known for point in cells)]
    if not metrics:
        return None
    rows = list(dict.fromkeys(line.resolution for line in lines))
    if rows[0]:
        stacked = layout.panels(3) == 1 and len(metrics) > 1
        rows = evenly(sorted(rows, key=resolutions_of(cells).index), 1 if stacked else MOST_ROWS)
    looks, named = _looks(request.looks, lines, cells)
    shown = [
        _Panel(metric, [line for line in lines if line.resolution == row], looks, named)
        for row in rows
        for metric in metrics
    ]
    log = any(wants_log(panel.values) for panel in shown)
    ys = [_scale(panel.values, panel.metric.unit, log=log) for panel in shown]
    canvas, panels, shown, strip = _grid(layout, shown, ys, len(metrics), one_row=len(rows) == 1)
    axis = positions(
        {at_text(sweep, spot): spot.at for line in lines for spot in line.spots},
        log=True if sweep.axis == RESOLUTION else None,
    )
    for i, (place, panel, plain) in enumerate(zip(panels, shown, ys, strict=True)):
        own_strip = strip if panel.failed else 0.0
        side = "below" if panel.metric.better == "higher" else "above"
        y = plain.extended(**{side: own_strip / (place.height - own_strip)})
        apply(place.ax, "y", y, panel.metric.unit)
        axis.apply(place.ax, place.width, text_size())
        row, column = divmod(i, len(metrics))
        at = f" at {pixels(rows[row])}" if len(rows) > 1 and column == 0 else ""
        place.ax.set_title(f"{title_of(panel.metric)}{at}")
        if place.row == panels[-1].row:
            place.ax.set_xlabel(sweep.title)
        panel.draw(place, sweep, axis, y, own_strip)
    return canvas, _caption(sweep, cells, kernel, rows, len({line.name for line in lines} - named))


def _looks(
    looks: Mapping[str, Look], lines: Sequence[AxisLine], cells: Sequence[Point]
) -> tuple[Mapping[str, Look], set[str]]:
    """Looks of the lines, and the names that are shown: of many only the notable ones.

    Lines of a parameter, which have names of their own, get their own looks.
    """
    own = looks if all(line.name in looks for line in lines) else new_looks(line.name for line in lines)
    named = {line.name for line in lines}
    if len(named) <= MANY:
        return own, named
    largest = resolutions_of(p for p in cells if p.throughput.known)[-1:]
    named &= notable([p for p in cells if [p.resolution] == largest and p.name in own], own)
    return faded(own, named), named


def _grid(
    layout: Layout, shown: list[_Panel], ys: Sequence[Scale], metrics: int, *, one_row: bool
) -> tuple[Canvas, list[Panel], list[_Panel], float]:
    """The figure with its panels, and the height in points of the strip for failures.

    Names stand at the ends of lines, or in a legend where these would squeeze the panels.
    """
    size = text_size()
    columns = min(layout.panels(metrics), metrics)
    ticks = [tick_text(tick, p.metric.unit) for p, y in zip(shown, ys, strict=True) for tick in y.ticks]
    left = 8 + max((measure(text, size)[0] for text in ticks), default=0.0)
    gutter = _gutter(shown)
    handles: list[Artist] = []
    if layout.width / columns - left - gutter < LEAST_WIDTH:
        looks, named = shown[0].looks, shown[0].named
        handles = [draw.mixer_handle(look) for name, look in looks.items() if name in named]
        shown = [replace(panel, named=set()) for panel in shown]
        gutter = _gutter(shown)
    most = max(len({line.name for line in panel.lines if panel.label(line)}) for panel in shown)
    strip = max(len(panel.failed) for panel in shown) * (size + 1.5)
    body = max(
        96.0 if layout.narrow else 170.0 if layout.wide and one_row else 125.0, (most + 1) * (size + 1.5)
    )
    canvas, panels = grid(
        layout,
        len(shown),
        columns=columns,
        height=body + strip,
        handles=handles,
        left=left,
        right=gutter,
        gap=gutter + left,
        between=40.0 if columns > 1 else 30.0,
    )
    return canvas, panels, shown, strip


def _gutter(shown: Sequence[_Panel]) -> float:
    """Points that the names at the ends of lines take."""
    return 14 + max(measure(panel.label(line), text_size())[0] for panel in shown for line in panel.lines)


def _scale(values: Sequence[float], unit: str, *, log: bool) -> Scale:
    return scale(values, unit, log=log) if values else Scale(False, 0, 1, ())


def at_text(sweep: AxisSweep, spot: Spot) -> str:
    """A value of the axis as a reader writes it: 480×640, 0.5, 64."""
    return str(spot.point.resolution).replace("x", "×") if sweep.axis == RESOLUTION else f"{spot.at:g}"


@dataclass(frozen=True, slots=True)
class _Panel:
    """One metric of some lines."""

    metric: Metric
    lines: Sequence[AxisLine]
    looks: Mapping[str, Look]
    named: set[str]

    @property
    def values(self) -> list[float]:
        """All that is drawn, with the ranges of rounds."""
        return [end for line in self.lines for spot in self.known(line) for end in self.range(spot.point)]

    @property
    def failed(self) -> list[AxisLine]:
        """Lines with cells that failed and have no value."""
        return [line for line in self.lines if self.crosses(line)]

    def known(self, line: AxisLine) -> list[Spot]:
        return [spot for spot in line.spots if spot.point.metrics[self.metric.key].known]

    def crosses(self, line: AxisLine) -> list[Spot]:
        key = self.metric.key
        return [s for s in line.spots if s.point.status != "ok" and not s.point.metrics[key].known]

    def range(self, point: Point) -> tuple[float, float, float]:
        """The median with the smallest and the largest of the rounds; the value itself where it has none."""
        value = point.metrics[self.metric.key].value
        rounds = {"latency_s": point.rounds_s, "throughput": tuple(math.exp(log) for log in point.log_speeds)}
        looks = rounds.get(self.metric.key) or (value,)
        return min(value, *looks), value, max(value, *looks)

    def label(self, line: AxisLine) -> str:
        """Name at the end of a line, if it is shown, and why it failed."""
        statuses = dict.fromkeys(STATUS_WORDS[spot.point.status] for spot in self.crosses(line))
        name = [self.looks[line.name].label] if line.name in self.named else []
        return " ".join([*name, *(["/".join(statuses)] if statuses else [])])

    def draw(self, panel: Panel, sweep: AxisSweep, axis: Positions, y: Scale, strip: float) -> None:
        """Lines with their bands, crosses for failures, names at the ends."""
        ax, top = panel.ax, self.metric.better == "lower"
        ends: dict[str, tuple[float, float, AxisLine]] = {}
        for line in self.lines:
            look, spots = self.looks[line.name], self.known(line)
            if not spots:
                continue
            across = [axis.places[at_text(sweep, spot)] for spot in spots]
            ranges = [self.range(spot.point) for spot in spots]
            ax.plot(
                across, [y.place(value) for _, value, _ in ranges], color=look.color, clip_on=False, zorder=2
            )
            lows, highs = [y.place(low) for low, _, _ in ranges], [y.place(high) for _, _, high in ranges]
            ax.fill_between(across, lows, highs, color=look.color, alpha=0.18, linewidth=0)
            for place, (_, value, _), spot in zip(across, ranges, spots, strict=True):
                fill = fills([spot.point.kernel])[spot.point.kernel]
                draw.mark(ax, place, y.place(value), look, fill, spot.point.cell)
            here = axis.across(at_text(sweep, spots[-1]), panel.width)
            ends[line.name] = here, y.share(y.place(ranges[-1][1])) * panel.height, line
        step = text_size() + 1.5
        if strip:
            edge = panel.height - strip if top else strip
            draw.stroke(ax, (0, edge), (panel.width, edge), MUTED, width=0.5)
        for row, line in enumerate(self.failed):
            level = (row + 0.5) * step
            level = panel.height - level if top else level
            crosses = [axis.across(at_text(sweep, spot), panel.width) for spot in self.crosses(line)]
            if line.name in ends:  # from the last number to the first failure
                x, height, _ = ends.pop(line.name)
                first = next((cross for cross in crosses if cross > x), None)
                if first is not None:
                    draw.stroke(
                        ax, (x, height), (first, level), self.looks[line.name].color, width=0.8, dotted=True
                    )
            for cross, spot in zip(crosses, self.crosses(line), strict=True):
                draw.cross(ax, cross, level, self.looks[line.name].color, spot.point.cell)
            draw.text(ax, panel.width + 10, level, self.label(line))
        self._names(ax, panel, {name: end for name, end in ends.items() if name in self.named}, strip)

    def _names(
        self, ax: Axes, panel: Panel, ends: Mapping[str, tuple[float, float, AxisLine]], strip: float
    ) -> None:
        step = text_size() + 1.5
        below, above = (-4.0, strip or -4.0) if self.metric.better == "lower" else (strip or -4.0, -4.0)
        wanted = [height for _, height, _ in ends.values()]
        placed = stack(wanted, step, below + step / 2, panel.height - above - step / 2) or wanted
        for (name, (here, old, line)), new in zip(ends.items(), placed, strict=True):
            early = here < panel.width * 0.9
            if early or abs(old - new) > 2:  # a line that ends early must not seem to go on
                color = MUTED if early else self.looks[name].color
                draw.stroke(ax, (here + 4, old), (panel.width + 8, new), color, width=0.6, dotted=early)
            draw.text(ax, panel.width + 10, new, self.label(line))


def _caption(
    sweep: AxisSweep, cells: Sequence[Point], kernel: str, rows: Sequence[int | str], unnamed: int
) -> str:
    called = noun(point.subject for point in cells)
    parts = [f"Medians of each {called.single} on the {kernel} kernel; bands are the range of the rounds."]
    if {point.kernel for point in cells} - {kernel}:
        parts.append(f"Hollow marks are of {called.plural} without attention, which have no kernel to fuse.")
    if any(point.status != "ok" for point in cells):
        parts.append("A × is a cell without a number, with its status.")
    if rows[0] and len(rows) < len(resolutions_of(sweep.cells)):
        parts.append(f"At {places(rows)}.")
    if unnamed:
        parts.append(f"Named are the extremes, the front and the reference; {unnamed} more lines are grey.")
    return " ".join(parts)
