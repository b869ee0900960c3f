"""A part of a page that is mostly words: what comparisons and histories are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchsuite.report.tables import Table


@dataclass(frozen=True)
class Section:
    """A heading, what is said under it, and its tables."""

    key: str
    title: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...] = ()


def texts(table: Table) -> list[dict[str, str]]:
    """The rows of a table by heading, as text."""
    heads = [header.text for header in table.headers]
    return [dict(zip(heads, (cell.text for cell in row.cells), strict=True)) for row in table.rows]


def trimmed(table: Table) -> Table:
    """The table without columns that say nothing."""
    kept = [i for i in range(len(table.headers)) if any(row.cells[i].text for row in table.rows)]
    rows = tuple(replace(row, cells=tuple(row.cells[i] for i in kept)) for row in table.rows)
    return replace(table, headers=tuple(table.headers[i] for i in kept), rows=rows)


def present(*sections: Section | None) -> Iterator[Section]:
    """Those that there are."""
    yield from (section for section in sections if section is not None)
