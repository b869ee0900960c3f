"""The devices of this machine: GPUs side by side, a CPU alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from benchsuite.results.record import Cell
from benchsuite.run.engines.protocol import Job, Setup, Sink
from benchsuite.run.executor import Executor
from benchsuite.run.lanes import Lane, run_lanes
from benchsuite.run.turns import take_turns


class LocalEngine:
    """Groups of one device after each other, in the order of the scenario: one lane a device.

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
        lanes = [Lane(device, tuple(work)) for device, work in found.items()]

        def do(job: Job, executor: Executor) -> bool:
            if stopping():
                return False
            measure = setups[job.device].measure
            turns = take_turns(job.cells, measure, executor, begins=sink.begins, stopping=stopping)
            with contextlib.closing(turns):  # not whenever it is collected: the workers may be gone by then
                for cell, outcome in turns:
                    sink.keep(cell, outcome, session)
            return not stopping()

        run_lanes(lanes, self.planner, do, sink.broken)

    def close(self) -> None:
        self.planner.close()
