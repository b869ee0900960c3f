"""Statements, each on runs that make it true and on runs that do not."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Sequence

import pytest

from benchsuite.report.contests import contests
from benchsuite.report.findings import Finding, findings
from benchsuite.report.order import among, ratio
from benchsuite.report.points import points
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from tests.report.synthetic import make_record, with_rounds


def said(records: Sequence[Record], topic: str) -> str:
    """What is said about a topic; empty if nothing."""
    return {finding.topic: finding.text for finding in every(records)}.get(topic, "")


def every(records: Sequence[Record], **machine: float) -> list[Finding]:
    """All that is said of records from a machine with this noise and drift, as shares."""
    cells = points(to_frame(records).assign(**machine))
    return findings(cells, among(cells))


def race(*latencies: float, noise: float = 0.01, **changes: object) -> list[Record]:
    """Mixers a, b, c … with these latencies in ms; MACs rise in this order."""
    return [
        make_record(name, latency=latency / 1e3, noise=noise, macs=10**9 * (i + 1), **changes)  # type: ignore[arg-type]
        for i, (name, latency) in enumerate(zip("abcdefgh", latencies, strict=False))
    ]


# The fastest


def test_a_clear_winner_is_named_with_its_interval_and_its_lead() -> None:
    text = said(race(10, 12, 15), "Fastest")
    assert text.startswith("With the math kernel, a is the fastest at 224 px with 6,400 images/s [6,3")
    assert text.partition("], ")[2].startswith("1.200 [1.19")
    assert text.endswith("] times as fast as b.")


def test_mixers_that_the_rounds_leave_open_are_not_ranked() -> None:
    text = said(race(10, 10.02, 15), "Fastest")
    assert text.startswith(
        "With the math kernel, which of a and b is the fastest at 224 px is undecided (the rounds disagree): "
        "6,400 images/s ["
    )


def test_what_lies_within_the_noise_of_the_machine_makes_no_winner() -> None:
    found = {one.topic: one.text for one in every(race(10, 10.02, 15, noise=0.001), noise=0.02)}
    assert found["Fastest"].startswith(
        "With the math kernel, a and b are the fastest at 224 px, with no difference that means anything on "
        "this machine: 6,400 images/s ["
    )
    assert "a is the fastest" in said(race(10, 10.2, noise=0.001), "Fastest")
    found = {one.topic: one.text for one in every(race(10, 10.19, noise=0.001), noise=0.02)}
    assert "no difference that means anything" in found["Fastest"]  # although its interval excludes 1
    found = {one.topic: one.text for one in every(race(10, 10.2, noise=0.05), noise=0.02)}
    assert "undecided" in found["Fastest"]


def test_one_false_order_of_a_hundred_is_not_told() -> None:
    rng = random.Random(3)
    names = [f"m{i}" for i in range(15)]
    alike = [
        with_rounds(make_record(name), [0.01 * rng.lognormvariate(0, 0.03) for _ in range(5)])
        for name in names
    ]
    cells = points(to_frame(alike))
    order = among(cells)
    alone = [ratio(a, b).interval() for a, b in itertools.combinations(cells, 2)]
    assert any(lo > 1 or hi < 1 for lo, hi in alone)  # some look different by themselves
    assert {order.side(a, b) for a, b in itertools.combinations(cells, 2)} == {"undecided"}


def test_rounds_that_move_together_show_what_single_intervals_hide() -> None:
    slow = with_rounds(make_record("a"), [0.0105 * drift for drift in (1.0, 1.3, 0.8, 1.5, 1.1)])
    fast = with_rounds(make_record("b"), [0.0100 * drift for drift in (1.0, 1.301, 0.8, 1.499, 1.1)])
    text = said([slow, fast], "Fastest")
    assert "b is the fastest" in text
    assert "1.0500 [1.049" in text
    text = said([dataclasses.replace(slow, session=2), fast], "Fastest")
    assert "undecided (no self-test says how far two runs of this machine differ)" in text


@pytest.mark.parametrize(("noise", "clear"), [(0.001, True), (0.05, False)])
def test_the_agreement_of_rounds_decides_and_not_the_medians(noise: float, clear: bool) -> None:
    assert ("a is the fastest" in said(race(10, 10.2, noise=noise), "Fastest")) is clear


def test_without_three_rounds_no_winner_is_stated() -> None:
    text = said(race(10, 20, rounds=2), "Fastest")
    assert (
        "which of a and b is the fastest at 224 px is undecided (too few rounds): 6,400 images/s and" in text
    )
    assert text.endswith("; the highest median is that of a.")


def test_a_setting_of_which_cells_are_missing_has_no_winner() -> None:
    records = [*race(10, 12), *race(40, 60, resolution=448)]
    frame = to_frame(records)
    cells = points(frame.assign(unfinished=frame["resolution"] == 448))
    found = {one.topic: one.text for one in findings(cells, among(cells))}
    assert found["Unfinished"] == (
        "No winner is named at 448 px, math: cells of the same setting are not measured."
    )
    for topic, text in found.items():
        assert "448" not in text or topic in ("Unfinished", "Crossings"), topic


def test_statements_that_rest_on_flagged_samples_say_so() -> None:
    flagged, clean = race(10, 20)
    text = said([dataclasses.replace(flagged, flags=("drift",)), clean], "Flags")
    assert text.startswith("Statements about a (224 px, math) rest on samples with a flag;")
    assert said([flagged, clean], "Flags") == ""


def test_resolutions_with_the_same_winner_share_a_clause() -> None:
    records = [*race(10, 12), *race(40, 60, resolution=448), *race(90, 80, resolution=896)]
    assert said(records, "Fastest") == (
        "With the math kernel, a is the fastest at 224 and 448 px, 1.20 to 1.50 times as fast as the next; "
        f"b is the fastest at 896 px with {said(records, 'Fastest').partition('896 px with ')[2]}"
    )


def test_leads_that_round_to_the_same_are_given_once() -> None:
    text = said([*race(10, 12), *race(20, 24, resolution=448)], "Fastest")
    assert text == "With the math kernel, a is the fastest at 224 and 448 px, 1.20 times as fast as the next."


def test_every_kernel_has_a_winner_of_its_own() -> None:
    text = said([*race(10, 12), *race(9, 8, kernel="flash")], "Fastest")
    assert "With the math kernel, a is the fastest" in text
    assert "With the flash kernel, b is the fastest" in text


def test_a_mixer_alone_wins_nothing() -> None:
    assert every([make_record()]) == []
    cells = points(to_frame([make_record()]))
    assert contests(cells, among(cells)) == []


# The Pareto front


def test_the_front_is_named_and_leaves_out_what_is_dominated() -> None:
    text = said(race(20, 10, 30), "Pareto front")
    assert text == "Certainly on the Pareto front at 224 px with math: a and b."


def test_a_mixer_that_may_be_as_fast_is_possibly_on_the_front() -> None:
    text = said(race(10, 10.01, 30), "Pareto front")
    assert text == "Certainly on the Pareto front at 224 px with math: a; possibly: b."


def test_a_front_of_all_mixers_is_said_in_a_word() -> None:
    text = said(race(40, 30, 20, 10), "Pareto front")
    assert text == "Certainly on the Pareto front at 224 px with math: all 4 mixers."


def test_a_mixer_with_uncounted_operators_is_not_on_the_front_and_takes_nothing_off_it() -> None:
    records = [make_record("cheat", macs=1, exact=False, latency=1e-3), *race(10, 20)]
    assert said(records, "Pareto front") == "Certainly on the Pareto front at 224 px with math: a."


def test_without_three_rounds_only_the_cheapest_is_certainly_on_the_front() -> None:
    text = said(race(10, 20, rounds=2), "Pareto front")
    assert text == "Certainly on the Pareto front at 224 px with math: a; possibly: b."


def test_settings_with_the_same_front_share_a_sentence() -> None:
    records = [*race(10, 20), *race(30, 40, resolution=448), *race(20, 10, resolution=896)]
    assert said(records, "Pareto front") == (
        "Certainly on the Pareto front at 224 and 448 px with math: a. "
        "Certainly on the Pareto front at 896 px with math: a and b."
    )


# MACs and speed


@pytest.mark.parametrize(
    ("latencies", "words", "value"),
    [
        ((10, 20, 30, 40), "MACs order these mixers by speed well", "−1.00"),
        ((40, 30, 20, 10), "Mixers with more MACs tend to be faster here", "+1.00"),
        # By hand: ranks of throughput against 1 2 3 4, and 1 − 6 Σd² / (4 · 15).
        ((10, 30, 20, 40), "MACs order these mixers by speed well", "−0.80"),  # 4 2 3 1, Σd² = 18
        ((20, 10, 40, 30), "MACs order these mixers by speed only in part", "−0.60"),  # 3 4 1 2, Σd² = 16
        ((20, 40, 10, 30), "MACs do not order these mixers by speed", "+0.00"),  # 3 1 4 2, Σd² = 10
    ],
)
def test_the_correlation_is_put_into_words_and_given(
    latencies: tuple[float, ...], words: str, value: str
) -> None:
    text = said(race(*latencies), "MACs and speed")
    assert text.startswith(f"{words}: the rank correlation of MACs with throughput is {value} over 4 mixers")


def test_several_settings_give_a_range_with_its_ends() -> None:
    records = [*race(10, 20, 30, 40), *race(20, 10, 40, 30, resolution=448)]
    text = said(records, "MACs and speed")
    assert text.startswith("MACs order these mixers by speed well in some settings, worse in others")
    assert "lies between −1.00 (224 px, math) and −0.60 (448 px, math)" in text


def test_settings_that_disagree_are_not_called_good() -> None:
    records = [*race(20, 10, 40, 30), *race(20, 40, 10, 30, resolution=448)]
    assert said(records, "MACs and speed").startswith("MACs order these mixers by speed in part at best")


def test_settings_that_agree_give_one_number() -> None:
    records = [*race(10, 20, 30, 40), *race(10, 20, 30, 40, resolution=448)]
    assert "is −1.00 in all 2 settings" in said(records, "MACs and speed")


def test_three_mixers_have_no_correlation() -> None:
    assert said(race(10, 20, 30), "MACs and speed") == ""


def test_mixers_with_equal_macs_have_no_correlation() -> None:
    records = [make_record(name, macs=5, latency=(i + 1) / 1e3) for i, name in enumerate("abcd")]
    assert said(records, "MACs and speed") == ""


# Places


def test_the_mixer_that_moves_most_is_named_with_both_places() -> None:
    text = said(race(50, 10, 20, 30, 40), "Largest moves")
    assert text == "a is 1st of 5 by fewest MACs but 5th by throughput (224 px, math)."


def test_a_place_that_the_rounds_leave_open_is_a_range() -> None:
    text = said(race(50, 10, 20, 30, 50.01), "Largest moves")
    assert "a is 1st of 5 by fewest MACs but 4th to 5th by throughput" in text


def test_a_move_that_the_rounds_leave_open_is_none() -> None:
    text = said(race(10.02, 10.01, 10.0, 9.99, noise=0.05), "Largest moves")
    assert (
        text == "Beyond what the rounds leave open, no mixer moves by two or more places from MACs to speed."
    )


# Kernels


def both(ratio: float, noise: float = 0.01) -> list[Record]:
    """One mixer on math and, `ratio` times as fast, on flash."""
    return [
        make_record(latency=0.01, noise=noise),
        make_record(kernel="flash", latency=0.01 / ratio, noise=noise),
    ]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (both(2), "is faster than math in 1 (most for hilo at 224 px, 2.00 times ["),
        (both(0.5), "is slower in 1 (most for hilo at 224 px, 0.50"),
        (both(1.001), "is undecided in 1 (the rounds disagree)."),
        (both(1.02, noise=0.2), "is undecided in 1 (the rounds disagree)."),
    ],
)
def test_the_gain_by_a_fused_kernel_is_stated_with_its_interval(records: list[Record], expected: str) -> None:
    text = said(records, "Kernels")
    assert text.startswith("Of 1 cell timed on both, the flash kernel ")
    assert expected in text


def test_a_kernel_is_not_compared_with_a_failure() -> None:
    assert said([make_record(), make_record(kernel="flash", status="unsupported")], "Kernels") == ""
    assert said([make_record(status="oom"), make_record(kernel="flash")], "Kernels") == ""


# What is missing


def test_lower_bounds_are_owned_up_to() -> None:
    text = said([make_record("a", exact=False), make_record("b")], "Lower bounds")
    assert text.startswith("The MACs of a are a lower bound")
    assert said([make_record("a"), make_record("b")], "Lower bounds") == ""


def test_failures_are_counted_by_kind_with_their_mixers() -> None:
    records = [
        make_record("a"),
        make_record("a", resolution=448, status="oom"),
        make_record("b", status="oom"),
        make_record("c", status="unsupported"),
    ]
    assert said(records, "Failures") == (
        "3 of 4 cells gave no number: 2 OOM (a and b) and 1 unsupported (c)."
    )


@pytest.mark.parametrize(
    ("expected", "words"), [((True, True), "all"), ((True, False), "1"), ((False, False), None)]
)
def test_failures_that_the_scenario_expected_are_told_apart(
    expected: tuple[bool, bool], words: str | None
) -> None:
    records = [make_record(name, status="oom", expected=e) for name, e in zip("ab", expected, strict=True)]
    text = said(records, "Failures")
    assert ("expected" in text) is (words is not None)
    if words:
        assert text.endswith(f"; the scenario expected {words} of them.")


def test_a_run_without_failures_says_nothing_of_them() -> None:
    assert said(race(10, 20), "Failures") == ""
