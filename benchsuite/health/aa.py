"""A/A: what identical cells, measured in several runs of several rounds, say of machine and intervals. Pure.

Within a run the ratio of two identical cells ought to be 1, and its interval ought to know how far from it
chance can take it. From run to run, minutes apart, the machine itself drifts, which no interval of one run
can know: that part is measured here and becomes a part of every stated interval of a latency.

Source of the idea: Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.health.verdict import Level, Verdict, share, signed
from benchsuite.stats.evidence import aa_noise, estimate, paired, ratio_of
from benchsuite.stats.intervals import binomial_below, t_quantile

NOISY = 0.05
"""Noise of a ratio above which a machine deserves a warning: most differences worth telling are larger."""
UNLIKELY = 0.01
"""Probability below which chance is not what told identical cells apart so often."""
BIAS = 0.02
"""A systematic difference of identical cells that is no noise: where precision of a CPU's medians ends."""
SURE = 0.999
"""Confidence with which such a difference is called a fault."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A run in which identical cells were measured.

    Attributes:
        cells: of each cell the medians of its rounds in seconds, two rounds or more.
    """

    cells: tuple[tuple[float, ...], ...]

    @property
    def log_mean(self) -> float:
        """Logarithm of what a step took, over cells and rounds."""
        return statistics.fmean(math.log(median) for cell in self.cells for median in cell)

    @property
    def pairs(self) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
        return list(itertools.combinations(self.cells, 2))


@dataclass(frozen=True, slots=True)
class MachineNoise:
    """Differences of identical cells; all of them shares, not per cent.

    Attributes:
        rounds: of a run.
        ratio: what the ratio of two cells of a run must be away from 1 to mean something: 95 % of identical
            pairs stay below.
        drift: half width of the 95 % interval of a latency in another run, minutes or days away.
        spread: relative standard deviation of the rounds of a run.
        reach: of the estimates of runs, largest less smallest.
        bias: how much longer the second cell took than the first, the mean over rounds.
        told_apart, asked: of so many paired intervals, how many saw a difference.
        runs_apart, runs_asked: of so many pairs of runs, in how many the stated latencies are disjoint.
    """

    runs: int
    rounds: int
    ratio: float
    drift: float
    spread: float
    reach: float
    bias: float
    told_apart: int
    asked: int
    runs_apart: int
    runs_asked: int

    @property
    def between(self) -> float:
        """Share by which latencies of a cell in two runs must differ to mean something."""
        return math.expm1(math.sqrt(2) * math.log1p(self.drift))


def noise_of(trials: Sequence[Trial], earlier: Sequence[float] = ()) -> MachineNoise:
    """Noise of the machine, from trials of as many rounds each.

    Args:
        earlier: `Trial.log_mean` of former self-tests of the machine, which its drift over days is in.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(trials) < 2:
        raise ValueError("noise needs two runs")
    rounds = len(trials[0].cells[0])
    pairs = [pair for trial in trials for pair in trial.pairs]
    logs = [math.log(b / a) for first, second in pairs for a, b in zip(first, second, strict=True)]
    independent = sum(len(trial.cells) - 1 for trial in trials) * rounds
    means = [*earlier, *(trial.log_mean for trial in trials)]
    drift = math.expm1(t_quantile(0.95, len(means) - 1) * statistics.stdev(means))
    within = [statistics.variance(map(math.log, cell)) for trial in trials for cell in trial.cells]
    intervals = [[estimate(cell, drift) for cell in trial.cells] for trial in trials]
    disjoint = [
        max(one.lo, other.lo) > min(one.hi, other.hi)
        for left, right in itertools.combinations(intervals, 2)
        for one, other in zip(left, right, strict=True)
    ]
    told = [paired(second, first).interval() for first, second in pairs]
    values = [one.value for run in intervals for one in run]
    firsts = [math.log(b / a) for trial in trials for a, b in zip(*trial.cells[:2], strict=True)]
    return MachineNoise(
        runs=len(trials),
        rounds=rounds,
        ratio=aa_noise(logs, rounds, independent),
        drift=drift,
        spread=math.sqrt(statistics.fmean(within)),
        reach=max(values) / min(values) - 1,
        bias=statistics.fmean(firsts),
        told_apart=sum(lo > 1 or hi < 1 for lo, hi in told),
        asked=len(told),
        runs_apart=sum(disjoint),
        runs_asked=len(disjoint),
    )


def chance(count: int) -> int:
    """Number of so many comparisons of identical cells may see a difference at 95 % without anything being
    wrong."""
    sure = (k for k in range(count) if 1 - binomial_below(k, count, 0.05) < UNLIKELY)
    return next(sure, count)


def verdicts(trials: Sequence[Trial], noise: MachineNoise) -> list[Verdict]:
    """Verdicts on the trials, that on the noise of a ratio first."""
    return [
        _ratio(noise, trials),
        _intervals(noise),
        _rounds(noise, trials),
        _runs(noise, trials),
        _order(noise, trials),
    ]


def _ratio(noise: MachineNoise, trials: Sequence[Trial]) -> Verdict:
    level: Level = "ok" if noise.ratio <= NOISY else "warn"
    means = f"smaller differences of cells of one run mean nothing here, in {noise.rounds} rounds"
    if level == "warn":
        means += "; end what else runs (benchsuite doctor names it), or take more rounds"
    numbers = tuple(paired(b, a).value for trial in trials for a, b in trial.pairs)
    return Verdict("A/A: noise of a ratio", level, share(noise.ratio), f"{NOISY:.0%}", means, numbers)


def _intervals(noise: MachineNoise) -> Verdict:
    allowed = chance(noise.asked)
    level: Level = "ok" if noise.told_apart <= allowed else "warn"
    means = (
        "the intervals of ratios see no difference where there is none"
        if level == "ok"
        else "intervals are too narrow: something changes between cells and not between rounds"
    )
    value = f"{noise.told_apart} of {noise.asked} tell A from A"
    return Verdict(
        "A/A: stated intervals",
        level,
        value,
        f"{allowed} of {noise.asked}",
        means,
        (float(noise.told_apart),),
    )


def _rounds(noise: MachineNoise, trials: Sequence[Trial]) -> Verdict:
    medians = tuple(median for trial in trials for cell in trial.cells for median in cell)
    level: Level = "ok" if noise.spread <= NOISY else "warn"
    means = "how far fresh processes of one run are apart; intervals are made of this"
    return Verdict(
        "A/A: over rounds, each a process",
        level,
        f"spread {share(noise.spread)}",
        f"{NOISY:.0%}",
        means,
        medians,
    )


def _runs(noise: MachineNoise, trials: Sequence[Trial]) -> Verdict:
    allowed = chance(noise.runs_asked)
    value = f"{noise.runs_apart} of {noise.runs_asked} pairs disjoint, range {share(noise.reach)}"
    level: Level = "ok" if noise.runs_apart <= allowed else "warn"
    means = (
        f"a latency is stated with the machine's drift, ±{share(noise.drift)}"
        if level == "ok"
        else "runs differ by more than they state: compare cells of one run only"
    )
    numbers = tuple(math.exp(trial.log_mean) for trial in trials)
    return Verdict("A/A: over runs", level, value, f"{allowed} of {noise.runs_asked}", means, numbers)


def _order(noise: MachineNoise, trials: Sequence[Trial]) -> Verdict:
    name = "A/A: second cell"
    logs = [math.log(b / a) for trial in trials for a, b in zip(*trial.cells[:2], strict=True)]
    value = signed(noise.bias)
    mean = ratio_of(logs, least=2)
    low, high = mean.log_interval()
    interval = f"{signed(low)} to {signed(high)}"
    numbers = tuple(map(math.exp, logs))
    limit = f"± {BIAS:.0%}"
    if abs(noise.bias) <= math.log1p(BIAS):
        means = f"the order of cells does not show ({interval})"
        return Verdict(name, "ok", value, limit, means, numbers)
    low, high = mean.log_interval(SURE)
    if low > 0 or high < 0:
        means = f"one of two identical cells is always the slower ({interval}): their order shows in results"
        return Verdict(name, "fail", value, limit, means, numbers)
    means = f"noise hides whether the order of cells shows ({interval}): run it again on an idle machine"
    return Verdict(name, "warn", value, limit, means, numbers)
