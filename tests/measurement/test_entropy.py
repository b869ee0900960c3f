"""Entropy of samples against its definition, and when it counts as settled."""

from __future__ import annotations

import numpy as np
import pytest

from benchsuite.measurement.stopping import MAX_ANGLE_DEGREES, WINDOW, entropies, line, settled


def test_the_entropy_of_two_equally_frequent_durations_is_one_bit() -> None:
    found = entropies([1.0, 2.0, 1.0, 2.0])
    assert found[0] == 0
    assert found[1] == found[3] == pytest.approx(1)
    assert found[2] == pytest.approx(2 / 3 * np.log2(3 / 2) + 1 / 3 * np.log2(3))


def test_durations_that_differ_by_less_than_a_bin_say_nothing_new() -> None:
    assert entropies([1.0, 1.001, 0.999])[-1] == pytest.approx(0)
    assert entropies([1.0, 1.01, 0.99])[-1] == pytest.approx(np.log2(3))


def test_the_unit_of_time_does_not_matter_where_every_sample_is_its_own_bin() -> None:
    samples = [1.1**i for i in range(9)]
    assert entropies(samples) == pytest.approx([np.log2(n) for n in range(1, 10)])


def test_the_line_is_that_of_least_squares() -> None:
    values = np.random.default_rng(0).normal(size=30)
    slope, r2 = line(values.tolist())
    assert slope == pytest.approx(np.polyfit(np.arange(30), values, 1)[0])
    assert r2 == pytest.approx(np.corrcoef(np.arange(30), values)[0, 1] ** 2)


def test_equal_samples_are_settled_once_the_window_is_full() -> None:
    assert not settled([0.5] * (WINDOW - 1))
    assert settled([0.5] * WINDOW)


def test_a_mode_that_has_just_been_discovered_is_not_settled() -> None:
    assert settled([1.0] * 200)
    assert not settled([1.0] * 150 + [2.0] * 50)


def test_samples_of_one_narrow_mode_settle_within_a_few_hundred() -> None:
    rng = np.random.default_rng(5)
    counts = []
    for _ in range(40):
        samples = rng.normal(1, 0.01, 1000).tolist()
        counts.append(next((n for n in range(WINDOW, 1000, 8) if settled(samples[:n])), 1000))
    assert min(counts) >= WINDOW
    assert np.median(counts) < 400
    assert max(counts) < 1000


def test_a_steep_line_is_not_flat_and_a_scattered_one_no_line() -> None:
    steep = np.tan(np.radians(MAX_ANGLE_DEGREES)) * 1.01
    slope, r2 = line([steep * i for i in range(WINDOW)])
    assert slope > np.tan(np.radians(MAX_ANGLE_DEGREES))
    assert r2 == pytest.approx(1)
