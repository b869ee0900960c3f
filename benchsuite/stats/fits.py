"""Ranks and their correlation, and the exponent of a power law by least squares in logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.stats.intervals import t_quantile


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


LEAST = 3
"""Fewer different sizes than this leave nothing over to tell how well a power law fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A power law, y = c · x ^ exponent.

    Attributes:
        lo, hi: ends of the 95 % interval of the exponent.
        residual: largest share by which a value differs from the law.
        sizes: how many different x there were.
        first, last: the smallest and the largest x; the law says nothing beyond them.
    """

    exponent: float
    lo: float
    hi: float
    residual: float
    sizes: int
    first: float
    last: float


def growth(xs: Sequence[float], ys: Sequence[float]) -> Growth | None:
    """The power law through these points; pairs with a missing or a non-positive number are left out.

    The interval is Student's, with two degrees of freedom less than points: it holds how far the points are
    from a power law, be it by noise or because they follow another law.

    Returns:
        None for fewer than `LEAST` different x.

    Raises:
        ValueError: x and y differ in length.
    """
    # NaN > 0 is false, so missing numbers go as well.
    pairs = [(math.log(x), math.log(y)) for x, y in zip(xs, ys, strict=True) if x > 0 and y > 0]
    sizes = sorted({x for x, _ in pairs})
    if len(sizes) < LEAST:
        return None
    n = len(pairs)
    mean_x, mean_y = (math.fsum(column) / n for column in zip(*pairs, strict=True))
    spread = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs) / spread
    residuals = [y - mean_y - slope * (x - mean_x) for x, y in pairs]
    error = math.sqrt(math.fsum(r * r for r in residuals) / (n - 2) / spread)
    reach = t_quantile(0.95, n - 2) * error
    return Growth(
        exponent=slope,
        lo=slope - reach,
        hi=slope + reach,
        residual=max(math.expm1(abs(r)) for r in residuals),
        sizes=len(sizes),
        first=math.exp(sizes[0]),
        last=math.exp(sizes[-1]),
    )
