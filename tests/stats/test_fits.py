"""Exponents of power laws, worked by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.stats.fits import growth


@given(st.floats(-3, 3), st.floats(1e-6, 1e6))
def test_a_power_law_is_found_again(exponent: float, factor: float) -> None:
    xs = [49.0, 196.0, 784.0, 3136.0]
    law = growth(xs, [factor * x**exponent for x in xs])
    assert law is not None
    assert law.exponent == pytest.approx(exponent, abs=1e-9)
    assert (law.lo, law.hi) == pytest.approx((exponent, exponent), abs=1e-6)
    assert (law.sizes, law.first, law.last) == pytest.approx((4, 49, 3136))


def test_an_exponent_and_its_interval_worked_by_hand() -> None:
    # In powers of e: x is 0, 1, 2 and y is 0, 2, 1. Slope 1/2; residuals −1/2, 1, −1/2; squares sum to 3/2;
    # variance 3/2 / 1, over Σ(x − 1)² = 2; t for 95 % and one degree of freedom is 12.706.
    law = growth([1, math.e, math.e**2], [1, math.e**2, math.e])
    assert law is not None
    reach = 12.7062 * math.sqrt(0.75)
    assert (law.exponent, law.lo, law.hi) == pytest.approx((0.5, 0.5 - reach, 0.5 + reach), rel=1e-4)
    assert law.residual == pytest.approx(math.e - 1)


def test_missing_and_impossible_values_are_left_out() -> None:
    law = growth([1, 2, 4, 8, 16], [2, math.nan, 8, 16, 0])
    assert law is not None
    assert (law.sizes, law.last) == pytest.approx((3, 8))
    assert law.exponent == pytest.approx(1)


@pytest.mark.parametrize("xs", [[], [1, 2], [5, 5, 5], [1, 1, 2, 2]])
def test_fewer_than_three_sizes_have_no_law(xs: list[float]) -> None:
    assert growth(xs, [1.0] * len(xs)) is None
