"""How often the interval of the median holds the median: of a fixed number of samples, and of samples that
were taken until it was narrow. Seeded, so that it either always fails or never does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from benchsuite.measure.entropy import settled
from benchsuite.stats.summary import STOPPED_CONFIDENCE, median_interval

Array = npt.NDArray[np.float64]
RUNS = 3000
ERROR = 2.5 * (0.05 * 0.95 / RUNS) ** 0.5  # of a simulated coverage near 95 %
LEAST, MOST = 10, 200  # min_samples and max_samples


@dataclass(frozen=True)
class Latencies:
    """A distribution, its median, and a precision that takes some, but not all, of the budget."""

    draw: Callable[[np.random.Generator, tuple[int, int]], Array]
    median: float
    precision: float


def bimodal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return 1 + 0.1 * (rng.random(shape) < 0.3) + rng.uniform(-0.01, 0.01, shape)


SHAPES = {
    "skewed": Latencies(lambda rng, shape: rng.lognormal(0, 0.3, shape), 1.0, 0.1),
    "one-sided": Latencies(lambda rng, shape: 1 + rng.exponential(0.1, shape), 1 + 0.1 * np.log(2), 0.02),
    "Cauchy": Latencies(lambda rng, shape: 1 + 0.02 * rng.standard_cauchy(shape), 1.0, 0.0075),
    "Student t, 2 degrees": Latencies(lambda rng, shape: 1 + 0.03 * rng.standard_t(2, shape), 1.0, 0.01),
    "two modes": Latencies(bimodal, 0.99 + 0.02 * 0.5 / 0.7, 0.005),
}


def runs(shape: str, count: int, length: int) -> Array:
    return SHAPES[shape].draw(np.random.default_rng(20), (count, length))


def holds(samples: Array, median: float, confidence: float) -> bool:
    interval = median_interval(samples.tolist(), confidence)
    assert interval is not None
    return interval[0] <= median <= interval[1]


@pytest.mark.parametrize("count", [10, 20, 50, 200])
@pytest.mark.parametrize("shape", SHAPES)
def test_95_percent_of_fixed_samples_hold_the_median(shape: str, count: int) -> None:
    found = np.mean([holds(run, SHAPES[shape].median, 0.95) for run in runs(shape, RUNS, count)])
    assert 0.93 <= found <= 0.97


class Weights:
    """The interval as weights of sorted samples, so that many runs are looked at together; taken from
    `median_interval` itself by giving it the ranks."""

    def __init__(self, count: int, confidence: float) -> None:
        interval = median_interval([float(rank) for rank in range(count)], confidence)
        self.found = interval is not None
        self.ends = interval or (0.0, 0.0)

    def of(self, ordered: Array) -> tuple[Array, Array]:
        low, high = (self._at(ordered, end) for end in self.ends)
        return low, high

    @staticmethod
    def _at(ordered: Array, position: float) -> Array:
        below = int(position)
        above = min(below + 1, ordered.shape[1] - 1)
        part: Array = ordered[:, below] + (position - below) * (ordered[:, above] - ordered[:, below])
        return part


def sequential(shape: str, confidence: float) -> tuple[float, float]:
    """Coverage, and median number of samples, when one looks after every sample and stops at the first
    interval that is narrow. Runs that use up the budget are given the plain 95 % interval."""
    kind = SHAPES[shape]
    samples = runs(shape, RUNS, MOST)
    going = np.ones(RUNS, dtype=bool)
    covered = np.zeros(RUNS, dtype=bool)
    ended = np.full(RUNS, MOST)
    for count in range(LEAST, MOST + 1):
        ordered = np.sort(samples[going, :count], axis=1)
        low, high = Weights(count, confidence).of(ordered)
        stops = (high - low) / 2 <= kind.precision * np.median(ordered, axis=1)
        if count == MOST:
            low[~stops], high[~stops] = (end[~stops] for end in Weights(count, 0.95).of(ordered))
            stops[:] = True
        which = np.flatnonzero(going)[stops]
        covered[which] = ((low <= kind.median) & (kind.median <= high))[stops]
        ended[which] = count
        going[which] = False
    return float(covered.mean()), float(np.median(ended))


@pytest.mark.parametrize("confidence", [0.95, STOPPED_CONFIDENCE])
@pytest.mark.parametrize("count", [10, 11, 57, 200])
def test_the_weights_of_this_test_are_those_of_the_interval(count: int, confidence: float) -> None:
    samples = runs("skewed", 1, count)
    low, high = Weights(count, confidence).of(np.sort(samples, axis=1))
    assert (low[0], high[0]) == pytest.approx(median_interval(samples[0].tolist(), confidence))


@pytest.mark.parametrize("shape", SHAPES)
def test_95_percent_of_samples_that_stopped_for_precision_hold_the_median(shape: str) -> None:
    found, samples = sequential(shape, STOPPED_CONFIDENCE)
    assert LEAST < samples < MOST  # or the rule had nothing to decide
    assert 0.93 <= found <= 0.97 + ERROR


def test_without_the_wider_interval_stopping_for_precision_would_hold_it_too_seldom() -> None:
    assert sequential("one-sided", 0.95)[0] < 0.93
    assert sequential("skewed", 0.95)[0] < 0.93


def test_stopping_by_entropy_does_not_look_at_the_interval_and_needs_no_wider_one() -> None:
    kind, count = SHAPES["one-sided"], 300
    hits = 0
    for run in runs("one-sided", count, 400):
        ended = next((n for n in range(64, 400, 32) if settled(run[:n].tolist())), 400)
        hits += holds(run[:ended], kind.median, 0.95)
    assert hits / count >= 0.95 - 2.5 * (0.05 * 0.95 / count) ** 0.5
