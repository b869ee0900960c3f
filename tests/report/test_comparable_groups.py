"""Cells that cannot be compared are kept apart, and told apart."""

from __future__ import annotations

import pytest

from benchsuite.report.comparable_groups import split
from benchsuite.report.reported_cells import reported_cells
from benchsuite.results.record import Record
from tests.report.synthetic import make_record


def titles(*records: Record) -> list[str]:
    return [group.title for group in split(reported_cells(records))]


def test_a_uniform_run_is_one_group_with_all_its_conditions() -> None:
    both = [make_record("a"), make_record("b", kernel="flash", resolution=448)]
    (group,) = split(reported_cells(both))
    assert group.title == "cuda, fp16, inference, batch 64, dim 256, 8 heads, stride 16"
    assert len(group.cells) == 2


@pytest.mark.parametrize(
    ("factor", "values", "expected"),
    [
        ("batch", (64, 8), ["batch 8", "batch 64"]),
        ("dtype", ("bf16", "fp32"), ["fp32", "bf16"]),
        ("mode", ("inference", "forward_backward"), ["forward and backward", "inference"]),
        ("device", ("cuda", "cpu"), ["cpu", "cuda"]),
        ("dim", (512, 256), ["dim 256", "dim 512"]),
        ("num_heads", (8, 1), ["1 head", "8 heads"]),
        ("stride", (16, 8), ["stride 8", "stride 16"]),
    ],
)
def test_a_factor_that_is_swept_makes_groups_in_order(
    factor: str, values: tuple[object, ...], expected: list[str]
) -> None:
    assert titles(*(make_record(**{factor: value}) for value in values)) == expected


def test_several_factors_make_a_group_for_each_combination_that_occurs() -> None:
    records = [make_record(batch=b, dtype=d) for b, d in ((1, "fp32"), (64, "fp32"), (64, "fp16"))]
    assert titles(*records) == ["fp32, batch 1", "fp32, batch 64", "fp16, batch 64"]


def test_mixers_with_different_heads_are_compared_if_none_is_swept_over_heads() -> None:
    assert len(titles(make_record("a", num_heads=8), make_record("b", num_heads=4))) == 1


def test_no_records_make_no_groups() -> None:
    assert split(reported_cells([])) == []
