"""Visits joined to one timing."""

from __future__ import annotations

from typing import Any

import pytest

from benchsuite.results.record import Busy, Timing
from benchsuite.results.rounds import combined
from benchsuite.stats.summary import sampled_interval


def visit(*samples: float, **fields: Any) -> Timing:
    plain = {
        "method": "fake_clock",
        "warmup_calls": 3,
        "warmup_s": 0.5,
        "stopped_by": "samples",
        "threads": 2,
    }
    return Timing(samples_s=samples, **(plain | fields))


def test_samples_are_joined_in_order_and_counted_by_round() -> None:
    found = combined([visit(1.0, 2.0), visit(3.0), visit(4.0, 5.0, 6.0)])
    assert found.samples_s == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert found.rounds == (2, 1, 3)


def test_one_visit_is_the_timing_but_for_its_precision() -> None:
    only = visit(1.0, 2.0, warmup_stable=True)
    assert combined([only]) == only
    assert combined([only]).rounds == ()


def test_warm_up_is_that_of_all_rounds() -> None:
    found = combined([visit(1.0, warmup_calls=30, warmup_s=1.5), visit(1.0, warmup_calls=2, warmup_s=0.25)])
    assert found.warmup_calls == 32
    assert found.warmup_s == 1.75


@pytest.mark.parametrize(
    ("stable", "expected"),
    [
        ((True, True), True),
        ((True, False), False),
        ((False, True), False),
        ((None, True), True),
        ((None, False), False),
        ((None, None), None),
    ],
)
def test_warm_up_was_stable_if_it_was_wherever_one_looked(
    stable: tuple[bool | None, ...], expected: bool | None
) -> None:
    assert combined([visit(1.0, warmup_stable=one) for one in stable]).warmup_stable is expected


def test_the_last_round_says_what_ended_the_sampling() -> None:
    assert (
        combined([visit(1.0, stopped_by="time"), visit(1.0, stopped_by="precision")]).stopped_by
        == "precision"
    )


@pytest.mark.parametrize("stopped_by", ["precision", "samples"])
def test_precision_is_that_of_all_samples_together(stopped_by: str) -> None:
    samples = (1.0, 1.1, 1.2, 1.3, 1.05, 1.15, 1.25, 1.35)
    found = combined([visit(*samples[:4], precision=0.5), visit(*samples[4:], stopped_by=stopped_by)])
    interval = sampled_interval(samples, stopped_by)
    assert interval is not None
    assert found.precision == pytest.approx((interval[1] - interval[0]) / 2 / 1.175)


def test_few_samples_have_no_precision() -> None:
    assert combined([visit(1.0, precision=0.1), visit(2.0)]).precision is None


def test_parts_are_joined_like_samples() -> None:
    first = visit(3.0, parts_s={"forward": (1.0,), "backward": (2.0,)})
    second = visit(7.0, parts_s={"forward": (3.0,), "backward": (4.0,)})
    assert combined([first, second]).parts_s == {"forward": (1.0, 3.0), "backward": (2.0, 4.0)}


def test_device_time_is_that_of_the_last_visit_that_has_one() -> None:
    busy = [Busy(seconds=seconds, method="cuda_graph") for seconds in (0.1, 0.2)]
    assert combined([visit(1.0, busy=busy[0]), visit(1.0, busy=busy[1]), visit(1.0)]).busy == busy[1]
    assert combined([visit(1.0), visit(1.0)]).busy is None


def test_no_visits_have_no_timing() -> None:
    with pytest.raises(ValueError, match="never visited"):
        combined([])
