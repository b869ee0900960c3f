"""The headline on records that make it Yes, No or Undecided, and on those that change its number."""

from __future__ import annotations

import itertools

import pytest

from benchsuite.report.answer_headline import headline
from benchsuite.report.ranking import among, rankings
from benchsuite.report.reported_cells import reported_cells
from benchsuite.results.record import Record
from benchsuite.scenario.load import load, shipped
from benchsuite.zoo.catalogue import known_parameters
from tests.report.answers import cell, headline_of, race
from tests.report.synthetic import make_network, make_record, realistic


def headed(question: str, records: list[Record], reference: str | None = None, noise: float = 0.0) -> str:
    cells = reported_cells(records, {1: {"selftest": {"noise_percent": 100 * noise}}})
    return headline(rankings(cells, among(cells)), reference, question)


def sized(*latencies: float, resolution: int, **changes: object) -> list[Record]:
    return race(*latencies, resolution=resolution, **changes)


FASTEST = "Is a the fastest?"


def test_a_named_mixer_is_the_fastest_only_where_the_rounds_say_so() -> None:
    assert headed(FASTEST, race(10, 12, 15)) == "Yes: 1.20 times as fast as b."
    assert headed(FASTEST, race(12, 10, 15)) == "No: b is, 1.20 times as fast as a."
    assert headed(FASTEST, race(10, 10.02, 15)) == "Undecided: b may be as fast at 224 px."
    assert headed(FASTEST, race(10.02, 10, 15)) == "Undecided: b may be as fast at 224 px."
    level = race(10, 10.02, 15, noise=0.001)
    assert headed(FASTEST, level, noise=0.02) == "No: b is as fast at 224 px."
    assert headed(FASTEST, race(12, 10, rounds=2)) == "Undecided: b may be as fast at 224 px."


def test_over_resolutions_it_says_where_it_is_not() -> None:
    ours = [*race(10, 12), *sized(40, 60, resolution=448)]
    assert headed(FASTEST, ours) == "Yes: 1.20–1.50 times as fast as b."
    theirs = [*race(10, 12), *sized(60, 40, resolution=448)]
    assert headed(FASTEST, theirs) == "No: only at 224 px; at 448 px b is 1.50 times as fast."
    larger = [*theirs, *sized(90, 45, resolution=672)]
    assert headed(FASTEST, larger) == "No: at 448 and 672 px b is 1.50–2.00 times as fast."
    largest = [*larger, *sized(90, 45, resolution=896)]
    assert headed(FASTEST, largest) == "No: only at 224 px; from 448 px b is 1.50–2.00 times as fast."
    back = [*larger, *sized(90, 99, resolution=896)]
    assert headed(FASTEST, back) == "No: at 448 and 672 px b is 1.50–2.00 times as fast."
    others = [*larger, *sized(90, 99, 30, resolution=896)]
    assert headed(FASTEST, others) == "No: in 1 of 4 settings; in 3 another is 1.50–3.00 times as fast."
    open_ = [*race(10, 12), *sized(40, 40.02, resolution=448)]
    assert headed(FASTEST, open_) == "Undecided: b may be as fast at 448 px."


def test_resolutions_stand_in_their_order_although_a_kernel_lacks_some() -> None:
    records = [*race(10, 12), *sized(60, 40, resolution=672)]
    fused = [record for side in (224, 448, 672) for record in sized(12, 10, resolution=side, kernel="flash")]
    fused[:2] = race(9, 12, kernel="flash")
    assert headed(FASTEST, [*records, *fused]) == ("No: at 448 and 672 px b is 1.20–1.50 times as fast.")


def test_kernels_that_disagree_each_have_their_answer() -> None:
    records = [*race(10, 12), *race(9, 6, kernel="flash")]
    assert headed(FASTEST, records) == ("Yes with math; with flash no (b is 1.50 times as fast).")
    open_ = [*race(10, 10.02), *race(6, 9, kernel="flash")]
    assert headed(FASTEST, open_) == "Yes with flash (1.50 times as fast); with math undecided."
    alike = [*race(10, 12), *race(6, 9, kernel="flash")]
    assert headed(FASTEST, alike) == "Yes: 1.20–1.50 times as fast as b."
    neither = [*race(12, 10), *race(9, 6, kernel="flash")]
    assert headed(FASTEST, neither) == "No: b is, 1.20–1.50 times as fast as a."
    sizes = [*records, *sized(60, 30, resolution=448, kernel="flash"), *sized(10, 12, resolution=448)]
    assert headed(FASTEST, [*sizes, *race(8, 10, kernel="triton")]) == (
        "Yes with math and triton; with flash no (b is 1.50–2.00 times as fast)."
    )
    two = [*records, *race(10, 12, 14, resolution=448), *sized(60, 70, 30, resolution=448, kernel="flash")]
    assert headed(FASTEST, two) == "Yes with math (1.20 times as fast); with flash no."


