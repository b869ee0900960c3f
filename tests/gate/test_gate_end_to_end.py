"""A real gate of two commits of somebody's package, with all its processes; and one that is killed.

Nothing is asserted of times: the limit is one that no time comes near.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchsuite.gate.result import read
from benchsuite.results.store import read_run
from tests.git import commit, git
from tests.real_command import wait_until

SCENARIO = """
name: toy
title: A package of one's own
sweep:
  mixer: ["toy.mixers:Kept", "toy.mixers:Grown", "toy.mixers:Broken", "toy.mixers:New"]
  resolution: 64
  dim: 16
  num_heads: 2
measure: {metrics: [cost, latency], threads: 1, check: false}
gate: {screen: 1, pairs: 3, delta: 0.999, max_s: 0.01, warmup_s: 0}
"""
MIXERS = """
import torch
from torch import nn

class Kept(nn.Module):
    layout = "BNC"
    extra = 0

    def __init__(self, dim):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(1 + self.extra))

    def forward(self, x, size):
        for layer in self.layers:
            x = layer(x)
        return x

class Grown(Kept):
    pass

class Broken(Kept):
    pass
"""
CHANGES = """
class Grown(Kept):
    extra = 1

class Broken(Kept):
    def forward(self, x, size):
        if x.is_meta:
            return super().forward(x, size)
        raise KeyError("planted")

class New(Kept):
    pass
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A repository whose second commit makes one mixer larger, breaks one, and has one more."""
    root = tmp_path / "package"
    mixers = root / "src" / "toy" / "mixers.py"
    mixers.parent.mkdir(parents=True)
    (root / "toy.yaml").write_text(SCENARIO)
    mixers.write_text(MIXERS)
    for text, name in ((MIXERS, "before"), (MIXERS + CHANGES, "after")):
        mixers.write_text(text)
        commit(root, name)
        git(root, "tag", name)
    return root


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(package: Path) -> Start:
    def begin(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "benchsuite", "gate", "toy.yaml", "--pythonpath", "src", *words],
            cwd=package, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return begin


def worktrees(package: Path) -> list[str]:
    return git(package, "worktree", "list", "--porcelain").split("\n\n")


@pytest.mark.slow
def test_a_gate_of_two_commits_finds_what_the_second_one_did(package: Path, start: Start) -> None:
    out, err = (gate := start("--base", "before", "--candidate", "after", "--out", "g")).communicate()
    assert gate.returncode == 1, err
    result = read(package / "g")
    assert (result.base[:7], result.candidate[:6]) == ("before ", "after ")
    verdicts = {cell.cell.name: cell.verdict for cell in result.cells}
    assert verdicts["Grown"] == "larger"
    assert (verdicts["Broken"], verdicts["New"]) == ("broken", "new")
    assert verdicts["Kept"] in ("not flagged", "same", "faster", "inconclusive")  # as its times have it

    kept, grown, broken, new = result.cells
    # A linear layer of 16 channels on 4 × 4 tokens: 16 · 16 · 16 multiply–adds; 16 · 16 + 16 parameters.
    assert {(change.metric, change.old, change.new) for change in grown.changes} >= {
        ("macs", 4096, 8192),
        ("params", 272, 544),
    }
    assert kept.changes == ()
    assert "planted" in broken.reason
    assert (new.base, new.candidate) == (None, "ok")

    # Every number can be followed to its samples.
    for side in ("base", "candidate"):
        run = read_run(package / "g" / "processes" / f"screen-1-{side}")
        (record,) = (one for one in run.records if one.id == kept.id)
        assert record.timing is not None
        assert len(record.timing.samples_s) >= 5
    assert out.splitlines()[0].startswith("base       before (")
    assert "regression: 1 larger, 1 broken, 1 new" in out
    assert len(worktrees(package)) == 1


@pytest.mark.slow
def test_a_gate_that_is_told_to_stop_takes_its_worktrees_with_it(package: Path, start: Start) -> None:
    gate = start("--base", "before")
    try:
        wait_until(lambda: len(worktrees(package)) == 3 or gate.poll() is not None)
        gate.send_signal(signal.SIGTERM)
        _, err = gate.communicate()
    finally:
        gate.kill()
    assert gate.returncode == 130
    assert "stopped: nothing was decided" in err
    assert "Traceback" not in err
    assert len(worktrees(package)) == 1
