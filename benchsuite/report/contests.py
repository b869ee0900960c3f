"""Who ran against whom: the timed cells of one kernel at one resolution, the fastest first.

A mixer that has nothing to fuse competes under every kernel (`points.counting`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, takewhile

from benchsuite.labels import Noun, noun
from benchsuite.report.groups import Group
from benchsuite.report.order import Order, doubt
from benchsuite.report.points import Point, counting, kernels_of, resolutions_of
from benchsuite.report.words import pixels, rate
from benchsuite.stats.pareto import Candidate, Standing, standings

NEAR = 0.8
"""A cell whose median is below this share of the fastest is no candidate, however much its rounds
vary: nobody looks for the fastest at half the speed."""


@dataclass(frozen=True, slots=True)
class Contest:
    """The timed cells of one kernel at one resolution, the fastest first."""

    kernel: str
    resolution: int | str
    cells: tuple[Point, ...]
    order: Order

    @property
    def leaders(self) -> tuple[Point, ...]:
        """Those that may be fastest."""
        return candidates(self.cells, self.order)

    @property
    def open(self) -> str:
        """Why it is undecided which of the leaders is fastest; empty if there is one, or no difference."""
        return doubt(self.order.between(one, other) for one, other in combinations(self.leaders, 2))

    @property
    def finished(self) -> bool:
        """Whether all cells of this setting have been measured."""
        return not any(p.unfinished for p in self.cells if p.kernel == self.kernel)

    @property
    def countable(self) -> list[Point]:
        """The cells that can be ranked by MACs: those with an exact count."""
        return [p for p in self.cells if p.exact and not math.isnan(p.macs)]

    @property
    def setting(self) -> str:
        """Where it took place: "224 px, math"."""
        return f"{pixels(self.resolution)}, {self.kernel}"


def candidates(cells: Sequence[Point], order: Order) -> tuple[Point, ...]:
    """Those of these timed cells that may be fastest, by median throughput, the highest first.

    It begins with the highest and ends before the first that is surely slower than that or not near it: one
    whose rounds vary much is not named while another with a higher median is not.
    """
    ranked = sorted(cells, key=lambda p: -p.throughput.value)
    first = ranked[0]
    return tuple(takewhile(lambda p: not order.faster(first, p) and _near(p, first), ranked))


def contests(cells: Sequence[Point], order: Order) -> list[Contest]:
    """Every kernel and resolution at which at least two cells were timed."""
    timed = sorted((p for p in cells if p.throughput.known), key=lambda p: -p.throughput.value)
    found = []
    for kernel in kernels_of(timed):
        mine = {point.cell for point in counting(cells, kernel)}
        for resolution in resolutions_of(p for p in timed if p.kernel == kernel):
            here = tuple(p for p in timed if p.resolution == resolution and p.cell in mine)
            found.append(Contest(kernel, resolution, here, order))
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


def with_standings(groups: Iterable[Group], order: Order) -> list[Group]:
    """The groups, each cell with its `standing` among all of its group and resolution, on any kernel.

    None where MACs or speed are missing, where MACs are a lower bound that nothing beats, and where only
    medians speak for a place on the front: without intervals, or far behind a cell that needs less.
    """
    found: dict[str, Standing | None] = {}
    groups = list(groups)
    for group in groups:
        sizes: dict[int | str, list[Point]] = {}
        for point in group.cells:
            if point.throughput.known and not math.isnan(point.macs):
                sizes.setdefault(point.resolution, []).append(point)
        for panel in sizes.values():
            found |= {point.cell: stand for point, stand in front_of(panel, order)}
    return [
        replace(group, cells=tuple(replace(p, standing=found.get(p.cell)) for p in group.cells))
        for group in groups
    ]


def front_of(panel: Sequence[Point], order: Order) -> list[tuple[Point, Standing | None]]:
    """Where each cell stands to the Pareto front of MACs against throughput among these."""
    stands = standings(
        [Candidate(cost=p.macs, exact=p.exact) for p in panel], lambda i, j: order.side(panel[i], panel[j])
    )
    return [
        (point, None if stand == "possible" and not _may_be(point, panel) else stand)
        for point, stand in zip(panel, stands, strict=True)
    ]


def _may_be(point: Point, panel: Sequence[Point]) -> bool:
    """Whether a cell may be on the front: it has an interval, and is near each that needs no more."""
    cheaper = [other for other in panel if other.exact and other.macs <= point.macs]
    return point.throughput.bounded and all(_near(point, other) for other in cheaper)


def _near(point: Point, other: Point) -> bool:
    return point.throughput.value >= NEAR * other.throughput.value
