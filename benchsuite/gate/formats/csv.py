"""A gate as CSV: a row a cell, full precision, empty where a number is missing."""

from __future__ import annotations

import csv
import io
import math

from benchsuite.gate.formats.wording import change_words, one_line
from benchsuite.gate.result import GateCell, GateResult
from benchsuite.text import in_spreadsheet

COLUMNS = (
    "cell", "verdict", "base_status", "candidate_status", "base_s", "candidate_s", "ratio", "ratio_lo",
    "ratio_hi", "delta", "pairs", "reason", "changes", "accepted",
)  # fmt: skip


def to_csv(result: GateResult) -> str:
    """The file's text; of a refused gate one row says why."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    if result.refused:
        writer.writerow(["", "not comparable", *[""] * 9, _plain(result.refused), "", ""])
    for cell in result.cells:
        writer.writerow(_row(cell))
    return out.getvalue()


def _row(cell: GateCell) -> list[str]:
    one = cell.decision
    numbers = [cell.base_s, cell.candidate_s]
    numbers += [one.ratio, one.lo, one.hi, one.delta] if one else [None] * 4
    everything = (change_words(changes, len(changes)) for changes in (cell.changes, cell.accepted))
    return [
        _plain(cell.id),
        cell.verdict,
        cell.base or "",
        cell.candidate or "",
        *("" if x is None or math.isnan(x) else repr(x) for x in numbers),
        str(one.pairs) if one else "",
        _plain(cell.reason),
        *map(_plain, everything),
    ]


def _plain(text: str) -> str:
    return in_spreadsheet(one_line(text))
