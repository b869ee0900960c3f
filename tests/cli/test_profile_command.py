"""`benchsuite profile` as a user meets it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchsuite.results.record import Record
from benchsuite.results.store import RECORDS, REPORT, RunWriter, read_run
from tests.builders import make_cell, make_record
from tests.commands import Cli

TINY = """
name: tiny
title: A tiny sweep
sweep:
  mixer: [msa, performer]
  resolution: 32
  dim: 32
  num_heads: 4
  kernel: [math, sdpa]
  device: cpu
measure: {warmup_calls: 1, warmup_s: 0, threads: 1}
"""


def test_a_scenario_gives_a_run_with_traces_a_report_and_how_to_see_them(
    cli: Cli, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    code, said, _ = cli("profile", tiny, "--filter", "mixer=msa", "--steps", "2", "--top", "4", "--out", out)
    assert code == 0
    records = read_run(out).records
    assert {record.cell.kernel for record in records} == {"math", "sdpa"}
    for record in records:
        assert len(record.profile) == 4
        assert (out / "traces" / record.id / "benchsuite.pt.trace.json.gz").is_file()
    assert "Time by operator" in (out / REPORT).read_text()
    assert "operator  aten::addmm" in said
    assert "read by  torch-tb-profiler (2 traces)" in said
    assert f"tensorboard --logdir {out / 'traces'}" in said
    assert "Perfetto" in said


def test_a_cell_that_cannot_be_profiled_is_named_and_the_exit_code_is_3(
    cli: Cli, tiny: Path, tmp_path: Path
) -> None:
    options = ("--filter", "kernel=sdpa", "--steps", "1", "--executor", "inline", "--quiet")
    code, said, complaint = cli("profile", tiny, *options, "--out", tmp_path / "run")
    assert (code, said) == (3, "")
    assert complaint.startswith("1 of 2 cells could not be profiled:\n  performer-32-")
    assert "unsupported: performer has no sdpa kernel" in complaint


def test_a_run_folder_gets_profiles_beside_its_timings(cli: Cli, tmp_path: Path) -> None:
    before = make_record(make_cell(batch=1))
    folder = a_run(tmp_path / "run", before)
    code, _, _ = cli("profile", "--resume", folder, "--steps", "1", "--executor", "inline")
    assert code == 0
    (after,) = read_run(folder).records
    assert after.profile
    assert replace(after, profile=()) == before
    assert len((folder / RECORDS).read_text().splitlines()) == 2
    assert "Time by operator" in (folder / REPORT).read_text()


def a_run(folder: Path, record: Record) -> Path:
    sweep = {"mixer": ["msa"], "resolution": [64], "dim": 32, "num_heads": 4}
    document = {"name": "tiny", "title": "A tiny sweep", "sweep": sweep, "run": {"device": "cpu"}}
    writer = RunWriter.create(folder, document, {})
    writer.append(record)
    writer.close()
    return folder


@pytest.mark.parametrize(
    "options",
    [
        ("tiny.yaml",),
        ("--device", "cpu"),
        ("--out", "other"),
        ("--set", "sweep.batch=1"),
        ("--profile", "cpu"),
    ],
)
def test_resume_takes_nothing_that_the_run_has_already(
    cli: Cli, tmp_path: Path, options: tuple[str, ...]
) -> None:
    folder = a_run(tmp_path / "run", make_record())
    code, _, complaint = cli("profile", "--resume", folder, *options)
    assert code == 2
    assert "--resume goes with --filter, --steps and --top only" in complaint


def test_a_folder_that_is_no_run_is_refused(cli: Cli, tmp_path: Path) -> None:
    code, _, complaint = cli("profile", "--resume", tmp_path)
    assert code != 0
    assert "not a run folder" in complaint


def test_neither_a_scenario_nor_a_run_is_refused(cli: Cli) -> None:
    code, _, complaint = cli("profile", "--executor", "inline")
    assert code == 2
    assert "name a scenario" in complaint
