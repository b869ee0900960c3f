"""A gate against a stored baseline, whole: whether the machines may be compared, then cell by cell. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchsuite.analyse.baseline import Baseline, of_runs
from benchsuite.analyse.baseline_gate import exact_cells, timed_cells
from benchsuite.analyse.exact_policy import Accepted, unused
from benchsuite.analyse.fingerprint import over_sessions, settings
from benchsuite.analyse.gate import aa_noise
from benchsuite.analyse.gate_noise import Noise, require_fitting
from benchsuite.analyse.gate_result import GateCell, GateResult
from benchsuite.errors import UsageError
from benchsuite.results.store import Run

_NOISE = (
    "two processes are taken to differ by up to {0:.3g} % on this machine, as its self-test found for cells "
    "of one process; three or more runs in the baseline, or --noise, know it better"
)


def exact_result(
    old: Baseline,
    new: Baseline,
    *,
    accepted: Sequence[Accepted] = (),
    missing: str | None = None,
    command: str = "",
    base: str = "",
) -> GateResult:
    """Exact numbers alone; no machine matters.

    Raises:
        UsageError: the two have no cell in common.
    """
    cells = exact_cells(old.cells, new.cells, accepted)
    _require_common(cells, base)
    return GateResult(
        scenario=new.name,
        base=f"baseline {base}",
        candidate="this code",
        machine='any: counted on "meta"',
        cells=cells,
        notes=_unused(cells, accepted),
        missing_fails=(missing or old.rule.missing) == "fail",
        command=command,
    )


def run_result(
    old: Baseline,
    runs: Sequence[Run],
    *,
    accepted: Sequence[Accepted] = (),
    noise: Noise | None = None,
    missing: str | None = None,
    command: str = "",
    base: str = "",
) -> GateResult:
    """Runs, each of which is one process of every cell, against a baseline of the same machine.

    Args:
        noise: of cells of this machine; for others, what self-tests said to the baseline and the runs counts.

    Raises:
        UsageError: the two have no cell in common, or the runs are of several scenarios.
    """
    names = dict.fromkeys(str(run.scenario.get("name", run.path.name)) for run in runs)
    if len(names) > 1:
        raise UsageError(f"these runs are of several scenarios: {', '.join(names)}; give runs of one")
    machines = [one for run in runs for one in (*run.environments.values(),)] or [{}]
    found = [*over_sessions([old.machine], machines)]
    for run in runs:
        found += [one for one in settings({"measure": old.measure}, run.scenario) if one not in found]
    known = _known(old, machines)
    own, said = _own_noise(noise, machines[0], runs)
    new = of_runs(runs, known)
    processes = "1 process" if len(runs) == 1 else f"{len(runs)} processes"
    refused = [one for one in found if one.level == "refuse"]
    cells: tuple[GateCell, ...] = ()
    tested, by_chance = 0, 0.0
    if not refused:
        cells, tested, by_chance = timed_cells(old, new.cells, known, own, accepted)
        _require_common(cells, base)
    if known is not None and any(cell.id not in own for cell in cells):
        said = (*said, _NOISE.format(100 * known))
    return GateResult(
        scenario=new.name,
        base=f"baseline {base}",
        candidate=f"{', '.join(str(run.path) for run in runs)} ({processes})",
        machine=machine_words(machines[0]),
        cells=cells,
        rule=old.rule,
        tested=tested,
        by_chance=by_chance,
        differences=tuple(found),
        refused="; ".join(f"{one.label} was {one.old}, now {one.new}: {one.why}" for one in refused),
        notes=(*said, *_unused(cells, accepted), *(text for run in runs for text in run.warnings)),
        missing_fails=(missing or old.rule.missing) == "fail",
        command=command,
        unread=tuple(text for run in runs for text in run.warnings),
    )


def self_test_noise(machine: Mapping[str, Any]) -> float | None:
    """The noise that the machine's last self-test found, as a share; None if nobody knows."""
    percent = (machine.get("selftest") or {}).get("noise_percent")
    return None if percent is None else float(percent) / 100


def machine_words(machine: Mapping[str, Any]) -> str:
    """ "NVIDIA H200, torch 2.11.0"."""
    gpu, cpu = machine.get("gpu") or {}, machine.get("cpu") or {}
    name = gpu.get("name") or cpu.get("model") or "unknown"
    return f"{name}, torch {machine.get('torch') or 'unknown'}"


def _known(old: Baseline, machines: Sequence[Mapping[str, Any]]) -> float | None:
    """The largest noise that self-tests have told; None if none has."""
    told = [old.noise, *map(self_test_noise, machines)]
    return max([one for one in told if one is not None], default=None)


def _own_noise(
    noise: Noise | None, machine: Mapping[str, Any], runs: Sequence[Run]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Cell id → by how much two processes of it differ, a share; and what is to be said of it."""
    if noise is None:
        return {}, ()
    cells = [record.cell for record in runs[0].records]
    notes = require_fitting(noise, Path("--noise"), machine, cells, noise.pairs)
    return {cell.id: aa_noise(cell.log_ratios, 1) for cell in noise.cells}, notes


def _require_common(cells: Sequence[GateCell], base: str) -> None:
    if all(cell.base is None or cell.candidate is None for cell in cells):
        gone = next((cell.id for cell in cells if cell.candidate is None), "none")
        new = next((cell.id for cell in cells if cell.base is None), "none")
        raise UsageError(
            f"{base}: has no cell in common with what it is compared with (there: {gone}, …; here: {new}, …)"
        )


def _unused(cells: Sequence[GateCell], accepted: Sequence[Accepted]) -> tuple[str, ...]:
    changes = [change for cell in cells for change in cell.changes]
    return tuple(f"--accept {one}: nothing of it changed" for one in unused(changes, accepted))
