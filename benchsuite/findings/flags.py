"""Flags of suspicious samples of a cell. Nothing is dropped for a flag; the report shows it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from benchsuite.results.cell import Cell
from benchsuite.results.machine import launch_bound
from benchsuite.results.record import Conditions, Timing
from benchsuite.results.round_timings import round_medians, within_rounds
from benchsuite.stats.evidence import LEAST_ROUNDS
from benchsuite.stats.intervals import median_interval, quantile

LEAST = 20
"""Fewer samples than this have no shape that could be told."""
_TRIMMED = 0.05
"""Share of the samples that is left out at either end before looking for modes: spikes are none."""
_MINOR_MODE = 0.15
"""Least share of the samples in the smaller mode."""
_FOLDED = 3.0
"""A folding ratio below 1 − 3 / √n is rarer than 0.2 % in uniform samples, for 20 ≤ n ≤ 500 (simulated)."""
_FENCE = 1.5
_CHANCE = 0.02
"""Probability of a trend where there is none."""
_STRAY = 0.05
"""Share of samples beyond the fences that is nothing special: a normal distribution has 0.7 %, an exponential
one 5 %."""


def two_modes(samples: Sequence[float], *, apart: float) -> bool:
    """Tell if samples fall into two groups whose medians differ by more than `apart` × the smaller one.

    Folding the samples at a suitable point lays two modes on each other, and the variance drops: its ratio to
    the one before, times four, is 1 for uniform samples, more for other single modes, and less for two.

    Source: Siffer, Fouque, Termier, Largouët, "Are your data gathered?", KDD 2018.
    """
    ordered = sorted(samples)
    cut = int(_TRIMMED * len(ordered))
    kept = ordered[cut : len(ordered) - cut]
    n = len(kept)
    if len(ordered) < LEAST or kept[0] == kept[-1]:
        return False
    mean = math.fsum(kept) / n
    around = [sample - mean for sample in kept]
    variance = math.fsum(x * x for x in around) / n
    pivot = math.fsum(x**3 for x in around) / n / (2 * variance)
    folded = [abs(x - pivot) for x in around]
    centre = math.fsum(folded) / n
    ratio = 4 * math.fsum((x - centre) ** 2 for x in folded) / n / variance
    if ratio >= 1 - _FOLDED / math.sqrt(n):
        return False
    below = [sample for sample in kept if sample - mean < pivot]
    above = kept[len(below) :]
    if min(len(below), len(above)) < _MINOR_MODE * n:
        return False
    low, high = quantile(below, 0.5), quantile(above, 0.5)
    # Neighbouring ticks of a coarse clock are no modes.
    return high - low > max(apart * low, 1.5 * _tick(kept))


def far_out(samples: Sequence[float], *, apart: float) -> bool:
    """Tell if more samples are far from the rest than skew and chance explain.

    Far is beyond 1.5 interquartile ranges from the quartiles of the logarithms (Tukey's fences; durations
    are skewed, and their logarithms less so), and by more than `apart` × the median from it.
    """
    n = len(samples)
    if n < LEAST or min(samples) <= 0:  # a clock too coarse to see the step
        return False
    logs = [math.log(sample) for sample in samples]
    low, middle, high = (quantile(logs, p) for p in (0.25, 0.5, 0.75))
    reach = _FENCE * (high - low)
    far = [x for x in logs if (x < low - reach or x > high + reach) and abs(x - middle) > math.log1p(apart)]
    return len(far) / n > _STRAY + 3 * math.sqrt(_STRAY * (1 - _STRAY) / n)


def trend(values: Sequence[float]) -> bool:
    """Tell if values rise, or fall, from the first to the last so often that it is chance in 2 % of cases at
    most.

    Mann and Kendall's test: the number of pairs that are out of order, whose distribution is counted exactly.

    Source: Mann, "Nonparametric tests against trend", Econometrica 13 (1945).
    """
    inversions = sum(a > b for a, b in itertools.combinations(values, 2))
    pairs = len(values) * (len(values) - 1) // 2
    fewest = min(inversions, pairs - inversions)
    return 2 * sum(_orders(len(values))[: fewest + 1]) <= _CHANCE * math.factorial(len(values))


def _orders(count: int) -> list[int]:
    """Numbers of orders of so many values that have 0, 1, 2 … pairs out of order."""
    found = [1]
    for size in range(2, count + 1):
        found = [sum(found[max(0, k - size + 1) : k + 1]) for k in range(len(found) + size - 1)]
    return found


def _tick(ordered: Sequence[float]) -> float:
    """Smallest step between different samples."""
    return min(b - a for a, b in itertools.pairwise(ordered) if b > a)


BEHAVIOUR: Mapping[str, str] = {
    "not_finite": "The output holds NaN or infinity, so nobody can use what was timed. Look at weights and "
    "input of the module, and whether its dtype has the range.",
    "changes_input": "The forward pass changes its input, so each timed step had what the one before had "
    "left of it, which may fade or grow. Let it work on a copy.",
    "random_output": "Its output is random: two runs on the same input differ, in eval mode. No kernel can "
    "be compared with another. Look for dropout that does not ask whether it is training.",
}
"""Flags of what a module does whatever its kernel, seen before it was timed; as in `FLAGS`."""
FLAGS: Mapping[str, str] = {
    **BEHAVIOUR,
    "thermal": "The device was slowed down by heat, or by its power supply, while it was timed: times are "
    "too long and depend on what ran before. Let it cool, see to its cooling, measure again.",
    "low_clock": "The GPU was at work with its clock well below the highest. A lower limit of power, a clock "
    "that somebody has set, or steps too short to wake it up: compare only with cells of the same clock.",
    "other_gpu_process": "Another process was computing on the GPU: it takes turns with the timed one. Stop "
    "it, or take another GPU.",
    "busy_host": "Others used more than a tenth of the CPU time: timed work had to wait for them. Stop "
    "them, or measure when the machine is quiet.",
    "descheduled": "The process lost its core more than ten times a second while it was sampled: something "
    "else wanted it. Leave a core to the host (threads), stop what else runs.",
    "page_faults": "More than a fiftieth of the time went into mapping pages of memory, which depends on the "
    "history of the process. Measure with allocator: retain; where it was, warm up longer, until the "
    "process takes no more memory.",
    "drift": "The rounds got slower, or faster, one after the other. The device was heating up, or something "
    "else began or ended: measure in more rounds, or when the machine is quiet.",
    "bimodal": "The samples of a round fall into two groups, and its median is in one of them by chance. Two "
    "clocks or two algorithms: look at the samples, take more rounds.",
    "outliers": "Many samples are far from the rest: something else interrupts the steps. The median bears "
    "it, a mean does not.",
    "few_rounds": "Fewer than three rounds: they state no interval. Raise rounds, or let the run end.",
    "unstable_warmup": "Steps were still getting faster or slower when warm-up ended: the first samples may "
    "belong to it. Raise warmup_s.",
    "imprecise": "The interval is wider than a tenth of the median, so smaller differences cannot be "
    "seen. Take more rounds, or make the machine quieter.",
    "launch_bound": "The GPU waits for the host between kernels: the time says more of Python and the CPU "
    "than of the mixer. Measure larger batches, or compile.",
}
"""Word → what it means and what to do, in the order in which a cell has them."""

THERMAL = frozenset({"sw_thermal", "hw_thermal", "hw_power_brake"})
"""Reasons of `measurement/nvml.py` that spoil a time. A power cap does not: it is how large GPUs run. Nor
does "hw_slowdown" alone, which also stands for a change of power state, and comes with one of these if it is
real."""
LOW_CLOCK = 0.75
"""Share of the highest SM clock; NVBench takes samples below this share of the default one for throttled."""
BUSY_HOST = 0.1
MATTERS = 0.02
"""Differences below this share of the median are of no interest, however significant."""
ELSEWHERE_BYTES = 4 << 30
"""Memory of the GPU that is not torch's: contexts of two processes of ours take a GiB or two."""
IMPRECISE = 0.05
"""Half width of the interval as a share of the median."""
FAULT_S = 1.9e-6
"""Seconds of a page fault: 109,398 of them made a step of 129 ms one of 340 ms (docs/design/0018)."""
SWITCHES_PER_S = 10.0
"""Involuntary switches; the kernel's own housekeeping causes a few."""
ROUNDS_OF_A_TREND = 5
"""Fewer rounds are in order by chance too often."""


