"""Counted numbers of two runs, held against each other exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchsuite.findings.count_changes import changes
from benchsuite.results.record import Compilation, Cost, Record
from tests.builders import make_cell, make_record

COMPILED = Compilation(seconds=1.0, graphs=1, graph_breaks=0, recompiles=0)
BASE = make_record(compilation=COMPILED)


def changed(**parts: Any) -> Record:
    """The base record with fields of its parts replaced: cost={"macs": 5}."""
    return replace(BASE, **{part: replace(getattr(BASE, part), **fields) for part, fields in parts.items()})


def found(old: Record, new: Record) -> list[tuple[str, int, int]]:
    return [(one.metric, one.old, one.new) for one in changes([old], [new])]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"cost": {"macs": 1001}}, ("macs", 1000, 1001)),
        ({"cost": {"params": 4223}}, ("params", 4224, 4223)),
        ({"cost": {"other_ops": {"softmax": 7}}}, ("other_ops.softmax", 0, 7)),
        ({"cost": {"uncounted": {"aten::im2col": 2}}}, ("uncounted.aten::im2col", 0, 2)),
        ({"compilation": {"graphs": 3}}, ("graphs", 1, 3)),
        ({"compilation": {"graph_breaks": 2}}, ("graph_breaks", 0, 2)),
        ({"compilation": {"recompiles": 1}}, ("recompiles", 0, 1)),
        ({"memory": {"peak_allocated_bytes": 301}}, ("peak_allocated_bytes", 300, 301)),
    ],
)
def test_the_smallest_change_of_an_exact_number_is_found_both_ways(
    parts: dict[str, Any], expected: tuple[str, int, int]
) -> None:
    metric, old, new = expected
    assert found(BASE, changed(**parts)) == [expected]
    assert found(changed(**parts), BASE) == [(metric, new, old)]


@pytest.mark.parametrize(
    "parts",
    [
        {"compilation": {"seconds": 9.0}},
        {"timing": {"samples_s": (5.0, 6.0, 7.0)}},
        {"memory": {"process_bytes": 10**9}},
        {"cost": {"counter": "another"}},
    ],
)
def test_what_has_noise_is_not_compared(parts: dict[str, Any]) -> None:
    assert found(BASE, changed(**parts)) == []


def test_operators_are_compared_one_by_one() -> None:
    old = changed(cost={"other_ops": {"softmax": 7, "norm": 5, "gelu": 1}})
    new = changed(cost={"other_ops": {"softmax": 9, "norm": 5, "pool": 2}})
    assert found(old, new) == [
        ("other_ops.softmax", 7, 9),
        ("other_ops.gelu", 1, 0),
        ("other_ops.pool", 0, 2),
    ]


def test_a_change_that_another_counter_may_have_made_says_so() -> None:
    (change,) = changes([BASE], [changed(cost={"macs": 2, "counter": "fvcore 9"})])
    assert change.note == "counted by fvcore 9, formerly by test"
    (change,) = changes([BASE], [changed(cost={"other_ops": {"softmax": 1}, "counter": "fvcore 9"})])
    assert change.note == "counted by fvcore 9, formerly by test"
    (change,) = changes([BASE], [changed(memory={"peak_allocated_bytes": 2, "method": "cuda_allocator"})])
    assert change.note == "counted by cuda_allocator, formerly by torch_profiler"


def test_parameters_do_not_depend_on_the_counter() -> None:
    (change,) = changes([BASE], [changed(cost={"params": 2, "counter": "fvcore 9"})])
    assert (change.metric, change.note) == ("params", "")


def test_a_number_that_only_one_side_has_did_not_change() -> None:
    assert found(BASE, replace(BASE, cost=None, memory=None, compilation=None)) == []
    assert found(replace(BASE, cost=None), BASE) == []


def test_cells_meet_by_what_they_are_and_not_by_their_place() -> None:
    small, large = (make_record(make_cell(resolution=(side, side))) for side in (64, 128))
    grown = replace(large, cost=Cost(params=1, macs=2))
    assert [(one.cell, one.metric) for one in changes([small, large], [grown, small])] == [
        (large.cell, "params"),
        (large.cell, "macs"),
    ]
    assert changes([small], [large]) == []
