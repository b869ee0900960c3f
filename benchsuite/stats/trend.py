"""Change points of a series of measurements, and its drift. Pure, and repeatable.

A series is one number a run, in order of time: the log of a cell's median latency. Candidates come from PELT
with a squared cost and a penalty like BIC's; a candidate counts only if a permutation test of its two
neighbouring stretches agrees and it is not too small to care about.

Sources: Killick, Fearnhead and Eckley, "Optimal detection of changepoints with a linear computational cost",
JASA 107 (2012), algorithm PELT; Matteson and James, "A nonparametric approach for multiple change point
analysis of multivariate data", JASA 109 (2014), who test each step by permutation (there, of another
statistic); von Neumann, Kent, Bellinson and Hart, "The mean square successive difference", Annals of
Mathematical Statistics 12 (1941), for noise from differences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FLOOR = math.log(1.02)
"""Steps below 2 % are not told: between processes medians move by as much without a reason."""
CHANCE = 0.005
"""Largest probability of a permutation as extreme as the step."""
PERMUTATIONS = 1999
SHORTEST = 3
"""Runs on a level before it counts as one: a single slow run is an outlier, and so are two."""
PENALTY = 3.0
"""Times ln n and the variance of noise: the price of a step, which has a place and a level."""
LEAST_NOISE = 1e-3
"""Least noise of a log median; a series that happens to repeat itself is no proof of a quieter machine."""
_NORMAL_Q75 = 1.1503
"""75 % quantile of the absolute value of a standard normal number."""


@dataclass(frozen=True, slots=True)
class Step:
    """A change of level.

    Attributes:
        at: index of the first value on the new level.
        size: difference of the means of the two levels; of logs, so exp(size) is the ratio.
        chance: how often shuffled values show a step like this; at least 1 / (PERMUTATIONS + 1).
    """

    at: int
    size: float
    chance: float

    @property
    def ratio(self) -> float:
        """New level over old one."""
        return math.exp(self.size)


@dataclass(frozen=True, slots=True)
class Trend:
    """Steps and drift of a series.

    Attributes:
        steps: in order of time.
        drift: mean of the last third minus that of the first, where the series creeps rather than steps;
            None if it does not.
        noise: standard deviation of one value around its level.
    """

    steps: tuple[Step, ...]
    drift: float | None
    noise: float


def trend(values: Sequence[float]) -> Trend:
    """Steps and drift of a series; neither where there are fewer than 2 × SHORTEST values.

    Both would be found in a series that creeps, since a staircase is near a slope. It is told as drift if a
    straight line explains it as well as the stairs do, at the same price for each parameter.

    Raises:
        ValueError: a value is not a finite number.
    """
    series = np.asarray(values, dtype=np.float64)
    if not np.isfinite(series).all():
        raise ValueError("a series holds numbers only; leave out runs without one")
    spread = noise(series)
    if len(series) < 2 * SHORTEST:
        return Trend((), None, spread)
    price = PENALTY * math.log(len(series)) * spread**2
    steps = _confirmed(series, candidates(series, price))
    drift = _drift(series)
    if drift is not None and steps:
        stairs = _stairs_cost(series, [step.at for step in steps], price)
        if _line_cost(series) + price <= stairs:
            return Trend((), drift, spread)
    if steps:
        return Trend(steps, None, spread)
    return Trend((), drift, spread)


def noise(series: Floats) -> float:
    """Standard deviation around the level, from differences of neighbours, so that steps hardly count.

    The upper quartile of their sizes is taken: a few outliers do not move it, and a machine of two modes,
    whose neighbours are often alike, is not taken for a quiet one.
    """
    if len(series) < 2:
        return LEAST_NOISE
    quartile = float(np.quantile(np.abs(np.diff(series)), 0.75))
    return max(LEAST_NOISE, quartile / (_NORMAL_Q75 * math.sqrt(2)))


def candidates(series: Floats, price: float) -> list[int]:
    """Indices where PELT would begin a new level: the partition with the least squared error plus `price` a
    step.

    Takes time linear in n where steps keep coming, and at worst n².
    """
    n = len(series)
    sums = np.concatenate(([0.0], np.cumsum(series - series.mean())))
    squares = np.concatenate(([0.0], np.cumsum((series - series.mean()) ** 2)))
    best = np.full(n + 1, np.inf)
    best[0] = -price
    last = np.zeros(n + 1, dtype=np.int64)
    starts = np.array([0])
    leaves = np.full(n + 1, n + 2)
    for end in range(SHORTEST, n + 1):
        length = end - starts
        cost = squares[end] - squares[starts] - (sums[end] - sums[starts]) ** 2 / length
        reached = best[starts] + cost
        total = reached + price
        choice = int(np.argmin(total))
        best[end], last[end] = total[choice], starts[choice]
        # What a level from `end` on beats can never win again, as soon as that level is long enough.
        beaten = starts[reached > best[end]]
        leaves[beaten] = np.minimum(leaves[beaten], end + SHORTEST)
        fresh = end - SHORTEST + 1
        starts = np.append(starts, fresh) if fresh >= SHORTEST else starts
        starts = starts[leaves[starts] > end + 1]
    found: list[int] = []
    end = int(last[n])
    while end > 0:
        found.append(end)
        end = int(last[end])
    return found[::-1]


def _confirmed(series: Floats, places: Sequence[int]) -> tuple[Step, ...]:
    """The steps left when the least certain one is dropped until all are certain and large enough."""
    left = list(places)
    while left:
        ends = [0, *left, len(series)]
        steps = [_step(series[a:c], b - a, a) for (a, b), (_, c) in pairwise(pairwise(ends))]
        limit = max(CHANCE / len(left), 1 / (PERMUTATIONS + 1))  # a long series is tested often
        doubtful = [step for step in steps if step.chance > limit or abs(step.size) < FLOOR]
        if not doubtful:
            return tuple(steps)
        left.remove(min(doubtful, key=lambda step: (-step.chance, abs(step.size))).at)
    return ()


def _step(stretch: Floats, split: int, offset: int) -> Step:
    size = float(stretch[split:].mean() - stretch[:split].mean())
    return Step(offset + split, size, _chance_of_step(stretch))


def _chance_of_step(stretch: Floats) -> float:
    """Share of shuffled stretches whose clearest step, wherever it is, is as clear as the clearest here."""
    shuffled = _shuffled(stretch)
    clearest = _clearest(np.vstack([stretch, shuffled]))
    return float(np.mean(clearest >= clearest[0] * (1 - 1e-9)))


def _shuffled(values: Floats) -> Floats:
    rng = np.random.default_rng(20120718)  # the same answer on every reading
    return rng.permuted(np.tile(values, (PERMUTATIONS, 1)), axis=1)


def _clearest(rows: Floats) -> Floats:
    """Largest difference of means over its standard error, over all places of a step, for each row."""
    n = rows.shape[1]
    left = np.arange(SHORTEST, n - SHORTEST + 1)
    sums = np.cumsum(rows - rows.mean(axis=1, keepdims=True), axis=1)[:, left - 1]
    # Of numbers with mean 0 the left sum is minus the right one, so that one sum tells both means.
    return np.asarray(np.max(np.abs(sums) * np.sqrt(n / (left * (n - left))), axis=1), dtype=np.float64)


def _drift(series: Floats) -> float | None:
    """Last third minus first third, if it is large enough and shuffled values seldom differ as much."""
    third = len(series) // 3
    if third < SHORTEST:
        return None
    rows = np.vstack([series, _shuffled(series)])
    sizes = rows[:, -third:].mean(axis=1) - rows[:, :third].mean(axis=1)
    by_chance = float(np.mean(np.abs(sizes) >= abs(sizes[0]) * (1 - 1e-9)))
    return float(sizes[0]) if abs(sizes[0]) >= FLOOR and by_chance <= CHANCE else None


def _line_cost(series: Floats) -> float:
    """Squared error around the best straight line."""
    x = np.arange(len(series)) - (len(series) - 1) / 2
    around = series - series.mean()
    return float(around @ around - (x @ around) ** 2 / (x @ x))


def _stairs_cost(series: Floats, places: Sequence[int], price: float) -> float:
    """Squared error around the levels, and the price of the steps between them."""
    ends = [0, *places, len(series)]
    return sum(float(np.var(series[a:b]) * (b - a)) for a, b in pairwise(ends)) + price * len(places)
