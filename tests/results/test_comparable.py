"""Threads and allocator, without which times of two cells are not comparable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchsuite.errors import NOT_COMPARABLE, NotComparableError
from benchsuite.results.comparable import apart, manner, require_alike, words
from benchsuite.results.record import Record
from tests.builders import make_cell, make_record


def timed(threads: int = 1, allocator: str = "retain", **cell: Any) -> Record:
    record = make_record(make_cell(**cell))
    assert record.timing is not None
    return replace(record, timing=replace(record.timing, threads=threads, allocator=allocator))


def measured_alike(one: Record, other: Record) -> str:
    return apart(manner(one), manner(other))


def test_what_differs_is_named() -> None:
    assert measured_alike(timed(), timed()) == ""
    assert measured_alike(timed(), timed(2)) == "1 thread and 2 threads"
    assert measured_alike(timed(), timed(1, "system")) == "retained memory and the system's allocator"
    both = "1 thread and 2 threads; jemalloc and retained memory"
    assert measured_alike(timed(1, "jemalloc"), timed(2)) == both
    assert words((2, "retain")) == "2 threads, retained memory"


def test_old_records_were_timed_with_the_systems_allocator() -> None:
    assert manner(make_record()) == (1, "system")


def test_on_a_gpu_neither_matters_and_what_was_not_timed_is_alike() -> None:
    assert measured_alike(timed(1, device="cuda"), timed(64, "system", device="cuda")) == ""
    assert measured_alike(timed(), make_record(status="oom")) == ""


def test_runs_are_refused_by_their_common_cells_alone() -> None:
    one, other = timed(), timed(2, resolution=(128, 128))
    require_alike([("a", [one]), ("b", [other]), ("c", [one, other])])
    with pytest.raises(NotComparableError) as caught:
        require_alike([("a", [one]), ("b", [other]), ("c", [timed(2), other])])
    assert str(caught.value).splitlines() == [
        "not comparable: 1 cell timed with other threads or another allocator",
        f"  {one.id}  1 thread and 2 threads (a and c)",
        "  measure one of them anew with measure.threads and measure.allocator of the other",
    ]
    assert caught.value.exit_code == NOT_COMPARABLE


def test_many_cells_are_counted_and_few_named() -> None:
    sizes = [(32 * n, 32) for n in range(1, 7)]
    with pytest.raises(NotComparableError) as caught:
        require_alike([(f"r{n}", [timed(n, resolution=size) for size in sizes]) for n in (1, 2)])
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("not comparable: 6 cells timed")
    assert (len(lines), lines[4]) == (6, "  … and 3 more")
