"""Cells measured in rounds: a round is a fresh process that visits every cell once, groups one after the
other.

So what one process does to a cell (its memory layout, a moment of the host) is one look of several, and
drift of the machine over the whole run falls into the interval between rounds. A cell that fails drops out
at once. Of a large sweep, cells are planned right before their first round.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.results.cell import Cell
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Failure, Record, now
from benchsuite.runner.cell_rounds import CellRounds
from benchsuite.runner.workers import Workers
from benchsuite.scenario.groups import key
from benchsuite.scenario.measure_settings import Measure, Order
from benchsuite.worker.worker_reply import Plan, WorkerReply

COSTLY_S = 5.0
"""Seconds of a visit without its samples (building, compiling, warming up) above which a group has no more
rounds than every cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Measures cells of one device in rounds.

    Attributes:
        stopping: whether to end soon. The visit that is under way ends as it would; cells that have their
            least number of samples by then are yielded as "interrupted", others are not yielded.
        begins: is told of a cell that is about to be visited.
        round_begins: is told the number of a round, from 1, and how many cells it visits.
        visited: is given the number of a round, from 0, and the record of a visit, before the next begins.
        earlier: visits of a run that was broken off, by cell. A round that not all cells of a group have had
            is measured again, since ratios are taken within rounds.
        planned: whether cells are planned already; if not, they are here, and records carry what was
            counted. What cannot be built on "meta", or is too large, is yielded with the reason, not tried.
    """

    measure: Measure
    workers: Workers
    stopping: Callable[[], bool]
    begins: Callable[[Cell], None] = lambda cell: None
    round_begins: Callable[[int, int], None] = lambda number, cells: None
    visited: Callable[[int, Record], None] = lambda number, visit: None
    earlier: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    planned: bool = True

    def records(self, cells: Sequence[Cell]) -> Iterator[Record]:
        """Measure cells, comparison groups among them together within a round; yields the record of each as
        soon as nothing more is to be learnt of it."""
        measure = self.measure
        pending = [CellRounds(cell, list(self.earlier.get(cell.id, ()))) for cell in cells]
        if not self.planned:
            if self.stopping():
                return
            yield from self._refused(pending)
        if "latency" not in measure.metrics:
            yield from self._inspected(pending)
            return
        for number, due in _rounds(pending, measure, self.stopping):
            self.workers.begin_round()
            self.round_begins(number + 1, len(due))
            for entry in order(due, number, measure.order, measure.seed):
                if self.stopping():
                    break
                self.begins(entry.cell)
                over = False
                while not over:
                    visit, start = entry.next_visit(number, measure), time.monotonic()
                    cell, left_s = entry.timed_as, entry.left_s(measure)
                    timer = self.workers.timer(cell.allocator)
                    reply = timer.call("visit", cell, measure, visit, timeout_s=left_s, stage="time")
                    over = entry.take_visit(reply, time.monotonic() - start, measure)
                if entry.failure is None:
                    self.visited(number, entry.visits[-1])
                    continue
                pending.remove(entry)
                yield entry.record(measure)
        _cut_short(pending, measure)
        yield from self._inspected([entry for entry in pending if entry.visits])

    def _inspected(self, pending: Sequence[CellRounds]) -> Iterator[Record]:
        """Records of cells that have had their rounds, if any are wanted, after the pass that times
        nothing."""
        measure = self.measure
        timed = "latency" in measure.metrics
        for entry in pending:
            # A GPU says how long it was busy, and what it drew.
            wanted = "memory" in measure.metrics or (timed and not kind_of(entry.cell.device).on_host)
            if wanted and not entry.interrupted:
                if not self.stopping():
                    if not timed:
                        self.begins(entry.cell)
                    entry.started_at = entry.started_at or now()
                    over = False
                    while not over:
                        start = time.monotonic()
                        reply = self.workers.inspect(entry.cell, measure, entry.left_s(measure))
                        over = entry.take_inspection(reply, time.monotonic() - start, measure)
                elif timed:
                    entry.interrupted = True
                else:
                    return
            yield entry.record(measure)

    def _refused(self, pending: list[CellRounds]) -> Iterator[Record]:
        """Plan the cells; the records of those that cannot be built or are too large, which are left out."""
        plans = _plans_of([entry.cell for entry in pending], self.workers, self.measure.timeout_s)
        for entry, plan in zip(list(pending), plans, strict=True):
            entry.plan, entry.status, entry.failure = plan, plan.status, plan.failure
            if plan.failure is not None:
                self.begins(entry.cell)
                pending.remove(entry)
                yield entry.record(self.measure)


def _plans_of(cells: Sequence[Cell], workers: Workers, timeout_s: float) -> list[WorkerReply[Plan]]:
    """The plan of each; a cell that spoils it for all becomes a failure of its own."""
    try:
        return workers.plan(cells, timeout_s)
    except UsageError as error:
        if len(cells) > 1:
            return [plan for cell in cells for plan in _plans_of([cell], workers, timeout_s)]
        failure = Failure(stage="build", kind=type(error).__name__, message=str(error))
        return [WorkerReply(status="error", failure=failure)]


def _rounds(
    pending: Sequence[CellRounds], measure: Measure, stopping: Callable[[], bool]
) -> Iterator[tuple[int, list[CellRounds]]]:
    """The rounds to take and the cells that each visits, after what an earlier session has left is cut to
    rounds that whole groups have had."""
    for group in _groups(pending):
        whole = min((len(entry.visits) for entry in group if entry.adaptive), default=1)
        for entry in group:
            del entry.visits[whole if entry.adaptive else 1 :]
    for number in range(measure.most_rounds):
        due = _due(pending, number, measure)
        if stopping():
            return
        if due:
            yield number, due


def _groups(pending: Sequence[CellRounds]) -> list[list[CellRounds]]:
    """The cells by comparison group."""
    groups: dict[Any, list[CellRounds]] = {}
    for entry in pending:
        groups.setdefault(key(entry.cell), []).append(entry)
    return list(groups.values())


def _due(pending: Sequence[CellRounds], number: int, measure: Measure) -> list[CellRounds]:
    """The cells that a round visits: all in the rounds that every cell has; then those of groups in which
    some cell is not precise enough, all of them, so that ratios can be taken, unless one takes long to
    build."""
    due: list[CellRounds] = []
    for group in _groups(pending):
        costly = any(entry.overhead_s > COSTLY_S for entry in group)
        imprecise = not costly and any(entry.imprecise(measure) for entry in group)
        wanted = number < measure.rounds or imprecise
        due += [
            entry
            for entry in group
            if len(entry.visits) == number and ((entry.adaptive and wanted) or not number)
        ]
    return due


def order(due: Sequence[CellRounds], number: int, kind: Order, seed: int) -> list[CellRounds]:
    """The cells in the order of a round: groups and the cells of each shuffled anew each time, there and back
    (ABBA), or as they come."""
    grouped = _groups(due)
    if kind == "shuffled":
        chance = random.Random(f"{seed} {number}")
        chance.shuffle(grouped)
        for group in grouped:
            chance.shuffle(group)
    cells = [entry for group in grouped for entry in group]
    return cells[::-1] if kind == "abba" and number % 2 else cells


def _cut_short(pending: Sequence[CellRounds], measure: Measure) -> None:
    """Mark what a stop left unfinished, and drop what has too few samples to say anything."""
    for entry in pending:
        wanted = measure.rounds if entry.adaptive else 1
        if len(entry.visits) >= wanted or not entry.visits:
            continue
        if sum(len(timing.samples_s) for timing in entry.timings) < measure.min_samples:
            entry.visits.clear()
        entry.interrupted = True
