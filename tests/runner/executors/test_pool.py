"""A pool of scripted workers: who takes what, and what happens where one is lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import DeviceError, ExecutorFailed, WorkerLost
from benchsuite.results.cell import Cell
from benchsuite.results.machine import device_identity
from benchsuite.results.record import Record
from benchsuite.runner.executors.executor import ComparisonGroup, WorkerSettings
from benchsuite.runner.executors.pool import GroupQueue, WorkerPool
from benchsuite.scenario.measure_settings import Measure
from tests.builders import make_cell

SETTINGS = WorkerSettings(device="cpu", measure=Measure())


class Kept:
    """A recorder that remembers."""

    def __init__(self) -> None:
        self.broken = threading.Event()
        self.session = 0
        self.folder = Path()
        self.environments: list[Mapping[str, Any]] = []
        self.records: list[tuple[Cell, Record, int]] = []
        self.seen: list[dict[str, str]] = []

    def open_session(self, environment: Mapping[str, Any]) -> int:
        self.environments.append(environment)
        return len(self.environments)

    def keep(self, record: Record, session: int) -> None:
        self.records.append((record.cell, record, session))

    def workers(self, doing: Mapping[str, str]) -> None:
        self.seen.append(dict(doing))


def measured(cell: Cell) -> Record:
    return Record(id=cell.id, cell=cell, status="ok", started_at="", seconds=1.0)


class Scripted:
    """A worker on machine `name`; measures until the script says that it is lost."""

    def __init__(
        self, name: str, lost_after: list[int] | None = None, opens: BaseException | None = None
    ) -> None:
        self.name = name
        self._lost_after = lost_after if lost_after is not None else []
        self._opens = opens
        self.measured: list[str] = []
        self.closed = self.stopped = False

    def open(self, settings: WorkerSettings) -> Mapping[str, Any]:
        if self._opens:
            raise self._opens
        return {"machine": self.name}

    def measure(self, cells: Sequence[Cell]) -> Iterator[Record]:
        budget = self._lost_after.pop(0) if self._lost_after else 99
        for number, cell in enumerate(cells):
            if number == budget:
                raise WorkerLost(f"the worker on {self.name} was lost")
            self.measured.append(cell.name)
            yield measured(cell)

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


def group(batch: int, names: str = "abc", **more: Any) -> ComparisonGroup:
    cells = tuple(make_cell(name=name, batch=batch) for name in names)
    return ComparisonGroup(cells=cells, whole=cells, **more)


def run(
    groups: Sequence[ComparisonGroup],
    start: Callable[[int], Scripted],
    size: int = 1,
    stopping: Callable[[], bool] = lambda: False,
    **options: int,
) -> Kept:
    recorder: Any = Kept()
    WorkerPool(start, size, **options).run(groups, SETTINGS, recorder, stopping)
    return recorder


def test_the_longest_group_goes_first_and_every_cell_is_kept() -> None:
    worker = Scripted("one")
    recorder = run([group(1, seconds=1), group(2, seconds=3), group(3, seconds=2)], lambda _: worker)
    assert [cell.batch for cell, _, _ in recorder.records] == [2] * 3 + [3] * 3 + [1] * 3
    assert worker.closed
    assert recorder.environments == [{"machine": "one"}]


def test_workers_share_the_work_each_with_a_session_of_its_own() -> None:
    both = threading.Barrier(2, timeout=20)  # breaks if one waits for the other to end

    class Meets(Scripted):
        def measure(self, cells: Sequence[Cell]) -> Iterator[Record]:
            both.wait()
            yield from super().measure(cells)

    recorder = run([group(1), group(2)], lambda i: Meets(f"machine {i}"), size=2)
    assert {session for _, _, session in recorder.records} == {1, 2}
    by_group = Counter((cell.batch, session) for cell, _, session in recorder.records)
    assert sorted(by_group.values()) == [3, 3]  # no group is on two


def test_a_lost_group_goes_on_at_the_same_device_with_what_is_left() -> None:
    lost_after = [2]
    recorder = run([group(1)], lambda _: Scripted("one", lost_after))
    assert [(cell.name, record.attempts) for cell, record, _ in recorder.records] == [
        ("a", 1),
        ("b", 1),
        ("c", 2),
    ]
    assert len(recorder.environments) == 1  # the same device, so the same session


def test_a_lost_group_is_measured_anew_as_a_whole_on_another_device() -> None:
    lost_after = [2]
    names = iter(["one", "other"])
    recorder = run([group(1)], lambda _: Scripted(next(names), lost_after))
    assert [(cell.name, session) for cell, _, session in recorder.records] == [
        ("a", 1), ("b", 1), ("a", 2), ("b", 2), ("c", 2),
    ]  # fmt: skip  # later records count


def test_a_group_that_is_lost_too_often_is_kept_as_crashes_and_the_others_go_on() -> None:
    lost_after = [0, 0, 0]
    recorder = run(
        [group(1, seconds=2), group(2, seconds=1)], lambda _: Scripted("one", lost_after), retries=2
    )
    first = [record for cell, record, _ in recorder.records if cell.batch == 1]
    assert {(record.status, record.attempts) for record in first} == {("crash", 3)}
    assert first[0].failure is not None
    assert first[0].failure.message == "the worker on one was lost; tried 3 times"
    assert [record.status for cell, record, _ in recorder.records if cell.batch == 2] == ["ok"] * 3


def test_a_worker_that_loses_one_group_after_another_is_given_up_and_costs_none_of_them() -> None:
    class Bad(Scripted):
        def measure(self, cells: Sequence[Cell]) -> Iterator[Record]:
            raise WorkerLost("a bad node")
            yield

    begun: list[str] = []

    def start(number: int) -> Scripted:
        begun.append("good" if number else "bad")
        return Scripted("good") if number else Bad("bad")

    recorder = run([group(batch) for batch in range(1, 9)], start, size=2, retries=2)
    assert Counter(record.status for _, record, _ in recorder.records) == {"ok": 24}
    assert begun.count("bad") <= 3


def test_a_worker_that_cannot_start_leaves_its_work_to_the_others() -> None:
    def start(number: int) -> Scripted:
        if number == 0:
            raise WorkerLost("node zero is gone")
        return Scripted("one")

    recorder = run([group(batch) for batch in range(1, 5)], start, size=2)
    assert len(recorder.records) == 12


def test_without_any_worker_the_pool_says_how_much_is_left_and_why() -> None:
    def start(number: int) -> Scripted:
        raise WorkerLost("node zero is gone")

    with pytest.raises(
        ExecutorFailed, match="no worker is left, 2 groups were not measured: node zero is gone"
    ):
        run([group(1), group(2)], start)


def test_an_error_that_is_no_loss_ends_everything_and_is_raised() -> None:
    with pytest.raises(DeviceError, match="not present"):
        run([group(1)], lambda _: Scripted("one", opens=DeviceError("not present")))


def test_asked_to_stop_workers_are_told_and_no_group_begins() -> None:
    asked = threading.Event()

    class Asks(Scripted):
        def measure(self, cells: Sequence[Cell]) -> Iterator[Record]:
            asked.set()
            while not self.stopped:
                pass
            yield measured(cells[0])

    worker = Asks("one")
    recorder = run([group(1), group(2)], lambda _: worker, stopping=asked.is_set)
    assert len(recorder.records) == 1
    assert worker.stopped


def test_what_workers_do_is_told_while_they_do_it() -> None:
    recorder = run([group(1)], lambda _: Scripted("one"))
    assert recorder.seen[0] == {"one": f"3 cells of the group of {make_cell(name='a', batch=1).id}"}
    assert recorder.seen[-1] == {}


def test_a_queue_waits_for_groups_that_may_come_back() -> None:
    queue = GroupQueue([group(1)])
    job = queue.take(lambda: False)
    assert job is not None
    taken: list[ComparisonGroup | None] = []
    waiter = threading.Thread(target=lambda: taken.append(queue.take(lambda: False)))
    waiter.start()
    queue.done(job)
    waiter.join(20)
    assert taken == [job]
    queue.done()
    assert queue.take(lambda: False) is None


def test_a_group_that_was_measured_elsewhere_is_due_as_a_whole() -> None:
    whole = group(1)
    part = ComparisonGroup(cells=whole.cells[2:], whole=whole.cells, measured_on=frozenset({"machine GPU-1"}))
    assert part.due("machine GPU-1") == whole.cells[2:]
    assert part.due("machine GPU-2") == whole.cells
    assert ComparisonGroup(cells=whole.cells[2:], whole=whole.cells).due("anywhere") == whole.cells[2:]


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"machine": "m", "gpu": {"uuid": "GPU-1"}}, "m GPU-1"),
        ({"machine": "m", "gpu": None, "core_set": [0, 1]}, "m 2 cores"),
        ({"machine": "m"}, "m"),
        ({}, ""),
    ],
)
def test_a_device_is_known_by_its_machine_and_its_own_name(environment: dict[str, Any], name: str) -> None:
    assert device_identity(environment) == name
