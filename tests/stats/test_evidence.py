"""The rule of evidence, worked by hand. How often it errs is in `test_coverage.py`."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchsuite.stats.evidence import (
    DISAGREE,
    TOO_FEW,
    Decision,
    Family,
    Question,
    Ratio,
    aa_noise,
    decide,
    estimate,
    half_width,
    paired,
    ratio_of,
    unpaired,
)

LOGS = (-0.02, -0.01, 0.0, 0.01, 0.02)
"""Five numbers with mean 0; their squares add up to 0.001."""
ERROR = math.sqrt(0.001 / 4 / 5)
REACH = 2.776445 * ERROR
"""Of the 95 % interval: t of 4 degrees is 2.776."""


def rounds(scale: float, *logs: float) -> list[float]:
    return [scale * math.exp(log) for log in logs or LOGS]


def known(ratio: float, error: float = 0.01, freedom: int = 4) -> Ratio:
    return Ratio(math.log(ratio), error, freedom, freedom + 1)


def alone(ratio: Ratio, edge: float = 1.0, noise: float = 0.0, margin: float = 0.0) -> Decision:
    return decide({"it": Question(ratio, edge, noise, margin)})["it"]


def test_an_estimate_is_the_median_of_rounds_with_students_interval_of_their_logarithms() -> None:
    found = estimate(rounds(3.0))
    assert (found.value, found.rounds) == (3.0, 5)
    assert (found.lo, found.hi) == pytest.approx((3 * math.exp(-REACH), 3 * math.exp(REACH)), rel=1e-6)


def test_drift_of_the_machine_is_added_in_quadrature() -> None:
    found = estimate(rounds(3.0), drift=math.expm1(REACH))
    assert math.log(found.hi / found.lo) == pytest.approx(2 * math.sqrt(2) * REACH, rel=1e-6)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_rounds_have_a_value_and_no_interval(count: int) -> None:
    found = estimate([2.0] * count, drift=0.1)
    assert (found.value, found.rounds) == (2.0, count)
    assert math.isnan(found.lo)
    assert math.isnan(found.hi)
    assert half_width([2.0] * count) is None


def test_an_interval_holds_its_value_where_the_mean_lies_between_two_modes() -> None:
    found = estimate([1.0] * 11 + [1.1] * 10)
    assert found.lo == found.value == 1.0 < found.hi


def test_half_width_is_a_share_of_the_value() -> None:
    assert half_width(rounds(3.0), 0.95) == pytest.approx(math.sinh(REACH), rel=1e-6)


def test_what_moves_a_whole_round_drops_out_of_a_paired_ratio() -> None:
    slowed = [1.0, 1.3, 0.8, 2.0, 1.1]
    found = paired([2.0 * s * math.exp(log) for s, log in zip(slowed, LOGS, strict=True)], slowed)
    assert (found.value, found.error, found.freedom) == pytest.approx((2.0, ERROR, 4))


def test_rounds_that_one_side_alone_has_are_left_out() -> None:
    assert paired([*rounds(2.0), 9.0, 9.0], rounds(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)) == paired(
        rounds(2.0), [1.0] * 5
    )


def test_with_too_few_common_rounds_the_ratio_is_that_of_the_medians_of_all_without_an_interval() -> None:
    found = paired([3.0], [6.0, 1.0, 1.0, 1.0, 1.1])
    assert (found.value, found.rounds) == pytest.approx((3.0, 1))
    assert all(map(math.isnan, found.interval()))


def test_two_rounds_have_a_ratio_and_no_interval_unless_two_are_asked_for() -> None:
    assert math.isnan(ratio_of([0.1, 0.2]).error)
    assert ratio_of([0.1, 0.2], least=2).error == pytest.approx(0.05)
    assert math.isnan(ratio_of([0.1], least=1).error)
    assert all(map(math.isnan, ratio_of([0.1, 0.2]).interval()))
    with pytest.raises(ValueError, match="a round"):
        ratio_of([])


def test_without_pairs_the_errors_of_both_sides_count() -> None:
    """Equal sides of five: twice the variance, and Welch's degrees of freedom are all eight."""
    found = unpaired(rounds(2.0), rounds(1.0))
    assert (found.value, found.error, found.freedom) == pytest.approx((2.0, math.sqrt(2) * ERROR, 8))
    lopsided = unpaired(rounds(2.0), [1.0] * 5)
    assert (lopsided.error, lopsided.freedom) == pytest.approx((ERROR, 4))


