"""SLURM through submitit's local executor: the same records, and nothing lost but what was in flight."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import ExecutorError, ExecutorFailed
from benchsuite.io import write_json
from benchsuite.results.record import Record
from benchsuite.results.store import RECORDS, RunWriter, read_run
from benchsuite.results.stored_records import RecordTail
from benchsuite.runner.executors.executor import ComparisonGroup, WorkerSettings
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.executors.slurm_job import (
    STATE,
    STOP,
    Task,
    is_written,
    read_state,
    remaining,
    shard_of,
)
from benchsuite.runner.merge import merge
from benchsuite.runner.observer import Observer
from benchsuite.runner.workers import InlineWorkers
from benchsuite.scenario.measure_settings import Measure
from tests.builders import make_cell, make_record
from tests.runner.executors.sweeps import FAKE, SLOW, deterministic, sweep

submitit = pytest.importorskip(
    "submitit", reason="submitit is not installed: pip install 'benchsuite[slurm]'"
)
pytestmark = [
    pytest.mark.xdist_group("executors"),
    pytest.mark.skipif(sys.platform == "win32", reason="submitit's local executor wants a POSIX system"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of submitit, which leaves its processes to us
]


def executor(**options: Any) -> Any:
    from benchsuite.runner.executors.slurm import SlurmExecutor

    return SlurmExecutor({"cluster": "local", "poll": 0.02} | options, (), FAKE)


class Disturbs(Observer):
    """Does something to the job as soon as the first record is there."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._number = folder, number
        self.done = threading.Event()

    def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
        if not self.done.is_set():
            self.done.set()
            (shard, *_) = sorted((self._folder / ".slurm" / "1").glob("job-*"))
            os.kill(read_state(shard)["pid"], self._number)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, tuple[Any, ...]]]:
    """Records of the inline executor."""
    folder = tmp_path_factory.mktemp("expected")
    sweep(LocalExecutor(InlineWorkers((), FAKE)), folder / "run")
    sweep(LocalExecutor(InlineWorkers((), FAKE)), folder / "slow", SLOW)
    return {"run": deterministic(folder / "run"), "slow": deterministic(folder / "slow")}


def test_jobs_give_the_records_of_the_inline_executor_and_leave_nothing_behind(
    tmp_path: Path, expected: Any
) -> None:
    sweep(executor(tasks=2), tmp_path / "run")
    assert deterministic(tmp_path / "run") == expected["run"]
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"scenario.json", "environment.json"}
    assert not (tmp_path / "run" / ".slurm").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR2])
def test_a_job_that_is_killed_or_preempted_goes_on_with_what_is_left(
    tmp_path: Path, expected: Any, number: int
) -> None:
    """SIGUSR2 is what SLURM sends before it takes the node away; submitit then requeues the job."""
    folder = tmp_path / "run"
    watch = Disturbs(folder, number)
    result = sweep(executor(), folder, SLOW, observer=watch)
    assert watch.done.is_set()
    assert (result.missing, result.stopped) == (0, False)
    assert deterministic(folder) == expected["slow"]
    attempts = [record.attempts for record in read_run(folder).records]
    assert set(attempts) <= {1, 2}
    assert attempts.count(2) <= 2  # one group was in flight


@pytest.mark.slow
def test_a_driver_that_is_killed_loses_nothing_that_its_jobs_have_measured(
    tmp_path: Path, expected: Any, repository: Path
) -> None:
    folder = tmp_path / "run"
    code = (
        "from pathlib import Path; from tests.runner.executors.sweeps import *; "
        "from benchsuite.runner.executors.slurm import SlurmExecutor; "
        f"sweep(SlurmExecutor({{'cluster': 'local', 'poll': 60.0}}, (), FAKE), Path({str(folder)!r}), SLOW)"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=repository, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in folder.glob(f".slurm/*/job-*/{RECORDS}")):
        assert time.monotonic() < deadline
        assert driver.poll() is None
        time.sleep(0.01)
    driver.kill()  # it sleeps in its first poll, so it has written nothing down
    driver.wait()
    assert read_run(folder).records == ()
    noted: list[str] = []

    class Watch(Observer):
        def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
            noted.append(record.id)

    result = sweep(executor(), folder, None, observer=Watch())
    assert deterministic(folder) == expected["slow"]
    assert (result.missing, len(noted)) == (0, 6)
    sessions = [record.session for record in read_run(folder).records]
    assert sessions[0] == 1  # the record that the first driver's job had measured
    assert not (folder / ".slurm").exists()


