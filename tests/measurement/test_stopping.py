"""Stopping rules: why they stop, and how they share their budgets among rounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.measurement.stopping import (
    MAX_ANGLE_DEGREES,
    WINDOW,
    Entropy,
    FixedCount,
    RelativeInterval,
    Visit,
    entropies,
    line,
    settled,
    stopping_rule,
)
from benchsuite.scenario.measure_settings import RULES, Measure

PRECISE = [1.0] * 7
NOISY = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 2.0]


@pytest.mark.parametrize(
    ("samples", "elapsed_s", "reason"),
    [
        ([1.0] * 4, 99.0, None),  # min_samples come first, even when the time is up
        ([1.0] * 5, 0.0, None),  # five equal samples have no interval yet
        (PRECISE, 0.0, "precision"),
        (PRECISE, 99.0, "precision"),
        (NOISY, 0.0, None),
        (NOISY, 10.0, "time"),
        ([1.0, 2.0] * 10, 0.0, "samples"),
    ],
)
def test_the_interval_rule_says_why_it_stops(
    samples: Sequence[float], elapsed_s: float, reason: str | None
) -> None:
    rule = RelativeInterval(min_samples=5, max_samples=20, max_s=10.0, precision=0.05)
    assert rule.reason(samples, elapsed_s) == reason


def test_without_a_precision_only_the_budgets_stop() -> None:
    rule = RelativeInterval(min_samples=1, max_samples=20, max_s=10.0)
    assert rule.reason([1.0] * 19, 0.0) is None
    assert rule.reason([1.0] * 20, 0.0) == "samples"


def test_a_fixed_count_is_taken_however_precise_the_samples() -> None:
    rule = FixedCount(min_samples=1, max_samples=20, max_s=10.0)
    assert rule.reason([1.0] * 19, 0.0) is None
    assert rule.reason([1.0] * 20, 0.0) == "samples"
    assert rule.reason([1.0] * 3, 10.0) == "time"


def test_the_entropy_rule_stops_when_nothing_new_is_said() -> None:
    rule = Entropy(min_samples=10, max_samples=200, max_s=10.0)
    assert rule.reason([1.0] * 63, 0.0) is None
    assert rule.reason([1.0] * 64, 0.0) == "entropy"
    assert rule.reason([1.1**i for i in range(100)], 0.0) is None


def test_every_word_of_a_scenario_makes_a_rule_with_its_budgets() -> None:
    for word in RULES:
        rule = stopping_rule(word, min_samples=3, max_samples=9, max_s=2.0)
        assert isinstance(rule, FixedCount)
        assert (rule.min_samples, rule.max_samples, rule.max_s) == (3, 9, 2.0)


@pytest.mark.parametrize(("device", "precision"), [("cpu", 0.02), ("cuda:1", 0.01)])
def test_the_precision_that_a_scenario_leaves_open_is_the_devices(device: str, precision: float) -> None:
    assert Measure().precision_on(device) == precision


def test_one_round_has_the_whole_budget() -> None:
    rule = RelativeInterval(min_samples=10, max_samples=200, max_s=5.0, precision=0.01)
    assert rule.share(Visit()) == rule


@given(st.integers(1, 50), st.integers(0, 150), st.integers(1, 12), st.floats(0.1, 10))
def test_rounds_share_the_budgets_alike_and_are_never_empty(
    least: int, more: int, rounds: int, max_s: float
) -> None:
    rule = FixedCount(min_samples=least, max_samples=least + more, max_s=max_s)
    shares = [rule.share(Visit(number, rounds)) for number in range(rounds)]
    assert len(set(shares)) == 1
    share = shares[0]
    assert isinstance(share, FixedCount)
    assert 1 <= share.min_samples <= share.max_samples
    assert least <= rounds * share.min_samples < least + rounds
    assert rule.max_samples <= rounds * share.max_samples < rule.max_samples + rounds
    assert rounds * share.max_s == pytest.approx(max_s)


def test_a_round_stops_where_another_one_says_more_and_never_below_its_least() -> None:
    rule = RelativeInterval(min_samples=8, max_samples=100, max_s=1e9, precision=0.001)
    share = rule.share(Visit(3, 2, wanted=6))
    spread = [1.0, 2.0] * 20
    assert share.reason(spread[:3], 0.0) is None
    assert share.reason(spread[:5], 0.0) is None
    assert share.reason(spread[:6], 0.0) == "precision"
    assert rule.share(Visit(0, 2)).reason(spread[:6], 0.0) is None


def test_the_entropy_of_two_equally_frequent_durations_is_one_bit() -> None:
    found = entropies([1.0, 2.0, 1.0, 2.0])
    assert found[0] == 0
    assert found[1] == found[3] == pytest.approx(1)
    assert found[2] == pytest.approx(2 / 3 * np.log2(3 / 2) + 1 / 3 * np.log2(3))


def test_durations_that_differ_by_less_than_a_bin_say_nothing_new() -> None:
    assert entropies([1.0, 1.001, 0.999])[-1] == pytest.approx(0)
    assert entropies([1.0, 1.01, 0.99])[-1] == pytest.approx(np.log2(3))


def test_the_unit_of_time_does_not_matter_where_every_sample_is_its_own_bin() -> None:
    samples = [1.1**i for i in range(9)]
    assert entropies(samples) == pytest.approx([np.log2(n) for n in range(1, 10)])


def test_the_line_is_that_of_least_squares() -> None:
    values = np.random.default_rng(0).normal(size=30)
    slope, r2 = line(values.tolist())
    assert slope == pytest.approx(np.polyfit(np.arange(30), values, 1)[0])
    assert r2 == pytest.approx(np.corrcoef(np.arange(30), values)[0, 1] ** 2)


def test_equal_samples_are_settled_once_the_window_is_full() -> None:
    assert not settled([0.5] * (WINDOW - 1))
    assert settled([0.5] * WINDOW)


def test_a_mode_that_has_just_been_discovered_is_not_settled() -> None:
    assert settled([1.0] * 200)
    assert not settled([1.0] * 150 + [2.0] * 50)


def test_samples_of_one_narrow_mode_settle_within_a_few_hundred() -> None:
    rng = np.random.default_rng(5)
    counts = []
    for _ in range(40):
        samples = rng.normal(1, 0.01, 1000).tolist()
        counts.append(next((n for n in range(WINDOW, 1000, 8) if settled(samples[:n])), 1000))
    assert min(counts) >= WINDOW
    assert np.median(counts) < 400
    assert max(counts) < 1000


def test_a_steep_line_is_not_flat_and_a_scattered_one_no_line() -> None:
    steep = np.tan(np.radians(MAX_ANGLE_DEGREES)) * 1.01
    slope, r2 = line([steep * i for i in range(WINDOW)])
    assert slope > np.tan(np.radians(MAX_ANGLE_DEGREES))
    assert r2 == pytest.approx(1)
