"""When enough samples have been taken. A rule sees the samples and says why to stop, or None to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchsuite.results.summary import median_interval, quantile


class StoppingRule(Protocol):
    """Decides after each block whether sampling ends."""

    @property
    def max_samples(self) -> int:
        """Samples after which the rule stops in any case; no block goes beyond."""
        ...

    def reason(self, samples: Sequence[float], elapsed_s: float) -> str | None:
        """Why to stop now ("precision", "samples", "time"), or None to take more samples."""
        ...


@dataclass(frozen=True, slots=True)
class RelativeInterval:
    """Stop when the 95 % interval of the median is narrow enough, or a budget ends.

    Attributes:
        min_samples: never stop before, not even when the time is up.
        max_samples, max_s: the budgets, in samples and in seconds of sampling.
        precision: largest half-width of the interval as a share of the median; None to use up the budget.
    """

    min_samples: int
    max_samples: int
    max_s: float
    precision: float | None = None

    def reason(self, samples: Sequence[float], elapsed_s: float) -> str | None:
        if len(samples) < self.min_samples:
            return None
        if self.precision is not None and self._precise(samples, self.precision):
            return "precision"
        if len(samples) >= self.max_samples:
            return "samples"
        return "time" if elapsed_s >= self.max_s else None

    @staticmethod
    def _precise(samples: Sequence[float], precision: float) -> bool:
        interval = median_interval(samples)
        if interval is None:
            return False
        return (interval[1] - interval[0]) / 2 <= precision * quantile(samples, 0.5)
