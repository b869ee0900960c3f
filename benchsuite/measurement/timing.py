"""The timing loop: warm up, then sample in blocks until a rule says stop."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchsuite.measurement.blocks import VISIT_S, block_size, calls_per_sample, several
from benchsuite.measurement.device import Device, Step
from benchsuite.measurement.stopping import StoppingRule, Visit
from benchsuite.measurement.warmup import WarmUp, warm
from benchsuite.results.record import Timing, Usage


@dataclass(frozen=True, slots=True)
class _Reading:
    wall_s: float
    user_s: float
    system_s: float
    minor_faults: int
    major_faults: int
    voluntary_switches: int
    involuntary_switches: int


class UsageMeter:
    """Adds up what the blocks of a round take; `begin` and `end` stand around each."""

    def __init__(self) -> None:
        self._sum: Usage | None = None
        self._before: _Reading | None = None

    def begin(self) -> None:
        """Before a block."""
        self._before = _read()

    def end(self, calls: int) -> None:
        """After a block of so many calls."""
        before, after = self._before, _read()
        if before is None or after is None:
            return
        was = self._sum
        self._sum = Usage(
            calls=calls + (was.calls if was else 0),
            **{
                name: getattr(after, name) - getattr(before, name) + (getattr(was, name) if was else 0)
                for name in _Reading.__dataclass_fields__
            },
        )

    @property
    def total(self) -> tuple[Usage, ...]:
        """The sum as a record holds it; empty where the system says nothing."""
        return () if self._sum is None else (self._sum,)


def _read() -> _Reading | None:
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    now = resource.getrusage(resource.RUSAGE_SELF)
    return _Reading(
        wall_s=time.monotonic(),
        user_s=now.ru_utime,
        system_s=now.ru_stime,
        minor_faults=now.ru_minflt,
        major_faults=now.ru_majflt,
        voluntary_switches=now.ru_nvcsw,
        involuntary_switches=now.ru_nivcsw,
    )


ALONE = Visit()


def measure_time(
    step: Step,
    device: Device,
    warm_up: WarmUp,
    stopping: StoppingRule,
    *,
    threads: int,
    visit: Visit = ALONE,
    parts: Mapping[str, Step] | None = None,
    cold: Sequence[Step] = (),
) -> Timing:
    """Time `step` on `device`, in one round of a cell.

    Args:
        step: one step of the cell; must not synchronise by itself.
        threads: the thread count in force, for the record.
        visit: which round this is. The rule and its budgets are for all of them.
        parts: the parts that the step consists of, in order; then they are what is timed, and a sample is
            their sum.
        cold: the step on different inputs, two or more; then these are what is timed, each call on its own
            and after the caches were overwritten. Not with `parts`.

    Returns:
        Every sample of this round in order, what warmed up before it, and what ended the sampling.
        `results/round_timings.py` joins the rounds.
    """
    assert not (parts and cold)
    assert len(cold) != 1  # one input would be found in the caches
    warmed = warm(_in_turns(cold) if cold else step, device, warm_up.share(visit.rounds))
    rule = stopping.share(visit)
    each = 1
    if not (parts or cold):
        each = visit.calls or calls_per_sample(step, device, warmed.call_s, most_samples=rule.max_samples)
        step = several(step, each)
    samples: list[float] = []
    meter = UsageMeter()
    pieces: dict[str, list[float]] = {name: [] for name in parts or ()}
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
        threads=threads,
        calls_per_sample=each,
        usage=meter.total,
        parts_s={name: tuple(durations) for name, durations in pieces.items()},
    )


def _stopped_by(rule: StoppingRule, samples: Sequence[float], device: Device, elapsed_s: float) -> str | None:
    """What the rule says, except that a GPU is sampled for `VISIT_S` at least, as far as the budget goes."""
    found = rule.reason(samples, elapsed_s)
    early = device.least_s > 0 and elapsed_s < VISIT_S and len(samples) < rule.max_samples
    return None if early and found in ("precision", "entropy") else found


def _in_turns(steps: Sequence[Step]) -> Step:
    """One step that runs the steps in turns."""
    turns = itertools.cycle(steps)

    def one() -> object:
        return next(turns)()

    return one


def _take(
    step: Step,
    device: Device,
    calls: int,
    parts: Mapping[str, Step] | None,
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
