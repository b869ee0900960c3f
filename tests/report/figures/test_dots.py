"""Dots in rows: ratios to a reference, to math and between protocols, read from the artists."""

from __future__ import annotations

import pytest
from matplotlib.patches import Rectangle

from benchsuite.report.figures.layout import column
from benchsuite.report.theme import PAPER
from benchsuite.results.record import Record
from tests.report.figures.drawing import SELFTEST, absent, drawn, legend, marks, rows
from tests.report.synthetic import make_record


def test_speed_is_relative_to_the_reference_on_the_same_kernel_at_the_same_resolution() -> None:
    base = [make_record("base", resolution=r, latency=t) for r, t in ((224, 0.02), (448, 0.08))]
    other = [make_record("a", resolution=r, latency=t) for r, t in ((224, 0.01), (448, 0.16))]
    drawing = drawn("ratio", [*base, *other])
    small, large = drawing.figure.axes
    assert [ax.get_title("left") for ax in (small, large)] == ["224 px", "448 px"]
    assert list(marks(small, other[0])[0].get_xdata()) == pytest.approx([2.0])
    assert list(marks(large, other[1])[0].get_xdata()) == pytest.approx([0.5])
    assert marks(drawing.figure, base[0]) == []
    assert small.get_xlim() == large.get_xlim()
    assert small.get_xlabel() == "Speed relative to base"
    assert "1×" in [label.get_text() for label in small.get_xticklabels()]


def test_the_reference_can_be_chosen() -> None:
    first, second = make_record("first", latency=0.02), make_record("second", latency=0.01)
    figure = drawn("ratio", [first, second], reference="second").figure
    assert list(marks(figure, first)[0].get_xdata()) == pytest.approx([0.5])


def test_a_mixer_without_attention_is_held_against_the_reference_on_every_kernel() -> None:
    plain = make_record("plain", latency=0.01)
    base = [make_record("base", latency=0.02), make_record("base", kernel="flash", latency=0.005)]
    drawing = drawn("ratio", [*base, plain])
    found = marks(drawing.figure, plain)
    assert [mark.get_xdata()[0] for mark in found] == pytest.approx([2.0, 0.5])
    assert {mark.get_markerfacecolor() for mark in found} == {PAPER}
    assert "Mixers without a fused kernel are hollow on every kernel of base." in drawing.caption


def test_a_reference_without_attention_counts_on_every_kernel() -> None:
    fused = make_record("a", kernel="flash", latency=0.005)
    figure = drawn("ratio", [make_record("plain"), make_record("a", latency=0.02), fused]).figure
    assert list(marks(figure, fused)[0].get_xdata()) == pytest.approx([2.0])


def test_what_failed_on_a_kernel_is_not_taken_for_a_mixer_without_attention() -> None:
    lost = make_record("a", kernel="flash", status="unsupported")
    math = make_record("a", latency=0.005)
    base = [make_record("base", kernel=kernel) for kernel in ("math", "flash")]
    assert len(marks(drawn("ratio", [*base, math, lost]).figure, math)) == 1


def test_intervals_and_the_noise_floor_are_drawn() -> None:
    records = [make_record("base"), make_record("a", latency=0.005, noise=0.2)]
    figure = drawn("ratio", records, machine=SELFTEST).figure
    (axes,) = figure.axes
    assert sum(line.get_marker() == "|" for line in axes.lines) == 1
    (band,) = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((1 / 1.02, 1.02))
    assert legend(figure) == ["noise floor ±2.0 %"]


def test_the_fastest_at_the_largest_resolution_is_on_top() -> None:
    records = [make_record("base", resolution=r) for r in (224, 448)]
    for name, small, large in (("a", 0.001, 0.02), ("b", 0.02, 0.001)):
        records += [make_record(name, resolution=r, latency=t) for r, t in ((224, small), (448, large))]
    assert rows(drawn("ratio", records).figure.axes[0]) == ["b", "a"]


def test_failures_are_named_under_the_ratios() -> None:
    records = [make_record("base"), make_record("a"), make_record("lost", status="oom")]
    assert drawn("ratio", records).caption.endswith(
        "Without a number: lost (OOM). Bars are 95 % confidence intervals."
    )


def test_there_is_no_ratio_without_a_pair() -> None:
    assert absent("ratio", [make_record("a"), make_record("b", status="oom")]) is None
    assert absent("ratio", [make_record("a"), make_record("b", resolution=448)]) is None


def test_a_figure_of_a_paper_has_the_rows_that_find_room_and_counts_the_others() -> None:
    records = [make_record("base"), *(make_record(f"m{i:03}", latency=0.01 + i / 1e4) for i in range(100))]
    drawing = drawn("ratio", records, column(3.25))
    assert len(rows(drawing.figure.axes[0])) < 70
    assert f"The first {len(rows(drawing.figure.axes[0]))} of 100." in drawing.caption
    assert drawing.figure.get_size_inches()[1] < 10


# Kernels


def test_the_speed_up_is_latency_on_math_over_latency_on_the_fused_kernel() -> None:
    fused = make_record("a", kernel="flash", latency=0.004)
    drawing = drawn("kernels", [make_record("a", latency=0.01), fused])
    (axes,) = drawing.figure.axes
    assert list(marks(axes, fused)[0].get_xdata()) == pytest.approx([2.5])
    assert axes.get_xlabel() == "Speed on flash relative to math"
    assert drawing.alt == "Fused kernels against math: 1 mixer at 224 px."


def test_several_fused_kernels_have_a_legend() -> None:
    records = [make_record("a", kernel=kernel) for kernel in ("math", "sdpa", "flash")]
    assert legend(drawn("kernels", records).figure) == ["filled: sdpa kernel", "left half: flash kernel"]


@pytest.mark.parametrize(
    "records",
    [
        [make_record("a")],
        [make_record("a", kernel="flash")],
        [make_record("a"), make_record("b", kernel="flash")],
        [make_record("a"), make_record("a", kernel="flash", status="unsupported")],
        [make_record("a"), make_record("a", kernel="flash", resolution=448)],
    ],
)
def test_there_is_no_speed_up_without_a_pair(records: list[Record]) -> None:
    assert absent("kernels", records) is None


# Protocols


def test_each_protocol_stands_beside_adaptive_sampling_of_the_same_cell() -> None:
    base = make_record("a", latency=0.01)
    timm = make_record("a", latency=0.008, protocol="timm")
    other = make_record("b", latency=0.02, protocol="timm")  # never sampled adaptively
    drawing = drawn("protocols", [base, timm, other])
    assert list(marks(drawing.figure, timm)[0].get_xdata()) == pytest.approx([1.25])
    assert marks(drawing.figure, other) == []
    assert legend(drawing.figure) == ["adaptive (1×)", "timm"]
    line, mark = drawing.figure.legends[0].get_lines()
    assert (line.get_linestyle(), mark.get_linestyle()) == ("-", "None")
    assert absent("protocols", [base]) is None
