"""Shards of a scenario that are run, merged, reported and gone on with, as a user would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchsuite.cli import main
from benchsuite.results.store import REPORT, read_run

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

Cli = Callable[..., int]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)

    def call(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["benchsuite", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0)

    return call


def run(cli: Cli, *words: str) -> int:
    return cli("run", *words, "--executor", "inline", "-q")


def test_shards_are_run_merged_reported_and_exported(
    cli: Cli, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """6 cells in 4 comparison groups, two groups a shard; 2 cells are excluded."""
    for index in ("1", "2"):
        assert run(cli, "tiny.yaml", "--shard", f"{index}/2", "--out", f"s{index}") == 0
    capsys.readouterr()
    assert cli("merge", "s1", "s2", "--out", "all", "--complete") == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "records  8 from 2 runs",
        "merged   all",
        "report   benchsuite report all makes it",
    ]
    assert printed.err == ""
    merged = read_run(Path("all"))
    assert [record.status for record in merged.records] == ["ok"] * 6 + ["skipped"] * 2
    assert "shard" not in merged.scenario["run"]
    assert cli("report", "all") == 0
    assert (tmp_path / "all" / REPORT).is_file()
    capsys.readouterr()
    assert cli("export", "all") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 8


def test_what_a_merge_lacks_is_measured_by_resuming_it(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli, "tiny.yaml", "--shard", "1/2", "--out", "s1") == 0
    assert cli("merge", "s1", "--out", "all", "--complete") == 2
    assert "cells of the scenario that no run has: " in capsys.readouterr().err
    assert cli("merge", "s1", "--out", "all") == 0
    assert "measure them with: benchsuite run --resume all" in capsys.readouterr().out
    assert run(cli, "--resume", "all") == 0
    records = read_run(Path("all")).records
    assert sum(record.status == "ok" for record in records) == 6
    assert {record.session for record in records} == {1, 2}


def test_runs_of_two_scenarios_are_refused_with_what_differs(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(cli, "tiny.yaml", "--filter", "mixer=msa batch=1", "--out", "a") == 0
    other = ("tiny.yaml", "--filter", "mixer=msa batch=1", "--set", "sweep.dim=64", "--out", "b")
    assert run(cli, *other) == 0
    capsys.readouterr()
    assert cli("merge", "a", "b", "--out", "all") == 2
    assert capsys.readouterr().err == "b: is of another scenario than a:\n  sweep.dim[0]: 32 and 64\n"
