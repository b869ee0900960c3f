"""Student's t for a handful of independent numbers, such as one from each process. Pure.

Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4: for whole degrees of
freedom the distribution is a finite sum.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache


def inside(t: float, freedom: int) -> float:
    """Probability that a t-distributed number with so many degrees of freedom lies in [−t, t], t ≥ 0."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2 == 1
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(3 if odd else 2, freedom - 1, 2):  # each term from the one before it
        term *= cosine**2 * ((k - 1) / k)
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def above(t: float, freedom: int) -> float:
    """Probability that a t-distributed number with so many degrees of freedom is larger than t, of any sign.

    Good to about 1e-15, so that what is less likely is 0.
    """
    half = inside(abs(t), freedom) / 2
    return max(0.0, 0.5 - half if t >= 0 else 0.5 + half)


@lru_cache(maxsize=256)
def t_quantile(confidence: float, freedom: int) -> float:
    """The t that `inside` gives `confidence` for: 2.776 for 95 % and 4 degrees of freedom.

    Raises:
        ValueError: there is no degree of freedom, or confidence is not strictly between 0 and 1.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise ValueError(f"no t for a confidence of {confidence} and {freedom} degrees of freedom")
    low, high = 0.0, 1.0
    while inside(high, freedom) < confidence:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle, freedom) < confidence else (low, middle)
    return high


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The interval of the mean of independent, roughly normal values.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(values) < 2:
        raise ValueError("an interval of a mean needs two values")
    mean = statistics.fmean(values)
    reach = t_quantile(confidence, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean - reach, mean + reach
