"""A gate from its beginning to its end: base and candidate made ready, measured side by side, and judged."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchsuite.errors import NotComparableError, SideFailed, UsageError
from benchsuite.findings.fingerprint import Finding, findings
from benchsuite.gate.accept import notes_on_unused
from benchsuite.gate.checkout import installed, open_sides
from benchsuite.gate.interleave import SIDES, GateProgress, ProcessRun, SideName, interleaved
from benchsuite.gate.noise import GateNoise, noise_of
from benchsuite.gate.processes import (
    GateSide,
    Probe,
    interpreter,
    probe,
    process_scenario,
    run_process,
)
from benchsuite.gate.request import GatePlan, GateRequest
from benchsuite.gate.result import GateResult
from benchsuite.gate.verdicts import ProcessPair, Records, judge_pairs
from benchsuite.labels import cell_names
from benchsuite.plugins import plugins, search_path
from benchsuite.results.cell import Cell
from benchsuite.results.comparable import require_alike
from benchsuite.results.machine import machine_words
from benchsuite.results.store import Run
from benchsuite.scenario.expand import expected
from benchsuite.scenario.gate_settings import Gate
from benchsuite.scenario.subjects import LIBRARIES

PROCESSES = "processes"
"""Folder of a gate that holds a run folder for every process."""
_OF_THE_MOMENT = ("cpu.load_1min", "gpu.nvidia_smi.", "git.", "selftest.")
"""Properties that differ between any two processes, or are what is compared."""


def measure_gate(
    request: GateRequest, plan: GatePlan, progress: GateProgress, noise: Mapping[str, float]
) -> GateResult:
    """Measure both sides and judge.

    Raises:
        UsageError: a revision is unknown, the files are not what is to be compared, nothing of the user's
            would be measured, or the sides have no cell in common.
        SideFailed: a side cannot be measured at all.
        NotComparableError: the sides took other threads, or another allocator.
        BenchsuiteError: git cannot check a revision out.
    """
    began = time.monotonic()
    with (
        open_sides(request) as opened,
        installed(opened.sides, request.setup, request.out) as sides,
    ):
        notes = opened.notes
        modules = modules_of(plan.cells)
        probes = {name: probe(side, modules) for name, side in sides.items()}
        if opened.root is not None:
            notes += require_ours(sides, probes, plan.cells, opened.root)
        notes += _instruments(probes)
        has = _shared(plan, probes)
        measured = SideMeasurer(request.out / PROCESSES, sides, plan)
        pairs = interleaved(
            has,
            plan.scenario.gate,
            measured,
            progress,
            seed=plan.scenario.measure.seed,
            noise=noise,
        )
    return _result(request, plan, sides, measured, pairs, noise, notes, time.monotonic() - began)


def without_cells(request: GateRequest, plan: GatePlan, error: SideFailed | NotComparableError) -> GateResult:
    """The result of a gate that ended with this error, so that a job's files say why."""
    refused = isinstance(error, NotComparableError)
    return GateResult(
        scenario=plan.scenario.name,
        base=request.base or request.base_python or "",
        candidate=request.candidate or request.candidate_python or "HEAD",
        machine=machine_words(plan.environment),
        cells=(),
        rule=plan.scenario.gate,
        refused=str(error) if refused else "",
        unmeasured="" if refused else str(error),
        notes=plan.notes,
        command=request.command,
    )


def measure_noise(request: GateRequest, plan: GatePlan, progress: GateProgress, pairs: int) -> GateNoise:
    """Compare a scenario's code with itself: so many pairs of all cells, both sides being this folder.

    Raises:
        SideFailed: it cannot be measured at all.
    """
    folder = Path.cwd()
    sides: dict[SideName, GateSide] = {
        name: GateSide(
            name=name,
            words=f"{folder}",
            folder=folder,
            python=interpreter(None, folder),
            pythonpath=request.pythonpath,
        )
        for name in SIDES
    }
    rule = plan.scenario.gate
    with tempfile.TemporaryDirectory(prefix="benchsuite-noise-") as home:
        compared = interleaved(
            dict.fromkeys(SIDES, plan.cells),
            Gate(screen=0, pairs=pairs),
            SideMeasurer(Path(home), sides, plan),
            progress,
            seed=plan.scenario.measure.seed,
        )
    return noise_of(
        plan.cells,
        compared,
        rule,
        scenario=request.reference,
        machine=machine_words(plan.environment),
        environment=plan.environment,
        names=cell_names(plan.cells),
    )


def modules_of(cells: Sequence[Cell]) -> tuple[str, ...]:
    """The top-level modules that the cells' own subjects come from, the zoo's left out."""
    brought = plugins(search_path()).mixers
    targets = dict.fromkeys(
        brought[cell.target].target if cell.target in brought else cell.target
        for cell in cells
        if not cell.target.startswith(LIBRARIES)
    )
    return tuple(
        dict.fromkeys(target.partition(":")[0].partition(".")[0] for target in targets if ":" in target)
    )


def missing_targets(cells: Sequence[Cell], known: Collection[str]) -> frozenset[str]:
    """The names that a zoo does not have; what a "module:Class" stands for, its own process finds out."""
    return frozenset(cell.target for cell in cells if ":" not in cell.target and cell.target not in known)


