"""Several devices at once: what may run together, and what a failure on one does to the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from benchsuite.runner.executors.local import side_by_side, waves


class Siblings:
    """Workers that only know their siblings."""

    def __init__(self) -> None:
        self.siblings: list[Siblings] = []
        self.closed = False

    def another(self) -> Siblings:
        self.siblings.append(Siblings())
        return self.siblings[-1]

    def close(self) -> None:
        self.closed = True


def test_gpus_work_together_and_a_cpu_works_alone() -> None:
    assert waves(["cuda:0", "cpu", "cuda:1"]) == [["cpu"], ["cuda:0", "cuda:1"]]
    assert waves([]) == []


def test_devices_are_measured_at_the_same_time_each_by_workers_of_its_own() -> None:
    workers: Any = Siblings()
    both = threading.Barrier(2, timeout=20)  # breaks if one device waits for the other to end
    done: list[Any] = []

    def records(device: str, own: Any) -> Iterator[Any]:
        both.wait()
        yield device, own

    side_by_side(["cuda:0", "cuda:1"], workers, records, done.append, threading.Event())
    assert dict(done) == {"cuda:0": workers, "cuda:1": workers.siblings[0]}
    assert [sibling.closed for sibling in workers.siblings] == [True]
    assert not workers.closed


def test_a_device_that_fails_tells_the_others_and_its_error_is_raised() -> None:
    workers: Any = Siblings()
    broken = threading.Event()
    told: list[Any] = []

    def records(device: str, own: Any) -> Iterator[Any]:
        if device == "cuda:0":
            raise RuntimeError("planted")
        yield broken.wait(20)
        yield "too late"

    with pytest.raises(RuntimeError, match="planted"):
        side_by_side(["cuda:0", "cuda:1"], workers, records, told.append, broken)
    assert broken.is_set()
    assert told == [True]
