"""Runs that are killed, stopped or robbed of their workers, by the real command: what is left, and that a
resumed run ends with the table of an undisturbed one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchsuite.results.store import RECORDS, REPORT, read_run
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.observer import Observer
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.process import Worker
from benchsuite.runner.status import status
from benchsuite.runner.sweep import run_sweep
from benchsuite.runner.workers import ProcessWorkers
from benchsuite.scenario.measure_settings import Measure
from tests.builders import make_cell, visit
from tests.real_command import RealRun, Table, finished, runs, table, visits, wait_until, written

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for the workers in /proc")

SLOW = """
name: slow
title: Slow enough to be disturbed
sweep:
  mixer: ['tests.planted:TakesItsTime', {name: 'tests.planted:Fine', label: Fine}]
  resolution: 32
  dim: 16
  num_heads: 4
  batch: [1, 2, 3, 4, 5, 6]
  device: cpu
measure: {warmup_calls: 1, warmup_s: 0, min_samples: 6, max_samples: 6, rounds: 2, threads: 1,
  ceilings: false}
"""
CELLS = 12

HANGS = """
name: hangs
title: Never ends by itself
sweep:
  mixer: [{name: 'tests.planted:Fine', label: Fine}, {name: 'tests.planted:Hangs', label: Hangs}]
  resolution: 32
  dim: 16
  num_heads: 4
  device: cpu
measure: {warmup_calls: 1, warmup_s: 0, min_samples: 2, max_samples: 2, threads: 1,
  rounds: 1, order: sequential, ceilings: false}
"""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    path = tmp_path / "slow.yaml"
    path.write_text(SLOW)
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Table:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "slow.yaml").write_text(SLOW)
    with closing(ProcessWorkers()) as workers:
        prepared = prepare(Request(reference=str(folder / "slow.yaml")), workers)
        run_sweep(prepared, folder / "run", LocalExecutor(workers), Observer())
    found = table(folder / "run")
    assert len(found) == CELLS
    assert {row[0] for row in found.values()} == {"ok"}
    return found


@pytest.fixture
def workers() -> Iterator[ProcessWorkers]:
    with closing(ProcessWorkers()) as workers:
        yield workers


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_table_of_an_undisturbed_one(
    slow: Path, tmp_path: Path, repository: Path, undisturbed: Table
) -> None:
    """Killed while planning, in the first round, in the second, and when some cells have their records."""
    folder = tmp_path / "run"
    with RealRun(repository, slow, "--out", folder) as run:
        run.until(lambda: len(run.workers) == 1)
        run.kill()
    assert not folder.exists()
    words: tuple[object, ...] = (slow, "--out", folder)
    for wanted in (1, 5, CELLS + 3):
        with RealRun(repository, *words) as run:
            run.until(lambda: visits(folder) >= wanted)  # noqa: B023  used within the turn
            run.kill()
        words = ("--resume", folder)
        assert visits(folder) >= wanted  # rounds that a group has to repeat are written behind the others
        assert read_run(folder).records == ()
    with RealRun(repository, "--resume", folder) as run:
        run.until(lambda: written(folder) > 3000)
        run.kill()
    kept = read_run(folder).records
    assert 2 <= len(kept) < CELLS
    code, out, _ = finished(repository, "--resume", folder)
    assert code == 0
    assert f"{CELLS} cells, {len(kept)} of them measured earlier" in out
    assert table(folder) == undisturbed
    assert len((folder / RECORDS).read_bytes().splitlines()) == CELLS  # nothing was measured twice
    assert read_run(folder).records[: len(kept)] == kept
    assert (folder / REPORT).is_file()


@pytest.mark.slow
def test_killed_workers_cost_a_cell_each_at_most_and_a_retry_completes_the_table(
    slow: Path, tmp_path: Path, repository: Path, undisturbed: Table
) -> None:
    folder = tmp_path / "run"
    with RealRun(repository, slow, "--out", folder) as run:
        for ready, which in (
            (lambda: visits(folder) >= 1, -1),  # the younger one times, the elder one inspects
            (lambda: visits(folder) >= CELLS + 3, -1),
            (lambda: written(folder) > 0, 0),
        ):
            run.until(lambda: ready() and len(run.workers) == 2)  # noqa: B023
            victim = run.workers[which]
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: not runs(victim))  # noqa: B023
        code, _, _ = run.finish()
    records = read_run(folder).records
    lost = [record for record in records if record.status != "ok"]
    assert len(records) == CELLS
    assert len(lost) <= 3
    assert {(one.status, one.failure and one.failure.kind) for one in lost} <= {("crash", "SIGKILL")}
    assert code == (3 if lost else 0)
    code, out, _ = finished(repository, "--resume", folder, "--retry", "crash")
    assert (code, "nothing to measure" in out) == (0, not lost)
    assert table(folder) == undisturbed


def test_a_worker_that_is_killed_before_anything_is_planned_costs_nothing(
    slow: Path, repository: Path
) -> None:
    with RealRun(repository, slow, "--dry-run") as run:
        run.until(lambda: len(run.workers) == 1)
        os.kill(run.workers[0], signal.SIGKILL)
        code, out, _ = run.finish()
    assert code == 0
    assert f"{CELLS} cells, about" in out
    assert "killed" not in out


def test_a_worker_that_died_between_two_calls_is_replaced_and_no_cell_suffers(
    workers: ProcessWorkers,
) -> None:
    workers.describe("cpu", 1, [])
    cell = make_cell(name="Fine", target="tests.planted:Fine")
    measure = Measure(warmup_calls=1, warmup_s=0.0, min_samples=2, max_samples=2, precision=None)
    assert visit(workers, cell, measure).status == "ok"
    for worker in (workers._timers["retain"], workers._inspector):
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: not worker.alive)  # noqa: B023
    assert visit(workers, cell, measure).status == "ok"
    assert workers.inspect(cell, measure).status == "ok"


STARTS_BADLY = """
from tests.doubles import fake_worker
from tests.doubles.fake_worker import *
from pathlib import Path

