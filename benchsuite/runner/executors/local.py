"""Local executors: GPUs of this machine side by side, a CPU alone.

Never are two cells timed on one device. A CPU is the host of all GPUs, so its cells are measured alone.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchsuite.results.cell import Cell
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Record
from benchsuite.runner.executors.executor import ComparisonGroup, Executor, WorkerSettings
from benchsuite.runner.rounds import Rounds
from benchsuite.runner.workers import WORKERS, Workers

if TYPE_CHECKING:
    from benchsuite.runner.recorder import RunRecorder

TOGETHER = 400
"""Cells of whole groups that share their rounds, so that rounds are spread over the whole of most runs; of a
larger sweep, what a kill can delay stays bounded."""


def local_executor(options: Mapping[str, Any], pythonpath: Sequence[str]) -> Executor:
    """Worker processes on this machine, with the option `workers` several for the CPU."""
    if int(options.get("workers", 1)) > 1:
        from benchsuite.runner.executors.local_pool import LocalPoolExecutor

        return LocalPoolExecutor(int(options["workers"]), pythonpath)
    return LocalExecutor(WORKERS["process"](pythonpath), "process")


def inline_executor(options: Mapping[str, Any], pythonpath: Sequence[str]) -> Executor:
    """Everything in this process, for debugging."""
    return LocalExecutor(WORKERS["inline"](pythonpath), "inline")


class LocalExecutor(Executor):
    """The cells of one device in rounds, groups in the order of the scenario.

    Args:
        workers: measure.
    """

    one_place = True

    def __init__(self, workers: Workers, name: str = "process") -> None:
        super().__init__(workers)
        self.name = name

    def run(
        self,
        groups: Sequence[ComparisonGroup],
        settings: Mapping[str, WorkerSettings],
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> Iterator[Record]:
        by_device: dict[str, list[ComparisonGroup]] = {}
        for group in groups:
            by_device.setdefault(group.device, []).append(group)

        def records(device: str, workers: Workers) -> Iterator[Record]:
            rounds = Rounds(
                measure=settings[device].measure,
                workers=workers,
                stopping=stopping,
                begins=recorder.cell_begins,
                round_begins=recorder.round_begins,
                visited=recorder.keep_round,
                earlier=recorder.earlier,
                planned=settings[device].planned,
            )
            due = itertools.takewhile(lambda _: not stopping(), _together(by_device[device]))
            return itertools.chain.from_iterable(map(rounds.records, due))

        def measured(wave: list[str]) -> Iterable[Record]:
            if len(wave) == 1:
                return records(wave[0], self.planner)
            side_by_side(wave, self.planner, records, recorder.keep, recorder.broken)
            return ()

        return itertools.chain.from_iterable(map(measured, waves(list(by_device))))


def _together(groups: Sequence[ComparisonGroup]) -> Iterator[list[Cell]]:
    """The cells of groups, of so many whole ones as share their rounds."""
    cells: list[Cell] = []
    for group in groups:
        if cells and len(cells) + len(group.cells) > TOGETHER:
            yield cells
            cells = []
        cells = [*cells, *group.cells]
    if cells:
        yield cells


def waves(devices: Sequence[str]) -> list[list[str]]:
    """Devices that may be measured on at the same time: a CPU alone, then all GPUs together."""
    alone = [[device] for device in devices if kind_of(device).on_host]
    together = [device for device in devices if not kind_of(device).on_host]
    return [*alone, together] if together else alone


def side_by_side(
    devices: Sequence[str],
    workers: Workers,
    records: Callable[[str, Workers], Iterable[Record]],
    keep: Callable[[Record], None],
    broken: threading.Event,
) -> None:
    """Measure on several devices at once, each in a thread of its own.

    Args:
        workers: are used by the first device; the others get some of their own.
        records: of a device, as these workers measure them.
        keep: is given each record; called from any thread.
        broken: is set as soon as a device fails or the wait is interrupted; what the others still bring after
            that is worth nothing.
    """
    several = [workers, *(workers.another() for _ in devices[1:])]
    errors: list[BaseException] = []

    def work(device: str, own: Workers) -> None:
        try:
            for record in records(device, own):
                keep(record)
                if broken.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
            errors.append(error)
            broken.set()

    # Daemons, so that a second Ctrl-C need not wait for a cell.
    threads = [
        threading.Thread(target=work, args=pair, daemon=True) for pair in zip(devices, several, strict=True)
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
        for own in several[1:]:
            if own is not workers:
                own.close()
    if errors:
        raise errors[0]
