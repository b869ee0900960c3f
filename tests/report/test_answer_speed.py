"""Who is fastest, on runs that make it true and on runs that do not."""

from __future__ import annotations

import dataclasses
import itertools
import random

from benchsuite.report.answer import of_group
from benchsuite.report.ranking import among, rankings, ratio
from benchsuite.report.reported_cells import reported_cells
from benchsuite.results.record import Record
from tests.report.answers import asked, cell, race, said
from tests.report.synthetic import make_network, make_record, with_rounds


def many(*latencies: float) -> list[Record]:
    """Enough mixers that not each is held against the reference: those named, and slow ones of 90 ms."""
    return race(*latencies, *[90.0] * (6 - len(latencies)))


def both(*gains: float, noise: float = 0.01) -> list[Record]:
    """Mixers a, b … of 10, 12, 14 … ms on math, so many times as fast on flash."""
    math = race(*(10 + 2 * i for i in range(len(gains))), noise=noise)
    fused = race(*((10 + 2 * i) / gain for i, gain in enumerate(gains)), noise=noise, kernel="flash")
    return [*math, *fused]


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
    cells = reported_cells([slow, fast])
    assert among(cells).side(cells[1], cells[0]) == "undecided"
    assert "a is the fastest at 224 px" in said([slow, fast])


def test_an_imprecise_cell_is_not_named_while_a_faster_one_is_surely_slower_than_the_first() -> None:
    first, second = cell("a", 1, 10, noise=0.001), cell("b", 2, 10.5, noise=0.001)
    third = with_rounds(make_record("c", macs=3), [0.0107, 0.0150, 0.0090, 0.0107, 0.0140])
    cells = reported_cells([first, second, third])
    assert among(cells).side(cells[0], cells[2]) == "undecided"
    assert "a is the fastest at 224 px, 1.05" in said([first, second, third])


def test_one_false_order_of_a_hundred_is_not_told() -> None:
    rng = random.Random(3)
    names = [f"m{i}" for i in range(15)]
    alike = [
        with_rounds(make_record(name), [0.01 * rng.lognormvariate(0, 0.03) for _ in range(5)])
        for name in names
    ]
    cells = reported_cells(alike)
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
        dataclasses.replace(cell, unfinished=cell.resolution == 448)
        for cell in reported_cells([*race(10, 12), *race(40, 60, resolution=448)])
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


def test_a_lead_whose_interval_nearly_reaches_1_is_told_with_the_digits_that_tell_it() -> None:
    steady = with_rounds(make_record("a", macs=1), [0.01] * 5)
    near = with_rounds(make_record("b", macs=2), [0.0102, 0.0103, 0.01005, 0.0104, 0.0101])
    assert "a is the fastest at 224 px, 1.021 [1.003, 1.039] times as fast as b" in said([steady, near])


def test_a_mixer_alone_is_not_compared() -> None:
    cells = reported_cells([make_record()])
    assert rankings(cells, among(cells)) == []
    assert said([make_record()]).startswith(
        "A single mixer was measured, so there is nothing to compare: hilo"
    )
    assert said([make_network()]).startswith("A single network was measured")


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
