"""Tables of the page as typed rows, sections of words and tables, and both as text for elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from benchsuite.results.metrics import Better
from benchsuite.text import in_markdown


@dataclass(frozen=True, slots=True)
class TableCell:
    """One cell of a table.

    Attributes:
        sort: number to sort by, in a column of numbers; None where there is none, which sorts last.
        shown: markup that a page shows in place of the text.
    """

    text: str
    sort: float | None = None
    shown: Markup | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line; `id` makes it a target of links, `failed` greys it."""

    cells: tuple[TableCell, ...]
    id: str | None = None
    failed: bool = False


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
    sentences: tuple[str, ...]
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
    """The table as GitHub reads it."""
    lines = [
        [in_markdown(header.text) for header in table.headers],
        ["---:" if header.numeric else "---" for header in table.headers],
        *([in_markdown(cell.text) for cell in row.cells] for row in table.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "×": r"$\times$", "≥": r"$\geq$",
    "µ": r"$\mu$", "α": r"$\alpha$", "−": "$-$",
})  # fmt: skip
_BETTER = {"lower": r" $\downarrow$", "higher": r" $\uparrow$", "": ""}


def to_latex(table: Table) -> str:
    """The table with booktabs: in columns where one way is better the best is bold, the second underlined."""
    ranks = [_ranked(header, table.rows, i) for i, header in enumerate(table.headers)]
    rows = [
        [_in_latex(cell.text, ranks[i].get(number, "")) for i, cell in enumerate(row.cells)]
        for number, row in enumerate(table.rows)
    ]
    heads = [f"{header.text.translate(_LATEX)}{_BETTER[header.better]}" for header in table.headers]
    body = "".join(f"    {' & '.join(row)} \\\\\n" for row in rows)
    return (
        f"% {' '.join(table.caption.split())}\n"
        "\\begin{tabular}{" + "".join("r" if header.numeric else "l" for header in table.headers) + "}\n"
        f"    \\toprule\n    {' & '.join(heads)} \\\\\n    \\midrule\n"
        f"{body}    \\bottomrule\n\\end{{tabular}}\n"
    )


def _ranked(header: Header, rows: Sequence[Row], column: int) -> dict[int, str]:
    """Row → the LaTeX command for it: equal values share theirs."""
    known = {number: sort for number, row in enumerate(rows) if (sort := row.cells[column].sort) is not None}
    best = sorted(set(known.values()), reverse=header.better == "higher")
    if not header.better or len(best) < 2:
        return {}
    return {
        number: "textbf" if value == best[0] else "underline"
        for number, value in known.items()
        if value in best[:2]
    }


def _in_latex(text: str, command: str) -> str:
    plain = text.translate(_LATEX)
    return f"\\{command}{{{plain}}}" if command else plain
