"""A gate from its beginning to its end: both sides made ready, measured next to each other, and judged."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.findings.fingerprint import Finding, findings
from benchsuite.gate.base_and_candidate import opened_sides
from benchsuite.gate.evidence_of_pairs import Pair, Records, judged
from benchsuite.gate.exact import unused
from benchsuite.gate.interleave import SIDES, Observer, SideName, Turn, interleaved
from benchsuite.gate.process_scenario import side_scenario
from benchsuite.gate.processes import Probe, Side, probe, run_process, set_up
from benchsuite.gate.request import Question, Request, machine_words
from benchsuite.gate.result import GateResult
from benchsuite.gate.scope import missing_targets, modules_of, require_ours
from benchsuite.plugins import plugins, search_path
from benchsuite.results.comparable import require_alike
from benchsuite.results.record import Cell, Record
from benchsuite.scenario.expand import expected

PROCESSES = "processes"
"""Folder of a gate that holds a run folder for every process."""
_OF_THE_MOMENT = ("cpu.load_1min", "gpu.nvidia_smi.", "git.", "selftest.")
"""Properties that differ between any two processes, or are what is compared."""


def measure_gate(
    request: Request, asked: Question, observer: Observer, noise: Mapping[str, float]
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
    with opened_sides(request) as opened:
        sides, notes = opened.sides, opened.notes
        if request.setup is not None:
            for side in sides.values():
                set_up(side, request.setup, _folder(request) / f"setup-{side.name}.log")
        modules = modules_of(asked.cells)
        probes = {name: probe(side, modules) for name, side in sides.items()}
        if opened.root is not None:
            notes += require_ours(sides, probes, asked.cells, opened.root)
        notes += _instruments(probes)
        has = _shared(asked, probes)
        measured = Measured(request.out / PROCESSES, sides, asked)
        pairs = interleaved(
            has,
            asked.scenario.gate,
            measured,
            observer,
            seed=asked.scenario.measure.seed,
            noise=noise,
        )
    return _result(request, asked, sides, measured, pairs, noise, notes, time.monotonic() - began)


def _instruments(probes: Mapping[SideName, Probe]) -> tuple[str, ...]:
    base, candidate = probes["base"], probes["candidate"]
    if base.places["benchsuite"] == candidate.places["benchsuite"]:
        return ()
    return (
        f"each side was measured by its own benchsuite: {base.version} the base, {candidate.version} the "
        "candidate",
    )


def _shared(asked: Question, probes: Mapping[SideName, Probe]) -> dict[SideName, tuple[Cell, ...]]:
    """The cells that either side's zoo has.

    Raises:
        UsageError: none is in both.
    """
    brought = frozenset(plugins(search_path()).mixers)
    lacks = {name: missing_targets(asked.cells, one.known | brought) for name, one in probes.items()}
    has = {name: tuple(cell for cell in asked.cells if cell.target not in lacks[name]) for name in probes}
    if not any(cell in has["candidate"] for cell in has["base"]):
        words = "; ".join(
            f"the {name} lacks {', '.join(sorted(gone))}" for name, gone in lacks.items() if gone
        )
        raise UsageError(f"{asked.scenario.name}: the two sides have no cell in common: {words}")
    return has


@dataclass(slots=True)
class Measured:
    """Measures turns in run folders, and remembers the machine as each side saw it first."""

    home: Path
    sides: Mapping[SideName, Side]
    asked: Question
    environments: dict[SideName, Mapping[str, Any]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    seen: dict[SideName, Sequence[Record]] = field(default_factory=dict)

    def __call__(self, turn: Turn) -> Records:
        """Measure one process of one side.

        Raises:
            NotComparableError: it took other threads, or another allocator, than the other side.
        """
        if not turn.cells:
            return {}
        scenario = self.asked.scenario
        document = side_scenario(
            scenario, turn.cells, device=self.asked.device, seed=turn.seed, exact=turn.exact
        )
        process = run_process(self.sides[turn.side], document, self.home / turn.name)
        self.environments.setdefault(turn.side, process.environment)
        self.unread += process.unread
        if turn.side not in self.seen:
            self.seen[turn.side] = process.records
            require_alike([(f"the {side}", self.seen[side]) for side in SIDES if side in self.seen])
        return {
            record.id: replace(
                record, expected=expected(scenario, record.cell, record.status, process.environment)
            )
            for record in process.records
            if record.status != "skipped"
        }


def _result(
    request: Request,
    asked: Question,
    sides: Mapping[SideName, Side],
    measured: Measured,
    pairs: Sequence[Pair],
    noise: Mapping[str, float],
    notes: tuple[str, ...],
    seconds: float,
) -> GateResult:
    rule = asked.scenario.gate
    found = judged(asked.cells, pairs, rule, accepted=request.accepted, noise=noise)
    changes = [change for cell in found.cells for change in cell.changes]
    idle = unused(changes, request.accepted)
    return GateResult(
        scenario=asked.scenario.name,
        base=sides["base"].words,
        candidate=sides["candidate"].words,
        machine=machine_words(asked.environment),
        cells=found.cells,
        rule=rule,
        tested=found.tested,
        by_chance=found.by_chance,
        differences=_differences(measured.environments),
        notes=(
            *asked.notes,
            *notes,
            *(f"--accept {one} accepts nothing: no such number changed" for one in idle),
            *measured.unread,
        ),
        command=request.command,
        seconds=round(seconds, 3),
        missing_fails=rule.missing == "fail",
        unread=tuple(measured.unread),
    )


def _differences(environments: Mapping[SideName, Mapping[str, Any]]) -> tuple[Finding, ...]:
    """How the two sides' surroundings differ although the machine is one: other versions of libraries."""
    if len(environments) < 2:
        return ()
    every = findings(environments["base"], environments["candidate"])
    return tuple(one for one in every if not one.path.startswith(_OF_THE_MOMENT))


def _folder(request: Request) -> Path:
    request.out.mkdir(parents=True, exist_ok=True)
    return request.out
