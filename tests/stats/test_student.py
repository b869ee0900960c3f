"""Quantiles of Student's t against the printed table."""

from __future__ import annotations

import math

import pytest

from benchsuite.stats.intervals import inside, mean_interval, t_quantile


@pytest.mark.parametrize(
    ("confidence", "freedom", "table"),
    [
        (0.95, 1, 12.706),
        (0.95, 2, 4.303),
        (0.95, 4, 2.776),
        (0.95, 5, 2.571),
        (0.95, 30, 2.042),
        (0.99, 4, 4.604),
        (0.99, 7, 3.499),
        (0.999, 4, 8.610),
        (0.999, 1, 636.619),
    ],
)
def test_quantiles_are_those_of_the_table(confidence: float, freedom: int, table: float) -> None:
    assert t_quantile(confidence, freedom) == pytest.approx(table, abs=6e-4)


def test_many_degrees_of_freedom_are_a_normal_distribution() -> None:
    assert t_quantile(0.95, 10_000) == pytest.approx(1.96, abs=1e-3)
    assert inside(1.0, 9_999) == pytest.approx(math.erf(1 / math.sqrt(2)), abs=1e-4)


def test_the_interval_of_a_mean_is_the_one_worked_out_by_hand() -> None:
    """Mean 3, standard deviation √2.5, so the error of the mean is √0.5."""
    low, high = mean_interval([1, 2, 3, 4, 5])
    assert (low, high) == pytest.approx((3 - 2.7764 * math.sqrt(0.5), 3 + 2.7764 * math.sqrt(0.5)), abs=1e-3)


def test_what_has_no_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="two values"):
        mean_interval([1.0])
    with pytest.raises(ValueError, match="0 degrees"):
        t_quantile(0.95, 0)
    with pytest.raises(ValueError, match="confidence of 1"):
        t_quantile(1, 3)
