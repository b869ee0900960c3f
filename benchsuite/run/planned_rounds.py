"""Cells of a large sweep: planned when they are due, then measured in rounds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

from benchsuite.errors import UsageError, WorkerDied
from benchsuite.results.record import Cell, Failure
from benchsuite.run.answer import Answer, Plan
from benchsuite.run.executor import Executor
from benchsuite.run.outcome import Outcome, now
from benchsuite.run.rounds import measure_in_rounds
from benchsuite.scenario.measure import Measure


def planned_rounds(
    cells: Sequence[Cell],
    measure: Measure,
    executor: Executor,
    *,
    begins: Callable[[Cell], None],
    stopping: Callable[[], bool],
    **journal: Any,
) -> Generator[tuple[Cell, Outcome], None, None]:
    """Plan cells, then `measure_in_rounds`; outcomes carry what was counted.

    Args:
        journal: `round_begins`, `earlier` and `visited` of that.

    What cannot be built on "meta", or is too large, is yielded with the reason and not tried.
    """
    if stopping():
        return
    plans = dict(zip((cell.id for cell in cells), _plans_of(cells, executor), strict=True))
    tried = []
    for cell in cells:
        plan = plans[cell.id]
        if plan.failure is None:
            tried.append(cell)
            continue
        begins(cell)
        cost = plan.value.cost if plan.value else None
        yield cell, Outcome(plan.status, plan.failure, cost=cost, started_at=now())
    measured = measure_in_rounds(tried, measure, executor, begins=begins, stopping=stopping, **journal)
    with contextlib.closing(measured):
        for cell, outcome in measured:
            found = plans[cell.id].value
            yield cell, replace(outcome, cost=found.cost) if found else outcome


def _plans_of(cells: Sequence[Cell], executor: Executor) -> list[Answer[Plan]]:
    """The plan of each; a cell that spoils it for all becomes a failure of its own."""
    try:
        return executor.plan(cells)
    except (UsageError, WorkerDied) as error:
        if len(cells) > 1:
            return [plan for cell in cells for plan in _plans_of([cell], executor)]
        wrong = isinstance(error, UsageError)
        stage = "build" if wrong else "worker"
        failure = Failure(stage=stage, kind=type(error).__name__, message=str(error))
        return [Answer(status="error" if wrong else "crash", failure=failure)]
