"""The figures of a run: all of them, or one that is asked for, and their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchsuite.labels import common_start_note
from benchsuite.report.canvas import Drawing, flagged
from benchsuite.report.cells import Cells
from benchsuite.report.figures import FIGURES, FigureKind
from benchsuite.report.figures.choose import FigureRequest
from benchsuite.report.figures.layout import COLUMN, DEFAULT, LITV2, PAGE, TWO_COLUMNS, Layout, column
from benchsuite.report.svg import save
from benchsuite.report.sweeps import sweeps
from benchsuite.report.theme import looks
from benchsuite.text import slug


def request(cells: Cells, layout: Layout, **choices: Any) -> FigureRequest:
    """A figure of a run, before it is known of which of its cells.

    Args:
        choices: attributes of `FigureRequest`; the reference is that of the run if unsaid.
    """
    reference = choices.pop("reference", None) or cells.reference
    style = looks(cells.names, cells.reference)
    return FigureRequest(cells.reported, style, layout, reference=reference, **choices)


def subjects(cells: Cells, figure: FigureKind, wanted: FigureRequest) -> Iterator[FigureRequest]:
    """All that a kind of figure is drawn of: the run, each of its sweeps or its groups."""
    if figure.of == "sweeps":
        for sweep in sweeps(cells.reported):
            yield replace(wanted, cells=sweep.cells, sweep=sweep, of=f"{sweep.axis} {sweep.apart}".strip())
    elif figure.of == "run":
        yield wanted
    else:
        for group in cells.groups:
            yield replace(wanted, cells=group.cells, of=group.title if len(cells.groups) > 1 else "")


def draw(cells: Cells, figure: FigureKind, wanted: FigureRequest) -> Drawing | None:
    """A figure of a run; None where there is nothing to show. Call it with `theme.applied()`.

    Cells with a flag are marked on the page's figures; a paper says so in its words.
    """
    drawing = figure.draw(wanted)
    if drawing is None:
        return None
    drawing = replace(drawing, caption=f"{drawing.caption}{common_start_note(cells.names)}")
    suspicious = {cell.id for cell in cells.reported if cell.flags}
    return drawing if wanted.layout.style == LITV2 else flagged(drawing, suspicious)


@dataclass(frozen=True, slots=True)
class RunFigure:
    """A figure with what it is of: the conditions of a group, or an axis; empty where there is one."""

    figure: FigureKind
    of: str
    drawing: Drawing


def drawings(
    cells: Cells, layout: Layout, figures: Sequence[FigureKind] = FIGURES, **choices: Any
) -> Iterator[RunFigure]:
    """Every figure that a run has something for, in order, group by group. Call it with `theme.applied()`.

    Args:
        choices: attributes of `FigureRequest`.
    """
    for figure in figures:
        for wanted in subjects(cells, figure, request(cells, layout, **choices)):
            drawing = draw(cells, figure, wanted)
            if drawing is not None:
                yield RunFigure(figure, wanted.of, drawing)


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
