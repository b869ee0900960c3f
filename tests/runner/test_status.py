"""What `benchsuite status` says of runs that go on, that ended, and of folders that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchsuite.cli import main
from benchsuite.errors import RunFolderError
from benchsuite.results.codec import encode
from benchsuite.results.store import RECORDS, RunWriter
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.recorder import PROGRESS, ProgressFile, read_progress
from benchsuite.runner.status import absent_shards, run_folders, status, summed
from benchsuite.runner.sweep import run_sweep
from benchsuite.scenario.shards import Shard
from tests.builders import make_cell, make_record
from tests.doubles.scripted_workers import Scripted, Watching


def swept(
    scenario: str, folder: Path, workers: Scripted | None = None, stop_at: int = 999, **request: object
) -> None:
    workers = workers or Scripted()
    prepared = prepare(Request(reference=scenario, **request), workers)  # type: ignore[arg-type]
    run_sweep(prepared, folder, LocalExecutor(workers), Watching(), lambda: len(workers.visits) >= stop_at)


def test_a_run_that_was_stopped_says_what_is_missing(scenario: str, tmp_path: Path) -> None:
    overrides = ("measure.order=sequential",)
    swept(scenario, tmp_path / "run", Scripted({"HiLo": "crash"}), stop_at=4, overrides=overrides)
    found = status(tmp_path / "run")
    assert (found.total, found.failed, found.failures) == (7, 2, {"crash": 2})
    assert found.done + (found.missing or 0) == 7
    assert found.missing
    assert (found.excluded, found.writer, found.left_s) == (1, "", None)


def test_what_was_cut_short_counts_as_missing(scenario: str, tmp_path: Path) -> None:
    workers = Scripted()
    swept(scenario, tmp_path / "run", workers, stop_at=8)  # in the second round
    found = status(tmp_path / "run")
    assert (found.done, found.missing, found.partial) == (0, 7, 7)


def test_shards_are_added_up_and_the_absent_one_is_named(scenario: str, tmp_path: Path) -> None:
    for index in (1, 3):
        swept(scenario, tmp_path / "shards" / str(index), shard=Shard(index, 3))
    found = [status(folder) for folder in run_folders(tmp_path / "shards")]
    assert [one.shard for one in found] == ["1/3", "3/3"]
    assert absent_shards(found) == ["2/3"]
    assert all(one.missing == 0 for one in found)
    whole = summed(found, tmp_path)
    assert whole.done == whole.total == sum(one.done for one in found) < 7
    assert summed([], tmp_path).total == 0


def test_the_shards_of_a_run_make_it_up(scenario: str, tmp_path: Path) -> None:
    swept(scenario, tmp_path / "all")
    ids: list[str] = []
    for index in (1, 2, 3):
        swept(scenario, tmp_path / str(index), shard=Shard(index, 3))
        lines = (tmp_path / str(index) / RECORDS).read_text().splitlines()
        ids += [json.loads(line)["id"] for line in lines]
    whole = [json.loads(line)["id"] for line in (tmp_path / "all" / RECORDS).read_text().splitlines()]
    assert sorted(ids) == sorted(whole)


def test_a_run_under_way_names_its_writer_its_workers_and_what_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    writer = RunWriter.create(folder, {"name": "tiny", "run": {}}, {})
    try:
        for second in range(3):
            record = make_record(make_cell(batch=second + 1), started_at=f"2026-01-02T03:04:0{second}+00:00")
            writer.append(record)
        progress = ProgressFile(folder, "ray", total=12, done=3)
        progress._written = float("-inf")
        progress.write({"gpu-7": "hilo-224"})
        found = status(folder)
        assert (found.total, found.missing, found.workers) == (12, 9, {"gpu-7": "hilo-224"})
        assert found.writer.startswith("process ")
        assert " on " in found.writer
        assert found.left_s is not None
    finally:
        progress.close()
        writer.close()
    assert read_progress(folder) == {}
    assert status(folder).writer == ""
    # Three cells from 03:04:00 to half a second after 03:04:02.
    assert status(folder).per_minute == pytest.approx(60 * 3 / 2.5)


def test_a_progress_file_that_a_killed_run_left_is_not_believed(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    swept(scenario, folder)
    (folder / PROGRESS).write_text('{"total": 99, "workers": {"ghost": "x"}}')
    found = status(folder)
    assert (found.total, found.workers, found.writer) == (7, {}, "")
    (folder / PROGRESS).write_text("{torn")
    assert read_progress(folder) == {}


def test_lines_that_are_no_records_are_left_out_and_named(tmp_path: Path) -> None:
    RunWriter.create(tmp_path / "run", {"name": "odd"}, {}).close()
    journal = tmp_path / "run" / RECORDS
    journal.write_text(f'{encode(make_record())}\n[1]\n{{"id": "b", "sta')
    found = status(tmp_path / "run")
    assert (found.done, found.total, found.missing, found.per_minute) == (1, None, None, None)
    assert found.warnings == (
        f"{journal}:2: skipped: not a JSON object",
        f"{journal}:3: the last line is torn, its cell counts as not measured",
    )


def test_folders_without_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no such folder"):
        run_folders(tmp_path / "none")
    with pytest.raises(RunFolderError, match=r"holds no run, nor does a folder in it"):
        run_folders(tmp_path)
    (tmp_path / "scenario.json").write_text("[]")
    with pytest.raises(RunFolderError, match="cannot be read"):
        status(tmp_path)


def command(*words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["benchsuite", *words])
        with pytest.raises(SystemExit) as raised:
            main()
    return int(str(raised.value.code or 0))


def test_the_command_says_it_in_words_and_as_json(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swept(scenario, tmp_path / "shards" / "a", Scripted({"HiLo": "crash"}), stop_at=3, shard=Shard(1, 2))
    capsys.readouterr()
    assert command("status", str(tmp_path / "shards")) == 0
    said = capsys.readouterr().out
    assert "tiny  shard 1/2" in said
    assert f"nobody writes; go on with: benchsuite run --resume {tmp_path / 'shards' / 'a'}" in said
    assert "no folder here for: shard 2/2" in said
    assert command("status", str(tmp_path / "shards"), "--format", "json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["absent_shards"] == ["2/2"]
    assert facts["sum"]["missing"] == facts["runs"][0]["missing"] > 0
    assert command("status", str(tmp_path), "--format", "jsn") == 2
    assert 'did you mean "json"?' in capsys.readouterr().err
