"""MACs against speed, read from the artists: every value where it belongs, every mark with its name."""

from __future__ import annotations

import math

import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from benchsuite.report import theme
from benchsuite.report.canvas import flagged
from benchsuite.report.figures.layout import HALF, PAGE, Layout, column
from benchsuite.results.record import Record
from tests.report.figures.drawing import SELFTEST, absent, drawn, legend, marks, texts
from tests.report.synthetic import make_record, realistic


def stairs(axes: Axes) -> Line2D:
    (line,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    return line


def test_a_mark_stands_at_its_macs_and_its_throughput() -> None:
    record = make_record("a", latency=0.02, macs=3 * 10**9)
    (mark,) = marks(drawn("scatter", [record, make_record("b")]).figure, record)
    assert list(mark.get_xdata()) == [3e9]
    assert list(mark.get_ydata()) == pytest.approx([64 / 0.02])


def test_another_metric_is_drawn_where_it_is_asked_for() -> None:
    record = make_record("a", latency=0.02)
    drawing = drawn("scatter", [record, make_record("b", macs=2)], metric="latency_s")
    assert list(marks(drawing.figure, record)[0].get_ydata()) == pytest.approx([0.02])
    assert drawing.figure.axes[0].get_ylabel() == "Latency per step"


def test_math_is_hollow_and_fused_is_filled_and_the_legend_says_so() -> None:
    math, flash = make_record("a"), make_record("a", kernel="flash", latency=0.005)
    figure = drawn("scatter", [math, flash, make_record("b")]).figure
    (hollow,), (filled,) = marks(figure, math), marks(figure, flash)
    assert hollow.get_markerfacecolor() == theme.PAPER
    assert filled.get_markerfacecolor() == filled.get_color() == hollow.get_color()
    assert hollow.get_marker() == filled.get_marker()
    assert legend(figure) == ["hollow: math kernel", "filled: flash kernel", "Pareto front"]


def test_on_one_kernel_mixers_that_have_nothing_to_fuse_count_as_well() -> None:
    records = [make_record("a"), make_record("a", kernel="flash", latency=0.005), make_record("plain")]
    figure = drawn("scatter", records, kernel="flash").figure
    assert [len(marks(figure, record)) for record in records] == [0, 1, 1]


def test_the_staircase_goes_through_the_front_and_nothing_else() -> None:
    records = [
        make_record("a", macs=1, latency=0.04),
        make_record("dominated", macs=2, latency=0.08),
        make_record("b", macs=3, latency=0.01),
        make_record("lower bound", macs=1, latency=0.001, exact=False),
    ]
    (axes,) = drawn("scatter", records).figure.axes
    assert list(stairs(axes).get_xdata())[:2] == [1, 3]
    assert list(stairs(axes).get_ydata()) == pytest.approx([1600, 6400, 6400])


def test_where_less_is_better_the_front_goes_down() -> None:
    records = [make_record("a", macs=1, latency=0.04), make_record("b", macs=3, latency=0.01)]
    (axes,) = drawn("scatter", records, metric="latency_s").figure.axes
    assert list(stairs(axes).get_ydata()) == pytest.approx([0.04, 0.01, 0.01])


def test_without_an_exact_count_there_is_no_front() -> None:
    figure = drawn("scatter", [make_record(name, exact=False) for name in "ab"]).figure
    assert not any(line.get_drawstyle() == "steps-post" for line in figure.axes[0].lines)
    assert legend(figure) == []


def test_the_band_is_the_noise_floor_of_the_machine_around_the_front() -> None:
    records = [make_record("a", macs=1, latency=0.02), make_record("b", macs=2, latency=0.01)]
    figure = drawn("scatter", records, machine=SELFTEST).figure
    (band,) = [band for band in figure.axes[0].collections if isinstance(band, PolyCollection)]
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(3200 / 1.02)
    assert heights.max() == pytest.approx(6400 * 1.02)
    assert legend(figure)[-1] == "noise floor ±2.0 %"
    far = [make_record("a", latency=0.02), make_record("b", latency=20)]
    thin = legend(drawn("scatter", far, machine=SELFTEST).figure)
    assert thin[-1] == "noise floor ±2.0 %, narrower than a mark"
    assert not drawn("scatter", records).figure.axes[0].collections


def test_a_wide_interval_is_drawn_and_a_narrow_one_is_not() -> None:
    def bars(noise: float) -> int:
        records = [make_record("a", noise=noise), make_record("b", latency=0.02, noise=0)]
        (axes,) = drawn("scatter", records).figure.axes
        return sum(line.get_marker() == "_" for line in axes.lines)

    assert (bars(0.3), bars(0.0001)) == (1, 0)


def test_marks_of_equal_macs_stand_above_each_other_and_bars_beside_where_they_overlap() -> None:
    def places(fused: float, noise: float) -> tuple[list[float], list[float]]:
        records = [
            make_record("a", kernel=k, latency=t, noise=noise) for k, t in (("math", 1), ("sdpa", fused))
        ]
        figure = drawn("scatter", [*records, make_record("b", macs=3 * 10**9)]).figure
        bars = [line for line in figure.axes[0].lines if line.get_marker() == "_"]
        drawn_at = [float(line.get_xdata()[0]) for line in bars]
        return [float(marks(figure, record)[0].get_xdata()[0]) for record in records], drawn_at

    for fused, noise in ((0.99, 0.3), (0.99, 0.0001), (0.01, 0.3)):
        found, bars = places(fused, noise)
        assert found == [1e9, 1e9]
        beside = (fused, noise) == (0.99, 0.3)
        assert (min(bars[:2], default=1e9) < 1e9 < max(bars[:2], default=1e9)) == beside


def test_of_many_resolutions_three_are_drawn_the_first_and_the_last_among_them() -> None:
    records = [make_record(name, resolution=64 * i) for i in range(1, 12) for name in ("a", "b")]
    drawing = drawn("scatter", records)
    assert [ax.get_title("left") for ax in drawing.figure.axes] == ["64 px", "384 px", "704 px"]
    assert "3 of 11 resolutions." in drawing.caption


def spans(records: list[Record]) -> tuple[list[tuple[float, float]], str]:
    drawing = drawn("scatter", records)
    return [ax.get_xlim() for ax in drawing.figure.axes], drawing.caption


def test_panels_share_their_axes_where_that_squeezes_nothing() -> None:
    near = [make_record(n, resolution=r, macs=m * r) for r in (224, 448) for n, m in (("a", 1), ("b", 4))]
    limits, _ = spans(near)
    assert limits[0] == limits[1]


def test_equal_distances_are_equal_ratios_where_panels_lie_far_apart() -> None:
    far = [make_record(n, resolution=r, macs=m * r**4) for r in (64, 640) for n, m in (("a", 1), ("b", 4))]
    limits, caption = spans(far)
    assert limits[0][1] / limits[0][0] == pytest.approx(limits[1][1] / limits[1][0])
    assert limits[0][1] < limits[1][0]
    assert "axes of one scale" in caption


def test_panels_on_top_of_each_other_have_the_range_of_their_own_speeds_on_one_scale() -> None:
    records = [
        make_record(n, resolution=r, latency=t * s, macs=m * r)
        for r, s in ((224, 1), (448, 6))
        for n, t, m in (("a", 0.01, 1), ("b", 0.04, 4))
    ]

    def limits(layout: Layout) -> list[tuple[float, float]]:
        return [ax.get_ylim() for ax in drawn("scatter", records, layout).figure.axes]

    beside, stacked = limits(PAGE), limits(HALF)
    assert beside[0] == beside[1]
    assert stacked[0][0] > stacked[1][0]
    assert stacked[0][1] / stacked[0][0] == pytest.approx(stacked[1][1] / stacked[1][0])


def test_a_name_is_led_to_its_mark_where_that_of_another_is_nearer() -> None:
    hidden, over = make_record("hidden", latency=0.02), make_record("over", latency=0.0201)
    far = make_record("far", macs=3 * 10**9)
    (axes,) = drawn("scatter", [hidden, over, far]).figure.axes
    arrows = [text for text in axes.texts if text.arrow_patch is not None]  # type: ignore[attr-defined]
    assert len(arrows) == 1
    alone = drawn("scatter", [hidden, far]).figure.axes[0].texts
    assert all(text.arrow_patch is None for text in alone)  # type: ignore[attr-defined]


def test_all_axes_are_logarithmic_so_that_none_is_mixed() -> None:
    records = [make_record("a", macs=10, resolution=r) for r in (224, 448)]
    records += [make_record("b", macs=11, latency=0.3, resolution=r) for r in (224, 448)]
    for axes in drawn("scatter", records).figure.axes:
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


@pytest.mark.parametrize("layout", [HALF, column(6.75, "litv2"), column(3.25, "litv2")])
def test_every_mixer_is_labelled_at_its_mark(layout) -> None:  # type: ignore[no-untyped-def]
    drawing = drawn("scatter", realistic(resolutions=(224,)), layout)
    assert sorted(set(texts(drawing.figure))) == sorted({record.cell.name for record in realistic((224,))})


def test_names_that_would_cover_the_panel_stand_in_the_legend() -> None:
    records = [make_record(f"{i:02} with a very long name", latency=0.01 * (1 + i)) for i in range(20)]
    figure = drawn("scatter", records, column(3.25)).figure
    assert texts(figure) == []
    assert "19 with a very long name" in legend(figure)


def test_of_two_arguments_the_legend_has_each_value_once_and_the_panel_no_names() -> None:
    names = [f"HiLo alpha={alpha} window_size={size}" for alpha in (0.1, 0.5, 0.9) for size in (2, 4)]
    figure = drawn("scatter", [make_record(n, macs=10**9 + i) for i, n in enumerate(names)]).figure
    assert texts(figure) == []
    assert legend(figure)[1:] == ["window = 2", "window = 4", "α = 0.1", "α = 0.5", "α = 0.9"]


def crowd() -> list[Record]:
    """Forty mixers of 100 to 200 M MACs, and three that need a thousandth."""
    near = [make_record(f"m{n:02}", macs=(40 + n) * 2_500_000, latency=0.01 * 1.05**n) for n in range(40)]
    return near + [make_record(f"far{n}", macs=10**5 * (1 + n), latency=0.001 * 4**n) for n in range(3)]


def test_a_crowded_part_is_enlarged_and_far_marks_squeeze_nothing() -> None:
    records = crowd()
    drawing = drawn("scatter", records)
    overview, part = drawing.figure.axes
    assert part.get_title("left") == "224 px, enlarged"
    assert part.get_xlim()[0] > 5e7
    assert [len(marks(part, record)) for record in (records[20], records[-1])] == [1, 0]
    (frame,) = [patch for patch in overview.patches if isinstance(patch, Rectangle)]
    assert frame.get_x() == part.get_xlim()[0]
    found = texts(drawing.figure)
    assert {"far0", "far1", "far2"} <= set(found)
    assert len(found) == len(set(found))  # each in one of the panels
    assert f"No room for {len(records) - len(found)} name" in drawing.caption


def test_the_front_of_an_enlarged_part_is_that_of_all_marks() -> None:
    """The fastest of the crowd is slower than a mark with fewer MACs that the part has not."""
    axes = drawn("scatter", crowd()).figure.axes
    speeds = [sorted(set(stairs(ax).get_ydata())) for ax in axes]
    assert speeds[0] == speeds[1]
    assert speeds[1][0] > axes[1].get_ylim()[1]


def test_of_more_than_twenty_names_only_the_telling_ones_are_coloured() -> None:
    records = [make_record(f"m{n}", macs=n * 10**9, latency=0.01 * (1 + n)) for n in range(1, 26)]
    drawing = drawn("scatter", records)
    colors = [marks(drawing.figure, records[n])[0].get_color() for n in (0, 11)]
    assert colors[0] != theme.MUTED == colors[1]
    assert "Coloured are the front, the extremes and the reference." in drawing.caption


def test_no_macs_have_a_place_on_a_logarithmic_axis() -> None:
    none, few, most = (make_record(n, macs=m) for n, m in (("none", 0), ("few", 10**6), ("most", 10**9)))
    drawing = drawn("scatter", [none, few, most])
    (axes,) = drawing.figure.axes
    left, right = (marks(axes, record)[0].get_xdata()[0] for record in (none, few))
    assert axes.get_xlim()[0] < left < right == 10**6
    assert axes.get_xticklabels()[0].get_text() == "0"
    assert axes.get_xticks()[0] == left
    assert "Left of the dotted line stands 0." in drawing.caption
    bound = make_record("bound", macs=0, exact=False)
    assert "stands 0, also as a lower bound." in drawn("scatter", [none, few, bound]).caption


def test_a_lower_bound_has_an_arrow_and_the_caption_says_why() -> None:
    records = [make_record("a", exact=False), make_record("b", macs=3 * 10**9)]
    drawing = drawn("scatter", records)
    arrows = [t for t in drawing.figure.axes[0].texts if t.arrow_patch is not None]  # type: ignore[attr-defined]
    assert len(arrows) == 1
    assert "An arrow marks MACs that are a lower bound" in drawing.caption


def test_what_failed_is_said_in_the_caption() -> None:
    records = [
        make_record("a"),
        make_record("b"),
        make_record("c", status="oom"),
        make_record("d", kernel="flash", status="unsupported"),
    ]
    assert drawn("scatter", records).caption.endswith("Without a number: c (OOM) and d (unsupported).")


def test_many_failures_are_counted_and_not_all_listed() -> None:
    records = [make_record("a"), make_record("b")]
    records += [make_record(f"broken {i:02}", status="error") for i in range(11)]
    caption = drawn("scatter", records).caption
    assert "broken 07 and 3 more (error)." in caption
    assert "broken 08" not in caption


def test_one_mixer_makes_no_scatter_plot() -> None:
    assert absent("scatter", [make_record(), make_record(kernel="flash")]) is None
    assert absent("scatter", [make_record("a"), make_record("b", status="oom")]) is None
    assert absent("scatter", [make_record("a"), make_record("b", macs=None)]) is None


def test_a_flagged_cell_is_marked_and_the_caption_says_how() -> None:
    suspicious, clean = make_record("a"), make_record("b", macs=2 * 10**9)
    drawing = drawn("scatter", [suspicious, clean])
    assert flagged(drawing, set()) is drawing
    before = texts(drawing.figure)
    with theme.applied():
        marked = flagged(drawing, {suspicious.id})
    assert sorted(texts(marked.figure)) == sorted([*before, "!"])
    assert marked.caption.endswith("A ! marks a cell whose samples have a flag.")


def test_of_a_crowd_only_coloured_marks_have_the_sign_of_a_flag() -> None:
    records = [make_record(f"m{n}", macs=n * 10**9, latency=0.01 * (1 + n)) for n in range(1, 26)]
    drawing = drawn("scatter", records)
    before = texts(drawing.figure)
    with theme.applied():
        found = flagged(drawing, {records[0].id, records[11].id})
    assert sorted(texts(found.figure)) == sorted([*before, "!"])
    assert found.caption.endswith("A ! marks a coloured cell whose samples have a flag.")


# Published accuracy


def network(target: str, latency: float, **config: object) -> Record:
    name = " ".join([target, *map(str, config)])
    return make_record(name, target=target, subject="backbone", latency=latency, dim=None, num_heads=None,
                       stride=1, config=config)  # fmt: skip


def test_published_accuracy_stands_over_measured_speed_and_says_what_is_not_measured() -> None:
    records = [network("litv2_s", 0.02), network("swin_t", 0.04), network("mixer_s16", 0.01)]
    drawing = drawn("accuracy", records)
    (mark,) = marks(drawing.figure, records[0])
    assert list(mark.get_ydata()) == [82.0]
    assert list(mark.get_xdata()) == pytest.approx([64 / 0.02])
    assert marks(drawing.figure, records[2]) == []
    assert "accuracy is published by the authors and was not measured" in drawing.caption
    assert "No published value: mixer_s16." in drawing.caption


def test_a_network_with_other_mixers_has_no_published_accuracy() -> None:
    swapped = network("litv2_s", 0.02, mixer={"stage3": "msa"})
    assert absent("accuracy", [swapped, network("swin_t", 0.04)]) is None


def test_a_share_of_the_noise_that_nobody_knows_draws_no_band() -> None:
    from benchsuite.report.reported_cells import noise_of
    from tests.report.figures.drawing import cells_of

    assert noise_of([]) == 0
    assert not math.isnan(noise_of(cells_of([make_record("a")]).reported))