def set_up(*given):
    ending = Path(__file__).with_name("ending").read_text()
    exec(ending)
    return fake_worker.set_up(*given)
"""


@pytest.mark.parametrize(
    ("ending", "status", "kind"),
    [("os._exit(9)", "crash", "exit code 9"), ("time.sleep(3600)", "timeout", "Timeout")],
)
def test_a_worker_that_dies_or_hangs_while_it_starts_costs_one_cell(
    tmp_path: Path, ending: str, status: str, kind: str
) -> None:
    (tmp_path / "starts_badly.py").write_text(STARTS_BADLY)
    cell, measure = make_cell(name="fine"), Measure()
    with closing(ProcessWorkers([str(tmp_path)], "starts_badly")) as workers:
        workers.describe("cpu", 1, [])
        for ask in (
            lambda limit: visit(workers, cell, measure, limit),
            lambda limit: workers.inspect(cell, measure, limit),
        ):
            workers._inspector.close()
            (tmp_path / "ending").write_text(ending)
            answer = ask(1.0 if status == "timeout" else None)
            assert (answer.status, answer.failure and answer.failure.kind) == (status, kind)
            (tmp_path / "ending").write_text("pass")
            assert ask(None).status == "ok"


def test_a_worker_lets_its_parent_decide_what_a_signal_means_from_its_first_moment() -> None:
    with closing(Worker()) as worker:
        for _ in range(2):  # at first, Python has not even begun there
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(worker.pid, number)
            assert worker.call("matmul_rate", "cpu") > 0


@pytest.mark.slow
def test_the_first_signal_ends_the_visit_writes_the_report_and_says_how_to_go_on(
    slow: Path, tmp_path: Path, repository: Path, undisturbed: Table
) -> None:
    folder = tmp_path / "run"
    before = 0
    for number, wanted, words in (
        (signal.SIGINT, CELLS + 3, (slow, "--out", folder)),
        (signal.SIGTERM, CELLS + 7, ("--resume", folder)),
    ):
        with RealRun(repository, *words) as run:
            run.until(lambda: visits(folder) >= wanted)  # noqa: B023
            run.signal(number, group=True)  # to the workers too, as Ctrl-C in a terminal
            code, _, err = run.finish()
        records = read_run(folder).records
        found = status(folder)
        assert code == 130
        assert "ending the cell that is under way; once more stops at once" in err
        assert f"stopped, {found.done} of {CELLS} cells done, {found.missing} missing" in err
        assert f"; go on with: benchsuite run --resume {folder}" in err
        assert before < len(records) < CELLS
        assert {record.status for record in records} == {"ok"}
        assert (folder / REPORT).stat().st_mtime_ns >= (folder / RECORDS).stat().st_mtime_ns
        before = len(records)
    assert finished(repository, "--resume", folder)[0] == 0
    assert table(folder) == undisturbed


@pytest.mark.slow
def test_a_run_in_work_is_not_resumed_beside_it_and_the_second_signal_stops_it_at_once(
    tmp_path: Path, repository: Path
) -> None:
    folder = tmp_path / "run"
    (tmp_path / "hangs.yaml").write_text(HANGS)
    with RealRun(repository, tmp_path / "hangs.yaml", "--out", folder, "--verbose") as run:
        run.until_line("Hangs")  # its step sleeps for an hour
        code, out, err = finished(repository, "--resume", folder)
        assert (code, out) == (2, "")
        assert err == f"{folder}: another benchsuite (process {run.pid}) is writing to this run\n"
        workers = run.workers
        assert len(workers) == 2  # the refusal disturbed nobody
        run.signal(signal.SIGINT, group=True)
        run.until_told("once more stops at once")
        run.signal(signal.SIGINT, group=True)
        code, _, err = run.finish()
    assert code == 130
    assert err == f"stopped; go on with: benchsuite run --resume {folder}\n"
    wait_until(lambda: not any(runs(pid) for pid in workers))
