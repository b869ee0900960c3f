"""Shape of samples: two modes, many that are far out, a trend. The tests stay silent on skewed samples."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from benchsuite.stats.summary import quantile

LEAST = 20
"""Fewer samples than this have no shape that could be told."""
_TRIMMED = 0.05
"""Share of the samples that is left out at either end before looking for modes: spikes are none."""
_MINOR_MODE = 0.15
"""Least share of the samples in the smaller mode."""
_FOLDED = 3.0
"""A folding ratio below 1 − 3 / √n is rarer than 0.2 % in uniform samples, for 20 ≤ n ≤ 500 (simulated)."""
_FENCE = 1.5
_CHANCE = 0.02
"""Of a trend where there is none."""
_STRAY = 0.05
"""Share of samples beyond the fences that is nothing special: a normal distribution has 0.7 %, an exponential
one 5 %."""


def two_modes(samples: Sequence[float], *, apart: float) -> bool:
    """Whether samples fall into two groups whose medians differ by more than `apart` × the smaller one.

    Folding the samples at a suitable point lays two modes on each other, and the variance drops: its ratio to
    the one before, times four, is 1 for uniform samples, more for other single modes, and less for two.

    Source: Siffer, Fouque, Termier, Largouët, "Are your data gathered?", KDD 2018.
    """
    ordered = sorted(samples)
    cut = int(_TRIMMED * len(ordered))
    kept = ordered[cut : len(ordered) - cut]
    n = len(kept)
    if len(ordered) < LEAST or kept[0] == kept[-1]:
        return False
    mean = math.fsum(kept) / n
    around = [sample - mean for sample in kept]
    variance = math.fsum(x * x for x in around) / n
    pivot = math.fsum(x**3 for x in around) / n / (2 * variance)
    folded = [abs(x - pivot) for x in around]
    centre = math.fsum(folded) / n
    ratio = 4 * math.fsum((x - centre) ** 2 for x in folded) / n / variance
    if ratio >= 1 - _FOLDED / math.sqrt(n):
        return False
    below = [sample for sample in kept if sample - mean < pivot]
    above = kept[len(below) :]
    if min(len(below), len(above)) < _MINOR_MODE * n:
        return False
    low, high = quantile(below, 0.5), quantile(above, 0.5)
    # Neighbouring ticks of a coarse clock are no modes.
    return high - low > max(apart * low, 1.5 * _tick(kept))


def far_out(samples: Sequence[float], *, apart: float) -> bool:
    """Whether more samples are far from the rest than skew and chance explain.

    Far is beyond 1.5 interquartile ranges from the quartiles of the logarithms (Tukey's fences; durations
    are skewed, and their logarithms less so), and by more than `apart` × the median from it.
    """
    n = len(samples)
    if n < LEAST or min(samples) <= 0:  # a clock too coarse to see the step
        return False
    logs = [math.log(sample) for sample in samples]
    low, middle, high = (quantile(logs, p) for p in (0.25, 0.5, 0.75))
    reach = _FENCE * (high - low)
    far = [x for x in logs if (x < low - reach or x > high + reach) and abs(x - middle) > math.log1p(apart)]
    return len(far) / n > _STRAY + 3 * math.sqrt(_STRAY * (1 - _STRAY) / n)


def trend(values: Sequence[float]) -> bool:
    """Whether values rise, or fall, from the first to the last so often that it is chance in 2 % of cases at
    most.

    Mann and Kendall's test: the number of pairs that are out of order, whose distribution is counted exactly.

    Source: Mann, "Nonparametric tests against trend", Econometrica 13 (1945).
    """
    inversions = sum(a > b for a, b in itertools.combinations(values, 2))
    pairs = len(values) * (len(values) - 1) // 2
    fewest = min(inversions, pairs - inversions)
    return 2 * sum(_orders(len(values))[: fewest + 1]) <= _CHANCE * math.factorial(len(values))


def _orders(count: int) -> list[int]:
    """How many orders of so many values have 0, 1, 2 … pairs out of order."""
    found = [1]
    for size in range(2, count + 1):
        found = [sum(found[max(0, k - size + 1) : k + 1]) for k in range(len(found) + size - 1)]
    return found


def _tick(ordered: Sequence[float]) -> float:
    """Smallest step between different samples."""
    return min(b - a for a, b in itertools.pairwise(ordered) if b > a)
