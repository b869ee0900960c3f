"""The timing loop: warm up until nothing drifts, then sample in blocks until a rule says stop."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchsuite.measurement.conditions import UsageMeter
from benchsuite.measurement.device import Device, Step
from benchsuite.measurement.stopping import StoppingRule, Visit
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Busy, Timing
from benchsuite.stats.intervals import quantile

BLOCK_S = 0.1
"""Aim of one block: short enough that a budget is kept, long enough that the wait at its end is nothing."""
BLOCK_CALLS = 64
"""Most calls in one block, so that the host never runs far ahead of a GPU."""
VISIT_S = 0.1
"""A GPU is sampled for at least so long in a visit, whatever its samples say before."""
MOST_QUEUED = 1000
"""Calls handed over without a wait: about as many kernels as the queue of a GPU takes."""
FIRST_CALLS = 2
"""Calls that say nothing about the next ones: they allocate, compile and choose algorithms."""
DRIFT = 0.02
"""Difference of the medians of two halves, as a share, that counts as drift."""
LEAST_HALF = 3
"""Samples without which a half says nothing."""
NOISE = 2.0
"""Standard errors that two halves may differ by without a drift, so that noise does not prolong a warm-up."""
MOST_COMPARED = 1000
"""Durations that are looked at; of more, every so many-th, lest the device idles meanwhile."""
EXTRA = 3
"""A drift prolongs a warm-up by at most so many times its seconds."""
REPLAYS = 20
"""Steps whose device time is read; without the host's part it spreads little."""
ALONE = Visit()


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Run at least `calls` calls in each round, and at least `seconds` over all of them, before the first
    sample."""

    calls: int
    seconds: float

    def share(self, rounds: int) -> WarmUp:
        """The warm-up of each of so many rounds."""
        return WarmUp(self.calls, self.seconds / rounds)


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """Settings of sampling one round of a cell.

    Attributes:
        stopping: the rule, with the budgets of all rounds.
        threads: the thread count in force, for the record.
        visit: which round this is.
        parts: the parts that the step consists of, in order; then they are what is timed, and a sample is
            their sum.
        cold: the step on different inputs, two or more; then these are what is timed, each call on its own
            and after the caches were overwritten. Not with `parts`.
    """

    warm_up: WarmUp
    stopping: StoppingRule
    threads: int
    visit: Visit = ALONE
    parts: Mapping[str, Step] = field(default_factory=dict)
    cold: Sequence[Step] = ()

    def warming(self, step: Step) -> Step:
        """What warms up before `step` is timed: it, or those of `cold` in turns."""
        if not self.cold:
            return step
        turns = itertools.cycle(self.cold)

        def in_turns() -> object:
            return next(turns)()

        return in_turns


@dataclass(frozen=True, slots=True)
class Warmed:
    """Result of a warm-up.

    Attributes:
        seconds: on the host's clock.
        call_s: seconds of a call, on which the first block is sized; 0 without a call.
        stable: whether the samples had stopped drifting; None if they were too few to tell.
    """

    calls: int
    seconds: float
    call_s: float
    stable: bool | None


def warm(step: Step, device: Device, warm_up: WarmUp) -> Warmed:
    """Warm up; go on while the calls still drift, for at most `EXTRA` times the seconds asked for."""
    durations: list[float] = []
    last, stable = 0.0, None
    device.synchronize()
    start = device.now()
    while True:
        elapsed = device.now() - start
        left = warm_up.calls - len(durations)
        if left <= 0 and elapsed >= warm_up.seconds:
            stable = steady(durations[FIRST_CALLS:])
            if stable is not False or elapsed >= (1 + EXTRA) * warm_up.seconds:
                break
        block = (
            1 if len(durations) < FIRST_CALLS else block_size(last, left=left if left > 0 else BLOCK_CALLS)
        )
        durations += device.time_calls(step, block)
        last = max(durations[-block:])
    device.synchronize()
    return Warmed(len(durations), device.now() - start, last, stable)


def steady(durations: Sequence[float]) -> bool | None:
    """Tell if the later half of the durations has no drift; None if there are too few to tell.

    Its two halves are compared: their medians differ by at most `DRIFT`, or by no more than their spread
    explains. The standard error of a median of n normal samples is about 0.93 IQR / √n.
    """
    window = durations[-max(2 * LEAST_HALF, len(durations) // 2) :]
    window = window[:: max(1, len(window) // MOST_COMPARED)]
    if len(window) < 2 * LEAST_HALF:
        return None
    half = len(window) // 2
    older, newer = window[:half], window[half:]
    difference = abs(quantile(older, 0.5) - quantile(newer, 0.5))
    spread = (_iqr(older) + _iqr(newer)) / 2
    error = 0.93 * spread * math.sqrt(2 / half)
    return difference <= max(DRIFT * quantile(window, 0.5), NOISE * error)


def _iqr(samples: Sequence[float]) -> float:
    return quantile(samples, 0.75) - quantile(samples, 0.25)


def measure_time(step: Step, device: Device, plan: SamplingPlan) -> Timing:
    """Warm `step` up on `device` and time it, in one round of a cell.

    Args:
        step: one step of the cell; must not synchronise by itself.

    Returns:
        As of `sample`.
    """
    warmed = warm(plan.warming(step), device, plan.warm_up.share(plan.visit.rounds))
    return sample(step, device, plan, warmed)


def sample(step: Step, device: Device, plan: SamplingPlan, warmed: Warmed) -> Timing:
    """Time `step` on `device`, once it is warm.

    Returns:
        Every sample of this round in order, what warmed up before it, and what ended the sampling.
        `results/round_timings.py` joins the rounds.
    """
    parts, cold = plan.parts, plan.cold
    assert not (parts and cold)
    assert len(cold) != 1  # one input would be found in the caches
    rule = plan.stopping.share(plan.visit)
    each = 1
    if not (parts or cold):
        each = plan.visit.calls or calls_per_sample(
            step, device, warmed.call_s, most_samples=rule.max_samples
        )
        step = several(step, each)
    samples: list[float] = []
    meter = UsageMeter()
    pieces: dict[str, list[float]] = {name: [] for name in parts}
    last = 0.0 if cold else each * warmed.call_s  # the warm-up knows nothing of the flush
    start = device.now()
    while (stopped_by := _stopped_by(rule, samples, device, device.now() - start)) is None:
        block = block_size(last, left=rule.max_samples - len(samples))
        began = device.now()
        turn = len(samples) % len(cold) if cold else 0
        meter.begin()
        taken = _take(step, device, block, parts, (*cold[turn:], *cold[:turn]), pieces)
        meter.end(block * each)
        samples.extend(duration / each for duration in taken)
        last = max(*taken, (device.now() - began) / block)
    return Timing(
        samples_s=tuple(samples),
        method=device.method,
        warmup_calls=warmed.calls,
        warmup_s=warmed.seconds,
        warmup_stable=warmed.stable,
        stopped_by=stopped_by,
        threads=plan.threads,
        calls_per_sample=each,
        usage=meter.total,
        parts_s={name: tuple(durations) for name, durations in pieces.items()},
    )


def _stopped_by(rule: StoppingRule, samples: Sequence[float], device: Device, elapsed_s: float) -> str | None:
    """Ask the rule, except that a GPU is sampled for `VISIT_S` at least, as far as the budget goes."""
    found = rule.reason(samples, elapsed_s)
    early = device.least_s > 0 and elapsed_s < VISIT_S and len(samples) < rule.max_samples
    return None if early and found in ("precision", "entropy") else found


def _take(
    step: Step,
    device: Device,
    calls: int,
    parts: Mapping[str, Step],
    cold: Sequence[Step],
    pieces: dict[str, list[float]],
) -> list[float]:
    """Samples of one block; those of the parts are added to `pieces`."""
    if cold:
        return device.time_cold(cold, calls)
    if not parts:
        return device.time_calls(step, calls)
    taken = device.time_parts(parts, calls)
    for name, durations in taken.items():
        pieces[name].extend(durations)
    return [sum(durations) for durations in zip(*taken.values(), strict=True)]


def block_size(call_s: float, *, left: int) -> int:
    """About BLOCK_S worth of calls that take `call_s` seconds each, at least one, at most `left`."""
    wanted = int(BLOCK_S / call_s) if call_s > 0 else 1
    return max(1, min(wanted, BLOCK_CALLS, left))


def calls_per_sample(step: Step, device: Device, call_s: float, *, most_samples: int) -> int:
    """Calls that make one sample: 1, unless a call is shorter than the device's clock reads well.

    Then a sample is as long as that, and so long that `most_samples` of them last `VISIT_S`. A few calls in
    one go tell how long one is without the events around it.

    Args:
        call_s: seconds of a call, timed alone.
    """
    if not 0 < call_s < device.least_s:
        return 1
    few = math.ceil(device.least_s / call_s)
    call_s = device.time_calls(several(step, few), 1)[0] / few or call_s
    return math.ceil(max(device.least_s, VISIT_S / most_samples) / call_s)


def several(step: Step, calls: int) -> Step:
    """A step that is so many calls of another."""
    if calls == 1:
        return step

    def run() -> None:
        for _ in range(calls):
            step()

    return run


def keep_at_work(step: Step, device: Device, call_s: float) -> None:
    """Hand a GPU about half of `BLOCK_S` of steps that nobody times, and do not wait for them: it is at work
    while its clock is read. A CPU, which would be done with them before, is given none."""
    if not kind_of(device.kind).on_host:
        wanted = int(BLOCK_S / 2 / call_s) if call_s > 0 else 1
        for _ in range(max(1, min(wanted, MOST_QUEUED))):
            step()


def measure_busy(step: Step, device: Device, *, capture: bool = True) -> Busy | None:
    """Seconds that `device` works on one step, the gaps between its kernels left out; None on a CPU, and
    where neither a replay nor a profile can be had.

    Take it after everything is timed: a profiler, which is the second choice, may slow what comes later.

    Args:
        capture: as of `Device.time_busy`.
    """
    found = device.time_busy(step, REPLAYS, capture=capture)
    if found is None:
        return None
    method, samples = found
    return Busy(seconds=quantile(samples, 0.5), method=method)
