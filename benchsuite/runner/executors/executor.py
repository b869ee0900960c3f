"""The protocol of executors: what one is given, and what it is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from benchsuite.results.cell import Cell

if TYPE_CHECKING:
    from benchsuite.runner.recorder import RunRecorder
    from benchsuite.runner.workers import Workers
    from benchsuite.scenario.measure_settings import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonGroup:
    """One comparison group, to be measured on one device.

    Attributes:
        cells: those that are to be measured.
        whole: all cells of the group that can be tried, `cells` among them.
        measured_on: where the others of the group were measured, as `device_identity` names it; empty if
            there are none.
        seconds: about how long it takes; only the order of groups depends on it.
        attempts: how often it was begun before, on workers that were lost.
        lost_by: number of the worker that lost it last; another one takes it if there is one.
    """

    cells: tuple[Cell, ...]
    whole: tuple[Cell, ...] = ()
    measured_on: frozenset[str] = frozenset()
    seconds: float = 0.0
    attempts: int = 0
    lost_by: int | None = None

    @property
    def device(self) -> str:
        return self.cells[0].device

    def due(self, here: str) -> tuple[Cell, ...]:
        """The cells to measure on a device: all of the group if its others were measured elsewhere, since a
        comparison never spans two devices."""
        elsewhere = self.measured_on and self.measured_on != {here}
        return (self.whole or self.cells) if elsewhere else self.cells


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Settings of workers on any machine, so that they measure cells as this run wants it.

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


class Executor(Protocol):
    """Measures comparison groups somewhere, and brings their records to a `RunRecorder`, from any thread."""

    name: str
    planner: Workers
    """Plans cells and resolves devices for this executor."""
    one_place: bool
    """Whether everything is measured by the planner's machine, whose environment `prepare` has."""

    def recover(self, cells: Sequence[Cell], recorder: RunRecorder) -> None:
        """Hand over what an earlier run into the folder has measured and not written down."""
        ...

    def run(
        self,
        groups: Sequence[ComparisonGroup],
        settings: Mapping[str, WorkerSettings],
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> None:
        """Measure all groups, each on one device.

        Args:
            settings: device → how to measure on it.

        Raises:
            ExecutorFailed: the cluster is gone, say; what came before is kept.
        """
        ...

    def close(self) -> None:
        """End what was started."""
        ...
