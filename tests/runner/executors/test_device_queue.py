"""Several devices at once: what may run together, and what a failure in one queue does to the others."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from benchsuite.runner.executors.local import DeviceQueue, run_queues, waves


class Siblings:
    """Workers that only knows its siblings."""

    def __init__(self) -> None:
        self.siblings: list[Siblings] = []
        self.closed = False

    def another(self) -> Siblings:
        self.siblings.append(Siblings())
        return self.siblings[-1]

    def close(self) -> None:
        self.closed = True


def queues(*devices: str) -> list[DeviceQueue[str]]:
    return [DeviceQueue(device, (f"{device} a", f"{device} b")) for device in devices]


def test_gpus_work_together_and_a_cpu_works_alone() -> None:
    found = waves(queues("cuda:0", "cpu", "cuda:1"))
    assert [[queue.device for queue in wave] for wave in found] == [["cpu"], ["cuda:0", "cuda:1"]]
    assert waves([]) == []


def test_queues_of_a_wave_run_at_the_same_time_each_in_order_and_on_workers_of_its_own() -> None:
    workers: Any = Siblings()
    both = threading.Barrier(2, timeout=20)  # breaks if one queue waits for the other to end
    done: list[tuple[str, int]] = []

    def do(piece: str, at: Any) -> bool:
        if piece.startswith("cuda"):
            both.wait()
        done.append((piece, id(at)))
        return True

    run_queues(queues("cpu", "cuda:0", "cuda:1"), workers, do, threading.Event())
    assert [piece for piece, _ in done][:2] == ["cpu a", "cpu b"]
    for device in ("cuda:0", "cuda:1"):
        own = [(piece, at) for piece, at in done if piece.startswith(device)]
        assert [piece for piece, _ in own] == [f"{device} a", f"{device} b"]
        assert len({at for _, at in own}) == 1
    assert len({at for piece, at in done if piece.startswith("cuda")}) == 2
    assert [sibling.closed for sibling in workers.siblings] == [True]
    assert not workers.closed


def test_a_queue_that_fails_ends_the_others_and_its_error_is_raised() -> None:
    workers: Any = Siblings()
    broken = threading.Event()
    failed = threading.Event()

    def do(piece: str, at: Any) -> bool:
        if piece == "cuda:0 a":
            failed.set()
            raise RuntimeError("planted")
        failed.wait(20)
        broken.wait(20)
        return True

    done: list[str] = []

    def noted(piece: str, at: Any) -> bool:
        done.append(piece)
        return do(piece, at)

    with pytest.raises(RuntimeError, match="planted"):
        run_queues(queues("cuda:0", "cuda:1"), workers, noted, broken)
    assert broken.is_set()
    assert "cuda:1 b" not in done


def test_a_piece_that_says_no_ends_its_queue_only() -> None:
    workers: Any = Siblings()
    done: list[str] = []

    def do(piece: str, at: Any) -> bool:
        done.append(piece)
        return piece != "cuda:0 a"

    run_queues(queues("cuda:0", "cuda:1"), workers, do, threading.Event())
    assert "cuda:0 b" not in done
    assert "cuda:1 b" in done
