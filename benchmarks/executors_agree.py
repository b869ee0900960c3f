"""Does a real scenario come out alike through every executor?

    python benchmarks/executors_agree.py --profile quick --filter resolution=224
    python benchmarks/executors_agree.py scenarios/hilo.yaml --profile cpu --only process,ray --keep agree

    python benchmarks/executors_agree.py --profile quick --rounds 4

Runs the scenario as a user does, once through each. Cells, statuses, MACs, parameters and peak memory must be
the same. Times are measured anew each time: two agree where their 95 % intervals of the median overlap. Those
hold what varies within a run and not between two, so the first executor is run once more at the end, and how
often it disagrees with itself is said beside. With --rounds the executors take turns, the run is the unit of
evidence, and times agree where the 99 % interval of the mean log ratio of a round (Student's t) holds 0. Exit
code 1 if anything but times differs.
"""

from __future__ import annotations

import argparse
import math
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchsuite.gate.decide import log_median
from benchsuite.results.record import Record
from benchsuite.results.round_timings import latency_of
from benchsuite.results.store import read_run
from benchsuite.stats.evidence import ratio_of
from benchsuite.stats.intervals import quantile

EXECUTORS: Mapping[str, Sequence[str]] = {
    "process": (),
    "inline": ("--executor", "inline"),
    "ray": ("--executor", "ray", "--ray-address", "local"),
    "slurm": ("--executor", "slurm", "--slurm", "cluster=local"),
}


def exact(record: Record) -> dict[str, Any]:
    """What must be the same whoever runs the cell."""
    return {
        "status": record.status,
        "MACs": record.cost and record.cost.macs,
        "parameters": record.cost and record.cost.params,
        "memory": record.memory and record.memory.peak_allocated_bytes,
    }


def differences(one: Mapping[str, Record], other: Mapping[str, Record]) -> list[str]:
    """What differs that must not, a line each."""
    lines = [f"{cell}: only in one of them" for cell in sorted(one.keys() ^ other.keys())]
    for cell in sorted(one.keys() & other.keys()):
        here, there = exact(one[cell]), exact(other[cell])
        lines += [f"{cell}: {key} {here[key]} and {there[key]}" for key in here if here[key] != there[key]]
    return lines


def times(one: Mapping[str, Record], other: Mapping[str, Record]) -> tuple[int, int, float | None]:
    """Cells whose intervals overlap, cells that have two intervals, and the median ratio other / one."""
    overlapping, ratios = 0, []
    for cell in one.keys() & other.keys():
        here, there = one[cell].timing, other[cell].timing
        if here is None or there is None:
            continue
        a, b = latency_of(here, {}), latency_of(there, {})
        if math.isnan(a.lo) or math.isnan(b.lo):
            continue
        overlapping += a.lo <= b.hi and b.lo <= a.hi
        ratios.append(b.value / a.value)
    return overlapping, len(ratios), quantile(ratios, 0.5) if ratios else None


def over_rounds(
    one: Sequence[Mapping[str, Record]], other: Sequence[Mapping[str, Record]]
) -> tuple[int, int, float | None]:
    """Cells whose times agree over rounds, cells timed in all rounds, and the median of their ratios.

    Args:
        one, other: records by cell of each round's run through either executor.
    """
    agreeing, ratios = 0, []
    for cell in sorted(one[0].keys() & other[0].keys()):
        pairs = [(here[cell].timing, there[cell].timing) for here, there in zip(one, other, strict=True)]
        logs = [log_median(b.samples_s) - log_median(a.samples_s) for a, b in pairs if a and b]
        if len(logs) < max(2, len(pairs)):
            continue
        low, high = ratio_of(logs, least=2).log_interval(0.99)
        agreeing += low <= 0 <= high
        ratios.append(math.exp(statistics.fmean(logs)))
    return agreeing, len(ratios), quantile(ratios, 0.5) if ratios else None


