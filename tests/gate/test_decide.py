"""The rule for regressions: worked by hand, and on noise whose size is known."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from benchsuite.gate.decide import (
    CellDecision,
    Evidence,
    corrected,
    decide,
    decide_unpaired,
    expected_by_chance,
    flagged,
)
from benchsuite.scenario.gate_settings import Gate

RULE = Gate()
SPREAD = (-0.004, 0.003, 0.001, -0.002, 0.002, 0.004, -0.003, 0.0, -0.001)
"""Nine numbers with mean 0; their squares add up to 60e-6, so the mean's error is √(60e-6 / 8 / 9)."""
REACH = 3.355 * math.sqrt(60e-6 / 8 / 9)
"""Of the 99 % interval: t of 8 degrees is 3.355."""


def around(ratio: float, scale: float = 1.0) -> tuple[float, ...]:
    """Nine log ratios with this geometric mean."""
    return tuple(math.log(ratio) + scale * one for one in SPREAD)


def decide_all(cells: Mapping[str, Evidence]) -> dict[str, CellDecision]:
    return corrected({cell: decide(one, RULE) for cell, one in cells.items()}, RULE)


def called(verdict: str, decisions: Mapping[str, CellDecision]) -> list[str]:
    """The cells with this verdict."""
    return [cell for cell, decision in decisions.items() if decision.verdict == verdict]


def of(fresh: Sequence[float], **changes: float) -> CellDecision:
    return decide(Evidence(fresh=tuple(fresh), **changes), RULE)


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (1.02 * math.exp(1.01 * REACH), "slower"),
        (1.02 * math.exp(0.99 * REACH), "inconclusive"),
        (1.02 * math.exp(-0.99 * REACH), "inconclusive"),
        (1.02 * math.exp(-1.01 * REACH), "same"),
        (1.0, "same"),
        (math.exp(1.01 * REACH) / 1.02, "same"),
        (math.exp(0.99 * REACH) / 1.02, "inconclusive"),
        (math.exp(-0.99 * REACH) / 1.02, "inconclusive"),
        (math.exp(-1.01 * REACH) / 1.02, "faster"),
    ],
)
def test_the_whole_interval_must_lie_on_one_side_of_the_limit(ratio: float, verdict: str) -> None:
    decision = of(around(ratio))
    assert decision.verdict == verdict
    assert decision.ratio == pytest.approx(ratio)
    assert (decision.lo, decision.hi) == pytest.approx(
        (ratio * math.exp(-REACH), ratio * math.exp(REACH)), rel=1e-6
    )
    assert bool(decision.reason) is (verdict == "inconclusive")


def test_noise_of_the_cell_raises_its_limit_and_never_lowers_it() -> None:
    assert of(around(1.05)).verdict == "slower"
    assert of(around(1.05), noise=0.08).verdict == "same"
    assert of(around(1.05), noise=0.08).delta == 0.08
    assert of(around(1.05), noise=0.001).delta == RULE.delta


def test_an_interval_that_spans_both_limits_is_inconclusive() -> None:
    assert of(around(1.0, scale=30)).verdict == "inconclusive"


def test_pairs_without_any_spread_are_decided_by_their_mean() -> None:
    assert (of([0.1] * 9).verdict, of([0.1] * 9).p) == ("slower", 0.0)
    assert (of([0.0] * 9).verdict, of([0.0] * 9).p) == ("same", 1.0)


def test_a_screen_asks_for_the_median_and_one_bad_pair_is_none() -> None:
    assert not flagged(Evidence(screen=(0.5, 0.0, 0.01)), RULE)
    assert flagged(Evidence(screen=(0.5, 0.0, 0.03)), RULE)
    assert not flagged(Evidence(screen=(0.5, 0.0, 0.03), noise=0.05), RULE)
    assert flagged(Evidence(), RULE)  # no screen, so all pairs for all


def test_what_passes_the_screen_is_not_called_the_same() -> None:
    decision = decide(Evidence(screen=(0.0, 0.01, -0.01)), RULE)
    assert (decision.verdict, decision.ratio, decision.pairs) == ("not flagged", 1.0, 3)
    assert math.isnan(decision.p)


def test_pairs_that_flagged_a_cell_do_not_help_to_decide_it() -> None:
    decision = decide(Evidence(screen=(2.0, 2.0, 2.0), fresh=around(1.0)), RULE)
    assert (decision.verdict, decision.pairs) == ("same", 9)


@pytest.mark.parametrize(("fresh", "words"), [((), "none"), ((0.1,), "1")])
def test_a_flagged_cell_without_fresh_pairs_is_inconclusive_and_says_so(
    fresh: tuple[float, ...], words: str
) -> None:
    decision = decide(Evidence(screen=(0.1, 0.1, 0.1), fresh=fresh), RULE)
    assert decision.verdict == "inconclusive"
    assert decision.reason == f"9 fresh pairs are needed to decide, and there are {words}"


def test_one_cell_among_many_has_to_be_surer_than_one_alone() -> None:
    """A p-value of 0.004 is slower by itself; of 40 tested cells, the best must have 0.05 / 40."""
    slow = Evidence(fresh=around(1.02 * math.exp(1.05 * REACH)))
    assert 0.003 < decide(slow, RULE).p < 0.005
    assert called("slower", decide_all({"a": slow})) == ["a"]
    many = decide_all({"a": slow} | {str(i): Evidence(fresh=around(1.0)) for i in range(39)})
    assert many["a"].verdict == "inconclusive"
    assert "40 cells" in many["a"].reason
    assert called("same", many) == [str(i) for i in range(39)]


