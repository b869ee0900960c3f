"""Figures and sentences over batch, width, heads, threads and parameters, from records made for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchsuite.report import over, over_words, theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.context import build
from benchsuite.report.html import render
from benchsuite.report.over_axis import MOST_NAMES, over_axis, positions
from benchsuite.report.points import points
from benchsuite.report.sweeps import Sweep, sweeps
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from tests.report.synthetic import make_record, make_run
from tests.report.test_sweeps import hilo


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with theme.applied():
        yield


def sweep_of(*records: Record) -> Sweep:
    (sweep,) = sweeps(points(to_frame(records)))
    return sweep


def drawn(*records: Record) -> Drawing:
    frame = to_frame(records)
    (sweep,) = sweeps(points(frame))
    return over_axis(sweep, theme.looks(frame["name"]))


def batches(name: str = "a", power: float = 1.0, **changes: Any) -> list[Record]:
    return [make_record(name, batch=b, latency=0.001 * b**power, **changes) for b in (1, 2, 4, 8)]


def marks(ax: Axes, record: Record) -> list[Line2D]:
    return [line for line in ax.get_children() if line.get_gid() == f"cell:{record.id}"]  # type: ignore[misc]


# The figure


def test_batches_are_drawn_in_throughput_and_latency_and_not_in_macs() -> None:
    records = batches(power=0.5)
    axes = drawn(*records).figure.axes
    assert [ax.get_ylabel() for ax in axes] == ["Throughput (images/s)", "Latency per step"]
    assert {ax.get_xlabel() for ax in axes} == {"Batch"}
    (mark,) = marks(axes[1], records[3])
    assert list(mark.get_ydata()) == pytest.approx([0.001 * 8**0.5])
    assert list(mark.get_xdata()) == [1.0]


def test_a_parameter_is_drawn_in_throughput_macs_and_memory() -> None:
    records = [
        hilo(a, macs=n * 10**9, memory=n << 20, latency=0.01 * n) for n, a in ((1, 0.0), (2, 0.5), (3, 1.0))
    ]
    axes = drawn(*records).figure.axes
    titles = ["Throughput (images/s)", "MACs per image", "Peak memory (allocated)"]
    assert [ax.get_ylabel() for ax in axes] == titles
    assert [list(marks(axes[1], r)[0].get_xdata()) for r in records] == [[0.0], [0.5], [1.0]]


def test_at_one_resolution_metrics_stand_beside_each_other() -> None:
    axes = drawn(*batches(power=0.5)).figure.axes
    assert [ax.get_title("left") for ax in axes] == ["224 px", ""]
    assert axes[0].get_position().y0 == axes[1].get_position().y0


def test_values_that_double_are_evenly_spaced_and_shares_are_not_logarithms() -> None:
    assert list(positions([1, 2, 4]).positions.values()) == pytest.approx([0, 0.5, 1])
    assert list(positions([0.0, 0.2, 1.0]).positions.values()) == pytest.approx([0, 0.2, 1])
    assert list(positions([2, 3, 4]).positions.values()) == pytest.approx([0, 0.5, 1])


def test_a_failure_is_a_cross_where_it_happens_with_its_reason() -> None:
    records = batches(power=0.5)[:3]
    gone = make_record("a", batch=8, status="oom")
    drawing = drawn(*records, gone)
    for ax in drawing.figure.axes:
        (cross,) = marks(ax, gone)
        assert cross.get_marker() == "x"
        assert cross.get_xdata()[0] > 0.9
        assert "OOM" in " ".join(text.get_text() for text in ax.texts)
    throughput, latency = drawing.figure.axes[:2]
    assert marks(throughput, gone)[0].get_ydata()[0] < 0.2
    assert marks(latency, gone)[0].get_ydata()[0] > 0.8
    assert "cell without a number" in drawing.caption
    assert drawing.alt.endswith("1 cell failed and is marked.")


def test_intervals_that_can_be_seen_are_drawn() -> None:
    def bars(noise: float) -> int:
        ax = drawn(*batches(power=0.5, noise=noise)).figure.axes[0]
        return sum(line.get_marker() == "_" for line in ax.lines)

    assert (bars(0.3), bars(0.0001)) == (4, 0)


def test_every_resolution_has_a_column_up_to_three() -> None:
    records = [r for size in (64, 128, 256, 512) for r in batches(power=0.5, resolution=size)]
    drawing = drawn(*records)
    assert [ax.get_title("left") for ax in drawing.figure.axes[:3]] == ["64 px", "256 px", "512 px"]
    assert "3 of 4 resolutions, spread evenly." in drawing.caption
    assert "Every panel has its own scale." in drawing.caption


def test_more_names_than_can_be_told_apart_are_cut_and_said() -> None:
    drawing = drawn(*(r for n in range(MOST_NAMES + 2) for r in batches(f"m{n}", 0.5)))
    names = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert "m11" in names
    assert "m12" not in names
    assert "12 of 14 are drawn, the first of the scenario." in drawing.caption


def test_a_panel_where_all_failed_says_so() -> None:
    lost = [make_record("a", resolution=448, batch=b, status="oom", macs=None) for b in (1, 2, 4)]
    some = make_record("a", resolution=448, batch=8, macs=None, memory=None)
    drawing = drawn(*batches(power=0.5, memory=None), *lost, some)
    assert len(drawing.figure.axes) == 4
    three = [make_record("b", batch=b, memory=None) for b in (1, 2, 4)]
    grown = [make_record("a", batch=b, memory=b << 20) for b in (1, 2, 4)]
    assert drawn(*grown, *three).figure.axes[-1].get_ylabel() == "Peak memory (allocated)"


# Words


def alphas(*latencies: float, noise: float = 0.001, **changes: Any) -> list[Record]:
    return [
        hilo(a, latency=t, noise=noise, **changes)
        for a, t in zip((0.0, 0.5, 0.9, 1.0), latencies, strict=True)
    ]


def fastest(*records: Record) -> str:
    sweep = sweep_of(*records)
    return over_words.fastest(sweep, over_words.order_over(sweep))


def crossed(sweep: Sweep) -> str:
    return over_words.crossed(sweep, over_words.order_over(sweep))


def test_the_fastest_value_is_named_where_the_rounds_bear_it_out() -> None:
    records = [
        *alphas(0.02, 0.02, 0.01, 0.02, resolution=448),
        *alphas(0.02, 0.01, 0.01, 0.01, resolution=224),
        *alphas(0.01, 0.01, 0.01, 0.01, resolution=896),
    ]
    assert fastest(*records) == (
        "HiLo window_size=2 with math: at 224 px which of α = 0.5 to 1 is fastest is undecided (the rounds "
        "disagree); α = 0.9 is fastest at 448 px; at 896 px which α is fastest is undecided (the rounds "
        "disagree)."
    )


def test_values_apart_are_listed_and_not_spanned() -> None:
    text = fastest(*alphas(0.01, 0.02, 0.02, 0.01))
    assert "at 224 px which of α = 0 and 1 is fastest is undecided" in text
    assert "which of α = 0, 0.9 and 1 is fastest" in fastest(*alphas(0.01, 0.02, 0.01, 0.01))


def test_without_three_rounds_nothing_is_the_fastest() -> None:
    records = alphas(0.04, 0.03, 0.02, 0.01, samples=3)
    assert "which α is fastest is undecided (too few rounds)" in fastest(*records)


def test_what_lies_within_the_noise_of_the_machine_has_no_fastest() -> None:
    (sweep,) = sweeps(points(to_frame(alphas(0.01, 0.01, 0.01, 0.02)).assign(noise=0.05)))
    assert over_words.fastest(sweep, over_words.order_over(sweep)).endswith(
        "at 224 px α = 0 to 0.9 are fastest, with no difference that means anything on this machine."
    )


def test_a_line_of_which_values_are_missing_has_no_fastest() -> None:
    (sweep,) = sweeps(points(to_frame(alphas(0.01, 0.03, 0.02, 0.04)).assign(line_unfinished=True)))
    assert over_words.fastest(sweep, over_words.order_over(sweep)) == ""


def test_the_best_batch_is_that_with_most_images_per_second() -> None:
    records = [make_record("a", batch=b, latency=t) for b, t in ((1, 1.0), (2, 1.0), (4, 8.0))]
    assert fastest(*records) == ("a with math: batch 2 gives most images per second at 224 px.")


def test_heads_and_threads_are_counted_and_a_width_has_no_optimum() -> None:
    heads = [make_record("a", num_heads=n, latency=0.01 * n) for n in (1, 2, 4)]
    assert "1 head is fastest at 224 px" in fastest(*heads)
    threads = [make_record("a", threads=n, latency=0.01 / n) for n in (1, 2, 4)]
    assert "4 threads is fastest at 224 px" in fastest(*threads)
    widths = [make_record("a", dim=64 * n, num_heads=1, latency=0.01 * n) for n in (1, 2, 4)]
    assert fastest(*widths) == ""


def test_many_names_are_counted() -> None:
    text = fastest(*(r for n in range(6) for r in batches(f"m{n}")))
    assert text.endswith("2 more names are in the figure or the table of all numbers.")
    assert "m3 with" in text
    assert "m4" not in text


def test_the_fewest_macs_are_named_and_a_lower_bound_keeps_silent() -> None:
    exact = [hilo(a, macs=m) for a, m in ((0.0, 30), (0.5, 10), (1.0, 10))]
    assert over_words.fewest(sweep_of(*exact)) == (
        "HiLo window_size=2 with math: α = 0.5 and 1 need the fewest MACs at 224 px."
    )
    assert "MACs are the same for every α" in over_words.fewest(sweep_of(*alphas(1, 2, 3, 4)))
    assert over_words.fewest(sweep_of(*(hilo(a, exact=False) for a in (0.0, 0.5, 1.0)))) == ""
    assert over_words.fewest(sweep_of(*batches())) == ""


def test_kernels_that_say_the_same_share_a_sentence() -> None:
    records = [r for kernel in ("math", "flash") for r in alphas(2, 2, 1, 2, kernel=kernel)]
    assert fastest(*records).startswith("HiLo window_size=2 with math and flash: ")


def test_exponents_are_those_the_records_were_made_with() -> None:
    sweep = sweep_of(*batches("linear", 1.0), *batches("root", 0.5))
    assert over_words.grows(sweep) == (
        "With the math kernel at 224 px, latency per step of linear grows as batch^1.00 [1.00, 1.00], that "
        "of root grows as batch^0.50 [0.50, 0.50], between 1 and 8."
    )
    table = over_words.law_table(sweep)
    assert table is not None
    texts = [[cell.text for cell in row.cells] for row in table.rows]
    assert [row[:4] for row in texts] == [
        ["linear", "math", "224 px", "1.00 [1.00, 1.00]"],
        ["root", "math", "224 px", "0.50 [0.50, 0.50]"],
    ]
    assert texts[0][-1] == "4: 1 to 8"


def test_exponents_with_common_intervals_are_not_held_against_each_other() -> None:
    jumpy = [make_record("a", batch=b, latency=t) for b, t in ((1, 1.0), (2, 9.0), (4, 1.0), (8, 9.0))]
    sweep = sweep_of(*jumpy, *batches("b"))
    assert "latency" not in over_words.grows(sweep)
    assert over_words.law_table(sweep) is not None


def test_three_values_say_how_far_off_and_two_say_nothing() -> None:
    three = [make_record("a", batch=b, latency=0.001 * b) for b in (1, 2, 4)]
    assert "(3 values, at most 0.0 % off)" in over_words.grows(sweep_of(*three))
    two = [*batches()[:2], make_record("a", batch=4, status="oom")]
    assert over_words.grows(sweep_of(*two)) == ""
    assert over_words.law_table(sweep_of(*two)) is None


def test_a_parameter_has_no_exponent() -> None:
    sweep = sweep_of(*alphas(1, 2, 3, 4))
    assert over_words.grows(sweep) == ""
    assert over_words.law_table(sweep) is None


def steps(name: str, *latencies: float) -> list[Record]:
    return [make_record(name, batch=b, latency=t) for b, t in zip((1, 2, 4, 8), latencies, strict=True)]


def test_who_passes_whom_is_said_between_the_values_where_it_is_clear() -> None:
    sweep = sweep_of(*steps("a", 1, 1, 4, 8), *steps("b", 2, 1, 2, 2))
    assert crossed(sweep) == "b passes a between batch 1 and 4 (math, 224 px)."


def test_who_changes_places_twice_is_told_value_by_value() -> None:
    sweep = sweep_of(*steps("a", 1, 2, 1, 1), *steps("b", 2, 1, 2, 1))
    assert crossed(sweep) == ("a is faster than b with batch 1 and 4, slower with batch 2 (math, 224 px).")


def test_without_crossings_that_is_said_and_a_single_line_says_nothing() -> None:
    sweep = sweep_of(*steps("a", 1, 2, 3, 4), *steps("b", 2, 3, 4, 5))
    assert crossed(sweep) == ("Over the batch no two lines change places beyond what the rounds leave open.")
    assert crossed(sweep_of(*batches())) == ""


def test_more_crossings_than_three_are_counted() -> None:
    sweep = sweep_of(*(r for n in range(4) for r in steps(f"m{n}", 1 + n, 9, 9, 9 - n)))
    assert crossed(sweep).endswith("; 3 more pairs change places.")


# The page


def test_a_run_has_a_part_for_each_axis_with_words_figure_and_exponents(tmp_path: Any) -> None:
    run = make_run([*batches("a", 0.5), *batches("b", 0.9)], report={"sections": ["scaling"]})
    (part,) = build([run]).runs[0].over
    assert (part.title, part.name) == ("Over batch", "over-batch")
    assert [finding.topic for finding in part.findings] == ["Fastest", "Growth", "Crossings"]
    assert part.svg is not None
    assert part.growth is not None
    text = render([run], out=tmp_path / "x.html", figures=tmp_path / "f").read_text(encoding="utf-8")
    assert '<section id="run1-over-1">' in text
    assert (tmp_path / "f" / "over-batch.svg").exists()


def test_a_scenario_that_wants_no_scaling_has_no_such_part() -> None:
    assert build([make_run(batches(), report={"sections": ["scatter"]})]).runs[0].over == []


def test_a_figure_that_the_page_has_no_room_for_is_drawn_for_files_only() -> None:
    frame = to_frame(batches())

    def part(room: int, *, every_figure: bool = False) -> over.OverPart:
        return over.of_run(
            points(frame),
            "run1",
            theme.looks(["a"]),
            lambda *_: Markup("<svg>"),
            room=room,
            every_figure=every_figure,
        )[0]

    assert part(4).svg is not None
    assert part(4).note == ""
    assert part(3).note.startswith("The figure of 1 line is not in this file")
    assert "in words" not in part(3).note
    assert (part(3).svg, part(3).drawing) == (None, None)
    assert part(3).findings != []
    assert part(3, every_figure=True).svg is None
    assert part(3, every_figure=True).drawing is not None


def test_of_more_lines_than_anybody_reads_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (over, over_words):
        monkeypatch.setattr(module, "MOST_LINES", 1)
    frame = to_frame([*batches("a", 0.5), *batches("b", 0.9)])
    (part,) = over.of_run(points(frame), "run1", theme.looks(["a", "b"]), lambda *_: Markup(), room=0)
    assert (part.findings, part.growth) == ([], None)
    assert part.note.endswith("Nothing is said of so many in words.")
