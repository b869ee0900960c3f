"""Variance components of a time, between rounds and within them. What each costs decides on effort.

Source: Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013, for the number of
repetitions at the lower of two levels: √(cost of the higher ÷ cost of the lower × variance of the lower ÷
variance of the higher). The value of a round is a median here, not a mean, and its variance π/2 times as
large.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchsuite.stats.intervals import quantile

_MEDIAN = math.pi / 2
"""Variance of a median beside that of a mean, for normal samples."""
_IQR = 1.349
"""Interquartile range of a normal distribution in standard deviations: spikes do not raise it."""
LEAST_SAMPLES = 3
"""Samples of a round without which nothing is known of their spread."""

Level = Literal["rounds", "samples", ""]


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Variances of logarithms.

    Attributes:
        samples: of one sample within its round.
        rounds: of rounds, beyond what their samples explain; 0 where these explain everything.
        share_of_samples: of the variance of the medians of rounds, what their samples explain, 0 to 1.
    """

    samples: float
    rounds: float
    share_of_samples: float

    @property
    def varies_most(self) -> Level:
        """The level with the larger share in the variance of the estimate; empty if nothing varies."""
        if not (self.samples or self.rounds):
            return ""
        return "samples" if self.share_of_samples > 0.5 else "rounds"


def variance_components(rounds: Sequence[Sequence[float]]) -> VarianceComponents | None:
    """Variance components of the samples of some rounds; None below two rounds of `LEAST_SAMPLES`."""
    known = [samples for samples in rounds if len(samples) >= LEAST_SAMPLES and min(samples) > 0]
    if len(known) < 2:
        return None
    within = [_variance(samples) for samples in known]
    samples = statistics.fmean(within)
    explained = statistics.fmean(
        _MEDIAN * one / len(samples) for one, samples in zip(within, known, strict=True)
    )
    medians = statistics.variance([math.log(quantile(samples, 0.5)) for samples in known])
    share = min(1.0, explained / medians) if medians else float(explained > 0)
    return VarianceComponents(samples, max(0.0, medians - explained), share)


def samples_wanted(variances: VarianceComponents, *, round_s: float, sample_s: float) -> int | None:
    """Samples of a round from which on another round says more for the same time; None if rounds do not vary.

    Args:
        round_s: seconds that a round takes without its samples: building and warming up.
        sample_s: seconds of a sample.
    """
    if not variances.rounds or sample_s <= 0:
        return None
    wanted = math.sqrt(round_s / sample_s * _MEDIAN * variances.samples / variances.rounds)
    return max(LEAST_SAMPLES, math.ceil(wanted))


def _variance(samples: Sequence[float]) -> float:
    logs = sorted(math.log(sample) for sample in samples)
    return ((quantile(logs, 0.75) - quantile(logs, 0.25)) / _IQR) ** 2
