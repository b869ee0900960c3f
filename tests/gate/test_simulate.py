"""The configured rule on machines of known noise; and that the machines are what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchsuite.gate.simulate import (
    EFFECTS,
    REGIMES,
    Order,
    Regime,
    at_most,
    process_ratios,
    simulate,
    table,
)
from benchsuite.scenario.gate_settings import Gate

RULE = Gate()
ONE_PERCENT, NOISY, BIMODAL, DRIFT = REGIMES[1:]
TRIALS = 600
QUIET = Regime("silent", process=0.0, iteration=1e-9)


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
def test_unchanged_code_is_called_slower_in_at_most_one_trial_of_a_hundred(regime: Regime) -> None:
    rates = simulate(regime, 0.0, RULE, trials=TRIALS)
    assert at_most(rates.counts.get("slower", 0), TRIALS) <= 0.01


def test_ten_percent_are_caught_where_processes_differ_by_one() -> None:
    assert simulate(ONE_PERCENT, 0.10, RULE, trials=TRIALS).share("slower") >= 0.95
    assert simulate(ONE_PERCENT, 0.05, RULE, trials=TRIALS).share("slower") >= 0.95


def test_two_modes_make_the_rule_unsure_and_not_wrong() -> None:
    unchanged = simulate(BIMODAL, 0.0, RULE, trials=TRIALS)
    assert unchanged.share("slower") <= 0.01
    assert unchanged.share("inconclusive") > 0.05
    changed = simulate(BIMODAL, 0.05, RULE, trials=TRIALS)
    assert changed.share("inconclusive") > 5 * changed.share("slower")


def test_drift_deceives_runs_one_after_the_other_and_not_pairs() -> None:
    assert simulate(DRIFT, 0.0, RULE, order="sequential", trials=TRIALS).share("slower") > 0.5
    assert simulate(DRIFT, 0.0, RULE, order="interleaved", trials=TRIALS).share("slower") == 0
    assert simulate(DRIFT, 0.10, RULE, order="interleaved", trials=TRIALS).share("slower") > 0.95


def test_fewer_pairs_see_less() -> None:
    few, many = (simulate(NOISY, 0.10, Gate(pairs=pairs), trials=TRIALS).share("slower") for pairs in (3, 9))
    assert few < 0.5 < 0.9 < many


def test_a_rule_without_a_screen_decides_every_cell() -> None:
    rates = simulate(ONE_PERCENT, 0.0, Gate(screen=0), trials=100)
    assert rates.share("not flagged") == 0
    assert rates.share("same") + rates.share("inconclusive") == 1


def test_the_same_seed_gives_the_same_rates_and_another_one_others() -> None:
    once, again, other = (simulate(NOISY, 0.05, RULE, trials=300, seed=seed).counts for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_every_trial_has_one_verdict_also_beyond_a_block() -> None:
    rates = simulate(NOISY, 0.05, RULE, trials=501)
    assert sum(rates.counts.values()) == rates.trials == 501
    with pytest.raises(ValueError, match="a trial"):
        simulate(NOISY, 0.0, RULE, trials=0)


def test_machines_are_as_noisy_as_they_say() -> None:
    """A ratio spreads by √2 of a process; the median of 100 samples adds 1.25 · 2 % / 10 to each."""
    ratios = process_ratios(np.random.default_rng(0), NOISY, 0.10, "interleaved", 500, 9)
    assert ratios.shape == (500, 9)
    assert ratios.mean() == pytest.approx(math.log(1.1), abs=0.002)
    expected = math.sqrt(2 * (NOISY.process**2 + (1.2533 * NOISY.iteration / 10) ** 2))
    assert ratios.std() == pytest.approx(expected, rel=0.05)


def test_two_modes_show_in_half_of_the_pairs() -> None:
    regime = Regime("modes", process=0.0, iteration=1e-9, apart=0.12)
    ratios = process_ratios(np.random.default_rng(0), regime, 0.0, "interleaved", 1000, 9)
    found = {value: float(np.mean(np.isclose(ratios, value, atol=1e-6))) for value in (0, math.log(1.12))}
    assert found[0] == pytest.approx(0.5, abs=0.02)
    assert found[math.log(1.12)] == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(("order", "pairs", "mean"), [("sequential", 9, 9 / 17), ("interleaved", 4, 0.0)])
def test_drift_is_what_the_order_of_processes_makes_of_it(order: Order, pairs: int, mean: float) -> None:
    """Nine pairs one side after the other are 9 of 17 steps apart; an even number in ABBA cancels."""
    regime = Regime("drift", process=0.0, iteration=1e-9, drift=0.06)
    ratios = process_ratios(np.random.default_rng(0), regime, 0.0, order, 1, pairs)
    assert ratios.mean() == pytest.approx(mean * math.log(1.06), abs=1e-6)


def test_interrupted_samples_do_not_move_a_process() -> None:
    ratios = process_ratios(np.random.default_rng(0), QUIET, 0.0, "interleaved", 200, 3)
    assert np.abs(ratios).max() < 1e-6


def test_the_table_has_every_regime_and_shows_order_only_where_it_matters() -> None:
    rows = table(RULE, trials=1)
    assert [(row[0].regime, row[0].order) for row in rows] == [
        *((regime, "interleaved") for regime in REGIMES),
        (DRIFT, "sequential"),
    ]
    assert all([rates.effect for rates in row] == list(EFFECTS) for row in rows)


@pytest.mark.parametrize(
    ("count", "trials", "bound"), [(0, 300, 0.00994), (0, 1, 0.95), (5, 100, 0.1024), (1, 20, 0.2161)]
)
def test_a_bound_on_a_rate_is_that_of_the_table(count: int, trials: int, bound: float) -> None:
    """Zero of n: 1 − 0.05^(1/n). The others: 95 % points of the beta distribution."""
    assert at_most(count, trials) == pytest.approx(bound, abs=5e-4)


def test_all_of_all_bounds_nothing() -> None:
    assert at_most(7, 7) == 1.0
