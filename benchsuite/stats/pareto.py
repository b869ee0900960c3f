"""The Pareto front of cost against speed: what no other point beats in one without losing in the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchsuite.stats.evidence import Side


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other point dominates, by rising cost.

    A point dominates another if it costs no more, is no slower, and is better in one of the two. Equal
    points do not dominate each other, so all of them are on the front or none is. Points with a NaN are
    ignored.

    Args:
        points: (cost, speed) pairs, such as MACs and images per second: cost is better low, speed high.
    """
    known = [i for i, (cost, speed) in enumerate(points) if not (math.isnan(cost) or math.isnan(speed))]
    known.sort(key=lambda i: points[i][0])
    front: list[int] = []
    best = -math.inf  # the highest speed among the points that cost less
    for _, equal in itertools.groupby(known, key=lambda i: points[i][0]):
        candidates = list(equal)
        level = max(points[i][1] for i in candidates)
        if level > best:
            front += [i for i in candidates if points[i][1] == level]
            best = level
    return front


Standing = Literal["certain", "possible", "dominated"]
"""Standing of a point to the front, whatever is undecided about the speeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A point by its cost, such as MACs; `exact` is False where that is a lower bound."""

    cost: float
    exact: bool = True


def standings(candidates: Sequence[Candidate], speed: Callable[[int, int], Side]) -> list[Standing | None]:
    """Standing of every candidate to the front of those with an exact cost; None where that is open.

    - dominated: one that costs less is surely faster, or as fast for all that the difference means; or one of
      the same cost is surely faster.
    - certain: whatever costs less is surely slower, and whatever costs the same is slower or as fast.
    - possible: neither, since the rounds leave some speed undecided.

    A cost that is a lower bound dominates nothing and is never on the front: it is dominated by what beats
    even the bound, else None. A missing cost gives None.

    Args:
        speed: the decision on the speed of candidate i over that of candidate j (`stats.evidence.decide`).
    """
    return [_standing(i, candidates, speed) for i in range(len(candidates))]


def _standing(i: int, candidates: Sequence[Candidate], speed: Callable[[int, int], Side]) -> Standing | None:
    candidate = candidates[i]
    if math.isnan(candidate.cost):
        return None
    certain = True
    for j, other in enumerate(candidates):
        if j == i or not other.exact or not other.cost <= candidate.cost:
            continue
        side = speed(j, i)
        cheaper = other.cost < candidate.cost
        if side == "above" or (side == "same" and cheaper):
            return "dominated"
        certain = certain and side != "undecided"
    if not candidate.exact:
        return None
    return "certain" if certain else "possible"
