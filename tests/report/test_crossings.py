"""Pairs that change places, on runs where they do and on runs where they do not."""

from __future__ import annotations

import pytest

from benchsuite.report.crossings import crossed, crossings
from benchsuite.results.record import Record
from tests.report.synthetic import fields_of, make_network, make_record


def sweep(kernel: str = "math", **latencies: tuple[float, ...]) -> list[Record]:
    """Names with their latencies in ms at 224, 448, 896 px."""
    return [
        make_record(name, resolution=224 << i, latency=latency / 1e3, kernel=kernel)
        for name, values in latencies.items()
        for i, latency in enumerate(values)
    ]


def said(*records: Record) -> str:
    return crossed(fields_of(records))


def test_a_pair_that_changes_places_is_told_with_the_sizes_between_which_it_does() -> None:
    assert said(*sweep(a=(10, 20, 90), b=(12, 30, 60))) == "b passes a between 448 and 896 px (math)."


def test_sizes_where_the_rounds_leave_the_order_open_widen_the_span() -> None:
    assert said(*sweep(a=(10, 20, 90), b=(12, 20.01, 60))) == "b passes a between 224 and 896 px (math)."


def test_a_pair_that_changes_places_twice_is_told_with_its_sides() -> None:
    assert said(*sweep(a=(10, 40, 60), b=(12, 30, 90))) == (
        "a is faster than b at 224 and 896 px, slower at 448 px (math)."
    )


def test_the_order_of_records_does_not_decide_who_is_named_first() -> None:
    assert said(*sweep(b=(12, 30, 60), a=(10, 20, 90))).startswith("b passes a between 448 and 896 px")


def test_orders_that_the_rounds_leave_open_do_not_cross() -> None:
    open_ = sweep(a=(10, 20.01, 40), b=(12, 20, 60))
    assert said(*open_) == (
        "Between 224 and 896 px no two mixers change places beyond what the rounds leave open."
    )
    assert crossings(fields_of(open_)) == []


def test_a_pair_that_crosses_on_one_kernel_only_is_told_with_that_kernel() -> None:
    records = [*sweep(a=(10, 20), b=(12, 24)), *sweep("sdpa", a=(10, 20), b=(12, 15))]
    assert said(*records) == "b passes a between 224 and 448 px (sdpa)."


def test_the_largest_crossings_come_first_and_the_rest_is_counted() -> None:
    records = sweep(a=(10, 100), b=(11, 40), c=(12, 20), d=(13, 10))
    (one, *_, last) = crossings(fields_of(records))
    assert (one.first, one.second) == ("a", "d")
    assert one.swing == pytest.approx(13.0)  # 13/10 over 10/100
    assert last.swing < one.swing
    assert said(*records).endswith("; 3 more pairs change places.")  # of 6 pairs, all of which cross


def test_a_single_resolution_has_no_crossings() -> None:
    assert said(make_record("a"), make_record("b")) == ""
    assert said() == ""


def test_networks_are_called_networks() -> None:
    records = [make_network(n, resolution=r, latency=0.1) for n in "ab" for r in (224, 448)]
    assert "no two networks change places" in said(*records)
