"""Preparation of a run: all that can be known and refused before the first cell runs. Writes nothing."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchsuite.errors import NotComparableError, RunFolderError, ScenarioError, UsageError
from benchsuite.format import counted
from benchsuite.plugins import absolute, plugins, search_path
from benchsuite.results.cell import Cell
from benchsuite.results.comparable import manner
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Record
from benchsuite.results.store import Run, read_run
from benchsuite.runner.plan import NOT_YET, plan_cells, renamed_by_windows
from benchsuite.runner.requirements import require_allocator, require_room, require_threads
from benchsuite.runner.workers import Workers
from benchsuite.scenario.expand import expand_detailed, expected
from benchsuite.scenario.filters import leaves_none, parse
from benchsuite.scenario.load import load, resolve
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.overrides import override
from benchsuite.scenario.shards import Shard, only
from benchsuite.scenario.stored_scenario import how_to_go_on, machines
from benchsuite.scenario.yaml_tree import grown
from benchsuite.text import strings_in
from benchsuite.worker.worker_reply import Plan, WorkerReply
from benchsuite.zoo.catalogue import known_parameters

BUSY_SHARE = 0.5
"""Load a core above which a run begins with a warning."""
_WHY = {"cpu": "no GPU was chosen", "gpu": "a GPU was chosen"}


@dataclass(frozen=True, slots=True)
class Request:
    """Request of a user.

    Attributes:
        reference: path of a scenario, name of a shipped one, or the document itself; None only with `resume`.
        filter: as in `--filter`, applied to the expanded cells.
        device: overrides the scenario's device.
        pythonpath: folders with modules of the user's own mixers.
        retry: statuses of which cells are measured anew, with `resume` only.
        limits: overrides of `measure` that a resumed run may be given, though it goes on as it began.
        shard: which part of the cells to measure; None for all.
    """

    reference: str | Mapping[str, Any] | None = None
    profiles: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    filter: str = ""
    device: str | None = None
    resume: Path | None = None
    pythonpath: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    retry: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    shard: Shard | None = None


@dataclass(frozen=True)
class Prepared:
    """A sweep that is ready to run.

    Attributes:
        scenario: resolved, profiles applied.
        cells: all cells of the run; `plans` has one entry each, in a large sweep `NOT_YET`.
        excluded: cells that a rule dropped, each with the rule's reason.
        earlier: the run that is resumed.
        notes: what was decided for the user and must be said.
        retry: statuses of which the cells of `earlier` are measured anew.
    """

    scenario: Scenario
    settings: Mapping[str, Any]
    cells: tuple[Cell, ...]
    excluded: tuple[tuple[Cell, str], ...]
    plans: tuple[WorkerReply[Plan], ...]
    environment: Mapping[str, Any]
    earlier: Run | None = None
    notes: tuple[str, ...] = ()
    retry: tuple[str, ...] = ()

    @property
    def planned(self) -> bool:
        """Whether the plans are made; else whoever measures a group plans it first."""
        return NOT_YET not in self.plans[:1]

    @functools.cached_property
    def stored(self) -> dict[str, Record]:
        """The records of the run that is resumed, by cell."""
        return {record.id: record for record in self.earlier.records} if self.earlier else {}

    @functools.cached_property
    def todo(self) -> tuple[int, ...]:
        """Positions of the cells that are to be measured."""
        return tuple(i for i, cell in enumerate(self.cells) if self._is_due(self.stored.get(cell.id)))

    @functools.cached_property
    def kept(self) -> dict[str, Record]:
        """Records that stand as they are, by cell."""
        ids = (cell.id for cell in self.cells)
        return {id: self.stored[id] for id in ids if id in self.stored and not self._is_due(self.stored[id])}

    def _is_due(self, record: Record | None) -> bool:
        """Whether a cell with this record, or none, is to be measured."""
        return record is None or record.status in self.retry or record.interrupted

    @property
    def document(self) -> dict[str, Any]:
        """What is stored as the run's scenario: the scenario as resolved, and what the command line added."""
        return self.scenario.to_dict() | {"run": dict(self.settings)}


