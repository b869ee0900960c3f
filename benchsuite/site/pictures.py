"""Pictures of the site: a thumbnail of a run, a chart of a mixer, and the line of a series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

from markupsafe import Markup

from benchsuite.findings.history import Series
from benchsuite.format import counted, scale_of, spread
from benchsuite.report.cells import read
from benchsuite.report.comparable_groups import split
from benchsuite.report.figures import KINDS
from benchsuite.report.figures.choose import FigureRequest
from benchsuite.report.figures.layout import HALF, PAGE
from benchsuite.report.figures.of_run import drawings
from benchsuite.report.history_page import percent
from benchsuite.report.reported_cells import ReportedCell, names_of
from benchsuite.report.svg import StyleSheet, View, inline
from benchsuite.report.theme import DARK, LIGHT, looks
from benchsuite.results.store import Run

WIDTH, HEIGHT, EDGE = 160, 36, 4
LEAST_SPAN = math.log(1.1)
"""A line is at least so high, in logs, so that noise of a per cent looks like one."""


def thumbnail(run: Run) -> bytes | None:
    """The first figure of a run as an SVG file with colours for light and dark; None if it has none.

    Call it with `theme.applied()`.
    """
    first = next(drawings(read(run), HALF), None)
    if first is None:
        return None
    sheet = StyleSheet()
    svg = str(inline(first.drawing.figure, "thumb", first.drawing.alt, {}, sheet, None))
    return _file(svg, str(sheet.css())).encode()


def chart(
    own: Sequence[ReportedCell], everyone: Sequence[ReportedCell], key: str, sheet: StyleSheet
) -> View | None:
    """A mixer over resolution; of one size, its place among all that was measured in the same conditions.

    Call it with `theme.applied()`.

    Args:
        own: its cells on one machine; `everyone`, all cells of that machine.
        key: unique on the page.
    """
    cells = max(split(own), key=lambda group: len(group.cells)).cells
    drawing = KINDS["scaling"].draw(FigureRequest(cells, looks(names_of(cells)), PAGE))
    if drawing is None:
        group = next(group.cells for group in split(everyone) if cells[0] in group.cells)
        beside = [cell for cell in group if cell.resolution == cells[0].resolution]
        mine = names_of(cells)
        style = looks(names_of(beside)).items()
        told = {name: replace(look, reference=name in mine) for name, look in style}
        drawing = KINDS["scatter"].draw(FigureRequest(beside, told, PAGE))
    if drawing is None:
        return None
    return View("", inline(drawing.figure, key, drawing.alt, {}, sheet, None), drawing.caption)


def _file(svg: str, css: str) -> str:
    """An element of a page as a file of its own: with a name space, colours and a font."""
    light = "".join(f"{name}:{color};" for name, color in LIGHT.items())
    dark = "".join(f"{name}:{color};" for name, color in DARK.items())
    style = (
        f"<style>:root{{{light}font-family:system-ui,sans-serif}}"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{css}</style>"
    )
    head, _, rest = svg.partition(">")
    return f'{head} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'


def line(series: Series) -> Markup:
    """The medians of a series over its runs, levels and steps marked, as an `<svg>` element.

    Runs stand at equal distances; the height is the log of the latency, so that equal ratios look equal.
    """
    logs = [math.log(point.latency_s) for point in series.timed if point.latency_s is not None]
    low, high = min(logs), max(logs)
    middle, span = (low + high) / 2, max(LEAST_SPAN, high - low)

    def at(i: float, value: float) -> str:
        x = EDGE + (WIDTH - 2 * EDGE) * i / max(1, len(logs) - 1)
        y = HEIGHT / 2 - (HEIGHT - 2 * EDGE) * (value - middle) / span
        return f"{x:.1f},{y:.1f}"

    places = [step.at for step in series.trend.steps]
    ends = [0, *places, len(logs)]
    levels = "".join(
        f'<polyline class="level" points="{at(a, fmean(logs[a:b]))} {at(b - 1, fmean(logs[a:b]))}"/>'
        for a, b in pairwise(ends)
        if places
    )
    dots = "".join(
        '<circle cx="{}" cy="{}" r="1.6"/>'.format(*at(i, v).split(",")) for i, v in enumerate(logs)
    )
    path = " ".join(at(i, value) for i, value in enumerate(logs))
    return Markup(
        '<svg class="line" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        'aria-label="{label}"><title>{label}</title><polyline points="{path}"/>{levels}{dots}</svg>'
    ).format(
        width=WIDTH, height=HEIGHT, label=_label(series), path=path, levels=Markup(levels), dots=Markup(dots)
    )


def _label(series: Series) -> str:
    times = [point.latency_s for point in series.timed if point.latency_s is not None]
    factor, unit = scale_of(times, "s")
    ends = f"{spread(min(times), math.nan, math.nan, factor)} to "
    text = f"{counted(len(times), 'run')}, {ends}{spread(max(times), math.nan, math.nan, factor, unit)}"
    steps = [f"{percent(shift.step.size)} at {shift.revisions}" for shift in series.shifts]
    return "; ".join([text, *steps])
