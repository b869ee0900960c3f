"""Rules of stopping, when enough samples have been taken. A rule sees the samples and says why to stop, or
None to go on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from benchsuite.stats.intervals import median_interval, quantile

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
    """Tell if the entropy has stopped growing; False for fewer than `WINDOW` samples."""
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
    bits, total = [], 0.0
    for n, sample in enumerate(samples, 1):
        bin_of = round(math.log(sample) / math.log1p(BIN)) if sample > 0 else 0
        before = counts[bin_of]
        counts[bin_of] += 1
        total += _c_log_c(before + 1) - _c_log_c(before)
        bits.append(math.log2(n) - total / n)
    return bits


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


@dataclass(frozen=True, slots=True)
class Visit:
    """One round of a cell, as the process that takes it knows it.

    Attributes:
        round: 0 for the first.
        rounds: among how many the budgets are divided; more may follow, with parts as large.
        wanted: samples from which on another round says more (`stats/variance_components.py`); None if nobody
            knows yet.
        calls: so many calls make a sample, as an earlier round has chosen; None where there was none.
    """

    round: int = 0
    rounds: int = 1
    wanted: int | None = None
    calls: int | None = None


class StoppingRule(Protocol):
    """Decides after each block whether sampling ends."""

    @property
    def max_samples(self) -> int:
        """Samples after which the rule stops in any case; no block goes beyond."""
        ...

    def share(self, visit: Visit) -> StoppingRule:
        """The rule for one round, with its part of the budgets."""
        ...

    def reason(self, samples: Sequence[float], elapsed_s: float) -> str | None:
        """Reason to stop now ("precision", "entropy", "samples", "time"), or None to take more samples.

        Args:
            samples: of this round.
            elapsed_s: seconds of sampling in it.
        """
        ...


@dataclass(frozen=True, slots=True)
class FixedCount:
    """Stop when a budget ends and for nothing else.

    Attributes:
        min_samples: never stop before, not even when the time is up.
        max_samples, max_s: the budgets, in samples and in seconds of sampling.
    """

    min_samples: int
    max_samples: int
    max_s: float

    def share(self, visit: Visit) -> StoppingRule:
        """Equal parts for all rounds, at least one sample."""
        return replace(
            self,
            min_samples=math.ceil(self.min_samples / visit.rounds),
            max_samples=math.ceil(self.max_samples / visit.rounds),
            max_s=self.max_s / visit.rounds,
        )

    def reason(self, samples: Sequence[float], elapsed_s: float) -> str | None:
        if len(samples) < self.min_samples:
            return None
        if (word := self.satisfied(samples)) is not None:
            return word
        if len(samples) >= self.max_samples:
            return "samples"
        return "time" if elapsed_s >= self.max_s else None

    def satisfied(self, samples: Sequence[float]) -> str | None:
        """Reason why no more samples are needed, whatever the budgets."""
        return None


@dataclass(frozen=True, slots=True)
class RelativeInterval(FixedCount):
    """Stop where more samples would not make the cell more precise, or a budget ends.

    That is where the median of the round is known well enough, or where another round says more for the same
    time. No interval is stated from the samples of one round, so that looking at it often does no harm.

    Attributes:
        precision: largest half width of the interval of the round's median, as a share of it; None: use up
            the budget.
        wanted: as in `Visit`.
    """

    precision: float | None = None
    wanted: int | None = None

    def share(self, visit: Visit) -> StoppingRule:
        shared = FixedCount.share(self, visit)
        assert isinstance(shared, RelativeInterval)
        return replace(shared, wanted=visit.wanted)

    def satisfied(self, samples: Sequence[float]) -> str | None:
        if self.precision is None:
            return None
        if self.wanted is not None and len(samples) >= self.wanted:
            return "precision"
        interval = median_interval(samples)
        if interval is None:
            return None
        half_width = (interval[1] - interval[0]) / 2
        return "precision" if half_width <= self.precision * quantile(samples, 0.5) else None


@dataclass(frozen=True, slots=True)
class Entropy(FixedCount):
    """Stop when new samples of the round say nothing new (`settled`), or a budget ends."""

    def satisfied(self, samples: Sequence[float]) -> str | None:
        return "entropy" if settled(samples) else None


def stopping_rule(
    rule: str, *, min_samples: int, max_samples: int, max_s: float, precision: float | None = None
) -> StoppingRule:
    """The rule of a name, "interval", "entropy" or "fixed", with its budgets.

    Args:
        precision: of "interval", see `RelativeInterval`.
    """
    return STOPPING_RULES[rule](min_samples, max_samples, max_s, precision)


STOPPING_RULES: Mapping[str, Callable[[int, int, float, float | None], StoppingRule]] = {
    "interval": RelativeInterval,
    "entropy": lambda least, most, seconds, _: Entropy(least, most, seconds),
    "fixed": lambda least, most, seconds, _: FixedCount(least, most, seconds),
}
"""Name of a rule → the rule, from its fewest and most samples, its seconds, and the precision that it aims
at."""
