"""The one rule of evidence: what independent looks say of a time, of a ratio, and of many ratios at once.

The unit of evidence is the *round*, one visit of a cell in a fresh process; its value is the median of its
samples, however many it took. Rounds scatter by a factor, so that everything here works on logarithms.

Sources: Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013, for the unit; Benjamini
and Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57 (1995),
for the correction; Welch, "The generalization of 'Student's' problem", Biometrika 34 (1947), for ratios
without pairs.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from benchsuite.stats.intervals import above, quantile, t_quantile

LEAST_ROUNDS = 3
"""Rounds from which an interval is stated; Student's of two reaches 9 times their spread."""
CONFIDENCE = 0.95
"""Confidence of every interval that a reader is shown."""
STOPPED_CONFIDENCE = 0.97
"""Nominal confidence of the interval of rounds that ended because this very interval was narrow.

Looking at it after every round from the fifth to the tenth favours moments at which it happens to be too
narrow: at a nominal 95 % it holds the value in 90 to 96 % of simulated runs, at 97 % in 93 to 98 %, for eight
tenths of a round more; of two modes far apart, in 90 to 94 % (`tests/stats/test_coverage.py`,
`benchmarks/interval_coverage.py`). Ratios need none of it: what ends the rounds are the intervals of the two
sides and not that of the ratio.
"""
FALSE_DISCOVERY = 0.05
"""Share of false ones that is tolerated among the differences that a run tells."""
_NORMAL = 1.96
"""Half width of a 95 % interval in standard errors, where the error is known."""
_MANY = 1000
"""Degrees of freedom above which Student's t is the normal distribution."""

Side = Literal["above", "below", "same", "undecided"]
"""Side of the edge that a ratio lies on. `same`: no difference that means anything here."""

TOO_FEW = "too few rounds"
DISAGREE = "the rounds disagree"
TOO_WEAK = "the evidence is too weak"
NO_DRIFT = "no self-test says how far two runs of this machine differ"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantity with the interval of what it is in another run; NaN ends below `LEAST_ROUNDS`.

    Attributes:
        value: median over rounds of their medians, so that no round weighs more for its number of samples.
        lo, hi: ends of the interval, which hold the value.
        rounds: how many stand behind it.
    """

    value: float
    lo: float
    hi: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of two times.

    Attributes:
        log_mean: logarithm of the ratio.
        error: standard error of that; NaN where there are too few rounds to know.
        freedom: degrees of freedom of the error.
        rounds: how many stand behind it, on the side that has fewer.
    """

    log_mean: float
    error: float
    freedom: int
    rounds: int

    @property
    def value(self) -> float:
        return math.exp(self.log_mean)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Ends of the interval of the ratio; NaN, NaN where there are too few rounds."""
        low, high = self.log_interval(confidence)
        return math.exp(low), math.exp(high)

    def log_interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Ends of the interval of its logarithm."""
        reach = math.nan if math.isnan(self.error) else t_quantile(confidence, self.freedom) * self.error
        return self.log_mean - reach, self.log_mean + reach

    @property
    def inverse(self) -> Ratio:
        """The ratio with its sides exchanged, as that of throughputs is of latencies."""
        return Ratio(-self.log_mean, self.error, self.freedom, self.rounds)

    def p_above(self, log_bound: float) -> float:
        """One-sided p-value of "the ratio is above this bound", by Student's t; small speaks for it."""
        distance = self.log_mean - log_bound
        if self.error == 0:
            return 0.0 if distance > 0 else 1.0
        return above(distance / self.error, self.freedom)