def prepare(request: Request, workers: Workers, *, every: bool = False) -> Prepared:
    """Load, resolve, expand and build (on "meta") everything; of a large sweep one cell of each mixer.

    Args:
        every: build every cell, however many there are.

    Raises:
        ScenarioError: the scenario has mistakes.
        UsageError: no such scenario, device, profile or run folder; nothing to run; a mixer that does not
            take its arguments.
    """
    if request.resume is not None:
        return _prepare_resume(request, request.resume, workers, every=every)
    if request.reference is None:
        raise UsageError("name a scenario (a file, or one that `benchsuite list scenarios` shows)")
    scenario = _load(request)
    device, environment = _describe(workers, scenario, request)
    notes: tuple[str, ...] = ()
    if profile := profile_for(device, request.profiles, scenario):
        notes = (profile_note(profile),)
        scenario = _load(replace(request, profiles=(profile,)))
        device, environment = _describe(workers, scenario, request)
    settings: dict[str, Any] = {"filter": request.filter, "device": device}
    if request.pythonpath:
        settings["pythonpath"] = absolute(request.pythonpath)  # it may be resumed from another folder
    if request.shard is not None:
        settings["shard"] = request.shard.to_dict()
    notes = (*notes, *plugins(search_path(request.pythonpath)).warnings, *busy(environment))
    return _plan(scenario, settings, environment, workers, notes=notes, every=every)


def profile_for(device: str, asked: Sequence[str], scenario: Scenario) -> str | None:
    """The scenario's profile for this kind of device; None if it has none, or the user named one."""
    profile = kind_of(device).profile
    return profile if not asked and profile in scenario.profiles else None


def profile_note(profile: str) -> str:
    """Sentence that tells a user of a profile that was chosen by itself."""
    return f'{_WHY[profile]}: running the scenario\'s profile "{profile}" (--profile names another)'


def with_stored_pythonpath(request: Request) -> Request:
    """With the folders that the resumed run began with, unless the request names some."""
    if request.resume is None or request.pythonpath:
        return request
    stored = read_run(request.resume).scenario.get("run", {}).get("pythonpath", ())
    return replace(request, pythonpath=tuple(stored))


def busy(environment: Mapping[str, Any]) -> tuple[str, ...]:
    """A warning if other work runs on the host, which every sample on it would suffer from."""
    cpu = environment.get("cpu") or {}
    load, cores = cpu.get("load_1min"), cpu.get("usable_cores")
    if not load or not cores or load < BUSY_SHARE * cores:
        return ()
    return (f"this machine is busy: a load of {load:.1f} on {counted(cores, 'core')}; expect noisy numbers",)


def _prepare_resume(request: Request, folder: Path, workers: Workers, *, every: bool) -> Prepared:
    earlier = read_run(folder)
    document = dict(earlier.scenario)
    if machines(document):
        raise UsageError(f"{folder}: holds runs of several machines; {how_to_go_on(document, folder)}")
    settings = dict(document.pop("run", {}))
    scenario = Scenario.from_dict(document)
    if request.filter or request.device or request.shard:
        raise UsageError(
            "--resume goes on with the cells that the run began with: leave out --filter, --device and "
            "--shard"
        )
    if request.reference is not None:
        _require_same(scenario, request, folder)
    device = str(settings.get("device", "auto"))
    measure = _limited(scenario, request.limits).measure
    scenario = scenario.model_copy(update={"measure": measure})
    _, environment = workers.describe(device, measure.threads, list(request.command), measure.memory_limit)
    _require_alike(earlier, environment)
    notes = (*earlier.warnings, *busy(environment))
    prepared = _plan(
        scenario,
        settings,
        environment,
        workers,
        notes=notes,
        earlier=earlier,
        retry=request.retry,
        every=every,
    )
    _require_found(prepared, request, folder)
    return prepared


def _require_found(prepared: Prepared, request: Request, folder: Path) -> None:
    """Refuse to go on without own modules that are not found: their cells would become errors for good.

    Raises:
        UsageError: one is not found, and the scenario does not expect an error of its cell.
    """
    known = known_parameters(request.pythonpath, own=True)
    cells = [prepared.cells[i] for i in prepared.todo]
    due = {
        target: cell
        for cell in cells
        for target in (cell.target, *(one for one in strings_in(cell.config.get("mixer")) if ":" in one))
    }
    missing = {
        target: why
        for target, cell in due.items()
        if (why := known.absent(target)) is not None
        and not expected(prepared.scenario, cell, "error", prepared.environment)
    }
    if missing:
        raise UsageError(
            "\n".join(f"{folder}: {target}: {why}" for target, why in missing.items())
            + "\n  nothing was run; say where modules lie with --pythonpath"
        )


