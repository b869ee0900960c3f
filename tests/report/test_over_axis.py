"""Figures and sentences over batch, width, heads, threads and parameters, from records made for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from benchsuite.report.context import build
from markupsafe import Markup

from benchsuite.report import over, over_words, theme
from benchsuite.report.html import render
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


def batches(name: str = "a", power: float = 1.0, **changes: Any) -> list[Record]:
    return [make_record(name, batch=b, latency=0.001 * b**power, **changes) for b in (1, 2, 4, 8)]


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