@pytest.mark.slow
def test_asked_to_stop_jobs_end_soon_and_the_run_can_be_gone_on_with(tmp_path: Path, expected: Any) -> None:
    folder = tmp_path / "run"
    records: list[Record] = []

    class Watch(Observer):
        def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
            records.append(record)

    stopped = sweep(executor(), folder, SLOW, stopping=lambda: bool(records), observer=Watch())
    assert stopped.stopped
    assert sweep(executor(), folder, None).missing == 0
    assert deterministic(folder) == expected["slow"]


@pytest.mark.slow
def test_a_second_interrupt_ends_jobs_at_once_and_what_they_wrote_is_found_again(
    tmp_path: Path, expected: Any
) -> None:
    folder = tmp_path / "run"

    class Interrupts(Observer):
        def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(executor(), folder, SLOW, observer=Interrupts())
    (shard,) = (folder / ".slurm" / "1").glob("job-*")
    deadline = time.monotonic() + 60
    while is_written(shard):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "over" not in read_state(shard)
    assert read_run(shard).records  # a run folder like any other
    assert sweep(executor(), folder, None).missing == 0
    assert deterministic(folder) == expected["slow"]


@pytest.mark.slow
def test_a_job_that_cannot_begin_is_tried_again_and_then_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchsuite.runner.executors.slurm.Task", _Broken)
    with pytest.raises(
        ExecutorFailed, match=r"ended before its cells did \(finished\); its groups were tried 2 times"
    ):
        sweep(executor(retries=1), tmp_path / "run", SLOW)


class _Broken(Task):
    """A job whose node lacks what it needs."""

    def __call__(self) -> None:
        raise OSError("no such library")


@pytest.mark.slow
def test_what_is_wrong_with_the_input_ends_the_run_in_its_own_words(
    tmp_path: Path,
) -> None:
    used = executor()
    used.planner._resolve = lambda word: word
    with pytest.raises(ExecutorError, match=r"job \d+: device 'cuda:9' is not present"):
        sweep(used, tmp_path / "run", SLOW.replace("device: cpu", "device: 'cuda:9'"))


def test_without_slurm_the_local_cluster_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ExecutorError, match=r"no SLURM on this machine .*cluster=local"):
        executor(cluster="slurm")


def test_what_sbatch_refuses_is_said_in_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = executor()

    def refuse(folder: Path, *, gpu: bool, count: int) -> Any:
        raise submitit.core.utils.FailedJobError("sbatch: error: invalid partition specified: gpuu")

    monkeypatch.setattr(used, "_executor", refuse)
    with pytest.raises(ExecutorError, match="not taken: sbatch: error: invalid partition specified: gpuu"):
        sweep(used, tmp_path / "run", SLOW)


def test_options_reach_submitit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(submitit.AutoExecutor, "update_parameters", lambda self, **words: seen.update(words))
    used = executor(partition="gpu", account="lab", time=90, gpu_type="h100", cpus=8, parallel=4)
    try:
        used._executor(tmp_path, gpu=True, count=9)
    finally:
        used.close()
    assert seen == {
        "name": "benchsuite", "tasks_per_node": 1, "nodes": 1, "timeout_min": 90, "cpus_per_task": 8,
        "slurm_gres": "gpu:h100:1", "slurm_array_parallelism": 4, "slurm_partition": "gpu",
        "slurm_account": "lab",
    }  # fmt: skip