def _require_alike(earlier: Run, environment: Mapping[str, Any]) -> None:
    """Refuse to go on with cells that were timed with other threads, or another allocator, than here.

    Raises:
        NotComparableError: so were some.
    """
    here = _manner(environment)
    for record in earlier.records:
        before = _manner(earlier.environments.get(record.session, {}))
        if manner(record) is not None and before != here:
            words = [
                f"{threads} threads, memory {'retained' if retained else 'left to the system'}"
                for threads, retained in (before, here)
            ]
            raise NotComparableError(
                f"not comparable: the cells of {earlier.path} were timed with {words[0]}, and this session "
                f"would have {words[1]}; start a new run with --out, or set OMP_NUM_THREADS as it was"
            )


def _manner(environment: Mapping[str, Any]) -> tuple[Any, bool]:
    """Threads, and whether memory is retained, as a session says it; older ones did not know of that."""
    allocator = environment.get("allocator") or {"can_retain": False}
    return (environment.get("cpu") or {}).get("threads"), bool(allocator["can_retain"])


def _limited(scenario: Scenario, limits: Sequence[str]) -> Scenario:
    """The stored scenario with `--timeout` and `--memory-limit` of this session; raises ScenarioError."""
    root = grown(scenario.to_dict(), "the stored scenario")
    for text in limits:
        root, problems = override(root, text)
        if problems:
            raise ScenarioError(problems)
    plain: Any = root.plain()
    return Scenario.from_dict(plain, "the stored scenario")


def _require_same(stored: Scenario, request: Request, folder: Path) -> None:
    """The scenario named beside --resume must be the one that the run began with."""
    given = _load(
        replace(
            request,
            profiles=request.profiles or stored.applied,
            overrides=request.overrides or stored.overrides,
        )
    )
    before, now = stored.to_dict(), given.to_dict()
    keys = (before.keys() | now.keys()) - {"kernel_rows"}  # the run goes on with those that it began with
    changed = sorted(key for key in keys if before.get(key) != now.get(key))
    if changed:
        raise RunFolderError(
            f"{folder}: began with another scenario, which differs in: {', '.join(changed)}. Go on with the "
            f"stored one (benchsuite run --resume {folder}), or start a new run with --out"
        )


def _load(request: Request) -> Scenario:
    assert request.reference is not None
    overrides = request.overrides
    if request.device is not None:
        overrides = (*overrides, f"sweep.device={request.device}")
    reference, known = request.reference, known_parameters(request.pythonpath)
    source = resolve(reference) if isinstance(reference, str) else reference
    return load(source, known, profiles=request.profiles, overrides=overrides)


def _describe(workers: Workers, scenario: Scenario, request: Request) -> tuple[str, dict[str, Any]]:
    """The device that "auto" means, or else the first that the scenario names, and its machine.

    Raises:
        DeviceError: one of the devices is not present.
    """
    threads, limit = scenario.measure.threads, scenario.measure.memory_limit
    described = [
        workers.describe(word, threads, list(request.command), limit) for word in scenario.sweep.device
    ]
    words = list(scenario.sweep.device)
    return described[words.index("auto") if "auto" in words else 0]


def _plan(
    scenario: Scenario,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    workers: Workers,
    *,
    notes: tuple[str, ...],
    earlier: Run | None = None,
    retry: tuple[str, ...] = (),
    every: bool = False,
) -> Prepared:
    expansion = expand_detailed(scenario, device=str(settings["device"]))
    selection = parse(str(settings.get("filter", "")))
    cells = tuple(cell for cell in expansion.cells if selection.matches(cell))
    if not expansion.cells:
        raise UsageError(f"{scenario.name}: the rules under `exclude` leave no cell on {settings['device']}")
    if not cells:
        raise leaves_none(selection, expansion.cells)
    excluded = tuple(pair for pair in expansion.excluded if selection.matches(pair[0]))
    if "shard" in settings:
        cells, excluded = only(Shard.from_dict(settings["shard"]), cells, excluded)
    require_threads(scenario, cells, environment)
    require_allocator(scenario, environment)
    plans, looked_at = plan_cells(cells, workers.plan, every=every, timeout_s=scenario.measure.timeout_s)
    cells, renamed = renamed_by_windows(cells, looked_at)
    require_room(scenario, looked_at)
    return Prepared(
        scenario=scenario,
        settings=settings,
        cells=cells,
        excluded=excluded,
        plans=plans,
        environment=environment,
        earlier=earlier,
        notes=tuple(dict.fromkeys((*notes, *renamed))),  # a run that is gone on with has said it
        retry=retry,
    )
