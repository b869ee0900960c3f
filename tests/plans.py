"""Plans of cells in this process, as an executor asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchsuite.results.record import Cell
from benchsuite.runner.plan import CellPlanner
from benchsuite.worker import calls
from benchsuite.worker.worker_reply import Plan, WorkerReply


def plans_of(cells: Sequence[Cell]) -> list[WorkerReply[Plan]]:
    """The plan of each cell; raises UsageError."""
    return CellPlanner(_ask).plans(cells)


def _ask(function: str, *arguments: object, timeout_s: float | None = None) -> WorkerReply[Any]:
    answer: WorkerReply[Any] = getattr(calls, function)(*arguments)
    return answer
