"""Everything that can be known and refused before the first cell runs. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.errors import RunFolderError, UsageError
from benchsuite.results.record import Cell
from benchsuite.results.store import Run, read_run
from benchsuite.run.catalogue import known_parameters
from benchsuite.run.executor import Executor
from benchsuite.run.own import plugins, search_path
from benchsuite.scenario import find
from benchsuite.scenario.expand import expand_detailed
from benchsuite.scenario.load import load
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.select import parse

if TYPE_CHECKING:
    from benchsuite.run.worker import Answer, Plan

CPU_PROFILE = "cpu"
"""Profile that is chosen by itself where the machine has no GPU and the user names none."""
BUSY_SHARE = 0.5
"""Load a core above which a run begins with a warning."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for on the command line.

    Attributes:
        reference: path of a scenario, or name of a shipped one; None only with `resume`.
        filter: as in `--filter`, applied to the expanded cells.
        device: overrides the scenario's device.
        pythonpath: folders with modules of the user's own mixers.
    """

    reference: str | None = None
    profiles: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    filter: str = ""
    device: str | None = None
    resume: Path | None = None
    pythonpath: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sweep that is ready to run.

    Attributes:
        scenario: resolved, profiles applied.
        cells: all cells of the run; `plans` has one entry each.
        excluded: cells that a rule dropped, each with the rule's reason.
        earlier: the run that is resumed.
        notes: what was decided for the user and must be said.
    """

    scenario: Scenario
    settings: Mapping[str, Any]
    cells: tuple[Cell, ...]
    excluded: tuple[tuple[Cell, str], ...]
    plans: tuple[Answer[Plan], ...]
    environment: Mapping[str, Any]
    earlier: Run | None = None
    notes: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """What is stored as the run's scenario: the scenario as resolved, and what the command line added."""
        return self.scenario.to_dict() | {"run": dict(self.settings)}


def prepare(request: Request, executor: Executor) -> Prepared:
    """Load, resolve, expand and build (on "meta") everything.

    Raises:
        ScenarioError: the scenario has mistakes.
        UsageError: no such scenario, device, profile or run folder; nothing to run; a mixer that does not
            take its arguments.
    """
    if request.resume is not None:
        return _prepare_resume(request, request.resume, executor)
    if request.reference is None:
        raise UsageError("name a scenario (a file, or one that `benchsuite list scenarios` shows)")
    scenario = _load(request)
    device, environment = _describe(executor, scenario, request)
    notes: tuple[str, ...] = ()
    if device == "cpu" and not request.profiles and CPU_PROFILE in scenario.profiles:
        notes = (
            f'no GPU was chosen: running the scenario\'s profile "{CPU_PROFILE}" (--profile names another)',
        )
        scenario = _load(replace(request, profiles=(CPU_PROFILE,)))
        device, environment = _describe(executor, scenario, request)
    settings: dict[str, Any] = {"filter": request.filter, "device": device}
    if request.pythonpath:
        settings["pythonpath"] = list(request.pythonpath)
    notes = (*notes, *plugins(search_path(request.pythonpath)).warnings, *busy(environment))
    return _plan(scenario, settings, environment, executor, notes=notes)


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
    return (f"this machine is busy: a load of {load:.1f} on {cores} cores; expect noisy numbers",)


def _prepare_resume(request: Request, folder: Path, executor: Executor) -> Prepared:
    earlier = read_run(folder)
    document = dict(earlier.scenario)
    settings = dict(document.pop("run", {}))
    scenario = Scenario.from_dict(document)
    if request.filter or request.device:
        raise UsageError(
            "--resume goes on with the cells that the run began with: leave out --filter and --device"
        )
    if request.reference is not None:
        _require_same(scenario, request, folder)
    device = str(settings.get("device", "auto"))
    _, environment = executor.describe(device, scenario.measure.threads, list(request.command))
    notes = (*earlier.warnings, *busy(environment))
    return _plan(scenario, settings, environment, executor, notes=notes, earlier=earlier)


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
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
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
    path = find.resolve(request.reference)
    return load(path, known_parameters(request.pythonpath), profiles=request.profiles, overrides=overrides)


def _describe(executor: Executor, scenario: Scenario, request: Request) -> tuple[str, dict[str, Any]]:
    """The device that "auto" means, or else the first that the scenario names, and its machine.

    Raises:
        DeviceError: one of the devices is not present.
    """
    threads = scenario.measure.threads
    found = [executor.describe(word, threads, list(request.command)) for word in scenario.sweep.device]
    words = list(scenario.sweep.device)
    return found[words.index("auto") if "auto" in words else 0]


def _plan(
    scenario: Scenario,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    executor: Executor,
    *,
    notes: tuple[str, ...],
    earlier: Run | None = None,
) -> Prepared:
    expansion = expand_detailed(scenario, device=str(settings["device"]))
    selection = parse(str(settings.get("filter", "")))
    cells = tuple(cell for cell in expansion.cells if selection.matches(cell))
    if not expansion.cells:
        raise UsageError(f"{scenario.name}: the rules under `exclude` leave no cell on {settings['device']}")
    if not cells:
        raise UsageError(f"--filter {settings['filter']!r} leaves no cell of {len(expansion.cells)}")
    return Prepared(
        scenario=scenario,
        settings=settings,
        cells=cells,
        excluded=expansion.excluded,
        plans=tuple(executor.plan(cells)),
        environment=environment,
        earlier=earlier,
        notes=notes,
    )
