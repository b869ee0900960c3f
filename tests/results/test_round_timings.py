"""Rounds joined to one timing, and taken apart again."""

from __future__ import annotations

from typing import Any

import pytest

from benchsuite.results.record import Busy, Timing
from benchsuite.results.round_timings import combined, latency_of, round_medians
from benchsuite.stats.evidence import confidence_of, estimate, half_width


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
    found = combined([visit(1.0, 2.0), visit(3.0), visit(4.0, 5.0, 6.0)], "samples")
    assert found.samples_s == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert found.rounds == (2, 1, 3)


def test_one_visit_is_the_timing_but_for_its_precision() -> None:
    only = visit(1.0, 2.0, warmup_stable=True)
    assert combined([only], "samples") == only
    assert combined([only], "samples").rounds == ()


def test_warm_up_is_that_of_all_rounds() -> None:
    visits = [visit(1.0, warmup_calls=30, warmup_s=1.5), visit(1.0, warmup_calls=2, warmup_s=0.25)]
    found = combined(visits, "samples")
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
    assert combined([visit(1.0, warmup_stable=one) for one in stable], "samples").warmup_stable is expected


def test_what_ended_the_rounds_is_what_ended_the_sampling() -> None:
    assert combined([visit(1.0, stopped_by="time"), visit(1.0)], "rounds").stopped_by == "rounds"


@pytest.mark.parametrize("stopped_by", ["precision", "rounds"])
def test_precision_is_that_between_rounds_by_what_ended_them(stopped_by: str) -> None:
    found = combined([visit(1.0, 1.1), visit(1.2), visit(0.9, 1.0, 5.0)], stopped_by)
    assert found.precision == half_width([1.05, 1.2, 1.0], confidence_of(stopped_by))


def test_fewer_than_three_rounds_have_no_precision() -> None:
    assert combined([visit(1.0, precision=0.1), visit(2.0)], "rounds").precision is None


def test_rounds_are_found_again_in_the_timing_of_all() -> None:
    visits = [visit(1.0, 1.1, 7.0), visit(1.2), visit(0.9, 1.0)]
    found = combined(visits, "precision")
    assert round_medians(found) == pytest.approx((1.1, 1.2, 0.95))
    assert round_medians(visits[0]) == (1.1,)
    assert latency_of(found, {"selftest": {"drift_percent": 2.0}}) == estimate(
        round_medians(found), 0.02, confidence_of("precision")
    )


def test_rounds_that_do_not_add_up_are_not_believed() -> None:
    assert round_medians(visit(1.0, 2.0, 3.0, rounds=(1, 1))) == (2.0,)


def test_parts_are_joined_like_samples() -> None:
    first = visit(3.0, parts_s={"forward": (1.0,), "backward": (2.0,)})
    second = visit(7.0, parts_s={"forward": (3.0,), "backward": (4.0,)})
    assert combined([first, second], "samples").parts_s == {"forward": (1.0, 3.0), "backward": (2.0, 4.0)}


def test_device_time_is_that_of_the_last_visit_that_has_one() -> None:
    busy = [Busy(seconds=seconds, method="cuda_graph") for seconds in (0.1, 0.2)]
    visits = [visit(1.0, busy=busy[0]), visit(1.0, busy=busy[1]), visit(1.0)]
    assert combined(visits, "samples").busy == busy[1]
    assert combined([visit(1.0), visit(1.0)], "samples").busy is None


def test_no_visits_have_no_timing() -> None:
    with pytest.raises(ValueError, match="never visited"):
        combined([], "samples")
