"""Executors: what one is given, and what it is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.results.cell import Cell
from benchsuite.runner.process import ANSWERS
from benchsuite.runner.workers import PlanningWorkers, Workers

if TYPE_CHECKING:
    from benchsuite.results.record import Record
    from benchsuite.runner.recorder import RunRecorder
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
        planned: whether cells are planned already; else whoever measures a group plans it first.
    """

    device: str
    measure: Measure
    pythonpath: tuple[str, ...] = ()
    folder: str = ""
    command: tuple[str, ...] = ()
    ceilings: tuple[str, ...] = ()
    answers: str = ANSWERS
    planned: bool = True


class Executor:
    """Measures comparison groups somewhere, and brings their records to a `RunRecorder`, from any thread.

    Args:
        planner: plans cells and resolves devices for this executor.

    Attributes:
        name: on the command line.
        one_place: whether everything is measured by the planner's machine, whose environment `prepare` has.
    """

    name: str
    one_place = False

    def __init__(self, planner: Workers) -> None:
        self.planner = planner

    def recover(self, cells: Sequence[Cell], recorder: RunRecorder) -> None:
        """Hand over what an earlier run into the folder has measured and not written down, if there may be
        any."""

    def run(
        self,
        groups: Sequence[ComparisonGroup],
        settings: Mapping[str, WorkerSettings],
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> Iterable[Record]:
        """Measure all groups, each on one device.

        Args:
            settings: device → how to measure on it.

        Returns:
            Records to keep as they come. Executors of several workers keep theirs as they come, each with its
            session, and have none left.

        Raises:
            ExecutorFailed: the cluster is gone, say; what came before is kept.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End what was started."""
        self.planner.close()


class RemoteExecutor(Executor):
    """An executor whose workers have processes of their own, on this machine or others.

    Args:
        options: as in the table of executors.
        answers: module whose functions answer in the processes.
    """

    def __init__(self, options: Mapping[str, Any], pythonpath: Sequence[str], answers: str) -> None:
        super().__init__(PlanningWorkers(self._resolved, pythonpath, answers))
        self._options, self._answers = options, answers
        self._pythonpath = tuple(str(Path(folder).resolve()) for folder in pythonpath)

    def _resolved(self, word: str) -> str:
        """Device that a scenario's word means where cells are measured. Raises ExecutorError."""
        raise NotImplementedError

    def _by_device(
        self, groups: Sequence[ComparisonGroup], settings: Mapping[str, WorkerSettings]
    ) -> Iterator[tuple[str, list[ComparisonGroup], WorkerSettings]]:
        """Each device that has groups, with these, and how to measure them from wherever a worker runs."""
        for device, chosen in settings.items():
            if due := [group for group in groups if group.device == device]:
                told = replace(
                    chosen, pythonpath=self._pythonpath, folder=str(Path.cwd()), answers=self._answers
                )
                yield device, due, told
