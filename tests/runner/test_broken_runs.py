"""Full disks, files of records that something has damaged, and cells that fail: what is said, and what is
left to go on with."""

from __future__ import annotations

import html
import os
import re
import sys
from pathlib import Path
from typing import IO

import pytest

from benchsuite.cli import main
from benchsuite.errors import RunFolderError
from benchsuite.io import LOCK, lock, unlock
from benchsuite.results.codec import decode
from benchsuite.results.record import RECORD_VERSION
from benchsuite.results.store import RECORDS, REPORT, RunWriter, read_run
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.observer import Observer
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.sweep import run_sweep
from benchsuite.runner.workers import WORKERS
from tests.doubles.scripted_workers import Scripted, sweep
from tests.real_command import finished, table

SMALL = """
name: small
title: Cells that take no time
sweep:
  mixer: [{name: 'tests.planted:Fine', label: Fine}]
  resolution: 32
  dim: 16
  num_heads: 4
  batch: [1, 2, 3, 4, 5, 6, 7, 8]
  device: cpu
measure: {warmup_calls: 1, warmup_s: 0, min_samples: 2, max_samples: 2, threads: 1, rounds: 1,
  ceilings: false}
"""

# Of a run of version 1, with fewer samples.
VERSION_1 = """{"version":1,"id":"msa-224-b1-fp32-math-41217b54","cell":{"subject":"mixer","name":"MSA",\
"target":"msa","config":{},"resolution":[224,224],"stride":16,"batch":1,"dim":384,"num_heads":12,\
"dtype":"fp32","mode":"inference","kernel":"math","device":"cpu"},"status":"ok","failure":null,\
"expected":false,"cost":{"params":591360,"macs":145108992,"other_ops":{"elementwise":460992,"softmax":460992},\
"uncounted":{},"counter":"fvcore 0.1.5.post20221221 with benchsuite's rules"},"timing":{"samples_s":\
[0.001496224,0.001567917,0.0015433],"method":"monotonic_clock","warmup_calls":63,"warmup_s":0.1022,\
"stopped_by":"precision","threads":2},"memory":{"peak_allocated_bytes":5424384,"peak_reserved_bytes":null,\
"weights_bytes":2365440,"input_bytes":301056,"method":"torch_profiler"},\
"started_at":"2026-11-21T01:02:03.004+00:00","seconds":1.25,"session":1}
"""

OF_VERSION_1 = """
name: small
title: One cell of an older version, one new
sweep:
  mixer: [{name: msa, label: MSA}]
  resolution: 224
  batch: [1, 2]
  dim: 384
  num_heads: 12
  device: cpu
"""

