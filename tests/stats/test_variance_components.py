"""Which of two levels varies most, and how many samples a round is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchsuite.stats.variance_components import (
    LEAST_SAMPLES,
    VarianceComponents,
    samples_wanted,
    variance_components,
)


def rounds(between: float, within: float, count: int = 400, samples: int = 25) -> list[list[float]]:
    chances = np.random.default_rng(5)
    logs = between * chances.standard_normal((count, 1)) + within * chances.standard_normal((count, samples))
    return np.exp(logs).tolist()  # type: ignore[no-any-return]


def test_variances_of_both_levels_are_found() -> None:
    found = variance_components(rounds(0.03, 0.02))
    assert found is not None
    assert math.sqrt(found.samples) == pytest.approx(0.02, rel=0.05)
    assert math.sqrt(found.rounds) == pytest.approx(0.03, rel=0.1)
    assert found.varies_most == "rounds"


def test_where_rounds_are_alike_the_samples_vary_most() -> None:
    found = variance_components(rounds(0.0, 0.05))
    assert found is not None
    assert found.varies_most == "samples"
    assert math.sqrt(found.rounds) < 0.004


def test_spikes_do_not_count_as_variance_of_samples() -> None:
    spiky = [[1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 9.0], [1.03, 1.02, 1.01, 1.0, 1.04, 1.03, 7.0]]
    found = variance_components(spiky)
    assert found is not None
    assert math.sqrt(found.samples) < 0.03


def test_too_little_says_nothing() -> None:
    assert variance_components([]) is None
    assert variance_components([[1.0] * 9]) is None
    assert variance_components([[1.0] * (LEAST_SAMPLES - 1)] * 9) is None
    same = variance_components([[1.0] * 9] * 3)
    assert same is not None
    assert same.varies_most == ""


def test_samples_are_worth_their_cost_as_by_hand() -> None:
    """A round of 0.2 s without samples of 10 ms, spread 2 % within and 1 % between: √(20 · π/2 · 4) =
    11.2."""
    assert samples_wanted(VarianceComponents(4e-4, 1e-4, 0.3), round_s=0.2, sample_s=0.01) == 12
    assert samples_wanted(VarianceComponents(1e-8, 1e-4, 0.0), round_s=0.2, sample_s=0.01) == LEAST_SAMPLES
    assert samples_wanted(VarianceComponents(4e-4, 0.0, 1.0), round_s=0.2, sample_s=0.01) is None
