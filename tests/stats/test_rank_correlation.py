"""Correlation of ranks, worked by hand."""

from __future__ import annotations

import math

import pytest

from benchsuite.stats.rank_correlation import spearman


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
