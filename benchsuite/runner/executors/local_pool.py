"""Executor of several workers on the CPU of this machine, each on a set of cores of its own."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.errors import ExecutorError
from benchsuite.runner.executors.device_workers import DeviceWorkers, core_sets
from benchsuite.runner.executors.pool import PoolExecutor, WorkerPool
from benchsuite.runner.process import ANSWERS


class LocalPoolExecutor(PoolExecutor):
    """Several workers on the CPU of this machine, each on a set of cores of its own.

    They share caches and memory bandwidth, which their numbers suffer from; how many cells shared the host is
    in the environment. GPUs need no pool, since they work side by side anyway.

    Raises:
        ExecutorError: there are fewer cores than workers.
    """

    name = "process"

    def __init__(self, workers: int, pythonpath: Sequence[str] = (), answers: str = ANSWERS) -> None:
        try:
            self._cores = core_sets(workers)
        except ValueError as error:
            raise ExecutorError(f"--executor-option workers={workers}: {error}") from None
        super().__init__({}, pythonpath, answers)

    def _pool(self, device: str) -> WorkerPool:
        count = len(self._cores)

        def start(number: int) -> DeviceWorkers:
            own = self._cores[number]
            return DeviceWorkers((number, count), count, f"cores {own[0]}–{own[-1]}")

        return WorkerPool(start, count)

    def _resolved(self, word: str) -> str:
        if word not in ("auto", "cpu"):
            raise ExecutorError(
                f'--executor-option workers goes with the CPU, not with device "{word}": '
                "GPUs work side by side without it"
            )
        return "cpu"
