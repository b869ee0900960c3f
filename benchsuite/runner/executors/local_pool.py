"""Executor of several workers on the CPU of this machine, each on a set of cores of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchsuite.errors import ExecutorError
from benchsuite.results.record import Cell, Record
from benchsuite.runner.executors.device_workers import DeviceWorkers, core_sets
from benchsuite.runner.executors.executor import ComparisonGroup, WorkerSettings
from benchsuite.runner.executors.pool import WorkerPool
from benchsuite.runner.planning_workers import PlanningWorkers
from benchsuite.runner.process import ANSWERS
from benchsuite.runner.workers import Workers

if TYPE_CHECKING:
    from benchsuite.runner.recorder import RunRecorder


class LocalPoolExecutor:
    """Several workers on the CPU of this machine, each on a set of cores of its own.

    They share caches and memory bandwidth, which their numbers suffer from; how many cells shared the host is
    in the environment. GPUs need no pool, since they work side by side anyway.

    Raises:
        ExecutorError: there are fewer cores than workers.
    """

    name = "process"
    one_place = False

    def __init__(self, workers: int, pythonpath: Sequence[str] = (), answers: str = ANSWERS) -> None:
        try:
            self._cores = core_sets(workers)
        except ValueError as error:
            raise ExecutorError(f"--executor-option workers={workers}: {error}") from None
        self._answers = answers
        self.planner: Workers = PlanningWorkers(self._resolved, pythonpath, answers)

    def recover(self, cells: Sequence[Cell], recorder: RunRecorder) -> None:
        """Nothing is measured that is not written down."""

    def run(
        self,
        groups: Sequence[ComparisonGroup],
        settings: Mapping[str, WorkerSettings],
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> None:
        for device, chosen in settings.items():
            due = [group for group in groups if group.device == device]
            if due:
                pool = WorkerPool(lambda number: _CoreSetWorker(number, self._cores), len(self._cores))
                pool.run(due, replace(chosen, answers=self._answers), recorder, stopping)

    def close(self) -> None:
        self.planner.close()

    def _resolved(self, word: str) -> str:
        if word not in ("auto", "cpu"):
            raise ExecutorError(
                f'--executor-option workers goes with the CPU, not with device "{word}": '
                "GPUs work side by side without it"
            )
        return "cpu"


class _CoreSetWorker:
    """A worker of a pool on this machine."""

    def __init__(self, number: int, cores: Sequence[tuple[int, ...]]) -> None:
        self.name = f"cores {cores[number][0]}–{cores[number][-1]}"
        self._cores, self._count = cores[number], len(cores)
        self._workers: DeviceWorkers | None = None
        self._stop = threading.Event()

    def open(self, settings: WorkerSettings) -> Mapping[str, Any]:
        self._workers = DeviceWorkers(replace(settings, cores=self._cores))
        return {**self._workers.environment, "groups_on_host": self._count}

    def measure(self, cells: Sequence[Cell]) -> Iterator[Record]:
        assert self._workers is not None
        return self._workers.measure(cells, self._stop.is_set)

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        if self._workers is not None:
            self._workers.close()
