"""The devices of this machine: GPUs side by side, a CPU alone or in sets of cores."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchsuite.errors import ExecutorError
from benchsuite.results.record import Cell
from benchsuite.runner.device_queue import Lane, run_lanes
from benchsuite.runner.executors.device_workers import Site, core_sets
from benchsuite.runner.executors.executor import Job, Setup, Sink
from benchsuite.runner.executors.planner import Planner
from benchsuite.runner.executors.pool import Pool
from benchsuite.runner.outcome import Outcome
from benchsuite.runner.planned_rounds import planned_rounds
from benchsuite.runner.process import ANSWERS
from benchsuite.runner.rounds import measure_in_rounds
from benchsuite.runner.workers import Executor

TOGETHER = 400
"""Cells of whole groups that share their rounds, so that rounds are spread over the whole of most runs; of a
larger sweep, what a kill can delay stays bounded."""


class LocalEngine:
    """The cells of one device in rounds, groups in the order of the scenario: one lane a device.

    Args:
        executor: measures; it is the caller's to close.
    """

    one_place = True

    def __init__(self, executor: Executor, name: str = "process") -> None:
        self.name = name
        self.planner = executor

    def recover(self, cells: Sequence[Cell], sink: Sink) -> None:
        """Nothing is measured that is not written down."""

    def run(
        self, jobs: Sequence[Job], setups: Mapping[str, Setup], sink: Sink, stopping: Callable[[], bool]
    ) -> None:
        found: dict[str, list[Job]] = {}
        session = sink.session
        for job in jobs:
            found.setdefault(job.device, []).append(job)
        lanes = [Lane(device, tuple(_together(work))) for device, work in found.items()]

        def do(cells: Sequence[Cell], executor: Executor) -> bool:
            if stopping():
                return False
            setup = setups[cells[0].device]
            measured = (measure_in_rounds if setup.planned else planned_rounds)(
                cells,
                setup.measure,
                executor,
                begins=sink.begins,
                stopping=stopping,
                round_begins=sink.round_begins,
                earlier=sink.earlier,
                visited=sink.visited,
            )
            with contextlib.closing(
                measured
            ):  # not whenever it is collected: the workers may be gone by then
                for cell, outcome in measured:
                    sink.keep(cell, outcome, session)
            return not stopping()

        run_lanes(lanes, self.planner, do, sink.broken)

    def close(self) -> None:
        self.planner.close()


def _together(jobs: Sequence[Job]) -> Iterator[list[Cell]]:
    """The cells of jobs, of so many whole groups as share their rounds."""
    cells: list[Cell] = []
    for job in jobs:
        if cells and len(cells) + len(job.cells) > TOGETHER:
            yield cells
            cells = []
        cells = [*cells, *job.cells]
    if cells:
        yield cells


class LocalPoolEngine:
    """Several workers on the CPU of this machine, each on a set of cores of its own.

    They share caches and memory bandwidth, which their numbers suffer from; how many cells shared the host is
    in the environment. GPUs need no pool, since they work side by side anyway.

    Raises:
        ExecutorError: there are fewer cores than workers.
    """

    one_place = False

    def __init__(
        self,
        workers: int,
        pythonpath: Sequence[str] = (),
        answers: str = ANSWERS,
        name: str = "process",
    ) -> None:
        try:
            self._cores = core_sets(workers)
        except ValueError as error:
            raise ExecutorError(f"--executor-option workers={workers}: {error}") from None
        self.name = name
        self._answers = answers
        self.planner: Executor = Planner(self._resolved, pythonpath, answers)

    def recover(self, cells: Sequence[Cell], sink: Sink) -> None:
        """Nothing is measured that is not written down."""

    def run(
        self, jobs: Sequence[Job], setups: Mapping[str, Setup], sink: Sink, stopping: Callable[[], bool]
    ) -> None:
        for device, setup in setups.items():
            due = [job for job in jobs if job.device == device]
            if due:
                pool = Pool(lambda number: _Local(number, self._cores), len(self._cores))
                pool.run(due, replace(setup, answers=self._answers), sink, stopping)

    def close(self) -> None:
        self.planner.close()

    def _resolved(self, word: str) -> str:
        if word not in ("auto", "cpu"):
            raise ExecutorError(
                f'--executor-option workers goes with the CPU, not with device "{word}": '
                "GPUs work side by side without it"
            )
        return "cpu"


class _Local:
    """A member of a pool on this machine."""

    def __init__(self, number: int, cores: Sequence[tuple[int, ...]]) -> None:
        self.name = f"cores {cores[number][0]}–{cores[number][-1]}"
        self._own, self._count = cores[number], len(cores)
        self._site: Site | None = None
        self._stop = threading.Event()

    def open(self, setup: Setup) -> Mapping[str, Any]:
        self._site = Site(replace(setup, cores=self._own))
        return {**self._site.environment, "groups_on_host": self._count}

    def measure(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcome]]:
        assert self._site is not None
        return self._site.measure(cells, self._stop.is_set)

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        if self._site is not None:
            self._site.close()
