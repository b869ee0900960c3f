"""Ranks, and Spearman's correlation of them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def ranks(values: Sequence[float]) -> list[float]:
    """Rank of every value, 1 for the smallest; equal values share the mean of their ranks.

    Raises:
        ValueError: a value is NaN, which has no rank.
    """
    if any(math.isnan(value) for value in values):
        raise ValueError("NaN has no rank")
    order = sorted(range(len(values)), key=lambda i: values[i])
    result = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for i in order[start : end + 1]:
            result[i] = (start + end) / 2 + 1
        start = end + 1
    return result


def spearman(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Spearman's rank correlation: 1 if y rises wherever x does, −1 if it falls wherever x rises.

    Pairs with a NaN are left out.

    Returns:
        The correlation, or None where there is none: fewer than two pairs, or one side is constant.

    Raises:
        ValueError: x and y differ in length.
    """
    pairs = [(a, b) for a, b in zip(x, y, strict=True) if not (math.isnan(a) or math.isnan(b))]
    if len(pairs) < 2:
        return None
    rank_x = ranks([a for a, _ in pairs])
    rank_y = ranks([b for _, b in pairs])
    mean = (len(pairs) + 1) / 2  # of the ranks, with or without ties
    variance_x = sum((rank - mean) ** 2 for rank in rank_x)
    variance_y = sum((rank - mean) ** 2 for rank in rank_y)
    if variance_x == 0 or variance_y == 0:
        return None
    covariance = sum((a - mean) * (b - mean) for a, b in zip(rank_x, rank_y, strict=True))
    return max(-1.0, min(1.0, covariance / math.sqrt(variance_x * variance_y)))
