"""Error rates of the gate's rule on machines of known noise: how often it cries wolf, how often it sees one.

Synthetic processes go through the very rule of `gate/decide.py`. A process has an effect of its own
(log-normal), may be in one of two modes, and drifts with the machine; its samples scatter around that, and
some of them are interrupted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchsuite.gate.decide import Evidence, Verdict, decide, expected_by_chance, flagged
from benchsuite.gate.formats.console import ConsolePage
from benchsuite.scenario.gate_settings import Gate
from benchsuite.stats.intervals import binomial_below

Order = Literal["interleaved", "sequential"]
"""Of the processes: pairs next to each other with the first side alternating (ABBA), or all old before all
new."""

SAMPLES = 100
"""Of each process."""
SPIKES, SPIKE = 0.02, 0.5
"""Share of samples that are interrupted, and by which share of the step on average."""
EFFECTS = (0.0, 0.05, 0.10)
"""Slowdowns of the new code."""
_MANY = 200
"""Cells of a large scenario."""
_BLOCK = 500
"""Trials that are in memory together: some 10 MB."""


@dataclass(frozen=True, slots=True)
class Regime:
    """A kind of machine; all noise as standard deviation of the logarithm.

    Attributes:
        process: between processes.
        iteration: between samples of one process.
        apart: how far two modes are from each other, as a share; each process falls into one at random.
        drift: how much slower the machine is at the end of a stage than at its beginning, as a share.
    """

    name: str
    process: float
    iteration: float = 0.02
    apart: float = 0.0
    drift: float = 0.0


REGIMES: tuple[Regime, ...] = (
    Regime("processes differ by 0.3 %", process=0.003),
    Regime("processes differ by 1 %", process=0.01),
    Regime("processes differ by 2.5 %", process=0.025),
    Regime("two modes 12 % apart", process=0.003, apart=0.12),
    Regime("drift of 6 %", process=0.005, drift=0.06),
)


@dataclass(frozen=True, slots=True)
class Rates:
    """How often the rule came to each verdict.

    Attributes:
        effect: share by which the new code really is slower.
        counts: verdict → trials; none where it never came to it.
    """

    regime: Regime
    order: Order
    effect: float
    trials: int
    counts: Mapping[Verdict, int]

    def share(self, verdict: Verdict) -> float:
        """Share of the trials with this verdict."""
        return self.counts.get(verdict, 0) / self.trials


def simulate(
    regime: Regime, effect: float, rule: Gate, *, order: Order = "interleaved", trials: int, seed: int = 0
) -> Rates:
    """Verdicts on one cell in many trials, each with its own processes.

    The same seed gives every effect and order the same noise, so that rates differ for no other reason.

    Raises:
        ValueError: there are no trials.
    """
    if trials < 1:
        raise ValueError("a rate needs a trial")
    chances = np.random.default_rng(seed)
    counts: Counter[Verdict] = Counter()
    for begin in range(0, trials, _BLOCK):
        counts += _block(chances, regime, effect, rule, order, min(_BLOCK, trials - begin))
    return Rates(regime, order, effect, trials, counts)


def table(rule: Gate, *, trials: int) -> list[Sequence[Rates]]:
    """Every regime with every effect, a row for a regime and an order; all at once only where it matters."""
    rows: list[tuple[Regime, Order]] = []
    for regime in REGIMES:
        rows.append((regime, "interleaved"))
        if regime.drift:
            rows.append((regime, "sequential"))
    return [
        [simulate(regime, effect, rule, order=order, trials=trials) for effect in EFFECTS]
        for regime, order in rows
    ]


def simulation_page(rule: Gate, trials: int) -> ConsolePage:
    """How often the rule errs, a row for a regime and an order."""
    many = expected_by_chance(_MANY, rule.confidence)
    below = (
        f"{trials} comparisons each; the others have passed the screen, or are called the same.",
        f"Of {_MANY} cells exactly at the limit, {many:.2g} would be called slower by chance, on average.",
    )
    return ConsolePage([_sentence(rule)], [_row(rates) for rates in table(rule, trials=trials)], below)


def at_most(count: int, trials: int) -> float:
    """The largest rate that so few hits leave possible, with 95 % confidence: 0 of 300 leave 1 %.

    Clopper and Pearson's bound.
    """
    if count >= trials:
        return 1.0
    low, high = count / trials, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_below(count, trials, middle) > 0.05 else (low, middle)
    return high


def process_ratios(
    chances: np.random.Generator, regime: Regime, effect: float, order: Order, trials: int, pairs: int
) -> NDArray[np.float64]:
    """Log ratios of pairs of processes, new over old; of shape (trials, pairs)."""
    old, new = (
        _processes(chances, regime, slots / max(1, 2 * pairs - 1), trials) for slots in _slots(order, pairs)
    )
    ratios: NDArray[np.float64] = new + math.log1p(effect) - old
    return ratios


def _block(
    chances: np.random.Generator, regime: Regime, effect: float, rule: Gate, order: Order, trials: int
) -> Counter[Verdict]:
    screens = process_ratios(chances, regime, effect, order, trials, rule.screen)
    fresh = iter(process_ratios(chances, regime, effect, order, trials, rule.pairs))
    counts: Counter[Verdict] = Counter()
    for screen in screens:
        evidence = Evidence(screen=tuple(screen.tolist()))
        if flagged(evidence, rule):
            evidence = Evidence(evidence.screen, tuple(next(fresh).tolist()))
        counts[decide(evidence, rule).verdict] += 1
    return counts


def _processes(
    chances: np.random.Generator, regime: Regime, when: NDArray[np.float64], trials: int
) -> NDArray[np.float64]:
    """Log medians of processes, of shape (trials, len(when)); `when` is 0 where a stage begins, 1 where it
    ends."""
    shape = (trials, len(when))
    level = regime.process * chances.standard_normal(shape)
    level += math.log1p(regime.apart) * chances.integers(0, 2, shape)
    level += math.log1p(regime.drift) * when
    samples = np.exp(regime.iteration * chances.standard_normal((*shape, SAMPLES)))
    interrupted = chances.random(samples.shape) < SPIKES
    samples[interrupted] *= 1 + SPIKE * chances.standard_exponential(int(interrupted.sum()))
    logs: NDArray[np.float64] = level + np.log(np.median(samples, axis=-1))
    return logs


def _slots(order: Order, pairs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The places of the old and of the new processes in the order in which they run."""
    places = np.arange(pairs, dtype=np.float64)
    if order == "sequential":
        return places, places + pairs
    later = places % 2  # in every other pair the old process is the second
    return 2 * places + later, 2 * places + 1 - later


def _sentence(rule: Gate) -> str:
    """The rule in a sentence."""
    screen = (
        f"only a cell whose median ratio over {rule.screen} pairs of processes is above gets {rule.pairs} "
        "fresh pairs, which decide"
        if rule.screen
        else f"every cell gets {rule.pairs} pairs of processes"
    )
    sure = f"{100 * rule.confidence:g} %"
    return f"slower: the {sure} interval of the ratio lies above {1 + rule.delta:g}; {screen}"


def _row(rates: Sequence[Rates]) -> dict[str, str]:
    """Verdicts of one regime for a reader; the first effect is none, so "slower" is a false alarm there."""
    same = rates[0]
    alarms = same.counts.get("slower", 0)
    bound = _percent(at_most(alarms, same.trials))
    row = {
        "machine": same.regime.name,
        "order": same.order,
        "false alarms": f"{_percent(same.share('slower'))} (at most {bound})",
        "unchanged: inconclusive": _percent(same.share("inconclusive")),
    }
    for one in rates[1:]:
        row[f"{one.effect:+.0%} caught"] = _percent(one.share("slower"))
        row[f"{one.effect:+.0%} inconclusive"] = _percent(one.share("inconclusive"))
    return row


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
