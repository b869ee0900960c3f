"""Run folders that were killed, taken, broken or are not there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchsuite.errors import RecordVersionError, RunFolderError, StorageError
from benchsuite.io import LOCK
from benchsuite.results.codec import encode
from benchsuite.results.record import Record
from benchsuite.results.store import RECORDS, RunWriter, check_free, read_run
from tests.builders import make_cell, make_record

SCENARIO = {"name": "test"}
MACHINE = {"machine": "here"}


def records(count: int) -> list[Record]:
    return [make_record(make_cell(batch=number)) for number in range(1, count + 1)]


def write(folder: Path, count: int) -> list[Record]:
    written = records(count)
    writer = RunWriter.create(folder, SCENARIO, MACHINE)
    for record in written:
        writer.append(record)
    writer.close()
    return written


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = write(tmp_path / "run", 3)
    run = read_run(tmp_path / "run")
    assert list(run.records) == written
    assert run.scenario == SCENARIO
    assert run.environment == MACHINE
    assert run.warnings == ()


def test_each_record_is_on_disk_before_the_next(tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path / "run", SCENARIO, MACHINE)
    for count, record in enumerate(records(3), start=1):
        writer.append(record)
        assert len(read_run(tmp_path / "run").records) == count
    writer.close()


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_torn_last_line_is_warned_of_and_its_cell_counts_as_not_measured(tmp_path: Path, kept: int) -> None:
    written = write(tmp_path / "run", 3)
    path = tmp_path / "run" / RECORDS
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2].rstrip()[:kept])
    run = read_run(tmp_path / "run")
    assert list(run.records) == written[:2]
    assert run.warnings == (f"{path}:3: the last line is torn, its cell counts as not measured",)


def test_resuming_cuts_the_torn_line_off_before_it_appends(tmp_path: Path) -> None:
    written = write(tmp_path / "run", 3)
    path = tmp_path / "run" / RECORDS
    path.write_bytes(path.read_bytes()[:-30])
    writer = RunWriter.resume(tmp_path / "run", {"machine": "there"})
    writer.append(written[2])
    writer.close()
    run = read_run(tmp_path / "run")
    assert list(run.records) == written
    assert run.warnings == ()
    assert dict(run.environments) == {1: MACHINE, 2: {"machine": "there"}}
    assert writer.session == 2


def test_a_last_record_that_lacks_only_its_newline_is_kept(tmp_path: Path) -> None:
    written = write(tmp_path / "run", 2)
    path = tmp_path / "run" / RECORDS
    path.write_bytes(path.read_bytes()[:-1])
    assert list(read_run(tmp_path / "run").records) == written
    writer = RunWriter.resume(tmp_path / "run", MACHINE)
    writer.append(make_record(make_cell(batch=9)))
    writer.close()
    assert len(read_run(tmp_path / "run").records) == 3


def test_a_broken_line_in_the_middle_is_skipped_and_named(tmp_path: Path) -> None:
    write(tmp_path / "run", 1)
    path = tmp_path / "run" / RECORDS
    path.write_text(path.read_text() + "{broken\n" + encode(make_record(make_cell(batch=7))) + "\n")
    run = read_run(tmp_path / "run")
    assert [record.cell.batch for record in run.records] == [1, 7]
    (warning,) = run.warnings
    assert warning.startswith(f"{path}:2: skipped: ")


def test_of_two_records_of_a_cell_the_later_counts(tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path / "run", SCENARIO, MACHINE)
    writer.append(make_record(status="oom"))
    writer.append(make_record())
    writer.close()
    assert [record.status for record in read_run(tmp_path / "run").records] == ["ok"]


def test_a_newer_record_is_refused_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "run", 1)
    path = tmp_path / "run" / RECORDS
    newer = json.loads(path.read_text()) | {"version": 99}
    path.write_text(path.read_text() + json.dumps(newer) + "\n")
    with pytest.raises(RecordVersionError, match=r"records\.jsonl:2: record version 99 is newer"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("run", r"already holds a run; to go on with it use: --resume .*run$"),
        ("full", "is not empty and holds no run"),
        ("file", "is a file; --out wants a folder"),
        ("file/run", "cannot be written"),
    ],
)
def test_what_is_in_the_way_of_a_new_run_is_named(tmp_path: Path, name: str, said: str) -> None:
    write(tmp_path / "run", 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=said):
        check_free(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunFolderError, match="cannot be written"):
        check_free(tmp_path / "a" / "b")
    tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == []


def test_checking_makes_nothing(tmp_path: Path) -> None:
    check_free(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_and_one_without_a_run_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"nowhere: no such folder"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(RunFolderError, match=r"not a run folder, it has no scenario\.json"):
        read_run(tmp_path)


def test_an_unreadable_scenario_is_named(tmp_path: Path) -> None:
    (tmp_path / "scenario.json").write_text("{")
    with pytest.raises(RunFolderError, match=r"scenario\.json: cannot be read"):
        read_run(tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*") if path.name != LOCK)


def replaced(folder: Path) -> None:
    write(folder.with_name("other"), 1)
    shutil.rmtree(folder)
    folder.with_name("other").rename(folder)


@pytest.mark.parametrize(
    "happens",
    [
        shutil.rmtree,
        lambda folder: (folder / RECORDS).unlink(),
        lambda folder: folder.rename(f"{folder}2"),
        replaced,
    ],
)
def test_a_folder_that_goes_away_is_noticed_at_the_next_record(
    tmp_path: Path, happens: Callable[[Path], object]
) -> None:
    folder = tmp_path / "run"
    writer = RunWriter.create(folder, SCENARIO, MACHINE)
    first, second = records(2)
    writer.append(first)
    happens(folder)
    there = names(folder)
    with pytest.raises(
        StorageError, match=rf"^{folder / RECORDS} was removed, moved or replaced while the run"
    ):
        writer.append(second)
    writer.close()
    assert names(folder) == there


def test_the_lock_of_who_has_taken_the_place_stays(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    writer = RunWriter.create(folder, SCENARIO, MACHINE)
    shutil.rmtree(folder)
    other = RunWriter.create(folder, SCENARIO, MACHINE)
    writer.close()
    with pytest.raises(RunFolderError, match="another benchsuite"):
        RunWriter.resume(folder, None)
    other.close()
    assert not (folder / LOCK).exists()
