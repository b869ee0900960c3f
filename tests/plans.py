"""Plans of cells in this process, as an executor asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchsuite.results.record import Cell
from benchsuite.runner.plans import Planning
from benchsuite.worker import calls
from benchsuite.worker.reply import Answer, Plan


def plans_of(cells: Sequence[Cell]) -> list[Answer[Plan]]:
    """The plan of each cell; raises UsageError."""
    return Planning(_ask).plans(cells)


def _ask(function: str, *arguments: object, timeout_s: float | None = None) -> Answer[Any]:
    answer: Answer[Any] = getattr(calls, function)(*arguments)
    return answer
