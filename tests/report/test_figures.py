"""What figures draw, read from the artists: every value where it belongs, every failure as a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from benchsuite.report import theme
from benchsuite.report.canvas import Drawing, flagged
from benchsuite.report.cells import read
from benchsuite.report.context import SECTIONS, UNASKED
from benchsuite.report.dots import at_one_resolution, kernel_speedup
from benchsuite.report.figures import cost_versus_speed, evenly
from benchsuite.report.scaling import over_resolution
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from tests.report.synthetic import make_record, make_run, realistic

Draw = Callable[[pd.DataFrame, Mapping[str, theme.Look]], Drawing | None]


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with theme.applied():
        yield


def drawn(draw: Draw, records: Sequence[Record]) -> Drawing:
    drawing = absent(draw, records)
    assert drawing is not None
    return drawing


def absent(draw: Draw, records: Sequence[Record]) -> Drawing | None:
    frame = read(make_run(records)).frame
    return draw(frame, theme.looks(frame["name"]))


def marks(axes: Axes | Figure, record: Record) -> list[Line2D]:
    """The marks that stand for a cell."""
    panels = axes.axes if isinstance(axes, Figure) else [axes]
    return [
        artist
        for panel in panels
        for artist in panel.get_children()
        if isinstance(artist, Line2D) and artist.get_gid() == f"cell:{record.id}"
    ]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title("left"): axes for axes in figure.axes}


# Flags


def test_a_flagged_cell_is_marked_in_every_figure_and_the_caption_says_how() -> None:
    flagged_one, clean = make_record("a"), make_record("b", macs=2 * 10**9)
    drawing = drawn(cost_versus_speed, [flagged_one, clean])
    before = texts(drawing.figure)
    assert flagged(drawing, set()) is drawing
    marked = flagged(drawing, {flagged_one.id})
    assert texts(marked.figure) == [*before, "!"]
    (sign,) = (text for text in marked.figure.axes[0].texts if text.get_text() == "!")
    (mark,) = marks(marked.figure, flagged_one)
    assert isinstance(sign, Annotation)
    assert sign.xy == (mark.get_xdata()[0], mark.get_ydata()[0])
    assert marked.caption.endswith("A ! marks a cell whose samples have a flag.")


# MACs against throughput

FRONT = ("Pareto front of the medians", "certainly on it")


def test_a_point_stands_at_its_macs_and_its_throughput() -> None:
    record = make_record("a", latency=0.02, macs=3 * 10**9)
    (mark,) = marks(drawn(cost_versus_speed, [record, make_record("b")]).figure, record)
    assert list(mark.get_xdata()) == [3e9]
    assert list(mark.get_ydata()) == pytest.approx([64 / 0.02])


def test_math_is_hollow_and_fused_is_filled_and_the_legend_says_so() -> None:
    math, flash = make_record("a"), make_record("a", kernel="flash", latency=0.005)
    figure = drawn(cost_versus_speed, [math, flash, make_record("b")]).figure
    (hollow,), (filled,) = marks(figure, math), marks(figure, flash)
    assert hollow.get_markerfacecolor() == theme.PAPER
    assert filled.get_markerfacecolor() == filled.get_color() == hollow.get_color()
    assert hollow.get_marker() == filled.get_marker()
    assert legend(figure) == ["hollow: math kernel", "filled: flash kernel", *FRONT]


def test_the_staircase_goes_through_the_front_and_nothing_else() -> None:
    records = [
        make_record("a", macs=1, latency=0.04),
        make_record("dominated", macs=2, latency=0.08),
        make_record("b", macs=3, latency=0.01),
        make_record("lower bound", macs=1, latency=0.001, exact=False),
    ]
    (axes,) = drawn(cost_versus_speed, records).figure.axes
    (stairs,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert list(stairs.get_xdata())[:2] == [1, 3]
    assert list(stairs.get_ydata()) == pytest.approx([1600, 6400, 6400])


def test_a_wide_interval_is_drawn_and_a_narrow_one_is_not() -> None:
    def bars(noise: float) -> int:
        records = [make_record("a", noise=noise), make_record("b", latency=0.02, noise=0)]
        (axes,) = drawn(cost_versus_speed, records).figure.axes
        return sum(line.get_marker() == "_" for line in axes.lines)

    assert (bars(0.3), bars(0.0001)) == (1, 0)


def test_every_resolution_has_a_panel_up_to_six_that_are_spread_evenly() -> None:
    sizes = [64 * i for i in range(1, 12)]
    records = [make_record(name, resolution=size) for size in sizes for name in ("a", "b")]
    few = drawn(cost_versus_speed, records[:8])
    assert list(panels(few.figure)) == ["64 px", "128 px", "192 px", "256 px"]
    assert "spread evenly" not in few.caption
    many = drawn(cost_versus_speed, records)
    assert list(panels(many.figure)) == ["64 px", "192 px", "320 px", "448 px", "576 px", "704 px"]
    assert "6 of 11 resolutions, spread evenly." in many.caption


def test_the_first_and_the_last_are_always_chosen() -> None:
    for number in range(1, 40):
        chosen = evenly(list(range(number)))
        assert len(chosen) == len(set(chosen)) == min(number, 6)
        assert (chosen[0], chosen[-1]) == (0, number - 1)


def test_what_is_not_drawn_is_said_in_the_caption() -> None:
    records = [
        make_record("a"),
        make_record("b"),
        make_record("c", status="oom"),
        make_record("d", kernel="flash", status="unsupported"),
    ]
    assert drawn(cost_versus_speed, records).caption.endswith(
        "Not drawn: c with math at 224 px (OOM); d with flash at 224 px (unsupported)."
    )


def test_many_failures_are_counted_and_not_all_listed() -> None:
    records = [make_record("a"), make_record("b")]
    records += [make_record(f"broken {i:02}", status="error") for i in range(11)]
    caption = drawn(cost_versus_speed, records).caption
    assert "broken 07 at 224 px (error); and 3 more cells." in caption
    assert "broken 08" not in caption


def rings(axes: Axes) -> dict[tuple[float, float], bool]:
    """Where rings are, and whether they are dashed."""
    return {
        tuple(ring.get_offsets()[0]): ring.get_linestyles()[0][1] is not None
        for ring in axes.collections
        if isinstance(ring, PathCollection)
    }


def test_rings_tell_what_is_certainly_on_the_front_from_what_may_be() -> None:
    records = [
        make_record("a", macs=1, latency=0.02),
        make_record("b", macs=2, latency=0.0199, noise=0.05),
        make_record("dominated", macs=3, latency=0.08),
        make_record("lower bound", macs=1, latency=0.001, exact=False),
    ]
    figure = drawn(cost_versus_speed, records).figure
    assert {x: dashed for (x, _), dashed in rings(figure.axes[0]).items()} == {1: False, 2: True}
    assert legend(figure)[-2:] == ["certainly on it", "possibly on it"]


def test_a_front_that_is_certain_has_no_dashed_ring_in_its_legend() -> None:
    figure = drawn(cost_versus_speed, [make_record("a", latency=0.02), make_record("b", macs=9**9)]).figure
    assert "possibly on it" not in legend(figure)


def test_the_band_lies_between_the_fronts_of_the_ends_of_intervals() -> None:
    def bands(noise: float) -> list[PolyCollection]:
        records = [
            make_record("a", macs=1, noise=noise),
            make_record("b", macs=2, noise=noise, latency=0.002),
        ]
        (axes,) = drawn(cost_versus_speed, records).figure.axes
        return [band for band in axes.collections if isinstance(band, PolyCollection)]

    assert bands(0.0001) == []
    (band,) = bands(0.3)
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() < 6400 < 32000 < heights.max()


def test_without_an_exact_count_there_is_no_front() -> None:
    records = [make_record(name, exact=False) for name in "ab"]
    (axes,) = drawn(cost_versus_speed, records).figure.axes
    assert not any(line.get_drawstyle() == "steps-post" for line in axes.lines)


def test_mixers_are_labelled_at_their_points_where_there_is_room() -> None:
    drawing = drawn(cost_versus_speed, realistic(resolutions=(224,)))
    assert sorted(texts(drawing.figure)) == sorted({record.cell.name for record in realistic((224,))})


def test_mixers_go_to_the_legend_where_there_is_no_room() -> None:
    records = [
        make_record(f"a very, very long name {i:02}", resolution=r, latency=0.01 if i else 0.005)
        for i in range(20)
        for r in (1, 2, 3)
    ]
    records += [make_record("b", latency=1.0)]  # so that names have no common start
    figure = drawn(cost_versus_speed, records[:57] + records[-1:]).figure
    assert "a very, very long name 18" in legend(figure)
    assert "a very, very long name 07" not in texts(figure)  # neither on the front nor an extreme
    assert len(legend(figure)) == 23  # the kernel, the front, its ring and the mixers


def many(**changes: Any) -> list[Record]:
    """25 mixers, the more MACs the slower, but for the 13th."""
    return [
        make_record(f"m{n}", macs=n * 10**9, latency=0.001 if n == 13 else 0.01 * (1 + n), **changes)
        for n in range(1, 26)
    ]


def test_of_more_than_twenty_names_only_the_telling_ones_are_named_and_coloured() -> None:
    records = many()
    frame = read(make_run(records)).frame
    drawing = cost_versus_speed(frame, theme.looks(frame["name"], "m7"))
    assert drawing is not None
    assert sorted(texts(drawing.figure)) == ["m1", "m13", "m25", "m7"]
    assert legend(drawing.figure) == ["hollow: math kernel", *FRONT]
    colors = {name: marks(drawing.figure, records[int(name[1:]) - 1])[0].get_color() for name in ("m7", "m8")}
    assert colors["m8"] == theme.MUTED
    assert colors["m7"] != theme.MUTED
    assert "the grey ones are in the table of all numbers, among 25 mixers." in drawing.caption


def test_up_to_twenty_names_all_are_named() -> None:
    drawing = drawn(cost_versus_speed, many()[:20])
    assert len(texts(drawing.figure)) == 20
    assert "grey" not in drawing.caption.replace("grey staircase", "")


def test_no_macs_have_a_place_on_a_logarithmic_axis() -> None:
    none, few, most = (make_record(n, macs=m) for n, m in (("none", 0), ("few", 10**6), ("most", 10**9)))
    drawing = drawn(cost_versus_speed, [none, few, most])
    (axes,) = drawing.figure.axes
    assert axes.get_xscale() == "log"
    left, right = (marks(axes, record)[0].get_xdata()[0] for record in (none, few))
    assert axes.get_xlim()[0] < left < right == 10**6
    labels = [axes.xaxis.get_major_formatter()(tick, i) for i, tick in enumerate(axes.get_xticks())]
    assert labels[:2] == ["0", "1 M"]
    assert axes.get_xticks()[0] == left
    assert "what needs no MACs" in drawing.caption


def test_no_macs_stand_at_0_where_the_others_are_near_each_other() -> None:
    none, few, most = (make_record(n, macs=m) for n, m in (("none", 0), ("few", 10**8), ("most", 10**9)))
    drawing = drawn(cost_versus_speed, [none, few, most])
    (axes,) = drawing.figure.axes
    assert axes.get_xscale() == "linear"
    assert marks(axes, none)[0].get_xdata()[0] == 0
    assert "what needs no MACs" not in drawing.caption


def test_rings_of_several_kernels_are_judged_together_and_the_caption_says_so() -> None:
    math, fused = make_record("a"), make_record("a", kernel="flash", latency=0.001)
    drawing = drawn(cost_versus_speed, [math, fused, make_record("b", macs=10**12)])
    assert len(rings(drawing.figure.axes[0])) == 1
    assert "All kernels of a panel are judged together." in drawing.caption
    assert "judged" not in drawn(cost_versus_speed, [math, make_record("b")]).caption


def test_a_line_that_ends_early_is_led_to_its_name_by_dots() -> None:
    early = make_record("early")
    figure = drawn(over_resolution, [early, *(make_record("b", resolution=r) for r in (224, 448))]).figure
    styles = {
        text.arrow_patch.get_linestyle() for text in figure.axes[1].texts if text.arrow_patch is not None
    }
    assert styles == {(0, (1, 2)), "-"}  # the other is only moved
    assert len([text for text in figure.axes[1].texts if text.arrow_patch is not None]) == 2


def test_one_mixer_makes_no_scatter_plot() -> None:
    assert absent(cost_versus_speed, [make_record(), make_record(kernel="flash")]) is None
    assert absent(cost_versus_speed, [make_record("a"), make_record("b", status="oom")]) is None
    assert absent(cost_versus_speed, [make_record("a"), make_record("b", macs=None)]) is None


# Over resolution


def test_a_line_joins_the_medians_of_a_mixer_in_order_of_resolution() -> None:
    records = [make_record(resolution=r, latency=t) for r, t in ((448, 0.04), (224, 0.01), (896, 0.2))]
    figure = drawn(over_resolution, records).figure
    latency = next(axes for axes in figure.axes if axes.get_ylabel() == "Latency per step")
    (line,) = [line for line in latency.lines if len(line.get_xdata()) == 3]
    assert list(line.get_ydata()) == pytest.approx([0.01, 0.04, 0.2])
    assert list(line.get_xdata()) == pytest.approx([0, 0.5, 1])
    assert latency.get_yscale() == "log"


def test_rows_are_metrics_and_columns_are_kernels_on_one_axis() -> None:
    figure = drawn(over_resolution, realistic()).figure
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == [
        "MACs per image",
        "Latency per step",
        "Throughput (images/s)",
        "Peak memory (allocated)",
    ]
    assert [axes.get_title("left") for axes in figure.axes[:2]] == ["math kernel", "flash kernel"]
    for left, right in zip(figure.axes[::2], figure.axes[1::2], strict=True):
        assert left.get_ylim() == right.get_ylim()


def test_a_failure_is_a_cross_at_the_bad_edge_of_its_resolution_with_its_status() -> None:
    failed = make_record("a", resolution=448, status="oom")
    records = [make_record("a"), failed, make_record("b"), make_record("b", resolution=448, latency=0.3)]
    figure = drawn(over_resolution, records).figure
    crosses = {axes.get_ylabel(): marks(axes, failed) for axes in figure.axes}
    assert [mark.get_marker() for mark in crosses["MACs per image"]] == ["o"]  # counted, so no failure
    for label, at_top in (("Latency per step", True), ("Throughput (images/s)", False)):
        (cross,) = crosses[label]
        assert cross.get_marker() == "x"
        (x,), (y,) = cross.get_data()
        assert x == pytest.approx(1.04 / 1.08)
        assert bool(y > 0.9) is at_top
        assert bool(y < 0.1) is not at_top
    assert texts(figure).count("a OOM") == 3  # latency, throughput and memory


def test_lines_leave_the_strip_of_failures_free() -> None:
    records = [make_record("a"), make_record("b"), make_record("b", resolution=448, latency=0.3)]
    records.append(make_record("a", resolution=448, status="oom"))
    for axes in drawn(over_resolution, records).figure.axes:
        if axes.get_ylabel() == "Latency per step":
            highest = axes.transAxes.inverted().transform(axes.transData.transform((0, 0.3)))[1]
            assert highest < 0.95


def test_a_mixer_that_always_failed_is_listed_all_the_same() -> None:
    records = [make_record("a", resolution=r) for r in (224, 448)]
    records += [make_record("b", resolution=r, status="unsupported", macs=None) for r in (224, 448)]
    figure = drawn(over_resolution, records).figure
    assert "b unsupported" in texts(figure)
    assert len(marks(figure, records[-1])) == 4


def test_bands_are_drawn_where_they_are_wide_enough_to_be_seen() -> None:
    def bands(noise: float) -> int:
        records = [
            make_record("a", resolution=r, noise=noise, latency=t) for r, t in ((224, 0.01), (448, 0.02))
        ]
        return sum(len(axes.collections) for axes in drawn(over_resolution, records).figure.axes)

    assert (bands(0.3), bands(0.001)) == (2, 0)  # latency and throughput


def test_labels_at_the_ends_of_lines_do_not_touch() -> None:
    names = [f"m{i}" for i in range(12)]
    records = [make_record(name, resolution=r, latency=0.01 * r) for name in names for r in (224, 448)]
    for axes in drawn(over_resolution, records).figure.axes:
        heights = sorted(text.xy[1] for text in axes.texts if text.get_text())  # type: ignore[attr-defined]
        assert len(heights) == 12
        assert min(b - a for a, b in pairwise(heights)) >= 9


def test_images_that_are_not_square_have_both_sides_at_the_axis() -> None:
    records = [make_record("a", resolution=size) for size in ((480, 640), (640, 480), 1024)]
    axes = drawn(over_resolution, records).figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["480×640", "640×480", "1024"]


def test_tick_labels_that_would_touch_are_left_out() -> None:
    records = [make_record("a", resolution=size) for size in range(1000, 1100, 2)]
    axes = drawn(over_resolution, records).figure.axes[0]
    shown = [label.get_text() for label in axes.get_xticklabels() if label.get_text()]
    assert shown[0] == "1000"
    assert 3 < len(shown) < 25


def test_one_resolution_makes_no_lines() -> None:
    assert absent(over_resolution, [make_record("a"), make_record("b")]) is None


# At one resolution


def test_every_metric_has_its_dots_and_the_fastest_mixer_is_on_top() -> None:
    slow, fast = make_record("slow", latency=0.02), make_record("fast", latency=0.01)
    figure = drawn(at_one_resolution, [slow, fast]).figure
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "MACs per image",
        "Latency per step",
        "Throughput (images/s)",
        "Peak memory (allocated)",
    ]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["fast", "slow"]
    bottom, top = figure.axes[0].get_ylim()
    assert bottom > top
    (mark,) = marks(figure.axes[1], slow)
    assert mark.get_xydata().tolist() == [[pytest.approx(0.02), 1]]


def test_kernels_of_a_mixer_lie_side_by_side() -> None:
    math, flash = make_record("a"), make_record("a", kernel="flash")
    axes = drawn(at_one_resolution, [math, flash]).figure.axes[1]
    (one,), (other,) = marks(axes, math), marks(axes, flash)
    assert one.get_ydata()[0] == -other.get_ydata()[0] != 0


def test_a_failure_is_a_cross_at_the_bad_edge_of_its_mixer() -> None:
    failed = make_record("b", status="crash")
    figure = drawn(at_one_resolution, [make_record("a"), failed]).figure
    assert texts(figure) == ["crash"] * 3
    latency, throughput, memory = (marks(axes, failed)[0].get_xdata()[0] for axes in figure.axes[1:])
    assert throughput < 0.1 < 0.9 < min(latency, memory)


def test_several_resolutions_make_no_dots() -> None:
    assert absent(at_one_resolution, [make_record(), make_record(resolution=448)]) is None


# Fused kernels against math


def test_the_speed_up_is_latency_on_math_over_latency_on_the_fused_kernel() -> None:
    fused = make_record("a", kernel="flash", latency=0.004)
    drawing = drawn(kernel_speedup, [make_record("a", latency=0.01), fused])
    (axes,) = drawing.figure.axes
    (mark,) = marks(axes, fused)
    assert list(mark.get_xdata()) == pytest.approx([2.5])
    assert "1×" in [label.get_text() for label in axes.get_xticklabels()]
    assert axes.get_xlabel() == "Speed-up by flash"
    assert "2.50 times, a at 224 px" in drawing.alt


def test_several_fused_kernels_have_a_legend() -> None:
    records = [make_record("a", kernel=kernel) for kernel in ("math", "sdpa", "flash")]
    assert legend(drawn(kernel_speedup, records).figure) == ["filled: sdpa kernel", "left half: flash kernel"]


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
    assert absent(kernel_speedup, records) is None


# All figures


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_run_without_records_or_without_numbers_draws_nothing(section) -> None:  # type: ignore[no-untyped-def]
    assert absent(section.draw, []) is None
    failed = [make_record(n, resolution=r, status="error", macs=None) for n in "ab" for r in (224, 448)]
    assert absent(section.draw, failed) is None


def test_a_mixer_has_one_colour_and_one_marker_on_every_figure() -> None:
    records = realistic()
    frame = to_frame(records)
    style = theme.looks(frame["name"])
    for section in SECTIONS:
        drawing = section.draw(frame, style)
        for record in records if drawing else []:
            for mark in marks(drawing.figure, record):  # type: ignore[union-attr]
                look = style[record.cell.name]
                assert mark.get_color() == look.color
                assert mark.get_marker() in (look.marker, "x")


def test_a_dollar_in_a_name_is_no_formula() -> None:
    records = [make_record(name, resolution=r) for name in ("$x_2$", r"$\frac{$") for r in (224, 448)]
    drawing = drawn(over_resolution, records)
    assert "$x_2$" in texts(drawing.figure)
    assert not any(text.get_parse_math() for axes in drawing.figure.axes for text in axes.texts)
    assert mpl.rcParams["text.usetex"] is False


def _stepping(record: Record) -> Record:
    """As a training step, a third of it forward."""
    assert record.timing is not None
    parts = {"forward": record.timing.samples_s, "backward": tuple(2 * s for s in record.timing.samples_s)}
    return replace(record, timing=replace(record.timing, parts_s=parts))


@pytest.mark.parametrize(
    "section", [one for one in SECTIONS if one.key not in UNASKED], ids=lambda section: section.name
)
def test_every_figure_is_described_for_those_who_do_not_see_it(section) -> None:  # type: ignore[no-untyped-def]
    records = realistic() if section.name != "all-metrics" else realistic(resolutions=(224,))
    if section.name == "training-split":
        records = [_stepping(record) for record in records if record.timing is not None]
    drawing = drawn(section.draw, records)
    assert drawing.alt.endswith(".")
    assert "mixers" in drawing.alt
    assert len(drawing.caption) > 40