def test_the_longest_name_is_the_one_that_is_asked_for() -> None:
    records = [make_network("Swin-T", latency=0.012), make_network("Swin-T with MSA", latency=0.010)]
    question = "Is Swin-T with MSA faster than Swin-T?"
    assert headed(question, records) == "Yes: 1.20 times as fast as Swin-T."
    assert headed("Is W-MSA faster than MSA?", [cell("MSA", 1, 10), cell("W-MSA", 2, 8)]).startswith("Yes")


FASTER = "Is a faster than b and c?"


def test_faster_than_others_needs_every_pair() -> None:
    assert headed(FASTER, race(10, 12, 15)) == "Yes: 1.20–1.50 times as fast as the other 2."
    assert headed(FASTER, race(12, 10, 15)) == (
        "No: faster in 1 of 2 comparisons, slower in 1 (1.20 times as long)."
    )
    assert headed("Is a faster than b?", race(12, 10, 15)) == "No: b is 1.20 times as fast as a."
    assert headed(FASTER, race(10, 10.02, 15)) == (
        "Partly: 1.50 times as fast as c; no significant difference from b."
    )
    assert headed("Is a faster than b?", race(10, 10.02, 15)) == (
        "Undecided: it does not differ significantly from b."
    )
    near = race(10, 10.02, 15, noise=0.001)
    assert headed("Is a faster than b?", near, noise=0.02) == (
        "No: it is as fast as b, within the noise floor."
    )


def test_what_changes_between_resolutions_is_counted() -> None:
    records = [*race(10, 10.02), *sized(40, 60, resolution=448)]
    assert headed("Is a faster than b?", records) == (
        "Partly: in 1 of 2 comparisons (1.50 times); no significant difference elsewhere."
    )


def test_what_one_kernel_leaves_open_is_told_with_that_kernel() -> None:
    records = [*race(10, 10.02, 15), *race(5, 6, 7.5, kernel="flash")]
    assert headed(FASTER, records) == ("Yes with flash (1.20–1.50 times as fast); with math only against c.")
    ahead = [*race(10, 10.02, 15), *race(6, 5, 7.5, kernel="flash")]
    assert headed(FASTER, ahead).startswith("No: faster in 2 of 4 comparisons, slower in 1")
    level = [*race(10, 10.02, 10.01), *race(5, 6, 7.5, kernel="flash")]
    assert headed(FASTER, level) == "Yes with flash (1.20–1.50 times as fast); with math undecided."


FEWEST = "Is the mixer with the fewest MACs the fastest?"


def test_fewest_macs_are_judged_in_each_setting() -> None:
    assert headed(FEWEST, race(10, 12, 15)) == "Yes: a is both."
    assert headed(FEWEST, race(12, 10, 15)) == "No: b is, 1.20 times as fast as a."
    assert headed(FEWEST, race(10, 10.02)) == (
        "Undecided: the fewest MACs were surely fastest in none of 1 settings."
    )
    both = [*race(10, 12), *sized(60, 40, resolution=448)]
    assert headed(FEWEST, both) == "No: the fewest MACs were fastest in 1 of 2 settings only."
    fused = [*race(10, 12), *race(9, 6, kernel="flash")]
    assert headed(FEWEST, fused) == "Yes with math; with flash no."
    every = [*race(10, 12), *sized(40, 60, resolution=448)]
    assert headed(FEWEST, every) == "Yes: the fewest MACs were fastest in all 2 settings."


def test_equal_macs_answer_nothing_about_macs() -> None:
    alike = [cell("a", 1, 10), cell("b", 1, 12)]
    assert headed(FEWEST, alike) == "a is the fastest at 224 px: 1.20 times b."