def test_without_pairs_the_machines_drift_counts_once_for_each_side() -> None:
    lo, hi = unpaired([2.0] * 5, [1.0] * 5, drift=0.05).interval()
    assert math.log(hi / lo) / 2 == pytest.approx(math.sqrt(2) * math.log(1.05), rel=2e-3)


def test_few_rounds_on_one_side_leave_no_interval() -> None:
    assert math.isnan(unpaired(rounds(2.0), [1.0, 1.0], drift=0.05).error)


def test_the_inverse_of_a_ratio_has_the_inverse_interval() -> None:
    lo, hi = known(2.0).interval()
    assert known(2.0).inverse.interval() == pytest.approx((1 / hi, 1 / lo))


@pytest.mark.parametrize(
    ("log_ratio", "side"),
    [
        (0.05 + 1.01 * REACH, "above"),
        (0.05 + 0.99 * REACH, "undecided"),
        (0.05 - 0.99 * REACH, "undecided"),
        (0.05 - 1.01 * REACH, "same"),
        (0.0, "same"),
        (1.01 * REACH - 0.05, "same"),
        (-0.05 - 0.99 * REACH, "undecided"),
        (-0.05 - 1.01 * REACH, "below"),
    ],
)
@pytest.mark.parametrize("edge", [1.0, 0.4, 3.0])
def test_the_whole_interval_must_lie_beyond_the_edge_and_the_margin(
    log_ratio: float, side: str, edge: float
) -> None:
    ratio = Ratio(log_ratio + math.log(edge), ERROR, 4, 5)
    found = alone(ratio, edge=edge, margin=math.expm1(0.05))
    assert found.side == side
    assert (found.ratio, found.lo, found.hi) == (ratio.value, *ratio.interval())


@pytest.mark.parametrize(
    ("log_ratio", "side"),
    [
        (0.051, "above"),  # beyond the noise, and its interval excludes 1
        (0.049, "same"),  # its interval excludes 1, and the difference is too small to mean anything
        (1.01 * REACH, "same"),
        (0.99 * REACH, "same"),  # wholly within the noise
        (0.0, "same"),
        (-0.049, "same"),
        (-0.051, "below"),
    ],
)
def test_a_ratio_must_be_beyond_the_noise_and_its_interval_only_beyond_the_edge(
    log_ratio: float, side: str
) -> None:
    assert REACH < 0.025  # of the numbers above
    assert alone(Ratio(log_ratio, ERROR, 4, 5), noise=math.expm1(0.05)).side == side
    wide = Ratio(log_ratio, 3 * ERROR, 4, 5)  # reaches 0.059
    assert alone(wide, noise=math.expm1(0.05)).side == "undecided"


def test_reasons_are_in_plain_words() -> None:
    assert alone(ratio_of([0.3, 0.3]), noise=0.1).reason == TOO_FEW
    assert alone(known(1.0, error=0.5), noise=0.1).reason == DISAGREE
    assert alone(known(1.0, error=0.0001), noise=0.018).reason == "below the noise of this machine (1.8 %)"
    assert (alone(known(2.0)).side, alone(known(2.0)).reason) == ("above", "")


def test_a_p_value_is_of_both_sides_unless_one_alone_is_news() -> None:
    """T of 4 degrees beyond 2.776 is 2.5 % on one side."""
    ratio = Ratio(REACH, ERROR, 4, 5)
    assert alone(ratio).p == pytest.approx(0.05, rel=1e-5)
    assert alone(ratio.inverse).p == pytest.approx(0.05, rel=1e-5)
    one_sided = decide({1: Question(ratio), 2: Question(ratio.inverse)}, tested="above")
    assert [one.p for one in one_sided.values()] == pytest.approx([0.025, 0.975], rel=1e-5)


