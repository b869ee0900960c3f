"""Workers that measure nothing, an observer that notes what it is told, and a scenario for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchsuite.measurement.operator_profile import TRACE_PARSER, Reading
from benchsuite.measurement.stopping import Visit
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost, Failure, Memory, OpShare, Record, Timing
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.sweep import SweepResult, run_sweep
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.worker_reply import Inspection, Plan, WorkerReply

SCENARIO = """
name: tiny
title: A tiny sweep
sweep:
  mixer: [msa, {name: hilo, label: HiLo, params: {alpha: 0.5}}]
  resolution: [64, 128]
  batch: [1, 2]
  dim: 32
  num_heads: 4
exclude:
  - {where: mixer=msa resolution=128 batch=2, reason: too dear}
expect:
  - {where: mixer=HiLo batch=2, status: oom, reason: planted}
profiles:
  cpu: {sweep: {dim: 64}}
  other: {measure: {max_s: 1.5}}
"""
PROFILE = (OpShare(name="aten::bmm", kind="operator", seconds=0.002, share=0.5, calls=2.0),)


class Scripted:
    """Workers that measure nothing: cells end as the script says, "ok" by default."""

    def __init__(
        self, script: dict[str, str] | None = None, device: str = "cuda:0", stop_after: int = 99
    ) -> None:
        self.script = script or {}
        self.device = device
        self.stop_after = stop_after
        self.measured: list[Cell] = []
        self.planned: list[Cell] = []
        self.visits: list[tuple[str, int]] = []
        self.described: list[str] = []
        self.processes = 0
        self.inspected = 0
        self.failures_left: int | None = None
        self.profile_of_all = PROFILE
        self.profiled: list[tuple[str, Path, int, int, float | None]] = []

    def describe(
        self, device: str, threads: int | None, command: list[str], memory_limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        self.described.append(device)
        environment = {"command": command, "threads": threads, "cpu": {"usable_cores": 4}}
        return (self.device if device == "auto" else device), environment

    def plan(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Plan]]:
        self.planned.extend(cells)
        return [self._plan(cell) for cell in cells]

    def _plan(self, cell: Cell) -> WorkerReply[Plan]:
        counted = Plan(cost=Cost(params=1, macs=1000), memory_bytes=10, weights_bytes=4096)
        if self.script.get(cell.name) == "too large":
            failure = Failure(stage="build", kind="TooLarge", message="needs about 3 TiB")
            return WorkerReply(value=counted, status="oom", failure=failure)
        if self.script.get(cell.name) == "unbuildable":
            return WorkerReply(
                status="unsupported", failure=Failure(stage="build", kind="Test", message="odd grid")
            )
        return WorkerReply(value=counted)

    def matmul_rate(self, device: str) -> float:
        return 1e6

    def ceilings(self, device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        return {"device": device, "macs_per_s": dict.fromkeys(dtypes, 1e9), "copy_bytes_per_s": 1e9}

    def timer(self, allocator: str) -> Scripted:
        return self

    def call(self, function: str, *arguments: Any, timeout_s: float | None = None, stage: str = "") -> Any:
        assert (function, stage) == ("visit", "time")
        return self.visit(*arguments)

    def visit(self, cell: Cell, measure: Measure, visit: Visit) -> WorkerReply[Record]:
        self.visits.append((f"{cell.name} {cell.resolution[0]} {cell.batch}", visit.round))
        if len(self.visits) > self.stop_after:
            raise KeyboardInterrupt
        if visit.round == 0:
            self.measured.append(cell)
        status = self.script.get(cell.name, "ok")
        if self.failures_left is not None:
            self.failures_left -= 1
            status = status if self.failures_left >= 0 else "ok"
        if status != "ok":
            failure = Failure(stage="time", kind="Test", message=f"a planted {status}")
            return WorkerReply(status=status, failure=failure)  # type: ignore[arg-type]
        timing = Timing(
            samples_s=(0.1,) * 10,
            method="fake",
            warmup_calls=1,
            warmup_s=0.1,
            stopped_by="samples",
            threads=1,
        )
        return WorkerReply(
            Record(id=cell.id, cell=cell, status="ok", timing=timing, started_at="", seconds=0.0)
        )

    def inspect(
        self, cell: Cell, measure: Measure, timeout_s: float | None = None
    ) -> WorkerReply[Inspection]:
        self.inspected += 1
        memory = Memory(peak_allocated_bytes=3, weights_bytes=1, input_bytes=1, method="torch_profiler")
        return WorkerReply(Inspection(memory, attention_backend=("flash",)))

    def profile(
        self,
        cell: Cell,
        measure: Measure,
        trace: Path,
        steps: int,
        top: int,
        timeout_s: float | None = None,
    ) -> WorkerReply[Reading]:
        self.profiled.append((cell.name, trace, steps, top, timeout_s))
        status = self.script.get(cell.name, "ok")
        if status != "ok":
            failure = Failure(stage="profile", kind="Test", message=f"a planted {status}")
            return WorkerReply(status=status, failure=failure)  # type: ignore[arg-type]
        return WorkerReply(Reading(self.profile_of_all, TRACE_PARSER))

    def begin_round(self) -> None:
        self.processes += 1

    def another(self) -> Scripted:
        return self

    def close(self) -> None:
        """Nothing was started."""


class Watching:
    """Notes what a sweep tells its observer."""

    def round_begins(self, number: int, cells: int) -> None:
        """Told by other tests."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def begin(self, total: int, done: int) -> None:
        self.events.append(f"begin {total} {done}")

    def cell_begins(self, cell: Cell) -> None:
        self.events.append(f"cell {cell.name}")

    def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
        self.events.append(record.status)

    def workers(self, doing: Mapping[str, str]) -> None:
        """There is one only."""

    def end(self) -> None:
        self.events.append("end")


def sweep(
    workers: Scripted,
    folder: Path,
    scenario: str | None = None,
    stopping: Callable[[], bool] = lambda: False,
    **request: Any,
) -> SweepResult:
    """Sweep a scenario, or go on with a run: `resume` in the request."""
    prepared = prepare(Request(reference=scenario, **request), workers)
    return run_sweep(prepared, folder, LocalExecutor(workers), Watching(), stopping)
