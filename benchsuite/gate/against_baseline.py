"""Runs, or counts, compared with a stored baseline: may the machines be compared, and a verdict on each."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.findings.count_changes import changes_of
from benchsuite.findings.fingerprint import Finding, over_sessions, settings
from benchsuite.format import counted
from benchsuite.gate.accept import (
    Accepted,
    accepted_of,
    by_label,
    notes_on_unused,
    parse_accepted,
    regressions,
)
from benchsuite.gate.baseline import (
    Baseline,
    BaselineCell,
    of_runs,
    one_scenario,
    read,
    self_test_noise,
)
from benchsuite.gate.decide import CellDecision, corrected, decide_unpaired
from benchsuite.gate.exact_baseline import count_scenarios
from benchsuite.gate.formats.phrases import labels_of
from benchsuite.gate.noise import GateNoise, read_noise, require_fitting
from benchsuite.gate.result import CellVerdict, GateCell, GateResult, of_changes
from benchsuite.gate.verdicts import absent
from benchsuite.results.machine import machine_words
from benchsuite.results.store import Run, read_run
from benchsuite.scenario.gate_settings import ExactPolicy, Gate, MissingPolicy
from benchsuite.scenario.load import shipped
from benchsuite.stats.evidence import aa_noise

_COUNTS = ("params", "macs")
"""Numbers that a cell without times stands for."""
_NOISE = (
    "two processes are taken to differ by up to {0:.3g} % on this machine, as its self-test found for cells "
    "of one process; three or more runs in the baseline, or --noise, know it better"
)


def against_baseline(
    file: Path,
    names: Sequence[str],
    *,
    accept: Sequence[str] = (),
    pythonpath: Sequence[str] = (),
    noise: Path | None = None,
    missing: MissingPolicy | None = None,
    command: str = "",
) -> GateResult:
    """The result of comparing runs, or counts, with a baseline.

    Args:
        names: run folders for a baseline of a run, each one process; scenarios for one of exact numbers,
            where none means those that the baseline names.
        noise: file of `benchsuite noise`: by how much two processes differ on this machine.
        missing: which cells of one side fail; None takes the baseline's.

    Raises:
        UsageError: the baseline, a run or a scenario cannot be used; or they have no cell in common.
    """
    baseline = read(file)
    accepted = parse_accepted(accept)
    if baseline.kind == "exact":
        if noise is not None:
            raise UsageError(f"--noise is for times, and {file} holds exact numbers")
        now = count_scenarios(names or baseline.sources, beside=file.parent, pythonpath=pythonpath)
        search = (word for folder in pythonpath for word in ("--pythonpath", folder))
        found = replace(
            _exact_result(baseline, now, accepted),
            accept=shlex.join(["benchsuite", "baseline", "accept", str(file), *search]),
        )
    elif names:
        runs = [read_run(_run_folder(name, file)) for name in names]
        found = _run_result(baseline, runs, accepted, read_noise(noise) if noise else None)
    else:
        raise UsageError(f"{file} is a baseline of a run: name the run folders to compare with it")
    if not found.refused:
        _require_common(found.cells, file)
    return replace(found, base=f"baseline {file}", missing=missing or baseline.rule.missing, command=command)


def _run_folder(name: str, baseline: Path) -> Path:
    """The folder of a run; raises UsageError if it is a scenario instead, which a run's times need."""
    path = Path(name)
    if path.is_file() or (not path.exists() and name in shipped()):
        raise UsageError(
            f"{name} is a scenario, and {baseline} is a baseline of a run, which takes run folders: "
            f"benchsuite run {name} --out r, then benchsuite gate r --baseline {baseline}"
        )
    return path


