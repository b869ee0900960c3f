"""What does benchsuite itself cost: per cell, of a whole run, and until a ratio is known?

    python benchmarks/overhead.py                     tiny cells, through worker processes
    python benchmarks/overhead.py --scenario scenarios/hilo.yaml --profile cpu
    python benchmarks/overhead.py --ratio hilo msa --within 0.01 --times 3

The first sweeps about 200 cells of HiLo and global attention (64 px, 32 channels, one image), on workers that
are warm; where the time goes is what the records say. The memory pass builds the cell once more and runs it
five times. The second starts the command as a user does, interpreter and report included. The target is 20 ms
a tiny cell, and nine tenths of a real run, after its processes have started, in measured steps and memory
pass.

The third asks how long it takes until the 95 % interval of the ratio of two mixers' times is no wider than
±1 %, and asks `torch.utils.benchmark` the same: with a fresh process for every look (`blocked_autorange` of
both mixers), and with one process for all. All take the same steps of the same modules on the same inputs,
and the interval comes of at least five looks by benchsuite's rule of evidence. Looks in one process know
nothing of what differs between processes: that interval is too narrow, and stands there for its time only.
"""

from __future__ import annotations

import argparse
import math
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from _paired import Table

from benchsuite.findings.wall_time import REST, seconds_of
from benchsuite.format import si
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.results.store import RunWriter, read_run
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.observer import Observer
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.rounds import Rounds
from benchsuite.runner.sweep import run_sweep
from benchsuite.runner.workers import ProcessWorkers
from benchsuite.stats.evidence import STOPPED_CONFIDENCE, paired
from benchsuite.stats.intervals import quantile

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
    "measure": {
        "warmup_calls": 1,
        "warmup_s": 0,
        "min_samples": 9,
        "max_samples": 9,
        "threads": 1,
        "ceilings": False,
    },
}
A_BATCH = 4
"""Cells of one batch size: two mixers on two grids."""
MEASURING = ("measured steps", "memory pass")
LEAST_LOOKS = 5
"""Looks from which an interval is looked at, as a run does."""
MOST_LOOKS = 100
MIN_RUN_S = 0.2
"""`min_run_time` of `blocked_autorange`, torch's own."""
LOOK = """
import pickle, sys, torch
from torch.utils.benchmark import Timer
from benchsuite.measurement import allocator
from benchsuite.worker.build import build
from benchsuite.worker.steps import steps_of
cells, min_run_s = pickle.load(sys.stdin.buffer)
torch.set_num_threads(1)
allocator.retain(limited=False)
steps = [steps_of(build(cell, cell.device), cell.mode).whole for cell in cells]
timers = [Timer("step()", globals={"step": step}, num_threads=1) for step in steps]
while True:
    print(*(timer.blocked_autorange(min_run_time=min_run_s).median for timer in timers), flush=True)
"""
"""Looks at two cells for ever: seconds of both, a line a look."""


def parts_of(records: Sequence[Record]) -> dict[str, float]:
    """Part → seconds over all records."""
    parts: dict[str, float] = {}
    for record in records:
        for part, seconds in seconds_of(record).items():
            parts[part] = parts.get(part, 0.0) + seconds
    return parts


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
    with closing(ProcessWorkers()) as workers:
        began = time.perf_counter()
        prepared = prepare(Request(reference=document), workers)
        ready = time.perf_counter()
        sweep = run_sweep(prepared, folder / "run", LocalExecutor(workers), Observer())
    failed = [record for record in sweep.records if record.status != "ok"]
    if failed:
        raise SystemExit(f"{len(failed)} cells failed, the first with: {failed[0].reason}")
    number, wall = len(sweep.records), sweep.wall_s
    assert wall is not None
    parts, disk = parts_of(sweep.records), disk_s(sweep.records, folder / "copy")
    parent = wall - sum(parts.values())

    print(
        f"{number} cells, {rounds} rounds: planned in {si(ready - began, 's', 3)} with the start of the "
        f"workers; then {si(wall, 's', 3)}\n"
    )
    table = Table((("part", 34), ("a cell", 10), ("of the wall", 11)), style)

    def show(part: str, seconds: float) -> None:
        table.show(part, si(seconds / number, "s", 3), f"{seconds / wall:.1%}")

    counted = (*MEASURING, "warm-up")
    for part in counted:
        show(part, parts[part])
    show("overhead", wall - sum(parts[part] for part in counted))
    show("  builds and comparison", parts["builds"])
    show("  start of processes, messages", parts["start of processes"])
    show("  state of the machine, warm devices", parts[REST])
    show("  records onto the disk", disk)
    show("  the rest of the parent", parent - disk)


def whole_command(scenario: str, profiles: Sequence[str], folder: Path) -> None:
    """Run the command as a user does and print where its time went."""
    words = [word for profile in profiles for word in ("--profile", profile)]
    command = [sys.executable, "-m", "benchsuite", "run", scenario, *words, "-q"]
    start = time.perf_counter()
    code = subprocess.run([*command, "--out", str(folder / "run")], check=False).returncode
    wall = time.perf_counter() - start
    if code not in (0, 3):
        raise SystemExit(code)
    records = read_run(folder / "run").records
    parts = parts_of(records)
    measuring = sum(parts[part] for part in MEASURING)
    started = sum(parts.values()) - parts["start of processes"]
    ran = sum(record.timing is not None for record in records)
    print(
        f"{ran} cells in {si(wall, 's', 3)}: {measuring / wall:.1%} of it measuring, and "
        f"{measuring / started:.1%} of what cells took after their processes had started"
    )
    parts["interpreter, planning, ceilings, report"] = wall - sum(parts.values())
    for part, seconds in parts.items():
        print(f"  {part:40} {si(seconds, 's', 3):>8}  {seconds / wall:6.1%}")


