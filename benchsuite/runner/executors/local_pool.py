"""Executor of several workers on the CPU of this machine, each on a set of cores of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from benchsuite.errors import ExecutorError
from benchsuite.results.record import Cell
from benchsuite.runner.executors.device_workers import CoreSetWorkers, core_sets
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
        count = len(self._cores)

        def start(number: int) -> CoreSetWorkers:
            own = self._cores[number]
            return CoreSetWorkers((number, count), count, f"cores {own[0]}–{own[-1]}")

        for device, chosen in settings.items():
            due = [group for group in groups if group.device == device]
            if due:
                WorkerPool(start, count).run(due, replace(chosen, answers=self._answers), recorder, stopping)

    def close(self) -> None:
        self.planner.close()

    def _resolved(self, word: str) -> str:
        if word not in ("auto", "cpu"):
            raise ExecutorError(
                f'--executor-option workers goes with the CPU, not with device "{word}": '
                "GPUs work side by side without it"
            )
        return "cpu"
