"""Tables of the page as typed rows, sections of words and tables, and both as text for elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from markupsafe import Markup

from benchsuite.results.metrics import Better
from benchsuite.text import in_markdown


@dataclass(frozen=True, slots=True)
class TableCell:
    """One cell of a table.

    Attributes:
        sort: number to sort by, in a column of numbers; None where there is none, which sorts last.
        shown: markup that a page shows in place of the text.
        place: 1 among the best of its block, 2 among the next, 0 for neither, where the rule of evidence says
            so; None where the numbers say it themselves.
    """

    text: str
    sort: float | None = None
    shown: Markup | None = None
    place: int | None = None


Tone = Literal["good", "bad", "open"]
"""Colour of a verdict; `open` where nothing is decided."""


def coloured(text: str, tone: Tone) -> TableCell:
    """A verdict in its colour."""
    return TableCell(text, shown=Markup('<span class="tone {}">{}</span>').format(tone, text))


@dataclass(frozen=True, slots=True)
class Row:
    """One line; `id` makes it a target of links, `failed` greys it. A block has a best row of its own."""

    cells: tuple[TableCell, ...]
    id: str | None = None
    failed: bool = False
    block: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """Head of a column; numbers are set flush right. `better` says which of them are best, if any."""

    text: str
    numeric: bool = False
    better: Better = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption. The first cell of a row is its heading."""

    caption: str
    headers: tuple[Header, ...]
    rows: tuple[Row, ...]
    sortable: bool = False


@dataclass(frozen=True)
class Section:
    """A heading, the sentences under it, and its tables."""

    key: str
    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


def table(
    caption: str,
    heads: Iterable[str],
    rows: Iterable[Row | Iterable[str | TableCell]],
    *,
    numeric: Collection[str] = (),
    sortable: bool = False,
) -> Table:
    """A table in which a plain text stands for a cell of no more than that text.

    Args:
        numeric: heads of columns of numbers.
    """
    headers = tuple(Header(head, head in numeric) for head in heads)
    return Table(caption, headers, tuple(map(_row, rows)), sortable)


def _row(cells: Row | Iterable[str | TableCell]) -> Row:
    if isinstance(cells, Row):
        return cells
    return Row(tuple(TableCell(cell) if isinstance(cell, str) else cell for cell in cells))


def texts(table: Table) -> list[dict[str, str]]:
    """The rows of a table by heading, as text."""
    heads = [header.text for header in table.headers]
    return [dict(zip(heads, (cell.text for cell in row.cells), strict=True)) for row in table.rows]


def trimmed(table: Table) -> Table:
    """The table without empty columns."""
    kept = [i for i in range(len(table.headers)) if any(row.cells[i].text for row in table.rows)]
    rows = tuple(replace(row, cells=tuple(row.cells[i] for i in kept)) for row in table.rows)
    return replace(table, headers=tuple(table.headers[i] for i in kept), rows=rows)


def to_markdown(table: Table) -> str:
    """The table as GitHub reads it: in columns where one way is better the best of each block is bold."""
    places = _places(table)
    lines = [
        [in_markdown(header.text) for header in table.headers],
        ["---:" if header.numeric else "---" for header in table.headers],
        *(
            [
                f"**{in_markdown(cell.text)}**" if places.get((number, i)) == 1 else in_markdown(cell.text)
                for i, cell in enumerate(row.cells)
            ]
            for number, row in enumerate(table.rows)
        ),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "×": r"$\times$", "≥": r"$\geq$",
    "µ": r"$\mu$", "α": r"$\alpha$", "−": "$-$",
})  # fmt: skip
_BETTER = {"lower": r" $\downarrow$", "higher": r" $\uparrow$", "": ""}


_COMMANDS = {1: "textbf", 2: "underline"}


def to_latex(table: Table) -> str:
    """The table with booktabs: in columns where one way is better the best of each block is bold, the second
    underlined."""
    places = _places(table)
    heads = [f"{header.text.translate(_LATEX)}{_BETTER[header.better]}" for header in table.headers]
    body = ""
    for number, row in enumerate(table.rows):
        if number and row.block != table.rows[number - 1].block:
            body += "    \\midrule\n"
        cells = [_in_latex(cell.text, places.get((number, i))) for i, cell in enumerate(row.cells)]
        body += f"    {' & '.join(cells)} \\\\\n"
    second = ["Underlined: the second."] if 2 in places.values() else []
    return (
        f"% {' '.join([*table.caption.split(), *second])}\n"
        "\\begin{tabular}{" + "".join("r" if header.numeric else "l" for header in table.headers) + "}\n"
        f"    \\toprule\n    {' & '.join(heads)} \\\\\n    \\midrule\n"
        f"{body}    \\bottomrule\n\\end{{tabular}}\n"
    )


def _places(table: Table) -> dict[tuple[int, int], int]:
    """(row, column) → 1 for the best of its block, 2 for the second, by the place of a cell, else by its
    number; equal numbers share their place."""
    places: dict[tuple[int, int], int] = {}
    for column, header in enumerate(table.headers):
        blocks: dict[int, dict[int, float]] = {}
        for number, row in enumerate(table.rows):
            cell = row.cells[column]
            if header.better and cell.place:
                places[number, column] = cell.place
            elif header.better and cell.place is None and cell.sort is not None:
                blocks.setdefault(row.block, {})[number] = cell.sort
        for known in blocks.values():
            best = sorted(set(known.values()), reverse=header.better == "higher")[:2]
            if len(best) == 2:
                places |= {(n, column): 1 + best.index(value) for n, value in known.items() if value in best}
    return places


def _in_latex(text: str, place: int | None) -> str:
    plain = text.translate(_LATEX)
    return f"\\{_COMMANDS[place]}{{{plain}}}" if place else plain
