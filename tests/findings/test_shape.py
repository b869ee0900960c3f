"""Two modes and stray samples: found where they are planted, not where a tail is long."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchsuite.findings.flags import LEAST, far_out, two_modes

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
