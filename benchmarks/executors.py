"""What does an executor itself cost: cells that take no time, through each of them.

    python benchmarks/executors.py                     10,000 cells through all
    python benchmarks/executors.py --cells 1000 --only inline,ray

The cells are answered from a script (`tests/doubles/fake_worker.py`), so what is left is moving groups,
three visits and a memory pass a cell, and one synced line of JSON a record. Each executor runs in a process
of its own. Its memory is that of the driver alone: workers are other processes. Starting is what comes before
the first record. The records of all must be the same but for their times of day.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchsuite.results.record import Record
from benchsuite.results.store import read_run
from benchsuite.runner.executors.executor import Executor
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.executors.local_pool import LocalPoolExecutor
from benchsuite.runner.observer import Observer
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.sweep import run_sweep
from benchsuite.runner.workers import InlineWorkers, ProcessWorkers

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where workers find `tests.doubles`

FAKE = "tests.doubles.fake_worker"
EXECUTORS = ("inline", "process", "pool", "ray", "slurm")
"""`pool` is --executor process with two workers, `slurm` is submitit on this machine with two jobs."""
A_GROUP = 10
"""Cells of one comparison group."""
RESOLUTIONS = 50


def scenario(cells: int) -> dict[str, Any]:
    """A sweep of about so many cells, on a device that is a script."""
    groups = max(1, cells // A_GROUP)
    resolutions = [32 * (i + 1) for i in range(min(groups, RESOLUTIONS))]
    return {
        "name": "synthetic",
        "title": "Cells that take no time",
        "sweep": {
            "mixer": [{"name": "msa", "label": f"m{i}"} for i in range(A_GROUP)],
            "resolution": resolutions,
            "batch": list(range(1, -(-groups // len(resolutions)) + 1)),
            "dim": 32,
            "num_heads": 4,
            "device": "cpu",
        },
    }


def executor(name: str) -> Executor:
    """An executor whose workers answer from the script."""
    if name == "inline":
        return LocalExecutor(InlineWorkers((), FAKE), "inline")
    if name == "process":
        return LocalExecutor(ProcessWorkers((), FAKE), "process")
    if name == "pool":
        return LocalPoolExecutor(2, (), FAKE)
    if name == "ray":
        from benchsuite.runner.executors.ray import RayExecutor

        return RayExecutor({"workers": 2, "address": "local"}, (), FAKE)
    from benchsuite.runner.executors.slurm import SlurmExecutor

    return SlurmExecutor({"cluster": "local", "tasks": 2}, (), FAKE)


def deterministic(record: Record) -> tuple[Any, ...]:
    """What must not depend on the executor."""
    samples = record.timing.samples_s if record.timing else ()
    cost, memory = record.cost, record.memory
    return (
        record.id,
        record.status,
        cost and (cost.macs, cost.params),
        memory and memory.peak_allocated_bytes,
        samples,
    )


class _Watch(Observer):
    """Notes when the first record was there, and how much memory the driver takes."""

    def __init__(self) -> None:
        self.first_s: float | None = None
        self.peak_bytes = 0
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
        if self.first_s is None:
            self.first_s = time.perf_counter()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.peak_bytes = max(self.peak_bytes, resident())


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def one(name: str, cells: int) -> dict[str, Any]:
    """Sweep through one executor; figures as plain data."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "synthetic.yaml"
        path.write_text(yaml.safe_dump(scenario(cells)), encoding="utf-8")
        begun = time.perf_counter()
        used = executor(name)
        try:
            prepared = prepare(Request(reference=str(path)), used.planner)
            before = resident()
            watch = _Watch()
            swept = time.perf_counter()
            run_sweep(prepared, Path(place) / "run", used, watch)
            ended = time.perf_counter()
        finally:
            used.close()
        assert watch.first_s is not None
        records = read_run(Path(place) / "run").records
    facts = sorted(deterministic(record) for record in records)
    return {
        "executor": name,
        "cells": len(records),
        "digest": hashlib.sha256(repr(facts).encode()).hexdigest()[:16],
        "planning_s": swept - begun,
        "starting_s": watch.first_s - swept,
        "sweep_s": ended - watch.first_s,
        "memory_bytes": max(0, watch.peak_bytes - before),
        "sessions": len({record.session for record in records}),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--only", default=",".join(EXECUTORS), help="executors, with commas between them")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(arguments.one, arguments.cells)))
        return 0
    names = [name for name in arguments.only.split(",") if name]
    if unknown := [name for name in names if name not in EXECUTORS]:
        parser.error(f"no executor {unknown[0]!r}; allowed: {', '.join(EXECUTORS)}")
    print(f"{'executor':9} {'cells':>7} {'start':>8} {'cells/s':>8} {'per cell':>9} {'driver':>9}  records")
    digests = set()
    for name in names:
        command = [sys.executable, __file__, "--one", name, "--cells", str(arguments.cells)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            print(f"{name:9} failed: {(answer.stderr.strip() or '?').splitlines()[-1]}")
            digests.add(name)
            continue
        found = json.loads(answer.stdout.splitlines()[-1])
        digests.add(found["digest"])
        rate = found["cells"] / found["sweep_s"]
        print(
            f"{name:9} {found['cells']:7} {found['starting_s']:6.1f} s {rate:8.0f} {1e3 / rate:6.2f} ms "
            f"{found['memory_bytes'] / 2**20:5.0f} MiB  {found['digest']}",
            flush=True,
        )
    print("the records are the same" if len(digests) == 1 else "THE RECORDS DIFFER")
    return int(len(digests) != 1)


if __name__ == "__main__":
    sys.exit(main())