def test_among_many_a_ratio_has_to_be_surer_than_alone() -> None:
    barely = Ratio(1.1 * REACH, ERROR, 4, 5)
    assert alone(barely).side == "above"
    crowd = {i: Question(known(1.0)) for i in range(39)}
    found = decide({"it": Question(barely)} | crowd)
    assert (found["it"].side, found[0].side) == ("undecided", "undecided")
    assert found["it"].reason == "the evidence is too weak for 40 comparisons"
    assert decide({"it": Question(barely.inverse)} | crowd)["it"].side == "undecided"
    assert decide({"it": Question(known(2.0))} | crowd)["it"].side == "above"


def test_where_above_alone_is_news_below_is_not_corrected() -> None:
    barely = Question(Ratio(-1.1 * REACH, ERROR, 4, 5))
    crowd = {i: Question(known(1.0)) for i in range(39)}
    assert decide({"it": barely} | crowd, tested="above")["it"].side == "below"


def test_ratios_without_an_interval_make_nobody_elses_test_harder() -> None:
    barely = Question(Ratio(1.1 * REACH, ERROR, 4, 5))
    crowd = {i: Question(ratio_of([0.0])) for i in range(39)}
    assert decide({"it": barely} | crowd)["it"].side == "above"


def test_rounds_without_any_spread_are_decided_by_their_mean() -> None:
    above, even = known(1.1, error=0.0), known(1.0, error=0.0)
    assert (alone(above).side, alone(above).p) == ("above", 0.0)
    assert (alone(even, noise=0.01).side, alone(even).side) == ("same", "undecided")


def test_a_p_value_is_the_one_worked_out_by_hand() -> None:
    """Mean 3, error √0.5; above 1.5 that is t = 2.1213 with 4 degrees: half of 1 − 0.8988."""
    assert ratio_of([1, 2, 3, 4, 5]).p_above(1.5) == pytest.approx(0.0506, abs=1e-4)
    assert ratio_of([1, 2, 3, 4, 5]).p_above(3.0) == 0.5


def discoveries(p_values: list[float], share: float) -> list[bool]:
    """Which of these are believed."""
    bound = Family.of(p_values, share).bound
    return [p <= bound for p in p_values]


def test_benjamini_and_hochbergs_own_example_comes_out_as_in_their_paper() -> None:
    """Section 3.2 of the paper: 15 p-values, of which the rule at 5 % rejects the four smallest."""
    paper = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
        0.6528, 0.7590, 1.0000,
    ]  # fmt: skip
    assert discoveries(paper, 0.05) == [True] * 4 + [False] * 11
    assert discoveries(paper[::-1], 0.05) == [False] * 11 + [True] * 4
    assert discoveries([], 0.05) == []


def test_a_large_p_value_is_believed_if_a_larger_one_passes() -> None:
    """0.04 fails its own 0.0375, but 0.05 passes 0.05 and takes it along."""
    assert discoveries([0.01, 0.02, 0.04, 0.05], 0.05) == [True] * 4


def test_discoveries_are_false_no_more_often_than_asked_for() -> None:
    """Of 100 cells 20 are really slower; the share of false ones among the believed is at most 10 % · 0.8."""
    chances = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        t = chances.standard_normal(100) + np.repeat([3.0, 0.0], [20, 80])
        found = discoveries([0.5 * math.erfc(one / math.sqrt(2)) for one in t], 0.1)
        shares.append(sum(found[20:]) / max(1, sum(found)))
    assert np.mean(shares) == pytest.approx(0.08, abs=0.02)


def test_noise_bounds_19_of_20_comparisons_of_a_thing_with_itself() -> None:
    chances = np.random.default_rng(1)
    known = 0.03 * chances.standard_normal((2000, 9))
    later = (0.03 * chances.standard_normal((2000, 9))).mean(axis=1)
    below = [abs(b) < math.log1p(aa_noise(a, 9)) for a, b in zip(known.tolist(), later.tolist(), strict=True)]
    assert np.mean(below) == pytest.approx(0.95, abs=0.02)
    assert aa_noise([0.1] * 9, 9) < aa_noise([0.1] * 9, 9, freedom=3)
    with pytest.raises(ValueError, match="a pair"):
        aa_noise([], 9)
