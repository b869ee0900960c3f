"""Where cells are measured: in worker processes, or inline for debugging. Both give the same answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from benchsuite.errors import WorkerDied
from benchsuite.results.record import Cell, Failure, Memory, Status, Timing
from benchsuite.run.own import search_path
from benchsuite.run.process import Worker
from benchsuite.scenario.model import Measure

if TYPE_CHECKING:  # importing the worker imports torch, which the parent of worker processes never needs
    from benchsuite.run.worker import Answer, Plan


@dataclass(frozen=True, slots=True)
class Outcome:
    """What measuring a cell brought."""

    timing: Timing | None = None
    memory: Memory | None = None
    status: Status = "ok"
    failure: Failure | None = None


class Executor(Protocol):
    """Measures cells one at a time."""

    def describe(self, device: str, threads: int | None, command: list[str]) -> tuple[str, dict[str, Any]]:
        """The resolved device and the environment. Raises DeviceError."""
        ...

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        """Count and estimate cells without running them. Raises UsageError."""
        ...

    def matmul_rate(self, device: str) -> float:
        """Multiply–adds per second of a large fp32 product."""
        ...

    def measure(self, cell: Cell, measure: Measure) -> Outcome:
        """Time a cell and take its memory."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


class InlineExecutor:
    """Everything in this process, for debuggers: one cell's profiler runs before the next cell's timing.

    Until it is closed, this process looks for modules where a worker would.
    """

    def __init__(self, pythonpath: Sequence[str] = ()) -> None:
        self._sys_path = list(sys.path)
        sys.path[:] = search_path(pythonpath)

    def describe(self, device: str, threads: int | None, command: list[str]) -> tuple[str, dict[str, Any]]:
        from benchsuite.run import worker

        return worker.describe(device, threads, command)

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        from benchsuite.run import worker

        return worker.plan(cells)

    def matmul_rate(self, device: str) -> float:
        from benchsuite.run import worker

        return worker.matmul_rate(device)

    def measure(self, cell: Cell, measure: Measure) -> Outcome:
        from benchsuite.run import worker

        return _passes(
            measure,
            time=lambda: worker.time_cell(cell, measure),
            inspect=lambda: worker.inspect_cell(cell, measure.seed),
        )

    def close(self) -> None:
        """Nothing was started; the search path becomes what it was."""
        sys.path[:] = self._sys_path


class ProcessExecutor:
    """Two processes: one that only times, one that counts, estimates and profiles. Never both at once.

    A process that dies takes one cell with it and is replaced.
    """

    def __init__(self, pythonpath: Sequence[str] = ()) -> None:
        self._pythonpath = tuple(pythonpath)
        self._threads: int | None = None
        self._timer = Worker(pythonpath)
        self._inspector = Worker(pythonpath)

    def describe(self, device: str, threads: int | None, command: list[str]) -> tuple[str, dict[str, Any]]:
        self._threads = threads
        self._inspector.call("describe", device, threads, command)
        answer: tuple[str, dict[str, Any]] = self._timer.call("describe", device, threads, command)
        return answer

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        answers: list[Answer[Plan]] = self._inspector.call("plan", list(cells))
        return answers

    def matmul_rate(self, device: str) -> float:
        return float(self._timer.call("matmul_rate", device))

    def measure(self, cell: Cell, measure: Measure) -> Outcome:
        def time() -> Answer[Timing]:
            answer: Answer[Timing] = self._timer.call("time_cell", cell, measure)
            return answer

        def inspect() -> Answer[Memory]:
            answer: Answer[Memory] = self._inspector.call("inspect_cell", cell, measure.seed)
            return answer

        try:
            return _passes(measure, time=time, inspect=inspect)
        except WorkerDied as error:
            self._replace_dead(cell.device)
            failure = Failure(stage="worker", kind="WorkerDied", message=str(error))
            return Outcome(status="crash", failure=failure)

    def close(self) -> None:
        self._timer.close()
        self._inspector.close()

    def _replace_dead(self, device: str) -> None:
        self.close()
        self._timer, self._inspector = Worker(self._pythonpath), Worker(self._pythonpath)
        for worker in (self._timer, self._inspector):
            worker.call("describe", device, self._threads, [])


def _passes(
    measure: Measure,
    *,
    time: Callable[[], Answer[Timing]],
    inspect: Callable[[], Answer[Memory]],
) -> Outcome:
    """Time first, then look at memory; the first failure ends it."""
    timing = memory = None
    if "latency" in measure.metrics:
        timed = time()
        if timed.failure:
            return Outcome(status=timed.status, failure=timed.failure)
        timing = timed.value
    if "memory" in measure.metrics:
        inspected = inspect()
        if inspected.failure:
            return Outcome(timing=timing, status=inspected.status, failure=inspected.failure)
        memory = inspected.value
    return Outcome(timing=timing, memory=memory)


EXECUTORS: dict[str, Callable[[Sequence[str]], Executor]] = {
    "process": ProcessExecutor,
    "inline": InlineExecutor,
}
"""Name on the command line → executor, which takes the folders of `--pythonpath`."""
