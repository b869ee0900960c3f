"""Where cells are measured: in worker processes, or inline for debugging. Both give the same answers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchsuite.errors import WorkerDied, WorkerTimeout
from benchsuite.measure.trace_reader import Reading
from benchsuite.results.record import Cell, Failure
from benchsuite.run.answer import Answer, Inspected, Plan, Visited
from benchsuite.run.own import search_path
from benchsuite.run.process import ANSWERS, Worker
from benchsuite.scenario.measure import Measure

T = TypeVar("T")


class Executor(Protocol):
    """Measures cells one at a time."""

    def describe(
        self, device: str, threads: int | None, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The resolved device and the environment; sets threads and memory limit. Raises DeviceError."""
        ...

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        """Count and estimate cells without running them. Raises UsageError."""
        ...

    def matmul_rate(self, device: str) -> float:
        """Multiply–adds per second of a large fp32 product."""
        ...

    def ceilings(self, device: str, dtypes: Sequence[str]) -> dict[str, Any]:
        """What a device does at most, measured by the process that times; see `measure/ceilings.py`."""
        ...

    def visit(
        self,
        cell: Cell,
        measure: Measure,
        turn: tuple[int, int],
        earlier: tuple[float, ...],
        timeout_s: float | None = None,
    ) -> Answer[Visited]:
        """Time a cell in round `turn[0]` of `turn[1]`, with the samples of earlier rounds at hand."""
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

    def release(self) -> None:
        """Let go of the cells that were built for the rounds of a group."""
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
        self, device: str, threads: int | None, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        answer: tuple[str, dict[str, Any]] = self._worker.describe(device, threads, command)
        return answer

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        answer: list[Answer[Plan]] = self._worker.plan(cells)
        return answer

    def matmul_rate(self, device: str) -> float:
        return float(self._worker.matmul_rate(device))

    def ceilings(self, device: str, dtypes: Sequence[str]) -> dict[str, Any]:
        answer: dict[str, Any] = self._worker.ceilings(device, dtypes)
        return answer

    def visit(
        self,
        cell: Cell,
        measure: Measure,
        turn: tuple[int, int],
        earlier: tuple[float, ...],
        timeout_s: float | None = None,
    ) -> Answer[Visited]:
        answer: Answer[Visited] = self._worker.visit(cell, measure, turn, earlier)
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

    def release(self) -> None:
        self._worker.release()

    def another(self) -> InlineExecutor:
        return self

    def close(self) -> None:
        """Nothing was started; the search path becomes what it was."""
        sys.path[:] = self._sys_path


class ProcessExecutor:
    """Two processes: one that only times, one that counts, estimates and profiles. Never both at once.

    A process that dies, hangs or has lost its CUDA context takes one cell with it and is replaced.

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
        self._timer = self._started()
        self._inspector = self._started()

    def describe(
        self, device: str, threads: int | None, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        self._setup = (device, threads, command, memory_limit)
        self._inspector.call("describe", *self._setup)
        answer: tuple[str, dict[str, Any]] = self._timer.call("describe", *self._setup)
        return answer

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        if not self._inspector.alive:  # what was planned before ended it
            self._inspector = self._replaced(self._inspector)
        answers: list[Answer[Plan]] = self._inspector.call("plan", list(cells))
        return answers

    def matmul_rate(self, device: str) -> float:
        return float(self._timer.call("matmul_rate", device))

    def ceilings(self, device: str, dtypes: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = self._timer.call("ceilings", device, list(dtypes))
        return found

    def visit(
        self,
        cell: Cell,
        measure: Measure,
        turn: tuple[int, int],
        earlier: tuple[float, ...],
        timeout_s: float | None = None,
    ) -> Answer[Visited]:
        if not self._timer.alive:  # it died between two calls, which is no fault of this cell
            self._timer = self._replaced(self._timer)

        def ask() -> Answer[Visited]:
            answer: Answer[Visited] = self._timer.call(
                "visit", cell, measure, turn, earlier, timeout_s=timeout_s
            )
            return answer

        answer, alive = _asked(ask, "time")
        if not alive:
            self._timer = self._replaced(self._timer)
        return answer

    def inspect(self, cell: Cell, measure: Measure, timeout_s: float | None = None) -> Answer[Inspected]:
        if not self._inspector.alive:
            self._inspector = self._replaced(self._inspector)

        def ask() -> Answer[Inspected]:
            answer: Answer[Inspected] = self._inspector.call(
                "inspect_cell", cell, measure, timeout_s=timeout_s
            )
            return answer

        answer, alive = _asked(ask, "memory")
        if not alive:
            self._inspector = self._replaced(self._inspector)
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
        if not self._inspector.alive:
            self._inspector = self._replaced(self._inspector)

        def ask() -> Answer[Reading]:
            answer: Answer[Reading] = self._inspector.call(
                "profile_cell", cell, measure, trace, steps, top, timeout_s=timeout_s
            )
            return answer

        answer, alive = _asked(ask, "profile")
        if not alive:
            self._inspector = self._replaced(self._inspector)
        return answer

    def release(self) -> None:
        if self._timer.broken_off:  # it measures on, and is about to be closed
            return
        try:
            self._timer.call("release")
        except WorkerDied:  # it holds nothing any more
            self._timer = self._replaced(self._timer)

    def another(self) -> ProcessExecutor:
        sibling = ProcessExecutor(self._pythonpath, self._answers, self._cores)
        sibling._setup = self._setup
        if self._setup is not None:
            sibling._timer.call("describe", *self._setup)
            sibling._inspector.call("describe", *self._setup)
        return sibling

    def close(self) -> None:
        self._timer.close()
        self._inspector.close()

    def _started(self) -> Worker:
        return Worker(self._pythonpath, self._answers, self._cores)

    def _replaced(self, worker: Worker) -> Worker:
        worker.close()
        fresh = self._started()
        if self._setup is not None:
            fresh.call("describe", *self._setup)
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