@dataclass(frozen=True, slots=True)
class Question:
    """A ratio and the edge that it is held against.

    Attributes:
        noise: share of the machine's noise. The ratio itself must be beyond the edge by more, to mean
            anything; its interval knows of chance already, and need not.
        margin: share of a limit that somebody has set. The whole interval must be beyond the edge by more.
    """

    ratio: Ratio
    edge: float = 1.0
    noise: float = 0.0
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Decision on where a ratio lies.

    Attributes:
        ratio, lo, hi: the ratio and its interval; NaN ends where there is none.
        p: chance of such rounds if the ratio were on the bound; NaN where there is no interval.
        reason: why it is undecided, or the same; empty otherwise.
    """

    side: Side
    ratio: float
    lo: float
    hi: float
    p: float
    reason: str = ""


def confidence_of(stopped_by: str) -> float:
    """Nominal confidence with which the interval of rounds that ended for this reason holds 95 %."""
    return STOPPED_CONFIDENCE if stopped_by == "precision" else CONFIDENCE


def estimate(medians: Sequence[float], drift: float = 0.0, confidence: float = CONFIDENCE) -> Estimate:
    """The estimate from the median of each round: Student's interval of the logarithms.

    Args:
        drift: half width of the 95 % interval of what differs between runs of one machine, as a share. No
            round of one run can know of it, so that it is added (in quadrature).

    Raises:
        ValueError: there is no round, or a median is not positive.
    """
    logs = [math.log(median) for median in medians]
    value = quantile(medians, 0.5)
    if len(logs) < LEAST_ROUNDS:
        return Estimate(value, math.nan, math.nan, len(logs))
    within = ratio_of(logs)
    reach = t_quantile(confidence, within.freedom) * within.error
    reach = math.hypot(reach, math.log1p(drift))
    lo, hi = math.exp(within.log_mean - reach), math.exp(within.log_mean + reach)
    return Estimate(value, min(lo, value), max(hi, value), len(logs))


def half_width(medians: Sequence[float], confidence: float = STOPPED_CONFIDENCE) -> float | None:
    """Half width of the interval between rounds as a share of the value, by which precision is stated and
    sampling stops; None below `LEAST_ROUNDS`. The machine's drift, which more rounds cannot lessen, is left
    out."""
    if len(medians) < LEAST_ROUNDS:
        return None
    found = estimate(medians, confidence=confidence)
    return (found.hi - found.lo) / 2 / found.value


def ratio_of(logs: Sequence[float], least: int = LEAST_ROUNDS) -> Ratio:
    """The ratio from its logarithm in each round or pair of processes.

    Args:
        least: how many there must be for an error, 2 or more.

    Raises:
        ValueError: there are none.
    """
    if not logs:
        raise ValueError("a ratio needs a round")
    count = len(logs)
    mean = math.fsum(logs) / count
    if count < max(2, least):
        return Ratio(mean, math.nan, max(1, count - 1), count)
    # Not statistics.stdev, whose fractions take ten times as long: a report asks for every pair of cells.
    variance = math.fsum((log - mean) ** 2 for log in logs) / (count - 1)
    return Ratio(mean, math.sqrt(variance / count), count - 1, count)


def aa_noise(log_ratios: Sequence[float], count: int, freedom: int | None = None) -> float:
    """The share that 95 % of comparisons of a thing with itself stay below.

    Args:
        log_ratios: of pairs whose two sides are the same.
        count: how many ratios the comparison is to be the mean of.
        freedom: how many of `log_ratios` are independent; all of them if None.

    Raises:
        ValueError: there are no ratios.
    """
    if not log_ratios:
        raise ValueError("noise needs a pair")
    around = math.sqrt(math.fsum(log**2 for log in log_ratios) / len(log_ratios))  # around 1, which is true
    return math.expm1(t_quantile(0.95, freedom or len(log_ratios)) * around / math.sqrt(count))


def paired(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """A ÷ b from the medians of rounds, where round i of both was the same process.

    What moves a process as a whole moves both sides and drops out. Rounds that only one side has are left
    out. Where fewer than `LEAST_ROUNDS` are common to both, there is no interval, and the ratio is that of
    the medians over all rounds of each side, so that no single round speaks for a side that has more.

    Raises:
        ValueError: a side has no round, or a median is not positive.
    """
    common = min(len(a), len(b))
    if common < LEAST_ROUNDS:
        return Ratio(math.log(quantile(a, 0.5) / quantile(b, 0.5)), math.nan, 1, common)
    return ratio_of([math.log(one / other) for one, other in zip(a, b, strict=False)])


def unpaired(a: Sequence[float], b: Sequence[float], drift: float = 0.0) -> Ratio:
    """A ÷ b from the medians of rounds of two runs, by Welch's rule on logarithms.

    Args:
        drift: as for `estimate`; it counts once for each side. NaN where nobody knows, and then there is no
            error.

    Raises:
        ValueError: a side has no round, or a median is not positive.
    """
    left, right = ratio_of([math.log(one) for one in a]), ratio_of([math.log(one) for one in b])
    shares = [side.error**2 for side in (left, right)]
    variance = sum(shares) + 2 * (math.log1p(drift) / _NORMAL) ** 2
    doubt = sum(share**2 / side.freedom for share, side in zip(shares, (left, right), strict=True))
    freedom = int(min(_MANY, variance**2 / doubt)) if doubt > 0 else _MANY
    rounds = min(left.rounds, right.rounds)
    return Ratio(left.log_mean - right.log_mean, math.sqrt(variance), max(1, freedom), rounds)


_Key = TypeVar("_Key", bound=Hashable)


def decide(
    questions: Mapping[_Key, Question],
    *,
    confidence: float = CONFIDENCE,
    false_discovery: float = FALSE_DISCOVERY,
    tested: Literal["both", "above"] = "both",
) -> dict[_Key, Decision]:
    """Decide where each ratio lies, in the order of the questions, which are one family.

    A ratio is above its edge where its whole interval is beyond the edge by more than the margin, and the
    ratio by more than the noise; below where they are on the other side. It is the same where the interval
    lies within margin and noise, or where the ratio does although its interval excludes the edge: that is no
    difference that means anything. Whoever is above or below must also pass Benjamini and Hochberg's test
    among all questions that have an interval, since of a hundred ratios that are 1, some look different.

    Args:
        tested: "above" if that is the only news: p-values are then one-sided, and "below" is not corrected.
    """
    alone = {key: _alone(question, confidence, tested) for key, question in questions.items()}
    family = Family.of([one.p for one in alone.values() if not math.isnan(one.p)], false_discovery)
    return {key: family.corrected(decision, tested) for key, decision in alone.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Questions that are asked together, by what Benjamini and Hochberg's test makes of their p-values.

    Attributes:
        size: how many of them have an interval.
        bound: p-values up to this are believed; -1 where none is.
    """

    size: int
    bound: float

    @classmethod
    def of(cls, p_values: Sequence[float], share: float = FALSE_DISCOVERY) -> Family:
        """The family of these p-values, of which at most `share` of those believed are false, on average.

        Benjamini and Hochberg: of m sorted p-values, the largest k with p_k ≤ share · k / m, and all below.
        """
        ordered = sorted(p_values)
        bounds = [share * rank / len(ordered) for rank in range(1, len(ordered) + 1)]
        passing = (bound for p, bound in zip(ordered, bounds, strict=True) if p <= bound)
        return cls(len(ordered), max(passing, default=-1.0))

    def decide(self, question: Question) -> Decision:
        """The decision on one of the questions, tested on both sides."""
        return self.corrected(_alone(question, CONFIDENCE, "both"), "both")

    def corrected(self, decision: Decision, tested: Literal["both", "above"]) -> Decision:
        """A decision on one ratio by itself → that among all of them."""
        news = ("above", "below") if tested == "both" else ("above",)
        if decision.side not in news or decision.p <= self.bound:
            return decision
        return replace(decision, side="undecided", reason=f"{TOO_WEAK} for {self.size} comparisons")


def _alone(question: Question, confidence: float, tested: Literal["both", "above"]) -> Decision:
    """The decision on one ratio by itself."""
    ratio, edge, bound = question.ratio, math.log(question.edge), math.log1p(question.margin)
    least = math.log1p(max(question.margin, question.noise))
    low, high = ratio.log_interval(confidence)
    lo, hi = math.exp(low), math.exp(high)
    if math.isnan(lo):
        reason = TOO_FEW if ratio.rounds < LEAST_ROUNDS else NO_DRIFT
        return Decision("undecided", ratio.value, lo, hi, math.nan, reason)
    low, high = low - edge, high - edge
    side: Side = "undecided"
    reason = DISAGREE
    beyond = low > bound or high < -bound
    if beyond and abs(ratio.log_mean - edge) > least:
        side, reason = ("above" if low > bound else "below"), ""
    elif beyond or (-least < low and high < least):
        side, reason = "same", f"below the noise of this machine ({100 * math.expm1(least):.1f} %)"
    p = ratio.p_above(edge + bound)
    if tested == "both":
        p = min(1.0, 2 * min(p, ratio.inverse.p_above(bound - edge)))
    return Decision(side, ratio.value, lo, hi, p, reason)
