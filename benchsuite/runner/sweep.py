"""The sweep: an engine measures group by group what is missing, and each record is safe on disk at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchsuite.results.record import Cell, Record
from benchsuite.results.store import RunWriter, check_free
from benchsuite.results.stored import InOrder
from benchsuite.runner.executors.executor import Engine, Job, Setup, place
from benchsuite.runner.executors.local import LocalEngine
from benchsuite.runner.prepare import INTERRUPTED, Prepared
from benchsuite.runner.recorder import Keeper
from benchsuite.runner.schedule import expected_s
from benchsuite.runner.workers import Executor
from benchsuite.scenario.groups import groups


class Observer(Protocol):
    """Is told how the sweep goes; draws it, or not."""

    def begin(self, total: int, done: int) -> None:
        """The sweep has `total` cells, of which `done` are there already."""
        ...

    def round_begins(self, number: int, cells: int) -> None:
        """A round of so many cells begins, the first being 1."""
        ...

    def cell_begins(self, cell: Cell) -> None:
        """A cell is about to be measured, or visited once more."""
        ...

    def cell_ends(self, record: Record) -> None:
        """A record is on disk."""
        ...

    def workers(self, doing: Mapping[str, str]) -> None:
        """What each of several workers is doing now, in words."""
        ...

    def end(self) -> None:
        """The sweep is over, or was broken off."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep left.

    Attributes:
        records: one for every cell that was measured, now or earlier, in the order of the scenario; those of
            now are read from disk when they are asked for.
        missing: cells without a record, because the sweep was asked to stop.
        stopped: whether it was, and left something to do.
    """

    folder: Path
    records: Sequence[Record]
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
    """`run_on` the devices of this machine."""
    return run_on(prepared, folder, LocalEngine(executor), observer, stopping)


def run_on(
    prepared: Prepared,
    folder: Path,
    engine: Engine,
    observer: Observer,
    stopping: Callable[[], bool] = lambda: False,
) -> Sweep:
    """Measure every cell that has no record yet, on an engine.

    Args:
        stopping: asked between visits; once it is true, the sweep ends as soon as it can.

    Raises:
        RunFolderError: the folder is taken, written by another process, or cannot be written.
        StorageError: a record could not be written.
        EngineError: the engine has no workers any more.
    """
    todo = prepared.todo
    if not todo:
        return Sweep(folder, _in_order(prepared, prepared.kept), measured=0)
    environment = _environment(prepared, engine) if engine.one_place else None
    if prepared.earlier is None:
        check_free(folder)
        writer = RunWriter.create(folder, prepared.document, environment)
    else:
        writer = RunWriter.resume(folder, environment)
    keeper = Keeper(prepared, writer, observer, engine.name)
    unfinished = True
    observer.begin(total=len(prepared.cells), done=len(prepared.cells) - len(todo))
    try:
        if engine.one_place:
            keeper.untried()
        engine.recover([prepared.cells[position] for position in todo], keeper)
        engine.run(_jobs(prepared, keeper), _setups(prepared), keeper, stopping)
        if not keeper.session:  # nothing was tried, so no worker has described its machine
            keeper.place(prepared.environment)
        writer.require_there()
        records = _in_order(prepared, keeper.records)
        missing = len(prepared.cells) - len(records)
        cut = any(record.timing and record.timing.stopped_by == INTERRUPTED for record in records)
        unfinished = bool(missing or cut)
    finally:
        observer.end()
        keeper.close(unfinished=unfinished)
        writer.close()
    return Sweep(folder, records, keeper.measured, missing=missing, stopped=unfinished)


def _jobs(prepared: Prepared, keeper: Keeper) -> list[Job]:
    """The comparison groups that miss cells; what cannot be built on "meta", or is too large, is left out."""
    records = keeper.records
    measure = prepared.scenario.measure
    seconds = expected_s(prepared.cells, prepared.plans, measure, prepared.stored)
    jobs = []
    for group in groups(prepared.cells):
        tried = [i for i in group if prepared.plans[i].failure is None]
        due = [i for i in tried if prepared.cells[i].id not in records]
        if not due:
            continue
        kept = [records[prepared.cells[i].id] for i in tried if prepared.cells[i].id in records]
        jobs.append(
            Job(
                cells=tuple(prepared.cells[i] for i in due),
                group=tuple(prepared.cells[i] for i in tried),
                places=frozenset(place(keeper.environments.get(record.session, {})) for record in kept),
                seconds=sum(seconds[i] for i in due),
            )
        )
    return jobs


def _setups(prepared: Prepared) -> dict[str, Setup]:
    """How to measure on each device."""
    measure = prepared.scenario.measure
    wanted = _ceilings(prepared)
    return {
        device: Setup(
            device=device,
            measure=measure,
            pythonpath=tuple(prepared.settings.get("pythonpath", ())),
            command=tuple(prepared.environment.get("command", ())),
            ceilings=wanted.get(device, ()),
            planned=prepared.planned,
        )
        for device in dict.fromkeys(cell.device for cell in prepared.cells)
    }


def _ceilings(prepared: Prepared) -> dict[str, tuple[str, ...]]:
    """Device → the formats in which its ceilings are wanted, where cells are to be timed on it."""
    measure = prepared.scenario.measure
    if not measure.ceilings or "latency" not in measure.metrics:
        return {}
    due = [prepared.cells[i] for i in prepared.todo if prepared.plans[i].failure is None]
    return {
        device: tuple(dict.fromkeys(cell.dtype for cell in due if cell.device == device))
        for device in dict.fromkeys(cell.device for cell in due)
    }


def _environment(prepared: Prepared, engine: Engine) -> dict[str, Any]:
    """The machine as described, and what its devices do at most, if cells are to be timed on them."""
    wanted = _ceilings(prepared)
    gpus = {cell.device for cell in prepared.cells if cell.device.startswith("cuda")}
    # GPUs work side by side
    shared = {"groups_on_host": max(1, len(gpus)), "executor": engine.name}
    if not wanted:
        return {**prepared.environment, **shared}
    found = [
        engine.planner.ceilings(device, dtypes, threads)
        for device, dtypes in wanted.items()
        for threads in dict.fromkeys(cell.threads for cell in prepared.cells if cell.device == device)
    ]
    return {**prepared.environment, **shared, "ceilings": found}


def _in_order(prepared: Prepared, records: Mapping[str, Record]) -> InOrder:
    ids = (cell.id for cell in prepared.cells)
    return InOrder(records, [id for id in ids if id in records])
