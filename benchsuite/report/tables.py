"""Tables of the page as typed rows: text to read and a value to sort by."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from benchsuite.report.columns import Better


@dataclass(frozen=True, slots=True)
class TableCell:
    """What one cell of a table says.

    Attributes:
        sort: None where it has no value, which sorts last.
        shown: what a page shows in place of the text.
    """

    text: str
    sort: float | str | None = None
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