@dataclass
class Aim:
    """A ratio of two times that is to be known within a share, and the looks at both so far.

    Attributes:
        within: half width of the interval that is aimed at.
        looks: seconds of the two, from one process each or one for all.
    """

    within: float
    looks: list[tuple[float, float]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return paired(*zip(*self.looks, strict=True)).value

    @property
    def half_width(self) -> float:
        """NaN where there are too few looks."""
        if len(self.looks) < LEAST_LOOKS:
            return math.nan
        low, high = paired(*zip(*self.looks, strict=True)).log_interval(STOPPED_CONFIDENCE)
        return math.expm1((high - low) / 2)

    @property
    def over(self) -> bool:
        """Whether it is reached, or is not going to be."""
        return self.half_width <= self.within or len(self.looks) >= MOST_LOOKS


def by_benchsuite(mixers: Sequence[str], aim: Aim) -> None:
    """Look in rounds, workers started and cells planned as in a run."""
    with closing(ProcessWorkers()) as workers:
        prepared = prepare(Request(reference=_pair(mixers)), workers)
        medians: dict[str, float] = {}

        def visited(number: int, visit: Record) -> None:
            assert visit.timing is not None
            medians[visit.id] = quantile(visit.timing.samples_s, 0.5)
            if len(medians) == len(mixers):
                first, second = (medians.pop(cell.id) for cell in prepared.cells)
                aim.looks.append((first, second))

        measure = prepared.scenario.measure
        rounds = Rounds(measure=measure, workers=workers, stopping=lambda: aim.over, visited=visited)
        for _ in rounds.records(prepared.cells):
            pass


def _pair(mixers: Sequence[str]) -> dict[str, Any]:
    """A scenario of two mixers, measured until somebody stops it."""
    sweep = {"mixer": list(mixers), "resolution": 224, "stride": 16, "dim": 384, "num_heads": 12}
    measure = {"metrics": "latency", "threads": 1, "ceilings": False, "precision": 1e-6}
    return {
        "name": "pair",
        "title": "Two mixers",
        "sweep": {**sweep, "device": "cpu"},
        "measure": {**measure, "rounds": LEAST_LOOKS, "max_rounds": MOST_LOOKS},
    }


def by_fresh_processes(cells: Sequence[Cell], aim: Aim) -> None:
    """Look with `torch.utils.benchmark`, each time in another process."""
    while not aim.over:
        with closing(_looks(cells if len(aim.looks) % 2 else cells[::-1])) as looks:
            seconds = next(looks)
        aim.looks.append(seconds if len(aim.looks) % 2 else seconds[::-1])


def by_one_process(cells: Sequence[Cell], aim: Aim) -> None:
    """Look with `torch.utils.benchmark` again and again."""
    with closing(_looks(cells)) as looks:
        while not aim.over:
            aim.looks.append(next(looks))


def _looks(cells: Sequence[Cell]) -> Iterator[tuple[float, float]]:
    """Looks of one process, which ends when this is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOOK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(pickle.dumps((list(cells), MIN_RUN_S)))
        process.stdin.close()
        for line in process.stdout:
            first, second = map(float, line.split())
            yield first, second
        raise SystemExit("torch.utils.benchmark gave no look")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ratio_within(mixers: Sequence[str], within: float, times: int, style: str) -> None:
    """Print how long each way takes until the ratio is known, in turns so that all meet the same machine."""
    with closing(ProcessWorkers()) as workers:
        cells = prepare(Request(reference=_pair(mixers)), workers).cells
    ways: dict[str, Callable[[Aim], None]] = {
        "benchsuite": lambda aim: by_benchsuite(mixers, aim),
        "torch, fresh processes": lambda aim: by_fresh_processes(cells, aim),
        "torch, one process": lambda aim: by_one_process(cells, aim),
    }
    print(f"{mixers[0]} / {mixers[1]}, until the half width is {within:.1%} at most\n")
    table = Table((("way", 24), ("seconds", 8), ("looks", 6), ("half width", 11), ("ratio", 6)), style)
    took: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(times):
        for way, look in ways.items():
            aim, start = Aim(within), time.perf_counter()
            look(aim)
            took[way].append(time.perf_counter() - start)
            seconds = f"{took[way][-1]:.1f}"
            table.show(way, seconds, str(len(aim.looks)), f"±{aim.half_width:.2%}", f"{aim.ratio:.3f}")
    print()
    for way, seconds in took.items():
        print(f"{way}: median {quantile(seconds, 0.5):.1f} s")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cells", type=int, default=200, help="how many tiny ones, about")
    parser.add_argument("--rounds", type=int, default=3, help="of the tiny cells")
    parser.add_argument("--scenario", help="measure a whole run of this scenario instead")
    parser.add_argument("--profile", action="append", default=[], help="of the scenario")
    parser.add_argument("--ratio", nargs=2, metavar="MIXER", help="time until their ratio is known instead")
    parser.add_argument("--within", type=float, default=0.01, help="half width that is aimed at")
    parser.add_argument("--times", type=int, default=3, help="how often each way is taken")
    parser.add_argument("--format", choices=("text", "markdown"), default="text")
    args = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, a load of {load:.1f} before\n")
    with tempfile.TemporaryDirectory() as folder:
        if args.ratio:
            ratio_within(args.ratio, args.within, args.times, args.format)
        elif args.scenario:
            whole_command(args.scenario, args.profile, Path(folder))
        else:
            tiny_cells(args.cells, args.rounds, Path(folder), args.format)
    return 0


if __name__ == "__main__":
    sys.exit(main())
