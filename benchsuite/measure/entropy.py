"""Whether new samples still say something new, by the entropy of the samples so far.

While modes of the distribution are still being discovered, the entropy of the binned samples grows. A line
through its last values tells whether it does: it must be flat, and a line must be what they lie on.

Source: the entropy criterion of NVBench, as described in NVIDIA/nvbench#151 and its command line help.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

BIN = 0.005
"""Width of a bin as a share of the duration. NVBench bins by the resolution of its clock, which here differs
by device."""
WINDOW = 64
"""Values that the line goes through. NVBench takes 299, more than the samples of most cells here."""
MAX_ANGLE_DEGREES = 0.048
"""NVBench's --max-angle: steepest line, in bits per sample, that is flat."""
MIN_R2 = 0.36
"""NVBench's --min-r2: least share of the variance of the values that the line explains."""


def settled(samples: Sequence[float]) -> bool:
    """Whether the entropy has stopped growing; False for fewer than `WINDOW` samples."""
    if len(samples) < WINDOW:
        return False
    values = entropies(samples)[-WINDOW:]
    if max(values) - min(values) < 1e-9:
        return True  # nothing for a line to explain
    slope, r2 = line(values)
    return slope <= math.tan(math.radians(MAX_ANGLE_DEGREES)) and r2 >= MIN_R2


def entropies(samples: Sequence[float]) -> list[float]:
    """Entropy in bits of the first n binned samples, for every n from 1.

    With c samples in a bin, H = log₂ n − (Σ c log₂ c) / n.
    """
    counts: Counter[int] = Counter()
    found, total = [], 0.0
    for n, sample in enumerate(samples, 1):
        bin_of = round(math.log(sample) / math.log1p(BIN)) if sample > 0 else 0
        before = counts[bin_of]
        counts[bin_of] += 1
        total += _c_log_c(before + 1) - _c_log_c(before)
        found.append(math.log2(n) - total / n)
    return found


def line(values: Sequence[float]) -> tuple[float, float]:
    """Slope and R² of the least-squares line through values at 0, 1, 2, …, which are not all equal."""
    n = len(values)
    middle, mean = (n - 1) / 2, sum(values) / n
    along = sum((i - middle) ** 2 for i in range(n))
    across = sum((value - mean) ** 2 for value in values)
    both = sum((i - middle) * (value - mean) for i, value in enumerate(values))
    return both / along, both**2 / (along * across)


def _c_log_c(count: int) -> float:
    return count * math.log2(count) if count else 0.0
