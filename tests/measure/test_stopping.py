"""Stopping rules: why they stop, and how they share their budgets among rounds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.measure.stopping import Entropy, FixedCount, RelativeInterval, Visit, rule_of
from benchsuite.scenario.measure import RULES, Measure

PRECISE = [1.0] * 7
NOISY = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 2.0]


@pytest.mark.parametrize(
    ("samples", "elapsed_s", "reason"),
    [
        ([1.0] * 4, 99.0, None),  # min_samples come first, even when the time is up
        ([1.0] * 6, 0.0, None),  # six equal samples have no 97 % interval yet
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
        rule = rule_of(Measure(rule=word, min_samples=3, max_samples=9, max_s=2.0), "cpu")
        assert isinstance(rule, FixedCount)
        assert (rule.min_samples, rule.max_samples, rule.max_s) == (3, 9, 2.0)


@pytest.mark.parametrize(("device", "precision"), [("cpu", 0.02), ("cuda:1", 0.01)])
def test_the_precision_that_a_scenario_leaves_open_is_the_devices(device: str, precision: float) -> None:
    rule = rule_of(Measure(), device)
    assert isinstance(rule, RelativeInterval)
    assert rule.precision == precision


def visits(rule: FixedCount, rounds: int, taken: Sequence[int]) -> list[FixedCount]:
    """The rules of all rounds when each takes so many samples."""
    shares, seen = [], 0
    for number in range(rounds):
        share = rule.share(Visit(number, rounds, (1.0,) * seen))
        assert isinstance(share, FixedCount)
        shares.append(share)
        seen += taken[number]
    return shares


def test_one_round_has_the_whole_budget() -> None:
    rule = RelativeInterval(min_samples=10, max_samples=200, max_s=5.0, precision=0.01)
    assert rule.share(Visit()) == rule


def test_what_a_round_leaves_over_a_later_one_may_take() -> None:
    rule = FixedCount(min_samples=3, max_samples=30, max_s=6.0)
    assert [share.max_samples for share in visits(rule, 3, [2, 10, 8])] == [10, 20, 30]
    assert [share.max_s for share in visits(rule, 3, [2, 10, 8])] == [2.0] * 3


def test_every_round_takes_its_part_of_the_least_samples_even_when_there_are_enough() -> None:
    rule = FixedCount(min_samples=9, max_samples=90, max_s=6.0)
    assert [share.min_samples for share in visits(rule, 3, [20, 3, 3])] == [3, 23, 26]


@given(st.integers(1, 50), st.integers(0, 150), st.integers(1, 12), st.booleans(), st.floats(0.1, 10))
def test_rounds_that_take_all_or_little_stay_within_the_budgets_and_are_never_empty(
    least: int, more: int, rounds: int, greedy: bool, max_s: float
) -> None:
    rule = FixedCount(min_samples=least, max_samples=least + more, max_s=max_s)
    seen, seconds = 0, 0.0
    for number in range(rounds):
        share = rule.share(Visit(number, rounds, (1.0,) * seen))
        assert isinstance(share, FixedCount)
        assert seen < share.min_samples <= share.max_samples
        seen = share.max_samples if greedy else share.min_samples
        seconds += share.max_s
    assert seen >= least
    assert seen <= max(rule.max_samples, rounds)  # a round takes one sample even beyond the budget
    assert seconds == pytest.approx(max_s)
