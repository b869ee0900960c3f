"""The Pareto front of cost against speed: what no other point beats in one without losing in the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other point dominates, by rising cost.

    A point dominates another if it costs no more, is no slower, and is better in one of the two. Equal
    points do not dominate each other, so all of them are on the front or none is. Points with a NaN are
    ignored.

    Args:
        points: (cost, speed) pairs, such as MACs and images per second: cost is better low, speed high.
    """
    known = [i for i, (cost, speed) in enumerate(points) if not (math.isnan(cost) or math.isnan(speed))]
    front: list[int] = []
    best = -math.inf  # the highest speed among the points that cost less than `cost`
    level = -math.inf  # the highest speed among the points that cost at most `cost`
    cost = -math.inf
    for i in sorted(known, key=lambda i: (points[i][0], -points[i][1], i)):
        if points[i][0] > cost:
            cost, best = points[i][0], level
        speed = points[i][1]
        level = max(level, speed)
        if speed > best and speed == level:
            front.append(i)
    return front


Standing = Literal["certain", "possible", "dominated"]
"""Where a point stands to the front, whatever the true speeds within the intervals are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A point whose speed is known within an interval.

    Attributes:
        cost: such as MACs.
        lo, hi: ends of the interval of the speed; NaN where there is none.
        exact: False where `cost` is a lower bound.
    """

    cost: float
    lo: float
    hi: float
    exact: bool = True


def standings(candidates: Sequence[Candidate]) -> list[Standing | None]:
    """Where every candidate stands to the front of those with an exact cost; None where that is open.

    Dominance is that of `pareto_front`, for every choice of speeds within the intervals:

    - dominated: one that costs no more is faster for all choices (its `lo` above this `hi`); one that costs
      less need only be as fast (`lo` ≥ `hi`).
    - certain: no other can dominate it for any choice. One that costs less must be slower throughout (its
      `hi` below this `lo`); one of the same cost may touch (`hi` ≤ `lo`), since equal points both stay.
    - possible: neither.

    A speed without an interval may be anything: the candidate is possible, and nothing that costs as much or
    more is certain. A cost that is a lower bound dominates nothing and is never on the front: it is dominated
    by what beats even the bound, else None. A missing cost gives None.
    """
    order = sorted(
        (i for i, c in enumerate(candidates) if not math.isnan(c.cost)), key=lambda i: candidates[i].cost
    )
    found: list[Standing | None] = [None] * len(candidates)
    cheaper = _Reach()  # of what costs less than this level
    for _, level in groupby(order, key=lambda i: candidates[i].cost):
        here = list(level)
        equal = _Reach()
        for i in here:
            if candidates[i].exact:
                equal.add(i, candidates[i])
        for i in here:
            found[i] = _standing(i, candidates[i], cheaper, equal)
        cheaper.join(equal)
    return found


def _standing(i: int, one: Candidate, cheaper: _Reach, equal: _Reach) -> Standing | None:
    bounded = not (math.isnan(one.lo) or math.isnan(one.hi))
    if bounded and (cheaper.surely >= one.hi or equal.surely > one.hi):
        return "dominated"
    if not one.exact:
        return None
    clear = bounded and cheaper.perhaps < one.lo and equal.perhaps_but(i) <= one.lo
    return "certain" if clear else "possible"


class _Reach:
    """The highest speeds among some candidates: reached surely, and perhaps."""

    def __init__(self) -> None:
        self.surely = -math.inf
        self.perhaps = -math.inf
        self._second = -math.inf
        self._first: int | None = None

    def add(self, i: int, one: Candidate) -> None:
        """Take in a candidate."""
        bounded = not (math.isnan(one.lo) or math.isnan(one.hi))
        self.surely = max(self.surely, one.lo if bounded else -math.inf)
        hi = one.hi if bounded else math.inf
        if self._first is None or hi > self.perhaps:
            self._second, self.perhaps, self._first = self.perhaps, hi, i
        else:
            self._second = max(self._second, hi)

    def perhaps_but(self, i: int) -> float:
        """The highest speed that another than `i` perhaps reaches."""
        return self._second if i == self._first else self.perhaps

    def join(self, other: _Reach) -> None:
        """Take in all of another."""
        self.surely = max(self.surely, other.surely)
        self.perhaps = max(self.perhaps, other.perhaps)
