"""Workers that measure cells: processes, this process for debugging, or none, for executors that measure
elsewhere."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchsuite.errors import ExecutorError, WorkerDied
from benchsuite.measurement.operator_profile import Reading
from benchsuite.plugins import search_path
from benchsuite.results.cell import Allocator, Cell
from benchsuite.results.record import Cost
from benchsuite.runner.plan import CellPlanner
from benchsuite.runner.process import ANSWERS, Worker
from benchsuite.scenario.measure_settings import Measure, Threads
from benchsuite.worker.worker_reply import Inspection, Plan, WorkerReply


class ThisProcess:
    """Calls of functions in this process, which may take for ever and raise what they like.

    Args:
        answers: module whose functions answer; it is imported with the first call, and torch with it.
    """

    def __init__(self, answers: str) -> None:
        self._answers = answers

    def call(self, function: str, *arguments: object, timeout_s: float | None = None, stage: str = "") -> Any:
        return getattr(importlib.import_module(self._answers), function)(*arguments)


class Workers:
    """Measure cells one at a time.

    Args:
        inspector: what counts, estimates and profiles; `timer` is what only times.
    """

    def __init__(self, inspector: Worker | ThisProcess) -> None:
        self._inspector = inspector
        self._planner = CellPlanner(functools.partial(inspector.call, stage="build"))

    def timer(self, allocator: Allocator) -> Worker | ThisProcess:
        """What times cells with this allocator, in this round."""
        raise NotImplementedError

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The resolved device and the environment; sets threads and memory limit. Raises DeviceError."""
        described: tuple[str, dict[str, Any]]
        described = self._inspector.call("describe", device, threads, command, memory_limit)
        return described

    def plan(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Plan]]:
        """Count and estimate cells without running them; each step of a cell within `timeout_s`. Raises
        UsageError."""
        return self._planner.plans(cells, timeout_s)

    def count(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Cost]]:
        """Count cells, and nothing else; each within `timeout_s`. Raises UsageError."""
        return self._planner.costs(cells, timeout_s)

    def matmul_rate(self, device: str) -> float:
        """Multiply–adds per second of a large fp32 product."""
        return float(self.timer("retain").call("matmul_rate", device))

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        """Ceilings of a device, measured by what times; see `measurement/ceilings.py`."""
        ceilings: dict[str, Any] = self.timer("retain").call("ceilings", device, list(dtypes), threads)
        return ceilings

    def inspect(
        self, cell: Cell, measure: Measure, timeout_s: float | None = None
    ) -> WorkerReply[Inspection]:
        """Peak memory of a cell, busy time and energy, in a pass of its own."""
        reply: WorkerReply[Inspection]
        reply = self._inspector.call("inspect_cell", cell, measure, timeout_s=timeout_s, stage="memory")
        return reply

    def profile(
        self,
        cell: Cell,
        measure: Measure,
        trace: Path,
        steps: int,
        top: int,
        timeout_s: float | None = None,
    ) -> WorkerReply[Reading]:
        """Profile a cell, in a pass of its own; its trace is written to `trace`."""
        words = ("profile_cell", cell, measure, trace, steps, top)
        reply: WorkerReply[Reading] = self._inspector.call(*words, timeout_s=timeout_s, stage="profile")
        return reply

    def begin_round(self) -> None:
        """From now on cells are timed in a fresh process, where there are processes."""

    def another(self) -> Workers:
        """One more of the same kind, set up alike, that may measure on another device at the same time."""
        return self

    def close(self) -> None:
        """End what was started."""
        raise NotImplementedError


class InlineWorkers(Workers):
    """Everything in this process, for debuggers: no timeout, no memory limit, and a cell that crashes takes
    the run with it.

    Until it is closed, this process looks for modules where a worker would.

    Args:
        answers: module whose functions answer.
    """

    _inspector: ThisProcess

    def __init__(self, pythonpath: Sequence[str] = (), answers: str = ANSWERS) -> None:
        super().__init__(ThisProcess(answers))
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # as a worker has it
        self._sys_path = list(sys.path)
        sys.path[:] = search_path(pythonpath)

    def timer(self, allocator: Allocator) -> ThisProcess:
        return self._inspector

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        return super().describe(device, threads, command)

    def close(self) -> None:
        """Nothing was started; the search path becomes what it was."""
        sys.path[:] = self._sys_path


class ProcessWorkers(Workers):
    """One process that counts, estimates and profiles, and one that only times, fresh for every round. Never
    both at once.

    A process that dies, hangs or has lost its CUDA context takes one cell with it and is replaced. Where a
    sweep asks for several allocators, each has a process that times.

    Args:
        answers: module whose functions answer in the processes.
        cores: CPU cores that they may use; None for all that this process may.
    """

    _inspector: Worker

    def __init__(
        self,
        pythonpath: Sequence[str] = (),
        answers: str = ANSWERS,
        cores: Sequence[int] | None = None,
    ) -> None:
        self._start = functools.partial(Worker, pythonpath, answers, cores)
        self._timers: dict[Allocator, Worker] = {}
        super().__init__(self._start())

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        try:
            described = super().describe(device, threads, command, memory_limit)
        except WorkerDied:  # no cell has come near it yet, so somebody else ended it
            described = super().describe(device, threads, command, memory_limit)
        self._inspector.setup = (device, threads, memory_limit)
        return described

    def begin_round(self) -> None:
        while self._timers:
            self._timers.popitem()[1].close()

    def another(self) -> ProcessWorkers:
        sibling = ProcessWorkers(*self._start.args)
        sibling._inspector.setup = self._inspector.setup
        return sibling

    def close(self) -> None:
        self.begin_round()
        self._inspector.close()

    def timer(self, allocator: Allocator) -> Worker:
        if allocator not in self._timers:
            self._timers[allocator] = self._start(self._inspector.setup)
        return self._timers[allocator]


class PlanningWorkers(Workers):
    """One process that only plans, for cells that another machine measures: they are counted on "meta", which
    needs no device.

    Args:
        resolve: the device that a scenario's word means where cells are measured; raises ExecutorError.
    """

    _inspector: Worker

    def __init__(
        self, resolve: Callable[[str], str], pythonpath: Sequence[str] = (), answers: str = ANSWERS
    ) -> None:
        super().__init__(Worker(pythonpath, answers))
        self._resolve = resolve

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The device; of the environment only the command, since workers describe their own machines."""
        return self._resolve(device), {"command": command}

    def matmul_rate(self, device: str) -> float:
        raise ExecutorError(
            "--dry-run times a matrix product on the device; leave --executor out, on a machine that has it"
        )

    def _elsewhere(self, *arguments: object, **named: object) -> Any:
        raise NotImplementedError("these workers measure nothing; those of their executor do")

    ceilings = timer = inspect = profile = begin_round = another = _elsewhere

    def close(self) -> None:
        self._inspector.close()


WORKERS: dict[str, Callable[[Sequence[str]], Workers]] = {
    "process": ProcessWorkers,
    "inline": InlineWorkers,
}
"""Name on the command line → workers on this machine, given the folders of `--pythonpath`."""
