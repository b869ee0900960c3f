"""A/A: what two identical cells, timed in turns in several processes, say of machine and intervals.

Pure. In each process the ratio of the two medians ought to be 1, and the stated intervals ought to know how
far from it chance can take it. Over processes the medians of one cell differ by more than that: memory is
laid out anew and clocks have moved on, which no interval of a single run can know.
Source of the idea: Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.analyse.verdict import Level, Verdict, share, signed
from benchsuite.stats.student import mean_interval, t_quantile

NOISY = 0.05
"""Noise within a run above which a machine deserves a warning: most differences worth telling are larger."""
OPTIMISTIC = 5.0
"""The medians of processes may spread so many times as much as one process states. With five processes chance
alone makes it 2.2 times once in a thousand, and the layout of memory and clocks add to it on any machine;
beyond 5 the interval of one run says nothing of the next one."""
UNLIKELY = 0.01
"""Probability below which chance is not what told identical cells apart so often."""
BIAS = 0.02
"""A systematic difference of identical cells that is no noise: where precision of a CPU's medians ends."""
SURE = 0.999
"""Confidence with which such a difference is called a fault."""
_HALF_WIDTHS = 1.96
"""Half width of a 95 % interval in standard errors."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One process in which two identical cells took turns.

    Attributes:
        first_s, second_s: their medians, in seconds.
        first_half, second_half: half widths of the stated 95 % intervals as shares of the medians; None where
            none was stated.
    """

    first_s: float
    second_s: float
    first_half: float | None
    second_half: float | None

    @property
    def log_ratio(self) -> float:
        return math.log(self.second_s / self.first_s)

    @property
    def told_apart(self) -> bool:
        """Whether the two intervals, taken together, see a difference where there is none."""
        if self.first_half is None or self.second_half is None:
            return False
        return abs(self.log_ratio) > math.hypot(self.first_half, self.second_half)


@dataclass(frozen=True, slots=True)
class Noise:
    """What differences of identical cells come to; all of them shares, not per cent.

    Attributes:
        within: what the ratio of two cells of one run must be away from 1 to mean something: 95 % of
            identical pairs stay below.
        between: the same for a cell in one run and in another.
        spread, reach: of the medians over processes: relative standard deviation, and largest less smallest.
        stated: median of the half widths that the processes state; None if none does.
        bias: how much longer the second cell took, the mean over processes.
        told_apart: in how many processes the intervals saw a difference.
    """

    processes: int
    within: float
    between: float
    spread: float
    reach: float
    stated: float | None
    bias: float
    told_apart: int


def noise_of(trials: Sequence[Trial]) -> Noise:
    """What trials in different processes say.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(trials) < 2:
        raise ValueError("noise needs two processes")
    count = len(trials)
    ratios = [trial.log_ratio for trial in trials]
    cells = [[trial.first_s for trial in trials], [trial.second_s for trial in trials]]
    variance = statistics.fmean(statistics.variance(map(math.log, cell)) for cell in cells)
    halves = [half for one in trials for half in (one.first_half, one.second_half) if half is not None]
    around = math.sqrt(statistics.fmean(ratio**2 for ratio in ratios))  # around 1, which is known to be true
    return Noise(
        processes=count,
        within=math.expm1(t_quantile(0.95, count) * around),
        between=math.expm1(t_quantile(0.95, count - 1) * math.sqrt(2 * variance)),
        spread=math.sqrt(variance),
        reach=max((max(cell) - min(cell)) / statistics.median(cell) for cell in cells),
        stated=statistics.median(halves) if halves else None,
        bias=statistics.fmean(ratios),
        told_apart=sum(trial.told_apart for trial in trials),
    )


def chance(count: int) -> int:
    """How many of so many processes may tell identical cells apart at 95 % without anything being wrong."""
    for allowed in range(count):
        beyond = sum(
            math.comb(count, k) * 0.05**k * 0.95 ** (count - k) for k in range(allowed + 1, count + 1)
        )
        if beyond < UNLIKELY:
            return allowed
    return count


def verdicts(trials: Sequence[Trial]) -> list[Verdict]:
    """What the trials come to, the noise figure first."""
    noise = noise_of(trials)
    return [_noise(noise, trials), _intervals(noise), _processes(noise, trials), _order(noise, trials)]


def _noise(noise: Noise, trials: Sequence[Trial]) -> Verdict:
    level: Level = "ok" if noise.within <= NOISY else "warn"
    means = (
        f"smaller differences within a run mean nothing here; between two runs, below {share(noise.between)}"
    )
    if level == "warn":
        means += "; end what else runs (benchsuite doctor names it), use more rounds and a longer max_s"
    ratios = tuple(math.exp(trial.log_ratio) for trial in trials)
    return Verdict("A/A: noise of a ratio", level, share(noise.within), f"{NOISY:.0%}", means, ratios)


def _intervals(noise: Noise) -> Verdict:
    allowed = chance(noise.processes)
    value = f"{noise.told_apart} of {noise.processes} tell A from A"
    limit = f"{allowed} of {noise.processes}"
    if noise.stated is None:
        means = "no interval was stated: too few samples; allow more time"
        return Verdict("A/A: stated intervals", "warn", value, limit, means)
    if noise.told_apart > allowed:
        means = (
            "intervals are too narrow: the machine changes between visits; more rounds, or an idle machine"
        )
        return Verdict("A/A: stated intervals", "warn", value, limit, means, (float(noise.told_apart),))
    means = f"intervals (half width {share(noise.stated)}) see no difference where there is none"
    return Verdict("A/A: stated intervals", "ok", value, limit, means, (float(noise.told_apart),))


def _processes(noise: Noise, trials: Sequence[Trial]) -> Verdict:
    name, medians = "A/A: over processes", tuple(trial.first_s for trial in trials)
    value = f"spread {share(noise.spread)}, range {share(noise.reach)}"
    if noise.stated is None:
        return Verdict(name, "warn", value, "–", "there is no interval to hold it against", medians)
    limit = OPTIMISTIC * noise.stated / _HALF_WIDTHS
    text = f"spread {share(limit)}"
    if noise.spread <= limit:
        return Verdict(name, "ok", value, text, "a second run finds about what the first one did", medians)
    means = "runs differ by far more than they state: compare within one run only"
    return Verdict(name, "warn", value, text, means, medians)


def _order(noise: Noise, trials: Sequence[Trial]) -> Verdict:
    name, ratios = "A/A: second cell", [trial.log_ratio for trial in trials]
    value = signed(noise.bias)
    low, high = mean_interval(ratios)
    interval = f"{signed(low)} to {signed(high)}"
    numbers = tuple(math.exp(ratio) for ratio in ratios)
    limit = f"± {BIAS:.0%}"
    if abs(noise.bias) <= math.log1p(BIAS):
        means = f"the order of cells does not show ({interval})"
        return Verdict(name, "ok", value, limit, means, numbers)
    if _excludes_zero(ratios, SURE):
        means = f"one of two identical cells is always the slower ({interval}): their order shows in results"
        return Verdict(name, "fail", value, limit, means, numbers)
    means = f"noise hides whether the order of cells shows ({interval}): run it again on an idle machine"
    return Verdict(name, "warn", value, limit, means, numbers)


def _excludes_zero(values: Sequence[float], confidence: float) -> bool:
    low, high = mean_interval(values, confidence)
    return low > 0 or high < 0
