"""Worker processes whose parent notes how long it waits for which call; and the command, run on them.

    python benchmarks/_clocked.py FILE run scenarios/hilo.yaml ...

is `benchsuite run scenarios/hilo.yaml ...`, and leaves the seconds of each kind of call in FILE as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchsuite.measurement.stopping import Visit
from benchsuite.results.record import Cell, Record
from benchsuite.runner import workers
from benchsuite.scenario.measure_settings import Measure
from benchsuite.stats.intervals import quantile
from benchsuite.worker.worker_reply import Inspection, Plan, WorkerReply

PINGS = 200


class Clocked(workers.ProcessWorkers):
    """Worker processes that notes how long its parent waits for which call."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)

    def plan(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Plan]]:
        with self._clocked("plan"):
            return super().plan(cells, timeout_s)

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        with self._clocked("ceilings"):
            return super().ceilings(device, dtypes, threads)

    def visit(
        self,
        cell: Cell,
        measure: Measure,
        visit: Visit,
        timeout_s: float | None = None,
    ) -> WorkerReply[Record]:
        with self._clocked("visit"):
            return super().visit(cell, measure, visit, timeout_s)

    def inspect(
        self, cell: Cell, measure: Measure, timeout_s: float | None = None
    ) -> WorkerReply[Inspection]:
        with self._clocked("inspect"):
            return super().inspect(cell, measure, timeout_s)

    def begin_round(self) -> None:
        with self._clocked("begin_round"):
            super().begin_round()

    def ping_s(self) -> float:
        """Median seconds of a call that does nothing: what messages cost."""
        durations = []
        for _ in range(PINGS):
            start = time.perf_counter()
            self._timer("retain").call("set_up", "cpu", 1)
            durations.append(time.perf_counter() - start)
        return quantile(durations, 0.5)

    @contextmanager
    def _clocked(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start
            self.calls[name] += 1


def command(file: Path, words: Sequence[str]) -> None:
    """Run `benchsuite WORDS` in this process on clocked workers, and write the clocks when it exits."""
    from benchsuite.cli import main

    made: list[Clocked] = []

    def clocked(pythonpath: Sequence[str]) -> Clocked:
        made.append(Clocked(pythonpath))
        return made[-1]

    workers.WORKERS["process"] = clocked
    sys.argv = ["benchsuite", *words]
    try:
        main()
    finally:
        seconds: dict[str, float] = defaultdict(float)
        for one in made:
            for name, spent in one.seconds.items():
                seconds[name] += spent
        file.write_text(json.dumps(seconds), encoding="utf-8")


if __name__ == "__main__":
    command(Path(sys.argv[1]), sys.argv[2:])
