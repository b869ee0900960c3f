"""What makes the samples of a cell suspicious. Nothing is dropped for a flag; the report shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchsuite.analyse.shape import far_out, two_modes
from benchsuite.results.launch import launch_bound
from benchsuite.results.record import Cell, Conditions, Timing
from benchsuite.stats.summary import median_interval, quantile

FLAGS: Mapping[str, str] = {
    "thermal": "The device was slowed down by heat, or by its power supply, while it was timed: times are "
    "too long and depend on what ran before. Let it cool, see to its cooling, measure again.",
    "low_clock": "The GPU was at work with its clock well below the highest. A lower limit of power, a clock "
    "that somebody has set, or steps too short to wake it up: compare only with cells of the same clock.",
    "other_gpu_process": "Another process was computing on the GPU: it takes turns with the timed one. Stop "
    "it, or take another GPU.",
    "busy_host": "Others used more than a tenth of the CPU time: timed work had to wait for them. Stop "
    "them, or measure when the machine is quiet.",
    "drift": "The last samples differ from the first by more than their spread explains. The device was "
    "heating up, or something else began or ended: warm up for longer, measure in more rounds.",
    "bimodal": "The samples fall into two groups, and the median is in one of them by chance. Two clocks, "
    "two places in memory or two algorithms: look at the samples, measure again in new processes.",
    "outliers": "Many samples are far from the rest: something else interrupts the steps. The median bears "
    "it, a mean does not.",
    "few_samples": "Fewer than six samples: their median has no interval. Raise max_s or min_samples.",
    "unstable_warmup": "Steps were still getting faster or slower when warm-up ended: the first samples may "
    "belong to it. Raise warmup_s.",
    "imprecise": "The interval of the median is wider than a tenth of it: differences smaller than that are "
    "none. Raise max_s and max_samples, or make the machine quieter.",
    "launch_bound": "The GPU waits for the host between kernels: the time says more of Python and the CPU "
    "than of the mixer. Measure larger batches, or compile.",
}
"""Word → what it means and what to do, in the order in which a cell has them."""

THERMAL = frozenset({"sw_thermal", "hw_thermal", "hw_power_brake"})
"""Reasons of `measure/nvml.py` that spoil a time. A power cap does not: it is how large GPUs run. Nor does
"hw_slowdown" alone, which also stands for a change of power state, and comes with one of these if it is
real."""
LOW_CLOCK = 0.75
"""Share of the highest SM clock; NVBench takes samples below this share of the default one for throttled."""
BUSY_HOST = 0.1
MATTERS = 0.02
"""Differences below this share of the median are of no interest, however significant."""
IMPRECISE = 0.05
"""Half width of the interval as a share of the median."""


def flags(cell: Cell, timing: Timing | None, conditions: Conditions | None) -> tuple[str, ...]:
    """The flags of a cell, in the order of `FLAGS`. What is not known raises none."""
    found: set[str] = set()
    if conditions is not None:
        found |= {word for word, applies in _STATE.items() if applies(conditions.before, conditions.after)}
    if timing is not None and timing.samples_s:
        found |= {word for word, applies in _SAMPLES.items() if applies(timing)}
    return tuple(word for word in FLAGS if word in found)


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
    return any(state.get("other_gpu_processes", 0) > 0 for state in (before, after))


def _busy_host(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """The snapshot after says what happened since the one before; that one speaks of an earlier time."""
    return bool(after.get("cpu_others", 0.0) > BUSY_HOST)


def _drift(timing: Timing) -> bool:
    first, last = _ends(timing)
    was, now = median_interval(first), median_interval(last)
    if was is None or now is None:
        return False
    return now[0] > (1 + MATTERS) * was[1] or was[0] > (1 + MATTERS) * now[1]


def _ends(timing: Timing) -> tuple[Sequence[float], Sequence[float]]:
    """The samples of the first and of the last rounds, as few as have an interval; thirds of one round."""
    samples = timing.samples_s
    third = max(6, len(samples) // 3)
    rounds = timing.rounds if sum(timing.rounds) == len(samples) else ()
    head, tail = (_whole_rounds(one) for one in (rounds, rounds[::-1])) if rounds else (third, third)
    return (samples[:head], samples[-tail:]) if head + tail <= len(samples) else ((), ())


def _whole_rounds(rounds: Sequence[int]) -> int:
    """Samples of as many rounds as it takes to have six of them."""
    taken = 0
    for count in rounds:
        taken += count
        if taken >= 6:
            break
    return taken


def _bimodal(timing: Timing) -> bool:
    return two_modes(timing.samples_s, apart=MATTERS)


def _outliers(timing: Timing) -> bool:
    return far_out(timing.samples_s, apart=MATTERS)


def _few_samples(timing: Timing) -> bool:
    return len(timing.samples_s) < 6


def _unstable_warmup(timing: Timing) -> bool:
    return timing.warmup_stable is False


def _imprecise(timing: Timing) -> bool:
    interval = median_interval(timing.samples_s)
    if interval is None:
        return False
    return interval[1] - interval[0] > 2 * IMPRECISE * quantile(timing.samples_s, 0.5)


def _launch_bound(timing: Timing) -> bool:
    return timing.busy is not None and launch_bound(quantile(timing.samples_s, 0.5), timing.busy.seconds)


_STATE: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], bool]] = {
    "thermal": _thermal,
    "low_clock": _low_clock,
    "other_gpu_process": _other_gpu_process,
    "busy_host": _busy_host,
}
"""Flags that the state of the machine raises, from the snapshots before and after."""
_SAMPLES: Mapping[str, Callable[[Timing], bool]] = {
    "drift": _drift,
    "bimodal": _bimodal,
    "outliers": _outliers,
    "few_samples": _few_samples,
    "unstable_warmup": _unstable_warmup,
    "imprecise": _imprecise,
    "launch_bound": _launch_bound,
}
"""Flags that the samples raise."""

assert set(FLAGS) == {*_STATE, *_SAMPLES}
