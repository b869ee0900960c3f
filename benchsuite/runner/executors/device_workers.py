"""Workers on one device of some machine, set up to measure groups: the far end of every executor."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchsuite.errors import ExecutorError
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.runner.executors.executor import WorkerSettings
from benchsuite.runner.rounds import Rounds
from benchsuite.runner.workers import ProcessWorkers


class DeviceWorkers:
    """Worker processes on this machine that measure on one device, on all cores or on a set of them.

    Args:
        share: which of how many sets of cores to use; (0, 1) for all.
        groups: how many groups are measured on this machine at a time; None if nobody here knows.
        stopping: whether to end soon; another thread may also call `stop`.
    """

    def __init__(
        self,
        share: tuple[int, int] = (0, 1),
        groups: int | None = None,
        name: str = "",
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self._share, self._groups, self._stopping = share, groups, stopping
        self._stop = threading.Event()
        self._workers: ProcessWorkers | None = None

    def open(self, settings: WorkerSettings) -> dict[str, Any]:
        """Start the workers; the machine as they see it, with the ceilings that are asked for.

        Raises:
            DeviceError: the device is not there.
            ValueError: there are fewer cores than sets.
        """
        number, count = self._share
        cores = core_sets(count)[number] if count > 1 else None
        self._settings = settings
        self._workers = ProcessWorkers(settings.pythonpath, settings.answers, cores)
        device, measure = settings.device, settings.measure
        try:
            _, environment = self._workers.describe(
                device, measure.threads, list(settings.command), measure.memory_limit
            )
            if cores is not None:
                environment["core_set"] = sorted(cores)
            if settings.ceilings:
                environment["ceilings"] = [self._workers.ceilings(device, settings.ceilings)]
        except BaseException:
            self._workers.close()
            raise
        return environment if self._groups is None else {**environment, "groups_on_host": self._groups}

    def measure(self, cells: Sequence[Cell]) -> Iterator[Record]:
        """Measure cells in rounds; each is yielded as soon as nothing more is to be learnt of it."""
        assert self._workers is not None
        rounds = Rounds(
            measure=self._settings.measure,
            workers=self._workers,
            stopping=lambda: self._stop.is_set() or self._stopping(),
            planned=self._settings.planned,
        )
        yield from rounds.records(cells)

    def stop(self) -> None:
        """End soon what is under way."""
        self._stop.set()

    def close(self) -> None:
        """End the workers, if they were started."""
        if self._workers is not None:
            self._workers.close()


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


def one_device(word: str, *, gpus: bool) -> str:
    """Device that a scenario's word means to a worker that has one device, a GPU if there are `gpus`.

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
