"""Scales: logarithmic only where the range asks for it, ticks that are round and inside."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchsuite.report.figures.scales import positions, scale, tick_text, title_of
from benchsuite.results.metrics import METRICS

POSITIVE = st.lists(st.floats(min_value=1e-6, max_value=1e12), min_size=1, max_size=20)
UNITS = st.sampled_from(["s", "B", "MAC", "images/s"])


@example([1e12, 999999999999.9999], "s")  # neighbours among floats leave no room for a margin
@given(POSITIVE, UNITS)
def test_every_value_lies_inside_and_every_tick_too(values: list[float], unit: str) -> None:
    found = scale(values, unit)
    assert found.lo < min(values) <= max(values) < found.hi
    assert all(found.lo <= tick <= found.hi for tick in found.ticks)
    assert len(found.ticks) <= 8


@given(st.lists(st.floats(min_value=1.0, max_value=1e9), min_size=2, max_size=20, unique=True), UNITS)
def test_a_scale_is_logarithmic_if_and_only_if_it_spans_more_than_a_decade(
    values: list[float], unit: str
) -> None:
    assert scale(values, unit).log is (max(values) / min(values) > 10)


@pytest.mark.parametrize(
    ("values", "unit", "texts"),
    [
        ([0.001, 0.2], "s", ["1 ms", "3 ms", "10 ms", "30 ms", "100 ms"]),
        ([1e8, 9e8], "MAC", ["200 M", "400 M", "600 M", "800 M"]),
        ([1 << 20, 1 << 24], "B", ["1 MiB", "2 MiB", "4 MiB", "8 MiB", "16 MiB"]),
        ([100 << 20, 500 << 20], "B", ["100 MiB", "200 MiB", "300 MiB", "400 MiB", "500 MiB"]),
    ],
)
def test_ticks_are_round_in_scaled_units(values: list[float], unit: str, texts: list[str]) -> None:
    assert [tick_text(tick, unit) for tick in scale(values, unit).ticks] == texts


def test_equal_values_still_have_a_scale() -> None:
    found = scale([5.0, 5.0], "s")
    assert found.lo < 5 < found.hi
    assert scale([0.0], "s").hi > 0


def test_missing_values_do_not_count_and_nothing_but_them_raises() -> None:
    assert scale([math.nan, 2.0, 3.0], "s") == scale([2.0, 3.0], "s")
    with pytest.raises(ValueError, match="at least one value"):
        scale([math.nan], "s")


@pytest.mark.parametrize("key", list(METRICS))
def test_every_metric_shows_its_unit_at_the_title_or_at_the_ticks(key: str) -> None:
    metric = METRICS[key]
    shown = title_of(metric) + tick_text(0.001 if metric.unit == "s" else 1 << 20, metric.unit)
    assert {"s": "ms", "B": "MiB", "MAC": "MACs", "images/s": "images/s", "": "Parameters"}[
        metric.unit
    ] in shown


def test_values_that_double_are_evenly_spaced_and_shares_are_not_logarithms() -> None:
    def places(*numbers: float) -> list[float]:
        return list(positions({str(number): number for number in numbers}).values())

    assert places(4, 1, 2) == pytest.approx([0, 0.5, 1])
    assert places(0.0, 0.2, 1.0) == pytest.approx([0, 0.2, 1])
    assert places(2, 3, 4) == pytest.approx([0, 0.5, 1])


def test_values_that_are_one_number_stand_side_by_side() -> None:
    assert positions({"480×640": 554.3, "640×480": 554.3, "224": 224}) == {
        "224": 0,
        "480×640": 0.5,
        "640×480": 1,
    }


def test_ticks_below_one_have_no_prefix_unless_they_are_times() -> None:
    assert [tick_text(0.65, unit) for unit in ("images/s", "", "s")] == ["0.65", "0.65", "650 ms"]
    assert tick_text(0.0, "images/s") == "0"


def test_a_tick_says_all_its_digits() -> None:
    assert [tick_text(tick, "images/s") for tick in (2.975, 3.0, 3.025)] == ["2.975", "3", "3.025"]
    assert tick_text(158.5 * (1 << 20), "B") == "158.5 MiB"


def test_zero_has_a_place_on_a_logarithmic_axis_that_no_tick_touches() -> None:
    far, none = scale([0, 10, 300], "MAC", log=True), scale([10, 300], "MAC", log=True)
    assert far.log
    assert far.lo < far.place(0) < far.wall < 10
    assert min(far.ticks) >= far.slot * (far.hi / far.lo) ** 0.08
    assert (none.slot, none.place(10)) == (0, 10)
    assert not scale([0, 0], "MAC", log=True).log


def test_a_logarithmic_axis_of_a_narrow_range_still_has_ticks() -> None:
    assert len(scale([3.7e9, 4.1e9], "MAC", log=True).ticks) > 2
    assert len(scale([1 << 20, 3 << 19], "B", log=True).ticks) > 1
