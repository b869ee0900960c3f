"""Real gates of unchanged and of slower code here: how often they cry wolf, and how often they see one.

    python benchmarks/gate_aa.py [--unchanged 20] [--planted 10] [--minutes 30] [--out runs/gate-aa]

runs in a checkout. A gate of unchanged code holds HEAD against HEAD with `scenarios/ci_gate.yaml`; none
should call a cell slower. A planted gate holds two commits of a throwaway repository against each other, of
which the second does 15 % more work in two of four mixers; all should find these two, and no other.

Each gate leaves a line in `gates.jsonl` and a log, and is not run again, so that a stop loses one gate at
most.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
LINES = "gates.jsonl"
REPEATS = {"before": 20, "after": 23}
"""How often a planted mixer does its work: 15 % more in the second commit."""
SLOWER = ("Linear", "Gelu")
"""The planted mixers."""
MIXERS = '''
"""Two mixers that the second commit makes slower, and two that it leaves alone."""

import torch
from torch import nn
from torch.nn import functional as F

REPEATS = {repeats}


class SteadyLinear(nn.Module):
    layout = "BNC"
    repeats = 20

    def __init__(self, dim):
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x, size):
        for _ in range(self.repeats):
            x = self.linear(x)
        return x


class SteadyGelu(nn.Module):
    layout = "BNC"
    repeats = 20

    def __init__(self, dim):
        super().__init__()

    def forward(self, x, size):
        for _ in range(5 * self.repeats):
            x = F.gelu(x)
        return x


class Linear(SteadyLinear):
    repeats = REPEATS


class Gelu(SteadyGelu):
    repeats = REPEATS
'''
SCENARIO = """
name: planted
title: Two mixers of which one commit makes slower, and two that it leaves alone
sweep:
  mixer: ["mine:SteadyLinear", "mine:SteadyGelu", "mine:Linear", "mine:Gelu"]
  resolution: 224
  batch: 1
  dim: 192
  num_heads: 6
