"""The timing loop on a device with a scripted clock: exact counts, no waiting."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

import pytest

from benchsuite.measure.device import FakeDevice
from benchsuite.measure.stopping import RelativeInterval
from benchsuite.measure.timing import BLOCK_CALLS, BLOCK_S, WarmUp, measure_time

NO_WARM_UP = WarmUp(calls=0, seconds=0.0)


def fixed(count: int) -> RelativeInterval:
    return RelativeInterval(min_samples=count, max_samples=count, max_s=1e9)


def nothing() -> None:
    """The step; the fake device decides how long it took."""


def test_samples_are_the_durations_after_the_warm_up_in_order() -> None:
    device = FakeDevice(iter([9.0, 8.0, 7.0, 0.5, 0.6, 0.7]))
    timing = measure_time(nothing, device, WarmUp(calls=3, seconds=0.0), fixed(3), threads=2)
    assert timing.samples_s == (0.5, 0.6, 0.7)
    assert timing.warmup_calls == 3
    assert timing.warmup_s == 24.0
    assert timing.stopped_by == "samples"
    assert timing.method == "fake_clock"
    assert timing.threads == 2


def test_every_sample_is_kept_however_far_out() -> None:
    script = [1.0, 1.0, 1000.0, 1.0]
    timing = measure_time(nothing, FakeDevice(iter(script)), NO_WARM_UP, fixed(4), threads=1)
    assert list(timing.samples_s) == script


def test_warm_up_lasts_for_its_seconds_when_its_calls_are_over_sooner() -> None:
    device = FakeDevice(repeat(0.25))
    timing = measure_time(nothing, device, WarmUp(calls=2, seconds=1.0), fixed(1), threads=1)
    assert timing.warmup_calls == 4


def test_warm_up_makes_its_calls_when_its_seconds_are_over_sooner() -> None:
    device = FakeDevice(repeat(10.0))
    timing = measure_time(nothing, device, WarmUp(calls=3, seconds=1.0), fixed(1), threads=1)
    assert timing.warmup_calls == 3


def test_the_device_is_waited_for_before_and_after_the_warm_up() -> None:
    device = FakeDevice(repeat(1.0))
    measure_time(nothing, device, WarmUp(calls=1, seconds=0.0), fixed(1), threads=1)
    assert device.synchronized == 2


def test_short_calls_are_timed_in_blocks_that_never_exceed_the_budget_of_samples() -> None:
    device = FakeDevice(repeat(1e-5))
    timing = measure_time(nothing, device, WarmUp(calls=1, seconds=0.0), fixed(100), threads=1)
    assert len(timing.samples_s) == 100
    assert device.blocks == [1, BLOCK_CALLS, 100 - BLOCK_CALLS]


def test_a_block_of_longer_calls_holds_about_its_aim_of_seconds() -> None:
    device = FakeDevice(repeat(0.02))
    measure_time(nothing, device, WarmUp(calls=1, seconds=0.0), fixed(10), threads=1)
    assert device.blocks == [1, int(BLOCK_S / 0.02), int(BLOCK_S / 0.02)]


def test_the_first_block_after_no_warm_up_is_one_call_since_nothing_is_known() -> None:
    device = FakeDevice(repeat(1e-5))
    measure_time(nothing, device, NO_WARM_UP, fixed(5), threads=1)
    assert device.blocks == [1, 4]


def test_the_budget_of_time_is_read_on_the_host_and_not_summed_from_the_samples() -> None:
    """On a GPU the host waits longer than the kernels run; the budget is what the user waits."""
    device = FakeDevice(repeat(0.1), host_seconds_per_call=1.0)
    rule = RelativeInterval(min_samples=1, max_samples=1000, max_s=3.0)
    timing = measure_time(nothing, device, WarmUp(calls=1, seconds=0.0), rule, threads=1)
    assert timing.stopped_by == "time"
    assert len(timing.samples_s) == 3


def test_sampling_stops_when_the_interval_is_narrow_enough() -> None:
    device = FakeDevice(repeat(0.5))
    rule = RelativeInterval(min_samples=2, max_samples=100, max_s=1e9, precision=0.01)
    timing = measure_time(nothing, device, NO_WARM_UP, rule, threads=1)
    assert timing.stopped_by == "precision"
    assert len(timing.samples_s) == 6  # below six samples there is no 95 % interval of the median


def test_noisy_samples_use_up_the_budget() -> None:
    device = FakeDevice(chain.from_iterable(repeat([0.5, 1.0])))
    rule = RelativeInterval(min_samples=2, max_samples=40, max_s=1e9, precision=0.01)
    timing = measure_time(nothing, device, NO_WARM_UP, rule, threads=1)
    assert timing.stopped_by == "samples"
    assert len(timing.samples_s) == 40


@pytest.mark.parametrize(
    ("samples", "elapsed_s", "reason"),
    [
        ([1.0] * 4, 99.0, None),  # min_samples come first, even when the time is up
        ([1.0] * 5, 0.0, None),  # five equal samples have no interval yet
        ([1.0] * 6, 0.0, "precision"),
        ([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], 0.0, None),
        ([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], 10.0, "time"),
        ([1.0, 2.0] * 10, 0.0, "samples"),
    ],
)
def test_the_rule_says_why_it_stops(samples: Sequence[float], elapsed_s: float, reason: str | None) -> None:
    rule = RelativeInterval(min_samples=5, max_samples=20, max_s=10.0, precision=0.05)
    assert rule.reason(samples, elapsed_s) == reason


def test_without_a_precision_only_the_budgets_stop() -> None:
    rule = RelativeInterval(min_samples=1, max_samples=20, max_s=10.0)
    assert rule.reason([1.0] * 19, 0.0) is None
