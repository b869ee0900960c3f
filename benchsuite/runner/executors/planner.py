"""Plans on this machine what another one measures: cells are counted on "meta", which needs no device."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchsuite.errors import ExecutorError
from benchsuite.measurement.operator_profile import Reading
from benchsuite.measurement.stopping import Visit
from benchsuite.results.record import Cell
from benchsuite.runner.plans import Planning
from benchsuite.runner.process import ANSWERS, Worker
from benchsuite.runner.respawn import RespawningWorker
from benchsuite.scenario.measure_settings import Measure, Threads
from benchsuite.worker.reply import Answer, Inspected, Plan, Visited


class Planner:
    """An executor that only plans, in one process.

    Args:
        resolve: what a scenario's word for a device means where cells are measured; raises ExecutorError.
    """

    def __init__(
        self, resolve: Callable[[str], str], pythonpath: Sequence[str] = (), answers: str = ANSWERS
    ) -> None:
        self._resolve = resolve
        self._worker = RespawningWorker(lambda _: Worker(pythonpath, answers), Worker(pythonpath, answers))
        self._planning = Planning(functools.partial(self._worker.ask, "build"))

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The device; of the environment only the command, since workers describe their own machines."""
        return self._resolve(device), {"command": command}

    def plan(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[Answer[Plan]]:
        return self._planning.plans(cells, timeout_s)

    def matmul_rate(self, device: str) -> float:
        raise ExecutorError(
            "--dry-run times a matrix product on the device; leave --executor out, on a machine that has it"
        )

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        raise NotImplementedError(_ELSEWHERE)

    def visit(
        self,
        cell: Cell,
        measure: Measure,
        visit: Visit,
        timeout_s: float | None = None,
    ) -> Answer[Visited]:
        raise NotImplementedError(_ELSEWHERE)

    def inspect(self, cell: Cell, measure: Measure, timeout_s: float | None = None) -> Answer[Inspected]:
        raise NotImplementedError(_ELSEWHERE)

    def profile(
        self,
        cell: Cell,
        measure: Measure,
        trace: Path,
        steps: int,
        top: int,
        timeout_s: float | None = None,
    ) -> Answer[Reading]:
        raise NotImplementedError(_ELSEWHERE)

    def begin_round(self) -> None:
        raise NotImplementedError(_ELSEWHERE)

    def another(self) -> Planner:
        raise NotImplementedError(_ELSEWHERE)

    def close(self) -> None:
        self._worker.close()


_ELSEWHERE = "a planner measures nothing; the workers of its engine do"


def one_device(word: str, *, gpus: bool) -> str:
    """What a scenario's word means to a worker that has one device, a GPU if there are `gpus`.

    Raises:
        ExecutorError: it names a GPU by a number other than 0, of which a worker sees none.
    """
    if word == "auto":
        return "cuda:0" if gpus else "cpu"
    if word in ("cuda", "cuda:0"):
        return "cuda:0"
    if word != "cpu":
        raise ExecutorError(
            f'device "{word}": a worker is given one GPU, whichever is free; write "cuda" for it'
        )
    return word
