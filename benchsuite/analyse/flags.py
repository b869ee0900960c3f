"""What makes the samples of a cell suspicious. Nothing is dropped for a flag; the report shows it."""

from __future__ import annotations

from benchsuite.results.record import Cell, Conditions, Timing


def flags(cell: Cell, timing: Timing | None, conditions: Conditions | None) -> tuple[str, ...]:
    """The flags of a cell, in a fixed order."""
    return ()