def test_a_count_against_the_reference() -> None:
    records = race(10, 12, 15, 15.02, 20)
    question = "Which mixers beat d in speed?"
    assert headed(question, records, "d") == "2 of 4 mixers beat d; fastest: a, 1.50 times as fast."
    level = [*records, *race(10, 12, 15, 15.02, 20, kernel="flash")]
    assert headed(question, level, "d") == "2 of 4 mixers beat d (math); fastest: a, 1.50 times as fast."
    tied = race(10, 10.0001, 12, 15, 20, kernel="sdpa") + race(10, 10.0001, 12, 15, 20)
    assert headed(question, tied, "d") == "3 of 4 beat d (math); fastest: a or b, 1.50 times as fast."
    assert headed(question, race(30, 20, 16, 15), "d") == (
        "None of 3 mixers is significantly faster than d, 3 slower."
    )


def test_growth_names_who_grows_least_and_most() -> None:
    records = [*race(10, 10), *sized(40, 90, resolution=448)]
    question = "How does time grow?"
    assert headed(question, records) == "From 224 to 448 px time grows 4.00 times (a) to 9.00 times (b)."
    assert headed(question, race(10, 12)) == "a is the fastest at 224 px: 1.20 times b."
    both = [*race(10, 10, memory=100), *sized(40, 90, resolution=448, memory=300)]
    assert headed("How do time and memory grow?", both) == (
        "Time grows 4.00–9.00 times from 224 to 448 px, peak memory 3.00 times."
    )


def test_variants_are_counted_as_slower_faster_and_neither() -> None:
    def network(name: str, ms: float) -> Record:
        return make_network(name, latency=ms / 1e3)

    question = "What does it cost?"
    slower = [network("N", 10), network("N + x", 12), network("N + y", 15)]
    assert headed(question, slower) == "Both variants take 1.20–1.50 times as long."
    mixed = [*slower, network("N + z", 8), network("N + w", 10.02)]
    assert headed(question, mixed) == (
        "Of 4 variants 2 slower (1.20–1.50 times), 1 faster (1.25 times) and 1 neither."
    )
    assert headed(question, [*slower[:2], network("N + v", 10.02)]) == (
        "Of 2 variants 1 slower (1.20 times) and 1 not significantly different."
    )
    assert headed(question, race(12, 10, 12.02), "a") == (
        "Of 2 mixers 1 faster (1.20 times) and 1 not significantly different from a."
    )
    assert headed(question, race(10, 12), "a") == "a is the fastest at 224 px: 1.20 times b."


def test_any_other_question_is_told_the_fastest() -> None:
    question = "Which is it?"
    assert headed(question, race(10, 12, 15)) == "a is the fastest at 224 px: 1.20 times b."
    assert headed(question, race(10, 12, 15), "c") == "a is the fastest at 224 px: 1.50 times c."
    assert headed(question, race(10, 10.02)) == "Undecided: a or b may be the fastest at 224 px."
    level = race(10, 10.02, noise=0.001)
    assert headed(question, level, noise=0.02) == "a and b are equally fast at 224 px."
    changing = [*race(10, 12), *sized(60, 40, resolution=448), *sized(90, 45, resolution=672)]
    assert headed(question, changing) == "Fastest: a at 224 px, b at 448 and 672 px."
    fused = [*race(10, 12), *race(9, 6, kernel="flash")]
    assert headed(question, fused) == "a is the fastest at 224 px (math): 1.20 times b."
    assert headed(question, []) == ""


@pytest.mark.parametrize("question", [FASTEST, FEWEST, "Which?", "What does it cost?", "Which beat a?"])
def test_it_has_at_most_14_words_whatever_the_run(question: str) -> None:
    for latencies in itertools.permutations((10, 10.02, 14, 30)):
        runs = [race(*latencies), *(sized(*latencies[::-1], resolution=side) for side in (448, 672, 896))]
        for count in range(1, 5):
            records = [record for run in runs[:count] for record in run]
            assert 0 < len(headed(question, records, "a").split()) <= 14
    assert 0 < len(headed(question, realistic(), "msa").split()) <= 14


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_question_has_at_most_20_words(name: str) -> None:
    question = load(shipped()[name], known_parameters()).question
    assert question is not None
    assert len(question.split()) <= 20


def test_the_question_of_a_run_decides() -> None:
    assert headline_of(race(12, 10, 15), question=FASTEST) == "No: b is, 1.20 times as fast as a."
    assert headline_of(race(12, 10, 15)) == "b is the fastest at 224 px: 1.20 times a."


def test_a_run_without_a_comparison_has_no_headline() -> None:
    assert headline_of([make_record("a", latency=None)]) == "Nothing was timed."
    assert headline_of([make_record("a")]).startswith("A single mixer was measured")