def run(name: str, words: Sequence[str], folder: Path) -> dict[str, Record]:
    """Run the scenario through one executor; its records by cell.

    Raises:
        RuntimeError: it did not run; failed cells are no reason.
    """
    command = [sys.executable, "-m", "benchsuite", "run", *words, *EXECUTORS[name], "--out", str(folder)]
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{name}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return {record.id: record for record in read_run(folder).records}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", nargs="?", default="scenarios/hilo.yaml")
    parser.add_argument("--profile", action="append", default=[])
    parser.add_argument("--filter", default="")
    parser.add_argument("--only", default=",".join(EXECUTORS), help="executors, with commas between them")
    parser.add_argument("--rounds", type=int, default=1, help="runs through each, in turns")
    parser.add_argument("--keep", type=Path, help="leave the run folders here")
    arguments = parser.parse_args()
    names = [name for name in arguments.only.split(",") if name]
    if unknown := [name for name in names if name not in EXECUTORS]:
        parser.error(f"no executor {unknown[0]!r}; allowed: {', '.join(EXECUTORS)}")
    words = [arguments.scenario, *(word for name in arguments.profile for word in ("--profile", name))]
    words += ["--filter", arguments.filter] if arguments.filter else []
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="benchsuite-agree-"))
    try:
        return (
            compared(names, words, folder)
            if arguments.rounds < 2
            else turns(names, words, folder, arguments.rounds)
        )
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


def compared(names: Sequence[str], words: Sequence[str], folder: Path) -> int:
    """Run through all, print the table, and return the exit code."""
    first: dict[str, Record] = {}
    wrong = 0
    print(f"{'executor':14} {'cells':>6} {'differ':>7} {'times agree':>12} {'median ratio':>13}")
    for number, name in enumerate([*names, names[0]]):
        label = name if number < len(names) else f"{name} again"
        try:
            found = run(name, words, folder / label.replace(" ", "-"))
        except RuntimeError as error:
            print(f"{label:14} did not run: {error}")
            wrong += 1
            continue
        first = first or found
        lines = differences(first, found)
        overlapping, timed, ratio = times(first, found)
        print(
            f"{label:14} {len(found):6} {len(lines):7} {f'{overlapping} of {timed}':>12} "
            f"{'–' if ratio is None else f'{ratio:.3f}':>13}",
            flush=True,
        )
        print("".join(f"  {line}\n" for line in lines), end="")
        wrong += len(lines)
    print("only times differ" if not wrong else "THEY DIFFER")
    return int(bool(wrong))


def turns(names: Sequence[str], words: Sequence[str], folder: Path, rounds: int) -> int:
    """Run through all in every round, the first of them twice; print the table, and return the exit code."""
    labels = [*names, f"{names[0]} again"]
    found: dict[str, list[dict[str, Record]]] = {label: [] for label in labels}
    for number in range(rounds):
        for label in random.Random(number).sample(labels, len(labels)):
            kept = folder / f"{label.replace(' ', '-')}-{number}"
            found[label].append(run(label.removesuffix(" again"), words, kept))
            print(f"round {number + 1}/{rounds}  {label}", file=sys.stderr, flush=True)
    first = found[labels[0]]
    wrong = 0
    print(f"{'executor':14} {'cells':>6} {'differ':>7} {'times agree':>12} {'median ratio':>13}")
    for label in labels:
        lines = sorted({line for one in found[label] for line in differences(first[0], one)})
        agreeing, timed, ratio = over_rounds(first, found[label])
        told = "–" if label == labels[0] else f"{agreeing} of {timed}"
        shown = "–" if ratio is None else f"{ratio:.3f}"
        print(f"{label:14} {len(found[label][0]):6} {len(lines):7} {told:>12} {shown:>13}")
        print("".join(f"  {line}\n" for line in lines), end="")
        wrong += len(lines)
    print("only times differ" if not wrong else "THEY DIFFER")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