def test_cells_that_passed_the_screen_make_nobody_elses_test_harder() -> None:
    slow = Evidence(screen=(0.1, 0.1, 0.1), fresh=around(1.02 * math.exp(1.05 * REACH)))
    calm = {str(i): Evidence(screen=(0.0, 0.0, 0.0)) for i in range(199)}
    outcome = decide_all({"a": slow} | calm)
    assert called("slower", outcome) == ["a"]
    assert len(called("not flagged", outcome)) == 199


def test_chance_calls_one_of_200_cells_at_the_limit_slower() -> None:
    assert expected_by_chance(200, 0.99) == pytest.approx(1.0)
    chances = np.random.default_rng(0)
    ratios = math.log(1.02) + 0.01 * chances.standard_normal((8000, 9))
    alarms = sum(of(one).verdict == "slower" for one in ratios.tolist())
    assert alarms == pytest.approx(expected_by_chance(8000, 0.99), abs=20)  # 40 ± 3 standard deviations


def test_verdicts_mirror_when_old_and_new_change_places() -> None:
    mirrored = {"slower": "faster", "faster": "slower"}
    for ratio, scale in itertools.product((0.9, 0.97, 1.0, 1.01, 1.05), (0.1, 1, 10)):
        there, back = (of(one) for one in (around(ratio, scale), around(1 / ratio, -scale)))
        assert back.verdict == mirrored.get(there.verdict, there.verdict)


CALM = (-0.001, 0.0, 0.001)
"""Log medians of three processes of a baseline."""


def shifted(by: float, logs: tuple[float, ...] = CALM) -> tuple[float, ...]:
    return tuple(log + math.log1p(by) for log in logs)


# Noise 10 %: log 0.09531. Its standard error is that over t(95 %, 4) = 2.7764, and the interval of 99 %
# reaches 4.6041 of them, 0.15805. So slower begins where log ratio - 0.15805 exceeds 0.09531: at 1.2884.
@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (1.295, "slower"),
        (1.28, "inconclusive"),
        (1.09, "not flagged"),
        (0.92, "not flagged"),
        (0.77, "faster"),
    ],
)
def test_one_process_a_side_says_slower_only_beyond_limit_and_interval_of_the_noise(
    ratio: float, verdict: str
) -> None:
    decision = decide_unpaired((0.0,), (math.log(ratio),), RULE, 0.10)
    assert decision.verdict == verdict
    assert decision.delta == pytest.approx(0.10)
    assert math.isnan(decision.p)


def test_one_process_on_a_machine_of_unknown_noise_says_nothing_however_slow() -> None:
    decision = decide_unpaired((0.0,), (math.log(3),), RULE, None)
    assert decision.verdict == "inconclusive"
    assert "nobody knows how far two differ" in decision.reason


def test_three_processes_a_side_make_their_own_interval() -> None:
    # each side's variance is 1e-6, so the error of the difference is 0.000816, and t(99 %, 2) = 9.925
    decision = decide_unpaired(CALM, shifted(0.10), RULE, None)
    assert decision.verdict == "slower"
    assert decision.ratio == pytest.approx(1.10)
    assert math.log(decision.ratio / decision.lo) == pytest.approx(9.925 * 0.000816, rel=1e-3)
    assert decide_unpaired(CALM, CALM, RULE, None).verdict == "same"
    assert decide_unpaired(CALM, shifted(-0.10), RULE, None).verdict == "faster"


def test_two_modes_are_inconclusive_and_not_slower() -> None:
    assert decide_unpaired((0.0, 0.11, 0.0), (0.11, 0.11, 0.11), RULE, None).verdict == "inconclusive"


def test_noise_widens_the_limit_less_for_more_processes() -> None:
    assert decide_unpaired(CALM, CALM, RULE, 0.10).delta == pytest.approx(
        math.expm1(math.log1p(0.10) / math.sqrt(3))
    )
    assert decide_unpaired(CALM, CALM, RULE, 0.001).delta == pytest.approx(0.02)


def test_sides_without_any_spread_have_a_p_value_too() -> None:
    assert decide_unpaired((0.0,) * 3, (1.0,) * 3, RULE, None).p == 0
    assert decide_unpaired((0.0,) * 3, (0.0,) * 3, RULE, None).p == 1


def test_a_side_without_a_process_cannot_be_decided() -> None:
    with pytest.raises(ValueError, match="process on either side"):
        decide_unpaired((), (0.0,), RULE, 0.1)


@pytest.mark.parametrize(("processes", "noise"), [(1, True), (2, True), (3, False), (5, False)])
def test_unchanged_cells_are_called_slower_in_at_most_one_per_cent(processes: int, noise: bool) -> None:
    spread, chance = 0.03, random.Random(processes)
    known = math.expm1(1.96 * math.sqrt(2) * spread) if noise else None  # what 95 % of differences stay below

    def side() -> list[float]:
        return [chance.gauss(0, spread) for _ in range(processes)]

    verdicts = [decide_unpaired(side(), side(), RULE, known).verdict for _ in range(2000)]
    assert verdicts.count("slower") <= 20