def require_ours(
    sides: Mapping[SideName, GateSide], probes: Mapping[SideName, Probe], cells: Sequence[Cell], root: Path
) -> tuple[str, ...]:
    """Notes on modules that are not of the two revisions.

    Args:
        root: of the repository.

    Raises:
        UsageError: one side would import the other side's files, or files that belong to neither; or nothing
            that is measured is of the repository.
    """
    modules = modules_of(cells)
    notes = []
    for module in modules:
        inside = {name: sides[name].holds(probes[name].places.get(module)) for name in SIDES}
        outside = {
            name: place for name in SIDES if not inside[name] and (place := probes[name].places.get(module))
        }
        if outside and (any(inside.values()) or _is_source(next(iter(outside.values())), root)):
            raise UsageError(_elsewhere(module, *next(iter(outside.items()))))
        if outside:
            notes.append(f"{module} is not of this repository: {next(iter(outside.values()))}")
    if any(sides[n].holds(probes[n].places.get(m)) for n in SIDES for m in ("benchsuite", *modules)):
        return tuple(notes)
    if modules:
        places = probes["candidate"].places
        raise UsageError(_elsewhere(modules[0], "candidate", places.get(modules[0])))
    raise UsageError(
        "nothing of this repository is measured: the scenario names mixers of benchsuite only, which both "
        "sides take from the same place\n  name your own in it (mixer: my_package.mixers:MyMixer), or "
        "compare two interpreters: --base-python P --candidate-python P"
    )


def _is_source(place: str, root: Path) -> bool:
    """Whether a file is of the repository's own checkout, and not of an environment that stands in it."""
    path = Path(place).resolve()
    return path.is_relative_to(root) and not {"site-packages", "dist-packages"} & set(path.parts)


def _elsewhere(module: str, side: str, place: str | None) -> str:
    what = f"comes from {place}, which is not of that revision" if place else "is not to be found there"
    return (
        f"the {side} would not measure its own code: the module {module} {what}\n"
        "  name the folder that holds it, relative to here: --pythonpath src"
    )


def _instruments(probes: Mapping[SideName, Probe]) -> tuple[str, ...]:
    base, candidate = probes["base"], probes["candidate"]
    if base.places["benchsuite"] == candidate.places["benchsuite"]:
        return ()
    return (
        f"each side was measured by its own benchsuite: {base.version} the base, {candidate.version} the "
        "candidate",
    )


def _shared(plan: GatePlan, probes: Mapping[SideName, Probe]) -> dict[SideName, tuple[Cell, ...]]:
    """The cells that either side's zoo has.

    Raises:
        UsageError: none is in both.
    """
    brought = frozenset(plugins(search_path()).mixers)
    lacks = {name: missing_targets(plan.cells, one.known | brought) for name, one in probes.items()}
    has = {name: tuple(cell for cell in plan.cells if cell.target not in lacks[name]) for name in probes}
    if not any(cell in has["candidate"] for cell in has["base"]):
        words = "; ".join(
            f"the {name} lacks {', '.join(sorted(gone))}" for name, gone in lacks.items() if gone
        )
        raise UsageError(f"{plan.scenario.name}: the two sides have no cell in common: {words}")
    return has


@dataclass(slots=True)
class SideMeasurer:
    """Measures processes in run folders, and remembers the first of each side."""

    home: Path
    sides: Mapping[SideName, GateSide]
    plan: GatePlan
    first: dict[SideName, Run] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def __call__(self, run: ProcessRun) -> Records:
        """Measure one process of one side.

        Raises:
            NotComparableError: it took other threads, or another allocator, than the other side.
        """
        if not run.cells:
            return {}
        scenario = self.plan.scenario
        document = process_scenario(
            scenario, run.cells, device=self.plan.device, seed=run.seed, exact=run.exact
        )
        process = run_process(self.sides[run.side], document, self.home / run.name)
        self.unread += process.warnings
        if run.side not in self.first:
            self.first[run.side] = process
            require_alike([(f"the {side}", one.records) for side, one in sorted(self.first.items())])
        return {
            record.id: replace(
                record, expected=expected(scenario, record.cell, record.status, process.environment)
            )
            for record in process.records
            if record.status != "skipped"
        }


def _result(
    request: GateRequest,
    plan: GatePlan,
    sides: Mapping[SideName, GateSide],
    measured: SideMeasurer,
    pairs: Sequence[ProcessPair],
    noise: Mapping[str, float],
    notes: tuple[str, ...],
    seconds: float,
) -> GateResult:
    rule = plan.scenario.gate
    cells = judge_pairs(plan.cells, pairs, rule, accepted=request.accepted, noise=noise)
    return GateResult(
        scenario=plan.scenario.name,
        base=sides["base"].words,
        candidate=sides["candidate"].words,
        machine=machine_words(plan.environment),
        cells=cells,
        rule=rule,
        differences=_differences(measured.first),
        notes=(*plan.notes, *notes, *notes_on_unused(cells, request.accepted), *measured.unread),
        command=request.command,
        seconds=round(seconds, 3),
        missing=rule.missing,
        unread=tuple(measured.unread),
    )


def _differences(first: Mapping[SideName, Run]) -> tuple[Finding, ...]:
    """How the two sides' surroundings differ although the machine is one: other versions of libraries."""
    if len(first) < 2:
        return ()
    every = findings(first["base"].environment, first["candidate"].environment)
    return tuple(one for one in every if not one.path.startswith(_OF_THE_MOMENT))
