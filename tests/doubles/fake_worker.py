"""Answers as `worker/calls.py` does, from a script instead of a device: to measure executors, without torch.

What a cell brings depends on the cell alone, so every executor must give the same records. A cell named
`fails` is out of memory, one named `dies` ends its process, one named `slow` takes as long as its batch says,
in hundredths of a second.
"""

from __future__ import annotations

import hashlib
import os
import platform
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchsuite.errors import DeviceError
from benchsuite.measurement.operator_profile import Reading
from benchsuite.measurement.stopping import Visit
from benchsuite.results.record import Cell, Cost, Failure, Memory, Record, Timing
from benchsuite.scenario.measure_settings import Measure, Threads
from benchsuite.worker.worker_reply import Inspection, Plan, WorkerReply

ABSENT = "cuda:9"
SAMPLES = 12
"""A visit brings so many."""


def set_up(device: str, threads: Threads, memory_limit: int | None = None) -> str:
    """Every device is there but `ABSENT`."""
    if device == ABSENT:
        raise DeviceError(f"device {device!r} is not present")
    return {"auto": "cpu", "cuda": "cuda:0"}.get(device, device)


def describe(
    device: str, threads: Threads, command: list[str], memory_limit: int | None = None
) -> tuple[str, dict[str, Any]]:
    resolved = set_up(device, threads, memory_limit)
    environment = {
        "machine": platform.node(),
        "device": resolved,
        "command": command,
        "cpu": {"model": "scripted", "usable_cores": os.cpu_count()},
        "gpu": {"name": "scripted", "uuid": f"GPU-{resolved}"} if resolved != "cpu" else None,
        "packages": {},
    }
    return resolved, environment


def load(backbone: bool, target: str) -> WorkerReply[None]:
    return WorkerReply()


def count(cell: Cell) -> WorkerReply[Cost]:
    digest = hashlib.sha256(cell.name.encode()).digest()
    return WorkerReply(Cost(params=64, macs=cell.tokens * (100 + digest[0]), counter="scripted"))


def estimate(cell: Cell, cost: WorkerReply[Cost]) -> WorkerReply[Plan]:
    return WorkerReply(Plan(cost=cost.value, memory_bytes=4 * cell.tokens * cell.batch, weights_bytes=4))


def visit(cell: Cell, measure: Measure, visit: Visit) -> WorkerReply[Record]:
    if cell.name == "fails":
        return WorkerReply(
            status="oom", failure=Failure(stage="time", kind="OutOfMemoryError", message="scripted")
        )
    if cell.name == "dies":
        os._exit(9)
    if cell.name == "slow":
        time.sleep(cell.batch / 100)
    draw = random.Random(f"{cell.id} {visit.round}")
    samples = tuple(round(1e-3 * (1 + 0.01 * draw.random()), 9) for _ in range(SAMPLES))
    timing = Timing(
        samples_s=samples, method="fake_clock", warmup_calls=1, warmup_s=0.0, stopped_by="samples", threads=1
    )
    return WorkerReply(Record(id=cell.id, cell=cell, status="ok", timing=timing, started_at="", seconds=0.0))


def inspect_cell(cell: Cell, measure: Measure) -> WorkerReply[Inspection]:
    peak = 4 * cell.tokens * cell.batch
    return WorkerReply(
        Inspection(Memory(peak_allocated_bytes=peak, weights_bytes=4, input_bytes=4, method="torch_profiler"))
    )


def profile_cell(cell: Cell, measure: Measure, trace: Path, steps: int, top: int) -> WorkerReply[Reading]:
    """There is nothing to profile."""
    return WorkerReply(
        status="unsupported", failure=Failure(stage="profile", kind="Fake", message="scripted")
    )


def matmul_rate(device: str) -> float:
    return 1e12


def ceilings(device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
    return {"device": device, "macs_per_s": dict.fromkeys(dtypes, 1e12), "copy_bytes_per_s": 1e11}