def group(batch: int) -> ComparisonGroup:
    cells = tuple(make_cell(name=name, batch=batch) for name in "ab")
    return ComparisonGroup(cells=cells, whole=cells)


def test_a_requeued_job_goes_on_behind_what_its_shard_holds(tmp_path: Path) -> None:
    first, second = group(1), group(2)
    shard = shard_of(tmp_path, 1)
    assert remaining((first, second), shard) == [first, second]
    writer = RunWriter.create(shard, {}, {"machine": "m"})
    write_json(shard / STATE, {"group": first.cells[0].id, "cells": 2})
    writer.append(make_record(first.cells[0]))
    writer.close()
    with (shard / RECORDS).open("ab") as file:
        file.write(b'{"id":"torn')
    (left, untouched) = remaining((first, second), shard)
    assert (left.cells, left.measured_on, left.attempts) == (first.cells[1:], frozenset({"m"}), 1)
    assert untouched == second
    again = RunWriter.resume(shard, {"machine": "m"})
    again.append(make_record(first.cells[1], session=again.session))
    again.close()
    assert remaining((first, second), shard) == [second]


def test_a_shard_is_read_as_it_grows_and_says_whether_anyone_writes(tmp_path: Path) -> None:
    shard = shard_of(tmp_path, 1)
    tail = RecordTail(shard / RECORDS)
    assert (list(tail.read()), is_written(shard)) == ([], False)
    writer = RunWriter.create(shard, {}, {})
    record = make_record(seconds=2.0, attempts=3)
    writer.append(record)
    assert is_written(shard)
    assert list(tail.read()) == [record]
    assert list(tail.read()) == []
    writer.close()
    assert not is_written(shard)
    with (shard / RECORDS).open("ab") as file:
        file.write(b"[1]\nnot json\n{}")
    assert list(tail.read()) == []


def test_a_job_that_is_asked_to_stop_before_it_begins_measures_nothing(tmp_path: Path) -> None:
    (tmp_path / STOP).touch()
    settings = WorkerSettings(device="cpu", measure=Measure(), answers=FAKE)
    Task(str(tmp_path), 1, (group(1),), settings, {"name": "x"})()
    shard = shard_of(tmp_path, 1)
    assert read_state(shard)["over"]
    run = read_run(shard)
    assert (run.records, list(run.environments), run.scenario) == ((), [1], {"name": "x"})


def test_a_job_whose_driver_has_gone_on_without_it_measures_nothing(tmp_path: Path) -> None:
    settings = WorkerSettings(device="cpu", measure=Measure(), answers=FAKE)
    with pytest.raises(FileNotFoundError, match="removed by a driver"):
        Task(str(tmp_path / "1"), 1, (group(1),), settings, {})()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_shards_of_jobs_whose_driver_is_gone_can_be_merged_like_any_other(
    tmp_path: Path, expected: Any
) -> None:
    folder = tmp_path / "run"
    sweep(executor(), folder, SLOW)
    scenario = read_run(folder).scenario
    cells = [record.cell for record in read_run(folder).records]
    settings = WorkerSettings(device="cpu", measure=Measure(rounds=2), answers=FAKE)
    (tmp_path / "jobs").mkdir()
    for number, part in enumerate((cells[:2], cells[2:])):
        groups = tuple(ComparisonGroup(cells=(cell,), whole=(cell,)) for cell in part)
        Task(str(tmp_path / "jobs"), number, groups, settings, scenario)()
    merge([shard_of(tmp_path / "jobs", number) for number in range(2)], tmp_path / "merged")
    samples = {name: facts[4] for name, facts in deterministic(tmp_path / "merged").items()}
    assert samples == {name: facts[4] for name, facts in expected["slow"].items()}
