"""Cells measured in rounds: a round is a fresh process that visits every cell once, groups one after the
other.

So what one process does to a cell (its memory layout, a moment of the host) is one look of several, and
drift of the machine over the whole run falls into the interval between rounds. A cell that fails drops out
at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchsuite.measurement.stopping import Visit
from benchsuite.results.record import (
    Cell,
    Check,
    Conditions,
    Failure,
    Status,
    Timing,
)
from benchsuite.results.round_timings import combined
from benchsuite.runner.outcome import Outcome, now
from benchsuite.runner.prepare import INTERRUPTED
from benchsuite.runner.workers import Executor
from benchsuite.scenario.groups import key
from benchsuite.scenario.measure_settings import Measure, Order
from benchsuite.stats.evidence import half_width
from benchsuite.stats.intervals import quantile
from benchsuite.stats.levels import levels, samples_wanted
from benchsuite.worker.reply import Inspected, Visited

COSTLY_S = 5.0
"""Seconds of a visit without its samples (building, compiling, warming up) above which a group has no more
rounds than every cell."""


@dataclass
class _Going:
    """A cell on its way.

    Attributes:
        overhead_s: seconds of its last visit without the samples.
    """

    cell: Cell
    visits: list[Visited] = field(default_factory=list)
    inspected: Inspected = field(default_factory=Inspected)
    spent_s: float = 0.0
    overhead_s: float = 0.0
    attempts: int = 1
    started_at: str = ""
    status: Status = "ok"
    failure: Failure | None = None
    mismatch: Check | None = None
    interrupted: bool = False

    @property
    def adaptive(self) -> bool:
        """Whether it is measured in rounds; a published protocol says itself how often it samples."""
        return self.cell.protocol == "adaptive"

    def left_s(self, measure: Measure) -> float:
        return max(0.001, measure.timeout_s - self.spent_s)

    def half_width(self) -> float | None:
        """Half width of its interval so far, as a share of the median."""
        return half_width([quantile(visit.timing.samples_s, 0.5) for visit in self.visits])

    def outcome(self, measure: Measure) -> Outcome:
        first = next((visit for visit in self.visits if visit.check or visit.compilation), None)
        return Outcome(
            status=self.status,
            failure=self.failure,
            timing=self._timing(measure),
            memory=self.inspected.memory,
            check=first.check if first else self.mismatch,
            behaviour=tuple(dict.fromkeys(word for visit in self.visits for word in visit.behaviour)),
            compilation=first.compilation if first else None,
            energy=self.inspected.energy,
            attention_backend=self.inspected.attention_backend,
            conditions=_from_first_to_last(self.visits),
            started_at=self.started_at,
            seconds=self.spent_s,
            attempts=self.attempts,
        )

    def _timing(self, measure: Measure) -> Timing | None:
        if not self.visits:
            return None
        timing = combined([visit.timing for visit in self.visits], self._stopped_by(measure))
        return replace(timing, busy=self.inspected.busy) if self.inspected.busy else timing

    def _stopped_by(self, measure: Measure) -> str:
        """Why there were no more rounds."""
        if self.interrupted:
            return INTERRUPTED
        precision = measure.precision_on(self.cell.device)
        if not self.adaptive or measure.rule != "interval" or precision is None:
            return self.visits[-1].timing.stopped_by
        half = self.half_width()
        return "precision" if half is not None and half <= precision else "rounds"


def measure_in_rounds(
    cells: Sequence[Cell],
    measure: Measure,
    executor: Executor,
    *,
    begins: Callable[[Cell], None],
    stopping: Callable[[], bool],
    round_begins: Callable[[int, int], None] = lambda number, cells: None,
    earlier: Mapping[str, Sequence[Visited]] | None = None,
    visited: Callable[[Cell, int, Visited, float], None] = lambda *_: None,
) -> Generator[tuple[Cell, Outcome], None, None]:
    """Measure cells; yields each as soon as nothing more is to be learnt of it.

    Args:
        cells: of one device; comparison groups among them stay together within a round.
        begins: is told of a cell that is about to be visited.
        stopping: whether to end soon. The visit that is under way ends as it would; cells that have their
            least number of samples by then are yielded as "interrupted", others are not yielded.
        round_begins: is told the number of a round, from 1, and how many cells it visits.
        earlier: visits of a run that was broken off. A round that not all cells of a group have had is
            measured again, since ratios are taken within rounds.
        visited: is given each visit, the number of its round from 0, and its seconds, before the next begins.
    """
    going = [_Going(cell, list((earlier or {}).get(cell.id, ()))) for cell in cells]
    if "latency" in measure.metrics:
        for number, due in _rounds(going, measure, stopping):
            executor.begin_round()
            round_begins(number + 1, len(due))
            for one in order(due, number, measure.order, measure.seed):
                if stopping():
                    break
                begins(one.cell)
                _visit(one, number, measure, executor, visited)
                if one.failure is not None:
                    going.remove(one)
                    yield one.cell, one.outcome(measure)
        _cut_short(going, measure)
        going = [one for one in going if one.visits]
    for one in going:
        if not one.interrupted and ("memory" in measure.metrics or _has_more_to_tell(one.cell, measure)):
            if stopping():
                if "latency" not in measure.metrics:
                    return
                one.interrupted = True
            else:
                if "latency" not in measure.metrics:
                    begins(one.cell)
                _inspect(one, measure, executor)
        yield one.cell, one.outcome(measure)


def _rounds(
    going: Sequence[_Going], measure: Measure, stopping: Callable[[], bool]
) -> Iterator[tuple[int, list[_Going]]]:
    """The rounds to take and the cells that each visits, after what an earlier session has left is cut to
    rounds that whole groups have had."""
    for group in _groups(going):
        whole = min((len(one.visits) for one in group if one.adaptive), default=1)
        for one in group:
            del one.visits[whole if one.adaptive else 1 :]
    for number in range(measure.most_rounds):
        due = _due(going, number, measure)
        if stopping():
            return
        if due:
            yield number, due


def _groups(going: Sequence[_Going]) -> list[list[_Going]]:
    """The cells by comparison group."""
    found: dict[Any, list[_Going]] = {}
    for one in going:
        found.setdefault(key(one.cell), []).append(one)
    return list(found.values())


def _due(going: Sequence[_Going], number: int, measure: Measure) -> list[_Going]:
    """The cells that a round visits: all in the rounds that every cell has; then those of groups in which
    some cell is not precise enough, all of them, so that ratios can be taken, unless one takes long to
    build."""
    found = []
    for group in _groups(going):
        costly = any(one.overhead_s > COSTLY_S for one in group)
        imprecise = not costly and any(_imprecise(one, measure) for one in group)
        wanted = number < measure.rounds or imprecise
        found += [
            one for one in group if len(one.visits) == number and ((one.adaptive and wanted) or not number)
        ]
    return found


def _imprecise(one: _Going, measure: Measure) -> bool:
    wanted, half = measure.precision_on(one.cell.device), one.half_width()
    return one.adaptive and wanted is not None and half is not None and half > wanted


def _has_more_to_tell(cell: Cell, measure: Measure) -> bool:
    """Whether a cell that was timed is looked at again: a GPU says how long it was busy, and what it drew."""
    return "latency" in measure.metrics and cell.device.startswith("cuda")


def order(due: Sequence[_Going], number: int, kind: Order, seed: int) -> list[_Going]:
    """The cells in the order of a round: groups and the cells of each shuffled anew each time, there and back
    (ABBA), or as they come."""
    grouped = _groups(due)
    if kind == "shuffled":
        chance = random.Random(f"{seed} {number}")
        chance.shuffle(grouped)
        for group in grouped:
            chance.shuffle(group)
    cells = [one for group in grouped for one in group]
    return cells[::-1] if kind == "abba" and number % 2 else cells


def _visit(
    one: _Going,
    number: int,
    measure: Measure,
    executor: Executor,
    visited: Callable[[Cell, int, Visited, float], None],
) -> None:
    """Visit a cell in a round, again where a retry is due."""
    one.started_at = one.started_at or now()
    while True:
        start = time.monotonic()
        answer = executor.visit(
            one.cell,
            measure,
            Visit(number, measure.rounds, _wanted(one), _calls_per_sample(one)),
            one.left_s(measure),
        )
        seconds = time.monotonic() - start
        one.spent_s += seconds
        if answer.failure is None:
            assert answer.value is not None
            timing = answer.value.timing
            one.overhead_s = max(0.0, seconds - timing.calls_per_sample * sum(timing.samples_s))
            one.visits.append(answer.value)
            visited(one.cell, number, answer.value, seconds)
            return
        if one.attempts > measure.retry.get(answer.status, 0):
            one.visits.clear()
            one.status, one.failure = answer.status, _worded(answer.failure, answer.status, measure)
            one.mismatch = answer.check
            return
        one.attempts += 1


def _wanted(one: _Going) -> int | None:
    """Samples of its next round from which on a further round says more."""
    rounds = [visit.timing.samples_s for visit in one.visits]
    found = levels(rounds)
    if found is None or not one.overhead_s:
        return None
    sample_s = quantile(rounds[-1], 0.5) * one.visits[-1].timing.calls_per_sample
    return samples_wanted(found, round_s=one.overhead_s, sample_s=sample_s)


def _calls_per_sample(one: _Going) -> int | None:
    """As its first round has chosen it, so that a cell has one number."""
    return one.visits[0].timing.calls_per_sample if one.visits else None


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


def _cut_short(going: Sequence[_Going], measure: Measure) -> None:
    """Mark what a stop left unfinished, and drop what has too few samples to say anything."""
    for one in going:
        wanted = measure.rounds if one.adaptive else 1
        if len(one.visits) >= wanted or not one.visits:
            continue
        if sum(len(visit.timing.samples_s) for visit in one.visits) < measure.min_samples:
            one.visits.clear()
        one.interrupted = True


def _from_first_to_last(visits: Sequence[Visited]) -> Conditions | None:
    """The state before the first and after the last visit."""
    known = [visit.conditions for visit in visits if visit.conditions is not None]
    return Conditions(before=known[0].before, after=known[-1].after) if known else None
