"""The real command told to stop, robbed of its folder, or printing where nobody reads: it goes on, or ends
with one line, and leaves no lock."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchsuite.io import LOCK
from benchsuite.results.store import RECORDS, REPORT, read_run
from benchsuite.runner.status import status
from tests.real_command import RealRun, finished, runs, visits, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for the workers in /proc")

TEXT = """
name: scripted
title: Groups that take a moment
sweep:
  mixer: [{name: msa, label: slow}, {name: msa, label: fine}]
  resolution: 32
  dim: 16
  num_heads: 4
  batch: [%s]
  device: cpu
measure: {rounds: 2, min_samples: 2, ceilings: false}
"""
SCRIPTED = (
    "-c",
    "from benchsuite.runner.workers import WORKERS, ProcessWorkers; from benchsuite.cli import main; "
    "WORKERS['process'] = lambda path: ProcessWorkers(path, 'tests.doubles.fake_worker'); main()",
)
"""Its workers answer from a script: a visit of `slow` takes its batch in hundredths of a second."""


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """Two cells that take no time."""
    path = tmp_path / "quick.yaml"
    path.write_text(TEXT % "1")
    return path


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """Cells of which each round takes some seconds."""
    path = tmp_path / "slow.yaml"
    path.write_text(TEXT % ", ".join(str(40 + batch) for batch in range(8)))
    return path


def removed(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def replaced(folder: Path) -> None:
    folder.rename(f"{folder}-moved")
    shutil.copytree(f"{folder}-moved", folder)


@pytest.mark.parametrize("happens", [removed, pytest.param(replaced, marks=pytest.mark.slow)])
def test_a_run_whose_folder_goes_away_stops_with_the_reason(
    slow: Path, tmp_path: Path, repository: Path, happens: Callable[[Path], None]
) -> None:
    folder = tmp_path / "run"
    with RealRun(repository, slow, "--out", folder, program=SCRIPTED) as run:
        run.until(lambda: visits(folder) >= 1)
        happens(folder)
        code, _, err = run.finish()
    assert code == 3
    (line,) = err.splitlines()
    assert line.startswith(f"benchsuite: {folder}/")
    assert line.endswith("was removed, moved or replaced while the run wrote it: nothing more can be kept")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_what_timeout_sends_twice_leaves_a_report_and_says_how_to_go_on(
    slow: Path, tmp_path: Path, repository: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    with RealRun(repository, slow, "--out", folder, program=SCRIPTED) as run:
        run.until(lambda: visits(folder) >= 2)
        run.signal(number, group=True)  # to its workers, too
        run.signal(number)
        code, _, err = run.finish()
    found = status(folder)
    assert code == 130
    last = err.splitlines()[-1]
    assert last.startswith(f"stopped, {found.done} of 16 cells done, {found.missing} missing")
    assert last.endswith(f"; go on with: benchsuite run --resume {folder}")
    assert {record.status for record in read_run(folder).records} <= {"ok"}
    assert (folder / REPORT).is_file()
    assert not (folder / LOCK).exists()


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
        signal.SIGINT,
    ],
)
def test_a_run_that_is_stopped_while_it_plans_says_how_to_go_on(
    quick: Path, tmp_path: Path, repository: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    assert finished(repository, quick, "--out", folder, program=SCRIPTED)[0] == 0
    (folder / RECORDS).unlink()
    with RealRun(repository, "--resume", folder) as run:
        run.until(lambda: run.workers)  # torch takes seconds to start there
        workers = run.workers
        run.signal(number)
        code, out, err = run.finish()
    assert (code, out, err) == (130, "", f"stopped; go on with: benchsuite run --resume {folder}\n")
    wait_until(lambda: not any(runs(pid) for pid in workers))
    assert not (folder / LOCK).exists()


@pytest.mark.parametrize(
    ("shell", "environment"),
    [
        ("%s | head -1; exit ${PIPESTATUS[0]}", {}),
        pytest.param("%s >&-", {}, marks=pytest.mark.slow),
        pytest.param("%s 2>&-", {}, marks=pytest.mark.slow),
        pytest.param("%s >&- 2>&- <&-", {}, marks=pytest.mark.slow),
        pytest.param(
            "%s | cat; exit ${PIPESTATUS[0]}", {"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.slow
        ),
        ("%s | cat; exit ${PIPESTATUS[0]}", {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    ],
)
def test_a_run_goes_on_whoever_reads_it(
    quick: Path, tmp_path: Path, repository: Path, shell: str, environment: dict[str, str]
) -> None:
    folder = tmp_path / "run é"
    words = [sys.executable, *SCRIPTED, "run", str(quick), "--out", str(folder), "--verbose"]
    done = subprocess.run(
        ["bash", "-c", shell % shlex.join(words)],
        cwd=repository, env={**os.environ, **environment}, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert [record.status for record in read_run(folder).records] == ["ok", "ok"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "environment.json",
        RECORDS,
        REPORT,
        "scenario.json",
    ]
    if environment:
        assert done.stdout.isascii()
        assert b"report " in done.stdout


@pytest.mark.slow
def test_a_program_that_outlives_its_terminal_is_told_by_nohup(
    slow: Path, tmp_path: Path, repository: Path
) -> None:
    folder = tmp_path / "run"
    with RealRun(
        repository, slow, "--out", folder, program=SCRIPTED,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as run:  # fmt: skip
        run.until(lambda: visits(folder) >= 1)
        run.signal(signal.SIGHUP, group=True)
        assert run.finish()[0] == 0
    assert len(read_run(folder).records) == 16
