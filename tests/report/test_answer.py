"""The answer of a page, each sentence on runs that make it true and on runs that do not."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest

from benchsuite.report.answer import answer, failures, of_group
from benchsuite.report.cells import read
from benchsuite.report.points import points
from benchsuite.report.ranking import among, rankings, ratio, relative_speed
from benchsuite.results.record import Record
from tests.report.synthetic import make_network, make_record, make_run, with_rounds


def said(records: Sequence[Record], reference: str | None = None, noise: float = 0.0) -> str:
    """All that is said of comparable records from a machine with this noise, as a share."""
    cells = points(records, {1: {"selftest": {"noise_percent": 100 * noise}}})
    return " ".join(of_group(cells, among(cells), reference))


def race(*latencies: float, noise: float = 0.01, **changes: Any) -> list[Record]:
    """Mixers a, b, c … with these latencies in ms; MACs rise in this order."""
    return [
        make_record(name, latency=latency / 1e3, noise=noise, macs=10**9 * (i + 1), **changes)
        for i, (name, latency) in enumerate(zip("abcdefgh", latencies, strict=False))
    ]


def cell(name: str, macs: int, latency: float, **changes: Any) -> Record:
    return make_record(name, macs=macs * 10**9, latency=latency / 1e3, **changes)


# The fastest


def test_a_clear_winner_is_named_with_its_lead_over_the_runner_up() -> None:
    assert said(race(10, 12, 15)).startswith(
        "a is the fastest at 224 px, 1.20 [1.19, 1.21] times as fast as b."
    )


def test_mixers_that_the_rounds_leave_open_are_not_ranked() -> None:
    assert said(race(10, 10.02, 15)).startswith(
        "a and b tie for the fastest at 224 px (the interval of the ratio includes 1); a is 1.50 times as "
        "fast as c."
    )


def test_what_lies_within_the_noise_of_the_machine_makes_no_winner() -> None:
    equal = "a and b are equally fast at 224 px, within the noise floor"
    assert equal in said(race(10, 10.02, 15, noise=0.001), noise=0.02)
    assert "a is the fastest" in said(race(10, 10.2, noise=0.001))
    assert equal in said(race(10, 10.19, noise=0.001), noise=0.02)  # although its interval excludes 1
    assert "tie for the fastest" in said(race(10, 10.2, noise=0.05), noise=0.02)


def test_a_cell_at_half_the_speed_is_no_candidate_although_its_rounds_vary() -> None:
    slow = with_rounds(make_record("b", macs=2), [0.010, 0.031, 0.030, 0.009, 0.029])
    fast = with_rounds(make_record("a", macs=1), [0.010, 0.0101, 0.0099, 0.010, 0.0102])
    cells = points([slow, fast])
    assert among(cells).side(cells[1], cells[0]) == "undecided"
    assert "a is the fastest at 224 px" in said([slow, fast])


def test_an_imprecise_cell_is_not_named_while_a_faster_one_is_surely_slower_than_the_first() -> None:
    first, second = cell("a", 1, 10, noise=0.001), cell("b", 2, 10.5, noise=0.001)
    third = with_rounds(make_record("c", macs=3), [0.0107, 0.0150, 0.0090, 0.0107, 0.0140])
    cells = points([first, second, third])
    assert among(cells).side(cells[0], cells[2]) == "undecided"
    assert "a is the fastest at 224 px, 1.05" in said([first, second, third])


def test_one_false_order_of_a_hundred_is_not_told() -> None:
    rng = random.Random(3)
    names = [f"m{i}" for i in range(15)]
    alike = [
        with_rounds(make_record(name), [0.01 * rng.lognormvariate(0, 0.03) for _ in range(5)])
        for name in names
    ]
    cells = points(alike)
    order = among(cells)
    alone = [ratio(a, b).interval() for a, b in itertools.combinations(cells, 2)]
    assert any(lo > 1 or hi < 1 for lo, hi in alone)  # some look different by themselves
    assert {order.side(a, b) for a, b in itertools.combinations(cells, 2)} == {"undecided"}


def test_rounds_that_move_together_show_what_single_intervals_hide() -> None:
    slow = with_rounds(make_record("a"), [0.0105 * drift for drift in (1.0, 1.3, 0.8, 1.5, 1.1)])
    fast = with_rounds(make_record("b"), [0.0100 * drift for drift in (1.0, 1.301, 0.8, 1.499, 1.1)])
    assert "b is the fastest at 224 px, 1.05 [1.05, 1.05] times as fast as a" in said([slow, fast])
    text = said([dataclasses.replace(slow, session=2), fast])
    assert "is open (no self-test says how far two runs of this machine differ)" in text


def test_without_three_rounds_no_order_is_stated() -> None:
    assert said(race(10, 11, rounds=2)).startswith(
        "a has the highest median at 224 px, from too few rounds to state an order."
    )


def test_a_setting_of_which_cells_are_missing_has_no_winner() -> None:
    cells = [
        dataclasses.replace(point, unfinished=point.resolution == 448)
        for point in points([*race(10, 12), *race(40, 60, resolution=448)])
    ]
    *told, missing = of_group(cells, among(cells), None)
    assert missing == "No winner is named at 448 px, math: cells of the same setting are not measured."
    assert all("448" not in text for text in told)


def test_resolutions_with_the_same_winner_share_a_clause() -> None:
    records = [*race(10, 12), *race(40, 60, resolution=448), *race(90, 80, resolution=896)]
    assert said(records).startswith(
        "a is the fastest at 224 and 448 px, 1.20 to 1.50 times as fast as b. "
        "b is the fastest only at 896 px, 1.12 [1.12, 1.13] times as fast as a."
    )
    thirds = [*race(10, 12, 15), *race(40, 70, 60, resolution=448)]
    assert said(thirds).startswith(
        "a is the fastest at 224 px (1.20 [1.19, 1.21] times as fast as b) and 448 px (1.50 [1.49, 1.51] "
        "times as fast as c)."
    )
    many = [*race(10, 12, 15, 90, 91, 92), *race(40, 70, 60, 360, 364, 368, resolution=448)]
    assert said(many, "f").startswith(
        "a is the fastest at 224 and 448 px, 9.20 times as fast as f (number 6 of 6 by median)."
    )


def many(*latencies: float) -> list[Record]:
    """Enough mixers that not each is held against the reference: those named, and slow ones of 90 ms."""
    return race(*latencies, *[90.0] * (6 - len(latencies)))


def test_of_many_the_reference_is_placed_behind_the_winner() -> None:
    third = "as fast as b and 2.00 times as fast as c (number 3 of 6 by median)."
    assert third in said(many(10, 12.5, 20), "c")
    for told in "ab":  # as winner and runner-up
        assert "number" not in said(many(10, 12.5, 20), told)


def test_of_many_the_reference_is_placed_behind_leaders_that_tie() -> None:
    text = said(many(10, 10.02, 20, 40), "d")
    assert "; a is 4.00 times as fast as d (number 4 of 6 by median)." in text
    assert "; b is 2.00 to 8.98 times as fast as the other 4." in said(many(10, 10.02, 20, 40), "b")
    assert "; a is 2.00 to 9.00 times as fast as the other 4." in said(many(10, 10.02, 20, 40))


def test_of_many_those_that_are_as_fast_as_the_reference_are_counted() -> None:
    text = said(race(10, 12.5, 20, 20.02, 20.04, 90), "d")
    assert "as fast as d (number 4 of 6 by median; 2 others do not differ significantly from d)." in text


def test_the_faster_comes_first_however_far_the_other_is_behind() -> None:
    """By hand: 2.7 s against 10 ms are 270 times, which nobody reads as 0.0037 times."""
    assert "and 270 times as fast as c (number 6 of 6 by median)" in said(many(10, 20, 2700), "c")
    assert "0.00" not in said(many(10, 20, 2700), "c")


def test_a_few_rivals_are_each_held_against_the_reference_the_nearest_first() -> None:
    assert said(race(10, 12, 15, 20), "a").startswith(
        "a is 1.20 [1.19, 1.21] times as fast as b, 1.50 [1.49, 1.51] times as fast as c and 2.00 "
        "[1.99, 2.01] times as fast as d."
    )
    assert said(race(10, 12, 15, 10.02), "c").startswith(
        "b is 1.25 [1.25, 1.25] times as fast as c; d is 1.50 [1.48, 1.51] times as fast as c; a is 1.50 "
        "[1.49, 1.51] times as fast as c."
    )
    level = "a is 1.50 [1.49, 1.51] times as fast as d, and does not differ significantly from b (1.00 ["
    assert said(race(10, 10.02, 10.03, 15), "a").startswith(level)
    assert " times) or c (1.00 [" in said(race(10, 10.02, 10.03, 15), "a")
    assert "differ" not in said(race(10, 12, 15), "a")
    assert said(race(10, 10.2, 15, noise=0.001), "a", noise=0.05).startswith(
        "a is 1.50 [1.50, 1.50] times as fast as c, and does not differ significantly from b (1.02 ["
    )


def test_rivals_are_told_for_each_resolution_where_the_outcome_differs() -> None:
    sizes = [*race(10, 12), *race(40, 60, resolution=448)]
    assert said(sizes, "a").startswith("At 224 and 448 px, a is 1.20 to 1.50 times as fast as b.")
    other = said([*sizes, *race(90, 45, resolution=896)], "a")
    assert ". At 896 px, b is 2.00 [1.99, 2.01] times as fast as a." in other


def test_without_intervals_rivals_are_not_held_against_the_reference() -> None:
    assert "has the highest median" in said(race(10, 11, rounds=2), "a")


def test_mixers_without_macs_may_be_the_fastest_and_are_then_told_apart() -> None:
    idle = [cell("cb", 0, 1), cell("cbs", 0, 1.0001)]
    others = [cell(f"m{i}", i + 1, 10 + 2 * i) for i in range(6)]
    text = said([*idle, *others])
    assert text.startswith("cb and cbs tie for the fastest at 224 px")
    assert (
        ". cb and cbs need no MACs; of the mixers with MACs, m0 is the fastest at 224 px, 1.20 [1.19, 1.21] "
        "times as fast as m1."
    ) in text
    assert "(rank correlation −1.00, excluding cb and cbs, which need none)" in text
    assert "of the mixers with MACs" not in said([cell("cb", 0, 90), *others])  # not the fastest
    bound = make_record("cb", macs=0, exact=False, latency=0.001)  # whose MACs were not all counted
    text = said([bound, *others])
    assert text.startswith("cb is the fastest")
    assert "no MACs" not in text


def test_mixers_without_macs_are_left_out_of_the_range_of_macs_alone() -> None:
    records = [cell("cb", 0, 1), *(cell(f"m{i}", i + 1, 10 + 2 * i) for i in range(6))]
    text = asked("time and memory", records)
    assert "MACs per image 1 G (m0) to 6 G (m5), time per step 1 ms (cb) to 20 ms (m5)" in text


# Names that vary another


def test_a_name_with_an_addition_is_held_against_the_one_without() -> None:
    text = said([cell("x", 1, 10), cell("x + a", 2, 15), cell("x + a shifted", 2, 12), cell("y", 3, 90)])
    assert text.startswith(
        "x + a takes 1.50 times as long as x. x + a shifted is 1.25 times as fast as x + a. x is the fastest"
    )
    assert said([cell("x", 1, 10), cell("xa", 2, 15), cell("xb", 2, 15)]).startswith("x is the fastest")


def test_an_addition_alone_is_one_to_the_reference() -> None:
    many = [cell("w", 1, 10), *(cell(f"+ {n}", 1, 10.01 + i / 100) for i, n in enumerate("abcde"))]
    text = said(many, "w")
    assert text.startswith(
        "+ e, + d, + c, + b and + a do not differ significantly from w (1.00 times as fast)."
    )
    with_slow = said([*many, cell("+ f", 1, 20)], "w")  # what is true of most comes first
    assert with_slow.index("do not differ significantly from w") < with_slow.index(
        "+ f takes 2.00 times as long"
    )
    assert "do not differ significantly from w (" not in said(many)  # nobody says what they are added to


def test_of_names_with_brackets_the_fastest_is_what_the_others_vary() -> None:
    text = said([cell("d (s)", 1, 10), cell("d (p)", 1, 40), cell("d (q)", 1, 20), cell("y", 2, 90)])
    assert text.startswith("d (p) takes 4.00 times as long as d (s) and d (q) 2.00 times d (s).")


def test_a_few_variants_among_many_are_not_what_the_run_is_about() -> None:
    others = race(*(30 + 10 * i for i in range(8)))
    assert "takes" not in said([cell("x", 1, 10), cell("x + a", 2, 15), cell("x + b", 2, 15), *others])


def test_variants_of_too_few_rounds_are_not_told() -> None:
    assert "significantly" not in said(
        [cell("x", 1, 10, rounds=2), cell("x + a", 2, 15, rounds=2), cell("x + b", 3, 15, rounds=2)]
    )


# What the question asks besides


def asked(question: str, records: Sequence[Record], reference: str | None = None) -> str:
    cells = points(records)
    return " ".join(of_group(cells, among(cells), reference, question))


def test_memory_is_told_where_the_question_asks_for_it() -> None:
    few = [cell("a", 1, 10, memory=3 << 20), cell("b", 2, 20, memory=2 << 30)]
    told = "At 224 px, a needs 1 G MACs and 3 MiB, b 2 G MACs and 2 GiB."
    assert told in asked("What does it cost in memory?", few)
    assert "emory" not in asked("What does it cost in time?", few)
    none = [cell("a", 1, 10, memory=None), cell("b", 2, 20, memory=None)]
    unmeasured = "At 224 px, a needs 1 G MACs, b 2 G MACs. Peak memory was not measured."
    assert unmeasured in asked("time and memory", none)


def test_of_many_the_least_and_the_most_of_each_cost_are_told() -> None:
    sizes = (6, 3, 2, 5, 4, 7)
    records = [cell(n, i + 1, 10 * (i + 1), memory=sizes[i] << 20) for i, n in enumerate("abcdef")]
    text = asked("time and memory", records, "b")
    assert (
        "times as fast as b. At 224 px: MACs per image 1 G (a) to 6 G (f), time per step 10 ms (a) to 60 ms "
        "(f), peak memory 2 MiB (c) to 7 MiB (f); b needs 2 G, 20 ms and 3 MiB."
    ) in text
    assert "needs the fewest" not in text  # it was said
    assert "Speeds follow the MAC order exactly" in text
    bare = [cell(n, i + 1, 10 * (i + 1), memory=None) for i, n in enumerate("abcdef")]
    assert "Peak memory was not measured." in asked("time and memory", bare)


def test_growth_is_told_of_those_that_were_timed_at_both_ends() -> None:
    small, large = race(10, 12, 15), race(40, 60, resolution=448)
    text = asked("Does time grow with the tokens?", [*small, *large])
    told = "From 224 px to 448 px, 4 times the pixels, time per step grows 4.00 times for a and 5.00 times"
    assert told in text
    assert "grows" not in asked("Does time grow?", small)
    assert "grows" not in asked("Which is the fastest?", [*small, *large])
    both_costs = asked("Do time and memory grow?", [*small, *large])
    assert "5.00 times for b; peak memory grows 1.00 times for a." in both_costs


def test_a_lead_whose_interval_nearly_reaches_1_is_told_with_the_digits_that_tell_it() -> None:
    steady = with_rounds(make_record("a", macs=1), [0.01] * 5)
    near = with_rounds(make_record("b", macs=2), [0.0102, 0.0103, 0.01005, 0.0104, 0.0101])
    assert "a is the fastest at 224 px, 1.021 [1.003, 1.039] times as fast as b" in said([steady, near])


def test_a_mixer_alone_is_not_compared() -> None:
    cells = points([make_record()])
    assert rankings(cells, among(cells)) == []
    assert said([make_record()]).startswith(
        "A single mixer was measured, so there is nothing to compare: hilo"
    )
    assert said([make_network()]).startswith("A single network was measured")


# The fewest MACs


def test_the_fewest_macs_are_the_fastest_or_not_or_perhaps() -> None:
    assert "The mixer with the fewest MACs was the fastest: a needs the fewest (1 G per image)." in said(
        [cell("a", 1, 10), cell("b", 2, 20)]
    )
    assert (
        "The mixer with the fewest MACs was not the fastest: a needs the fewest (1 G per image), but b is "
        "2.00 times as fast."
    ) in said([cell("a", 1, 20), cell("b", 2, 10)])
    assert "The mixer with the fewest MACs was among the fastest: a needs the fewest" in said(
        [cell("a", 1, 10.01), cell("b", 2, 10)]
    )
    sizes = [cell("a", 1, 10), cell("b", 2, 20)]
    sizes += [cell("a", 5, 40.01, resolution=448), cell("b", 4, 40, resolution=448)]
    assert (
        "At every resolution the mixer with the fewest MACs was the fastest or tied with it: a at 224 px and "
        "b at 448 px."
    ) in said(sizes)


def test_resolutions_that_agree_share_a_clause_and_others_have_their_own() -> None:
    both = [
        cell("a", 1, 10), cell("b", 2, 20),
        cell("a", 4, 40, resolution=448), cell("b", 8, 80, resolution=448),
    ]  # fmt: skip
    every = "At every resolution the mixer with the fewest MACs was the fastest: "
    assert f"{every}a needs the fewest." in said(both)
    other = [cell("a", 40, 400, resolution=896), cell("b", 32, 320, resolution=896)]
    assert f"{every}a at 224 and 448 px and b at 896 px." in said([*both, *other])
    slow = [cell("a", 32, 400, resolution=896), cell("b", 40, 320, resolution=896)]
    assert (
        "At 224 and 448 px the mixer with the fewest MACs was the fastest: a needs the fewest; at 896 px the "
        "mixer with the fewest MACs was not the fastest: a needs the fewest (32 G per image), but b is 1.25 "
        "times as fast."
    ) in said([*both, *slow])
    never = [cell("a", 1, 20), cell("b", 2, 10), *slow]
    assert (
        "At no resolution was the mixer with the fewest MACs the fastest: a needs the fewest, but b"
        in said(never)
    )


def test_equal_counts_have_no_single_winner() -> None:
    among = "The fastest was among the mixers with the fewest MACs: a and b need the fewest (1 G per image)."
    assert among in said([cell("a", 1, 10), cell("b", 1, 20), cell("c", 2, 50)])
    slower = [cell("a", 1, 20), cell("b", 1, 30), cell("c", 2, 10)]
    assert "The mixers with the fewest MACs were not the fastest: a and b need the fewest" in said(slower)
    assert "All need the same number of MACs." in said([cell("a", 1, 10), cell("b", 1, 20)])


def test_the_count_is_that_of_the_kernel_that_the_sentence_names() -> None:
    """ACmix has another number of MACs on a fused kernel, which is no count of the one on math."""
    records = [
        cell("acmix", 1, 10), cell("sra", 2, 5),
        cell("acmix", 3, 10, kernel="sdpa"), cell("sra", 2, 5, kernel="sdpa"),
    ]  # fmt: skip
    assert "The mixer with the fewest MACs was not the fastest: acmix needs the fewest (1 G" in said(records)


def test_a_lower_bound_counts_only_as_a_doubt_and_only_below_the_least() -> None:
    exact = [cell("a", 2, 10), cell("b", 3, 20)]
    below, above = cell("c", 1, 30, exact=False), cell("c", 4, 30, exact=False)
    assert "a needs the fewest (2 G per image) (c, of lower bounds, may need fewer)" in said([*exact, below])
    assert "may need" not in said([*exact, above])


@pytest.mark.parametrize(
    ("latencies", "words", "value"),
    [
        ((10, 20, 30, 40), "speeds follow the MAC order exactly", "−1.00"),
        ((40, 30, 20, 10), "more MACs tend to run faster", "+1.00"),
        # By hand: ranks of throughput against 1 2 3 4, and 1 − 6 Σd² / (4 · 15).
        (
            (10, 30, 20, 40),
            "speeds follow the MAC order well",
            "−0.80",
        ),  # 4 2 3 1, Σd² = 18
        (
            (20, 10, 40, 30),
            "speeds follow the MAC order only in part",
            "−0.60",
        ),  # 3 4 1 2, Σd² = 16
        (
            (20, 40, 10, 30),
            "speeds do not follow the MAC order",
            "+0.00",
        ),  # 3 1 4 2, Σd² = 10
    ],
)
def test_the_correlation_is_put_into_words_and_given(
    latencies: tuple[float, ...], words: str, value: str
) -> None:
    assert f"{words} (rank correlation {value})." in said(race(*latencies))


def test_several_settings_give_a_range_of_correlations() -> None:
    mixed = [*race(10, 20, 30, 40), *race(20, 10, 40, 30, resolution=448)]
    text = said(mixed)
    assert "speeds follow the MAC order only in part (rank correlation −1.00 to −0.60)" in text
    poor = [*race(20, 10, 40, 30), *race(20, 40, 10, 30, resolution=448)]
    assert "speeds do not follow the MAC order everywhere" in said(poor)
    same = [*race(10, 20, 30, 40), *race(10, 20, 30, 40, resolution=448)]
    assert "(rank correlation −1.00)" in said(same)


def test_lower_bounds_are_left_out_of_the_correlation_and_named() -> None:
    bound = make_record("z", macs=10, exact=False)
    assert "(rank correlation −1.00, excluding z, whose MACs are known only as lower bounds)" in said(
        [bound, *race(10, 20, 30, 40)]
    )


def test_a_tie_for_the_fastest_is_an_order_of_medians() -> None:
    assert "medians follow the MAC order exactly" in said(race(10, 10.02, 30, 40))


def test_few_mixers_and_equal_macs_have_no_correlation() -> None:
    assert "correlation" not in said(race(10, 20, 30))
    equal = [make_record(name, macs=5, latency=(i + 1) / 1e3) for i, name in enumerate("abcd")]
    assert "correlation" not in said(equal)


# Fused kernels


def both(*gains: float, noise: float = 0.01) -> list[Record]:
    """Mixers a, b … of 10, 12, 14 … ms on math, so many times as fast on flash."""
    math = race(*(10 + 2 * i for i in range(len(gains))), noise=noise)
    fused = race(*((10 + 2 * i) / gain for i, gain in enumerate(gains)), noise=noise, kernel="flash")
    return [*math, *fused]


def test_a_fused_kernel_that_changes_no_winner_says_so() -> None:
    text = said(both(2, 1.5))
    assert text.startswith("a is the fastest")
    assert text.endswith("The same mixer wins with the fused kernel (flash) as with math.")


def test_a_fused_kernel_that_makes_another_the_fastest_names_it() -> None:
    text = said(both(1.001, 2))
    assert text.startswith("With the math kernel, a is the fastest")
    assert "With the fused kernel (flash), b is the fastest at 224 px, 1.67 [1.66, 1.67] times" in text


def test_a_fused_kernel_under_which_a_few_rivals_do_otherwise_is_told_beside_the_reference() -> None:
    text = said(both(1.001, 2), "a")
    assert text.startswith("With the math kernel, a is 1.20 [1.19, 1.21] times as fast as b.")
    assert text.endswith("With the fused kernel (flash), b is 1.67 [1.66, 1.67] times as fast as a.")


def test_two_that_tie_under_both_kernels_in_another_order_are_no_change() -> None:
    math = race(10, 10.02, 20)
    fused = race(5.01, 5, 10, kernel="flash")
    assert said([*math, *fused]).endswith("The same mixers win with the fused kernel (flash) as with math.")


def test_a_mixer_without_a_fused_kernel_competes_under_every_kernel() -> None:
    """Depth-wise convolution, three times as fast as window attention, which alone has a fused kernel."""
    records = [cell("dw", 1, 5), cell("w_msa", 2, 15), cell("w_msa", 2, 14, kernel="sdpa")]
    text = said(records)
    assert "The same mixer wins with the fused kernel (sdpa) as with math" in text
    assert "w_msa is the fastest" not in text


def test_a_kernel_is_not_compared_with_a_failure() -> None:
    records = [*race(10, 12), make_record("a", kernel="flash", status="unsupported")]
    assert "flash" not in said(records)


# What is missing


def test_failures_are_counted_by_kind_with_their_mixers() -> None:
    records = [
        make_record("a"),
        make_record("a", resolution=448, status="oom"),
        make_record("b", status="oom"),
        make_record("c", status="unsupported"),
    ]
    assert failures(points(records)) == (
        "3 of 4 cells gave no number: 2 OOM (a and b) and 1 unsupported (c)."
    )
    assert failures(points(race(10, 20))) == ""


def test_a_run_in_which_everything_failed_says_so() -> None:
    assert said([make_record("a", status="oom")]) == "1 of 1 cell gave no number: 1 OOM (a)."


# Other axes than the mixer


def of_run(records: Sequence[Record], **scenario: Any) -> str:
    return " ".join(answer(read(make_run(records, **scenario))))


def alphas(*latencies: float, macs: Sequence[int] = (4, 3, 2, 1), **changes: Any) -> list[Record]:
    """HiLo with α of 0, 0.3, 0.6 and 0.9."""
    return [
        make_record(
            f"HiLo alpha={alpha}", config={"alpha": alpha}, latency=latency / 1e3, macs=count * 10**9,
            noise=0.002, **changes,
        )
        for alpha, latency, count in zip((0.0, 0.3, 0.6, 0.9), latencies, macs, strict=True)
    ]  # fmt: skip


def test_of_a_parameter_the_fastest_value_is_named_at_every_resolution() -> None:
    text = of_run([*alphas(40, 30, 20, 10), *alphas(10, 20, 30, 40, resolution=448)])
    assert text == (
        "A large α is fastest on small images, a small one on large images: α = 0.9 at 224 px and 0 at "
        "448 px. "
        "The α with the fewest MACs is the fastest in 1 of 2 settings; from one α to another MACs differ by "
        "up to 4.00 times, speed by up to 4.00."
    )


def test_a_fastest_value_that_goes_up_and_down_is_not_said_to_move() -> None:
    sizes = [
        *alphas(10, 20, 30, 40),
        *alphas(40, 30, 20, 10, resolution=448),
        *alphas(40, 10, 20, 30, resolution=896),
    ]
    assert "on large images" not in of_run(sizes)
    assert "A small α is fastest on small images, a large one on large images: " in of_run(sizes[:8])
    assert "on large images" not in of_run(sizes[:4])


def test_values_that_the_rounds_leave_open_are_all_named_or_none_is() -> None:
    assert "The fastest α is 0.6 or 0.9 at 224 px" in of_run(alphas(40, 30, 10, 10.0001))
    assert "The α with the fewest MACs ties with the fastest;" in of_run(alphas(40, 30, 10, 10.0001))
    assert "α is 0.3 to 0.9 at 224 px" in of_run(alphas(40, 10, 10.0001, 10.0002))
    both_sizes = [*alphas(40, 30, 10, 10.0001), *alphas(40, 30, 20, 10, resolution=448)]
    assert "is the fastest, or ties with it, in all 2 settings;" in of_run(both_sizes)
    assert "No α is significantly the fastest at 224 px." in of_run(alphas(10, 10, 10, 10.0001))


def test_a_larger_value_of_another_parameter_is_said_to_move_the_fastest_one() -> None:
    def windows(*latencies: float, window: int, resolution: int = 448) -> list[Record]:
        return [
            dataclasses.replace(
                record,
                cell=dataclasses.replace(
                    record.cell,
                    name=f"{record.cell.name} window_size={window}",
                    config=record.cell.config | {"window_size": window},
                ),
                id=f"{record.id}-{window}",
            )
            for record in alphas(*latencies, resolution=resolution)
        ]

    small, large = windows(10, 20, 30, 40, window=2), windows(40, 30, 20, 10, window=4)
    text = of_run([*small, *large])
    assert text.startswith(
        "The fastest α with window 2 is 0 at 448 px; the fastest α with window 4 is 0.9 at 448 px. "
        "At one resolution, a larger window goes with a larger fastest α."
    )
    sizes = [*windows(40, 30, 20, 10, window=2, resolution=224), *windows(30, 10, 30, 40, window=2)]
    sizes += [*large, *windows(30, 10, 30, 40, window=4, resolution=896)]
    assert of_run(sizes).startswith(
        "A large α is fastest on small images, a small one on large images: with window 2, α = 0.9 at "
        "224 px and 0.3 at 448 px; with window 4, α = 0.9 at 448 px and 0.3 at 896 px. "
        "A larger window shifts that to larger images. The α"
    )
    down = of_run([*windows(40, 30, 20, 10, window=2), *windows(10, 20, 30, 40, window=4)])
    assert "a larger window goes with a smaller fastest α." in down
    apart = of_run([*small, *windows(40, 30, 20, 10, window=4, resolution=896)])  # no resolution in common
    assert "goes with" not in apart
    assert "goes with" not in of_run([*small, *windows(10, 20, 30, 40, window=4)])


def test_a_fused_kernel_that_moves_the_fastest_value_says_where() -> None:
    records = [*alphas(40, 30, 20, 10), *alphas(10, 20, 30, 40, kernel="sdpa")]
    assert of_run(records).endswith("With the fused kernel (sdpa) the fastest α is 0 at 224 px (HiLo).")
    for nearly in ((40, 30, 20, 9), (40, 30, 10, 10.0001)):  # a value more that may be fastest is no move
        still = [*alphas(40, 30, 20, 10), *alphas(*nearly, kernel="sdpa")]
        assert of_run(still).endswith("The fused kernel (sdpa) leaves the fastest α where it is.")


def test_several_implementations_are_compared_as_mixers_although_one_varies() -> None:
    records = [*alphas(40, 30, 20, 10), make_record("msa", target="msa", latency=0.005, macs=10**10)]
    assert of_run(records).startswith("msa is the fastest at 224 px")


def timed(protocol: str, **latencies: float) -> list[Record]:
    rounds = 5 if protocol == "adaptive" else 1
    return [
        make_record(name, latency=latency / 1e3, protocol=protocol, rounds=rounds)
        for name, latency in latencies.items()
    ]


def test_protocols_are_compared_with_adaptive_sampling() -> None:
    text = of_run([*timed("adaptive", a=10, b=20), *timed("litv2", a=12.5, b=20), *timed("timm", a=8, b=20)])
    assert text == (
        "Against adaptive sampling, the other protocols report medians from 20 % lower (a with litv2) to "
        "25 % higher (a with timm); the order of the mixers by median is the same under all 3. No ratio "
        "between protocols has an interval, so their differences are undecided; 4 of 6 cells have fewer than "
        "3 rounds."
    )


def test_a_slow_first_round_of_adaptive_sampling_is_no_difference_between_protocols() -> None:
    """By hand: the median of the rounds is 10 ms, as in the one block; their first alone would say 1.5."""
    slow_start = with_rounds(timed("adaptive", a=10)[0], [0.015, 0.010, 0.010, 0.0098, 0.0102])
    block = timed("litv2", a=10)[0]
    assert "report medians from 0 % (a with litv2) to 0 % (a with litv2)" in of_run([slow_start, block])
    cells = points([slow_start, block])
    found = relative_speed(cells[1], cells[0])
    assert found.value == pytest.approx(cells[1].throughput.value / cells[0].throughput.value)
    assert not found.bounded


def test_protocols_with_rounds_are_compared_with_intervals_and_the_others_are_counted() -> None:
    several = make_record("a", latency=0.0125, protocol="timm", rounds=5)
    text = of_run([*timed("adaptive", a=10), several, *timed("litv2", a=8)])
    assert "medians from 20 % lower (a with timm)" in text
    assert "1 of the 2 ratios between protocols have no interval" in text
    assert "1 of 3 cells has fewer than 3 rounds" in text


def test_a_protocol_that_changes_the_order_is_named() -> None:
    text = of_run([*timed("adaptive", a=10, b=20), *timed("litv2", a=30, b=20)])
    assert "; the order of the mixers by median differs under litv2." in text
    assert "adaptive sampling" not in of_run(timed("adaptive", a=10, b=20))


def test_an_empty_run_has_no_answer() -> None:
    assert of_run([]) == "The run holds no records."


def test_what_was_counted_and_not_timed_has_no_winner() -> None:
    assert said([make_record("a", latency=None), make_record("b", latency=None)]) == "Nothing was timed."


def test_mixers_of_different_settings_are_not_compared() -> None:
    assert said([make_record("a"), make_record("b", resolution=448)]) == (
        "No two mixers were timed in the same setting, so there is nothing to compare."
    )
