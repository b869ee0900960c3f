"""How often intervals hold what they say, on simulated noise. Seeded, so that it either always fails or never
does. The noise and the other methods are those of `benchmarks/interval_coverage.py`."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchsuite.stats.evidence import STOPPED_CONFIDENCE, Question, decide, estimate, half_width, paired

RUNS = 4000
ERROR = 2.5 * (0.05 * 0.95 / RUNS) ** 0.5  # of a simulated coverage near 95 %


@pytest.fixture(scope="module")
def simulation(repository: Path) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        return importlib.import_module("interval_coverage")


KINDS = (
    "normal", "drift over the run", "autocorrelated samples", "two modes, near", "two modes, far",
    "unequal rounds", "t3 rounds", "t3 samples", "lognormal rounds", "lognormal samples",
)  # fmt: skip


def test_every_kind_of_noise_that_is_promised_is_tested(simulation: ModuleType) -> None:
    assert tuple(name for name, kind in simulation.KINDS.items() if kind.held) == KINDS
    assert all(5 in simulation.KINDS[name].held for name in KINDS)


def test_the_intervals_of_this_test_are_those_of_the_estimate(simulation: ModuleType) -> None:
    for rounds in (5, 9):
        logs = simulation.medians(simulation.KINDS["two modes, near"].draw(50, rounds))
        low, high = simulation.student(logs)
        found = [estimate(np.exp(run).tolist()) for run in logs]
        assert [math.log(one.lo) for one in found] == pytest.approx(low.tolist())
        assert [math.log(one.hi) for one in found] == pytest.approx(high.tolist())


@pytest.mark.parametrize("name", KINDS)
def test_95_percent_of_runs_hold_what_such_runs_print(simulation: ModuleType, name: str) -> None:
    kind = simulation.KINDS[name]
    for rounds in kind.held:
        logs = simulation.medians(kind.draw(RUNS, rounds))
        found = simulation.share(simulation.student(logs), logs)
        assert 0.93 <= found <= 0.97 + ERROR, f"{found:.3f} at {rounds} rounds"


def test_samples_that_are_pooled_over_rounds_hold_it_in_half_of_the_runs(simulation: ModuleType) -> None:
    samples = simulation.KINDS["normal"].draw(500, 5)
    assert simulation.share(simulation.pooled(samples), simulation.medians(samples)) < 0.6


@pytest.mark.parametrize("name", KINDS)
def test_95_percent_of_runs_that_stopped_for_precision_hold_it(simulation: ModuleType, name: str) -> None:
    found, rounds = simulation.stopped(simulation.KINDS[name], STOPPED_CONFIDENCE, RUNS)
    assert simulation.LEAST + 1 < rounds < simulation.MOST  # or the rule had nothing to decide
    assert 0.93 - ERROR <= found <= 0.97 + ERROR


def test_without_the_wider_interval_stopping_for_precision_would_hold_it_too_seldom(
    simulation: ModuleType,
) -> None:
    assert simulation.stopped(simulation.KINDS["drift over the run"], 0.95, RUNS)[0] < 0.93 - ERROR


def test_ratios_need_no_wider_interval_where_both_sides_stopped_for_their_own_precision() -> None:
    rng = np.random.default_rng(21)
    shared, own = (0.01 * rng.standard_normal((2, 600, 9)) for _ in range(2))
    hits = 0
    for a, b in zip(np.exp(shared[0] + own[0]), np.exp(shared[0] + own[1]), strict=True):
        sides = [side[: stops(side.tolist())].tolist() for side in (a, b)]
        low, high = paired(*sides).interval()
        hits += low <= 1 <= high
    assert 0.93 <= hits / 600 <= 0.97


def stops(side: list[float]) -> int:
    """Rounds that a cell takes when its half width is to be 1.1 %."""
    for count in range(5, len(side)):
        width = half_width(side[:count], STOPPED_CONFIDENCE)
        assert width is not None
        if width <= 0.011:
            return count
    return len(side)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_of_many_equal_ratios_hardly_one_is_called_different_and_of_clear_ones_most_are(noise: float) -> None:
    rng = np.random.default_rng(22)
    families = wrong = missed = 0
    for logs in 0.01 * rng.standard_normal((100, 20, 5)):
        logs[15:] += 0.1
        ratios = [paired(np.exp(one).tolist(), [1.0] * 5) for one in logs]
        found = decide({i: Question(ratio, noise=noise) for i, ratio in enumerate(ratios)})
        families += 1
        wrong += sum(found[i].side in ("above", "below") for i in range(15))
        missed += sum(found[i].side != "above" for i in range(15, 20))
    assert wrong / (families * 20) <= 0.02  # of which 5 in 20 are found: 5 % of the discoveries are 1.3 %
    assert missed / (families * 5) <= 0.05
