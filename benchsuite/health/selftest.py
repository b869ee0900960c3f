"""`benchsuite selftest`: is the instrument sound, and what must a difference exceed on this machine?

First the same cell several times, in several runs some time apart, each measured as any run measures its
cells. Then things of known cost, and other people's clocks (`health/checks.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from benchsuite.health.aa import MachineNoise, Trial, noise_of, verdicts
from benchsuite.health.verdict import Effort, Verdict, passed
from benchsuite.measurement.machine_cache import (
    KEPT_RUNS,
    SELFTEST_FORM,
    fingerprint,
    selftest_log_means,
)
from benchsuite.results.cell import Cell
from benchsuite.results.devices import kind_of
from benchsuite.results.round_timings import round_medians
from benchsuite.runner.rounds import Rounds
from benchsuite.scenario.measure_settings import Measure
from benchsuite.version import __version__

if TYPE_CHECKING:
    from benchsuite.runner.workers import Workers


@dataclass(frozen=True, slots=True)
class Settings:
    """Thoroughness of a self-test.

    Attributes:
        runs: in which the same cell is measured `CELLS` times, two at least.
        pause_s: between them, so that the drift of the machine over minutes shows.
        measure: as in a scenario, for each of them.
        effort: of the comparisons with other clocks.
        kept: whether the result may stand for the machine afterwards.
    """

    runs: int
    pause_s: float
    measure: Measure
    effort: Effort
    kept: bool


CELLS = 3
"""Identical cells of a run: three pairs of them."""

FULL = Settings(
    runs=4,
    pause_s=20.0,
    measure=Measure(metrics=("latency",), precision=None, max_s=1.0),
    effort=Effort(turns=8, turn_s=0.3, waits=100),
    kept=True,
)
QUICK = Settings(
    runs=2,
    pause_s=0.0,
    measure=Measure(metrics=("latency",), precision=None, rounds=3, warmup_s=0.1, max_s=0.3),
    effort=Effort(turns=4, turn_s=0.05, waits=20),
    kept=False,
)
"""Says whether the instrument is sound. Its noise figure rests on too little to be kept."""


@dataclass(frozen=True, slots=True)
class Selftest:
    """Result of a self-test.

    Attributes:
        fingerprint: of the machine, `measurement.machine_cache.fingerprint`.
        noise: what identical cells come to; None if they could not be timed.
        earlier: `Trial.log_mean` of the former runs that its drift was made of.
    """

    date: str
    device: str
    quick: bool
    environment: Mapping[str, Any]
    fingerprint: Mapping[str, Any]
    noise: MachineNoise | None
    verdicts: tuple[Verdict, ...]
    trials: tuple[Trial, ...] = ()
    earlier: tuple[float, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return passed(self.verdicts)

    @property
    def document(self) -> dict[str, Any]:
        """JSON-able, as it is kept."""
        return {
            "form": SELFTEST_FORM,
            "benchsuite": __version__,
            "date": self.date,
            "device": self.device,
            "quick": self.quick,
            "passed": self.passed,
            "noise_percent": _percent(self.noise.ratio if self.noise else None),
            "drift_percent": _percent(self.noise.drift if self.noise else None),
            "between_runs_percent": _percent(self.noise.between if self.noise else None),
            "rounds": self.noise.rounds if self.noise else None,
            "log_means": [*self.earlier, *(trial.log_mean for trial in self.trials)][-KEPT_RUNS:],
            "seconds": round(self.seconds, 1),
            "verdicts": [asdict(one) | {"numbers": list(one.numbers)} for one in self.verdicts],
            "trials": [{"cells": list(map(list, trial.cells))} for trial in self.trials],
            "fingerprint": dict(self.fingerprint),
            "environment": dict(self.environment),
        }


def cells_of(device: str) -> tuple[Cell, ...]:
    """Identical cells, `CELLS` of them; only their names differ. Large enough to be work, small enough to be
    quick."""
    cell = Cell(
        name="A",
        target="hilo",
        config={"window_size": 2, "alpha": 0.9},
        resolution=(224, 224),
        stride=16,
        batch=1 if kind_of(device).on_host else 64,
        dim=384,
        num_heads=12,
        device=device,
    )
    return tuple(replace(cell, name=f"A{number + 1}") for number in range(CELLS))


def selftest(
    device: str,
    settings: Settings,
    start: Callable[[], Workers],
    say: Callable[[str], None],
    command: Sequence[str] = (),
) -> Selftest:
    """Test the instrument on a device: "auto", "cpu", "cuda" or "cuda:1".

    Args:
        start: makes workers; it is called once for each process that times.
        say: is told what begins.

    Raises:
        DeviceError: the device is not present.
        WorkerDied: a process could not even describe the machine.
    """
    began, date = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    resolved, environment, trials, results = _trials(device, settings, start, say, command)
    from benchsuite.health.checks import examine
    from benchsuite.worker.calls import set_up

    set_up(resolved, settings.measure.threads)  # as the processes were, whose machine this stands for
    earlier = selftest_log_means(fingerprint(resolved)) if settings.kept else ()
    noise = noise_of(trials, earlier) if not results else None
    results += verdicts(trials, noise) if noise else []

    say("things of known cost, and other clocks")
    for verdict in examine(resolved, noise.ratio if noise else 0.0, settings.effort):
        results.append(verdict)
    return Selftest(
        date=date,
        device=resolved,
        quick=not settings.kept,
        environment=environment,
        fingerprint=fingerprint(resolved),
        noise=noise,
        verdicts=tuple(results),
        trials=tuple(trials),
        earlier=earlier,
        seconds=time.monotonic() - began,
    )


def _trials(
    device: str,
    settings: Settings,
    start: Callable[[], Workers],
    say: Callable[[str], None],
    command: Sequence[str],
) -> tuple[str, Mapping[str, Any], list[Trial], list[Verdict]]:
    """Identical cells in several runs: the device, its environment, the runs, and a verdict if one failed."""
    trials: list[Trial] = []
    for number in range(settings.runs):
        say(f"the same cell {CELLS} times, run {number + 1} of {settings.runs}")
        workers = start()
        try:
            resolved, environment = workers.describe(device, settings.measure.threads, list(command))
            trial = measured_alike(cells_of(resolved), settings.measure, workers)
        finally:
            workers.close()
        if isinstance(trial, Verdict):
            return resolved, environment, trials, [trial]
        trials.append(trial)
        if number + 1 < settings.runs:
            time.sleep(settings.pause_s)
    return resolved, environment, trials, []


def measured_alike(cells: Sequence[Cell], measure: Measure, workers: Workers) -> Trial | Verdict:
    """Identical cells in rounds, as in a run; a verdict if one of them fails."""
    medians: dict[str, tuple[float, ...]] = {}
    rounds = Rounds(measure=measure, workers=workers, stopping=lambda: False)
    for record in rounds.records(cells):
        if record.timing is None:
            assert record.failure is not None
            words = f"{record.status}: {record.failure.message}"
            return Verdict("A/A", "fail", "–", "–", f"the cell could not be timed; {words}")
        medians[record.id] = round_medians(record.timing)
    return Trial(tuple(medians[cell.id] for cell in cells))


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)
