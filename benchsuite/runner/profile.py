"""A pass over cells that tells where their time goes: a trace of each, its largest operators in its record.

Apart from any run that times: a profiled step is slower. The cells are those of a scenario, which gives a run
of its own, or those that a run has measured, whose records then get their profile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.measurement.operator_profile import Reading
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record, now
from benchsuite.results.store import Run, RunWriter, check_free, read_run
from benchsuite.runner.observer import Observer
from benchsuite.runner.prepare import Prepared
from benchsuite.runner.workers import Workers
from benchsuite.scenario.expand import expected
from benchsuite.scenario.filters import leaves_none, parse
from benchsuite.scenario.measure_settings import Measure
from benchsuite.scenario.model import Scenario
from benchsuite.worker.worker_reply import Plan, WorkerReply

TRACES = "traces"
"""Folder of a run folder that holds one folder a cell, which TensorBoard shows as its run, with its trace."""
TRACE = "benchsuite.pt.trace.json.gz"
"""By this ending TensorBoard's plugin knows a trace; what stands in front is a worker's name to it."""


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """Settings of a profile.

    Attributes:
        steps: profiled steps a cell.
        top: how many operators, and how many kernels, a record keeps.
    """

    steps: int = 5
    top: int = 20


@dataclass(frozen=True, slots=True)
class Profiled:
    """Result of the pass.

    Attributes:
        records: of the cells that it was to profile, in their order.
        readings: of those that could be, by cell.
        failures: cell → why not, for cells that have a good record all the same.
        missing: cells that were not come to, because the pass was asked to stop.
    """

    folder: Path
    records: tuple[Record, ...]
    readings: Mapping[str, Reading] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0


def trace_of(folder: Path, cell: str) -> Path:
    """Where the trace of a cell lies; profiling it again overwrites the file."""
    return folder / TRACES / cell / TRACE


def profile_scenario(
    prepared: Prepared,
    folder: Path,
    workers: Workers,
    observer: Observer,
    wanted: ProfileSettings,
    stopping: Callable[[], bool] = lambda: False,
) -> Profiled:
    """Profile every cell of a scenario into a run of its own, whose records hold neither time nor memory.

    Args:
        stopping: asked between cells; once it is true, the others are left.

    Raises:
        RunFolderError: the folder is taken, or cannot be written.
        StorageError: a record could not be written.
    """
    check_free(folder)
    writer = RunWriter.create(folder, _document(prepared, wanted), prepared.environment)
    measure = prepared.scenario.measure
    records: list[Record] = []
    readings: dict[str, Reading] = {}
    observer.begin(total=len(prepared.cells), done=0)
    try:
        for cell, plan in zip(prepared.cells, prepared.plans, strict=True):
            if stopping():
                break
            observer.cell_begins(cell)
            started, start = now(), time.monotonic()
            reply: WorkerReply[Reading] = WorkerReply(status=plan.status, failure=plan.failure)
            if plan.failure is None:
                reply = _ask(workers, cell, measure, folder, wanted)
            if reply.value is not None:
                readings[cell.id] = reply.value
            record = _record(cell, plan, reply, prepared, writer.session)
            record = replace(record, started_at=started, seconds=round(time.monotonic() - start, 6))
            writer.append(record)
            records.append(record)
            observer.cell_ends(record, prepared.environment)
    finally:
        observer.end()
        writer.close()
    return Profiled(folder, tuple(records), readings, missing=len(prepared.cells) - len(records))


def profile_run(
    folder: Path,
    workers: Workers,
    observer: Observer,
    wanted: ProfileSettings,
    *,
    filter: str = "",
    command: Sequence[str] = (),
    stopping: Callable[[], bool] = lambda: False,
) -> Profiled:
    """Profile the cells of a run that ended well, and add the profiles to their records.

    Nothing else of a record changes; that of a cell that cannot be profiled stays as it is.

    Raises:
        RunFolderError: there is no run, another process writes it, or it cannot be written.
        UsageError: the filter leaves nothing to profile, or a device of the run is not present.
        StorageError: a record could not be written.
    """
    run = read_run(folder)
    scenario = _scenario(run)
    chosen = _chosen(run, filter)
    measure, settings = scenario.measure, run.scenario.get("run") or {}
    device = str(settings.get("device", "auto"))
    _, environment = workers.describe(device, measure.threads, list(command), measure.memory_limit)
    writer = RunWriter.resume(folder, environment)
    records: list[Record] = []
    readings: dict[str, Reading] = {}
    failures: dict[str, str] = {}
    observer.begin(total=len(chosen), done=0)
    try:
        for record in chosen:
            if stopping():
                break
            observer.cell_begins(record.cell)
            reply = _ask(workers, record.cell, measure, folder, wanted)
            if reply.value is not None:
                readings[record.id] = reply.value
                record = replace(record, profile=reply.value.ops)
                writer.append(record)
            elif reply.failure is not None:
                failures[record.id] = f"{reply.status}: {reply.failure.message}"
            records.append(record)
            observer.cell_ends(record, run.environments.get(record.session, {}))
    finally:
        observer.end()
        writer.close()
    return Profiled(folder, tuple(records), readings, failures, missing=len(chosen) - len(records))


def _ask(
    workers: Workers, cell: Cell, measure: Measure, folder: Path, wanted: ProfileSettings
) -> WorkerReply[Reading]:
    trace = trace_of(folder, cell.id).absolute()
    return workers.profile(cell, measure, trace, wanted.steps, wanted.top, measure.timeout_s)


def _record(
    cell: Cell, plan: WorkerReply[Plan], reply: WorkerReply[Reading], prepared: Prepared, session: int
) -> Record:
    return Record(
        id=cell.id,
        cell=cell,
        status=reply.status,
        failure=reply.failure,
        expected=reply.status != "ok"
        and expected(prepared.scenario, cell, reply.status, prepared.environment),
        cost=plan.value.cost if plan.value else None,
        not_counted=plan.value.not_counted if plan.value else "",
        started_at="",
        seconds=0.0,
        session=session,
        profile=reply.value.ops if reply.value else (),
    )


def _document(prepared: Prepared, wanted: ProfileSettings) -> dict[str, Any]:
    """The run's scenario, which measures nothing but the cost, and how it was profiled."""
    measure = prepared.scenario.measure.model_copy(update={"metrics": ("cost",)})
    scenario = prepared.scenario.model_copy(update={"measure": measure})
    how = {"profile": {"steps": wanted.steps, "top": wanted.top}}
    return scenario.to_dict() | {"run": dict(prepared.settings) | how}


def _scenario(run: Run) -> Scenario:
    return Scenario.from_dict({key: value for key, value in run.scenario.items() if key != "run"})


def _chosen(run: Run, filter: str) -> list[Record]:
    selection = parse(filter)
    good = [record for record in run.records if record.status == "ok"]
    if not good:
        raise UsageError(f"{run.path}: no cell of this run ended well, so there is none to profile")
    chosen = [record for record in good if selection.matches(record.cell)]
    if not chosen:
        raise leaves_none(selection, [record.cell for record in good])
    return chosen
