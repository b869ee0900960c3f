"""Who ran against whom: the timed cells of one kernel at one resolution, the fastest first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from benchsuite.report.order import Order, doubt
from benchsuite.report.points import Point, kernels_of, resolutions_of
from benchsuite.report.words import pixels, rate
from benchsuite.results.nouns import Noun, noun


@dataclass(frozen=True, slots=True)
class Contest:
    """The timed cells of one kernel at one resolution, the fastest first."""

    kernel: str
    resolution: int | str
    cells: tuple[Point, ...]
    order: Order

    @property
    def leaders(self) -> tuple[Point, ...]:
        """The cell with the highest median throughput, and all that are not surely slower."""
        return tuple(p for p in self.cells if not self.order.faster(self.cells[0], p))

    @property
    def open(self) -> str:
        """Why it is undecided which of the leaders is fastest; empty if there is one, or no difference."""
        return doubt(self.order.between(one, other) for one, other in combinations(self.leaders, 2))

    @property
    def finished(self) -> bool:
        """Whether all cells of this setting have been measured."""
        return not any(p.unfinished for p in self.cells)

    @property
    def countable(self) -> list[Point]:
        """The cells that can be ranked by MACs: those with an exact count."""
        return [p for p in self.cells if p.exact and not math.isnan(p.macs)]

    @property
    def setting(self) -> str:
        """Where it took place: "224 px, math"."""
        return f"{pixels(self.resolution)}, {self.kernel}"


def contests(cells: Sequence[Point], order: Order) -> list[Contest]:
    """Every kernel and resolution at which at least two cells were timed."""
    timed = sorted((p for p in cells if p.throughput.known), key=lambda p: -p.throughput.value)
    found = [
        Contest(
            kernel,
            resolution,
            tuple(p for p in timed if (p.kernel, p.resolution) == (kernel, resolution)),
            order,
        )
        for kernel in kernels_of(timed)
        for resolution in resolutions_of(timed)
    ]
    return [contest for contest in found if len(contest.cells) > 1]


def noun_of(fields: Sequence[Contest]) -> Noun:
    """What the contestants are called."""
    return noun(point.subject for contest in fields for point in contest.cells)


def speed(point: Point) -> str:
    """Throughput with its interval: "5,104 images/s [5,050, 5,150]"."""
    value = point.throughput
    if not value.bounded:
        return rate(value.value)
    lo, hi = (rate(end).removesuffix(" images/s") for end in (value.lo, value.hi))
    return f"{rate(value.value)} [{lo}, {hi}]"
