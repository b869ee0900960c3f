"""Which of two cells is faster, and by how much: the one rule of evidence, for all that a page compares.

Every two cells of a group at one resolution are a question, and those of a group are one family, so that no
two places of a page decide the same pair in different ways.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from benchsuite.report.groups import Group
from benchsuite.report.points import MISSING, Point, Value
from benchsuite.report.words import joined
from benchsuite.stats.evidence import (
    LEAST_ROUNDS,
    Decision,
    Question,
    Ratio,
    Side,
    decide,
    paired,
    ratio_of,
    unpaired,
)

_OPPOSITE: Mapping[Side, Side] = {"above": "below", "below": "above"}


@dataclass(frozen=True, slots=True)
class Order:
    """Which of two cells is faster, for every pair that was asked."""

    decisions: Mapping[tuple[str, str], Decision]

    def between(self, one: Point, other: Point) -> Decision:
        """The speed of one cell over that of another: "above" where it is faster.

        Raises:
            KeyError: nobody asked for this pair.
        """
        found = self.decisions.get((one.cell, other.cell))
        return found or _turned(self.decisions[other.cell, one.cell])

    def side(self, one: Point, other: Point) -> Side:
        """`between` in a word."""
        found = self.decisions.get((one.cell, other.cell))
        if found:
            return found.side
        side = self.decisions[other.cell, one.cell].side
        return _OPPOSITE.get(side, side)

    def faster(self, one: Point, other: Point) -> bool:
        """Whether one cell is faster than another, surely and by more than the noise; False for cells without
        times, for which nobody could ask."""
        there, back = (one.cell, other.cell), (other.cell, one.cell)
        if there in self.decisions:
            return self.decisions[there].side == "above"
        return back in self.decisions and self.decisions[back].side == "below"


def log_multiples(one: Point, other: Point) -> list[float]:
    """Logarithms of how many times as fast one cell is as another of the same run, in each round.

    Empty where the two were timed by different processes: those of two sessions or allocators.
    """
    if (one.session, one.allocator) != (other.session, other.allocator):
        return []
    return [mine - its for mine, its in zip(one.log_speeds, other.log_speeds, strict=False)]


def ratio(one: Point, other: Point) -> Ratio:
    """How many times as fast one cell is as another of the same run; both were timed.

    Rounds are paired where they were of the same processes (`stats.evidence.paired`). Else the drift of the
    machine comes in; where nobody knows it, there is no interval.
    """
    found = log_multiples(one, other)
    if len(found) >= LEAST_ROUNDS:
        return ratio_of(found)
    mine, its = ([math.exp(-log) for log in point.log_speeds] for point in (one, other))
    return paired(its, mine) if found else unpaired(its, mine, joint_drift(one, other))


def joint_drift(one: Point, other: Point) -> float:
    """That of the machine that drifts more; NaN where one is unknown."""
    return math.nan if math.isnan(one.drift) else max(other.drift, one.drift)


def valued(found: Ratio | Decision) -> Value:
    """A ratio with its 95 % interval."""
    if isinstance(found, Decision):
        return Value(found.ratio, found.lo, found.hi)
    return Value(found.value, *found.interval())


def beside(point: Point, base: Point) -> Value:
    """The speed of a cell as a multiple of another's, with its interval; missing unless both were timed."""
    if not (point.rounds_s and base.rounds_s):
        return MISSING
    return Value(1.0) if point is base else valued(ratio(point, base))


def of_pairs(pairs: Iterable[tuple[Point, Point]]) -> Order:
    """The order of these pairs, which are one family; those without times on both sides are left out."""
    return Order(
        decide(
            {
                (one.cell, other.cell): Question(ratio(one, other), noise=max(one.noise, other.noise))
                for one, other in pairs
                if one.rounds_s and other.rounds_s
            }
        )
    )


def among(cells: Sequence[Point]) -> Order:
    """The order of cells that can be compared, of every two at the same resolution."""
    sizes: dict[int | str, list[Point]] = {}
    for point in cells:
        sizes.setdefault(point.resolution, []).append(point)
    return of_pairs(pair for here in sizes.values() for pair in combinations(here, 2))


def within(groups: Iterable[Group]) -> Order:
    """The order within each group of a run; a group is a family of its own."""
    found: dict[tuple[str, str], Decision] = {}
    for group in groups:
        found |= among(group.cells).decisions
    return Order(found)


def doubt(decisions: Iterable[Decision]) -> str:
    """Why some of these are undecided, in words; empty if none is."""
    return joined(list(dict.fromkeys(one.reason for one in decisions if one.side == "undecided")), "or")


def _turned(found: Decision) -> Decision:
    """The same decision, seen from the other side."""
    side = _OPPOSITE.get(found.side, found.side)
    return replace(found, side=side, ratio=1 / found.ratio, lo=1 / found.hi, hi=1 / found.lo)
