"""The roofline of a run, read from the artists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchsuite.report import theme
from benchsuite.report.html import render
from benchsuite.report.roof import under_the_roof, with_roofs
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from tests.report.synthetic import ENVIRONMENT, make_record, make_run

CEILINGS = {"device": "cuda", "macs_per_s": {"fp16": 50e12}, "copy_bytes_per_s": 1e12}
MACHINE: dict[str, Any] = ENVIRONMENT | {"ceilings": CEILINGS}


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with theme.applied():
        yield


def moving(name: str, output_bytes: int, latency: float) -> Record:
    """64 images of 1 G MACs each: 128 GFLOP a step. Weights and input are 5 MiB."""
    record = make_record(name, latency=latency, mode="inference")
    assert record.memory is not None
    return replace(record, memory=replace(record.memory, output_bytes=output_bytes))


def test_cells_lie_under_the_measured_roof() -> None:
    # 128 GFLOP in 2.56 ms is half of 100 TFLOP/s, and in 5.12 ms a quarter.
    records = [moving("a", 1 << 20, 2.56e-3), moving("b", 1 << 20, 5.12e-3)]
    frame = with_roofs(to_frame(records, {1: MACHINE}), {1: MACHINE})
    drawing = under_the_roof(frame, theme.looks(["a", "b"]))
    assert drawing is not None
    text = "Nearest to the roof is a at 224 px on math (50 %), farthest from it b at 224 px on math (25 %)."
    assert drawing.caption.startswith(text)
    assert "0 of 2 cells lie left of the ridge" in drawing.caption
    roof = drawing.figure.axes[0].lines[0]
    assert list(roof.get_ydata())[1:] == [100e12, 100e12]
    assert list(roof.get_xdata())[1] == pytest.approx(100)


def caption(*records: Record, **ceilings: Any) -> str:
    machine = {1: ENVIRONMENT | {"ceilings": CEILINGS | ceilings}}
    frame = with_roofs(to_frame(records, machine), machine)
    drawing = under_the_roof(frame, theme.looks(frame["name"]))
    assert drawing is not None
    return drawing.caption


def test_the_caption_names_the_kernel_that_the_roof_is_of() -> None:
    kernels = {"fp16": {"square product": 50e12, "linear layer of 96 channels": 20e12}}
    text = caption(moving("a", 1 << 20, 2.56e-3), kernels=kernels)
    assert "The roof is measured: a square product, the fastest that was tried (100 TFLOP/s) and a" in text
    old = caption(moving("a", 1 << 20, 2.56e-3))
    assert "The roof is measured: a large matrix product (100 TFLOP/s) and a large copy." in old


def test_a_cell_above_the_roof_of_multiplication_is_not_said_to_lie_in_the_caches() -> None:
    # 128 GFLOP in 0.64 ms are 200 TFLOP/s of 100; at 13 FLOP/B the copy allows 12.8.
    kernels = {"kernels": {"fp16": {"square product": 50e12}}}
    fast, moved = moving("a", 1 << 20, 0.64e-3), moving("a", 10**10, 5e-3)
    lies = "a at 224 px on math (200 %) lies above the roof: "
    assert lies + "for no reason that is known." in caption(fast, **kernels)
    assert lies + "the roof of this run is one matrix product" in caption(fast)
    assert lies + "left of the ridge, data may stay in the caches" in caption(moved)
    assert "caches" not in caption(fast, **kernels) + caption(fast)


def test_of_many_cells_above_the_roof_the_highest_are_named() -> None:
    cells = [moving(f"m{n}", 1 << 20, 0.64e-3 * (1 + n / 10)) for n in range(5)]
    text = caption(*cells)
    assert "m0 at 224 px on math (200 %), m1 at 224 px on math (182 %), m2" in text
    assert "and 2 more lie above the roof" in text
    assert "above" not in caption(moving("a", 1 << 20, 2.56e-3))


def test_cells_that_bytes_limit_are_counted() -> None:
    frame = with_roofs(to_frame([moving("a", 10**10, 0.1)], {1: MACHINE}), {1: MACHINE})
    drawing = under_the_roof(frame, theme.looks(["a"]))
    assert drawing is not None
    assert "1 of 1 cell lies left" in drawing.caption


def test_without_ceilings_there_is_no_roof(tmp_path: Path) -> None:
    run = make_run([moving("a", 1 << 20, 2.56e-3)])
    heading = "Under the roof of the machine"
    assert heading not in render([run], out=tmp_path / "a.html").read_text()
    run = replace(run, environment=MACHINE, environments={1: MACHINE})
    assert heading in render([run], out=tmp_path / "b.html").read_text()


def test_the_kernels_are_in_the_legend_and_of_many_names_only_the_nearest_and_the_farthest_are_told() -> None:
    def figure(number: int) -> Figure:
        records = [moving(f"m{n:02}", 10**10, 0.1 * (1 + n)) for n in range(number)]
        frame = with_roofs(to_frame(records, {1: MACHINE}), {1: MACHINE})
        drawing = under_the_roof(frame, theme.looks(frame["name"]))
        assert drawing is not None
        return drawing.figure

    few, many = figure(3), figure(25)
    assert [text.get_text() for text in few.legends[0].get_texts()] == [
        "hollow: math kernel", "m00", "m01", "m02",
    ]  # fmt: skip
    assert list(few.axes[0].texts) == []
    assert [text.get_text() for text in many.legends[0].get_texts()] == ["hollow: math kernel"]
    assert sorted(text.get_text() for text in many.axes[0].texts) == ["m00", "m24"]
    grey = [
        line
        for line in many.axes[0].get_children()
        if isinstance(line, Line2D) and line.get_gid() and line.get_color() == theme.MUTED
    ]
    assert len(grey) == 23


def test_ticks_of_many_decades_are_powers_of_ten_so_that_their_labels_do_not_touch() -> None:
    def ticks(*latencies: float) -> set[str]:
        names = [f"m{i}" for i in range(len(latencies))]
        cells = [moving(name, 1 << 20, latency) for name, latency in zip(names, latencies, strict=True)]
        drawing = under_the_roof(with_roofs(to_frame(cells, {1: MACHINE}), {1: MACHINE}), theme.looks(names))
        assert drawing is not None
        drawing.figure.draw_without_rendering()
        return {label.get_text().partition(" ")[0] for label in drawing.figure.axes[0].get_yticklabels()}

    assert {"20", "50"} <= ticks(2.56e-3, 5.12e-3)
    assert ticks(2.56e-3, 2.56e5) <= {"1", "10", "100", "1000"}
