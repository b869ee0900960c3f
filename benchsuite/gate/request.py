"""Request of a gate, and all that can be refused before base and candidate are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.gate.accept import Accepted
from benchsuite.gate.verdicts import require_enough
from benchsuite.results.cell import Cell
from benchsuite.runner.prepare import busy, profile_for, profile_note
from benchsuite.scenario.expand import expand
from benchsuite.scenario.gate_settings import Gate
from benchsuite.scenario.model import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """Words of the command line.

    Attributes:
        base, candidate: revisions; both None if interpreters alone are compared.
        base_python, candidate_python: their interpreters; this one if None.
        pythonpath: folders of the user's modules, relative to where the command runs.
        out: folder of the gate.
        setup: command that is run for each side first, in its folder and an environment of its own.
        submodules: check out the submodules of the revisions, too.
        allow_dirty: go on although the candidate is not what the files are.
    """

    reference: str
    out: Path
    base: str | None = None
    candidate: str | None = None
    base_python: str | None = None
    candidate_python: str | None = None
    profiles: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    filter: str = ""
    device: str | None = None
    pythonpath: tuple[str, ...] = ()
    setup: str | None = None
    submodules: bool = False
    allow_dirty: bool = False
    accepted: tuple[Accepted, ...] = ()
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePlan:
    """Cells to measure, whatever base and candidate are.

    Attributes:
        device: what "auto" means.
        environment: of the machine, as `environment.json` has it.
    """

    scenario: Scenario
    device: str
    cells: tuple[Cell, ...]
    environment: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def require_two_sides(request: GateRequest) -> None:
    """Raise UsageError unless a scenario is named, and two revisions or two interpreters to compare."""
    if Path(request.reference).is_dir():
        raise UsageError(
            f"{request.reference} is a folder: a run is compared with a baseline (--baseline FILE, which "
            "`benchsuite baseline update` writes); what --base and --candidate measure is a scenario"
        )
    if request.base is not None:
        return
    if request.candidate is not None:
        raise UsageError(f"--candidate {request.candidate} needs a base to compare with: --base main")
    if request.base_python == request.candidate_python:
        raise UsageError(
            "gate compares two things: name revisions (--base main --candidate HEAD; WORKTREE for the files "
            "as they are), or interpreters (--base-python P --candidate-python P); or let it say how often "
            "its rule errs (--simulate)"
        )


def plan(request: GateRequest) -> GatePlan:
    """Load the scenario, look at the machine, expand the cells.

    Raises:
        ScenarioError: the scenario has mistakes.
        UsageError: there is no such scenario or device, nothing to measure, nothing that is timed, or too
            few pairs for the interval that is asked for.
    """
    from benchsuite.scenario.filters import leaves_none, parse

    scenario = _load(request, request.profiles)
    device, environment = _machine(scenario)
    notes: tuple[str, ...] = ()
    if profile := profile_for(device, request.profiles, scenario):
        notes = (profile_note(profile),)
        scenario = _load(request, (profile,))
    selection = parse(request.filter)
    every = expand(scenario, device=device)
    cells = tuple(cell for cell in every if selection.matches(cell))
    if not cells:
        why = leaves_none(selection, every) if every else "its rules leave none"
        raise UsageError(f"{scenario.name}: there are no cells to compare: {why}")
    if "latency" not in scenario.measure.metrics:
        raise UsageError(
            f"{scenario.name}: nothing is timed, so nothing can be slower: `measure.metrics` lacks latency\n"
            "  add it (--set measure.metrics=[cost,latency,memory]), or hold the numbers that need no time "
            "against a stored baseline: benchsuite gate RUN --baseline FILE"
        )
    require_enough(scenario.gate)
    return GatePlan(
        scenario=scenario,
        device=device,
        cells=cells,
        environment=environment,
        notes=(*notes, *busy(environment)),
    )


def rule_of(reference: str | None) -> Gate:
    """The rule of a scenario, a file or a shipped one; the usual rule if None.

    Raises:
        ScenarioError: the scenario has mistakes.
        UsageError: there is no such scenario.
    """
    from benchsuite.scenario.load import load, resolve
    from benchsuite.zoo.catalogue import known_parameters

    return Gate() if reference is None else load(resolve(reference), known_parameters(())).gate


def _load(request: GateRequest, profiles: tuple[str, ...]) -> Scenario:
    from benchsuite.scenario.load import load, resolve
    from benchsuite.zoo.catalogue import known_parameters

    device = () if request.device is None else (f"sweep.device={request.device}",)
    return load(
        resolve(request.reference),
        known_parameters(request.pythonpath),
        profiles=profiles,
        overrides=(*request.overrides, *device),
    )


def _machine(scenario: Scenario) -> tuple[str, dict[str, Any]]:
    """The device that "auto" means, or else the first that the scenario names, and its machine."""
    from benchsuite.runner.workers import ProcessWorkers

    words = list(scenario.sweep.device)
    with closing(ProcessWorkers()) as workers:
        return workers.describe("auto" if "auto" in words else words[0], scenario.measure.threads, [])
