"""Do numbers survive a rerun? Runs a scenario several times and says how far the runs agree.

    python benchmarks/rerun.py hilo --profile cpu --times 4 --out runs/rerun-hilo
    python benchmarks/rerun.py --more reports/a runs/b                # of runs that are there
    python benchmarks/rerun.py --plant hilo=10 --times 20 --out runs/planted

Prints how many pairs of equal cells have disjoint 95 % intervals, latencies as printed and speeds beside the
reference, by what factor runs differ, how wide intervals are, and how many verdicts flip. Words that are none
of this command's go to `benchsuite run`, as --filter resolution=224.

A run that has ended leaves a line beside its folder and is kept; the same command goes on with the next.

With --plant, the scenario is one of three cells: a mixer that does its work ten times in each step (for
10 %), a copy of it, and one that does it once more. The planted one does a tenth more of the very same work,
so that its true ratio is known; the rule of evidence must call it slower, and the copy must not differ.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _agreement import report

from benchsuite.api.results import Results, load
from benchsuite.results.machine import noise_of
from benchsuite.stats.evidence import Decision, Question, decide, paired

MODULE = '''
"""A mixer that does its work over and over in each step, a copy, and one that does it once more."""

from pkgutil import resolve_name

from benchsuite.mixers import MIXERS


class Original(resolve_name(MIXERS[{name!r}])):
    repeats = {repeats}

    def forward(self, *inputs):
        for _ in range(self.repeats):
            out = super().forward(*inputs)
        return out


class Copy(Original):
    pass


class Planted(Original):
    repeats = {repeats} + 1
'''
SCENARIO = """
name: planted
title: A mixer, a copy of it, and one that does {percent:g} % more
sweep: {{mixer: ["planted:Original", "planted:Copy", "planted:Planted"], resolution: 224, batch: 1, dim: 384,
  num_heads: 12}}
measure: {{metrics: [latency], warmup_s: 0.5, max_s: 3.0, ceilings: false}}
"""


@dataclass(frozen=True, slots=True)
class Rerun:
    """A run that has ended: its folder, and the seconds that the whole command took."""

    folder: Path
    seconds: float


def done(folder: Path) -> Rerun | None:
    """The run in a folder if it has ended, and None if it was cut off or never began."""
    try:
        return Rerun(folder, json.loads(_line(folder).read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):
        return None


def _line(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def run(words: Sequence[str], folder: Path, where: Path) -> Rerun:
    """Run the scenario once as a command of its own; what an earlier attempt has left is removed.

    Raises:
        RuntimeError: it did not run; failed cells are no reason.
    """
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "benchsuite", "run", *words, "--out", str(folder), "--quiet"]
    began = time.monotonic()
    ended = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    seconds = round(time.monotonic() - began, 1)
    if ended.returncode not in (0, 3):
        raise RuntimeError(f"{folder}: {ended.stderr.strip() or f'exit code {ended.returncode}'}")
    text = {"seconds": seconds, "exit": ended.returncode, "command": command}
    _line(folder).write_text(json.dumps(text) + "\n", encoding="utf-8")
    return Rerun(folder, seconds)


def runs(words: Sequence[str], out: Path, times: int, where: Path) -> list[Rerun]:
    """So many runs, those that have ended already among them."""
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(1, times + 1):
        kept = done(out / str(number))
        found.append(kept or run(words, out / str(number), where))
        print(f"{found[-1].folder}: {found[-1].seconds:.0f} s{' (kept)' if kept else ''}", flush=True)
    return found


def planted(asked: str, out: Path) -> tuple[str, float]:
    """Write the planted scenario; its file, and the ratio that is planted.

    Raises:
        ValueError: it is not NAME=PERCENT, or one step more of a whole number is not so many per cent.
    """
    name, _, percent = asked.partition("=")
    try:
        repeats = round(100 / float(percent))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"--plant {asked}: not a mixer and per cent, such as hilo=10") from None
    if not 1 <= repeats <= 100 or not math.isclose(100 / repeats, float(percent), rel_tol=1e-3):
        raise ValueError(f"--plant {asked}: per cent are 100 over a whole number: 10, 5, 20, 12.5")
    out.mkdir(parents=True, exist_ok=True)
    (out / "planted.py").write_text(MODULE.format(name=name, repeats=repeats), encoding="utf-8")
    (out / "planted.yaml").write_text(SCENARIO.format(percent=100 / repeats), encoding="utf-8")
    return "planted.yaml", 1 + 1 / repeats


def asked_of(run_: Results) -> dict[str, Decision]:
    """What the rule of evidence says of the planted cell, and of the copy, beside the original."""
    rounds = run_.frame().set_index("name")["rounds_s"]
    noise = noise_of(run_.run.environment)
    return decide(
        {
            name: Question(paired(rounds[name], rounds["Original"]), noise=noise)
            for name in ("Planted", "Copy")
        }
    )


def planted_lines(found: Sequence[Results], ratio: float) -> list[str]:
    """How often the planted cell is called slower, and the copy different."""
    lines = []
    decisions = [asked_of(one) for one in found]
    for name, truth in (("Planted", ratio), ("Copy", 1.0)):
        sides = Counter(one[name].side for one in decisions)
        held = sum(one[name].lo <= truth <= one[name].hi for one in decisions)
        said = ", ".join(f"{side} in {count}" for side, count in sides.most_common())
        middle = sorted(one[name].ratio for one in decisions)[len(decisions) // 2]
        lines.append(
            f"{name}, truly × {truth:.3f}: {said} of {len(decisions)} runs; × {middle:.3f} in the median; "
            f"{held} of {len(decisions)} intervals hold the truth"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenario", nargs="?", help="file, or name of a shipped one")
    parser.add_argument("--profile", action="append", default=[])
    parser.add_argument("--times", type=int, default=4, help="runs")
    parser.add_argument("--out", type=Path, default=Path("runs/rerun"), help="folder; go on with it, too")
    parser.add_argument("--more", type=Path, nargs="+", default=[], help="run folders that are there")
    parser.add_argument(
        "--plant", metavar="NAME=PERCENT", help="three cells of this mixer, one of them slower"
    )
    asked, others = parser.parse_known_args(arguments)
    out, where = asked.out.resolve(), Path.cwd()
    words = [word for name in asked.profile for word in ("--profile", name)] + others
    ratio = None
    if asked.plant:
        try:
            scenario, ratio = planted(asked.plant, out)
        except ValueError as error:
            parser.error(str(error))
        where = out
    elif asked.scenario:
        scenario = asked.scenario
    elif len(asked.more) < 2:
        parser.error("nothing to run: name a scenario, --plant a mixer, or give two runs with --more")
    else:
        scenario = ""
    try:
        ended = runs([scenario, *words], out, asked.times, where) if scenario else []
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    found = [load(folder) for folder in (*(one.folder for one in ended), *asked.more)]
    lines = planted_lines(found, ratio) if ratio else report(found)
    if ended:
        seconds = sorted(one.seconds for one in ended)
        lines.append(f"wall time: {seconds[0]:.0f} to {seconds[-1]:.0f} s a run, {len(ended)} runs")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
