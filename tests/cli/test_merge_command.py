"""Shards of a scenario that are run, merged, reported and gone on with, as a user would."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.results.store import REPORT, read_run
from tests.commands import Cli

TINY = """
name: tiny
title: A tiny sweep
sweep:
  mixer: [msa, {name: hilo, label: HiLo}]
  resolution: [32, 64]
  batch: [1, 2]
  dim: 32
  num_heads: 4
  device: cpu
exclude: [{where: mixer=HiLo batch=2, reason: not asked}]
measure: {warmup_calls: 1, warmup_s: 0, min_samples: 3, max_samples: 3, threads: 1, rounds: 1, ceilings:
false}
"""


@pytest.fixture(autouse=True)
def beside_the_scenario(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny.parent)


def run(cli: Cli, *words: str) -> int:
    return cli("run", *words, "--executor", "inline", "-q").code


def test_shards_are_run_merged_reported_and_exported(cli: Cli) -> None:
    """6 cells in 4 comparison groups, two groups a shard; 2 cells are excluded."""
    for index in ("1", "2"):
        assert run(cli, "tiny.yaml", "--shard", f"{index}/2", "--out", f"s{index}") == 0
    code, out, err = cli("merge", "s1", "s2", "--out", "all", "--complete")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "records  8 from 2 runs",
        "merged   all",
        "report   benchsuite report all makes it",
    ]
    merged = read_run(Path("all"))
    assert [record.status for record in merged.records] == ["ok"] * 6 + ["skipped"] * 2
    assert "shard" not in merged.scenario["run"]
    assert cli("report", "all").code == 0
    assert Path("all", REPORT).is_file()
    code, out, _ = cli("export", "all")
    assert (code, len(out.splitlines())) == (0, 1 + 8)


def test_what_a_merge_lacks_is_measured_by_resuming_it(cli: Cli) -> None:
    assert run(cli, "tiny.yaml", "--shard", "1/2", "--out", "s1") == 0
    code, _, err = cli("merge", "s1", "--out", "all", "--complete")
    assert code == 2
    assert "cells of the scenario that no run has: " in err
    code, out, _ = cli("merge", "s1", "--out", "all")
    assert code == 0
    assert "measure them with: benchsuite run --resume all" in out
    assert run(cli, "--resume", "all") == 0
    records = read_run(Path("all")).records
    assert sum(record.status == "ok" for record in records) == 6
    assert {record.session for record in records} == {1, 2}


def test_runs_of_two_scenarios_are_refused_with_what_differs(cli: Cli) -> None:
    one = ("tiny.yaml", "--filter", "mixer=msa batch=1")
    assert run(cli, *one, "--out", "a") == 0
    assert run(cli, *one, "--set", "sweep.dim=64", "--out", "b") == 0
    code, _, err = cli("merge", "a", "b", "--out", "all")
    assert (code, err) == (2, "b: is of another scenario than a:\n  sweep.dim[0]: 32 and 64\n")
