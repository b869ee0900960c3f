"""One device of some machine, set up to measure groups: what runs at the far end of every engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchsuite.results.record import Cell
from benchsuite.runner.executors.executor import Setup
from benchsuite.runner.outcome import Outcome
from benchsuite.runner.planned_rounds import planned_rounds
from benchsuite.runner.rounds import measure_in_rounds
from benchsuite.runner.workers import Executor, ProcessExecutor


class Site:
    """Worker processes on this machine that measure on one device.

    Attributes:
        environment: the machine as these processes see it, with the ceilings that were asked for.

    Raises:
        DeviceError: the device is not there.
    """

    def __init__(self, setup: Setup, executor: Executor | None = None) -> None:
        self._setup = setup
        self._executor = executor or ProcessExecutor(setup.pythonpath, setup.answers, setup.cores)
        try:
            self.environment = self._described()
        except BaseException:
            self._executor.close()
            raise

    def measure(
        self,
        cells: Sequence[Cell],
        stopping: Callable[[], bool],
        begins: Callable[[Cell], None] = lambda cell: None,
    ) -> Iterator[tuple[Cell, Outcome]]:
        """Measure cells in rounds; each is yielded as soon as nothing more is to be learnt of it."""
        measured = (measure_in_rounds if self._setup.planned else planned_rounds)(
            cells, self._setup.measure, self._executor, begins=begins, stopping=stopping
        )
        with contextlib.closing(measured):
            yield from measured

    def close(self) -> None:
        self._executor.close()

    def _described(self) -> dict[str, Any]:
        setup = self._setup
        _, environment = self._executor.describe(
            setup.device, setup.measure.threads, list(setup.command), setup.measure.memory_limit
        )
        if setup.cores is not None:
            environment["core_set"] = sorted(setup.cores)
        if setup.ceilings:
            environment["ceilings"] = [self._executor.ceilings(setup.device, setup.ceilings)]
        return environment


def core_sets(count: int, cores: Sequence[int] | None = None) -> list[tuple[int, ...]]:
    """The cores of this machine in `count` sets of one size, neighbours together; some may be left over.

    Raises:
        ValueError: there are fewer cores than sets.
    """
    if cores is None:
        there = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        cores = sorted(there)
    size = len(cores) // count
    if size == 0:
        raise ValueError(f"{count} workers need as many cores, this machine has {len(cores)}")
    return [tuple(cores[size * i : size * (i + 1)]) for i in range(count)]
