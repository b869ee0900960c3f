"""Exponents of power laws, worked by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.stats.fits import growth, spearman


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


def test_a_correlation_worked_by_hand() -> None:
    """Ranks 1 2 3 4 5 against 2 1 4 3 5: Σd² = 4, so 1 − 6 · 4 / (5 · 24) = 0.8."""
    assert spearman([1, 2, 3, 4, 5], [20, 10, 40, 30, 50]) == pytest.approx(0.8)


@pytest.mark.parametrize(("y", "expected"), [([2, 4, 8], 1), ([8, 4, 2], -1), ([0.1, 0.2, 1e9], 1)])
def test_only_the_order_counts(y: list[float], expected: float) -> None:
    assert spearman([1, 2, 3], y) == pytest.approx(expected)


def test_equal_values_share_the_mean_of_their_ranks_and_a_constant_has_no_correlation() -> None:
    """Ranks 1 2½ 2½ 4 against 1 2 3 4: Σ of products around the mean 4.5, of squares 4.5 and 5."""
    assert spearman([10, 20, 20, 40], [1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert spearman([1, 1, 1], [1, 2, 3]) is None


def test_pairs_with_a_missing_number_are_left_out() -> None:
    assert spearman([1, 2, math.nan, 3], [1, 2, 0, 3]) == 1


@pytest.mark.parametrize("x", [[], [1.0], [math.nan, 1.0]])
def test_fewer_than_two_pairs_have_no_correlation(x: list[float]) -> None:
    assert spearman(x, x) is None


def test_lists_of_different_length_raise() -> None:
    with pytest.raises(ValueError, match="zip"):
        spearman([1, 2], [1])
