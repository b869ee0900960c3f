"""Workers on one device of some machine, set up to measure groups: the far end of every executor."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from benchsuite.errors import ExecutorError
from benchsuite.results.record import Cell, Record
from benchsuite.runner.executors.executor import WorkerSettings
from benchsuite.runner.rounds import measure_in_rounds
from benchsuite.runner.workers import ProcessWorkers, Workers


class DeviceWorkers:
    """Worker processes on this machine that measure on one device.

    Attributes:
        environment: the machine as these processes see it, with the ceilings that were asked for.

    Raises:
        DeviceError: the device is not there.
    """

    def __init__(self, settings: WorkerSettings, workers: Workers | None = None) -> None:
        self._settings = settings
        self._workers = workers or ProcessWorkers(settings.pythonpath, settings.answers, settings.cores)
        try:
            self.environment = self._described()
        except BaseException:
            self._workers.close()
            raise

    def measure(self, cells: Sequence[Cell], stopping: Callable[[], bool]) -> Iterator[Record]:
        """Measure cells in rounds; each is yielded as soon as nothing more is to be learnt of it."""
        return measure_in_rounds(
            cells,
            self._settings.measure,
            self._workers,
            begins=lambda cell: None,
            stopping=stopping,
            planned=self._settings.planned,
        )

    def close(self) -> None:
        self._workers.close()

    def _described(self) -> dict[str, Any]:
        settings = self._settings
        _, environment = self._workers.describe(
            settings.device,
            settings.measure.threads,
            list(settings.command),
            settings.measure.memory_limit,
        )
        if settings.cores is not None:
            environment["core_set"] = sorted(settings.cores)
        if settings.ceilings:
            environment["ceilings"] = [self._workers.ceilings(settings.device, settings.ceilings)]
        return environment


class CoreSetWorkers:
    """Device workers on one of several sets of this machine's cores, which another thread may ask to stop.

    Args:
        share: which of how many sets of cores to use; (0, 1) for all.
        groups: how many groups are measured on this machine at a time.
    """

    def __init__(self, share: tuple[int, int], groups: int, name: str = "") -> None:
        self.name = name
        self._share, self._groups = share, groups
        self._stop = threading.Event()
        self._workers: DeviceWorkers | None = None

    def open(self, settings: WorkerSettings) -> dict[str, Any]:
        """Start the workers; the machine as they see it.

        Raises:
            DeviceError: the device is not there.
            ValueError: there are fewer cores than sets.
        """
        number, count = self._share
        cores = core_sets(count)[number] if count > 1 else None
        self._workers = DeviceWorkers(replace(settings, cores=cores))
        return {**self._workers.environment, "groups_on_host": self._groups}

    def measure(self, cells: Sequence[Cell]) -> Iterator[Record]:
        """Measure a group; records as they come."""
        assert self._workers is not None
        yield from self._workers.measure(cells, self._stop.is_set)

    def stop(self) -> None:
        """End soon what is under way."""
        self._stop.set()

    def close(self) -> None:
        """End the workers."""
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
