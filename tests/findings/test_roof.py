"""Cells under a roof of round numbers: 10 GMAC/s of products, 4 GB/s of copies, so a ridge of 5 FLOP/B."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from benchsuite.findings.roof import CACHES, ONE_PRODUCT, UNKNOWN, WINOGRAD, Roof, roof_of
from benchsuite.results.frame import to_frame
from benchsuite.results.metrics import MeasuredCell
from benchsuite.results.record import Cost, Memory, Record
from tests.builders import make_cell, make_record

CEILINGS: dict[str, Any] = {
    "device": "cpu",
    "threads": 1,
    "macs_per_s": {"fp32": 10e9, "bf16": 40e9},
    "copy_bytes_per_s": 4e9,
}
MACHINE = {"ceilings": CEILINGS}
KERNELS = {"kernels": {"fp32": {"square product": 5e9, "1 × 1 convolution": 10e9}}}
GAINS = {"counted": {"fp32": {"3 × 3 convolution of 128 channels": 15e9}}}
NO_GAIN = {"counted": {"fp32": {"3 × 3 convolution of 128 channels": 9.9e9}}}


def record_of(
    macs: int, seconds: float, moved: int | None = 10**5, dense: int | None = None, **axes: Any
) -> Record:
    """A cell of two images; a tenth of the bytes are weights, four tenths input, half output."""
    memory = Memory(
        peak_allocated_bytes=10 * (moved or 100),
        weights_bytes=(moved or 100) // 10,
        input_bytes=(moved or 100) * 4 // 10,
        output_bytes=None if moved is None else moved // 2,
        method="torch_profiler",
    )
    cost = Cost(params=0, macs=macs, dense_3x3_macs=dense)
    return make_record(make_cell(batch=2, **axes), [seconds] * 6, cost=cost, memory=memory)


def placed(record: Record, machine: Mapping[str, Any] = MACHINE) -> Roof:
    found = roof_of(MeasuredCell(record, machine))
    assert found is not None
    return found


def absent(record: Record, machine: Mapping[str, Any] = MACHINE) -> bool:
    return roof_of(MeasuredCell(record, machine)) is None


def test_a_cell_above_the_ridge_is_limited_by_multiplication() -> None:
    """2 images × 10⁶ MACs in 1 ms are 4 GFLOP/s of 20; on 10⁵ bytes that is 40 FLOP/B."""
    roof = placed(record_of(10**6, 1e-3))
    found = (roof.achieved, roof.intensity, roof.ridge, roof.peak, roof.share)
    assert found == pytest.approx((4e9, 40.0, 5.0, 20e9, 0.2))
    assert not roof.memory_bound
    assert roof.above == ""


def test_a_cell_below_the_ridge_is_limited_by_its_bytes() -> None:
    """The same work on 4·10⁶ bytes is 1 FLOP/B, where the roof is the copy's 4 GB/s × 1."""
    roof = placed(record_of(10**6, 2e-3, 4 * 10**6))
    assert (roof.intensity, roof.share) == pytest.approx((1.0, 0.5))
    assert roof.memory_bound


def test_a_share_is_of_the_dtype_that_multiplies() -> None:
    plain, cast = (placed(record_of(10**6, 1e-3, dtype=dtype)) for dtype in ("bf16", "autocast_bf16"))
    assert plain.share == cast.share == pytest.approx(0.05)
    assert plain.ridge == pytest.approx(20.0)


@pytest.mark.parametrize("axes", [{"mode": "training_step"}, {"dtype": "fp16"}, {"device": "cuda:0"}])
def test_training_and_cells_without_a_ceiling_of_their_own_have_no_place(axes: dict[str, Any]) -> None:
    assert absent(record_of(10**6, 1e-3, **axes))


def test_what_was_not_measured_or_failed_has_no_place() -> None:
    assert absent(record_of(10**6, 1e-3), {})
    assert absent(record_of(10**6, 1e-3, None))  # nobody looked at its output
    assert absent(record_of(0, 1e-3))
    assert absent(make_record(status="oom"))


def test_each_device_is_held_against_its_own_ceilings() -> None:
    gpu = {"device": "cuda:0", "macs_per_s": {"fp32": 1e12}, "copy_bytes_per_s": 1e12}
    both = {"ceilings": [CEILINGS, gpu]}
    records = [record_of(10**6, 1e-3), record_of(10**6, 1e-3, device="cuda:0")]
    shares = [placed(record, both).share for record in records]
    assert shares == pytest.approx([0.2, 0.002])
    assert to_frame(records, {1: both})["ceiling_share"].tolist() == pytest.approx(shares)


def test_a_cell_is_held_against_ceilings_of_the_threads_that_it_used() -> None:
    record = record_of(10**6, 1e-3)
    assert record.timing is not None
    two = replace(record, timing=replace(record.timing, threads=2))
    assert absent(two)
    both = {"ceilings": [CEILINGS, CEILINGS | {"threads": 2, "macs_per_s": {"fp32": 20e9}}]}
    assert [placed(one, both).share for one in (record, two)] == pytest.approx([0.2, 0.1])


def test_the_fastest_kernel_names_the_roof() -> None:
    assert placed(record_of(10**6, 1e-3), {"ceilings": CEILINGS | KERNELS}).kernel == "1 × 1 convolution"
    assert placed(record_of(10**6, 1e-3)).kernel == ""


@pytest.mark.parametrize(
    ("record", "ceilings", "why"),
    [
        (record_of(10**6, 1e-3), KERNELS, ""),
        (record_of(10**6, 0.9e-3, 4 * 10**6), KERNELS, CACHES),
        (record_of(10**6, 0.1e-3), {}, ONE_PRODUCT),
        (record_of(10**6, 0.1e-3), KERNELS, UNKNOWN),
        (record_of(10**6, 0.1e-3, dense=10**6), KERNELS | GAINS, WINOGRAD),
        (record_of(10**6, 0.1e-3, dense=10**6), KERNELS | NO_GAIN, UNKNOWN),
        (record_of(10**6, 0.1e-3, dense=0), KERNELS | GAINS, UNKNOWN),
        (record_of(10**6, 0.1e-3), KERNELS | GAINS, UNKNOWN),
    ],
)
def test_a_cell_above_the_roof_has_the_reason_that_can_lift_it(
    record: Record, ceilings: dict[str, Any], why: str
) -> None:
    assert placed(record, {"ceilings": CEILINGS | ceilings}).above == why
