"""The sweep: each cell that is missing is measured and its record is safe on disk before the next begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchsuite.results.record import Cell, Cost, Record
from benchsuite.results.store import RunWriter, check_free
from benchsuite.run.executor import Executor, Outcome
from benchsuite.run.prepare import Prepared
from benchsuite.scenario.expand import expected
from benchsuite.scenario.model import Measure, Scenario

if TYPE_CHECKING:
    from benchsuite.run.worker import Answer, Plan


class Observer(Protocol):
    """Is told how the sweep goes; draws it, or not."""

    def begin(self, total: int, done: int) -> None:
        """The sweep has `total` cells, of which `done` are there already."""
        ...

    def cell_begins(self, cell: Cell) -> None:
        """A cell is about to be measured."""
        ...

    def cell_ends(self, record: Record) -> None:
        """A record is on disk."""
        ...

    def end(self) -> None:
        """The sweep is over, or was broken off."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep left: `records` has one for every cell, measured now or earlier."""

    folder: Path
    records: tuple[Record, ...]
    measured: int


def run(prepared: Prepared, folder: Path, executor: Executor, observer: Observer) -> Sweep:
    """Measure every cell that has no record yet.

    Raises:
        RunFolderError: the folder is taken or cannot be written.
    """
    records = {record.id: record for record in prepared.earlier.records} if prepared.earlier else {}
    todo = [pair for pair in zip(prepared.cells, prepared.plans, strict=True) if pair[0].id not in records]
    if not todo:
        return Sweep(folder, _in_order(prepared.cells, records), measured=0)
    if prepared.earlier is None:
        check_free(folder)
        writer = RunWriter.create(folder, prepared.document, prepared.environment)
    else:
        writer = RunWriter.resume(folder, prepared.environment)
    observer.begin(total=len(prepared.cells), done=len(prepared.cells) - len(todo))
    try:
        for cell, plan in todo:
            observer.cell_begins(cell)
            record = _measure(cell, plan, prepared.scenario, executor, writer.session)
            writer.append(record)
            records[record.id] = record
            observer.cell_ends(record)
    finally:
        observer.end()
        writer.close()
    return Sweep(folder, _in_order(prepared.cells, records), measured=len(todo))


def _in_order(cells: Sequence[Cell], records: dict[str, Record]) -> tuple[Record, ...]:
    return tuple(records[cell.id] for cell in cells)


def _measure(cell: Cell, plan: Answer[Plan], scenario: Scenario, executor: Executor, session: int) -> Record:
    """One cell's record. What could not be built on "meta", or is too large, is not tried on the device."""
    started_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    start = time.monotonic()
    if plan.failure is not None:
        outcome = Outcome(status=plan.status, failure=plan.failure)
    else:
        outcome = executor.measure(cell, scenario.measure)
    return Record(
        id=cell.id,
        cell=cell,
        status=outcome.status,
        failure=outcome.failure,
        expected=outcome.status != "ok" and expected(scenario, cell, outcome.status),
        cost=_cost(plan, scenario.measure),
        timing=outcome.timing,
        memory=outcome.memory,
        started_at=started_at,
        seconds=round(time.monotonic() - start, 6),
        session=session,
    )


def _cost(plan: Answer[Plan], measure: Measure) -> Cost | None:
    return plan.value.cost if plan.value and "cost" in measure.metrics else None
