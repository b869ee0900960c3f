"""What runs on a node of a Ray cluster: an actor that holds warm worker processes and never imports torch."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchsuite.errors import BenchsuiteError
from benchsuite.results.record import Cell
from benchsuite.runner.executors.device_workers import Site, core_sets
from benchsuite.runner.executors.executor import Setup
from benchsuite.runner.outcome import Outcome
from benchsuite.search_path import move_to

THREADS = "OMP_NUM_THREADS"


class Station:
    """Measures groups on the device that Ray has given to this process.

    Args:
        share: which of how many sets of this machine's cores to use; (0, 1) for all.
        groups: how many groups are measured on this machine at a time.
        threads: what the driver has in OMP_NUM_THREADS. Ray puts a number of its own there, and records would
            differ from those of other engines.
    """

    def __init__(self, share: tuple[int, int], groups: int, threads: str | None) -> None:
        self._share, self._groups = share, groups
        self._stop = threading.Event()
        self._site: Site | None = None
        os.environ.pop(THREADS, None)
        if threads is not None:
            os.environ[THREADS] = threads

    def open(self, setup: Setup) -> tuple[bool, Any]:
        """Start the workers: (True, environment), or (False, what is wrong with the input)."""
        move_to(setup.folder)
        number, count = self._share
        try:
            cores = core_sets(count)[number] if count > 1 else None
            self._site = Site(replace(setup, cores=cores))
        except (BenchsuiteError, ValueError) as error:
            return False, error if isinstance(error, BenchsuiteError) else str(error)
        return True, {**self._site.environment, "groups_on_host": self._groups}

    def measure(self, cells: Sequence[Cell]) -> Iterator[tuple[str, Outcome]]:
        """Measure a group; cells by their id, as they come."""
        assert self._site is not None
        for cell, outcome in self._site.measure(cells, self._stop.is_set):
            yield cell.id, outcome

    def stop(self) -> None:
        """End soon what is under way."""
        self._stop.set()

    def facts(self) -> Mapping[str, int]:
        """Of this process, for those who want to disturb it."""
        return {"pid": os.getpid()}

    def close(self) -> None:
        """End the workers."""
        if self._site is not None:
            self._site.close()
