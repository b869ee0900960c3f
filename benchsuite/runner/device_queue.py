"""Several devices of one machine at once, and never two timed cells on one.

GPUs work side by side. A CPU is the host of all of them, so its cells are measured alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from benchsuite.runner.workers import Executor

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Lane(Generic[W]):
    """The work of one device, piece by piece."""

    device: str
    work: tuple[W, ...]


def waves(lanes: Sequence[Lane[W]]) -> list[list[Lane[W]]]:
    """Lanes that may run at the same time: each CPU lane alone, then all GPUs together."""
    alone = [[lane] for lane in lanes if not lane.device.startswith("cuda")]
    together = [lane for lane in lanes if lane.device.startswith("cuda")]
    return [*alone, together] if together else alone


def run_lanes(
    lanes: Sequence[Lane[W]],
    executor: Executor,
    do: Callable[[W, Executor], bool],
    broken: threading.Event,
) -> None:
    """Do all the work, each piece after the one before it in its lane.

    Args:
        executor: is used by the first lane of each wave; the others get one of their own.
        do: does one piece; False ends its lane.
        broken: is set as soon as a lane fails or the wait is interrupted; what lanes still bring after that
            is worth nothing.
    """
    for wave in waves(lanes):
        if len(wave) == 1:
            _run_lane(wave[0], executor, do)
        else:
            _side_by_side(wave, executor, do, broken)


def _run_lane(lane: Lane[W], executor: Executor, do: Callable[[W, Executor], bool]) -> None:
    for piece in lane.work:
        if not do(piece, executor):
            return


def _side_by_side(
    wave: Sequence[Lane[W]],
    executor: Executor,
    do: Callable[[W, Executor], bool],
    broken: threading.Event,
) -> None:
    engines = [executor, *(executor.another() for _ in wave[1:])]
    errors: list[BaseException] = []

    def unless_broken(piece: W, engine: Executor) -> bool:
        return not broken.is_set() and do(piece, engine)

    def work(lane: Lane[W], engine: Executor) -> None:
        try:
            _run_lane(lane, engine, unless_broken)
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
            errors.append(error)
            broken.set()

    # Daemons, so that a second Ctrl-C need not wait for a cell.
    threads = [
        threading.Thread(target=work, args=pair, daemon=True) for pair in zip(wave, engines, strict=True)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # with a timeout, so that signals are seen
    except BaseException:
        broken.set()
        raise
    finally:
        for engine in engines[1:]:
            if engine is not executor:
                engine.close()
    if errors:
        raise errors[0]
