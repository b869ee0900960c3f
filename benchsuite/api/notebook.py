"""Runs, comparisons and gates as fragments of HTML, for the output cells of a notebook.

A fragment loads nothing and needs no script; names of users are escaped by the template.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from markupsafe import Markup

from benchsuite.report import theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.cells import Cells, read
from benchsuite.report.figures import KINDS
from benchsuite.report.figures.layout import PAGE, Layout
from benchsuite.report.figures.of_run import drawings
from benchsuite.report.numbers import all_cells
from benchsuite.report.tables import Section, Table
from benchsuite.report.templating import filled
from benchsuite.results.store import Run
from benchsuite.scenario.titles import fitted


def fragment(
    title: str,
    sentences: Iterable[str],
    tables: Iterable[Table] = (),
    figure: Markup | None = None,
    sections: Iterable[Section] = (),
) -> str:
    """Sentences, tables and a figure under a title, then sections with titles of their own."""
    return filled(
        "notebook.html.j2", title=title, sentences=[text for text in sentences if text],
        tables=list(tables), figure=figure, sections=list(sections),
    )  # fmt: skip


def of_run(run: Run, answer: Callable[[Cells], Sequence[str]], without: Collection[str] = ()) -> str:
    """A run: its answer, its cells with intervals and flags, and MACs against speed where it has several.

    Args:
        without: heads of columns to leave out.
    """
    cells = read(run)
    title = fitted(str(run.scenario.get("title") or run.path.name), run.scenario)
    figure = None
    if len(cells.reported) > 1:
        with theme.applied():
            drawn = next(drawings(cells, PAGE, figures=[KINDS["scatter"]]), None)
            figure = image(drawn.drawing, PAGE) if drawn else None
    tables = [_without(all_cells(cells), without)] if cells.reported else []
    return fragment(title, answer(cells), tables, figure)


def _without(table: Table, heads: Collection[str]) -> Table:
    kept = [i for i, header in enumerate(table.headers) if header.text not in heads]
    rows = tuple(replace(row, cells=tuple(row.cells[i] for i in kept)) for row in table.rows)
    return replace(table, headers=tuple(table.headers[i] for i in kept), rows=rows)


def image(drawing: Drawing, layout: Layout) -> Markup:
    """A figure with its caption, apart from the styles and ids of the page around it."""
    buffer = io.BytesIO()
    with theme.applied(), layout.applied():
        drawing.figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Markup(
        '<figure><img src="data:image/svg+xml;base64,{}" alt="{}" style="max-width: 100%">'
        "<figcaption>{}</figcaption></figure>"
    ).format(data, drawing.alt, drawing.caption)
