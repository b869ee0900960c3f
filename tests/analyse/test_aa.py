"""What A/A trials come to, on synthetic machines whose noise is known."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from benchsuite.analyse.aa import Noise, Trial, chance, noise_of, verdicts
from benchsuite.analyse.verdict import Verdict

PROCESSES = 5


def machine(
    seed: int,
    *,
    within: float = 0.005,
    between: float = 0.0,
    stated: float | None = 0.01,
    bias: float = 0.0,
    processes: int = PROCESSES,
) -> list[Trial]:
    """Trials on a machine whose medians spread log-normally.

    Args:
        within: standard deviation of each median within a process.
        between: of what both medians of a process have in common.
        stated: half width that the processes state; 1.96 × `within` would be honest.
    """
    chances = np.random.default_rng(seed)
    common = between * chances.standard_normal(processes)
    logs = common[:, None] + within * chances.standard_normal((processes, 2)) + [0.0, bias]
    medians = 0.01 * np.exp(logs)
    return [Trial(float(a), float(b), stated, stated) for a, b in medians]


def by_name(trials: list[Trial]) -> Mapping[str, Verdict]:
    return {verdict.name.removeprefix("A/A: "): verdict for verdict in verdicts(trials)}


def levels(trials: list[Trial]) -> Mapping[str, str]:
    return {name: verdict.level for name, verdict in by_name(trials).items()}


FINE = {"noise of a ratio": "ok", "stated intervals": "ok", "over processes": "ok", "second cell": "ok"}


def test_a_quiet_machine_with_honest_intervals_has_nothing_to_complain_of() -> None:
    assert [levels(machine(seed)) for seed in range(20)] == [FINE] * 20


def test_noise_is_worked_out_as_by_hand() -> None:
    """Ratios e^0.01 and e^-0.03: rms √0.0005, t of 2 degrees 4.3027; medians of A 10 ms and 20 ms, of A again
    with them: the variance of logs of the first is ln²2 / 2."""
    trials = [
        Trial(0.010, 0.010 * math.exp(0.01), 0.02, 0.04),
        Trial(0.020, 0.020 * math.exp(-0.03), 0.02, None),
    ]
    noise = noise_of(trials)
    assert noise.within == pytest.approx(math.expm1(4.3027 * math.sqrt(0.0005)), rel=1e-3)
    assert noise.bias == pytest.approx(-0.01)
    variance = (math.log(2) ** 2 / 2 + (math.log(2) - 0.04) ** 2 / 2) / 2
    assert noise.spread == pytest.approx(math.sqrt(variance))
    assert noise.between == pytest.approx(math.expm1(12.706 * math.sqrt(2 * variance)), rel=1e-3)
    assert noise.reach == pytest.approx(0.010 / 0.015)
    assert noise.stated == 0.02
    assert (noise.processes, noise.told_apart) == (2, 0)


def test_the_noise_figure_bounds_19_of_20_comparisons_of_identical_cells() -> None:
    chances = np.random.default_rng(1)
    below = 0
    for seed in range(2000):
        ratio = 0.02 * math.sqrt(2) * chances.standard_normal()
        below += abs(ratio) < math.log1p(noise_of(machine(seed, within=0.02)).within)
    assert below / 2000 == pytest.approx(0.95, abs=0.02)


def test_the_noise_between_runs_bounds_19_of_20_pairs_of_runs() -> None:
    chances = np.random.default_rng(2)
    below = 0
    for seed in range(2000):
        ratio = 0.05 * math.sqrt(2) * chances.standard_normal()
        trials = machine(seed, within=1e-9, between=0.05)
        below += abs(ratio) < math.log1p(noise_of(trials).between)
    assert below / 2000 == pytest.approx(0.95, abs=0.02)


def test_a_noisy_machine_is_a_warning_that_says_what_to_do_and_no_fault() -> None:
    found = by_name(machine(0, within=0.1, stated=0.2))
    assert found["noise of a ratio"].level == "warn"
    assert "benchsuite doctor" in found["noise of a ratio"].means
    assert {verdict.level for verdict in found.values()} <= {"ok", "warn"}


def test_intervals_that_tell_identical_cells_apart_are_a_warning() -> None:
    found = by_name(machine(0, within=0.02, stated=0.0005))
    assert found["stated intervals"].level == "warn"
    assert found["stated intervals"].value == "5 of 5 tell A from A"


def test_processes_that_differ_by_far_more_than_they_state_are_a_warning() -> None:
    found = levels(machine(0, between=0.2))
    assert found == FINE | {"over processes": "warn"}


def test_a_second_cell_that_is_always_slower_is_a_fault_of_the_instrument() -> None:
    found = by_name(machine(0, within=0.001, bias=0.05))
    assert found["second cell"].level == "fail"
    assert found["second cell"].value.startswith("+5")


def test_noise_alone_is_hardly_ever_taken_for_a_fault() -> None:
    faults = sum(
        levels(machine(seed, within=0.05, stated=0.1))["second cell"] == "fail" for seed in range(3000)
    )
    assert faults <= 10  # 0.1 % is asked for


def test_a_bias_that_noise_may_be_is_a_warning() -> None:
    trials = [Trial(0.01, 0.01 * (1 + off), 0.2, 0.2) for off in (0.1, -0.05, 0.12, 0.02, 0.08)]
    assert levels(trials)["second cell"] == "warn"


def test_no_stated_interval_is_a_warning_and_never_a_crash() -> None:
    found = levels(machine(0, stated=None))
    assert found == FINE | {"stated intervals": "warn", "over processes": "warn"}


def test_a_machine_without_any_noise_is_fine() -> None:
    same = [Trial(0.01, 0.01, 0.0, 0.0)] * 3
    assert levels(same) == FINE
    assert noise_of(same) == Noise(3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)


@pytest.mark.parametrize(("count", "allowed"), [(2, 1), (3, 1), (5, 2), (20, 4)])
def test_chance_may_tell_cells_apart_now_and_then(count: int, allowed: int) -> None:
    """Of 5 at 5 %: 3 or more 0.12 % of the time, 2 or more 2.3 %; of 2: both 0.25 %; of 3: two 0.7 %."""
    assert chance(count) == allowed


def test_one_process_has_no_noise() -> None:
    with pytest.raises(ValueError, match="two processes"):
        noise_of(machine(0, processes=1))
