"""The roofline of a run, read from the artists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchsuite.report import theme
from benchsuite.results.record import Record
from tests.report.figures.drawing import absent, drawn, marks, texts
from tests.report.synthetic import make_record

CEILINGS: dict[str, Any] = {"device": "cuda", "macs_per_s": {"fp16": 50e12}, "copy_bytes_per_s": 1e12}
KERNELS = {"kernels": {"fp16": {"square product": 50e12, "linear layer of 96 channels": 20e12}}}


def moving(name: str, output_bytes: int, latency: float) -> Record:
    """64 images of 1 G MACs each: 128 GFLOP a step. Weights and input are 5 MiB."""
    record = make_record(name, latency=latency, mode="inference")
    assert record.memory is not None
    return replace(record, memory=replace(record.memory, output_bytes=output_bytes))


def caption(*records: Record, **ceilings: Any) -> str:
    return drawn("roofline", records, machine={"ceilings": CEILINGS | ceilings}).caption


def test_cells_lie_under_the_measured_roof() -> None:
    # 128 GFLOP in 2.56 ms is half of 100 TFLOP/s, and in 5.12 ms a quarter. At 10 GB a step the copy limits.
    records = [moving("a", 1 << 20, 2.56e-3), moving("b", 10**10, 0.1)]
    drawing = drawn("roofline", records, machine={"ceilings": CEILINGS})
    (mark,) = marks(drawing.figure, records[0])
    assert list(mark.get_ydata()) == pytest.approx([50e12])
    roof = drawing.figure.axes[0].lines[0]
    assert list(roof.get_ydata())[1:] == [100e12, 100e12]
    assert list(roof.get_xdata())[1] == pytest.approx(100)
    assert "1 of 2 cells left of the ridge, where moving bytes limits (100 FLOP/B)." in drawing.caption


def test_a_ridge_far_from_all_marks_does_not_squeeze_them() -> None:
    records = [moving("a", 1 << 20, 2.56e-3), moving("b", 1 << 20, 5.12e-3)]  # 128 GFLOP over 6 MiB
    axes = drawn("roofline", records, machine={"ceilings": CEILINGS}).figure.axes[0]
    assert axes.get_xlim()[0] > 1000


def test_the_caption_names_the_kernel_that_the_roof_is_of() -> None:
    cell = moving("a", 1 << 20, 2.56e-3)
    assert "The roof is measured: a large copy, and square product (100 TFLOP/s)." in caption(cell, **KERNELS)
    assert "a large copy, and a large matrix product (100 TFLOP/s)." in caption(cell)


def test_a_cell_above_the_roof_has_the_reason_said() -> None:
    # 128 GFLOP in 0.64 ms are 200 TFLOP/s of 100; at 13 FLOP/B the copy allows 12.8.
    fast, moved = moving("a", 1 << 20, 0.64e-3), moving("a", 10**10, 5e-3)
    above = "Above the roof: a at 224 px on math (200 %); "
    assert above + "for no reason that is known." in caption(fast, **KERNELS)
    assert above + "the roof of this run is one matrix product" in caption(fast)
    assert above + "left of the ridge, data may stay in the caches" in caption(moved)
    assert "Above" not in caption(moving("a", 1 << 20, 2.56e-3))


def test_of_many_names_only_the_nearest_and_the_farthest_are_told() -> None:
    def figure(number: int) -> tuple[list[str], int]:
        records = [moving(f"m{n:02}", 10**10, 0.1 * (1 + n)) for n in range(number)]
        found = drawn("roofline", records, machine={"ceilings": CEILINGS}).figure
        grey = [r for r in records if marks(found, r)[0].get_color() == theme.MUTED]
        return sorted(texts(found)), len(grey)

    assert figure(3) == (["m00", "m01", "m02"], 0)
    assert figure(25) == (["m00", "m24"], 23)  # the reference is the first


def test_without_ceilings_there_is_no_roof() -> None:
    assert absent("roofline", [moving("a", 1 << 20, 2.56e-3)]) is None