def judge_cells(
    baseline: Baseline,
    new: Sequence[BaselineCell],
    *,
    noise: float | None = None,
    own_noise: Mapping[str, float] | None = None,
    accepted: Sequence[Accepted] = (),
) -> tuple[GateCell, ...]:
    """Verdicts by exact numbers, and by times where both sides have some.

    Args:
        noise: by how much two processes differ on the machine, as a share; None if nobody knows.
        own_noise: the same of single cells, by id, where it was measured; it counts instead of `noise`.
    """
    rule = baseline.rule
    policy: ExactPolicy = "any" if baseline.kind == "exact" else rule.exact
    pairs = _beside(baseline.cells, new)
    timed = {b.id: (a, b) for a, b in pairs if a and b and a.log_medians and b.log_medians}
    alone = {key: _decision(a, b, rule, (own_noise or {}).get(key, noise)) for key, (a, b) in timed.items()}
    decisions = corrected(alone, rule)
    cells = []
    for a, b in pairs:
        exact = _exact(a, b, policy, accepted)
        decision = decisions.get(exact.id)
        cells.append(_timed(exact, *timed[exact.id], decision) if decision else _untimed(exact, a, b))
    return tuple(cells)


def _beside(
    old: Sequence[BaselineCell], new: Sequence[BaselineCell]
) -> list[tuple[BaselineCell | None, BaselineCell | None]]:
    """The cells of both sides, those of the new side in its order, then those that are gone."""
    before: Mapping[str, BaselineCell] = {cell.id: cell for cell in old}
    there = {cell.id for cell in new}
    gone = [(cell, None) for cell in old if cell.id not in there]
    return [*((before.get(cell.id), cell) for cell in new), *gone]


def _exact(
    old: BaselineCell | None, new: BaselineCell | None, policy: ExactPolicy, accepted: Sequence[Accepted]
) -> GateCell:
    one = new or old
    assert one is not None
    changes = tuple(changes_of(one.cell, old.counts, new.counts)) if old and new else ()
    verdict, reason = _statuses(old, new)
    wrong = regressions(changes, policy, accepted)
    if wrong and verdict in ("equal", "neither measured"):
        verdict = of_changes(wrong)
    return GateCell(
        id=one.id,
        cell=one.cell,
        verdict=verdict,
        base=old.status if old else None,
        candidate=new.status if new else None,
        reason=reason,
        changes=changes,
        accepted=accepted_of(changes, accepted),
        counts={key: new.numbers[key] for key in _COUNTS if new and key in new.numbers},
    )


def _statuses(old: BaselineCell | None, new: BaselineCell | None) -> tuple[CellVerdict, str]:
    if old is None or new is None:
        return _of_one_side(new)
    was, now = old.outcome, new.outcome
    if was == now == "not counted":
        return "not counted", f"on both sides: {new.reason}"
    if was == now:
        return ("equal", "") if now == "ok" else ("neither measured", f"{now} on both sides: {new.reason}")
    if old.status == "ok" != new.status:
        return "removed" if absent(new.reason) else "broken", f"{now}: {new.reason}"
    if was == "ok":
        return "no longer counted", f"{now}: {new.reason}"
    return "failed", f"in the baseline {was}: {old.reason}; now {now}"


def _perhaps_unread(cell: GateCell) -> GateCell:
    """A cell that only the baseline has, beside lines that cannot be read: nobody knows that it is gone."""
    return replace(cell, verdict="failed", reason="its record may be on a line that is no record")


def _of_one_side(new: BaselineCell | None) -> tuple[CellVerdict, str]:
    """Args: new: the cell, if it is one that the baseline does not have; None if only the baseline has it."""
    if new is None:
        return "removed", "only the baseline has it"
    why = "the baseline does not have it"
    return ("new", why) if new.status == "ok" else ("failed", f"{why}; {new.status}: {new.reason}")


def _untimed(exact: GateCell, old: BaselineCell | None, new: BaselineCell | None) -> GateCell:
    """The cell by its counts alone, unless it was timed once and is not any more; a new one with its time."""
    if old is None and new and new.log_medians:
        return replace(exact, candidate_s=math.exp(statistics.fmean(new.log_medians)))
    if exact.verdict == "equal" and old and new and old.log_medians and new.status == "ok":
        return replace(exact, verdict="failed", reason="the baseline has times of it, and now it has none")
    return exact


def _decision(old: BaselineCell, new: BaselineCell, rule: Gate, noise: float | None) -> CellDecision:
    """The verdict on the times of one cell by itself, with the largest noise that is known of it."""
    known = [one for one in (noise, old.noise, new.noise) if one is not None]
    return decide_unpaired(old.log_medians, new.log_medians, rule, max(known, default=None))


