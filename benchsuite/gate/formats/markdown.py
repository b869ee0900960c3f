"""A gate as Markdown: a summary of a CI job, and a comment on a pull request, each within the host's limit.

Regressions come first, then improvements, then cells that were not compared; the rest is counted in one line.
A host drops what is too long as a whole, so rows are left out, the last first, and that line counts them too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchsuite.gate.formats.phrases import (
    GateColumn,
    columns,
    counts,
    headline,
    how_to_accept,
    notable,
    notes,
    one_line,
    ordered,
    provenance,
    tone,
)
from benchsuite.gate.result import GateCell, GateResult
from benchsuite.text import in_xml

SUMMARY_BYTES = 1 << 20
"""Of a step summary on GitHub, which must be smaller."""
COMMENT_BYTES = 64_000
"""Of a comment on GitHub: 65,536 characters, less a margin."""
COMMENT_ROWS = 20
_WIDEST = 300
"""Characters of a cell of a table."""
_LONGEST_LINE = 500
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!@$&])")
_ICONS = {"bad": "❌", "open": "⚠️", "good": "✅"}
_MARK = "<!-- benchsuite gate -->"
"""First line of a comment, by which a job finds its earlier one."""


def to_markdown(result: GateResult) -> str:
    """A step summary: cells to act on, then all others folded, as far as 1 MiB reaches."""
    cells = ordered(result)
    folded = [cell for cell in cells if not notable(cell)]
    return _page(result, folded, len(cells), SUMMARY_BYTES, "the JSON, CSV or JUnit file has all of them")


def to_comment(result: GateResult, link: str = "") -> str:
    """A comment: at most 20 cells to act on, and where the others are.

    Args:
        link: address of the job or its summary. Without one the text says how to make the whole table.
    """
    more = f"[all of them]({_address(link)})" if _address(link) else "the summary of the job has all of them"
    return f"{_MARK}\n{_page(result, [], COMMENT_ROWS, COMMENT_BYTES - len(_MARK) - 1, more)}"


def escaped(text: str, longest: int = _WIDEST) -> str:
    """Text that Markdown, a table's cell or HTML take as it stands; cut where it is too long.

    "@" is escaped by an entity, since a name must not call a person.
    """
    short = one_line(text)
    short = f"{short[: longest - 1]}…" if len(short) > longest else short
    entities = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;", "@": "&#64;", "`": "&#96;"}
    return _SPECIAL.sub(lambda found: entities.get(found[1], f"\\{found[1]}"), short)


def _page(result: GateResult, folded: Sequence[GateCell], shown: int, most: int, more: str) -> str:
    """The page with as many rows as fit: up to `shown` notable ones, then those of `folded`."""
    head = "\n".join(_head(result))
    foot = "\n".join(_foot(result))
    room = most - 1 - len(f"{head}\n\n{foot}\n".encode()) - 1500  # for heads and the line of what is left out
    heads = columns(result)
    open_, closed = [cell for cell in ordered(result) if notable(cell)][:shown], [*folded]
    rows: list[str] = []
    for cell in (*open_, *closed):
        text = _row(heads, cell)
        room -= len(text.encode()) + 1
        if room < 0:
            break
        rows.append(text)
    named = {cell.id for cell in (*open_, *closed)[: len(rows)]}
    left_out = [cell for cell in result.cells if cell.id not in named]
    parts = [head, _table(heads, rows[: len(open_)])]
    if hidden := _table(heads, rows[len(open_) :]):
        parts.append(f"<details><summary>{counts(folded)}</summary>\n\n{hidden}\n\n</details>")
    if left_out:
        parts.append(f"Not shown: {counts(left_out)}; {more}.")
    return "\n\n".join(filter(None, (*parts, foot))) + "\n"


def _table(columns: Sequence[GateColumn], rows: Sequence[str]) -> str:
    heads = " | ".join(column.head for column in columns)
    marks = "|".join("---:" if column.numeric else "---" for column in columns)
    return "\n".join([f"| {heads} |", f"|{marks}|", *rows]) if rows else ""


def _row(columns: Sequence[GateColumn], cell: GateCell) -> str:
    return "| " + " | ".join(escaped(column.texts.get(cell.id, "")) for column in columns) + " |"


def _head(result: GateResult) -> list[str]:
    return [
        f"## {_ICONS[tone(result)]} benchsuite gate: {escaped(result.scenario)}",
        "",
        escaped(headline(result), 2000),
        "",
        *(f"- {term}: {escaped(text, _LONGEST_LINE)}" for term, text in provenance(result)),
    ]


def _foot(result: GateResult) -> list[str]:
    lines = [f"- {escaped(line, _LONGEST_LINE)}" for line in notes(result)]
    if accept := how_to_accept(result):
        lines += ["", *_fenced(accept)]
    if result.command:
        lines += ["", "To repeat:", "", *_fenced(in_xml(result.command).replace("\n", " ")[:2000])]
    return lines


def _fenced(text: str) -> list[str]:
    fence = "~~~~"
    return [fence, text.replace(fence, ""), fence]


def _address(link: str) -> str:
    """The link if it is a plain web address, else nothing."""
    return link if re.fullmatch(r"https?://[^\s()<>\[\]\"']{1,2000}", link) else ""
