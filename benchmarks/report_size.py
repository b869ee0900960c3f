"""How long a report takes, how much memory it needs, and how large it becomes.

    python benchmarks/report_size.py                    300 and 10,000 synthetic cells
    python benchmarks/report_size.py --cells 10000
    python benchmarks/report_size.py --run reports/zoo-cpu

Each report is made in a process of its own, so that its peak memory is its own. Synthetic cells: mixers whose
MACs and memory follow their complexity, at several resolutions, batches and kernels, 50 samples each at
nanoseconds, as a clock gives them. The budget: 300 cells under 4 s and 1.5 MB, 10,000 under 10 s, 1 GB of
memory and 5 MB.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BUDGETS = {300: (4.0, 1.0, 1.5), 10_000: (10.0, 1.0, 5.0)}
"""Cells → seconds, GB of memory, MB of file."""
_RESOLUTIONS = (128, 160, 192, 224, 256, 320, 384, 448, 512, 640)
_KERNELS = ("math", "sdpa")


def synthetic(cells: int) -> Any:
    """A run of so many cells; the same one every time."""
    from benchsuite.results.cell import Cell
    from benchsuite.results.record import Cost, Failure, Memory, Record, Timing
    from benchsuite.results.store import Run

    chance = random.Random(1)
    mixers = max(5, min(50, cells // (len(_RESOLUTIONS) * len(_KERNELS))))
    records = []
    batch = 1
    while len(records) < cells:
        for number in range(mixers):
            for resolution in _RESOLUTIONS:
                for kernel in _KERNELS:
                    tokens = (resolution // 16) ** 2
                    cell = Cell(
                        name=f"mixer {number}", target=f"mixer_{number}", stride=16,
                        resolution=(resolution, resolution), batch=batch, dim=384, num_heads=12,
                        kernel=kernel, device="cuda", dtype="fp16",
                    )  # fmt: skip
                    macs = tokens * 384**2 * (4 + number % 7) + tokens * tokens * 384 * (number % 3)
                    seconds = 30e-6 + batch * macs / (2e12 * (1 + number % 5))
                    samples = tuple(
                        round(1e9 * seconds * chance.lognormvariate(0, 0.03)) * 1e-9 for _ in range(50)
                    )
                    failed = kernel == "math" and number % 11 == 0 and resolution == 640
                    records.append(
                        Record(
                            id=cell.id, cell=cell, status="oom" if failed else "ok",
                            failure=Failure(stage="time", kind="OutOfMemoryError", message="out of memory")
                            if failed else None,
                            cost=Cost(params=600_000, macs=macs, counter="synthetic"),
                            timing=None if failed else Timing(
                                samples_s=samples, method="cuda_events", warmup_calls=10, warmup_s=0.1,
                                stopped_by="samples", threads=1, rounds=(10,) * 5,
                            ),
                            memory=None if failed else Memory(
                                peak_allocated_bytes=batch * tokens * 384 * 12, weights_bytes=1 << 20,
                                input_bytes=batch * tokens * 768, method="cuda_allocator",
                            ),
                            started_at="2026-01-05T10:00:00+00:00", seconds=2.0,
                        )
                    )  # fmt: skip
        batch *= 2
    return Run(
        path=Path("runs/synthetic"),
        scenario={"name": "synthetic", "title": f"{cells} synthetic cells"},
        environment={"command": ["benchsuite", "run", "synthetic"]},
        records=tuple(records[:cells]),
    )


def measure(cells: int, run: Path | None) -> None:
    """Make one report in this process and print what it took as JSON."""
    from benchsuite.results.store import read_run

    found = read_run(run) if run else synthetic(cells)
    before = time.perf_counter()
    from benchsuite.report.page import render

    with tempfile.TemporaryDirectory() as folder:
        out = render([found], out=Path(folder) / "report.html")
        seconds = time.perf_counter() - before
        size = out.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"cells": len(found.records), "seconds": seconds, "peak": peak, "size": size}))


def main() -> None:
    """Print a line a report; exits with 1 if one is over its budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, action="append")
    parser.add_argument("--run", type=Path, action="append", default=[])
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.inside:
        measure((wanted.cells or [0])[0], next(iter(wanted.run), None))
        return
    jobs = [["--cells", str(cells)] for cells in wanted.cells or ([] if wanted.run else list(BUDGETS))]
    jobs += [["--run", str(run)] for run in wanted.run]
    over = False
    for job in jobs:
        command = [sys.executable, __file__, "--inside", *job]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(answer.stdout)
        spent = (found["seconds"], found["peak"] / 1e9, found["size"] / 1e6)
        budget = next((BUDGETS[least] for least in sorted(BUDGETS) if found["cells"] <= least), None)
        ok = budget is None or all(value <= most for value, most in zip(spent, budget, strict=True))
        over = over or not ok
        print(
            f"{found['cells']} cells: {spent[0]:.1f} s, {spent[1]:.2f} GB at the peak, {spent[2]:.2f} MB"
            + ("" if ok else f"  over its budget of {budget}")
        )
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
