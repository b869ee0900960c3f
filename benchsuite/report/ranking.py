"""Order of cells by speed: the one rule of evidence for every pair that a page compares, and rankings by it.

Every two cells of a group at one resolution are a question, and those of a group are one family, so that no
two places of a page decide the same pair in different ways. A ranking has the timed cells of one kernel at
one resolution; a mixer that has nothing to fuse is ranked under every kernel (`reported_cells.counting`).

Claims are a family of their own (`findings.claims`). They were asked before the run, with an edge of their
own ("at least 1.2 times as fast"): among the hundreds of pairs of a ranking, which nobody named beforehand, a
true claim would seldom be sure enough. So a pair may be undecided in the answer while a claim on it holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product, takewhile

import numpy as np

from benchsuite.format import joined, rate
from benchsuite.report.comparable_groups import ComparableGroup
from benchsuite.report.reported_cells import (
    MISSING,
    ReportedCell,
    Value,
    counting,
    grouped,
    kernels_of,
    resolutions_of,
)
from benchsuite.report.words import pixels
from benchsuite.stats.evidence import (
    LEAST_ROUNDS,
    Decision,
    Family,
    Question,
    Ratio,
    Side,
    decide,
    paired,
    ratio_of,
    unpaired,
)
from benchsuite.stats.intervals import inside_angle
from benchsuite.stats.pareto import Candidate, Standing, standings

NEAR = 0.8
"""A cell whose median is below this share of the fastest is no candidate, however much its rounds
vary: nobody looks for the fastest at half the speed."""


@dataclass(frozen=True, slots=True)
class Order:
    """Decisions on which of two cells is faster, made when they are asked for: few of all pairs ever are.

    Attributes:
        places: cell → its family and resolution; two cells that share both are a pair of that family.
    """

    places: Mapping[str, tuple[Family, int | str]]

    def between(self, one: ReportedCell, other: ReportedCell) -> Decision:
        """The speed of one cell over that of another: "above" where it is faster.

        Raises:
            KeyError: they are no pair of one family.
        """
        if not self._paired(one, other):
            raise KeyError((one.id, other.id))
        return self.places[one.id][0].decide(_question(one, other))

    def side(self, one: ReportedCell, other: ReportedCell) -> Side:
        """`between` in a word."""
        return self.between(one, other).side

    def faster(self, one: ReportedCell, other: ReportedCell) -> bool:
        """True if one cell is faster than another, surely and by more than the noise; False for cells that
        are no pair, as those without times."""
        return self._paired(one, other) and self.side(one, other) == "above"

    def _paired(self, one: ReportedCell, other: ReportedCell) -> bool:
        place = self.places.get(one.id)
        return place is not None and place == self.places.get(other.id) and one.id != other.id


def _question(one: ReportedCell, other: ReportedCell) -> Question:
    return Question(ratio(one, other), noise=max(one.noise, other.noise))


def log_multiples(one: ReportedCell, other: ReportedCell) -> list[float]:
    """Logarithms of the speed of one cell over that of another of the same run, in each round.

    Empty where the two were timed by different processes: those of two sessions or allocators.
    """
    if one.session != other.session or one.settings["allocator"] != other.settings["allocator"]:
        return []
    return [mine - its for mine, its in zip(one.log_speeds, other.log_speeds, strict=False)]


def ratio(one: ReportedCell, other: ReportedCell) -> Ratio:
    """Speed of one cell over that of another of the same run; both were timed.

    Rounds are paired where they were of the same processes (`stats.evidence.paired`). Else the drift of the
    machine comes in; where nobody knows it, there is no interval.
    """
    logs = log_multiples(one, other)
    if len(logs) >= LEAST_ROUNDS:
        return ratio_of(logs)
    mine, its = ([math.exp(-log) for log in cell.log_speeds] for cell in (one, other))
    return paired(its, mine) if logs else unpaired(its, mine, joint_drift(one, other))


def joint_drift(one: ReportedCell, other: ReportedCell) -> float:
    """That of the machine that drifts more; NaN where one is unknown."""
    return math.nan if math.isnan(one.drift) else max(other.drift, one.drift)


def as_value(found: Ratio | Decision) -> Value:
    """A ratio with its 95 % interval."""
    if isinstance(found, Decision):
        return Value(found.ratio, found.lo, found.hi)
    return Value(found.value, *found.interval())


def relative_speed(cell: ReportedCell, base: ReportedCell) -> Value:
    """The speed of a cell as a multiple of another's, with its interval; missing unless both were timed."""
    if not (cell.rounds_s and base.rounds_s):
        return MISSING
    return Value(1.0) if cell is base else as_value(ratio(cell, base))


