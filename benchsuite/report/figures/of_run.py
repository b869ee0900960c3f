"""The figures of a run: all of them, or one that is asked for, and their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchsuite.report.canvas import Drawing, flagged
from benchsuite.report.cells import Cells
from benchsuite.report.figures import DEFAULT, FIGURES, LITV2, FigureKind
from benchsuite.report.figures.choose import Options
from benchsuite.report.figures.layout import COLUMN, PAGE, TWO_COLUMNS, Layout, column
from benchsuite.report.points import Point
from benchsuite.report.svg import save
from benchsuite.report.sweeps import RESOLUTION, AxisSweep, sweeps
from benchsuite.report.theme import common_start_note, looks
from benchsuite.report.words import slug


@dataclass(frozen=True, slots=True)
class RunFigure:
    """A figure with what it is of: the conditions of a group, or an axis; empty where there is one."""

    figure: FigureKind
    of: str
    drawing: Drawing


def drawings(
    cells: Cells, layout: Layout, options: Options | None = None, figures: Sequence[FigureKind] = FIGURES
) -> Iterator[RunFigure]:
    """Every figure that a run has something for, in order, group by group. Call it with `theme.applied()`.

    Cells with a flag are marked on the page's figures; a paper says so in its words.
    """
    options = options or Options()
    options = replace(options, reference=options.reference or cells.reference)
    style = looks(cells.names, cells.reference)
    suspicious = {point.cell for point in cells.points if point.flags}
    for figure in figures:
        for of, points, wanted in _subjects(cells, figure, options):
            drawing = figure.draw(points, style, layout, wanted)
            if drawing is not None:
                drawing = replace(drawing, caption=f"{drawing.caption}{common_start_note(cells.names)}")
                yield RunFigure(
                    figure, of, drawing if layout.style == LITV2 else flagged(drawing, suspicious)
                )


def _subjects(
    cells: Cells, figure: FigureKind, options: Options
) -> Iterator[tuple[str, Sequence[Point], Options]]:
    """Cells that a kind of figure is drawn of, with their name: the run, each of its sweeps or its groups."""
    if figure.of == "sweeps":
        for sweep in sweeps_over_axes(cells.points):
            yield f"{sweep.axis} {sweep.apart}".strip(), sweep.cells, replace(options, sweep=sweep)
    elif figure.of == "run":
        yield "", cells.points, options
    else:
        for group in cells.groups:
            yield group.title if len(cells.groups) > 1 else "", group.cells, options


def sweeps_over_axes(cells: Sequence[Point]) -> list[AxisSweep]:
    """The sweeps of a run over another axis than resolution."""
    return [sweep for sweep in sweeps(cells) if sweep.axis != RESOLUTION]


def write_all(runs: Sequence[Cells], folder: Path, style: str) -> list[Path]:
    """Write every figure of these runs as PDF, PNG and SVG; in the style of a paper, in both of its widths.

    Call it with `theme.applied()`.
    """
    layouts: Mapping[str, Layout] = {"": PAGE}
    if style != DEFAULT:
        layouts = {"column": column(COLUMN, style), "two-columns": column(TWO_COLUMNS, style)}
    files: list[Path] = []
    for number, cells in enumerate(runs, start=1):
        for width, layout in layouts.items():
            for one in drawings(cells, layout):
                words = [one.figure.file, f"run{number}" if len(runs) > 1 else "", one.of, width]
                with layout.applied():
                    files += save(one.drawing.figure, folder, slug(" ".join(words)))
    return files
