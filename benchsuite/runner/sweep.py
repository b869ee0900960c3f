"""The sweep: an executor measures group by group what is missing, and each record is safe on disk at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchsuite.results.devices import kind_of
from benchsuite.results.machine import device_identity
from benchsuite.results.record import Record
from benchsuite.results.stored_records import RecordsInOrder
from benchsuite.runner.estimate import expected_s
from benchsuite.runner.executors.executor import ComparisonGroup, Executor, WorkerSettings
from benchsuite.runner.observer import Observer
from benchsuite.runner.prepare import Prepared
from benchsuite.runner.recorder import RunRecorder
from benchsuite.scenario.groups import groups


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Result of a sweep.

    Attributes:
        records: one for every cell that was measured, now or earlier, in the order of the scenario; those of
            now are read from disk when they are asked for.
        missing: cells that are not done, because the sweep was asked to stop; some may have a record of a few
            rounds.
        stopped: whether it was, and left something to do.
        environments: session → its machine.
        wall_s: seconds from the first cell to the last; None of a run that was gone on with, whose cells may
            have had rounds before.
    """

    folder: Path
    records: Sequence[Record]
    measured: int
    missing: int = 0
    stopped: bool = False
    environments: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    wall_s: float | None = None


def run_sweep(
    prepared: Prepared,
    folder: Path,
    executor: Executor,
    observer: Observer,
    stopping: Callable[[], bool] = lambda: False,
) -> SweepResult:
    """Measure every cell that has no record yet, on an executor.

    Args:
        stopping: asked between visits; once it is true, the sweep ends as soon as it can.

    Raises:
        RunFolderError: the folder is taken, written by another process, or cannot be written.
        StorageError: a record could not be written.
        ExecutorFailed: the executor has no workers any more.
    """
    todo = prepared.todo
    if not todo:
        return SweepResult(folder, _in_order(prepared, prepared.kept), measured=0)
    ceilings = _ceilings(prepared)
    environment = _environment(prepared, executor, ceilings) if executor.one_place else None
    recorder = RunRecorder(prepared, folder, observer, environment, executor.name)
    unfinished = True
    observer.begin(total=len(prepared.cells), done=len(prepared.cells) - len(todo))
    began = time.monotonic()
    try:
        if executor.one_place:
            recorder.keep_untried()
        executor.recover([prepared.cells[position] for position in todo], recorder)
        due = _groups(prepared, recorder, sized=not executor.one_place)
        for record in executor.run(due, _settings(prepared, ceilings), recorder, stopping):
            recorder.keep(record)
        if not recorder.session:  # nothing was tried, so no worker has described its machine
            recorder.open_session(prepared.environment)
        wall_s = time.monotonic() - began
        recorder.require_there()
        records = _in_order(prepared, recorder.records)
        missing = len(prepared.cells) - sum(not record.interrupted for record in records)
        unfinished = bool(missing)
    finally:
        observer.end()
        recorder.close(unfinished=unfinished)
    return SweepResult(
        folder, records, recorder.measured, missing=missing, stopped=unfinished,
        environments=recorder.environments, wall_s=None if prepared.earlier else wall_s,
    )  # fmt: skip


def _groups(prepared: Prepared, recorder: RunRecorder, *, sized: bool) -> list[ComparisonGroup]:
    """The comparison groups that miss cells; what cannot be built on "meta", or is too large, is left out.

    Args:
        sized: estimate how long each takes, for executors that begin with the longest.
    """
    records = recorder.records
    seconds = [0.0] * len(prepared.cells)
    if sized:
        seconds = expected_s(prepared.cells, prepared.plans, prepared.scenario.measure, prepared.stored)
    due_groups = []
    for group in groups(prepared.cells):
        tried = [i for i in group if prepared.plans[i].failure is None]
        due = [i for i in tried if prepared.cells[i].id not in records]
        if not due:
            continue
        kept = [records[prepared.cells[i].id] for i in tried if prepared.cells[i].id in records]
        machines = (recorder.environments.get(record.session, {}) for record in kept)
        due_groups.append(
            ComparisonGroup(
                cells=tuple(prepared.cells[i] for i in due),
                whole=tuple(prepared.cells[i] for i in tried),
                measured_on=frozenset(map(device_identity, machines)),
                seconds=sum(seconds[i] for i in due),
            )
        )
    return due_groups


def _settings(prepared: Prepared, ceilings: Mapping[str, tuple[str, ...]]) -> dict[str, WorkerSettings]:
    """How to measure on each device."""
    return {
        device: WorkerSettings(
            device=device,
            measure=prepared.scenario.measure,
            pythonpath=tuple(prepared.settings.get("pythonpath", ())),
            command=tuple(prepared.environment.get("command", ())),
            ceilings=ceilings.get(device, ()),
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


def _environment(
    prepared: Prepared, executor: Executor, ceilings: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """The machine as described, with the ceilings of its devices, if cells are to be timed on them."""
    gpus = {cell.device for cell in prepared.cells if not kind_of(cell.device).on_host}
    environment = {
        **prepared.environment,
        "groups_on_host": max(1, len(gpus)),  # GPUs work side by side
        "executor": executor.name,
    }
    for device, dtypes in ceilings.items():
        for threads in dict.fromkeys(cell.threads for cell in prepared.cells if cell.device == device):
            measured = executor.planner.ceilings(device, dtypes, threads)
            environment.setdefault("ceilings", []).append(measured)
    return environment


def _in_order(prepared: Prepared, records: Mapping[str, Record]) -> RecordsInOrder:
    ids = (cell.id for cell in prepared.cells)
    return RecordsInOrder(records, [id for id in ids if id in records])
