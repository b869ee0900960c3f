"""Growth of MACs, speed and memory over resolution or any other axis: a line a mixer, one kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from benchsuite.labels import noun
from benchsuite.report import canvas as draw
from benchsuite.report.canvas import Panel, grid, text_size, widest
from benchsuite.report.figures.choose import (
    MANY,
    Drawn,
    FigureRequest,
    evenly,
    faded,
    notable,
    one_kernel,
)
from benchsuite.report.figures.layout import Layout
from benchsuite.report.figures.scales import (
    Scale,
    apply,
    apply_positions,
    positions,
    scale,
    tick_text,
    title_of,
    wants_log,
)
from benchsuite.report.label_places import Spot as Place
from benchsuite.report.label_places import stack
from benchsuite.report.reported_cells import ReportedCell, counting, grouped, resolutions_of
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
    sweep = request.sweep or over_resolution(request.cells)
    if sweep is None:
        return None
    layout = request.layout
    kernel = one_kernel(sweep.cells, request)
    kept = {cell.id for cell in counting(sweep.cells, kernel)}
    lines = [line for line in sweep.lines if any(spot.cell.id in kept for spot in line.spots)]
    lines = [line for line in lines if request.wants(line.name)]
    cells = [spot.cell for line in lines for spot in line.spots]
    metrics = [METRICS[key] for key in ((request.metric,) if request.metric else SHOWN)]
    metrics = [metric for metric in metrics if any(cell.metrics[metric.key].known for cell in cells)]
    if not metrics:
        return None
    rows = list(dict.fromkeys(line.resolution for line in lines))
    if rows[0]:
        stacked = layout.panels(3) == 1 and len(metrics) > 1
        rows = evenly(sorted(rows, key=resolutions_of(cells).index), 1 if stacked else MOST_ROWS)
    looks, named = _looks(request.looks, lines, cells)
    shown = [
        _Lines(metric, [line for line in lines if line.resolution == row], looks, named)
        for row in rows
        for metric in metrics
    ]
    log = any(wants_log(one.values) for one in shown)
    ys = [scale(one.values, one.metric.unit, log=log) if one.values else Scale(False, 0, 1) for one in shown]
    figure, panels, shown, strip = _grid(layout, shown, ys, len(metrics), one_row=len(rows) == 1)
    across = positions(
        {at_text(sweep, spot): spot.at for line in lines for spot in line.spots},
        log=True if sweep.axis == RESOLUTION else None,
    )
    for i, (panel, one, y) in enumerate(zip(panels, shown, ys, strict=True)):
        below = strip if one.failed else 0.0
        apply(panel.ax, "y", replace(y, lo=y.at(-below / (panel.height - below))), one.metric.unit)
        apply_positions(panel.ax, across)
        row, column = divmod(i, len(metrics))
        at = f" at {pixels(rows[row])}" if len(rows) > 1 and column == 0 else ""
        panel.ax.set_title(f"{title_of(one.metric)}{at}")
        if panel.row == panels[-1].row:
            panel.ax.set_xlabel(sweep.title)
        one.draw(panel, sweep, across, y, below)
    return figure, _caption(sweep, cells, kernel, rows, len({line.name for line in lines} - named))


def _looks(
    looks: Mapping[str, Look], lines: Sequence[AxisLine], cells: Sequence[ReportedCell]
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
    layout: Layout, shown: list[_Lines], ys: Sequence[Scale], metrics: int, *, one_row: bool
) -> tuple[Figure, list[Panel], list[_Lines], float]:
    """The figure with its panels, and the height in points of the strip for failures.

    Names stand at the ends of lines, or in a legend where these would squeeze the panels.
    """
    columns = min(layout.panels(metrics), metrics)
    left = 8 + widest(
        tick_text(tick, p.metric.unit) for p, y in zip(shown, ys, strict=True) for tick in y.ticks
    )
    handles: list[Artist] = []
    if layout.width / columns - left - _gutter(shown) < LEAST_WIDTH:
        first = shown[0]
        handles = draw.look_handles(look for name, look in first.looks.items() if name in first.named)
        shown = [replace(one, named=frozenset()) for one in shown]
    step = text_size() + 1.5
    strip = max(len(one.failed) for one in shown) * step
    least = 96.0 if layout.narrow else 170.0 if layout.wide and one_row else 125.0
    most = max(len(one.named.intersection(line.name for line in one.lines)) for one in shown)
    figure, panels = grid(
        layout,
        len(shown),
        columns=columns,
        height=max(least, (most + 1) * step) + strip,
        handles=handles,
        left=left,
        right=_gutter(shown),
        gap=_gutter(shown) + left,
        between=40.0 if columns > 1 else 30.0,
    )
    return figure, panels, shown, strip


def _gutter(shown: Sequence[_Lines]) -> float:
    """Points that the names at the right of the panels take."""
    labels = (
        label for one in shown for label in (*one.failed, *(one.looks[name].label for name in one.named))
    )
    return 14 + widest(labels)


def at_text(sweep: AxisSweep, spot: Spot) -> str:
    """A value of the axis as a reader writes it: 480×640, 0.5, 64."""
    return str(spot.cell.resolution).replace("x", "×") if sweep.axis == RESOLUTION else f"{spot.at:g}"


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of one panel: one metric, and the names that are shown."""

    metric: Metric
    lines: Sequence[AxisLine]
    looks: Mapping[str, Look]
    named: frozenset[str] | set[str]

    @property
    def values(self) -> list[float]:
        """All that is drawn, with the ranges of rounds."""
        return [end for line in self.lines for spot in self.known(line) for end in self.range(spot.cell)]

    @property
    def failed(self) -> dict[str, list[tuple[AxisLine, Spot]]]:
        """Label of a row under the lines → the cells in it that failed and have no value."""
        cells = [
            (line, spot)
            for line in self.lines
            for spot in line.spots
            if spot.cell.status != "ok" and not spot.cell.metrics[self.metric.key].known
        ]

        def label(cell: tuple[AxisLine, Spot]) -> str:
            line, _ = cell
            statuses = dict.fromkeys(STATUS_WORDS[spot.cell.status] for other, spot in cells if other is line)
            name = f"{self.looks[line.name].label} " if line.name in self.named else ""
            return f"{name}{'/'.join(statuses)}"

        return grouped(cells, label)

    def known(self, line: AxisLine) -> list[Spot]:
        return [spot for spot in line.spots if spot.cell.metrics[self.metric.key].known]

    def range(self, cell: ReportedCell) -> tuple[float, float, float]:
        """The median with the smallest and the largest of the rounds; the value itself where it has none."""
        value = cell.metrics[self.metric.key].value
        rounds = {"latency_s": cell.rounds_s, "throughput": tuple(math.exp(log) for log in cell.log_speeds)}
        looks = rounds.get(self.metric.key) or (value,)
        return min(value, *looks), value, max(value, *looks)

    def draw(
        self, panel: Panel, sweep: AxisSweep, across: Mapping[str, float], y: Scale, strip: float
    ) -> None:
        """Lines with their bands and names, and under them, in a strip of its own, crosses for failures."""
        ax = panel.ax
        ends: dict[str, Place] = {}
        for line in self.lines:
            look, spots = self.looks[line.name], self.known(line)
            if not spots:
                continue
            xs = [across[at_text(sweep, spot)] for spot in spots]
            ranges = [[y.place(end) for end in self.range(spot.cell)] for spot in spots]
            lows, medians, highs = zip(*ranges, strict=True)
            ax.plot(xs, medians, color=look.color, clip_on=False, zorder=2)
            ax.fill_between(xs, lows, highs, color=look.color, alpha=0.18, linewidth=0)
            for x, median, spot in zip(xs, medians, spots, strict=True):
                fill = fills([spot.cell.kernel])[spot.cell.kernel]
                draw.mark(ax, x, median, look, fill, spot.cell.id)
            if line.name in self.named:
                ends[line.name] = panel.at(xs[-1], medians[-1])
        if strip:
            draw.stroke(ax, (0, strip), (panel.width, strip), MUTED, width=0.5)
        for row, (label, cells) in enumerate(self.failed.items()):
            level = strip - (row + 0.5) * (text_size() + 1.5)
            for line, spot in cells:
                look = replace(self.looks[line.name], marker="x")
                place, under = (across[at_text(sweep, spot)], level / panel.height), ax.get_xaxis_transform()
                draw.mark(ax, *place, look, "full", spot.cell.id, transform=under)
            draw.text(ax, panel.width + 10, level, label)
        self._names(panel, ends, strip)

    def _names(self, panel: Panel, ends: Mapping[str, Place], strip: float) -> None:
        """Names at the ends of lines, moved apart, with a leader line where one had to move."""
        step, heights = text_size() + 1.5, [height for _, height in ends.values()]
        placed = stack(heights, step, (strip or -4.0) + step / 2, panel.height + 4 - step / 2) or heights
        for (name, (here, old)), new in zip(ends.items(), placed, strict=True):
            early, look = here < panel.width * 0.9, self.looks[name]
            if early or abs(old - new) > 2:  # a line that ends early must not seem to go on
                color = MUTED if early else look.color
                draw.stroke(panel.ax, (here + 4, old), (panel.width + 8, new), color, width=0.6, dotted=early)
            draw.text(panel.ax, panel.width + 10, new, look.label)


def _caption(
    sweep: AxisSweep, cells: Sequence[ReportedCell], kernel: str, rows: Sequence[int | str], unnamed: int
) -> str:
    called = noun(cell.subject for cell in cells)
    parts = [f"Medians of each {called.single} on the {kernel} kernel; bands are the range of the rounds."]
    if {cell.kernel for cell in cells} - {kernel}:
        parts.append(f"Hollow marks are of {called.plural} without attention, which have no kernel to fuse.")
    if any(cell.status != "ok" for cell in cells):
        parts.append("A × under the lines is a cell without a number, with its status.")
    if rows[0] and len(rows) < len(resolutions_of(sweep.cells)):
        parts.append(f"At {places(rows)}.")
    if unnamed:
        parts.append(f"Named are the extremes, the front and the reference; {unnamed} more lines are grey.")
    return " ".join(parts)
