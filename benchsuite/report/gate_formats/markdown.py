"""A gate as Markdown: a summary of a CI job, and a comment on a pull request, each within the host's limit.

A host drops what is too long as a whole, so rows are left out, the best first, and the text says how many.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchsuite.analyse.gate_result import REGRESSIONS, GateCell, GateResult
from benchsuite.report.gate_formats.words import (
    VERDICT_WORDS,
    chance_words,
    detail,
    headline,
    one_line,
    ordered,
    ratio_words,
)
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
_MARK = "<!-- benchsuite gate -->"
"""First line of a comment, by which a job finds its own of before."""


def to_markdown(result: GateResult) -> str:
    """A step summary: every cell, the worst first, as far as 1 MiB reaches."""
    return _page(result, ordered(result.cells), SUMMARY_BYTES, "the JSON, CSV or JUnit file has all of them")


def to_comment(result: GateResult, link: str = "") -> str:
    """A comment: the worst 20 cells, and where the others are.

    Args:
        link: address of the job or its summary. Without one the text says how to make the whole table.
    """
    more = f"[all of them]({_address(link)})" if _address(link) else "the summary of the job has all of them"
    rows = ordered(result.cells)[:COMMENT_ROWS]
    return f"{_MARK}\n{_page(result, rows, COMMENT_BYTES - len(_MARK) - 1, more)}"


def escaped(text: str, longest: int = _WIDEST) -> str:
    """Text that Markdown, a table's cell or HTML take as it stands; cut where it is too long.

    "@" is escaped by an entity, since a name must not call a person.
    """
    short = one_line(text)
    short = f"{short[: longest - 1]}…" if len(short) > longest else short
    entities = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;", "@": "&#64;", "`": "&#96;"}
    return _SPECIAL.sub(lambda found: entities.get(found[1], f"\\{found[1]}"), short)


def _page(result: GateResult, cells: Sequence[GateCell], most: int, more: str) -> str:
    """The page with as many rows as fit."""
    head = "\n".join(_head(result))
    foot = "\n".join(_foot(result))
    room = most - 1 - len(f"{head}\n\n{foot}\n".encode()) - 300  # for the line that says what is left out
    rows: list[str] = []
    for cell in cells:
        row = _row(cell)
        room -= len(row.encode()) + 1
        if room < 0:
            break
        rows.append(row)
    left_out = len(result.cells) - len(rows)
    said = f"\n\n{left_out} more cells are not shown, none worse than these; {more}." if left_out else ""
    titles = "| cell | verdict | ratio, candidate / base | why |\n|---|---|---|---|\n"
    table = titles + "\n".join(rows) if rows else ""
    return "\n\n".join(filter(None, (head, table + said, foot))) + "\n"


def _head(result: GateResult) -> list[str]:
    icon = "❌" if result.refused or result.of(*REGRESSIONS) or not result.cells else "✅"
    icon = "⚠️" if icon == "✅" and result.strict_exit_code else icon
    lines = [f"## {icon} benchsuite gate: {escaped(result.scenario)}", "", escaped(headline(result), 2000)]
    known = {"Base": result.base, "Candidate": result.candidate, "Machine": result.machine}
    lines += ["", *(f"- {name}: {escaped(text, _LONGEST_LINE)}" for name, text in known.items() if text)]
    if result.rule is not None and not result.refused:
        lines.append(
            f"- Rule: slower, if the {100 * result.rule.confidence:g} % interval of the ratio lies above "
            f"{1 + result.rule.delta:g}, or above the cell's own noise if that is larger"
        )
    return lines


def _foot(result: GateResult) -> list[str]:
    differences = [
        f"{one.level}: {one.label}: {one.old} → {one.new} ({one.why})" for one in result.differences[:20]
    ]
    lines = [*differences, *result.notes[:20], *filter(None, [chance_words(result)])]
    found = [f"- {escaped(line, _LONGEST_LINE)}" for line in lines]
    if result.command:
        fence = "~~~~"
        command = in_xml(result.command).replace(fence, "").replace("\n", " ")[:2000]
        found += ["", "Again:", "", fence, command, fence]
    return found


def _row(cell: GateCell) -> str:
    texts = (cell.id, VERDICT_WORDS[cell.verdict], ratio_words(cell), detail(cell))
    return "| " + " | ".join(escaped(text) for text in texts) + " |"


def _address(link: str) -> str:
    """The link if it is a plain web address, else nothing."""
    return link if re.fullmatch(r"https?://[^\s()<>\[\]\"']{1,2000}", link) else ""
