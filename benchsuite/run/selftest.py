"""`benchsuite selftest`: is the instrument sound, and what must a difference exceed on this machine?

First the same cell twice, in several processes, measured as any run measures its cells. Then things of known
cost, and other people's clocks (`run/instrument.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from benchsuite import __version__
from benchsuite.analyse.aa import Trial, noise_of, verdicts
from benchsuite.analyse.verdict import Verdict, passed
from benchsuite.results.record import Cell
from benchsuite.run.turns import take_turns
from benchsuite.scenario.measure import Measure
from benchsuite.stats.summary import quantile

if TYPE_CHECKING:
    from benchsuite.run.executor import Executor
    from benchsuite.run.instrument import Effort


@dataclass(frozen=True, slots=True)
class Settings:
    """How thorough a self-test is.

    Attributes:
        processes: in which the same cell is timed twice, two at least.
        measure: as in a scenario, for each of them.
        turns, turn_s, waits: as in `run/instrument.py`.
        kept: whether the result may stand for the machine afterwards.
    """

    processes: int
    measure: Measure
    turns: int
    turn_s: float
    waits: int
    kept: bool

    @property
    def effort(self) -> Effort:
        from benchsuite.run.instrument import Effort

        return Effort(self.turns, self.turn_s, self.waits)


FULL = Settings(
    processes=5,
    measure=Measure(metrics=("latency",), max_s=3.0),
    turns=8,
    turn_s=0.3,
    waits=100,
    kept=True,
)
QUICK = Settings(
    processes=3,
    measure=Measure(metrics=("latency",), warmup_s=0.1, max_s=0.5),
    turns=4,
    turn_s=0.05,
    waits=20,
    kept=False,
)
"""Says whether the instrument is sound. Its noise figure rests on too little to be kept."""


@dataclass(frozen=True, slots=True)
class Selftest:
    """What a self-test found.

    Attributes:
        fingerprint: of the machine, `measure.ceilings_cache.fingerprint`.
        noise: share that a difference within a run must exceed; None if the cell could not be timed.
        between: the same for two runs.
    """

    date: str
    device: str
    quick: bool
    environment: Mapping[str, Any]
    fingerprint: Mapping[str, Any]
    noise: float | None
    between: float | None
    verdicts: tuple[Verdict, ...]
    trials: tuple[Trial, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return passed(self.verdicts)

    @property
    def document(self) -> dict[str, Any]:
        """JSON-able, as it is kept."""
        return {
            "form": 1,
            "benchsuite": __version__,
            "date": self.date,
            "device": self.device,
            "quick": self.quick,
            "passed": self.passed,
            "noise_percent": _percent(self.noise),
            "between_runs_percent": _percent(self.between),
            "seconds": round(self.seconds, 1),
            "verdicts": [asdict(one) | {"numbers": list(one.numbers)} for one in self.verdicts],
            "trials": [asdict(trial) for trial in self.trials],
            "fingerprint": dict(self.fingerprint),
            "environment": dict(self.environment),
        }


def cells_of(device: str) -> tuple[Cell, Cell]:
    """The same cell twice; only their names differ. Large enough to be work, small enough to be quick."""
    cell = Cell(
        name="A",
        target="hilo",
        config={"window_size": 2, "alpha": 0.9},
        resolution=(224, 224),
        stride=16,
        batch=64 if device.startswith("cuda") else 1,
        dim=384,
        num_heads=12,
        device=device,
    )
    return cell, replace(cell, name="A again")


def selftest(
    device: str,
    settings: Settings,
    start: Callable[[], Executor],
    say: Callable[[str], None],
    command: Sequence[str] = (),
) -> Selftest:
    """Test the instrument on a device: "auto", "cpu", "cuda" or "cuda:1".

    Args:
        start: makes an executor; it is called once for each process that times.
        say: is told what begins.

    Raises:
        DeviceError: the device is not present.
        WorkerDied: a process could not even describe the machine.
    """
    began, date = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    trials: list[Trial] = []
    found: list[Verdict] = []
    environment: Mapping[str, Any] = {}
    for number in range(settings.processes):
        say(f"the same cell twice, process {number + 1} of {settings.processes}")
        executor = start()
        try:
            resolved, environment = executor.describe(device, settings.measure.threads, list(command))
            trial = timed_twice(cells_of(resolved), settings.measure, executor)
        finally:
            executor.close()
        if isinstance(trial, Verdict):
            found.append(trial)
            break
        trials.append(trial)
    noise = noise_of(trials) if not found else None
    found += verdicts(trials) if noise else []
    from benchsuite.measure.ceilings_cache import fingerprint  # they need torch, which the processes did not
    from benchsuite.run.instrument import examine

    say("things of known cost, and other clocks")
    for verdict in examine(resolved, noise.within if noise else 0.0, settings.effort):
        found.append(verdict)
    return Selftest(
        date=date,
        device=resolved,
        quick=not settings.kept,
        environment=environment,
        fingerprint=fingerprint(resolved),
        noise=noise.within if noise else None,
        between=noise.between if noise else None,
        verdicts=tuple(found),
        trials=tuple(trials),
        seconds=time.monotonic() - began,
    )


def timed_twice(cells: tuple[Cell, Cell], measure: Measure, executor: Executor) -> Trial | Verdict:
    """Two identical cells in turns, as in a run; a verdict if one of them fails."""
    found: dict[str, tuple[float, float | None]] = {}
    for cell, outcome in take_turns(
        cells, measure, executor, begins=lambda cell: None, stopping=lambda: False
    ):
        if outcome.timing is None:
            assert outcome.failure is not None
            words = f"{outcome.status}: {outcome.failure.message}"
            return Verdict("A/A", "fail", "–", "–", f"the cell could not be timed; {words}")
        found[cell.id] = (quantile(outcome.timing.samples_s, 0.5), outcome.timing.precision)
    first, second = (found[cell.id] for cell in cells)
    return Trial(first[0], second[0], first[1], second[1])


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)
