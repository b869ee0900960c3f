"""The cells of one comparison group, measured in turns, so that drift of the machine falls on all alike.

A round visits every cell once. A cell that fails drops out at once, and the others go on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from benchsuite.results.record import (
    Cell,
    Check,
    Conditions,
    Failure,
    Status,
    Timing,
)
from benchsuite.results.rounds import combined
from benchsuite.run.answer import Inspected, Visited
from benchsuite.run.executor import Executor
from benchsuite.run.outcome import Outcome, now
from benchsuite.run.prepare import INTERRUPTED
from benchsuite.scenario.measure import Measure, Order


@dataclass
class _Going:
    """A cell on its way."""

    cell: Cell
    visits: list[Visited] = field(default_factory=list)
    inspected: Inspected = field(default_factory=Inspected)
    spent_s: float = 0.0
    attempts: int = 1
    started_at: str = ""
    status: Status = "ok"
    failure: Failure | None = None
    mismatch: Check | None = None

    def left_s(self, measure: Measure) -> float:
        return max(0.001, measure.timeout_s - self.spent_s)

    def outcome(self) -> Outcome:
        last = self.visits[-1] if self.visits else None
        first = next((visit for visit in self.visits if visit.check or visit.compilation), last)
        return Outcome(
            status=self.status,
            failure=self.failure,
            timing=self._timing(),
            memory=self.inspected.memory,
            check=first.check if first else self.mismatch,
            compilation=first.compilation if first else None,
            energy=self.inspected.energy,
            conditions=_from_first_to_last(self.visits),
            started_at=self.started_at,
            seconds=self.spent_s,
            attempts=self.attempts,
        )

    def _timing(self) -> Timing | None:
        if not self.visits:
            return None
        timing = combined([visit.timing for visit in self.visits])
        return replace(timing, busy=self.inspected.busy) if self.inspected.busy else timing


def take_turns(
    cells: Sequence[Cell],
    measure: Measure,
    executor: Executor,
    *,
    begins: Callable[[Cell], None],
    stopping: Callable[[], bool],
) -> Generator[tuple[Cell, Outcome], None, None]:
    """Measure a group; yields each cell as soon as nothing more is to be learnt of it.

    Args:
        begins: is told of a cell that is about to be visited.
        stopping: whether to end soon. The visit that is under way ends as it would; cells that have their
            least number of samples by then are yielded as "interrupted", others are not yielded.
    """
    going = [_Going(cell) for cell in cells]
    try:
        if "latency" in measure.metrics:
            rounds = measure.rounds
            for number in range(rounds):
                for one in order(going, number, measure.order, measure.seed):
                    if stopping():
                        break
                    if number and one.cell.protocol != "adaptive":
                        continue  # a published protocol says itself how often it samples
                    begins(one.cell)
                    _visit(one, number, rounds, measure, executor)
                    if one.failure is not None:
                        going.remove(one)
                        yield one.cell, one.outcome()
            _cut_short(going, rounds, measure)
            going = [one for one in going if one.visits]
    finally:
        executor.release()
    for one in going:
        if "memory" in measure.metrics or _has_more_to_tell(one.cell, measure):
            if "latency" not in measure.metrics:
                if stopping():
                    return
                begins(one.cell)
            _inspect(one, measure, executor)
        yield one.cell, one.outcome()


def _has_more_to_tell(cell: Cell, measure: Measure) -> bool:
    """Whether a cell that was timed is looked at again: a GPU says how long it was busy, and what it drew."""
    return "latency" in measure.metrics and cell.device.startswith("cuda")


def order(going: Sequence[_Going], number: int, kind: Order, seed: int) -> list[_Going]:
    """The cells in the order of a round: shuffled anew each time, there and back (ABBA), or as they come."""
    cells = list(going)
    if kind == "shuffled":
        random.Random(f"{seed} {number}").shuffle(cells)
    elif kind == "abba" and number % 2:
        cells.reverse()
    return cells


def _visit(one: _Going, number: int, rounds: int, measure: Measure, executor: Executor) -> None:
    """Visit a cell in a round; where a retry is due, all its visits so far are made again."""
    one.started_at = one.started_at or now()
    missing = [number]
    while missing:
        turn = missing.pop(0)
        earlier = tuple(sample for visit in one.visits for sample in visit.timing.samples_s)
        start = time.monotonic()
        answer = executor.visit(one.cell, measure, (turn, rounds), earlier, one.left_s(measure))
        one.spent_s += time.monotonic() - start
        if answer.failure is None:
            assert answer.value is not None
            one.visits.append(answer.value)
        elif one.attempts <= measure.retry.get(answer.status, 0):
            one.attempts += 1
            one.visits.clear()
            one.spent_s = 0.0
            missing = list(range(number + 1))
        else:
            one.visits.clear()
            one.status, one.failure = answer.status, _worded(answer.failure, answer.status, measure)
            one.mismatch = answer.check
            return


def _inspect(one: _Going, measure: Measure, executor: Executor) -> None:
    one.started_at = one.started_at or now()
    while True:
        start = time.monotonic()
        answer = executor.inspect(one.cell, measure, one.left_s(measure))
        one.spent_s += time.monotonic() - start
        if answer.failure is None:
            one.inspected = answer.value or Inspected()
        elif one.attempts <= measure.retry.get(answer.status, 0):
            one.attempts += 1
            continue
        else:
            one.status, one.failure = answer.status, _worded(answer.failure, answer.status, measure)
        return


def _worded(failure: Failure, status: Status, measure: Measure) -> Failure:
    """A timeout names what the cell was given in all, not what was left of it."""
    if status != "timeout":
        return failure
    return replace(failure, message=f"took longer than {measure.timeout_s:g} s; its process was ended")


def _cut_short(going: Sequence[_Going], rounds: int, measure: Measure) -> None:
    """Mark what a stop left unfinished, and drop what has too few samples to say anything."""
    for one in going:
        wanted = rounds if one.cell.protocol == "adaptive" else 1
        if len(one.visits) >= wanted or not one.visits:
            continue
        if sum(len(visit.timing.samples_s) for visit in one.visits) < measure.min_samples:
            one.visits.clear()
            continue
        last = one.visits[-1]
        one.visits[-1] = replace(last, timing=replace(last.timing, stopped_by=INTERRUPTED))


def _from_first_to_last(visits: Sequence[Visited]) -> Conditions | None:
    """The state before the first and after the last visit."""
    known = [visit.conditions for visit in visits if visit.conditions is not None]
    return Conditions(before=known[0].before, after=known[-1].after) if known else None
