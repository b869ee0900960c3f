"""Correlation of ranks, and the exponent of a power law by least squares in logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchsuite.stats.intervals import t_quantile


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
    return float(np.corrcoef(pd.DataFrame(pairs).rank().T)[0, 1])


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
