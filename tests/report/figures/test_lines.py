"""Growth over resolution and other axes, read from the artists."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.collections import PolyCollection

from benchsuite.report.figures.layout import column
from benchsuite.results.record import Record
from tests.report.figures.drawing import absent, drawn, legend, marks, texts
from tests.report.synthetic import make_record, realistic
from tests.report.test_sweeps import hilo

TITLES = ["MACs per image", "Throughput (images/s)", "Peak memory"]


def test_three_panels_stand_in_a_row_and_on_top_of_each_other_in_a_column() -> None:
    def boxes(inches: float | None) -> list[tuple[float, float]]:
        layout = {} if inches is None else {"layout": column(inches, "litv2")}
        figure = drawn("scaling", realistic(names=("msa", "hilo")), **layout).figure
        assert [ax.get_title() or ax.get_title("left") for ax in figure.axes] == TITLES
        return [(box.x0, box.y0) for ax in figure.axes for box in [ax.get_position()]]

    for inches in (None, 6.75):
        assert len({bottom for _, bottom in boxes(inches)}) == 1
    assert len({left for left, _ in boxes(3.25)}) == 1


def test_a_line_joins_the_medians_of_a_mixer_in_order_of_resolution() -> None:
    records = [make_record(resolution=r, latency=t) for r, t in ((448, 0.04), (224, 0.01), (896, 0.2))]
    speed = drawn("scaling", records).figure.axes[1]
    (line,) = [line for line in speed.lines if len(line.get_xdata()) == 3]
    assert list(line.get_ydata()) == pytest.approx([6400, 1600, 320])
    assert list(line.get_xdata()) == pytest.approx([0, 0.5, 1])


def test_one_kernel_is_drawn_and_mixers_without_attention_with_it() -> None:
    records = [make_record("a", kernel=k, resolution=r) for k in ("math", "flash") for r in (224, 448)]
    plain = [make_record("plain", resolution=r) for r in (224, 448)]
    drawing = drawn("scaling", [*records, *plain])
    assert [len(marks(drawing.figure, record)) for record in (*records, *plain)] == [0, 0, 3, 3, 3, 3]
    assert "on the flash kernel" in drawing.caption
    assert "without attention, which have no kernel to fuse" in drawing.caption
    math = drawn("scaling", [*records, *plain], kernel="math")
    assert [len(marks(math.figure, record)) for record in records] == [3, 3, 0, 0]


def test_bands_are_the_range_of_the_rounds() -> None:
    records = [make_record("a", resolution=r, noise=0.3) for r in (224, 448)]
    speed = drawn("scaling", records).figure.axes[1]
    (band,) = [band for band in speed.collections if isinstance(band, PolyCollection)]
    heights = band.get_paths()[0].vertices[:, 1]
    # Medians of five rounds lie within 0.46 of the noise to both sides.
    assert heights.min() == pytest.approx(6400 / (1 + 0.46 * 0.3), rel=0.03)
    assert heights.max() == pytest.approx(6400 / (1 - 0.46 * 0.3), rel=0.03)


def test_all_panels_are_logarithmic_or_none_is() -> None:
    def kinds(*latencies: float) -> set[str]:
        records = [make_record(resolution=r, latency=t) for r, t in zip((224, 448), latencies, strict=True)]
        return {ax.get_yscale() for ax in drawn("scaling", records).figure.axes}

    assert kinds(0.01, 0.02) == {"linear"}
    assert kinds(0.01, 0.2) == {"log"}


def test_a_failure_is_a_cross_under_the_lines_at_its_resolution_with_its_status() -> None:
    failed = make_record("a", resolution=448, status="oom")
    records = [make_record("a"), failed, make_record("b"), make_record("b", resolution=448, latency=0.3)]
    macs, speed, memory = drawn("scaling", records).figure.axes
    assert [mark.get_marker() for mark in marks(macs, failed)] == ["o"]  # counted, so no failure
    for axes in (memory, speed):
        (cross,) = marks(axes, failed)
        assert cross.get_marker() == "x"
        assert (cross.get_xdata()[0], cross.get_ydata()[0] < 0.1) == (1.0, True)
        assert "a OOM" in [text.get_text() for text in axes.texts]


def test_no_line_leads_to_a_failure() -> None:
    failed = make_record("a", resolution=896, status="unsupported", macs=None)
    records = [make_record(n, resolution=r) for n in "ab" for r in (224, 448)]
    for axes in drawn("scaling", [*records, make_record("b", resolution=896), failed]).figure.axes:
        lines = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) > 1]
        assert sorted(map(len, lines)) == [2, 3]
        (cross,) = marks(axes, failed)
        foot = axes.transAxes.transform((0, cross.get_ydata()[0]))[1] - axes.bbox.y0
        for arrow in [text for text in axes.texts if text.arrow_patch is not None]:  # type: ignore[attr-defined]
            assert arrow.xy[1] > foot + 4


def test_lines_leave_the_strip_of_failures_free() -> None:
    records = [make_record("a"), make_record("b"), make_record("b", resolution=448, latency=0.3)]
    records.append(make_record("a", resolution=448, status="oom"))
    axes = drawn("scaling", records).figure.axes[1]
    lowest = axes.transAxes.inverted().transform(axes.transData.transform((0, 64 / 0.3)))[1]
    assert lowest > 0.05


def test_a_mixer_that_always_failed_is_listed_all_the_same() -> None:
    records = [make_record("a", resolution=r) for r in (224, 448)]
    records += [make_record("b", resolution=r, status="unsupported", macs=None) for r in (224, 448)]
    figure = drawn("scaling", records).figure
    assert "b unsupported" in texts(figure)
    assert len(marks(figure, records[-1])) == 3


def test_a_line_that_ends_early_is_led_to_its_name_by_dots() -> None:
    records = [make_record("early"), *(make_record("b", resolution=r) for r in (224, 448))]
    axes = drawn("scaling", records).figure.axes[1]
    arrows = [text.arrow_patch for text in axes.texts if text.arrow_patch is not None]  # type: ignore[attr-defined]
    assert {arrow.get_linestyle() for arrow in arrows} == {(0, (1, 2)), "-"}  # the other is only moved


def test_labels_at_the_ends_of_lines_do_not_touch() -> None:
    names = [f"m{i}" for i in range(12)]
    records = [make_record(name, resolution=r, latency=0.01 * r) for name in names for r in (224, 448)]
    for axes in drawn("scaling", records).figure.axes:
        heights = sorted(text.xy[1] for text in axes.texts if text.get_text())  # type: ignore[attr-defined]
        assert len(heights) == 12
        assert min(b - a for a, b in pairwise(heights)) >= 9


def test_names_too_long_for_the_ends_of_lines_stand_in_a_legend() -> None:
    names = [f"{word} with a very long name" for word in ("one", "two")]
    records = [make_record(name, resolution=r) for name in names for r in (224, 448)]
    figure = drawn("scaling", records, column(6.75, "litv2")).figure
    assert legend(figure) == names
    assert texts(figure) == []


def test_images_that_are_not_square_have_both_sides_at_the_axis() -> None:
    records = [make_record("a", resolution=size) for size in ((480, 640), (640, 480), 1024)]
    axes = drawn("scaling", records).figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["480×640", "640×480", "1024"]


def test_tick_labels_that_would_touch_are_left_out() -> None:
    records = [make_record("a", resolution=size) for size in range(1000, 1100, 2)]
    axes = drawn("scaling", records).figure.axes[0]
    shown = [label.get_text() for label in axes.get_xticklabels() if label.get_text()]
    assert shown[0] == "1000"
    assert 2 <= len(shown) < 25


def test_in_a_narrow_figure_no_tick_label_touches_another() -> None:
    records = [make_record(n, macs=m * 10**8) for n, m in (("a", 1), ("b", 3), ("c", 5))]
    layout = column(2.0)
    with layout.applied():
        (axes,) = drawn("scatter", records, layout).figure.axes
        axes.figure.draw_without_rendering()
        shown = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    assert len(shown) > 1
    assert all(left.x1 < right.x0 for left, right in pairwise(shown))


def test_one_resolution_makes_no_lines() -> None:
    assert absent("scaling", [make_record("a"), make_record("b")]) is None


def test_one_metric_can_be_asked_for() -> None:
    records = [make_record("a", resolution=r) for r in (224, 448)]
    figure = drawn("scaling", records, metric="latency_s").figure
    assert [ax.get_title("left") for ax in figure.axes] == ["Latency per step"]


# Other axes


def batches(name: str = "a", **changes: object) -> list[Record]:
    return [make_record(name, batch=b, latency=0.001 * b**0.5, **changes) for b in (1, 2, 4, 8)]  # type: ignore[arg-type]


def test_batches_are_an_axis_like_resolution() -> None:
    records = batches()
    axes = drawn("axis", records).figure.axes
    assert [ax.get_title("left") for ax in axes] == TITLES
    assert {ax.get_xlabel() for ax in axes} == {"Batch"}
    (mark,) = marks(axes[1], records[3])
    assert list(mark.get_ydata()) == pytest.approx([8 / (0.001 * 8**0.5)])
    assert [marks(axes[1], record)[0].get_xdata()[0] for record in records] == pytest.approx(
        [0, 1 / 3, 2 / 3, 1]
    )


def test_a_parameter_is_an_axis_and_its_lines_have_names_of_their_own() -> None:
    records = [hilo(a, macs=n * 10**9, latency=0.01 * n) for n, a in ((1, 0.0), (2, 0.5), (3, 1.0))]
    axes = drawn("axis", records).figure.axes
    assert [marks(axes[0], record)[0].get_xdata()[0] for record in records] == [0.0, 0.5, 1.0]
    assert {ax.get_xlabel() for ax in axes} == {"α"}


def test_every_resolution_has_a_row_up_to_three() -> None:
    records = [record for size in (64, 128, 256, 512) for record in batches(resolution=size)]
    drawing = drawn("axis", records)
    titles = [ax.get_title("left") for ax in drawing.figure.axes[::3]]
    assert titles == [f"MACs per image at {size} px" for size in (64, 256, 512)]
    assert "At 64, 256 and 512 px." in drawing.caption
    narrow = drawn("axis", records, column(3.25))
    assert len(narrow.figure.axes) == 3
    assert "At 512 px." in narrow.caption


def test_a_failed_batch_is_a_cross_where_it_happens() -> None:
    gone = make_record("a", batch=8, status="oom", macs=None)
    drawing = drawn("axis", [*batches()[:3], gone])
    for ax in drawing.figure.axes:
        (cross,) = marks(ax, gone)
        assert cross.get_marker() == "x"
        assert cross.get_xdata()[0] > 0.9
    assert drawing.alt == "Growth over an axis: 1 mixer at 224 px. 1 cell without a number."
