"""Cells of a large sweep: planned when they are due, then measured in rounds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.results.record import Cell, Failure
from benchsuite.runner.outcome import Outcome, now
from benchsuite.runner.rounds import measure_in_rounds
from benchsuite.runner.workers import Executor
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.reply import Answer, Plan


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
    plans = dict(zip((cell.id for cell in cells), _plans_of(cells, executor, measure.timeout_s), strict=True))
    tried = []
    for cell in cells:
        plan = plans[cell.id]
        if plan.failure is None:
            tried.append(cell)
            continue
        begins(cell)
        yield cell, _counted(Outcome(plan.status, plan.failure, started_at=now()), plan)
    measured = measure_in_rounds(tried, measure, executor, begins=begins, stopping=stopping, **journal)
    with contextlib.closing(measured):
        for cell, outcome in measured:
            yield cell, _counted(outcome, plans[cell.id])


def _counted(outcome: Outcome, plan: Answer[Plan]) -> Outcome:
    found = plan.value
    return replace(outcome, cost=found.cost, not_counted=found.not_counted) if found else outcome


def _plans_of(cells: Sequence[Cell], executor: Executor, timeout_s: float) -> list[Answer[Plan]]:
    """The plan of each; a cell that spoils it for all becomes a failure of its own."""
    try:
        return executor.plan(cells, timeout_s)
    except UsageError as error:
        if len(cells) > 1:
            return [plan for cell in cells for plan in _plans_of([cell], executor, timeout_s)]
        failure = Failure(stage="build", kind=type(error).__name__, message=str(error))
        return [Answer(status="error", failure=failure)]
