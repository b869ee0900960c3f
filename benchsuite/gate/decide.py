"""When a cell is slower: the one rule, for pairs of processes and against the processes of a baseline. Pure.

Samples of one process share its layout of memory, its clocks and its algorithms, so the unit of evidence is
the process: its value is the logarithm of the median of its samples. A pair is a process of the base and one
of the candidate, run next to each other; what counts is the logarithm of their ratio, candidate over base.

Two stages. A few pairs screen all cells: a median ratio above the limit flags a cell. A flagged cell gets
fresh pairs, and they alone decide, since those that flagged it were chosen for being slow, by the rule of
evidence (`stats/evidence.py`) that decides everywhere: beyond the limit the cell is slower, beyond its
reciprocal faster, between the two the same, and inconclusive otherwise. A cell that passes the screen is "not
flagged", which is less than "same".

A stored baseline has processes of its own and no pairs. Three or more a side know how far they spread; fewer
take the noise of the machine, if anybody has measured it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchsuite.scenario.gate_settings import Gate
from benchsuite.stats import evidence as stats
from benchsuite.stats.intervals import quantile, t_quantile

Verdict = Literal["slower", "faster", "same", "inconclusive", "not flagged"]
_VERDICT_OF: Mapping[stats.Side, Verdict] = {
    "above": "slower",
    "below": "faster",
    "same": "same",
    "undecided": "inconclusive",
}
ENOUGH = 3
"""Processes a side from which their own spread makes the interval; that of two says next to nothing."""
_FEW = 4
"""Degrees of freedom that a noise of unknown origin is taken to have: five processes, as in a self-test."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Ratios that were measured of one cell.

    Attributes:
        screen, fresh: log ratios of the pairs, candidate over base, in order of measurement. With no screen,
            `fresh` decides at once.
        noise: the cell's own A/A noise as a share (`stats.evidence.aa_noise`); 0 if nobody knows.
    """

    screen: tuple[float, ...] = ()
    fresh: tuple[float, ...] = ()
    noise: float = 0.0


@dataclass(frozen=True, slots=True)
class CellDecision:
    """The verdict on the times of one cell.

    Attributes:
        delta: share by which a cell had to be slower; the cell's own limit.
        ratio: candidate over base, the geometric mean of the pairs that decided; of a cell that is not
            flagged, the median of its screen.
        lo, hi: ends of the ratio's interval; NaN if none was needed or there are too few pairs.
        p: probability of such pairs, or slower ones, if the true ratio is 1 + delta; NaN without an interval.
        pairs: how many decided.
        reason: why it is inconclusive; empty otherwise.
    """

    verdict: Verdict
    delta: float
    ratio: float
    lo: float = math.nan
    hi: float = math.nan
    p: float = math.nan
    pairs: int = 0
    reason: str = ""


def log_median(samples: Sequence[float]) -> float:
    """The value of a process: the logarithm of the median of its samples.

    Raises:
        ValueError: there are no samples, or the median is not positive.
    """
    return math.log(quantile(samples, 0.5))


def flagged(evidence: Evidence, rule: Gate) -> bool:
    """Whether the cell needs fresh pairs: it failed its screen, or has none."""
    return not evidence.screen or statistics.median(evidence.screen) > math.log1p(_limit(evidence, rule))


def corrected(decisions: Mapping[str, CellDecision], rule: Gate) -> dict[str, CellDecision]:
    """Verdicts on cells by themselves → verdicts on all of them, corrected for how many were tested.

    Of a hundred unchanged cells some look slower. A cell that is slower by itself stays so only if its
    p-value passes Benjamini and Hochberg's test among all that were decided by an interval of their own
    processes, which the pairs of a screen are not; else it is inconclusive.
    """
    tested = stats.Family.of(
        [one.p for one in decisions.values() if not math.isnan(one.p)], rule.false_discovery
    )
    why = f"slower by itself, but not surely enough among {tested.size} cells that were tested"
    return {
        cell: replace(one, verdict="inconclusive", reason=why)
        if one.verdict == "slower" and one.p > tested.bound
        else one
        for cell, one in decisions.items()
    }


def decide(evidence: Evidence, rule: Gate) -> CellDecision:
    """The verdict on one cell by itself, from pairs of processes."""
    delta, pairs = _limit(evidence, rule), evidence.fresh
    if not flagged(evidence, rule):
        middle = statistics.median(evidence.screen)
        return CellDecision("not flagged", delta, math.exp(middle), pairs=len(evidence.screen))
    if len(pairs) < 2:
        ratio = math.exp(statistics.median((*evidence.screen, *pairs) or (math.nan,)))
        why = f"{rule.pairs} fresh pairs are needed to decide, and there are {len(pairs) or 'none'}"
        return CellDecision("inconclusive", delta, ratio, pairs=len(pairs), reason=why)
    decision = _of_ratio(stats.ratio_of(pairs, least=2), delta, rule)
    if decision.verdict == "inconclusive":
        return replace(decision, reason="the pairs spread too much to tell")
    return decision


def decide_unpaired(
    old: Sequence[float], new: Sequence[float], rule: Gate, noise: float | None
) -> CellDecision:
    """The verdict on one cell by itself, from processes of two sides that did not run next to each other.

    Args:
        old, new: log medians of the processes of each side.
        noise: by how much two processes differ on the machine, as a share; None if nobody knows.

    Raises:
        ValueError: a side has none.
    """
    if not old or not new:
        raise ValueError("a comparison needs a process on either side")
    log_ratio = statistics.fmean(new) - statistics.fmean(old)
    processes = min(len(old), len(new))
    share = math.sqrt((1 / len(old) + 1 / len(new)) / 2)  # the mean of several is calmer than one
    expected = None if noise is None else share * math.log1p(noise)
    bound = max(math.log1p(rule.delta), expected or 0.0)
    delta = math.expm1(bound)
    measured = processes >= ENOUGH or (processes >= 2 and expected is None)
    if measured:
        freedom = processes - 1
        error = math.sqrt(statistics.variance(old) / len(old) + statistics.variance(new) / len(new))
    elif expected is not None:
        freedom, error = _FEW, expected / t_quantile(0.95, _FEW)
    else:
        why = (
            "one process on a side, and nobody knows how far two differ on this machine: give three or more "
            "runs to `benchsuite baseline update`, or --noise with what `benchsuite noise` wrote"
        )
        return CellDecision("inconclusive", delta, math.exp(log_ratio), pairs=processes, reason=why)
    decision = _of_ratio(stats.Ratio(log_ratio, error, freedom, processes), delta, rule)
    if not measured:
        decision = replace(decision, p=math.nan)
    if decision.verdict != "inconclusive":
        return decision
    if abs(log_ratio) <= bound:  # no sign of a change, which is less than "same"
        return replace(decision, verdict="not flagged")
    why = "beyond the limit, but its interval is not: measure both revisions in one job, with --base"
    return replace(decision, reason=why)


def expected_by_chance(cells: int, confidence: float) -> float:
    """How many of so many cells an interval puts above the limit by chance, if all lie exactly on it: half
    of what an interval misses is on that side. Fewer where they lie below."""
    return cells * (1 - confidence) / 2


def _limit(evidence: Evidence, rule: Gate) -> float:
    """The share by which this cell must be slower."""
    return max(rule.delta, evidence.noise)


def _of_ratio(ratio: stats.Ratio, delta: float, rule: Gate) -> CellDecision:
    """The verdict of the rule of evidence; whoever asked says why it is inconclusive."""
    question = stats.Question(ratio, margin=delta)
    decided = stats.decide({"": question}, confidence=rule.confidence, false_discovery=1.0, tested="above")[
        ""
    ]
    return CellDecision(
        _VERDICT_OF[decided.side], delta, decided.ratio, decided.lo, decided.hi, decided.p, pairs=ratio.rounds
    )
