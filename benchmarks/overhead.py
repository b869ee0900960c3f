"""What does benchsuite itself cost: per cell, where cells take no time, and of a whole run, where they do?

    python benchmarks/overhead.py                     tiny cells, through worker processes
    python benchmarks/overhead.py --scenario scenarios/hilo.yaml --profile cpu

The first sweeps about 200 cells of HiLo and global attention (64 px, 32 channels, one image), on workers that
are warm. Time spent measuring is what the records say, warm-up and samples, and the memory pass, which
builds the cell once more and runs it five times. All else after planning is overhead; the table says where it
goes. The ceilings of the device, kept for a week unless the machine was busy, stand apart. The second starts
the command as a user does, interpreter and report included, and says what share of its wall time was spent
measuring. The target is 20 ms a tiny cell, and four
fifths of a real run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from _paired import Table

from benchsuite.results.record import Cell, Record
from benchsuite.results.store import RunWriter, read_run
from benchsuite.results.summary import quantile
from benchsuite.run.answer import Answer, Inspected, Plan, Visited
from benchsuite.run.executor import ProcessExecutor
from benchsuite.run.prepare import Request, prepare
from benchsuite.run.sweep import run as run_sweep
from benchsuite.scenario.measure import Measure
from benchsuite.terminal import QuietProgress
from benchsuite.units import si

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
PINGS = 200


class Clocked(ProcessExecutor):
    """Worker processes that notes how long its parent waits for which call."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        with self._clocked("plan"):
            return super().plan(cells)

    def ceilings(self, device: str, dtypes: Sequence[str]) -> dict[str, Any]:
        with self._clocked("ceilings"):
            return super().ceilings(device, dtypes)

    def visit(
        self,
        cell: Cell,
        measure: Measure,
        turn: tuple[int, int],
        earlier: tuple[float, ...],
        timeout_s: float | None = None,
    ) -> Answer[Visited]:
        with self._clocked("visit"):
            return super().visit(cell, measure, turn, earlier, timeout_s)

    def inspect(self, cell: Cell, measure: Measure, timeout_s: float | None = None) -> Answer[Inspected]:
        with self._clocked("inspect"):
            return super().inspect(cell, measure, timeout_s)

    def release(self) -> None:
        with self._clocked("release"):
            super().release()

    def ping_s(self) -> float:
        """Median seconds of a call that does nothing: what messages cost."""
        durations = []
        for _ in range(PINGS):
            start = time.perf_counter()
            self._timer.call("release")
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
    with closing(Clocked()) as executor:
        began = time.perf_counter()
        prepared = prepare(Request(reference=str(folder / "tiny.yaml")), executor)
        ready = time.perf_counter()
        sweep = run_sweep(prepared, folder / "run", executor, QuietProgress())
        ceilings = executor.seconds["ceilings"]
        wall = time.perf_counter() - ready - ceilings
        ping = executor.ping_s()
    failed = [record for record in sweep.records if record.status != "ok"]
    if failed:
        raise SystemExit(f"{len(failed)} cells failed, the first with: {failed[0].reason}")
    number = len(sweep.records)
    measured = sum(map(measuring_s, sweep.records))
    disk = disk_s(sweep.records, folder / "copy")
    names = ("visit", "inspect", "release")
    waited = sum(executor.seconds[name] for name in names)
    messages = sum(executor.calls[name] for name in names) * ping
    visits, inspections, releases = (executor.seconds[name] - executor.calls[name] * ping for name in names)

    print(
        f"{number} cells, {rounds} rounds: planned in {si(ready - began, 's', 3)} with the start of the "
        f"workers, {si(executor.seconds['plan'] / number, 's', 3)} a cell without; then {si(wall, 's', 3)},\n"
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
    """Run the command as a user does and print what share of its time was spent measuring."""
    words = [word for profile in profiles for word in ("--profile", profile)]
    command = [
        sys.executable,
        "-m",
        "benchsuite",
        "run",
        scenario,
        *words,
        "--out",
        str(folder / "run"),
        "-q",
    ]
    start = time.perf_counter()
    code = subprocess.run(command, check=False).returncode
    wall = time.perf_counter() - start
    if code not in (0, 3):
        raise SystemExit(code)
    records = read_run(folder / "run").records
    ran = [record for record in records if record.timing is not None]
    measured, spent = sum(map(measuring_s, ran)), sum(record.seconds for record in records)
    print(
        f"{len(ran)} cells in {si(wall, 's', 3)}: {measured / wall:.1%} of it warm-up and samples\n"
        f"  cells, from first to last     {si(spent, 's', 3)}  {spent / wall:.1%}\n"
        f"    of it warm-up and samples   {si(measured, 's', 3)}  {measured / wall:.1%}\n"
        f"  start, planning, report       {si(wall - spent, 's', 3)}  {(wall - spent) / wall:.1%}"
    )


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