FAILING = """
name: failing
title: Every way to fail
sweep:
  mixer:
    - {name: 'tests.planted:Raises', label: raises}
    - {name: 'tests.planted:Fine', label: fine}
    - {name: 'tests.planted:RunsOut', label: runs-out}
    - {name: 'tests.planted:Dies', label: dies}
    - {name: 'tests.planted:Hangs', label: hangs}
    - {name: 'tests.planted:Wrong', label: wrong}
  kernel: [math, sdpa]
  resolution: 32
  dim: 16
  num_heads: 4
  device: cpu
exclude:
  - {where: 'mixer=raises,fine,runs-out,dies,hangs kernel=sdpa', reason: it has no such kernel}
measure: {warmup_calls: 1, warmup_s: 0, min_samples: 2, max_samples: 2, threads: 1, rounds: 1,
  ceilings: false}
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_disk_that_is_full_ends_the_run_with_3_and_one_message_and_nothing_is_lost(
    tmp_path: Path, repository: Path
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    folder, limit = tmp_path / "run", 6000

    def small_disk() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    # Coverage would write its own data there, and complain.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    code, out, err = finished(
        repository, tmp_path / "small.yaml", "--out", folder, preexec_fn=small_disk, env=alone
    )
    kept = read_run(folder)
    assert code == 3
    assert 1 <= len(kept.records) < 8
    assert kept.warnings == ()  # no record was written in part
    assert out.count("stopped by") == len(kept.records)
    (line,) = err.splitlines()
    assert re.fullmatch(
        rf"benchsuite: {folder}: the record of \S+ cannot be written: File too large\. What was measured "
        rf"before is safe; when there is room again, go on with: benchsuite run --resume {folder}",
        line,
    )
    size = (folder / RECORDS).stat().st_size
    assert limit - 2 * size / len(kept.records) < size <= limit
    assert finished(repository, "--resume", folder)[0] == 0
    rows = table(folder)
    assert [row[0] for row in rows.values()] == ["ok"] * 8
    assert {row[3] for row in rows.values()} == {(4 * 16 * 16, 16 * 16 + 16)}  # a linear layer on 4 tokens
    assert read_run(folder).records[: len(kept.records)] == kept.records


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_output_that_is_full_is_said_without_a_traceback(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    with Path("/dev/full").open("w") as full:
        code, _, err = finished(repository, tmp_path / "small.yaml", "--out", tmp_path / "run", stdout=full)
    assert (code, err) == (3, "benchsuite: the output cannot be written: No space left on device\n")


def test_wherever_the_file_of_records_is_cut_off_a_resumed_run_completes_it(
    scenario: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    sweep(Scripted(), folder, scenario)
    whole, complete = table(folder), (folder / RECORDS).read_bytes()
    ends = [match.end() for match in re.finditer(b"\n", complete)]
    cuts = {
        0,
        1,
        *ends,
        *(end - 1 for end in ends),
        *(end + 1 for end in ends[:-1]),
        *range(0, ends[-1], 641),
    }
    for cut in sorted(cuts):
        (folder / RECORDS).write_bytes(complete[:cut])
        sweep(Scripted(), folder, resume=folder)
        assert table(folder) == whole
        lines = (folder / RECORDS).read_bytes().splitlines()
        assert len(lines) == len({decode(line.decode()).id for line in lines}) == len(ends)


def test_a_broken_line_in_the_middle_is_said_and_only_its_cell_is_measured_anew(
    scenario: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    sweep(Scripted(), folder, scenario)
    whole = table(folder)
    lines = (folder / RECORDS).read_text().splitlines(keepends=True)
    position = next(i for i, line in enumerate(lines) if decode(line).status == "ok")
    lost = decode(lines[position])
    lines[position] = lines[position].replace('"status"', "\0\0\0\0")
    (folder / RECORDS).write_text("".join(lines))
    workers = Scripted()
    prepared = prepare(Request(resume=folder), workers)
    assert len(prepared.notes) == 1
    assert prepared.notes[0].startswith(f"{folder / RECORDS}:{position + 1}: skipped: ")
    result = run_sweep(prepared, folder, LocalExecutor(workers), Observer())
    assert (result.measured, workers.measured) == (1, [lost.cell])
    assert table(folder) == whole


def test_a_run_of_version_1_goes_on_without_measuring_its_cells_anew(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(OF_VERSION_1)
    folder = tmp_path / "run"
    workers = Scripted(device="cpu")
    begun = prepare(Request(str(tmp_path / "small.yaml")), workers)
    RunWriter.create(folder, begun.document, begun.environment).close()
    (folder / RECORDS).write_text(VERSION_1)
    result = sweep(workers, folder, resume=folder)
    assert [cell.batch for cell in workers.measured] == [2]
    old, new = result.records
    assert (old.version, old.session, old.cell.batch) == (RECORD_VERSION, 1, 1)
    assert (old.cell.id, old.cell.compile, old.check) == ("msa-224-b1-fp32-math-41217b54", "eager", None)
    assert (new.version, new.session, new.cell.batch) == (RECORD_VERSION, 2, 2)
    assert (folder / RECORDS).read_text().startswith(VERSION_1)  # what was measured stays as it was written


def test_a_run_that_was_killed_before_its_environment_was_written_goes_on(
    scenario: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").write_text("4711")
    (folder / "scenario.tmp").write_text("{")
    workers = Scripted()
    begun = prepare(Request(scenario), workers)
    RunWriter.create(folder, begun.document, begun.environment).close()  # the leftovers are in nobody's way
    (folder / "environment.json").unlink()
    (folder / RECORDS).unlink()
    result = sweep(workers, folder, resume=folder)
    assert result.measured == 7
    assert {record.session for record in result.records} == {1}
    assert not (folder / ".lock").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_a_lock_that_its_last_holder_removes_while_it_is_opened_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    flock, calls = fcntl.flock, []

    def late(file: IO[str], how: int) -> None:
        if not calls:
            (tmp_path / LOCK).unlink()
        calls.append(how)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    held = lock(tmp_path)
    assert len(calls) == 2
    with pytest.raises(RunFolderError, match=rf"another benchsuite \(process {os.getpid()}\) is writing"):
        lock(tmp_path)
    unlock(held)
    assert not (tmp_path / LOCK).exists()
    unlock(lock(tmp_path))


def test_a_report_older_than_the_records_is_made_anew(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run may be killed between its last record and its report."""
    folder = tmp_path / "run"
    sweep(Scripted(), folder, scenario)
    (folder / REPORT).write_text("of an earlier session")
    os.utime(folder / REPORT, (1, 1))
    monkeypatch.setitem(WORKERS, "inline", lambda _: Scripted())
    monkeypatch.setattr(sys, "argv", ["benchsuite", "run", "--resume", str(folder), "--executor", "inline"])
    for _ in range(2):
        with pytest.raises(SystemExit):
            main()
        page = (folder / REPORT).read_text()
        assert "<title>" in page
        (folder / REPORT).write_text(page + "<!-- as it is -->")
    assert (folder / REPORT).read_text().count("<!-- as it is -->") == 2  # made once only
    assert not list(folder.glob("*.tmp"))


@pytest.mark.slow
def test_cells_that_fail_in_every_way_leave_the_others_alone_and_the_report_says_why(
    tmp_path: Path, repository: Path
) -> None:
    (tmp_path / "failing.yaml").write_text(FAILING)
    folder = tmp_path / "run"
    code, _, err = finished(repository, tmp_path / "failing.yaml", "--out", folder, "--timeout", "10")
    records = {(record.cell.name, record.cell.kernel): record for record in read_run(folder).records}
    reasons = {
        ("raises", "math"): ("error", "'planted'"),
        ("runs-out", "math"): ("oom", "CUDA out of memory. Tried to allocate 20.00 GiB"),
        ("dies", "math"): ("crash", "the worker process was killed by SIGSEGV"),
        ("hangs", "math"): ("timeout", "took longer than 10 s; its process was ended"),
        ("wrong", "sdpa"): ("mismatch", "sdpa fp32 differs from math fp32 by 0.01 of its norm"),
    }
    assert code == 3
    assert "5 of 7 cells failed unexpectedly:" in err
    page = html.unescape((folder / REPORT).read_text())
    for key, (status, reason) in reasons.items():
        record = records.pop(key)
        assert (record.status, record.timing) == (status, None)
        assert (record.reason or "").startswith(reason)
        assert f"{record.id}  {status}: {record.reason}" in err
        assert record.reason in page
    fine = {key: record.status for key, record in records.items() if record.status != "skipped"}
    assert fine == {("fine", "math"): "ok", ("wrong", "math"): "ok"}
