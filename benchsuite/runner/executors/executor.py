"""What an engine is given, what it gives back, and what it may ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchsuite.results.record import Cell
from benchsuite.runner.outcome import Outcome
from benchsuite.runner.workers import Executor
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.reply import Visited


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One comparison group, to be measured on one device.

    Attributes:
        cells: those that are to be measured.
        group: all cells of the group that can be tried, `cells` among them.
        places: where the others of the group were measured, as `place` names it; empty if there are none.
        seconds: about how long it takes; only the order of jobs depends on it.
        attempts: how often it was begun before, on workers that were lost.
        lost_by: number of the worker that lost it last; another one takes it if there is one.
    """

    cells: tuple[Cell, ...]
    group: tuple[Cell, ...] = ()
    places: frozenset[str] = frozenset()
    seconds: float = 0.0
    attempts: int = 0
    lost_by: int | None = None

    @property
    def device(self) -> str:
        return self.cells[0].device

    def due(self, at: str) -> tuple[Cell, ...]:
        """The cells to measure at a place: all of the group if its others were measured elsewhere, since a
        comparison never spans two devices."""
        elsewhere = self.places and self.places != {at}
        return (self.group or self.cells) if elsewhere else self.cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a worker on any machine needs to measure cells as this run wants it.

    Attributes:
        ceilings: formats of which the device's ceilings belong into the environment.
        folder: where a worker on another machine is to run, if it is there too: where the driver runs.
        answers: module that answers calls about cells; `tests.doubles.fake_worker` measures nothing.
        cores: CPU cores that it may use; None for all that its parent may.
        planned: whether cells are planned already; else whoever measures a group plans it first.
    """

    device: str
    measure: Measure
    pythonpath: tuple[str, ...] = ()
    folder: str = ""
    command: tuple[str, ...] = ()
    ceilings: tuple[str, ...] = ()
    answers: str = "benchsuite.worker.calls"
    cores: tuple[int, ...] | None = None
    planned: bool = True


class Sink(Protocol):
    """Takes what engines bring, from any thread."""

    broken: threading.Event
    """Set when what still comes is worth nothing, and everything is to end."""
    session: int
    """Of the machine that was described last."""
    folder: Path
    """Of the run."""
    earlier: Mapping[str, Sequence[Visited]]
    """Cell → its rounds of a session that was broken off, on this machine."""

    def place(self, environment: Mapping[str, Any]) -> int:
        """The session of a place: describes it in the run folder where it is new."""
        ...

    def begins(self, cell: Cell, worker: str = "") -> None:
        """A cell is about to be measured, or visited once more, by the only worker or by one of several."""
        ...

    def round_begins(self, number: int, cells: int) -> None:
        """A round of so many cells begins, the first being 1."""
        ...

    def visited(self, cell: Cell, number: int, visit: Visited, seconds: float) -> None:
        """A round of a cell has ended, the first being 0; it is in the run folder when this returns."""
        ...

    def keep(self, cell: Cell, outcome: Outcome, session: int) -> None:
        """A cell has ended; its record is on disk when this returns."""
        ...

    def workers(self, doing: Mapping[str, str]) -> None:
        """What each worker is doing, in words; for people who watch."""
        ...


class Engine(Protocol):
    """Measures comparison groups somewhere."""

    name: str
    planner: Executor
    """Plans cells and resolves devices for this engine."""
    one_place: bool
    """Whether everything is measured by the planner's machine, whose environment `prepare` has."""

    def recover(self, cells: Sequence[Cell], sink: Sink) -> None:
        """Hand over what an earlier run into the folder has measured and not written down."""
        ...

    def run(
        self,
        jobs: Sequence[Job],
        setups: Mapping[str, Setup],
        sink: Sink,
        stopping: Callable[[], bool],
    ) -> None:
        """Measure all jobs; a comparison group stays on one device.

        Args:
            setups: device → how to measure on it.

        Raises:
            EngineError: the cluster is gone, say; what came before is kept.
        """
        ...

    def close(self) -> None:
        """End what was started."""
        ...


def place(environment: Mapping[str, Any]) -> str:
    """Stable name of the physical device that an environment describes; sets of as many cores of one
    machine are alike."""
    gpu = environment.get("gpu") or {}
    machine = str(environment.get("machine", ""))
    if gpu.get("uuid"):
        return f"{machine} {gpu['uuid']}"
    cores = environment.get("core_set")
    return f"{machine} {len(cores)} cores" if cores else machine
