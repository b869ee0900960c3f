"""A worker process: its answers, its errors, its death."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchsuite.errors import DeviceError, WorkerDied
from benchsuite.run.executor import Outcome, ProcessExecutor
from benchsuite.run.process import Worker
from benchsuite.scenario.model import Measure
from tests.builders import make_cell

QUICK = Measure(warmup_calls=1, warmup_s=0.0, min_samples=2, max_samples=2, max_s=60.0, precision=None)


@pytest.fixture(scope="module")
def executor() -> Iterator[ProcessExecutor]:
    engine = ProcessExecutor()
    engine.describe("cpu", 1, [])
    yield engine
    engine.close()


def measure(executor: ProcessExecutor, name: str) -> Outcome:
    return executor.measure(make_cell(name=name, target=f"tests.planted:{name}"), QUICK)


def test_a_cell_is_timed_and_its_memory_taken(executor: ProcessExecutor) -> None:
    outcome = executor.measure(make_cell(), QUICK)
    assert outcome.status == "ok"
    assert outcome.timing is not None
    assert outcome.memory is not None
    assert outcome.timing.threads == 1


def test_a_mixer_that_prints_does_not_break_the_answers(executor: ProcessExecutor) -> None:
    assert measure(executor, "Prints").status == "ok"


def test_a_cell_that_raises_leaves_the_worker_alive(executor: ProcessExecutor) -> None:
    assert measure(executor, "Raises").status == "error"
    assert measure(executor, "Fine").status == "ok"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Dies", "the worker process was killed by SIGSEGV"),
        ("Exits", "the worker process exited with code 7: the last words"),
    ],
)
def test_a_cell_that_kills_its_worker_is_a_crash_and_the_next_one_runs(
    executor: ProcessExecutor, name: str, message: str
) -> None:
    outcome = measure(executor, name)
    assert outcome.status == "crash"
    assert outcome.failure is not None
    assert outcome.failure.message.startswith(message)
    again = measure(executor, "Fine")
    assert again.status == "ok"
    assert again.timing is not None
    assert again.timing.threads == 1  # the new worker is set up as the old one was


def test_only_what_is_asked_for_is_measured(executor: ProcessExecutor) -> None:
    outcome = executor.measure(make_cell(), QUICK.model_copy(update={"metrics": ("memory",)}))
    assert outcome.timing is None
    assert outcome.memory is not None


def test_errors_of_ours_arrive_as_themselves() -> None:
    worker = Worker()
    try:
        with pytest.raises(DeviceError, match="device 'cuda:99' is not present"):
            worker.call("describe", "cuda:99", None, [])
    finally:
        worker.close()


def test_a_closed_worker_is_gone() -> None:
    worker = Worker()
    worker.close()
    with pytest.raises((WorkerDied, ValueError)):
        worker.call("matmul_rate", "cpu")
