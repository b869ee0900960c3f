"""Ranks and their correlation, worked by hand and beside those of pandas."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.stats.rank_correlation import ranks, spearman

PAIRS = st.lists(
    st.tuples(st.integers(0, 8).map(float), st.integers(0, 8).map(float)), min_size=2, max_size=30
)


def test_ranks_of_ties_are_the_mean_of_what_they_share() -> None:
    assert ranks([30, 10, 20, 20]) == [4, 1, 2.5, 2.5]


@given(st.lists(st.integers(0, 8).map(float), max_size=30))
def test_ranks_are_those_of_pandas(values: list[float]) -> None:
    assert ranks(values) == pd.Series(values, dtype=float).rank().tolist()


def test_nan_has_no_rank() -> None:
    with pytest.raises(ValueError, match="NaN has no rank"):
        ranks([1.0, math.nan])


def test_a_correlation_worked_by_hand() -> None:
    """Ranks 1 2 3 4 5 against 2 1 4 3 5: Σd² = 4, so 1 − 6 · 4 / (5 · 24) = 0.8."""
    assert spearman([1, 2, 3, 4, 5], [20, 10, 40, 30, 50]) == pytest.approx(0.8)


@pytest.mark.parametrize(("y", "expected"), [([2, 4, 8], 1), ([8, 4, 2], -1), ([0.1, 0.2, 1e9], 1)])
def test_only_the_order_counts(y: list[float], expected: float) -> None:
    assert spearman([1, 2, 3], y) == pytest.approx(expected)


@given(PAIRS)
def test_the_correlation_is_pearsons_of_the_ranks(pairs: list[tuple[float, float]]) -> None:
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    value = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert value is None
    else:
        ranked = (pd.Series(x).rank(), pd.Series(y).rank())
        assert value == pytest.approx(float(np.corrcoef(*ranked)[0, 1]))


def test_pairs_with_a_missing_number_are_left_out() -> None:
    assert spearman([1, 2, math.nan, 3], [1, 2, 0, 3]) == 1


@pytest.mark.parametrize("x", [[], [1.0], [math.nan, 1.0]])
def test_fewer_than_two_pairs_have_no_correlation(x: list[float]) -> None:
    assert spearman(x, x) is None


def test_lists_of_different_length_raise() -> None:
    with pytest.raises(ValueError, match="zip"):
        spearman([1, 2], [1])
