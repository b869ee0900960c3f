"""What large sweeps cost on the data side: seconds and peak memory of planning, loading and merging.

    python benchmarks/scale.py [--cells 100000] [--shards 10] [--samples 50]

Each step runs in a process of its own, so that its peak memory is its own; of the plan, the processes that
hold torch are told apart, and their start is not counted. Nothing is timed on a device. The scenario is made
here: 50 mixers × 10 resolutions × 5 batches × 4 dtypes × 5 kernels × 2 modes. Records are made up, of the
size that real ones have.
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
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from benchsuite.mixers import MIXERS
from benchsuite.results.cell import Cell
from benchsuite.results.record import Check, Conditions, Cost, Memory, Record, Timing
from benchsuite.scenario.expand import expand
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.validate import check
from benchsuite.zoo.catalogue import known_parameters

EACH = 10 * 5 * 4 * 5 * 2
"""Cells of one mixer."""
AXES = """
  resolution: [112, 128, 160, 192, 224, 256, 320, 384, 448, 512]
  batch: [1, 4, 16, 64, 128]
  dtype: [fp32, fp16, bf16, fp64]
  kernel: [math, sdpa, flash, mem_efficient, cudnn]
  mode: [inference, forward_backward]
"""
TARGETS = {"plan": (10, 1000), "load": (15, None), "merge": (20, None)}
"""Step → seconds and MB that it must stay under."""


def text(cells: int) -> str:
    """A scenario of as many whole mixers as make up to so many cells."""
    names = ", ".join(list(MIXERS)[: max(1, cells // EACH)])
    return f"name: large\ntitle: A made-up sweep\nsweep:\n  mixer: [{names}]{AXES}"


def resolved(path: Path) -> Scenario:
    """The scenario of a file without mistakes."""
    found = check(path.read_text(), str(path), known_parameters())
    assert found.scenario is not None, found.problems
    return found.scenario


def write_runs(folder: Path, path: Path, shards: int, samples: int) -> None:
    """One run with a record for every cell, and the same cells as shards, whole comparison groups in each."""
    from benchsuite.scenario.shards import deal

    scenario = resolved(path)
    cells = expand(scenario, device="cpu")
    write_run(folder / "whole", scenario, cells, samples)
    for number, positions in enumerate(deal(cells, shards)):
        part = [cells[i] for i in positions]
        settings = {"shard": {"index": number + 1, "count": shards}}
        write_run(folder / f"shard{number}", scenario, part, samples, **settings)


def write_run(folder: Path, scenario: Scenario, cells: Sequence[Cell], samples: int, **settings: Any) -> None:
    """A run folder as a sweep leaves it, on a machine of its own."""
    folder.mkdir(parents=True)
    document = scenario.to_dict() | {"run": {"filter": "", "device": "cpu"} | settings}
    (folder / "scenario.json").write_text(json.dumps(document))
    (folder / "environment.json").write_text(json.dumps({"machine": folder.name, "device": "cpu"}))
    draw = random.Random(folder.name)
    names = [field.name for field in fields(Cell)]
    with (folder / "records.jsonl").open("w") as file:
        data: dict[str, Any] | None = None
        for cell in cells:
            data = data or asdict(record(cell, samples))
            drawn = [0.01 * draw.lognormvariate(0, 0.05) for _ in range(samples)]  # with all their digits
            mine = {name: getattr(cell, name) for name in names}
            line = data | {"id": cell.id, "cell": mine, "timing": data["timing"] | {"samples_s": drawn}}
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def record(cell: Cell, samples: int) -> Record:
    """A record with everything that a cell on a CPU brings."""
    state = {"load_1min": 0.488, "cpu_mhz": 2700.0, "cpu_others": 0.01, "involuntary_switches": 2}
    ops = {"elementwise": 209_720, "softmax": 115_248, "norm": 150_528}
    return Record(
        id=cell.id,
        cell=cell,
        status="ok",
        cost=Cost(params=593_388, macs=122_981_376, other_ops=ops, counter="fvcore with benchsuite's rules"),
        timing=Timing(
            samples_s=(0.01,) * samples,
            method="monotonic_clock",
            warmup_calls=393,
            warmup_s=0.7243540210001811,
            stopped_by="samples",
            threads=2,
            warmup_stable=True,
            precision=0.11265850360993726,
            rounds=(samples - samples // 2, samples // 2),
        ),
        memory=Memory(
            peak_allocated_bytes=5_217_120,
            weights_bytes=2_373_552,
            input_bytes=301_056,
            output_bytes=301_056,
            process_bytes=351_072_256,
            method="torch_profiler",
        ),
        started_at="2026-11-21T06:33:27.542+00:00",
        seconds=0.977276,
        check=Check(reference="math fp32", error=1.2e-7, tolerance=1e-4, images=1),
        conditions=Conditions(before=state, after=state),
        flags=("drift", "imprecise"),
    )


def do_plan(folder: Path) -> str:
    """As `benchsuite run` does before the first cell: check, expand, build one cell of each mixer, group."""
    from benchsuite.runner.prepare import Request, prepare
    from benchsuite.runner.workers import ProcessWorkers
    from benchsuite.scenario.groups import groups

    workers = ProcessWorkers()
    try:
        workers.describe("cpu", None, [])
        told("start two processes with torch (not counted)")
        scenario = resolved(folder / "large.yaml")
        told("check alone (not counted)")
        expand(scenario, device="cpu")
        told("expand alone (not counted)")
        _START[:] = time.perf_counter(), time.process_time()
        prepared = prepare(Request(reference=str(folder / "large.yaml")), workers)
        told("check, expand, plan")
        found = groups([prepared.cells[i] for i in prepared.todo])
        told("group")
    finally:
        workers.close()
    return f"{len(prepared.cells):,} cells in {len(found)} comparison groups"


def do_load(folder: Path) -> str:
    import benchsuite

    frame = benchsuite.load(folder / "whole").frame()
    size = (folder / "whole" / "records.jsonl").stat().st_size
    return f"{len(frame):,} records, {size / 1e6:.0f} MB, {int(frame['samples'].sum()):,} samples"


def do_merge(folder: Path) -> str:
    from benchsuite.runner.merge import merge

    shards = sorted(folder.glob("shard*"))
    merged = merge(shards, folder / "merged", complete=True)
    return f"{merged.records:,} records of {len(shards)} shards, {len(merged.missing)} missing"


STEPS: dict[str, Callable[[Path], str]] = {"plan": do_plan, "load": do_load, "merge": do_merge}
_START = [0.0, 0.0]
_CLOCK = [0.0, 0.0]


def told(what: str) -> None:
    """Print wall and own CPU seconds since the last call."""
    wall, own = time.perf_counter(), time.process_time()
    print(f"         {wall - _CLOCK[0]:5.1f} s ({own - _CLOCK[1]:.1f} s of CPU)  {what}", flush=True)
    _CLOCK[:] = wall, own


def child(step: str, folder: Path) -> None:
    """What the process of a step does."""
    _START[:] = _CLOCK[:] = time.perf_counter(), time.process_time()
    what = STEPS[step](folder)
    took = {
        "seconds": time.perf_counter() - _START[0],
        "cpu": time.process_time() - _START[1],
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "workers_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }
    (folder / f"{step}.json").write_text(json.dumps(took | {"what": what}))


def main() -> None:
    parser = argparse.ArgumentParser(description="What large sweeps cost on the data side.")
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=10)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--child", nargs=2, metavar=("STEP", "DIR"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child[0], Path(asked.child[1]))
        return
    with tempfile.TemporaryDirectory(prefix="scale-") as scratch:
        folder = Path(scratch)
        (folder / "large.yaml").write_text(text(asked.cells))
        write_runs(folder, folder / "large.yaml", asked.shards, asked.samples)
        for step, (seconds, mb) in TARGETS.items():
            print(step, flush=True)
            subprocess.run([sys.executable, __file__, "--child", step, scratch], check=True)
            took = json.loads((folder / f"{step}.json").read_text())
            workers = f", a worker {took['workers_mb']:.0f} MB" if step == "plan" else ""
            limits = f"under {seconds} s" + (f" and {mb} MB" if mb else "")
            spent = f"{took['seconds']:.1f} s ({took['cpu']:.1f} s of CPU), peak {took['mb']:.0f} MB{workers}"
            print(f"{step:7}  {spent}: {took['what']} (wanted: {limits})", flush=True)


if __name__ == "__main__":
    main()
