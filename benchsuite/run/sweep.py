"""The sweep: group by group, every missing cell is measured, and its record is safe on disk at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchsuite.analyse.flags import flags
from benchsuite.results.record import Cell, Failure, Record
from benchsuite.results.store import RunWriter, check_free
from benchsuite.run.answer import Answer, Plan
from benchsuite.run.executor import Executor
from benchsuite.run.lanes import Lane, run_lanes
from benchsuite.run.prepare import INTERRUPTED, Prepared
from benchsuite.run.turns import Outcome, now, take_turns
from benchsuite.scenario.expand import expected
from benchsuite.scenario.groups import groups


class Observer(Protocol):
    """Is told how the sweep goes; draws it, or not."""

    def begin(self, total: int, done: int) -> None:
        """The sweep has `total` cells, of which `done` are there already."""
        ...

    def cell_begins(self, cell: Cell) -> None:
        """A cell is about to be measured, or visited once more."""
        ...

    def cell_ends(self, record: Record) -> None:
        """A record is on disk."""
        ...

    def end(self) -> None:
        """The sweep is over, or was broken off."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep left.

    Attributes:
        records: one for every cell that was measured, now or earlier, in the order of the scenario.
        missing: cells without a record, because the sweep was asked to stop.
        stopped: whether it was, and left something to do.
    """

    folder: Path
    records: tuple[Record, ...]
    measured: int
    missing: int = 0
    stopped: bool = False


def run(
    prepared: Prepared,
    folder: Path,
    executor: Executor,
    observer: Observer,
    stopping: Callable[[], bool] = lambda: False,
) -> Sweep:
    """Measure every cell that has no record yet.

    Args:
        stopping: asked between visits; once it is true, the sweep ends as soon as it can.

    Raises:
        RunFolderError: the folder is taken, written by another process, or cannot be written.
        StorageError: a record could not be written.
    """
    todo = prepared.todo
    if not todo:
        return Sweep(folder, _in_order(prepared, prepared.kept), measured=0)
    if prepared.earlier is None:
        check_free(folder)
        writer = RunWriter.create(folder, prepared.document, _environment(prepared, executor))
    else:
        writer = RunWriter.resume(folder, _environment(prepared, executor))
    keeper = _Keeper(prepared, writer, observer)
    observer.begin(total=len(prepared.cells), done=len(prepared.cells) - len(todo))
    try:
        keeper.skipped()
        cells = [prepared.cells[position] for position in todo]
        grouped = [[todo[i] for i in group] for group in groups(cells)]
        lanes = _lanes(prepared.cells, grouped)
        run_lanes(
            lanes,
            executor,
            lambda group, engine: _group(group, prepared, engine, keeper, stopping),
            keeper.broken,
        )
    finally:
        observer.end()
        writer.close()
    records = _in_order(prepared, keeper.records)
    missing = len(prepared.cells) - len(records)
    cut = any(record.timing and record.timing.stopped_by == INTERRUPTED for record in records)
    return Sweep(folder, records, keeper.measured, missing=missing, stopped=bool(missing or cut))


def _environment(prepared: Prepared, executor: Executor) -> dict[str, Any]:
    """The machine as described, and what its devices do at most, if cells are to be timed on them."""
    measure = prepared.scenario.measure
    due = [prepared.cells[i] for i in prepared.todo if prepared.plans[i].failure is None]
    if not measure.ceilings or "latency" not in measure.metrics or not due:
        return dict(prepared.environment)
    found = []
    for device in dict.fromkeys(cell.device for cell in due):
        dtypes = dict.fromkeys(cell.dtype for cell in due if cell.device == device)
        found.append(executor.ceilings(device, tuple(dtypes)))
    return {**prepared.environment, "ceilings": found}


class _Keeper:
    """Makes records of outcomes and keeps them, on disk and here; lanes may call it at the same time."""

    def __init__(self, prepared: Prepared, writer: RunWriter, observer: Observer) -> None:
        self.records: dict[str, Record] = dict(prepared.kept)
        self.measured = 0
        self.broken = threading.Event()
        self._prepared = prepared
        self._writer = writer
        self._observer = observer
        self._lock = threading.Lock()

    def begins(self, cell: Cell) -> None:
        with self._lock:
            self._observer.cell_begins(cell)

    def keep(self, cell: Cell, plan: Answer[Plan], outcome: Outcome) -> None:
        record = _record(cell, plan, outcome, self._prepared, self._writer.session)
        with self._lock:
            if self.broken.is_set():  # a worker that was ended from here would look like a crash
                return
            self._writer.append(record)
            self.records[record.id] = record
            self.measured += 1
            self._observer.cell_ends(record)

    def skipped(self) -> None:
        """Keep a record of every cell that a rule excludes, with the rule."""
        for cell, reason in self._prepared.excluded:
            if cell.id not in self._prepared.stored:
                failure = Failure(stage="plan", kind="Excluded", message=reason)
                outcome = Outcome(status="skipped", failure=failure, started_at=now())
                self._writer.append(_record(cell, Answer(), outcome, self._prepared, self._writer.session))


def _lanes(cells: Sequence[Cell], grouped: Sequence[Sequence[int]]) -> list[Lane[Sequence[int]]]:
    found: dict[str, list[Sequence[int]]] = {}
    for group in grouped:
        found.setdefault(cells[group[0]].device, []).append(group)
    return [Lane(device, tuple(work)) for device, work in found.items()]


def _group(
    group: Sequence[int],
    prepared: Prepared,
    executor: Executor,
    keeper: _Keeper,
    stopping: Callable[[], bool],
) -> bool:
    """Measure one comparison group; False if the sweep is to stop.

    What could not be built on "meta", or is too large, is not tried on the device.
    """
    if stopping():
        return False
    plans = {prepared.cells[i].id: prepared.plans[i] for i in group}
    cells = [prepared.cells[i] for i in group]
    for cell in cells:
        plan = plans[cell.id]
        if plan.failure is not None:
            keeper.begins(cell)
            keeper.keep(cell, plan, Outcome(plan.status, plan.failure, started_at=now()))
    tried = [cell for cell in cells if plans[cell.id].failure is None]
    turns = take_turns(tried, prepared.scenario.measure, executor, begins=keeper.begins, stopping=stopping)
    with contextlib.closing(turns):  # not whenever it is collected: the workers may be gone by then
        for cell, outcome in turns:
            keeper.keep(cell, plans[cell.id], outcome)
    return not stopping()


def _record(cell: Cell, plan: Answer[Plan], outcome: Outcome, prepared: Prepared, session: int) -> Record:
    scenario = prepared.scenario
    return Record(
        id=cell.id,
        cell=cell,
        status=outcome.status,
        failure=outcome.failure,
        expected=outcome.status not in ("ok", "skipped") and expected(scenario, cell, outcome.status),
        cost=plan.value.cost if plan.value and "cost" in scenario.measure.metrics else None,
        timing=outcome.timing,
        memory=outcome.memory,
        started_at=outcome.started_at or now(),
        seconds=round(outcome.seconds, 6),
        session=session,
        attempts=outcome.attempts,
        compilation=outcome.compilation,
        check=outcome.check,
        energy=outcome.energy,
        conditions=outcome.conditions,
        flags=flags(cell, outcome.timing, outcome.conditions),
    )


def _in_order(prepared: Prepared, records: Mapping[str, Record]) -> tuple[Record, ...]:
    return tuple(records[cell.id] for cell in prepared.cells if cell.id in records)
