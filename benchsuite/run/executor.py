"""Where cells are measured: in worker processes, or inline for debugging. Both give the same answers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchsuite.errors import WorkerDied, WorkerTimeout
from benchsuite.measure.stopping import Visit
from benchsuite.measure.trace_reader import Reading
from benchsuite.results.record import Allocator, Cell, Failure
from benchsuite.run.answer import Answer, Inspected, Plan, Visited
from benchsuite.run.own import search_path
from benchsuite.run.process import ANSWERS, Worker
from benchsuite.scenario.measure import Measure, Threads

T = TypeVar("T")


class Executor(Protocol):
    """Measures cells one at a time."""

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The resolved device and the environment; sets threads and memory limit. Raises DeviceError."""
        ...

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        """Count and estimate cells without running them. Raises UsageError."""
        ...

    def matmul_rate(self, device: str) -> float:
        """Multiply–adds per second of a large fp32 product."""
        ...

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        """What a device does at most, measured by the process that times; see `measure/ceilings.py`."""
        ...

    def visit(
        self,
        cell: Cell,
        measure: Measure,
        visit: Visit,
        timeout_s: float | None = None,
    ) -> Answer[Visited]:
        """Build a cell and time it in one round."""
        ...

    def inspect(self, cell: Cell, measure: Measure, timeout_s: float | None = None) -> Answer[Inspected]:
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
    ) -> Answer[Reading]:
        """Where the time of a cell goes, in a pass of its own; its trace is written to `trace`."""
        ...

    def begin_round(self) -> None:
        """From now on cells are timed in a fresh process, where there are processes."""
        ...

    def another(self) -> Executor:
        """One more of the same kind, set up alike, that may measure on another device at the same time."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


class InlineExecutor:
    """Everything in this process, for debuggers: no timeout, and a cell that crashes takes the run with it.

    Until it is closed, this process looks for modules where a worker would.

    Args:
        answers: module whose functions answer.
    """

    def __init__(self, pythonpath: Sequence[str] = (), answers: str = ANSWERS) -> None:
        self._answers = answers
        self._sys_path = list(sys.path)
        sys.path[:] = search_path(pythonpath)

    @property
    def _worker(self) -> Any:
        return importlib.import_module(self._answers)  # torch comes with the first question

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        answer: tuple[str, dict[str, Any]] = self._worker.describe(device, threads, command)
        return answer

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        answer: list[Answer[Plan]] = self._worker.plan(cells)
        return answer

    def matmul_rate(self, device: str) -> float:
        return float(self._worker.matmul_rate(device))

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self._worker.ceilings(device, dtypes, threads)
        return answer

    def visit(
        self,
        cell: Cell,
        measure: Measure,
        visit: Visit,
        timeout_s: float | None = None,
    ) -> Answer[Visited]:
        answer: Answer[Visited] = self._worker.visit(cell, measure, visit)
        return answer

    def inspect(self, cell: Cell, measure: Measure, timeout_s: float | None = None) -> Answer[Inspected]:
        answer: Answer[Inspected] = self._worker.inspect_cell(cell, measure)
        return answer

    def profile(
        self,
        cell: Cell,
        measure: Measure,
        trace: Path,
        steps: int,
        top: int,
        timeout_s: float | None = None,
    ) -> Answer[Reading]:
        answer: Answer[Reading] = self._worker.profile_cell(cell, measure, trace, steps, top)
        return answer

    def begin_round(self) -> None:
        """There is one process, for all rounds."""

    def another(self) -> InlineExecutor:
        return self

    def close(self) -> None:
        """Nothing was started; the search path becomes what it was."""
        sys.path[:] = self._sys_path


class ProcessExecutor:
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
        self._timers: dict[Allocator, Worker] = {}
        self._inspector = self._started()

    def describe(
        self, device: str, threads: Threads, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        self._setup = (device, threads, memory_limit)
        answer: tuple[str, dict[str, Any]] = self._inspector.call(
            "describe", device, threads, command, memory_limit
        )
        return answer

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        answers: list[Answer[Plan]] = self._living_inspector().call("plan", list(cells))
        return answers

    def matmul_rate(self, device: str) -> float:
        return float(self._timer("retain").call("matmul_rate", device))

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self._timer("retain").call("ceilings", device, list(dtypes), threads)
        return found

    def begin_round(self) -> None:
        while self._timers:
            self._timers.popitem()[1].close()

    def visit(
        self,
        cell: Cell,
        measure: Measure,
        visit: Visit,
        timeout_s: float | None = None,
    ) -> Answer[Visited]:
        answer = self._visit(cell, measure, visit, timeout_s)
        if answer.status == "oom" and cell.allocator == "retain" and measure.memory_limit is not None:
            # A heap that is never handed back has gaps, which count against the limit.
            return self._visit(replace(cell, allocator="system"), measure, visit, timeout_s)
        return answer

    def _visit(self, cell: Cell, measure: Measure, visit: Visit, timeout_s: float | None) -> Answer[Visited]:
        def ask() -> Answer[Visited]:
            timer = self._timer(cell.allocator, timeout_s)
            answer: Answer[Visited] = timer.call("visit", cell, measure, visit, timeout_s=timeout_s)
            return answer

        answer, alive = _asked(ask, "time")
        if not alive and (timer := self._timers.pop(cell.allocator, None)):
            timer.close()
        return answer

    def inspect(self, cell: Cell, measure: Measure, timeout_s: float | None = None) -> Answer[Inspected]:
        def ask() -> Answer[Inspected]:
            inspector = self._living_inspector(timeout_s)
            answer: Answer[Inspected] = inspector.call("inspect_cell", cell, measure, timeout_s=timeout_s)
            return answer

        answer, alive = _asked(ask, "memory")
        if not alive:
            self._inspector.close()
        return answer

    def profile(
        self,
        cell: Cell,
        measure: Measure,
        trace: Path,
        steps: int,
        top: int,
        timeout_s: float | None = None,
    ) -> Answer[Reading]:
        def ask() -> Answer[Reading]:
            inspector = self._living_inspector(timeout_s)
            answer: Answer[Reading] = inspector.call(
                "profile_cell", cell, measure, trace, steps, top, timeout_s=timeout_s
            )
            return answer

        answer, alive = _asked(ask, "profile")
        if not alive:
            self._inspector.close()
        return answer

    def another(self) -> ProcessExecutor:
        sibling = ProcessExecutor(self._pythonpath, self._answers, self._cores)
        sibling._setup = self._setup
        if self._setup is not None:
            sibling._inspector.call("set_up", *self._setup)
        return sibling

    def close(self) -> None:
        self.begin_round()
        self._inspector.close()

    def _timer(self, allocator: Allocator, timeout_s: float | None = None) -> Worker:
        """The process that times cells with this allocator, in this round."""
        timer = self._timers.get(allocator)
        if timer is None or not timer.alive:  # it died between two calls, which is no fault of the next cell
            timer = self._timers[allocator] = self._replaced(timer, timeout_s)
        return timer

    def _living_inspector(self, timeout_s: float | None = None) -> Worker:
        """The process that inspects; a fresh one where what it did before has ended it."""
        if not self._inspector.alive:
            self._inspector = self._replaced(self._inspector, timeout_s)
        return self._inspector

    def _started(self) -> Worker:
        return Worker(self._pythonpath, self._answers, self._cores)

    def _replaced(self, worker: Worker | None, timeout_s: float | None) -> Worker:
        """A fresh process in place of another; it has `timeout_s` to start, like for every call."""
        if worker is not None:
            worker.close()
        fresh = self._started()
        try:
            if self._setup is not None:
                fresh.call("set_up", *self._setup, timeout_s=timeout_s)
        except BaseException:
            fresh.close()
            raise
        return fresh


def _asked(ask: Callable[[], Answer[T]], stage: str) -> tuple[Answer[T], bool]:
    """The answer, and whether the worker that gave it can go on."""
    try:
        answer = ask()
    except WorkerTimeout as error:
        failure = Failure(stage=stage, kind="Timeout", message=str(error))
        return Answer(status="timeout", failure=failure), False
    except WorkerDied as error:
        failure = Failure(stage="worker", kind=error.kind or "WorkerDied", message=str(error))
        return Answer(status="oom" if error.out_of_memory else "crash", failure=failure), False
    return answer, not answer.poisoned


EXECUTORS: dict[str, Callable[[Sequence[str]], Executor]] = {
    "process": ProcessExecutor,
    "inline": InlineExecutor,
}
"""Name on the command line → executor, which takes the folders of `--pythonpath`."""
