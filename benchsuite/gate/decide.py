"""Whether new code is slower than old code: a verdict for every cell, from pairs of processes. Pure.

Samples of one process share its layout of memory, its clocks and its algorithms, so the unit of evidence is
the process: its value is the logarithm of the median of its samples. A pair is a process of the old code and
one of the new, run next to each other; what counts is the logarithm of their ratio, new over old.

Two stages. A few pairs screen all cells: a median ratio above the limit flags a cell. A flagged cell gets
fresh pairs, and they alone decide, since those that flagged it were chosen for being slow, by the rule of
evidence (`stats/evidence.py`) that decides everywhere: beyond the limit the cell is slower, beyond its
reciprocal faster, between the two the same, and inconclusive otherwise. A cell that passes the screen is "not
flagged", which is less than "same".
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchsuite.scenario.gate_settings import Gate
from benchsuite.stats import evidence as stats
from benchsuite.stats.intervals import quantile, t_quantile

Verdict = Literal["slower", "faster", "same", "inconclusive", "not flagged"]
VERDICTS: tuple[Verdict, ...] = ("slower", "faster", "same", "inconclusive", "not flagged")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of one cell.

    Attributes:
        screen, fresh: log ratios of the pairs, new over old (`log_ratios`), in order of measurement. With no
            screen, `fresh` decides at once.
        noise: the cell's own A/A noise as a share (`aa_noise`); 0 if nobody knows.
    """

    screen: tuple[float, ...] = ()
    fresh: tuple[float, ...] = ()
    noise: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one cell.

    Attributes:
        delta: share by which a cell had to be slower; the cell's own limit.
        ratio: new over old, the geometric mean of the pairs that decided; of a cell that is not flagged, the
            median of its screen.
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdicts on all cells.

    Attributes:
        decisions: cell → verdict, in the order of the evidence.
        tested: cells that were decided by an interval.
        by_chance: how many of them the intervals would call slower by chance, at most and on average, if
            none were slower than its limit.
    """

    decisions: Mapping[str, Decision]
    tested: int
    by_chance: float

    def of(self, verdict: Verdict) -> list[str]:
        """The cells with this verdict."""
        return [cell for cell, decision in self.decisions.items() if decision.verdict == verdict]


def log_median(samples: Sequence[float]) -> float:
    """The value of a process: the logarithm of the median of its samples.

    Raises:
        ValueError: there are no samples, or the median is not positive.
    """
    return math.log(quantile(samples, 0.5))


def log_ratios(old: Sequence[Sequence[float]], new: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """A log ratio, new over old, for each pair of processes; `old[i]` and `new[i]` are samples of the i-th.

    Raises:
        ValueError: the two sides differ in number, or a process has no samples.
    """
    return tuple(log_median(b) - log_median(a) for a, b in zip(old, new, strict=True))


def aa_noise(ratios: Sequence[float], pairs: int) -> float:
    """What a comparison of a cell with itself comes to by chance: a share that 95 % of them stay below.

    Args:
        ratios: log ratios of pairs in which both sides are the same code.
        pairs: how many the comparison is to be the mean of.

    Raises:
        ValueError: there are no ratios.
    """
    if not ratios:
        raise ValueError("noise needs a pair")
    around = math.sqrt(statistics.fmean(ratio**2 for ratio in ratios))  # around 1, which is known to be true
    return math.expm1(t_quantile(0.95, len(ratios)) * around / math.sqrt(pairs))


def limit(evidence: Evidence, rule: Gate) -> float:
    """The share by which this cell must be slower."""
    return max(rule.delta, evidence.noise)


def flagged(evidence: Evidence, rule: Gate) -> bool:
    """Whether the cell needs fresh pairs: it failed its screen, or has none."""
    return not evidence.screen or statistics.median(evidence.screen) > math.log1p(limit(evidence, rule))


def gate(cells: Mapping[str, Evidence], rule: Gate) -> Outcome:
    """The verdict on every cell.

    A cell whose interval says slower stays slower only if its p-value passes Benjamini and Hochberg's test
    among all that were tested; else it is inconclusive. Tested are the cells with fresh pairs: those pairs
    know nothing of the screen, so that it need not be paid for.
    """
    decisions = _decisions(cells, rule, rule.false_discovery)
    tested = sum(not math.isnan(decision.p) for decision in decisions.values())
    return Outcome(decisions, tested, expected_by_chance(tested, rule.confidence))


def decide(evidence: Evidence, rule: Gate) -> Decision:
    """The verdict on one cell by itself."""
    return _decisions({"it": evidence}, rule, false_discovery=1.0)["it"]


def _decisions(cells: Mapping[str, Evidence], rule: Gate, false_discovery: float) -> dict[str, Decision]:
    early = {cell: _early(evidence, rule) for cell, evidence in cells.items()}
    found = stats.decide(
        {
            cell: stats.Question(stats.ratio_of(cells[cell].fresh, least=2), margin=limit(cells[cell], rule))
            for cell, decision in early.items()
            if decision is None
        },
        confidence=rule.confidence,
        false_discovery=false_discovery,
        tested="above",
    )
    return {
        cell: decision or _verdict(found[cell], cells[cell], rule, len(found))
        for cell, decision in early.items()
    }


def _early(evidence: Evidence, rule: Gate) -> Decision | None:
    """The verdict on a cell that needs no interval, or can have none."""
    if not flagged(evidence, rule):
        middle = statistics.median(evidence.screen)
        return Decision("not flagged", limit(evidence, rule), math.exp(middle), pairs=len(evidence.screen))
    pairs = evidence.fresh
    if len(pairs) >= 2:
        return None
    ratio = math.exp(statistics.median((*evidence.screen, *pairs) or (math.nan,)))
    why = f"{rule.pairs} fresh pairs are needed to decide, and there are {len(pairs) or 'none'}"
    return Decision("inconclusive", limit(evidence, rule), ratio, pairs=len(pairs), reason=why)


VERDICT_OF: Mapping[stats.Side, Verdict] = {
    "above": "slower",
    "below": "faster",
    "same": "same",
    "undecided": "inconclusive",
}


def _verdict(found: stats.Decision, evidence: Evidence, rule: Gate, tested: int) -> Decision:
    reason = ""
    if found.side == "undecided":
        reason = f"slower by itself, but not surely enough among {tested} cells that were tested"
        if found.reason == stats.DISAGREE:
            reason = "the pairs spread too much to tell"
    return Decision(
        VERDICT_OF[found.side],
        delta=limit(evidence, rule),
        ratio=found.ratio,
        lo=found.lo,
        hi=found.hi,
        p=found.p,
        pairs=len(evidence.fresh),
        reason=reason,
    )


def expected_by_chance(cells: int, confidence: float) -> float:
    """How many of so many cells an interval puts above the limit by chance, if all lie exactly on it: half
    of what an interval misses is on that side. Fewer where they lie below."""
    return cells * (1 - confidence) / 2