def among(cells: Sequence[ReportedCell]) -> Order:
    """The order of cells that can be compared, of every two timed ones at the same resolution: one family."""
    timed = grouped((cell for cell in cells if cell.rounds_s), lambda cell: cell.resolution)
    family = Family.of([p for here in timed.values() for p in _p_values(here)])
    return Order({cell.id: (family, resolution) for resolution, here in timed.items() for cell in here})


def _p_values(cells: Sequence[ReportedCell]) -> Iterator[float]:
    """The p-value of every pair of these timed cells that has an interval, as `Family.decide` has it.

    Pairs of the same processes are reckoned as arrays: a run of 10,000 cells has half a million.
    """
    alike = grouped(cells, lambda cell: (cell.session, cell.settings["allocator"]))
    for part in alike.values():
        logs = np.full((len(part), max(len(cell.log_speeds) for cell in part)), np.nan)
        for row, cell in zip(logs, part, strict=True):
            row[: len(cell.log_speeds)] = cell.log_speeds
        one, other = np.triu_indices(len(part), 1)
        multiples = logs[one] - logs[other]
        rounds = np.count_nonzero(~np.isnan(multiples), axis=1)
        multiples, rounds = multiples[rounds >= LEAST_ROUNDS], rounds[rounds >= LEAST_ROUNDS]
        errors = np.nanstd(multiples, axis=1, ddof=1) / np.sqrt(rounds)
        with np.errstate(divide="ignore", invalid="ignore"):  # rounds without any spread
            t = np.nan_to_num(np.abs(np.nanmean(multiples, axis=1)) / errors, nan=0.0, posinf=math.inf)
        for freedom in np.unique(rounds - 1).tolist():
            angle = np.arctan(t[rounds - 1 == freedom] / math.sqrt(freedom))
            yield from np.maximum(
                0.0, 1 - inside_angle(angle, np.sin(angle), np.cos(angle), freedom)
            ).tolist()
    for part, others in combinations(alike.values(), 2):
        questions = {i: _question(*pair) for i, pair in enumerate(product(part, others))}
        yield from (found.p for found in decide(questions).values() if not math.isnan(found.p))


def within(groups: Iterable[ComparableGroup]) -> Order:
    """The order within each group of a run; a group is a family of its own."""
    return Order({cell: place for group in groups for cell, place in among(group.cells).places.items()})


def doubt(decisions: Iterable[Decision]) -> str:
    """Reasons why some of these are undecided; empty if none is."""
    return joined(list(dict.fromkeys(one.reason for one in decisions if one.side == "undecided")), "or")


@dataclass(frozen=True, slots=True)
class Ranking:
    """The timed cells of one kernel at one resolution, the fastest first."""

    kernel: str
    resolution: int | str
    cells: tuple[ReportedCell, ...]
    order: Order

    @property
    def leaders(self) -> tuple[ReportedCell, ...]:
        """Those that may be fastest."""
        return candidates(self.cells, self.order)

    def named(self, name: str | None) -> ReportedCell | None:
        """The cell of this name; None if it was not timed."""
        return next((cell for cell in self.cells if cell.name == name), None)

    @property
    def open(self) -> str:
        """Reasons why no one leader is fastest; empty if there is one, or no difference."""
        return doubt(self.order.between(one, other) for one, other in combinations(self.leaders, 2))

    @property
    def finished(self) -> bool:
        """True if all cells of this setting have been measured."""
        return not any(p.unfinished for p in self.cells if p.kernel == self.kernel)

    @property
    def countable(self) -> list[ReportedCell]:
        """The cells that can be ranked by MACs: those with an exact count."""
        return [p for p in self.cells if p.exact and not math.isnan(p.macs)]

    @property
    def setting(self) -> str:
        """Resolution and kernel: "224 px, math"."""
        return f"{pixels(self.resolution)}, {self.kernel}"


