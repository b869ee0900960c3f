"""What A/A trials come to, on synthetic machines whose noise is known."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from benchsuite.health.aa import MachineNoise, Trial, chance, noise_of, verdicts
from benchsuite.health.verdict import Verdict

RUNS, ROUNDS, CELLS = 4, 5, 3


def machine(
    seed: int,
    *,
    within: float = 0.005,
    between: float = 0.0,
    drift: float = 0.0,
    bias: float = 0.0,
    stuck: float = 0.0,
    runs: int = RUNS,
) -> list[Trial]:
    """Trials on a machine whose medians spread log-normally.

    Args:
        within: standard deviation of each median, cell by cell and round by round.
        between: of what all cells of a round have in common.
        drift: of what all of a run has in common.
        stuck: of what a cell keeps for a whole run, which no interval can know.
    """
    chances = np.random.default_rng(seed)
    logs = within * chances.standard_normal((runs, CELLS, ROUNDS))
    logs += between * chances.standard_normal((runs, 1, ROUNDS))
    logs += drift * chances.standard_normal((runs, 1, 1))
    logs += stuck * chances.standard_normal((runs, CELLS, 1))
    logs[:, 1] += bias
    return [Trial(tuple(map(tuple, run))) for run in (0.01 * np.exp(logs)).tolist()]


def by_name(trials: list[Trial]) -> Mapping[str, Verdict]:
    return {verdict.name.removeprefix("A/A: "): verdict for verdict in verdicts(trials, noise_of(trials))}


def levels(trials: list[Trial]) -> Mapping[str, str]:
    return {name: verdict.level for name, verdict in by_name(trials).items()}


FINE = {
    "noise of a ratio": "ok",
    "stated intervals": "ok",
    "over rounds, each a process": "ok",
    "over runs": "ok",
    "second cell": "ok",
}


def test_a_quiet_machine_has_nothing_to_complain_of_even_if_processes_and_runs_differ() -> None:
    found = [levels(machine(seed, between=0.02, drift=0.02)) for seed in range(40)]
    assert sum(one == FINE for one in found) >= 37


def test_noise_is_worked_out_as_by_hand() -> None:
    """Two runs of two rounds of two cells. Ratios of rounds e^0.01, e^-0.03, e^0.02, e^0: rms √0.00035, t of
    4 degrees 2.7764; logarithms of the runs' means 0 and ln 2 apart but for half the ratios' means."""
    a, b = 0.010, 0.020
    trials = [
        Trial(((a, a), (a * math.exp(0.01), a * math.exp(-0.03)))),
        Trial(((b, b), (b * math.exp(0.02), b))),
    ]
    noise = noise_of(trials)
    assert noise.ratio == pytest.approx(math.expm1(2.7764 * math.sqrt(0.00035 / 2)), rel=1e-3)
    assert noise.bias == pytest.approx(0.0)
    apart = math.log(2) + (0.02 / 4) - (-0.02 / 4)
    assert noise.drift == pytest.approx(math.expm1(12.706 * apart / math.sqrt(2)), rel=1e-3)
    spreads = [0, 0.04**2 / 2, 0, 0.02**2 / 2]
    assert noise.spread == pytest.approx(math.sqrt(sum(spreads) / 4))
    assert (noise.runs, noise.rounds, noise.asked, noise.runs_asked) == (2, 2, 2, 2)


def test_the_noise_of_a_ratio_bounds_19_of_20_comparisons_of_identical_cells() -> None:
    chances = np.random.default_rng(1)
    below = 0
    for seed in range(1500):
        ratio = 0.02 * math.sqrt(2 / ROUNDS) * chances.standard_normal()
        below += abs(ratio) < math.log1p(noise_of(machine(seed, within=0.02, between=0.05)).ratio)
    assert below / 1500 == pytest.approx(0.95, abs=0.02)


def test_the_drift_holds_the_latency_of_another_run_19_times_of_20() -> None:
    """A run of true logarithm 0 finds a drift of its own; the machine's half width must reach it."""
    chances = np.random.default_rng(2)
    held = 0
    for seed in range(1500):
        another = 0.03 * chances.standard_normal()
        held += abs(another) < math.log1p(noise_of(machine(seed, within=1e-9, drift=0.03)).drift)
    assert held / 1500 == pytest.approx(0.95, abs=0.02)


def test_former_self_tests_make_the_drift_better_known() -> None:
    trials = machine(3, drift=0.02)
    day_before = [trial.log_mean for trial in machine(4, drift=0.02)]
    assert noise_of(trials, [trial.log_mean + 1.0 for trial in trials]).drift > 1.0
    reach = [noise_of(machine(seed, drift=0.02), day_before).drift for seed in range(200)]
    alone = [noise_of(machine(seed, drift=0.02)).drift for seed in range(200)]
    assert np.std(reach) < 0.6 * np.std(alone)


def test_a_noisy_machine_is_a_warning_that_says_what_to_do_and_no_fault() -> None:
    found = by_name(machine(0, within=0.1))
    assert found["noise of a ratio"].level == "warn"
    assert "benchsuite doctor" in found["noise of a ratio"].means
    assert {verdict.level for verdict in found.values()} <= {"ok", "warn"}


def test_what_changes_between_cells_and_not_between_rounds_is_a_warning() -> None:
    found = by_name(machine(0, within=0.001, stuck=0.05))
    assert found["stated intervals"].level == "warn"
    assert found["stated intervals"].value.endswith("of 12 tell A from A")


def test_a_second_cell_that_is_always_slower_is_a_fault_of_the_instrument() -> None:
    found = by_name(machine(0, within=0.001, bias=0.05))
    assert found["second cell"].level == "fail"
    assert found["second cell"].value.startswith("+5")


def test_noise_alone_is_hardly_ever_taken_for_a_fault() -> None:
    faults = sum(levels(machine(seed, within=0.05))["second cell"] == "fail" for seed in range(1500))
    assert faults <= 6  # 0.1 % is asked for


def test_a_machine_without_any_noise_is_fine() -> None:
    same = [Trial(((0.01,) * 3,) * 3)] * 3
    assert levels(same) == FINE
    assert noise_of(same) == MachineNoise(3, 3, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 9, 0, 9)


@pytest.mark.parametrize(("count", "allowed"), [(2, 1), (3, 1), (5, 2), (20, 4)])
def test_chance_may_tell_cells_apart_now_and_then(count: int, allowed: int) -> None:
    """Of 5 at 5 %: 3 or more 0.12 % of the time, 2 or more 2.3 %; of 2: both 0.25 %; of 3: two 0.7 %."""
    assert chance(count) == allowed


def test_one_run_has_no_noise() -> None:
    with pytest.raises(ValueError, match="two runs"):
        noise_of(machine(0, runs=1))
