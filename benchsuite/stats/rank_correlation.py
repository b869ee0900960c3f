"""Spearman's correlation of ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def spearman(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Spearman's rank correlation: 1 if y rises wherever x does, −1 if it falls wherever x rises.

    Pairs with a NaN are left out.

    Returns:
        The correlation, or None where there is none: fewer than two pairs, or one side is constant.

    Raises:
        ValueError: x and y differ in length.
    """
    pairs = [(a, b) for a, b in zip(x, y, strict=True) if not (math.isnan(a) or math.isnan(b))]
    if len(pairs) < 2 or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return None
    ranks = [_ranks(side) for side in zip(*pairs, strict=True)]
    return round(float(np.corrcoef(ranks)[0, 1]), 12)  # −1 and −0.8 are these numbers


def _ranks(values: Sequence[float]) -> np.ndarray:
    """The rank of each, the mean of theirs for those that are equal."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks
