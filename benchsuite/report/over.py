"""The parts of a page that look over batch, width, heads, threads or a parameter: words and a figure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from benchsuite.report.canvas import Drawing, flagged
from benchsuite.report.figures import KINDS, PAGE, Options
from benchsuite.report.findings import Finding
from benchsuite.report.over_words import MOST_LINES, called, findings_over, law_table
from benchsuite.report.points import Point
from benchsuite.report.sweeps import RESOLUTION, sweeps
from benchsuite.report.tables import Table
from benchsuite.report.theme import Look
from benchsuite.report.words import counted


@dataclass(frozen=True)
class OverPart:
    """What a run shows over one axis, under one set of conditions.

    Attributes:
        svg, drawing: None where the page has no room for the figure; `note` says so.
        name: of the figure's files.
    """

    key: str
    title: str
    conditions: str
    findings: list[Finding]
    growth: Table | None
    svg: Markup | None
    caption: str
    note: str
    name: str
    drawing: Drawing | None


def _left_out(lines: int) -> str:
    few = "" if lines <= MOST_LINES else " Nothing is said of so many in words."
    return (
        f"The figure of {counted(lines, 'line')} is not in this file, which would have become too large. "
        f"Where scripts run, the explorer draws it; benchsuite report --figures DIR writes it.{few}"
    )


def of_run(
    cells: Sequence[Point],
    key: str,
    style: Mapping[str, Look],
    draw: Callable[[Drawing, str], Markup],
    suspicious: Collection[str] = (),
    *,
    room: int,
    every_figure: bool = False,
) -> list[OverPart]:
    """Every sweep of a run, in order.

    Args:
        style: looks of the run's names.
        suspicious: cells with a flag.
        room: cells that may still be drawn into the page; a figure that needs more is left out.
        every_figure: draw the others as well, for files.
    """
    parts = []
    for number, sweep in enumerate((one for one in sweeps(cells) if one.axis != RESOLUTION), start=1):
        size = sum(len(line.spots) for line in sweep.lines)
        fits = size <= room
        room -= size if fits else 0
        drawn = (
            KINDS["axis"].draw(sweep.cells, style, PAGE, Options(sweep=sweep))
            if fits or every_figure
            else None
        )
        drawing = flagged(drawn, suspicious) if drawn else None
        title = f"Over {called(sweep)}{f': {sweep.apart}' if sweep.apart else ''}"
        name = re.sub(r"[^a-z0-9]+", "-", f"over {sweep.axis} {sweep.apart}".lower()).strip("-")
        parts.append(
            OverPart(
                key=f"{key}-over-{number}",
                title=title,
                conditions=sweep.conditions,
                findings=findings_over(sweep),
                growth=law_table(sweep),
                svg=draw(drawing, f"{key}-over-{number}") if drawing and fits else None,
                caption=drawing.caption if drawing else "",
                note="" if fits else _left_out(len(sweep.lines)),
                name=name,
                drawing=drawing,
            )
        )
    return parts
