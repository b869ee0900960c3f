"""Several devices at once: what may run together, and what a failure in one lane does to the others."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from benchsuite.runner.device_queue import Lane, run_lanes, waves


class Engine:
    """An executor that only knows its siblings."""

    def __init__(self) -> None:
        self.siblings: list[Engine] = []
        self.closed = False

    def another(self) -> Engine:
        self.siblings.append(Engine())
        return self.siblings[-1]

    def close(self) -> None:
        self.closed = True


def lanes(*devices: str) -> list[Lane[str]]:
    return [Lane(device, (f"{device} a", f"{device} b")) for device in devices]


def test_gpus_work_together_and_a_cpu_works_alone() -> None:
    found = waves(lanes("cuda:0", "cpu", "cuda:1"))
    assert [[lane.device for lane in wave] for wave in found] == [["cpu"], ["cuda:0", "cuda:1"]]
    assert waves([]) == []


def test_lanes_of_a_wave_run_at_the_same_time_each_in_order_and_on_an_engine_of_its_own() -> None:
    engine: Any = Engine()
    both = threading.Barrier(2, timeout=20)  # breaks if one lane waits for the other to end
    done: list[tuple[str, int]] = []

    def do(piece: str, at: Any) -> bool:
        if piece.startswith("cuda"):
            both.wait()
        done.append((piece, id(at)))
        return True

    run_lanes(lanes("cpu", "cuda:0", "cuda:1"), engine, do, threading.Event())
    assert [piece for piece, _ in done][:2] == ["cpu a", "cpu b"]
    for device in ("cuda:0", "cuda:1"):
        own = [(piece, at) for piece, at in done if piece.startswith(device)]
        assert [piece for piece, _ in own] == [f"{device} a", f"{device} b"]
        assert len({at for _, at in own}) == 1
    assert len({at for piece, at in done if piece.startswith("cuda")}) == 2
    assert [sibling.closed for sibling in engine.siblings] == [True]
    assert not engine.closed


def test_a_lane_that_fails_ends_the_others_and_its_error_is_raised() -> None:
    engine: Any = Engine()
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
        run_lanes(lanes("cuda:0", "cuda:1"), engine, noted, broken)
    assert broken.is_set()
    assert "cuda:1 b" not in done


def test_a_piece_that_says_no_ends_its_lane_only() -> None:
    engine: Any = Engine()
    done: list[str] = []

    def do(piece: str, at: Any) -> bool:
        done.append(piece)
        return piece != "cuda:0 a"

    run_lanes(lanes("cuda:0", "cuda:1"), engine, do, threading.Event())
    assert "cuda:0 b" not in done
    assert "cuda:1 b" in done
