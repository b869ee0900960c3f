"""A worker process: its answers, its errors, its death."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from benchsuite.errors import DeviceError
from benchsuite.measurement.allocator import can_retain
from benchsuite.results.record import Record
from benchsuite.runner import process
from benchsuite.runner.process import Worker
from benchsuite.runner.rounds import Rounds
from benchsuite.runner.workers import ProcessWorkers
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.worker_reply import WorkerReply
from tests.builders import make_cell, visit

QUICK = Measure(warmup_calls=1, warmup_s=0.0, min_samples=2, max_samples=2, max_s=60.0, precision=None)


@pytest.fixture(scope="module")
def workers() -> Iterator[ProcessWorkers]:
    workers = ProcessWorkers()
    workers.describe("cpu", 1, [])
    yield workers
    workers.close()


def visit_planted(workers: ProcessWorkers, name: str, timeout_s: float | None = None) -> WorkerReply[Record]:
    return visit(workers, make_cell(name=name, target=f"tests.planted:{name}"), QUICK, timeout_s)


def test_a_cell_is_timed_and_its_memory_taken(workers: ProcessWorkers) -> None:
    visited = visit(workers, make_cell(), QUICK)
    assert visited.status == "ok"
    assert visited.value is not None
    assert visited.value.timing.threads == 1
    inspected = workers.inspect(make_cell(), QUICK)
    assert inspected.value is not None
    assert inspected.value.memory is not None
    assert inspected.value.memory.peak_allocated_bytes > 0


def test_a_mixer_that_prints_does_not_break_the_answers(workers: ProcessWorkers) -> None:
    assert visit_planted(workers, "Prints").status == "ok"


def test_a_cell_that_raises_leaves_the_worker_alive(workers: ProcessWorkers) -> None:
    assert visit_planted(workers, "Raises").status == "error"
    worker = workers._timers["retain"].pid
    assert visit_planted(workers, "Fine").status == "ok"
    assert workers._timers["retain"].pid == worker


def test_every_round_has_a_process_of_its_own_set_up_alike(workers: ProcessWorkers) -> None:
    pids = set()
    for _ in range(2):
        workers.begin_round()
        answer = visit_planted(workers, "Fine")
        assert answer.value is not None
        assert answer.value.timing.threads == 1
        pids.add(workers._timers["retain"].pid)
    assert len(pids) == 2
    workers.begin_round()
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(not can_retain(), reason="memory is not retained here")
def test_cells_of_two_allocators_are_timed_in_two_processes_and_say_so(workers: ProcessWorkers) -> None:
    found = {}
    for word in ("retain", "system"):
        answer = visit(workers, make_cell(allocator=word), QUICK)
        assert answer.value is not None
        found[word] = answer.value.timing.allocator
    assert found == {"retain": "retain", "system": "system"}
    assert len({worker.pid for worker in workers._timers.values()}) == 2


@pytest.mark.skipif(not can_retain(), reason="memory is not retained here")
def test_memory_is_what_it_is_whatever_the_allocator_of_the_timing(workers: ProcessWorkers) -> None:
    found = []
    for word in ("retain", "system"):
        answer = workers.inspect(make_cell(allocator=word), QUICK)
        assert answer.value is not None
        assert answer.value.memory is not None
        found.append(replace(answer.value.memory, process_bytes=None))
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_cell_that_fits_a_limit_as_the_system_has_it_fits_with_retained_memory() -> None:
    """Two matrices of 149 MB: a heap with gaps takes 1.1 GiB for them, blocks that are mapped half of it."""
    cell = make_cell(resolution=(672, 672), batch=1, dim=384, num_heads=12)
    code = "import benchsuite.worker.calls, benchsuite.worker.cost as e; print(e._private_bytes())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    limited = QUICK.model_copy(
        update={"memory_limit": int(out) + (476 << 20)}
    )  # a CUDA build begins with more
    with closing(ProcessWorkers()) as workers:
        workers.describe("cpu", 1, [], limited.memory_limit)
        assert visit(workers, replace(cell, allocator="system"), limited).status == "ok"
        rounds = Rounds(measure=limited, workers=workers, stopping=lambda: False)
        (record,) = rounds.records([cell])
        assert record.timing is not None
        assert record.timing.allocator in ("system", "retain")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("Dies", "SIGSEGV", "the worker process was killed by SIGSEGV"),
        ("Aborts", "SIGABRT", "the worker process was killed by SIGABRT"),
        ("Exits", "exit code 7", "the worker process exited with code 7: the last words"),
    ],
)
def test_a_cell_that_kills_its_worker_is_a_crash_and_the_next_one_runs(
    workers: ProcessWorkers, name: str, kind: str, message: str
) -> None:
    answer = visit_planted(workers, name)
    assert answer.status == "crash"
    assert answer.failure is not None
    assert answer.failure.kind == kind
    assert answer.failure.message.startswith(message)
    again = visit_planted(workers, "Fine")
    assert again.value is not None
    assert again.value.timing.threads == 1  # the new worker is set up as the old one was


def test_a_cell_that_hangs_is_ended_and_the_next_one_runs(workers: ProcessWorkers) -> None:
    answer = visit_planted(workers, "Hangs", timeout_s=0.5)
    assert answer.status == "timeout"
    assert answer.failure is not None
    assert answer.failure.kind == "Timeout"
    assert visit_planted(workers, "Fine").status == "ok"


def test_a_worker_that_the_system_killed_for_want_of_memory_ran_out_of_memory(
    workers: ProcessWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "vmstat"
    counter.write_text("oom_kill 4\n")
    monkeypatch.setattr(process, "_OOM_COUNTERS", (counter,))
    monkeypatch.setenv("PLANTED_OOM_COUNTER", str(counter))
    with closing(ProcessWorkers()) as fresh:
        fresh.describe("cpu", 1, [])
        answer = visit_planted(fresh, "IsKilledForMemory")
        assert (answer.status, answer.failure and answer.failure.kind) == ("oom", "SIGKILL")
        counter.write_text("oom_kill 5\n")  # what other processes are killed for is not this cell's fault
        monkeypatch.setattr(process, "_OOM_COUNTERS", ())
        assert visit_planted(fresh, "IsKilledForMemory").status == "crash"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_memory_limit_makes_a_large_cell_run_out_and_small_ones_go_on() -> None:
    with closing(ProcessWorkers()) as limited:
        limited.describe("cpu", 1, [], 4 << 30)
        assert visit_planted(limited, "TakesEightGiB").status == "oom"
        assert visit_planted(limited, "Fine").status == "ok"


@pytest.mark.parametrize("name", ["LosesItsContext", "LosesItsDevice"])
def test_a_cell_after_which_the_process_is_lost_gets_another_process(
    workers: ProcessWorkers, name: str
) -> None:
    visit_planted(workers, "Fine")
    worker = workers._timers["retain"].pid
    answer = visit_planted(workers, name)
    assert answer.status == "error"
    assert answer.failure is not None
    assert answer.failure.message == "CUDA error: device-side assert triggered"
    assert visit_planted(workers, "Fine").status == "ok"
    assert workers._timers["retain"].pid != worker


def test_errors_of_ours_arrive_as_themselves() -> None:
    worker = Worker()
    try:
        with pytest.raises(DeviceError, match="device 'cuda:99' is not present"):
            worker.call("describe", "cuda:99", None, [])
    finally:
        worker.close()


def test_a_closed_worker_is_gone() -> None:
    worker = Worker()
    pid = worker.pid
    assert pid is not None
    worker.close()
    worker.close()
    assert not worker.alive
    assert not alive(pid)
