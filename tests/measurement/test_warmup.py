"""Warm-up on a scripted clock: how long, and what it says of drift."""

from __future__ import annotations

import itertools
from itertools import chain, count, repeat

import numpy as np
import pytest

from benchsuite.measurement.timing import EXTRA, FIRST_CALLS, WarmUp, steady, warm
from tests.doubles.fake_device import FakeDevice


def nothing() -> None:
    """The step; the fake device decides how long it took."""


def test_steady_calls_are_warmed_up_for_just_the_seconds_asked_for() -> None:
    warmed = warm(nothing, FakeDevice(repeat(0.1)), WarmUp(calls=3, seconds=2.0))
    assert warmed.stable is True
    assert warmed.seconds == pytest.approx(2.0)


def test_calls_that_drift_prolong_the_warm_up_until_they_do_not() -> None:
    """Ever faster calls for four seconds, then steady ones."""
    faster = [0.2 * 0.95**i for i in range(20)]
    device = FakeDevice(chain(faster, repeat(faster[-1])))
    warmed = warm(nothing, device, WarmUp(calls=3, seconds=2.0))
    assert warmed.stable is True
    assert 2.0 < warmed.seconds < (1 + EXTRA) * 2.0


def test_a_drift_that_does_not_end_is_given_up_after_a_bounded_time_and_said() -> None:
    device = FakeDevice(0.1 * 1.02**i for i in count())
    warmed = warm(nothing, device, WarmUp(calls=3, seconds=1.0))
    assert warmed.stable is False
    assert (1 + EXTRA) * 1.0 <= warmed.seconds < (1 + EXTRA) * 1.0 + 0.5


def test_a_slow_first_call_is_no_drift() -> None:
    """It compiles for nine seconds, and its first repetition still allocates: neither is in the window."""
    device = FakeDevice(chain([9.0, 3.0], repeat(0.5)))
    warmed = warm(nothing, device, WarmUp(calls=FIRST_CALLS + 6, seconds=0.1))
    assert warmed.stable is True
    assert warmed.calls == FIRST_CALLS + 6


def test_too_few_calls_to_tell_prolong_nothing() -> None:
    warmed = warm(nothing, FakeDevice(0.1 * 2.0**i for i in count()), WarmUp(calls=5, seconds=1.0))
    assert warmed.stable is None
    assert warmed.calls == 5


def test_no_warm_up_makes_no_call() -> None:
    device = FakeDevice(iter(()))
    warmed = warm(nothing, device, WarmUp(calls=0, seconds=0.0))
    assert (warmed.calls, warmed.call_s, warmed.stable) == (0, 0.0, None)
    assert device.calls == 0


def test_every_round_warms_up_for_its_part_of_the_seconds_and_for_all_the_calls() -> None:
    assert WarmUp(calls=10, seconds=1.0).share(5) == WarmUp(calls=10, seconds=0.2)
    assert WarmUp(calls=0, seconds=0.0).share(3) == WarmUp(calls=0, seconds=0.0)


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        ([1.0] * 5, None),
        ([1.0] * 6, True),
        ([1.0] * 3 + [1.019] * 3, True),
        ([1.0] * 3 + [1.03] * 3, False),
        ([5.0] * 6 + [1.0] * 6, True),  # only the later half counts
        ([1.0, 1.2, 0.8, 1.3, 0.9, 1.1], True),  # spread, not drift
    ],
)
def test_durations_are_steady_when_the_halves_agree(durations: list[float], expected: bool | None) -> None:
    assert steady(durations) is expected


def test_noise_alone_is_seldom_taken_for_drift_and_a_drift_in_noise_is_found() -> None:
    """Noise of 10 % on 40 calls; half of them with a rise of 30 % over the later half."""
    rng = np.random.default_rng(2)
    rise = np.concatenate([np.ones(20), np.linspace(1, 1.6, 20)])
    noisy = [rng.lognormal(0, 0.1, 40) for _ in range(300)]
    false_alarms = sum(steady(calls.tolist()) is False for calls in noisy)
    found = sum(steady((calls * rise).tolist()) is False for calls in noisy)
    assert false_alarms < 300 * 0.15
    assert found > 300 * 0.85


def test_of_very_many_calls_only_some_are_compared_and_the_answer_is_the_same() -> None:
    steps = list(itertools.chain(repeat(1.0, 30_000), repeat(1.05, 10_000)))
    assert steady(steps) is False
    assert steady([1.0] * 40_000) is True