def _timed(exact: GateCell, old: BaselineCell, new: BaselineCell, decision: CellDecision) -> GateCell:
    """The cell by the gravest that applies: slower, what its counts say, what else its times say."""
    by_times = exact.verdict == "equal" or decision.verdict == "slower"
    return replace(
        exact,
        verdict=decision.verdict if by_times else exact.verdict,
        reason=decision.reason if by_times else exact.reason,
        base_s=math.exp(statistics.fmean(old.log_medians)),
        candidate_s=math.exp(statistics.fmean(new.log_medians)),
        decision=decision,
    )


def _exact_result(old: Baseline, new: Baseline, accepted: Sequence[Accepted]) -> GateResult:
    """Exact numbers alone; no machine matters."""
    accepted = _labelled(accepted, old, new)
    cells = judge_cells(old, new.cells, accepted=accepted)
    return GateResult(
        scenario=new.name,
        base="",
        candidate="this code",
        machine='any: counted on "meta"',
        cells=cells,
        notes=notes_on_unused(cells, accepted),
    )


def _run_result(
    old: Baseline, runs: Sequence[Run], accepted: Sequence[Accepted], noise: GateNoise | None
) -> GateResult:
    """Runs, each of which is one process of every cell, against a baseline of the same machine.

    Args:
        noise: of cells of this machine; for others, what self-tests said to the baseline and the runs counts.

    Raises:
        UsageError: the runs are of several scenarios.
    """
    one_scenario(runs)
    machines = [one for run in runs for one in run.environments.values()]
    differences = _differences(old, runs, machines)
    refused = [one for one in differences if one.level == "refuse"]
    known = max(
        (one for one in (old.noise, *map(self_test_noise, machines)) if one is not None), default=None
    )
    own, notes = _own_noise(noise, machines[0], runs)
    new = of_runs(runs, known)
    accepted = _labelled(accepted, old, new)
    cells: tuple[GateCell, ...] = ()
    if not refused:
        cells = judge_cells(old, new.cells, noise=known, own_noise=own, accepted=accepted)
    if known is not None and any(cell.id not in own for cell in cells):
        notes = (*notes, _NOISE.format(100 * known))
    unread = tuple(text for run in runs for text in run.warnings)
    if unread:
        cells = tuple(_perhaps_unread(cell) if cell.verdict == "removed" else cell for cell in cells)
    processes = counted(len(runs), "process", "processes")
    return GateResult(
        scenario=new.name,
        base="",
        candidate=f"{', '.join(str(run.path) for run in runs)} ({processes})",
        machine=machine_words(machines[0]),
        cells=cells,
        rule=old.rule,
        differences=tuple(differences),
        refused="; ".join(f"{one.label} was {one.old}, now {one.new}: {one.why}" for one in refused),
        notes=(*notes, *notes_on_unused(cells, accepted), *unread),
        unread=unread,
    )


def _labelled(accepted: Sequence[Accepted], old: Baseline, new: Baseline) -> tuple[Accepted, ...]:
    return by_label(accepted, labels_of({cell.id: cell.cell for cell in (*old.cells, *new.cells)}))


def _differences(old: Baseline, runs: Sequence[Run], machines: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """How the machines and the settings differ from the baseline's."""
    differences = [*over_sessions([old.machine], machines)]
    for run in runs:
        differences += [
            one for one in settings({"measure": old.measure}, run.scenario) if one not in differences
        ]
    return differences


def _own_noise(
    noise: GateNoise | None, machine: Mapping[str, Any], runs: Sequence[Run]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Cell id → by how much two processes of it differ, a share; and what is to be said of it."""
    if noise is None:
        return {}, ()
    cells = [record.cell for record in runs[0].records]
    notes = require_fitting(noise, Path("--noise"), machine, cells, noise.pairs)
    return {cell.id: aa_noise(cell.log_ratios, 1) for cell in noise.cells}, notes


def _require_common(cells: Sequence[GateCell], file: Path) -> None:
    if all(cell.base is None or cell.candidate is None for cell in cells):
        gone = next((cell.id for cell in cells if cell.candidate is None), "none")
        new = next((cell.id for cell in cells if cell.base is None), "none")
        raise UsageError(
            f"{file}: has no cell in common with what it is compared with "
            f"(there: {gone}, …; here: {new}, …); if that is meant, write the baseline anew"
        )
