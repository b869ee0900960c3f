"""Quantiles, and intervals of the median against exact probabilities and simulated coverage."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.stats.intervals import above, binomial_below, inside, median_interval, quantile, t_quantile

SAMPLES = st.lists(st.floats(min_value=1e-6, max_value=1e3), min_size=1, max_size=60)


@given(SAMPLES, st.floats(min_value=0, max_value=1))
def test_quantiles_are_those_of_numpy(samples: list[float], p: float) -> None:
    assert quantile(samples, p) == pytest.approx(float(np.quantile(samples, p)))


@given(SAMPLES)
def test_the_half_quantile_is_the_median(samples: list[float]) -> None:
    assert quantile(samples, 0.5) == pytest.approx(statistics.median(samples))


def test_a_quantile_of_nothing_raises() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        quantile([], 0.5)


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_a_quantile_outside_of_the_samples_raises(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile([1.0], p)


def coverage(n: int, depth: int) -> float:
    """Probability that the depth-th smallest and the depth-th largest of n samples enclose the median: every
    sample is above or below it with probability ½."""
    return 1 - 2 * sum(math.comb(n, k) for k in range(depth)) / 2**n


@pytest.mark.parametrize("n", range(6))
def test_there_is_no_interval_below_six_samples(n: int) -> None:
    assert median_interval([float(i) for i in range(n)]) is None


def test_the_interval_of_six_samples_is_the_one_worked_by_hand() -> None:
    """Ends 1 and 6 cover 31/32, ends 2 and 5 cover 25/32; the paper's λ is 5 · 0.1 / (1 + 4 · 0.1) = 5/14."""
    assert median_interval([3, 1, 2, 6, 5, 4]) == pytest.approx((1 + 5 / 14, 6 - 5 / 14))


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [8, 9, 20, 101])
def test_the_ends_lie_between_the_order_statistics_that_cover_more_and_less(
    n: int, confidence: float
) -> None:
    interval = median_interval([float(i) for i in range(1, n + 1)], confidence)
    assert interval is not None
    depth = int(interval[0])  # the samples are their own ranks
    assert coverage(n, depth) >= confidence > coverage(n, depth + 1)
    assert depth <= interval[0] <= depth + 1
    assert interval[0] + interval[1] == pytest.approx(n + 1)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_a_confidence_that_is_no_probability_raises(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        median_interval([1.0] * 10, confidence)


@given(st.lists(st.floats(min_value=1e-6, max_value=1e3), min_size=6, max_size=60), st.randoms())
def test_the_interval_holds_the_median_whatever_the_order_of_samples(
    samples: list[float], rng: random.Random
) -> None:
    interval = median_interval(samples)
    shuffled = samples[:]
    rng.shuffle(shuffled)
    assert interval == median_interval(shuffled)
    assert interval is not None
    assert min(samples) <= interval[0] <= quantile(samples, 0.5) <= interval[1] <= max(samples)


@given(st.lists(st.floats(min_value=1, max_value=100), min_size=6, max_size=30))
def test_milliseconds_give_the_same_interval_as_seconds(samples: list[float]) -> None:
    seconds, milliseconds = median_interval(samples), median_interval([1e3 * sample for sample in samples])
    assert seconds is not None
    assert milliseconds == pytest.approx((1e3 * seconds[0], 1e3 * seconds[1]))


def test_equal_samples_have_an_interval_of_no_width() -> None:
    assert median_interval([0.25] * 9) == (0.25, 0.25)


TRIALS = 2500
ERROR = 3 * (0.05 * 0.95 / TRIALS) ** 0.5  # three standard errors of a simulated coverage of 95 %


def covered(draw: Callable[[tuple[int, int]], np.ndarray], median: float, n: int) -> float:
    """Share of simulated runs of n samples whose interval holds the true median."""
    hits = 0
    for samples in draw((TRIALS, n)).tolist():
        interval = median_interval(samples)
        assert interval is not None
        hits += interval[0] <= median <= interval[1]
    return hits / TRIALS


def two_modes(share: float) -> tuple[Callable[[tuple[int, int]], np.ndarray], float]:
    """Latencies around 1 of which a share is slow, around 2: uniform within ± 0.1 of each; and the median."""
    rng = np.random.default_rng(11)

    def draw(shape: tuple[int, int]) -> np.ndarray:
        return 1 + (rng.random(shape) < share) + rng.uniform(-0.1, 0.1, shape)

    return draw, 0.9 + 0.2 * 0.5 / (1 - share)


@pytest.mark.parametrize("n", [6, 10, 20, 50, 200])
@pytest.mark.parametrize("shape", ["skewed", "heavy-tailed", "exponential", "two modes"])
def test_the_coverage_is_95_percent_whatever_the_distribution(shape: str, n: int) -> None:
    rng = np.random.default_rng(7)
    draw, median = {
        "skewed": (lambda size: rng.lognormal(0, 1, size), 1.0),
        "heavy-tailed": (rng.standard_cauchy, 0.0),
        "exponential": (lambda size: rng.exponential(1, size), float(np.log(2))),
        "two modes": two_modes(0.3),
    }[shape]
    assert 0.93 - ERROR <= covered(draw, median, n) <= 0.97 + ERROR


@pytest.mark.parametrize("n", [6, 10, 20, 50])
def test_a_median_at_the_edge_of_a_mode_is_covered_within_the_exact_bounds(n: int) -> None:
    """With 49 % slow samples the next sample above the median may be in the other mode, so that no
    interpolation can be right; what holds then are the probabilities of the two intervals around it."""
    draw, median = two_modes(0.49)
    depth = next(d for d in range(1, n) if coverage(n, d + 1) < 0.95)
    assert coverage(n, depth + 1) - ERROR <= covered(draw, median, n) <= coverage(n, depth) + ERROR


def test_a_coarse_clock_makes_the_coverage_larger() -> None:
    rng = np.random.default_rng(3)
    assert covered(lambda size: np.round(rng.exponential(1, size)), 1.0, 20) >= 0.95 - ERROR


@pytest.mark.parametrize(
    ("confidence", "freedom", "table"),
    [
        (0.95, 1, 12.706),
        (0.95, 2, 4.303),
        (0.95, 4, 2.776),
        (0.95, 5, 2.571),
        (0.95, 30, 2.042),
        (0.99, 4, 4.604),
        (0.99, 7, 3.499),
        (0.999, 4, 8.610),
        (0.999, 1, 636.619),
    ],
)
def test_quantiles_are_those_of_the_table(confidence: float, freedom: int, table: float) -> None:
    assert t_quantile(confidence, freedom) == pytest.approx(table, abs=6e-4)


def test_many_degrees_of_freedom_are_a_normal_distribution() -> None:
    assert t_quantile(0.95, 10_000) == pytest.approx(1.96, abs=1e-3)
    assert inside(1.0, 9_999) == pytest.approx(math.erf(1 / math.sqrt(2)), abs=1e-4)


def test_what_has_no_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="0 degrees"):
        t_quantile(0.95, 0)
    with pytest.raises(ValueError, match="confidence of 1"):
        t_quantile(1, 3)


@pytest.mark.parametrize(
    ("t", "freedom", "table"),
    [(6.314, 1, 0.05), (2.920, 2, 0.05), (1.860, 8, 0.05), (2.896, 8, 0.01), (3.355, 8, 0.005)],
)
def test_one_sided_probabilities_are_those_of_the_table(t: float, freedom: int, table: float) -> None:
    assert above(t, freedom) == pytest.approx(table, rel=2e-3)
    assert above(-t, freedom) == pytest.approx(1 - table, rel=2e-3)
    assert above(t_quantile(0.99, freedom), freedom) == pytest.approx(0.005, abs=1e-12)


def test_half_lies_above_zero_and_nothing_beyond_all_bounds() -> None:
    assert above(0.0, 5) == 0.5
    assert (above(math.inf, 8), above(-math.inf, 8)) == (0.0, 1.0)


def test_a_binomial_probability_is_the_one_worked_out_by_hand() -> None:
    """Of three at ¼: none 27/64, one 27/64, two 9/64, all 1/64."""
    assert [binomial_below(k, 3, 0.25) for k in range(4)] == pytest.approx([27 / 64, 54 / 64, 63 / 64, 1])
