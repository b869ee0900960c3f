"""Every flag, true and false; and silence on samples that are merely skewed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchsuite.findings.flags import FLAGS, LEAST, THERMAL, far_out, flags, two_modes
from benchsuite.measurement.nvml import REASONS
from benchsuite.results.cell import Cell
from benchsuite.results.machine import LAUNCH_BOUND, launch_bound
from benchsuite.results.record import Busy, Conditions, Timing, Usage

CELL = Cell(name="msa", target="msa", resolution=(224, 224), stride=16, batch=1)
STEADY = tuple(0.01 * (1 + 0.001 * (i * 7 % 11 - 5)) for i in range(60))
"""Within half a per cent of 10 ms, in no order."""


def timing(samples: Sequence[float] = STEADY, **fields: Any) -> Timing:
    """In three rounds or so, unless the fields say otherwise."""
    third = len(samples) // 3
    known = {
        "method": "cuda_events", "warmup_calls": 5, "warmup_s": 0.5, "stopped_by": "time", "threads": 1,
        "rounds": (third, third, len(samples) - 2 * third),
    }  # fmt: skip
    return Timing(samples_s=tuple(samples), **(known | fields))


def of_samples(samples: Sequence[float] = STEADY, **fields: Any) -> tuple[str, ...]:
    return flags(CELL, timing(samples, **fields), None)


def of_state(before: dict[str, Any] | None = None, after: dict[str, Any] | None = None) -> tuple[str, ...]:
    return flags(CELL, None, Conditions(before=before or {}, after=after or {}))


def test_a_steady_cell_on_a_quiet_machine_has_no_flags() -> None:
    quiet = {
        "cpu_throttles": 7,
        "cpu_others": 0.02,
        "sm_clock_mhz": 1980,
        "max_sm_clock_mhz": 1980,
        "throttle": [],
        "other_gpu_processes": 0,
    }
    usage = (Usage(
        calls=60, wall_s=0.6, user_s=0.6, system_s=0.0, minor_faults=3, major_faults=0, voluntary_switches=1,
        involuntary_switches=4,
    ),)  # fmt: skip
    steady = timing(warmup_stable=True, busy=Busy(seconds=0.0099, method="cuda_graph"), usage=usage)
    assert flags(CELL, steady, Conditions(before=quiet, after=quiet)) == ()


def test_what_is_unknown_raises_no_flag() -> None:
    assert flags(CELL, None, None) == ()
    assert of_state() == ()


def test_every_flag_says_what_it_means_and_what_to_do() -> None:
    for word, sentence in FLAGS.items():
        assert word.isidentifier()
        assert sentence.endswith(".")
        assert len(sentence) > 60


def test_flags_come_in_the_order_of_their_table() -> None:
    hot = {"throttle": ["hw_thermal"], "cpu_others": 0.9, "sm_clock_mhz": 480, "max_sm_clock_mhz": 1980}
    found = flags(CELL, timing((0.01, 0.01), warmup_stable=False, rounds=()), Conditions(after=hot))
    assert found == ("thermal", "low_clock", "busy_host", "few_rounds", "unstable_warmup")


@pytest.mark.parametrize("word", sorted(THERMAL))
def test_heat_and_power_brakes_are_thermal_before_or_after(word: str) -> None:
    assert word in REASONS.values()
    assert of_state(after={"throttle": [word]}) == ("thermal",)
    assert of_state(before={"throttle": ["power_cap", word]}) == ("thermal",)


@pytest.mark.parametrize("word", sorted(set(REASONS.values()) - THERMAL))
def test_no_other_reason_is_suspicious_by_itself(word: str) -> None:
    state = {"throttle": [word], "sm_clock_mhz": 1900, "max_sm_clock_mhz": 1980}
    assert of_state(state, state) == ()


def test_a_cpu_that_was_throttled_meanwhile_is_thermal() -> None:
    assert of_state({"cpu_throttles": 3}, {"cpu_throttles": 4}) == ("thermal",)
    assert of_state({"cpu_throttles": 3}, {"cpu_throttles": 3}) == ()
    assert of_state({}, {"cpu_throttles": 3}) == ()  # nobody knows how many there were


def test_a_clock_far_below_the_highest_is_low_unless_the_gpu_idles() -> None:
    low = {"sm_clock_mhz": 1100, "max_sm_clock_mhz": 1980, "throttle": ["power_cap"]}
    assert of_state(after=low) == ("low_clock",)
    assert of_state(after=low | {"throttle": ["idle"]}) == ()
    assert of_state(after=low | {"sm_clock_mhz": 1600}) == ()
    assert of_state(before=low) == ()  # before the first step the clock may rest
    assert of_state(after={"sm_clock_mhz": 1100}) == ()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_of_others_on_the_gpu_is_flagged(when: str) -> None:
    assert of_state(**{when: {"other_gpu_processes": 1}}) == ("other_gpu_process",)


@pytest.mark.parametrize("when", ["before", "after"])
def test_in_a_container_others_are_flagged_by_the_memory_that_they_hold(when: str) -> None:
    assert of_state(**{when: {"gpu_memory_elsewhere_bytes": 5 << 30}}) == ("other_gpu_process",)
    assert of_state(**{when: {"gpu_memory_elsewhere_bytes": 2 << 30}}) == ()  # contexts of our own


def test_a_host_that_others_keep_busy_meanwhile_is_flagged() -> None:
    assert of_state(after={"cpu_others": 0.11}) == ("busy_host",)
    assert of_state(after={"cpu_others": 0.1}) == ()
    assert of_state(before={"cpu_others": 0.9}) == ()  # that was before the timed region


def rounds(*medians: float) -> tuple[str, ...]:
    """The flags of steady rounds with these medians."""
    samples = [median / 0.01 * sample for median in medians for sample in STEADY[:20]]
    return of_samples(samples, rounds=(20,) * len(medians))


def test_rounds_that_get_slower_or_faster_one_after_the_other_drift() -> None:
    rising = (1.0, 1.01, 1.02, 1.03, 1.04)
    assert rounds(*rising) == ("drift",)
    assert rounds(*rising[::-1]) == ("drift",)
    assert rounds(1.0, 1.03, 1.01, 1.04, 1.02) == ()
    assert rounds(1.0, 1.01, 1.03, 1.02, 1.04, 1.05, 1.06) == ("drift",)  # 1 of 21 pairs is out of order


def test_a_drift_of_a_per_cent_and_one_of_few_rounds_are_of_no_interest() -> None:
    assert rounds(1.0, 1.003, 1.006, 1.009, 1.012) == ()
    assert rounds(1.0, 1.02, 1.04) == ()  # three rounds are in order in one case of three


def test_samples_that_get_slower_within_the_only_round_drift() -> None:
    slower = [sample * (1 + 0.03 * (i // 20)) for i, sample in enumerate(STEADY)]
    assert of_samples(slower, rounds=()) == ("drift", "few_rounds")


def test_noise_as_large_as_the_drift_hides_it() -> None:
    rng = np.random.default_rng(3)
    noisy = [sample * (1 + 0.03 * (i // 20)) for i, sample in enumerate(rng.lognormal(-4.6, 0.2, 60))]
    assert "drift" not in of_samples(noisy, rounds=())


def test_pages_that_are_mapped_in_every_step_are_flagged_where_they_cost_time() -> None:
    """1.9 µs each: of 340 ms, 109,398 are 61 %, and 3,000 are 1.7 %."""
    assert of_usage(wall_s=0.340, minor_faults=109_398) == ("page_faults",)
    assert of_usage(wall_s=0.340, minor_faults=3_000) == ()


def test_a_process_that_often_loses_its_core_is_descheduled() -> None:
    assert of_usage(wall_s=2.0, involuntary_switches=21) == ("descheduled",)
    assert of_usage(wall_s=2.0, involuntary_switches=20) == ()
    assert of_usage(wall_s=2.0, voluntary_switches=900) == ()  # it gave it up by itself


def of_usage(**numbers: Any) -> tuple[str, ...]:
    none = {
        "calls": 60, "user_s": 0.1, "system_s": 0.0, "minor_faults": 0, "major_faults": 0,
        "voluntary_switches": 0, "involuntary_switches": 0,
    }  # fmt: skip
    return of_samples(usage=(Usage(**(none | numbers)),))


def test_two_speeds_within_rounds_are_bimodal_and_rounds_of_two_speeds_are_not() -> None:
    assert of_samples([s * (1.12 if i % 5 < 2 else 1) for i, s in enumerate(STEADY)]) == ("bimodal",)
    assert rounds(1.0, 1.12, 1.0, 1.12, 1.0, 1.12) == ()


def test_many_interrupted_steps_are_outliers() -> None:
    assert of_samples([s * (1.5 + i / 60 if i % 6 == 0 else 1) for i, s in enumerate(STEADY)]) == (
        "outliers",
    )
    assert of_samples([s * (2 if i % 30 == 0 else 1) for i, s in enumerate(STEADY)]) == ()


def test_fewer_than_three_rounds_are_few_unless_a_published_protocol_wants_one() -> None:
    assert of_samples(rounds=(30, 30)) == ("few_rounds",)
    assert of_samples(rounds=()) == ("few_rounds",)
    assert flags(replace(CELL, protocol="timm"), timing(rounds=()), None) == ()


def test_a_warm_up_that_did_not_settle_is_flagged_where_somebody_looked() -> None:
    assert of_samples(warmup_stable=False) == ("unstable_warmup",)
    assert of_samples(warmup_stable=None) == ()


def test_a_wide_interval_between_rounds_is_imprecise() -> None:
    assert of_samples(precision=0.051) == ("imprecise",)
    assert of_samples(precision=0.05) == ()
    assert of_samples(precision=None) == ()


def test_a_gpu_that_waits_for_its_host_is_launch_bound() -> None:
    """200 tiny operators leave gaps, one large product none."""
    assert of_samples(busy=Busy(seconds=0.002, method="cuda_graph")) == ("launch_bound",)
    assert of_samples(busy=Busy(seconds=0.0098, method="cuda_graph")) == ()


def test_launch_bound_begins_above_its_limit() -> None:
    assert not launch_bound(LAUNCH_BOUND, 1.0)
    assert launch_bound(LAUNCH_BOUND + 0.01, 1.0)
    assert not launch_bound(1.0, 0.0)  # nothing ran on the device


@pytest.mark.parametrize("sigma", [0.005, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("n", [10, 20, 60, 200])
def test_on_skewed_but_clean_samples_flags_are_rare(sigma: float, n: int) -> None:
    """Log-normal samples, 400 cells of n in five rounds."""
    rng = np.random.default_rng(11)
    counts = Counter(
        word
        for row in rng.lognormal(-4.6, sigma, (400, n))
        for word in of_samples([float(sample) for sample in row], rounds=(n // 5,) * 5)
    )
    assert all(count <= 0.025 * 400 for count in counts.values()), counts
    assert counts.total() <= 0.03 * 400, counts


CLEAN = {
    "normal": lambda rng, size: rng.normal(1, 0.02, size),
    "uniform": lambda rng, size: rng.uniform(0.9, 1.1, size),
    "log-normal": lambda rng, size: rng.lognormal(0, 0.5, size),
    "exponential above a floor": lambda rng, size: 1 + rng.exponential(0.05, size),
    "triangular": lambda rng, size: rng.triangular(0.9, 0.9, 1.2, size),
}


def share(test, rows: NDArray[np.float64]) -> float:  # type: ignore[no-untyped-def]
    return float(np.mean([test(row.tolist(), apart=0.02) for row in rows]))


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("n", [20, 50, 200])
def test_one_mode_is_taken_for_two_in_less_than_one_case_of_a_hundred(name: str, n: int) -> None:
    rows = CLEAN[name](np.random.default_rng(5), (600, n))
    assert share(two_modes, rows) < 0.01


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("n", [20, 50, 200])
def test_clean_samples_seldom_have_many_that_are_far_out(name: str, n: int) -> None:
    rows = CLEAN[name](np.random.default_rng(6), (600, n))
    assert share(far_out, rows) < 0.025


@pytest.mark.parametrize("minor", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("n", [40, 200])
def test_two_modes_far_apart_are_found(minor: float, n: int) -> None:
    rng = np.random.default_rng(7)
    rows = rng.lognormal(0, 0.01, (300, n)) * np.where(np.arange(n) < minor * n, 1.12, 1)
    assert share(two_modes, rows) > 0.95


def test_modes_closer_than_matters_are_none() -> None:
    samples = [1.0 + 0.01 * (i % 2) + 0.0001 * (i % 7) for i in range(60)]
    assert not two_modes(samples, apart=0.02)
    assert two_modes(samples, apart=0.005)


def test_neighbouring_ticks_of_a_coarse_clock_are_no_modes() -> None:
    assert not two_modes([10.0, 11.0] * 30, apart=0.02)
    assert two_modes([10.0, 10.2, 11.0, 11.2] * 15, apart=0.02)


def test_a_few_spikes_are_no_mode() -> None:
    assert not two_modes([1.0 + 0.001 * (i % 9) for i in range(57)] + [1.5] * 3, apart=0.02)


def test_order_does_not_matter() -> None:
    rng = np.random.default_rng(8)
    samples = (rng.lognormal(0, 0.01, 60) * np.where(np.arange(60) < 25, 1.1, 1)).tolist()
    assert two_modes(samples, apart=0.02)
    assert two_modes(samples[::-1], apart=0.02)
    assert two_modes(sorted(samples), apart=0.02)


def test_equal_samples_have_neither_modes_nor_strays() -> None:
    assert not two_modes([1.0] * 50, apart=0.02)
    assert not far_out([1.0] * 50, apart=0.02)


def test_steps_that_the_clock_does_not_see_have_no_strays() -> None:
    assert not far_out([0.0] * 30 + [1.0] * 10, apart=0.02)


@pytest.mark.parametrize("test", [two_modes, far_out])
def test_few_samples_have_no_shape(test) -> None:  # type: ignore[no-untyped-def]
    assert not test([1.0, 2.0] * ((LEAST - 1) // 2), apart=0.02)


def test_strays_are_far_from_the_rest_by_what_matters() -> None:
    rest = [1.0 + 0.0001 * (i % 9) for i in range(48)]
    assert far_out([*rest, *(1.2 + 0.05 * i for i in range(12))], apart=0.02)
    assert far_out([*rest, *(0.5 + 0.01 * i for i in range(12))], apart=0.02)
    assert not far_out([*rest, *(1.005 + 0.0005 * i for i in range(12))], apart=0.02)  # half a per cent off
    assert not far_out([*rest, *[1.2] * 3], apart=0.02)
