"""Workers that measure cells: processes, or this process for debugging."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from benchsuite.errors import WorkerDied
from benchsuite.measurement.operator_profile import Reading
from benchsuite.measurement.stopping import Visit
from benchsuite.plugins import search_path
from benchsuite.results.record import Allocator, Cell, Cost, Record
from benchsuite.runner.plan import CellPlanner
from benchsuite.runner.process import ANSWERS, RespawningWorker, Worker
from benchsuite.scenario.measure_settings import Measure, Threads
from benchsuite.worker.worker_reply import Inspection, Plan, WorkerReply


class Workers(Protocol):
    """Measure cells one at a time."""

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The resolved device and the environment; sets threads and memory limit. Raises DeviceError."""
        ...

    def plan(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Plan]]:
        """Count and estimate cells without running them; each step of a cell within `timeout_s`. Raises
        UsageError."""
        ...

    def matmul_rate(self, device: str) -> float:
        """Multiply–adds per second of a large fp32 product."""
        ...

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        """Ceilings of a device, measured by the process that times; see `measurement/ceilings.py`."""
        ...

    def visit(
        self, cell: Cell, measure: Measure, visit: Visit, timeout_s: float | None = None
    ) -> WorkerReply[Record]:
        """Build a cell and time it in one round."""
        ...

    def inspect(
        self, cell: Cell, measure: Measure, timeout_s: float | None = None
    ) -> WorkerReply[Inspection]:
        """Peak memory of a cell, busy time and energy, in a pass of its own."""
        ...

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
        ...

    def begin_round(self) -> None:
        """From now on cells are timed in a fresh process, where there are processes."""
        ...

    def another(self) -> Workers:
        """One more of the same kind, set up alike, that may measure on another device at the same time."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


class InlineWorkers:
    """Everything in this process, for debuggers: no timeout, and a cell that crashes takes the run with it.

    Until it is closed, this process looks for modules where a worker would.

    Args:
        answers: module whose functions answer.
    """

    def __init__(self, pythonpath: Sequence[str] = (), answers: str = ANSWERS) -> None:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # as a worker has it
        self._answers = answers
        self._planning = CellPlanner(self._ask)
        self._sys_path = list(sys.path)
        sys.path[:] = search_path(pythonpath)

    @property
    def _worker(self) -> Any:
        return importlib.import_module(self._answers)  # torch comes with the first question

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        described: tuple[str, dict[str, Any]] = self._worker.describe(device, threads, command)
        return described

    def plan(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Plan]]:
        return self._planning.plans(cells, timeout_s)

    def _ask(self, function: str, *arguments: object, timeout_s: float | None = None) -> WorkerReply[Any]:
        reply: WorkerReply[Any] = getattr(self._worker, function)(*arguments)
        return reply

    def matmul_rate(self, device: str) -> float:
        return float(self._worker.matmul_rate(device))

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        ceilings: dict[str, Any] = self._worker.ceilings(device, dtypes, threads)
        return ceilings

    def visit(
        self, cell: Cell, measure: Measure, visit: Visit, timeout_s: float | None = None
    ) -> WorkerReply[Record]:
        reply: WorkerReply[Record] = self._worker.visit(cell, measure, visit)
        return reply

    def inspect(
        self, cell: Cell, measure: Measure, timeout_s: float | None = None
    ) -> WorkerReply[Inspection]:
        reply: WorkerReply[Inspection] = self._worker.inspect_cell(cell, measure)
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
        reply: WorkerReply[Reading] = self._worker.profile_cell(cell, measure, trace, steps, top)
        return reply

    def begin_round(self) -> None:
        """There is one process, for all rounds."""

    def another(self) -> InlineWorkers:
        return self

    def close(self) -> None:
        """Nothing was started; the search path becomes what it was."""
        sys.path[:] = self._sys_path


class ProcessWorkers:
    """One process that counts, estimates and profiles, and one that only times, fresh for every round. Never
    both at once.

    A process that dies, hangs or has lost its CUDA context takes one cell with it and is replaced. Where a
    sweep asks for several allocators, each has a process that times.

    Args:
        answers: module whose functions answer in the processes.
        cores: CPU cores that they may use; None for all that this process may.
    """

    def __init__(
        self,
        pythonpath: Sequence[str] = (),
        answers: str = ANSWERS,
        cores: Sequence[int] | None = None,
    ) -> None:
        self._pythonpath = tuple(pythonpath)
        self._answers, self._cores = answers, cores
        self._setup: tuple[object, ...] | None = None
        self._timers: dict[Allocator, RespawningWorker] = {}
        self._inspector = RespawningWorker(self._started, self._started())
        self._planning = CellPlanner(functools.partial(self._inspector.ask, "build"))

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        self._setup = (device, threads, memory_limit)
        words = ("describe", device, threads, command, memory_limit)
        described: tuple[str, dict[str, Any]]
        try:
            described = self._inspector.call(*words)
        except WorkerDied:  # no cell has come near it yet, so somebody else ended it
            described = self._inspector.call(*words)
        return described

    def plan(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Plan]]:
        return self._planning.plans(cells, timeout_s)

    def count(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Cost]]:
        """Count cells, and nothing else; each within `timeout_s`. Raises UsageError."""
        return self._planning.costs(cells, timeout_s)

    def matmul_rate(self, device: str) -> float:
        return float(self._timer("retain").call("matmul_rate", device))

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        ceilings: dict[str, Any] = self._timer("retain").call("ceilings", device, list(dtypes), threads)
        return ceilings

    def begin_round(self) -> None:
        while self._timers:
            self._timers.popitem()[1].close()

    def visit(
        self, cell: Cell, measure: Measure, visit: Visit, timeout_s: float | None = None
    ) -> WorkerReply[Record]:
        timer = self._timer(cell.allocator)
        reply = timer.ask("time", "visit", cell, measure, visit, timeout_s=timeout_s)
        if reply.status == "oom" and cell.allocator == "retain" and measure.memory_limit is not None:
            # A heap that is never handed back has gaps, which count against the limit.
            timer, cell = self._timer("system"), replace(cell, allocator="system")
            reply = timer.ask("time", "visit", cell, measure, visit, timeout_s=timeout_s)
        return reply

    def inspect(
        self, cell: Cell, measure: Measure, timeout_s: float | None = None
    ) -> WorkerReply[Inspection]:
        return self._inspector.ask("memory", "inspect_cell", cell, measure, timeout_s=timeout_s)

    def profile(
        self,
        cell: Cell,
        measure: Measure,
        trace: Path,
        steps: int,
        top: int,
        timeout_s: float | None = None,
    ) -> WorkerReply[Reading]:
        return self._inspector.ask(
            "profile", "profile_cell", cell, measure, trace, steps, top, timeout_s=timeout_s
        )

    def another(self) -> ProcessWorkers:
        sibling = ProcessWorkers(self._pythonpath, self._answers, self._cores)
        sibling._setup = self._setup
        if self._setup is not None:
            sibling._inspector.call("set_up", *self._setup)
        return sibling

    def close(self) -> None:
        self.begin_round()
        self._inspector.close()

    def _timer(self, allocator: Allocator) -> RespawningWorker:
        """The process that times cells with this allocator, in this round."""
        if allocator not in self._timers:
            self._timers[allocator] = RespawningWorker(self._started)
        return self._timers[allocator]

    def _started(self, timeout_s: float | None = None) -> Worker:
        """A fresh process; it has `timeout_s` to start, like for every call."""
        worker = Worker(self._pythonpath, self._answers, self._cores)
        try:
            if self._setup is not None:
                worker.call("set_up", *self._setup, timeout_s=timeout_s)
        except BaseException:
            worker.close()
            raise
        return worker


WORKERS: dict[str, Callable[[Sequence[str]], Workers]] = {
    "process": ProcessWorkers,
    "inline": InlineWorkers,
}
"""Name on the command line → workers on this machine, given the folders of `--pythonpath`."""