def candidates(cells: Sequence[ReportedCell], order: Order) -> tuple[ReportedCell, ...]:
    """Those of these timed cells that may be fastest, by median throughput, the highest first.

    It begins with the highest and ends before the first that is surely slower than that or not near it: one
    whose rounds vary much is not named while another with a higher median is not.
    """
    ranked = sorted(cells, key=lambda p: -p.throughput.value)
    first = ranked[0]
    return tuple(takewhile(lambda p: not order.faster(first, p) and _near(p, first), ranked))


def places(cells: Sequence[ReportedCell], order: Order) -> dict[str, int]:
    """Cell of one setting → 1 if it may be fastest, 2 if it may be the next, 0 if neither.

    All are 0 where nobody can say who is slower. Empty where fewer than two were timed or no cell has an
    interval, so that only medians can speak.
    """
    timed = [cell for cell in cells if cell.throughput.known]
    if len(timed) < 2 or not any(cell.throughput.bounded for cell in timed):
        return {}
    found = dict.fromkeys((cell.id for cell in timed), 0)
    first = candidates(timed, order)
    rest = [cell for cell in timed if cell not in first]
    if rest:
        found |= {cell.id: 1 for cell in first}
        found |= {cell.id: 2 for cell in candidates(rest, order)}
    return found


def rankings(cells: Sequence[ReportedCell], order: Order) -> list[Ranking]:
    """Every kernel and resolution at which at least two cells were timed."""
    timed = sorted((p for p in cells if p.throughput.known), key=lambda p: -p.throughput.value)
    every = []
    for kernel in kernels_of(timed):
        mine = {cell.id for cell in counting(cells, kernel)}
        for resolution in resolutions_of(p for p in timed if p.kernel == kernel):
            here = tuple(p for p in timed if p.resolution == resolution and p.id in mine)
            every.append(Ranking(kernel, resolution, here, order))
    return [ranking for ranking in every if len(ranking.cells) > 1]


def speed(cell: ReportedCell) -> str:
    """Throughput with its interval: "5,104 images/s [5,050, 5,150]"."""
    value = cell.throughput
    if not value.bounded:
        return rate(value.value)
    lo, hi = (rate(end).removesuffix(" images/s") for end in (value.lo, value.hi))
    return f"{rate(value.value)} [{lo}, {hi}]"


def with_standings(groups: Iterable[ComparableGroup], order: Order) -> list[ComparableGroup]:
    """The groups, each cell with its `standing` among all of its group and resolution, on any kernel.

    None where MACs or speed are missing, where MACs are a lower bound that nothing beats, and where only
    medians speak for a place on the front: without intervals, or far behind a cell that needs less.
    """
    standing: dict[str, Standing | None] = {}
    groups = list(groups)
    for group in groups:
        placed = (p for p in group.cells if p.throughput.known and not math.isnan(p.macs))
        for panel in grouped(placed, lambda cell: cell.resolution).values():
            standing |= {cell.id: stand for cell, stand in front_of(panel, order)}
    return [
        replace(group, cells=tuple(replace(p, standing=standing.get(p.id)) for p in group.cells))
        for group in groups
    ]


def front_of(panel: Sequence[ReportedCell], order: Order) -> list[tuple[ReportedCell, Standing | None]]:
    """Place of each cell to the Pareto front of MACs against throughput among these."""
    panel = sorted(panel, key=lambda p: -p.throughput.value)  # what beats a cell is found at once
    stands = standings(
        [Candidate(cost=p.macs, exact=p.exact) for p in panel], lambda i, j: order.side(panel[i], panel[j])
    )
    return [
        (cell, None if stand == "possible" and not _may_be(cell, panel) else stand)
        for cell, stand in zip(panel, stands, strict=True)
    ]


def _may_be(cell: ReportedCell, panel: Sequence[ReportedCell]) -> bool:
    """True if a cell may be on the front: it has an interval, and is near each that needs no more."""
    cheaper = [other for other in panel if other.exact and other.macs <= cell.macs]
    return cell.throughput.bounded and all(_near(cell, other) for other in cheaper)


def _near(cell: ReportedCell, other: ReportedCell) -> bool:
    return cell.throughput.value >= NEAR * other.throughput.value
