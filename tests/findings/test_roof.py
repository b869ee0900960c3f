"""Cells under a roof of round numbers: 10 GMAC/s of products, 4 GB/s of copies, so a ridge of 5 FLOP/B."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from benchsuite.findings.roof import CACHES, COLUMNS, ONE_PRODUCT, UNKNOWN, WINOGRAD, roofline
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Cost, Memory, Record
from tests.builders import make_cell, make_record

MACHINE = {
    "ceilings": {
        "device": "cpu",
        "threads": 1,
        "macs_per_s": {"fp32": 10e9, "bf16": 40e9},
        "copy_bytes_per_s": 4e9,
    }
}


def record_of(macs: int, seconds: float, moved: int | None, **axes: Any) -> Record:
    """A cell of two images; a tenth of the bytes are weights, four tenths input, half output."""
    memory = Memory(
        peak_allocated_bytes=10 * (moved or 100),
        weights_bytes=(moved or 100) // 10,
        input_bytes=(moved or 100) * 4 // 10,
        output_bytes=None if moved is None else moved // 2,
        method="torch_profiler",
    )
    return make_record(
        make_cell(batch=2, **axes), [seconds] * 6, cost=Cost(params=0, macs=macs), memory=memory
    )


def placed(record: Record, machine: dict[str, Any] = MACHINE) -> dict[str, Any]:
    frame = to_frame([record], {1: machine})
    found = roofline(frame, {1: machine})
    assert tuple(found.columns) == COLUMNS
    return {str(key): value for key, value in found.iloc[0].items()}


def test_a_cell_above_the_ridge_is_limited_by_multiplication() -> None:
    """2 images × 10⁶ MACs in 1 ms are 4 GFLOP/s of 20; on 10⁵ bytes that is 40 FLOP/B."""
    row = placed(record_of(10**6, 1e-3, 10**5))
    assert row["achieved_macs_per_s"] == pytest.approx(2e9)
    assert row["achieved_flops_per_s"] == pytest.approx(4e9)
    assert row["ceiling_share"] == pytest.approx(0.2)
    assert row["intensity"] == pytest.approx(40.0)
    assert row["ridge"] == pytest.approx(5.0)
    assert row["roof_flops_per_s"] == pytest.approx(20e9)
    assert row["roof_share"] == pytest.approx(0.2)
    assert row["limited_by"] == "compute"


def test_a_cell_below_the_ridge_is_limited_by_its_bytes() -> None:
    """The same work on 4·10⁶ bytes is 1 FLOP/B, where the roof is the copy's 4 GB/s × 1."""
    row = placed(record_of(10**6, 2e-3, 4 * 10**6))
    assert row["intensity"] == pytest.approx(1.0)
    assert row["roof_flops_per_s"] == pytest.approx(4e9)
    assert row["roof_share"] == pytest.approx(0.5)
    assert row["ceiling_share"] == pytest.approx(0.1)
    assert row["limited_by"] == "bandwidth"


def test_a_share_is_of_the_dtype_that_multiplies() -> None:
    plain, cast = (placed(record_of(10**6, 1e-3, 10**5, dtype=dtype)) for dtype in ("bf16", "autocast_bf16"))
    assert plain["ceiling_share"] == cast["ceiling_share"] == pytest.approx(0.05)
    assert plain["ridge"] == pytest.approx(20.0)


@pytest.mark.parametrize("mode", ["forward_backward", "training_step"])
def test_training_has_no_place_since_its_multiplications_are_not_counted(mode: str) -> None:
    row = placed(record_of(10**6, 1e-3, 10**5, mode=mode))
    assert row["limited_by"] is None
    for key in ("achieved_flops_per_s", "ceiling_share", "intensity", "roof_flops_per_s", "roof_share"):
        assert math.isnan(row[key]), key


@pytest.mark.parametrize(
    ("axes", "machine"),
    [
        ({}, {}),
        ({"dtype": "fp16"}, MACHINE),
        ({"device": "cuda:0"}, MACHINE),
    ],
)
def test_without_a_ceiling_of_its_own_a_cell_has_a_rate_and_no_share(
    axes: dict[str, Any], machine: dict[str, Any]
) -> None:
    row = placed(record_of(10**6, 1e-3, 10**5, **axes), machine)
    assert row["achieved_flops_per_s"] == pytest.approx(4e9)
    assert row["limited_by"] is None
    for key in ("ceiling_share", "ridge", "roof_flops_per_s", "roof_share"):
        assert math.isnan(row[key]), key


