"""Speed, MACs and memory over batch, width, heads, threads or a parameter. `Sweep` → `Drawing`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from benchsuite.report import canvas as draw
from benchsuite.report.axes import ResolutionAxis, Scale, apply_y, scale, title_of
from benchsuite.report.canvas import WIDTH, Canvas, Drawing, legend_height, measure
from benchsuite.report.figures import evenly
from benchsuite.report.points import kernels_of, resolutions_of
from benchsuite.report.sweeps import Line, Spot, Sweep
from benchsuite.report.theme import MUTED, Look, fills, looks, start_said
from benchsuite.report.words import STATUS_WORDS, counted, joined, lowered, pixels, places
from benchsuite.results.metrics import METRICS, Metric
from benchsuite.results.nouns import noun

MOST_NAMES = 12
"""Names in one figure: more lines than this cannot be told apart."""
MOST_COLUMNS = 3
_SHOWN = ("throughput", "latency_s", "macs", "peak_memory_bytes")
WORDS: Mapping[str, str] = {
    "batch": "batch", "dim": "width", "num_heads": "number of heads", "threads": "number of threads",
}  # fmt: skip
"""Axis of a cell → the word for it inside a sentence."""
_ROW = 9.5  # height of a failed line, in points


def shown_lines(sweep: Sweep) -> list[Line]:
    """The lines that the figure has room for: the first names, at resolutions spread evenly."""
    names = list(dict.fromkeys(line.name for line in sweep.lines))[:MOST_NAMES]
    resolutions = evenly(resolutions_of(sweep.cells), MOST_COLUMNS)
    return [line for line in sweep.lines if line.name in names and line.resolution in resolutions]


def over_axis(sweep: Sweep, style: Mapping[str, Look]) -> Drawing:
    """A row a metric, a column a resolution, a line a name and kernel.

    Args:
        style: looks of the run's names; lines of a parameter, which have names of their own, get their own.
    """
    lines = shown_lines(sweep)
    names = list(dict.fromkeys(line.name for line in lines))
    own = style if all(name in style for name in names) else looks(names)
    cells = [spot.point for line in lines for spot in line.spots]
    resolutions, kernels = resolutions_of(cells), kernels_of(cells)
    metrics = [METRICS[key] for key in _SHOWN if _worth(key, sweep, lines)]
    filled = fills(kernels)
    handles: list[Artist] = [*draw.kernel_handles(kernels, filled)]
    handles += [draw.mixer_handle(own[name]) for name in names]
    single = len(resolutions) == 1  # then metrics stand beside each other, and each needs its title
    columns = len(metrics) if single else len(resolutions)
    left, right, gap, between = 64.0, 14.0, 76.0 if single else 48.0, 48.0
    width = (WIDTH - left - right - gap * (columns - 1)) / columns
    height = (190.0, 165.0, 140.0)[min(columns, 3) - 1]
    top = legend_height(handles) + 24
    canvas = Canvas(WIDTH, top + (1 if single else len(metrics)) * (height + between))
    canvas.legend(handles, left)
    x = positions([spot.at for line in lines for spot in line.spots])
    for i, metric in enumerate(metrics):
        for j, resolution in enumerate(resolutions):
            row, column = (0, i) if single else (i, j)
            ax = canvas.axes(left + column * (width + gap), top + row * (height + between), width, height)
            if row == 0 and (column == 0 or not single):
                ax.set_title(pixels(resolution))
            if column == 0 or single:
                ax.set_ylabel(title_of(metric))
            x.apply(ax, width)
            ax.set_xlabel(sweep.title)
            panel = [line for line in lines if line.resolution == resolution]
            _panel(ax, panel, metric, x, own, filled, (width, height))
    return Drawing(canvas.figure, _caption(sweep, lines), _alt(sweep, lines, metrics))


def positions(ats: Sequence[float]) -> ResolutionAxis:
    """Where the values stand: by their logarithm if they are positive and span a factor of four or more."""
    ordered = sorted(set(ats))
    log = ordered[0] > 0 and ordered[-1] >= 4 * ordered[0]
    spread = [math.log(at) if log else at for at in ordered]
    first, last = spread[0], spread[-1]
    return ResolutionAxis(
        {number(at): (one - first) / (last - first) for at, one in zip(ordered, spread, strict=True)}
    )


def number(at: float) -> str:
    """A value of the axis as a reader writes it: 0.5, 64."""
    return f"{at:g}"


def axis_named(sweep: Sweep) -> str:
    """The axis inside a sentence: "the width", "alpha"."""
    return sweep.title if sweep.is_parameter else f"the {WORDS[sweep.axis]}"


def _worth(key: str, sweep: Sweep, lines: Sequence[Line]) -> bool:
    """Whether a metric has a row: it is known, and says more than a straight line would.

    Latency per step and throughput are one number at a fixed batch, so only batches are shown in both.
    """
    if key == "latency_s" and sweep.axis != "batch":
        return False
    if key == "throughput":
        return True
    values = [[spot.point.metrics[key].value for spot in line.spots] for line in lines]
    known = [[value for value in line if not math.isnan(value)] for line in values]
    return any(len(set(line)) > 1 for line in known)


def _panel(
    ax: Axes,
    panel: Sequence[Line],
    metric: Metric,
    x: ResolutionAxis,
    own: Mapping[str, Look],
    filled: Mapping[str, str],
    size: tuple[float, float],
) -> None:
    width, height = size
    failed = [(line, spots) for line in panel if (spots := [s for s in line.spots if _failed(s, metric)])]
    strip = len(failed) * _ROW + 4 if failed else 0.0
    known = [(line, [s for s in line.spots if s.point.metrics[metric.key].known]) for line in panel]
    ends = [
        end
        for _, spots in known
        for value in (spot.point.metrics[metric.key] for spot in spots)
        for end in (value.value, value.lo, value.hi)
    ]
    if not any(spots for _, spots in known):
        ax.set_yticks([])
        draw.text(ax, width / 2, height / 2, "no number", ha="center", color=MUTED)
        return
    y = scale(ends, metric.unit)
    top_edge = metric.better == "lower"
    y = y.extended(**{"above" if top_edge else "below": strip / (height - strip)})
    apply_y(ax, y, metric.unit)
    for line, spots in known:
        _line(ax, spots, metric, x, y, own[line.name], filled[line.kernel], height)
    if not strip:
        return
    edge = height - strip if top_edge else strip
    draw.stroke(ax, (0, edge), (width, edge), MUTED, width=0.5)
    for row, (line, spots) in enumerate(failed):
        level = (row + 0.5) * _ROW
        level = height - level if top_edge else level
        places_ = [x.across(number(spot.at), width) for spot in spots]
        for across, spot in zip(places_, spots, strict=True):
            draw.cross(ax, across, level, own[line.name].color, spot.point.cell)
        _why(ax, line, spots, (min(places_), max(places_)), level, own, width)


def _failed(spot: Spot, metric: Metric) -> bool:
    return spot.point.status != "ok" and not spot.point.metrics[metric.key].known


def _line(
    ax: Axes,
    spots: Sequence[Spot],
    metric: Metric,
    x: ResolutionAxis,
    y: Scale,
    look: Look,
    fill: str,
    height: float,
) -> None:
    across = [x.positions[number(spot.at)] for spot in spots]
    values = [spot.point.metrics[metric.key] for spot in spots]
    ax.plot(across, [value.value for value in values], color=look.color, clip_on=False, zorder=2)
    for place, value in zip(across, values, strict=True):
        if value.bounded and (y.share(value.hi) - y.share(value.lo)) * height > 8:
            draw.bar(ax, (place, place), (value.lo, value.hi), look.color)
    for place, value, spot in zip(across, values, spots, strict=True):
        draw.mark(ax, place, value.value, look, fill, spot.point.cell)


def _why(
    ax: Axes,
    line: Line,
    spots: Sequence[Spot],
    span: tuple[float, float],
    level: float,
    own: Mapping[str, Look],
    width: float,
) -> None:
    """Whose failures these are and why, on the side of the crosses that has more room."""
    reasons = "/".join(dict.fromkeys(STATUS_WORDS[spot.point.status] for spot in spots))
    text = f"{own[line.name].label}, {line.kernel}: {reasons}"
    if measure(text, 7)[0] > max(span[0], width - span[1]) - 8:
        text = reasons
    if span[0] >= width - span[1]:
        draw.text(ax, span[0] - 6, level, text, ha="right", size=7)
    else:
        draw.text(ax, span[1] + 6, level, text, size=7)


def _caption(sweep: Sweep, lines: Sequence[Line]) -> str:
    cells = [spot.point for line in lines for spot in line.spots]
    parts = [
        f"A line joins the medians of one {noun(p.subject for p in cells).single} on one kernel; only "
        f"{axis_named(sweep)} differs along it."
    ]
    if any(point.throughput.bounded for point in cells):
        parts.append("Bars are 95 % intervals, drawn where they are larger than the marker.")
    if len(resolutions_of(cells)) > 1:
        parts.append("Every panel has its own scale.")
    if any(point.status != "ok" for point in cells):
        parts.append(
            "A × at the edge is a cell without a number: at the top where lower is better, at the bottom "
            "where higher is better."
        )
    names = list(dict.fromkeys(line.name for line in sweep.lines))
    if len(names) > MOST_NAMES:
        parts.append(f"{MOST_NAMES} of {len(names)} are drawn, the first of the scenario.")
    resolutions = resolutions_of(sweep.cells)
    if len(resolutions) > MOST_COLUMNS:
        parts.append(f"{MOST_COLUMNS} of {len(resolutions)} resolutions, spread evenly.")
    return " ".join(parts) + start_said(names)


def _alt(sweep: Sweep, lines: Sequence[Line], metrics: Sequence[Metric]) -> str:
    cells = [spot.point for line in lines for spot in line.spots]
    ats = sorted({spot.at for line in lines for spot in line.spots})
    failed = len({point.cell for point in cells if point.status != "ok"})
    text = (
        f"Line charts of {joined([lowered(metric.label) for metric in metrics])} over "
        f"{axis_named(sweep)} from {number(ats[0])} to "
        f"{number(ats[-1])} for {joined(list(dict.fromkeys(line.name for line in lines)))} at "
        f"{places(resolutions_of(cells))}."
    )
    return (
        f"{text} {counted(failed, 'cell')} failed and {'is' if failed == 1 else 'are'} marked."
        if failed
        else text
    )
