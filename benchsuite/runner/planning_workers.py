"""Workers that only plan, on this machine, for executors that measure elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from benchsuite.errors import ExecutorError
from benchsuite.results.record import Cell
from benchsuite.runner.plan import CellPlanner
from benchsuite.runner.process import ANSWERS, RespawningWorker, Worker
from benchsuite.scenario.measure_settings import Threads
from benchsuite.worker.worker_reply import Plan, WorkerReply


class PlanningWorkers:
    """One process that only plans, for cells that another machine measures: they are counted on "meta", which
    needs no device.

    Args:
        resolve: the device that a scenario's word means where cells are measured; raises ExecutorError.
    """

    def __init__(
        self, resolve: Callable[[str], str], pythonpath: Sequence[str] = (), answers: str = ANSWERS
    ) -> None:
        self._resolve = resolve
        self._worker = RespawningWorker(lambda _: Worker(pythonpath, answers), Worker(pythonpath, answers))
        self._planning = CellPlanner(functools.partial(self._worker.ask, "build"))

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The device; of the environment only the command, since workers describe their own machines."""
        return self._resolve(device), {"command": command}

    def plan(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Plan]]:
        return self._planning.plans(cells, timeout_s)

    def matmul_rate(self, device: str) -> float:
        raise ExecutorError(
            "--dry-run times a matrix product on the device; leave --executor out, on a machine that has it"
        )

    def _elsewhere(self, *arguments: object, **named: object) -> Any:
        raise NotImplementedError("these workers measure nothing; those of their executor do")

    ceilings = visit = inspect = profile = begin_round = another = _elsewhere

    def close(self) -> None:
        self._worker.close()
