"""Stacked bars of memory, training steps, energy, device time and operators, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from benchsuite.findings.flags import flags
from benchsuite.report.figures.bars import MOST_ROWS
from benchsuite.report.figures.layout import column
from benchsuite.report.figures.parts import MOST_KINDS
from benchsuite.results.record import Busy, Energy, OpShare, Record
from tests.report.figures.drawing import absent, drawn, legend, pieces, rows, texts
from tests.report.synthetic import make_record

MIB = 1 << 20


def holding(name: str, peak_mib: int, *, resolution: int = 224, **mib: int) -> Record:
    """A record with this peak, 1 MiB of weights and 4 MiB of input, and other fields in MiB."""
    record = make_record(name, resolution=resolution, memory=peak_mib * MIB)
    assert record.memory is not None
    fields: dict[str, Any] = {"peak_reserved_bytes": None, **{key: n * MIB for key, n in mib.items()}}
    return replace(record, memory=replace(record.memory, **fields))


def stepping(name: str, forward: float, backward: float, optimizer: float | None = None) -> Record:
    record = make_record(name, mode="training")
    assert record.timing is not None
    parts = {"forward": (forward,) * 6, "backward": (backward,) * 6}
    if optimizer is not None:
        parts["optimizer"] = (optimizer,) * 6
    return replace(record, timing=replace(record.timing, parts_s=parts))


def busy(name: str, wall: float, works: float, **cell: Any) -> Record:
    record = make_record(name, latency=wall, **cell)
    assert record.timing is not None
    return replace(record, timing=replace(record.timing, busy=Busy(seconds=works, method="cuda_graph")))


def powered(name: str, joules: float, idle_w: float | None = 100.0) -> Record:
    """64 images in 10 ms: at 100 W idle, 1 J of a step and 1/64 J of an image."""
    energy = Energy(joules=joules, idle_w=idle_w, seconds=1.2, method="nvml_energy_counter")
    return replace(make_record(name, latency=0.01), energy=energy)


def profiled(
    record: Record,
    shares: dict[str, float],
    *,
    seconds: float = 0.01,
    kind: Literal["operator", "kernel"] = "operator",
) -> Record:
    """The record with a profile of these shares of `seconds`."""
    ops = [OpShare(name=n, kind=kind, seconds=s * seconds, share=s, calls=1.0) for n, s in shares.items()]
    return replace(record, profile=(*record.profile, *ops))


# Memory and training


def test_parts_of_memory_sum_to_the_peak() -> None:
    record = holding("a", 100, optimizer_bytes=2, gradient_bytes=3)
    drawing = drawn("memory", [record])
    assert pieces(drawing, record) == pytest.approx([1, 4, 2, 3, 90])
    assert drawing.figure.axes[0].get_xlabel() == "Peak memory of a step [MiB]"


def test_whoever_needs_most_is_on_top() -> None:
    drawing = drawn("memory", [holding("a", 20), holding("b", 80, weights_bytes=60)])
    assert rows(drawing.figure.axes[0]) == ["b", "a"]


def test_reserved_memory_is_marked_unless_it_is_too_far_out() -> None:
    near = drawn("memory", [holding("a", 20, peak_reserved_bytes=32)])
    assert [list(line.get_xdata()) for line in near.figure.axes[0].lines] == [[32.0]]
    far = drawn("memory", [holding("a", 20, peak_reserved_bytes=640)])
    assert not far.figure.axes[0].lines
    assert "Too far out to be marked: reserved by the allocator." in far.caption


def test_the_resolution_is_that_of_most_cells_and_the_larger_of_two() -> None:
    records = [holding("a", 20), holding("b", 30), holding("a", 60, resolution=448)]
    assert drawn("memory", records).caption.startswith("At 224 px.")
    assert drawn("memory", [*records, holding("b", 70, resolution=448)]).caption.startswith("At 448 px.")


def test_rows_that_find_no_room_are_counted() -> None:
    drawing = drawn("memory", [holding(f"m{i}", 20 + i) for i in range(MOST_ROWS + 2)])
    assert len(rows(drawing.figure.axes[0])) == MOST_ROWS
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 2} cells." in drawing.caption


def test_a_training_step_is_cut_into_its_parts() -> None:
    first, second = stepping("a", 0.002, 0.006, 0.002), stepping("b", 0.002, 0.002)
    drawing = drawn("training", [first, second])
    assert pieces(drawing, first) == pytest.approx([2, 6, 2])
    assert pieces(drawing, second) == pytest.approx([2, 2])


def test_in_a_column_names_stand_over_their_bars() -> None:
    record = stepping("a", 0.004, 0.004)
    drawing = drawn("training", [record], column(3.25, "litv2"))
    assert pieces(drawing, record) == pytest.approx([4.0, 4.0])
    assert texts(drawing.figure) == ["a", "8 ms"]
    assert rows(drawing.figure.axes[0]) == []


# Device


def test_a_figure_and_a_flag_agree_on_who_is_launch_bound() -> None:
    for works in (0.0083, 0.0084):
        record = busy("a", 0.010, works)
        flagged = "launch_bound" in flags(record.cell, record.timing, None)
        shown = "10 ms, launch-bound" in texts(drawn("device", [record]).figure)
        assert flagged == shown == (works == 0.0083)


def test_a_bar_of_wall_time_is_cut_where_the_device_stops_working() -> None:
    waiting, working = busy("a", 0.010, 0.004), busy("b", 0.010, 0.010)
    drawing = drawn("device", [working, waiting])
    assert pieces(drawing, waiting) == pytest.approx([0.4, 0.6])
    assert pieces(drawing, working) == pytest.approx([1.0])
    assert rows(drawing.figure.axes[0]) == ["a", "b"]
    assert {"10 ms", "10 ms, launch-bound"} <= set(texts(drawing.figure))


# Energy


def test_idle_draw_is_set_apart_in_the_bar_of_an_image() -> None:
    record = powered("a", 6.4)
    drawing = drawn("energy", [record])
    # 6.4 J over 64 images are 100 mJ; 100 W for 10 ms over 64 images are 15.6 mJ.
    assert pieces(drawing, record) == pytest.approx([15.625, 84.375])
    assert drawing.figure.axes[0].get_xlabel() == "Energy of an image [mJ]"


def test_an_idle_draw_is_never_more_than_all_and_missing_where_it_was_not_read() -> None:
    unread, little = powered("a", 6.4, idle_w=None), powered("a", 0.5)
    assert pieces(drawn("energy", [unread]), unread) == pytest.approx([100])
    assert len(pieces(drawn("energy", [little]), little)) == 1
    assert absent("energy", [make_record("a")]) is None


# Operators


def test_operators_of_one_kind_are_one_piece_and_the_rest_is_other() -> None:
    shares = {"aten::mm": 0.3, "aten::bmm": 0.2, "aten::_softmax": 0.25, "mine::odd": 0.05}
    record = profiled(make_record("a"), shares, seconds=0.0125)
    drawing = drawn("operators", [record])
    assert legend(drawing.figure) == ["matrix products", "softmax", "other"]
    assert pieces(drawing, record) == pytest.approx([0.5, 0.25, 0.25])
    assert {"50 %", "12.5 ms"} <= set(texts(drawing.figure))
    assert "matrix products: mm and bmm; softmax: _softmax." in drawing.caption


def test_the_kinds_with_most_time_get_a_colour_and_others_none() -> None:
    names = ["mm", "_softmax", "copy_", "native_layer_norm", "gelu", "avg_pool2d", "topk", "gather"]
    shares = {f"aten::{name}": 0.2 - 0.02 * i for i, name in enumerate(names)}
    found = legend(drawn("operators", [profiled(make_record("a"), shares)]).figure)
    assert len(found) == MOST_KINDS + 1
    assert {"sorting", "indexing"}.isdisjoint(found)


def test_kernels_count_where_there_are_any() -> None:
    record = profiled(make_record("a"), {"aten::copy_": 1.0})
    record = profiled(record, {"nvjet_hsh_128x256": 0.9, "Memset (Device)": 0.1}, kind="kernel", seconds=0.5)
    drawing = drawn("operators", [record])
    assert pieces(drawing, record) == pytest.approx([0.9, 0.1])
    assert "500 ms" in texts(drawing.figure)
    assert "kernels of a step on the GPU" in drawing.caption


def test_cells_of_one_name_are_told_apart_by_what_differs() -> None:
    sizes = [profiled(make_record("a", resolution=r), {"aten::mm": 1.0}) for r in (224, 448)]
    assert rows(drawn("operators", sizes).figure.axes[0]) == ["a 224 px", "a 448 px"]
    kernels = [profiled(make_record("a", kernel=k), {"aten::mm": 1.0}) for k in ("math", "flash")]
    assert rows(drawn("operators", kernels).figure.axes[0]) == ["a math", "a flash"]


@pytest.mark.parametrize("kind", ["memory", "training", "device", "energy", "operators"])
def test_there_is_no_figure_without_data(kind: str) -> None:
    assert absent(kind, [make_record("a", status="oom")]) is None
