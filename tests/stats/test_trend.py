"""Steps and drift in series whose truth is known, and none in noise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from benchsuite.stats.trend import FLOOR, SHORTEST, Trend, candidates, noise, trend

RUNS = 30


def steady(rng: np.random.Generator, n: int = RUNS) -> np.ndarray:
    return rng.normal(0, 0.01, n)


def bimodal(rng: np.random.Generator, n: int = RUNS) -> np.ndarray:
    """A process lands in one of two modes that are 12 % apart."""
    return rng.choice([0, 0.12], n) + rng.normal(0, 0.005, n)


def spiky(rng: np.random.Generator, n: int = RUNS) -> np.ndarray:
    """One run in twenty is half as slow again."""
    return rng.normal(0, 0.01, n) + 0.4 * (rng.random(n) < 0.05)


def heavy(rng: np.random.Generator, n: int = RUNS) -> np.ndarray:
    return 0.01 * rng.standard_t(3, n)


def moved(found: Trend) -> bool:
    return bool(found.steps) or found.drift is not None


@pytest.mark.parametrize("machine", [steady, bimodal, spiky, heavy])
def test_no_step_is_invented_in_noise(machine: Callable[[np.random.Generator], np.ndarray]) -> None:
    """At most 1 % of series, with room for chance in 200 of them: P(more than 6 of 200 at 1 %) is 0.5 %."""
    rng = np.random.default_rng(1)
    assert sum(moved(trend(machine(rng))) for _ in range(200)) <= 6


@pytest.mark.parametrize("after", [4, 6, 15])
def test_a_step_of_ten_per_cent_is_found_where_it_is(after: int) -> None:
    rng = np.random.default_rng(2)
    right = 0
    for _ in range(40):
        series = steady(rng)
        series[-after:] += math.log(1.1)
        found = trend(series)
        right += [step.at for step in found.steps] == [RUNS - after]
    assert right >= 38


def test_the_size_of_a_step_is_the_ratio_of_the_levels() -> None:
    series = [0.0, 0.001, -0.001, 0.001] * 3 + [0.1, 0.101, 0.099, 0.101] * 3
    (step,) = trend(series).steps
    assert (step.at, step.size) == (12, pytest.approx(0.1))
    assert step.ratio == pytest.approx(math.exp(0.1))


def test_up_and_down_again_are_two_steps() -> None:
    rng = np.random.default_rng(3)
    series = steady(rng)
    series[10:20] += 0.1
    found = trend(series).steps
    assert [step.at for step in found] == [10, 20]
    assert found[0].size > 0.08
    assert found[1].size < -0.08


def test_a_slope_is_drift_and_no_staircase() -> None:
    rng = np.random.default_rng(4)
    found = trend(steady(rng, 60) + np.linspace(0, 0.12, 60))
    assert found.steps == ()
    assert found.drift == pytest.approx(0.08, abs=0.01)  # of 0.12, two thirds lie between the thirds' middles


def test_a_step_is_no_drift() -> None:
    series = steady(np.random.default_rng(5))
    series[15:] += 0.1
    assert trend(series).drift is None


def test_what_is_smaller_than_the_floor_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    series = np.array([0.0, 1e-4] * 10 + [FLOOR / 2, FLOOR / 2 + 1e-4] * 10)
    assert not moved(trend(series))
    monkeypatch.setattr("benchsuite.stats.trend.FLOOR", FLOOR / 4)
    assert moved(trend(series))


def test_two_slow_runs_are_no_level() -> None:
    series = [0.0] * 10 + [0.5] * (SHORTEST - 1) + [0.0] * 10
    assert not moved(trend(series))


@pytest.mark.parametrize("n", [0, 1, 2 * SHORTEST - 1])
def test_a_short_series_shows_nothing(n: int) -> None:
    assert not moved(trend([0.0, 1.0, 5.0, 0.0, 9.0][:n]))


def test_three_runs_beside_three_are_too_few_to_be_certain() -> None:
    """Of 20 ways to choose three of six, two split them like this: one in ten by chance."""
    assert not moved(trend([0.0, 0.001, 0.0, 1.0, 1.001, 1.0]))


def test_a_series_that_never_changes_has_no_step() -> None:
    assert trend([0.5] * 20) == Trend((), None, noise(np.array([0.5] * 20)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_missing_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="numbers only"):
        trend([0.0, bad, 0.1])


def test_the_answer_is_the_same_each_time() -> None:
    series = bimodal(np.random.default_rng(6))
    assert trend(series) == trend(series)


def test_noise_is_told_apart_from_a_step_and_outliers() -> None:
    rng = np.random.default_rng(7)
    series = rng.normal(0, 0.02, 400)
    series[200:] += 1
    series[50] += 5
    assert noise(series) == pytest.approx(0.02, rel=0.15)


def test_pelt_finds_the_partition_of_least_cost() -> None:
    """Held against all partitions of a short series, by brute force."""
    from itertools import combinations, pairwise

    rng = np.random.default_rng(8)
    for price in (0.05, 0.2, 0.5, 1.0, 2.0, 4.0) * 3:
        series = rng.normal(0, 1, 12)
        series[6:] += 1.5

        def cost(places: tuple[int, ...], series: np.ndarray = series, price: float = price) -> float:
            ends = (0, *places, 12)
            if any(b - a < SHORTEST for a, b in pairwise(ends)):
                return math.inf
            return sum(float(np.var(series[a:b]) * (b - a)) for a, b in pairwise(ends)) + price * len(places)

        best = min((p for k in range(4) for p in combinations(range(1, 12), k)), key=cost)
        assert candidates(series, price) == list(best)
