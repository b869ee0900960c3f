"""Rows of a gate that Markdown and HTML share: columns, and what stands in them."""

from __future__ import annotations

from dataclasses import dataclass

from benchsuite.format import significant
from benchsuite.gate.formats.wording import VERDICT_WORDS, labels, ratio_words, why
from benchsuite.gate.result import GateCell, GateResult
from benchsuite.report.words import scale_of


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `values` holds a number to sort by, or None, for each cell id that has one."""

    head: str
    texts: dict[str, str]
    numeric: bool = False
    values: dict[str, float] | None = None


def columns(result: GateResult) -> list[Column]:
    """Label, verdict, times of both sides in one unit, ratio, and why; no times where none were compared."""
    cells = result.cells
    found = [
        Column("cell", labels(result)),
        Column("verdict", {c.id: VERDICT_WORDS[c.verdict] for c in cells}),
    ]
    if any(cell.base_s is not None or cell.candidate_s is not None for cell in cells):
        found += _times(cells)
    return [*found, Column("why", {cell.id: why(cell) for cell in cells})]


def _times(cells: tuple[GateCell, ...]) -> list[Column]:
    sides = {
        "base": {cell.id: cell.base_s for cell in cells if cell.base_s is not None},
        "candidate": {cell.id: cell.candidate_s for cell in cells if cell.candidate_s is not None},
    }
    factor, unit = scale_of((time for side in sides.values() for time in side.values()), "s")
    return [
        *(
            Column(
                f"{side} ({unit})", {id: significant(s / factor, 4) for id, s in times.items()}, True, times
            )
            for side, times in sides.items()
        ),
        Column(
            "ratio",
            {cell.id: ratio_words(cell) for cell in cells},
            True,
            {cell.id: cell.decision.ratio for cell in cells if cell.decision and ratio_words(cell)},
        ),
    ]
