"""The figures of a run: all of them, or one that is asked for, and their files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchsuite.report.canvas import Drawing, flagged
from benchsuite.report.cells import Cells
from benchsuite.report.figures import COLUMN, FIGURES, PAGE, TWO_COLUMNS, FigureKind, Options, column
from benchsuite.report.figures.layout import Layout
from benchsuite.report.points import Point
from benchsuite.report.styles import DEFAULT, LITV2
from benchsuite.report.svg import save
from benchsuite.report.sweeps import RESOLUTION, sweeps
from benchsuite.report.theme import Look, looks, start_said


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure with what it is of: the conditions of a group, or an axis; empty where there is one."""

    figure: FigureKind
    of: str
    drawing: Drawing


def looks_of(cells: Cells) -> dict[str, Look]:
    """A look for every name of a run."""
    return looks(cells.names, cells.reference)


def drawings(
    cells: Cells, layout: Layout, options: Options | None = None, figures: Sequence[FigureKind] = FIGURES
) -> Iterator[Drawn]:
    """Every figure that a run has something for, in order, group by group. Call it with `theme.applied()`.

    Cells with a flag are marked on the page's figures; a paper says so in its words.
    """
    options = options or Options()
    options = replace(options, reference=options.reference or cells.reference)
    style = looks_of(cells)
    suspicious = {point.cell for point in cells.points if point.flags}
    for figure in figures:
        for of, points, wanted in _subjects(cells, figure, options):
            drawing = figure.draw(points, style, layout, wanted)
            if drawing is not None:
                drawing = replace(drawing, caption=f"{drawing.caption}{start_said(cells.names)}")
                yield Drawn(figure, of, drawing if layout.style == LITV2 else flagged(drawing, suspicious))


def _subjects(
    cells: Cells, figure: FigureKind, options: Options
) -> Iterator[tuple[str, Sequence[Point], Options]]:
    """What a kind of figure is drawn of: the whole run, each of its sweeps, or each of its groups."""
    if figure.kind == "axis":
        for sweep in sweeps(cells.points):
            if sweep.axis != RESOLUTION:
                yield f"{sweep.axis} {sweep.apart}".strip(), sweep.cells, replace(options, sweep=sweep)
    elif figure.whole:
        yield "", cells.points, options
    else:
        for group in cells.groups:
            yield group.title if len(cells.groups) > 1 else "", group.cells, options


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
                    files += save(one.drawing.figure, folder, slug(words))
    return files


def slug(words: Sequence[str]) -> str:
    """The name of a file that these words make."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