def flags(
    cell: Cell, timing: Timing | None, conditions: Conditions | None, behaviour: Collection[str] = ()
) -> tuple[str, ...]:
    """The flags of a cell, in the order of `FLAGS`. What is not known raises none.

    Args:
        behaviour: those of `BEHAVIOUR` that it was seen to have.
    """
    raised = set(behaviour)
    if conditions is not None:
        raised |= {word for word, applies in _STATE.items() if applies(conditions.before, conditions.after)}
    if timing is not None and timing.samples_s:
        raised |= {word for word, applies in _SAMPLES.items() if applies(timing)}
        if cell.protocol == "adaptive" and len(round_medians(timing)) < LEAST_ROUNDS:
            raised.add("few_rounds")
    return tuple(word for word in FLAGS if word in raised)


def _thermal(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    heat = THERMAL & {*before.get("throttle", ()), *after.get("throttle", ())}
    return bool(heat) or after.get("cpu_throttles", 0) > before.get("cpu_throttles", float("inf"))


def _low_clock(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Right after the timed region only: before it, the clock may have gone down for want of work."""
    clock, highest = after.get("sm_clock_mhz"), after.get("max_sm_clock_mhz")
    if not clock or not highest or "idle" in after.get("throttle", ()):
        return False
    return bool(clock < LOW_CLOCK * highest)


def _other_gpu_process(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell if others compute there; where the driver lists no processes, as in a container, if somebody holds
    much memory."""
    return any(
        state.get("other_gpu_processes", 0) > 0
        or state.get("gpu_memory_elsewhere_bytes", 0) > ELSEWHERE_BYTES
        for state in (before, after)
    )


def _drift(timing: Timing) -> bool:
    medians = round_medians(timing)
    if len(medians) >= ROUNDS_OF_A_TREND:
        ends = sum(medians[:2]), sum(medians[-2:])
        return max(ends) > (1 + MATTERS) * min(ends) and trend(medians)
    if len(medians) > 1:
        return False
    samples = timing.samples_s
    third = max(6, len(samples) // 3)
    was, now = median_interval(samples[:third]), median_interval(samples[-third:])
    if was is None or now is None or 2 * third > len(samples):
        return False
    return now[0] > (1 + MATTERS) * was[1] or was[0] > (1 + MATTERS) * now[1]


def _descheduled(timing: Timing) -> bool:
    lost = sum(usage.involuntary_switches for usage in timing.usage)
    return lost > SWITCHES_PER_S * sum(usage.wall_s for usage in timing.usage)


def _page_faults(timing: Timing) -> bool:
    faults = sum(usage.minor_faults + usage.major_faults for usage in timing.usage)
    return faults * FAULT_S > MATTERS * sum(usage.wall_s for usage in timing.usage)


_STATE: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], bool]] = {
    "thermal": _thermal,
    "low_clock": _low_clock,
    "other_gpu_process": _other_gpu_process,
    # The snapshot after says what happened since the one before; that one speaks of an earlier time.
    "busy_host": lambda _, after: bool(after.get("cpu_others", 0.0) > BUSY_HOST),
}
"""Flags that the state of the machine raises, from the snapshots before and after."""
_SAMPLES: Mapping[str, Callable[[Timing], bool]] = {
    "descheduled": _descheduled,
    "page_faults": _page_faults,
    "drift": _drift,
    "bimodal": lambda timing: two_modes(within_rounds(timing), apart=MATTERS),
    "outliers": lambda timing: far_out(within_rounds(timing), apart=MATTERS),
    "unstable_warmup": lambda timing: timing.warmup_stable is False,
    "imprecise": lambda timing: timing.precision is not None and timing.precision > IMPRECISE,
    "launch_bound": lambda timing: (
        timing.busy is not None and launch_bound(quantile(timing.samples_s, 0.5), timing.busy.seconds)
    ),
}
"""Flags that the samples raise."""

assert set(FLAGS) == {*BEHAVIOUR, *_STATE, *_SAMPLES, "few_rounds"}