def test_a_record_that_never_looked_at_its_output_has_no_intensity() -> None:
    row = placed(record_of(10**6, 1e-3, None))
    assert math.isnan(row["intensity"])
    assert row["limited_by"] is None
    assert row["ceiling_share"] == pytest.approx(0.2)


def test_each_session_and_device_is_held_against_its_own_machine() -> None:
    gpu = {"device": "cuda:0", "macs_per_s": {"fp32": 1e12}, "copy_bytes_per_s": 1e12}
    machines = {1: MACHINE, 2: {"ceilings": [MACHINE["ceilings"], gpu]}}
    first = record_of(10**6, 1e-3, 10**5)
    second = make_record(
        make_cell(batch=2, device="cuda:0"),
        [1e-3] * 6,
        cost=Cost(params=0, macs=10**6),
        memory=first.memory,
        session=2,
    )
    frame = to_frame([first, second], machines)
    shares = [pytest.approx(0.2), pytest.approx(0.002)]
    assert frame["ceiling_share"].tolist() == shares
    assert roofline(frame, machines)["ceiling_share"].tolist() == shares


KERNELS = {"kernels": {"fp32": {"square product": 5e9, "1 × 1 convolution": 10e9}}}
GAINS = {"counted": {"fp32": {"3 × 3 convolution of 128 channels": 15e9}}}
NO_GAIN = {"counted": {"fp32": {"3 × 3 convolution of 128 channels": 9.9e9}}}


def above(seconds: float, moved: int = 10**5, dense: int | None = None, **machine: Any) -> Any:
    """Why a cell of 2 · 10⁶ MACs lies above the roof of 10 GMAC/s."""
    environments = {1: {"ceilings": MACHINE["ceilings"] | machine}}
    frame = to_frame([record_of(10**6, seconds, moved)], environments)
    frame = frame.assign(dense_3x3_macs=pd.array([dense], dtype="Int64"))
    return roofline(frame, environments)["above"].iloc[0]


def test_the_fastest_kernel_names_the_roof() -> None:
    machine = {"ceilings": MACHINE["ceilings"] | KERNELS}
    assert placed(record_of(10**6, 1e-3, 10**5), machine)["roof_kernel"] == "1 × 1 convolution"
    assert placed(record_of(10**6, 1e-3, 10**5))["roof_kernel"] == ""


def test_a_cell_under_the_roof_needs_no_reason() -> None:
    assert above(1e-3, **KERNELS) is None
    assert above(1e-3) is None


def test_caches_lift_a_cell_that_bytes_limit_and_none_that_multiplication_limits() -> None:
    assert above(0.9e-3, moved=4 * 10**6, **KERNELS) == CACHES
    assert above(0.1e-3, **KERNELS) == UNKNOWN


def test_dense_convolutions_lift_a_cell_only_where_the_machine_gains_by_fewer_multiplications() -> None:
    assert above(0.1e-3, dense=10**6, **KERNELS, **GAINS) == WINOGRAD
    assert above(0.1e-3, dense=10**6, **KERNELS, **NO_GAIN) == UNKNOWN
    assert above(0.1e-3, dense=10**6, **KERNELS) == UNKNOWN


def test_a_cell_without_dense_convolutions_is_never_lifted_by_them() -> None:
    assert above(0.1e-3, dense=0, **KERNELS, **GAINS) == UNKNOWN
    assert above(0.1e-3, dense=None, **KERNELS, **GAINS) == UNKNOWN


def test_a_roof_of_one_product_is_outrun_by_other_kernels() -> None:
    assert above(0.1e-3) == ONE_PRODUCT


def test_a_cell_is_held_against_ceilings_of_the_threads_that_it_used() -> None:
    record = record_of(10**6, 1e-3, 10**5)
    assert record.timing is not None
    two = replace(record, timing=replace(record.timing, threads=2))
    assert placed(record)["roof_share"] == pytest.approx(0.2)
    assert math.isnan(placed(two)["roof_share"])
    both = {
        "ceilings": [MACHINE["ceilings"], MACHINE["ceilings"] | {"threads": 2, "macs_per_s": {"fp32": 20e9}}]
    }
    assert placed(record, both)["roof_share"] == pytest.approx(0.2)
    assert placed(two, both)["roof_share"] == pytest.approx(0.1)


def test_a_failed_cell_and_an_empty_frame_have_no_place() -> None:
    row = placed(make_record(status="oom"))
    assert row["limited_by"] is None
    assert all(pd.isna(value) for key, value in row.items() if key != "ridge")
    empty = roofline(to_frame([]), {})
    assert tuple(empty.columns) == COLUMNS
    assert empty.empty
