"""A pool on scripted members: who takes what, and what happens where one is lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import DeviceError, EngineError, WorkerLost
from benchsuite.results.record import Cell
from benchsuite.runner.executors.executor import Job, Setup, place
from benchsuite.runner.executors.pool import Pool, Queue
from benchsuite.runner.outcome import Outcome
from benchsuite.scenario.measure_settings import Measure
from tests.builders import make_cell

SETUP = Setup(device="cpu", measure=Measure())


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.broken = threading.Event()
        self.session = 0
        self.folder = Path()
        self.environments: list[Mapping[str, Any]] = []
        self.records: list[tuple[Cell, Outcome, int]] = []
        self.seen: list[dict[str, str]] = []

    def place(self, environment: Mapping[str, Any]) -> int:
        self.environments.append(environment)
        return len(self.environments)

    def begins(self, cell: Cell, worker: str = "") -> None:
        """Not looked at."""

    def keep(self, cell: Cell, outcome: Outcome, session: int) -> None:
        self.records.append((cell, outcome, session))

    def workers(self, doing: Mapping[str, str]) -> None:
        self.seen.append(dict(doing))


class Scripted:
    """A member on machine `name`; measures until the script says that it is lost."""

    def __init__(
        self, name: str, lost_after: list[int] | None = None, opens: BaseException | None = None
    ) -> None:
        self.name = name
        self._lost_after = lost_after if lost_after is not None else []
        self._opens = opens
        self.measured: list[str] = []
        self.closed = self.stopped = False

    def open(self, setup: Setup) -> Mapping[str, Any]:
        if self._opens:
            raise self._opens
        return {"machine": self.name}

    def measure(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcome]]:
        budget = self._lost_after.pop(0) if self._lost_after else 99
        for number, cell in enumerate(cells):
            if number == budget:
                raise WorkerLost(f"the worker on {self.name} was lost")
            self.measured.append(cell.name)
            yield cell, Outcome(seconds=1.0)

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


def group(batch: int, names: str = "abc", **more: Any) -> Job:
    cells = tuple(make_cell(name=name, batch=batch) for name in names)
    return Job(cells=cells, group=cells, **more)


def run(
    jobs: Sequence[Job],
    start: Callable[[int], Scripted],
    size: int = 1,
    stopping: Callable[[], bool] = lambda: False,
    **options: int,
) -> Kept:
    sink = Kept()
    Pool(start, size, **options).run(jobs, SETUP, sink, stopping)
    return sink


def test_the_longest_group_goes_first_and_every_cell_is_kept() -> None:
    member = Scripted("one")
    sink = run([group(1, seconds=1), group(2, seconds=3), group(3, seconds=2)], lambda _: member)
    assert [cell.batch for cell, _, _ in sink.records] == [2] * 3 + [3] * 3 + [1] * 3
    assert member.closed
    assert sink.environments == [{"machine": "one"}]


def test_members_share_the_work_each_with_a_session_of_its_own() -> None:
    both = threading.Barrier(2, timeout=20)  # breaks if one waits for the other to end

    class Meets(Scripted):
        def measure(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcome]]:
            both.wait()
            yield from super().measure(cells)

    sink = run([group(1), group(2)], lambda i: Meets(f"machine {i}"), size=2)
    assert {session for _, _, session in sink.records} == {1, 2}
    by_group = Counter((cell.batch, session) for cell, _, session in sink.records)
    assert sorted(by_group.values()) == [3, 3]  # no group is on two


def test_a_lost_group_goes_on_at_the_same_device_with_what_is_left() -> None:
    lost_after = [2]
    sink = run([group(1)], lambda _: Scripted("one", lost_after))
    assert [(cell.name, outcome.attempts) for cell, outcome, _ in sink.records] == [
        ("a", 1),
        ("b", 1),
        ("c", 2),
    ]
    assert len(sink.environments) == 1  # the same device, so the same session


def test_a_lost_group_is_measured_anew_as_a_whole_on_another_device() -> None:
    lost_after = [2]
    names = iter(["one", "other"])
    sink = run([group(1)], lambda _: Scripted(next(names), lost_after))
    assert [(cell.name, session) for cell, _, session in sink.records] == [
        ("a", 1), ("b", 1), ("a", 2), ("b", 2), ("c", 2),
    ]  # fmt: skip  # later records count


def test_a_group_that_is_lost_too_often_is_kept_as_crashes_and_the_others_go_on() -> None:
    lost_after = [0, 0, 0]
    sink = run([group(1, seconds=2), group(2, seconds=1)], lambda _: Scripted("one", lost_after), retries=2)
    first = [outcome for cell, outcome, _ in sink.records if cell.batch == 1]
    assert {(outcome.status, outcome.attempts) for outcome in first} == {("crash", 3)}
    assert first[0].failure is not None
    assert first[0].failure.message == "the worker on one was lost; tried 3 times"
    assert [outcome.status for cell, outcome, _ in sink.records if cell.batch == 2] == ["ok"] * 3


def test_a_member_that_loses_one_group_after_another_is_given_up_and_costs_none_of_them() -> None:
    class Bad(Scripted):
        def measure(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcome]]:
            raise WorkerLost("a bad node")
            yield

    begun: list[str] = []

    def start(number: int) -> Scripted:
        begun.append("good" if number else "bad")
        return Scripted("good") if number else Bad("bad")

    sink = run([group(batch) for batch in range(1, 9)], start, size=2, retries=2)
    assert Counter(outcome.status for _, outcome, _ in sink.records) == {"ok": 24}
    assert begun.count("bad") <= 3


def test_a_member_that_cannot_start_leaves_its_work_to_the_others() -> None:
    def start(number: int) -> Scripted:
        if number == 0:
            raise WorkerLost("node zero is gone")
        return Scripted("one")

    sink = run([group(batch) for batch in range(1, 5)], start, size=2)
    assert len(sink.records) == 12


def test_without_any_member_the_pool_says_how_much_is_left_and_why() -> None:
    def start(number: int) -> Scripted:
        raise WorkerLost("node zero is gone")

    with pytest.raises(EngineError, match="no worker is left, 2 groups were not measured: node zero is gone"):
        run([group(1), group(2)], start)


def test_an_error_that_is_no_loss_ends_everything_and_is_raised() -> None:
    with pytest.raises(DeviceError, match="not present"):
        run([group(1)], lambda _: Scripted("one", opens=DeviceError("not present")))


def test_asked_to_stop_members_are_told_and_no_group_begins() -> None:
    asked = threading.Event()

    class Asks(Scripted):
        def measure(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcome]]:
            asked.set()
            while not self.stopped:
                pass
            yield cells[0], Outcome()

    member = Asks("one")
    sink = run([group(1), group(2)], lambda _: member, stopping=asked.is_set)
    assert len(sink.records) == 1
    assert member.stopped


def test_what_workers_do_is_told_while_they_do_it() -> None:
    sink = run([group(1)], lambda _: Scripted("one"))
    assert sink.seen[0] == {"one": f"3 cells of the group of {make_cell(name='a', batch=1).id}"}
    assert sink.seen[-1] == {}


def test_a_queue_waits_for_jobs_that_may_come_back() -> None:
    queue = Queue([group(1)])
    job = queue.take(lambda: False)
    assert job is not None
    taken: list[Job | None] = []
    waiter = threading.Thread(target=lambda: taken.append(queue.take(lambda: False)))
    waiter.start()
    queue.done(job)
    waiter.join(20)
    assert taken == [job]
    queue.done()
    assert queue.take(lambda: False) is None


def test_a_job_that_was_measured_elsewhere_is_due_as_a_whole() -> None:
    whole = group(1)
    job = Job(cells=whole.cells[2:], group=whole.cells, places=frozenset({"machine GPU-1"}))
    assert job.due("machine GPU-1") == whole.cells[2:]
    assert job.due("machine GPU-2") == whole.cells
    assert Job(cells=whole.cells[2:], group=whole.cells).due("anywhere") == whole.cells[2:]


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"machine": "m", "gpu": {"uuid": "GPU-1"}}, "m GPU-1"),
        ({"machine": "m", "gpu": None, "core_set": [0, 1]}, "m 2 cores"),
        ({"machine": "m"}, "m"),
        ({}, ""),
    ],
)
def test_a_place_is_the_physical_device(environment: dict[str, Any], name: str) -> None:
    assert place(environment) == name
