"""When enough samples have been taken. A rule sees the samples and says why to stop, or None to go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from benchsuite.measure.entropy import settled
from benchsuite.scenario.measure import RULES as WORDS
from benchsuite.scenario.measure import Measure, Rule
from benchsuite.stats.summary import STOPPED_CONFIDENCE, median_interval, quantile


@dataclass(frozen=True, slots=True)
class Visit:
    """The turn of a cell in one round.

    Attributes:
        round: 0 for the first.
        rounds: how many there are.
        earlier: samples of the rounds before, in order.
    """

    round: int = 0
    rounds: int = 1
    earlier: tuple[float, ...] = ()


class StoppingRule(Protocol):
    """Decides after each block whether sampling ends."""

    @property
    def max_samples(self) -> int:
        """Samples after which the rule stops in any case; no block goes beyond."""
        ...

    def share(self, visit: Visit) -> StoppingRule:
        """The rule for one visit, with the part of the budgets that is its own. It, too, is shown the
        samples of earlier visits."""
        ...

    def reason(self, samples: Sequence[float], elapsed_s: float) -> str | None:
        """Why to stop now ("precision", "entropy", "samples", "time"), or None to take more samples.

        Args:
            samples: all of the cell, those of earlier visits first.
            elapsed_s: seconds of sampling in this visit.
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
        """Samples left over by an earlier visit may be taken by a later one; seconds may not, since samples
        do not tell how long the host took for them. Every visit takes its part of `min_samples`, even where
        the rule has been satisfied before, and at least one sample."""
        seen, rounds = len(visit.earlier), visit.rounds
        most = max(seen + 1, _up_to(self.max_samples, visit))
        least = max(_up_to(self.min_samples, visit), seen + math.ceil(self.min_samples / rounds))
        return replace(self, min_samples=min(least, most), max_samples=most, max_s=self.max_s / rounds)

    def reason(self, samples: Sequence[float], elapsed_s: float) -> str | None:
        if len(samples) < self.min_samples:
            return None
        if (word := self.satisfied(samples)) is not None:
            return word
        if len(samples) >= self.max_samples:
            return "samples"
        return "time" if elapsed_s >= self.max_s else None

    def satisfied(self, samples: Sequence[float]) -> str | None:
        """Why no more samples are needed, whatever the budgets."""
        return None


@dataclass(frozen=True, slots=True)
class RelativeInterval(FixedCount):
    """Stop when the interval of the median is narrow enough, or a budget ends.

    The interval is the one that a reader is shown later (`stats/summary.py`). It is looked at after every
    block, which favours moments at which it happens to be too narrow; so it is made a little wider.

    Attributes:
        precision: largest half-width of the interval as a share of the median; None to use up the budget.
    """

    precision: float | None = None

    def satisfied(self, samples: Sequence[float]) -> str | None:
        if self.precision is None:
            return None
        interval = median_interval(samples, STOPPED_CONFIDENCE)
        if interval is None:
            return None
        half_width = (interval[1] - interval[0]) / 2
        return "precision" if half_width <= self.precision * quantile(samples, 0.5) else None


@dataclass(frozen=True, slots=True)
class Entropy(FixedCount):
    """Stop when new samples say nothing new (`entropy.py`), or a budget ends."""

    def satisfied(self, samples: Sequence[float]) -> str | None:
        return "entropy" if settled(samples) else None


RULES: Mapping[Rule, Callable[[Measure, str], StoppingRule]] = {
    "interval": lambda measure, device: RelativeInterval(
        measure.min_samples, measure.max_samples, measure.max_s, measure.precision_on(device)
    ),
    "entropy": lambda measure, device: Entropy(measure.min_samples, measure.max_samples, measure.max_s),
    "fixed": lambda measure, device: FixedCount(measure.min_samples, measure.max_samples, measure.max_s),
}
"""Word of a scenario → the rule, made from what the scenario measures and the device's name."""
assert set(RULES) == set(WORDS)


def rule_of(measure: Measure, device: str) -> StoppingRule:
    """The rule that a scenario asks for."""
    return RULES[measure.rule](measure, device)


def _up_to(budget: int, visit: Visit) -> int:
    """The part of a budget that is for this visit and those before it."""
    return math.ceil(budget * (visit.round + 1) / visit.rounds)
