"""What does benchsuite itself cost: per cell, where cells take no time, and of a whole run, where they do?

    python benchmarks/overhead.py                     tiny cells, through worker processes
    python benchmarks/overhead.py --scenario scenarios/hilo.yaml --profile cpu

The first sweeps about 200 cells of HiLo and global attention (64 px, 32 channels, one image), on workers that
are warm. Time spent measuring is what the records say, warm-up and samples, and the memory pass, which
builds the cell once more and runs it five times. All else after planning is overhead; the table says where it
goes. The ceilings of the device, kept for a week unless the machine was busy, stand apart. The second starts
the command as a user does, interpreter and report included, and says what share of its wall time was spent
measuring, in the same sense. The target is 20 ms a tiny cell, and four fifths of a real run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
import yaml
from _clocked import Clocked
from _paired import Table

from benchsuite.format import si
from benchsuite.results.record import Record
from benchsuite.results.store import RunWriter, read_run
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.observer import Observer
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.sweep import run_sweep

TINY: dict[str, Any] = {
    "name": "tiny",
    "title": "Cells that take no time",
    "sweep": {
        "mixer": ["msa", "hilo"],
        "resolution": 64,
        "stride": [8, 16],
        "dim": 32,
        "num_heads": 4,
        "device": "cpu",
    },
    "measure": {"warmup_calls": 1, "warmup_s": 0, "min_samples": 9, "max_samples": 9, "threads": 1},
}
A_BATCH = 4
"""Cells of one batch size: two mixers on two grids."""


def measuring_s(record: Record) -> float:
    """Seconds of warm-up and of samples."""
    timing = record.timing
    return timing.warmup_s + timing.calls_per_sample * sum(timing.samples_s) if timing else 0.0


def disk_s(records: Sequence[Record], folder: Path) -> float:
    """Seconds that writing these records takes, until the disk has each of them."""
    with closing(RunWriter.create(folder, {}, {})) as writer:
        start = time.perf_counter()
        for record in records:
            writer.append(record)
        return time.perf_counter() - start


def tiny_cells(cells: int, rounds: int, folder: Path, style: str) -> None:
    """Sweep tiny cells and print where the time goes."""
    sizes = list(range(1, max(1, cells // A_BATCH) + 1))
    document = TINY | {
        "sweep": TINY["sweep"] | {"batch": sizes},
        "measure": TINY["measure"] | {"rounds": rounds},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(document))
    with closing(Clocked()) as workers:
        began = time.perf_counter()
        prepared = prepare(Request(reference=str(folder / "tiny.yaml")), workers)
        ready = time.perf_counter()
        sweep = run_sweep(prepared, folder / "run", LocalExecutor(workers), Observer())
        ceilings = workers.seconds["ceilings"]
        wall = time.perf_counter() - ready - ceilings
        ping = workers.ping_s()
    failed = [record for record in sweep.records if record.status != "ok"]
    if failed:
        raise SystemExit(f"{len(failed)} cells failed, the first with: {failed[0].reason}")
    number = len(sweep.records)
    measured = sum(map(measuring_s, sweep.records))
    disk = disk_s(sweep.records, folder / "copy")
    names = ("visit", "inspect", "begin_round")
    waited = sum(workers.seconds[name] for name in names)
    messages = sum(workers.calls[name] for name in names) * ping
    visits, inspections, releases = (workers.seconds[name] - workers.calls[name] * ping for name in names)

    print(
        f"{number} cells, {rounds} rounds: planned in {si(ready - began, 's', 3)} with the start of the "
        f"workers, {si(workers.seconds['plan'] / number, 's', 3)} a cell without; then {si(wall, 's', 3)},\n"
        f"and {si(ceilings, 's', 3)} for the ceilings of the device, once a run, not counted\n"
    )
    table = Table((("part", 34), ("a cell", 10), ("of the wall", 11)), style)

    def show(part: str, seconds: float) -> None:
        table.show(part, si(seconds / number, "s", 3), f"{seconds / wall:.1%}")

    show("warm-up and samples", measured)
    show("memory pass", inspections)
    show("overhead", wall - measured - inspections)
    show("  building, checking, machine state", visits - measured + max(0.0, releases))
    show("  messages", messages)
    show("  records onto the disk", disk)
    show("  the rest of the parent", wall - waited - disk)


def whole_command(scenario: str, profiles: Sequence[str], folder: Path) -> None:
    """Run the command as a user does and print where its time went."""
    clocks, out = folder / "clocks.json", folder / "run"
    words = [word for profile in profiles for word in ("--profile", profile)]
    command = [str(Path(__file__).with_name("_clocked.py")), str(clocks), "run", scenario, *words]
    start = time.perf_counter()
    code = subprocess.run([sys.executable, *command, "--out", str(out), "-q"], check=False).returncode
    wall = time.perf_counter() - start
    if code not in (0, 3):
        raise SystemExit(code)
    records = read_run(out).records
    waited: dict[str, float] = json.loads(clocks.read_text(encoding="utf-8"))
    ran = [record for record in records if record.timing is not None]
    samples, memory = sum(map(measuring_s, ran)), waited.get("inspect", 0.0)
    visits, spent = waited.get("visit", 0.0), sum(record.seconds for record in records)
    print(f"{len(ran)} cells in {si(wall, 's', 3)}: {(samples + memory) / wall:.1%} of it measuring")
    for part, seconds in (
        ("warm-up and samples", samples),
        ("memory pass", memory),
        ("building, checking, machine state", visits - samples),
        ("the parent, between cells", spent - visits - memory),
        ("ceilings of the device", waited.get("ceilings", 0.0)),
        ("start, planning, report", wall - spent - waited.get("ceilings", 0.0)),
    ):
        print(f"  {part:34} {si(seconds, 's', 3):>8}  {seconds / wall:6.1%}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cells", type=int, default=200, help="how many tiny ones, about")
    parser.add_argument("--rounds", type=int, default=3, help="of the tiny cells")
    parser.add_argument("--scenario", help="measure a whole run of this scenario instead")
    parser.add_argument("--profile", action="append", default=[], help="of the scenario")
    parser.add_argument("--format", choices=("text", "markdown"), default="text")
    args = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, a load of {load:.1f} before\n")
    with tempfile.TemporaryDirectory() as folder:
        if args.scenario:
            whole_command(args.scenario, args.profile, Path(folder))
        else:
            tiny_cells(args.cells, args.rounds, Path(folder), args.format)
    return 0


if __name__ == "__main__":
    sys.exit(main())