measure: {metrics: [cost, latency], threads: 1, max_s: 2.0}
# Numbers without noise would give the extra work away, without any timing.
gate: {delta: 0.03, screen: 3, pairs: 9, max_s: 0.3, warmup_s: 0.1, exact: ignore}
"""


@dataclass(frozen=True, slots=True)
class Line:
    """What one gate said.

    Attributes:
        kind: "unchanged" or "planted".
        exit: its exit code.
        verdicts: how many cells have each verdict.
        slower: labels of the cells that it calls slower.
    """

    kind: str
    number: int
    exit: int
    verdicts: dict[str, int]
    slower: tuple[str, ...]
    seconds: float
    started_at: str
    load: float

    @property
    def right(self) -> bool:
        """Whether it called exactly those cells slower that are."""
        return sorted(self.slower) == sorted(SLOWER if self.kind == "planted" else ())


def plan(unchanged: int, planted: int) -> list[tuple[str, int]]:
    """Kind and number of every gate, the two kinds evenly mixed, so that a stop leaves some of both."""
    both = [("unchanged", i, (i + 0.5) / unchanged) for i in range(unchanged)]
    both += [("planted", i, (i + 0.5) / planted) for i in range(planted)]
    return [(kind, number) for kind, number, _ in sorted(both, key=lambda one: one[2])]


def read_lines(path: Path) -> list[Line]:
    """The gates of earlier calls; a torn last line counts as none."""
    if not path.is_file():
        return []
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            data = json.loads(text)
        except ValueError:
            continue
        found.append(Line(**(data | {"slower": tuple(data["slower"])})))
    return found


def tally(lines: Iterable[Line]) -> list[str]:
    """Counts for each kind of gate, in words."""
    told = []
    for kind in ("unchanged", "planted"):
        own = [line for line in lines if line.kind == kind]
        if not own:
            continue
        exits = Counter(line.exit for line in own)
        verdicts = sum((Counter(line.verdicts) for line in own), Counter[str]())
        gates = ", ".join(f"{count} exit {code}" for code, count in sorted(exits.items()))
        cells = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
        seconds = sorted(line.seconds for line in own)
        told.append(f"{kind}: {len(own)} gates ({gates}); cells: {cells}")
        told.append(
            f"  {sum(line.right for line in own)} of {len(own)} called slower exactly what is; "
            f"{seconds[0]:.0f} to {seconds[-1]:.0f} s, median {seconds[len(seconds) // 2]:.0f} s"
        )
        if kind == "planted":
            caught = Counter(name for line in own for name in line.slower)
            words = (f"{name} in {caught[name]} of {len(own)}" for name in SLOWER)
            told.append(f"  caught: {', '.join(words)}")
            others = sum(count for name, count in caught.items() if name not in SLOWER)
            told.append(f"  cells called slower that are not: {others}")
    return told


def planted_repository(folder: Path) -> Path:
    """A repository of two commits, "before" and "after"; made anew unless it is there."""
    if (folder / "done").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    git = ["git", "-c", "user.name=gate", "-c", "user.email=gate@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "--quiet"], cwd=folder, check=True)
    (folder / "planted.yaml").write_text(SCENARIO, encoding="utf-8")
    for tag, repeats in REPEATS.items():
        (folder / "mine.py").write_text(MIXERS.format(repeats=repeats), encoding="utf-8")
        subprocess.run([*git, "add", "mine.py", "planted.yaml"], cwd=folder, check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", tag], cwd=folder, check=True)
        subprocess.run([*git, "tag", "--force", tag], cwd=folder, check=True)
    (folder / "done").touch()
    return folder


def run_gate(kind: str, number: int, out: Path, scenario: str) -> Line:
    """One gate as a command of its own; its log and its folder stay."""
    from benchsuite.gate.result import RESULT, read

    attempt = sum(1 for _ in out.glob(f"{kind}-{number}.*.log"))
    name = f"{kind}-{number}.{attempt}"
    folder = out / name
    if kind == "planted":
        here, words = (
            planted_repository(out / "planted"),
            ("planted.yaml", "--base", "before", "--candidate", "after"),
        )
    else:
        here, words = HERE.parent, (scenario, "--base", "HEAD", "--candidate", "HEAD")
    command = [sys.executable, "-m", "benchsuite", "gate", *words, "--allow-dirty", "--out", str(folder)]
    began, started = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    with (out / f"{name}.log").open("w", encoding="utf-8") as log:
        code = subprocess.run(command, cwd=here, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    cells = read(folder).cells if (folder / RESULT).is_file() else ()
    return Line(
        kind=kind,
        number=number,
        exit=code,
        verdicts=dict(Counter(cell.verdict for cell in cells)),
        slower=tuple(cell.cell.name for cell in cells if cell.verdict == "slower"),
        seconds=round(time.monotonic() - began, 1),
        started_at=started,
        load=_load(),
    )


def _load() -> float:
    import os

    return round(os.getloadavg()[0], 2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is left to run, and print a tally after every gate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--unchanged", type=int, default=20, help="gates of unchanged code")
    parser.add_argument("--planted", type=int, default=10, help="gates of code that is 15 %% slower")
    parser.add_argument("--minutes", type=float, default=30.0, help="begin no gate after so long")
    parser.add_argument("--scenario", default="ci_gate", help="of the gates of unchanged code")
    parser.add_argument("--out", type=Path, default=Path("runs/gate-aa"), help="folder; go on with it, too")
    asked = parser.parse_args(arguments)
    out: Path = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    lines = read_lines(out / LINES)
    done = {(line.kind, line.number) for line in lines}
    began = time.monotonic()
    for kind, number in plan(asked.unchanged, asked.planted):
        if (kind, number) in done:
            continue
        if time.monotonic() - began > 60 * asked.minutes:
            print(f"stopped after {asked.minutes:g} minutes; the same command goes on")
            break
        line = run_gate(kind, number, out, asked.scenario)
        lines.append(line)
        with (out / LINES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(line)) + "\n")
        mark = "" if line.right else f"  WRONG: calls slower {', '.join(line.slower) or 'nothing'}"
        told = f"exit {line.exit}, {line.verdicts}, {line.seconds:.0f} s, load {line.load}"
        print(f"{kind} {number}: {told}{mark}")
        print("\n".join(f"    {text}" for text in tally(lines)), flush=True)
    print("\n".join(tally(lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
