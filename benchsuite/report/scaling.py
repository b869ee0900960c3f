"""How each metric grows with resolution: a line a mixer, a column a kernel, failures at the edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from benchsuite.report import canvas as draw
from benchsuite.report.axes import ResolutionAxis, Scale, apply_y, resolution_axis, scale, title_of
from benchsuite.report.canvas import WIDTH, Canvas, Drawing, measure
from benchsuite.report.labels import stack
from benchsuite.report.points import Point, kernels_of, names_of, points, resolutions_of
from benchsuite.report.theme import MUTED, Look, fills
from benchsuite.report.words import STATUS_WORDS, counted, joined, lowered, pixels, the_kernels
from benchsuite.results.metrics import METRICS, Metric
from benchsuite.results.nouns import Noun, noun

SHOWN = ("macs", "latency_s", "throughput", "peak_memory_bytes")
ROW = 9.5  # height of a line of labels, in points


@dataclass(frozen=True)
class Panel:
    """One metric on one kernel.

    Attributes:
        lines: mixer → its points that have a value, by resolution.
        failed: mixer → its points that have none because the cell failed.
    """

    metric: Metric
    kernel: str
    lines: Mapping[str, Sequence[Point]]
    failed: Mapping[str, Sequence[Point]]

    def label(self, name: str, looks: Mapping[str, Look]) -> str:
        """Label of a mixer at the right edge; of a failed one with the reason."""
        if name not in self.failed:
            return looks[name].label
        statuses = dict.fromkeys(STATUS_WORDS[point.status] for point in self.failed[name])
        return f"{looks[name].label} {'/'.join(statuses)}"


def over_resolution(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """MACs, latency, throughput and memory over resolution; None for fewer than two resolutions."""
    cells = points(frame)
    shown = [key for key in SHOWN if any(point.metrics[key].known for point in cells)]
    if len(resolutions_of(cells)) < 2 or not shown:
        return None
    x = resolution_axis(cells)
    kernels = kernels_of(cells)
    grid = [[_panel_of(METRICS[key], kernel, cells, x) for kernel in kernels] for key in shown]
    filled = fills(kernels)
    gutter = 10 + max(
        measure(panel.label(name, looks), 8)[0]
        for row in grid
        for panel in row
        for name in (*panel.lines, *panel.failed)
    )
    left, gap, between, top = 64.0, 22.0, 52.0, 20.0
    width = max(150.0, (WIDTH - left) / len(kernels) - gutter - gap)
    most = max(len({*panel.lines, *panel.failed}) for row in grid for panel in row)
    body = max(150.0, (most + 1) * ROW)
    strips = [
        max(len(panel.failed) for panel in row) * ROW + 4 if any(p.failed for p in row) else 0 for row in grid
    ]
    height = top + sum(body + strip + between for strip in strips)
    canvas = Canvas(left + len(kernels) * (width + gutter + gap), height)
    for row, strip in zip(grid, strips, strict=True):
        metric = row[0].metric
        values = [v for panel in row for line in panel.lines.values() for p in line for v in _ends(p, metric)]
        total = body + strip
        y = scale(values, metric.unit)
        y = y.extended(**{"below" if metric.better == "higher" else "above": strip / body})
        for column, panel in enumerate(row):
            ax = canvas.axes(left + column * (width + gutter + gap), top, width, total)
            apply_y(ax, y, metric.unit, labels=column == 0)
            x.apply(ax, width)
            if column == 0:
                ax.set_ylabel(title_of(metric))
            if len(kernels) > 1 or panel.kernel != "math":
                ax.set_title(f"{panel.kernel} kernel")
            _draw(ax, panel, x, y, looks, filled[panel.kernel], (width, total), strip)
        top += total + between
    return Drawing(canvas.figure, _caption(grid, noun(p.subject for p in cells)), _alt(grid, cells))


def _panel_of(metric: Metric, kernel: str, cells: Sequence[Point], x: ResolutionAxis) -> Panel:
    order = list(x.positions)
    lines: dict[str, list[Point]] = {}
    failed: dict[str, list[Point]] = {}
    for point in sorted(cells, key=lambda point: order.index(point.resolution)):
        if point.kernel != kernel:
            continue
        if point.metrics[metric.key].known:
            lines.setdefault(point.name, []).append(point)
        elif point.status != "ok":
            failed.setdefault(point.name, []).append(point)
    return Panel(metric, kernel, lines, failed)


def _ends(point: Point, metric: Metric) -> tuple[float, float, float]:
    value = point.metrics[metric.key]
    return value.value, value.lo, value.hi


def _draw(
    ax: Axes,
    panel: Panel,
    x: ResolutionAxis,
    y: Scale,
    looks: Mapping[str, Look],
    fill: str,
    size: tuple[float, float],
    strip: float,
) -> None:
    width, height = size

    for name, line in panel.lines.items():
        look = looks[name]
        positions = [x.positions[point.resolution] for point in line]
        values = [point.metrics[panel.metric.key] for point in line]
        ax.plot(positions, [value.value for value in values], color=look.color, clip_on=False, zorder=2)
        wide = any((y.share(v.hi) - y.share(v.lo)) * height > 2 for v in values if v.bounded)
        if wide:
            ax.fill_between(
                positions,
                [v.lo for v in values],
                [v.hi for v in values],
                color=look.color,
                alpha=0.18,
                linewidth=0,
            )
        for point, position, value in zip(line, positions, values, strict=True):
            draw.mark(ax, position, value.value, look, fill, point.cell)
    top_edge = panel.metric.better == "lower"
    if strip:
        edge = height - strip if top_edge else strip
        draw.stroke(ax, (0, edge), (width, edge), MUTED, width=0.5)
    for row, (name, failed) in enumerate(panel.failed.items()):
        level = (row + 0.5) * ROW
        level = height - level if top_edge else level
        for point in failed:
            draw.cross(ax, x.across(point.resolution, width), level, looks[name].color, point.cell)
        draw.text(ax, width + 10, level, panel.label(name, looks))
    ends = {name: line[-1] for name, line in panel.lines.items() if name not in panel.failed}
    wanted = [y.share(point.metrics[panel.metric.key].value) * height for point in ends.values()]
    low, high = (0.0, height - strip) if top_edge else (strip, height)
    placed = stack(wanted, ROW, low + ROW / 2, high - ROW / 2) or wanted
    for (name, point), old, new in zip(ends.items(), wanted, placed, strict=True):
        here = x.across(point.resolution, width)
        early = here < width * 0.9
        if early or abs(old - new) > 2:
            # A line that ends early must not seem to go on.
            color = MUTED if early else looks[name].color
            draw.stroke(ax, (here + 4, old), (width + 8, new), color, width=0.6, dotted=early)
        draw.text(ax, width + 10, new, looks[name].label)


def _caption(grid: Sequence[Sequence[Panel]], called: Noun) -> str:
    parts = [f"Lines join the medians of one {called.single}"]
    metrics = [row[0].metric for row in grid]
    if any(metric.interval for metric in metrics):
        parts[0] += "; bands are 95 % intervals, where they are wide enough to be seen"
    parts[0] += "."
    if len(grid[0]) > 1:
        parts.append("A column is an attention kernel; the columns of a row share their axis.")
    if any(panel.failed for row in grid for panel in row):
        parts.append(
            "A × at the edge is a cell without a number, with its status: at the top where lower is better, "
            "at the bottom where higher is better."
        )
    return " ".join(parts)


def _alt(grid: Sequence[Sequence[Panel]], cells: Sequence[Point]) -> str:
    resolutions = resolutions_of(cells)
    labels = joined([lowered(row[0].metric.label) for row in grid])
    failed = {point.cell for row in grid for panel in row for line in panel.failed.values() for point in line}
    called = noun(point.subject for point in cells)
    text = (
        f"Line charts of {labels} from {pixels(resolutions[0])} to {pixels(resolutions[-1])} "
        f"for {called.counted(len(names_of(cells)))} with {the_kernels(kernels_of(cells))}."
    )
    return (
        f"{text} {counted(len(failed), 'cell')} failed and {'is' if len(failed) == 1 else 'are'} marked."
        if failed
        else text
    )
