"""The rounds of a cell: its visits joined to one timing, and the timing taken apart again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from benchsuite.results.record import Timing
from benchsuite.stats.summary import quantile, relative_half_width


def combined(timings: Sequence[Timing]) -> Timing:
    """One timing of all visits, in order.

    What ended the last visit ended the sampling, since the rule sees the samples of all. The precision is
    that of all samples together.

    Raises:
        ValueError: there are no visits.
    """
    if not timings:
        raise ValueError("a cell that was never visited has no timing")
    samples = tuple(sample for timing in timings for sample in timing.samples_s)
    known = [timing.warmup_stable for timing in timings if timing.warmup_stable is not None]
    parts = dict.fromkeys(part for timing in timings for part in timing.parts_s)
    busy = [timing.busy for timing in timings if timing.busy is not None]
    last = timings[-1]
    return replace(
        last,
        samples_s=samples,
        warmup_calls=sum(timing.warmup_calls for timing in timings),
        warmup_s=sum(timing.warmup_s for timing in timings),
        warmup_stable=all(known) if known else None,
        precision=relative_half_width(samples, last.stopped_by),
        rounds=tuple(len(timing.samples_s) for timing in timings) if len(timings) > 1 else (),
        parts_s={
            part: tuple(sample for timing in timings for sample in timing.parts_s.get(part, ()))
            for part in parts
        },
        busy=busy[-1] if busy else None,
    )


def round_medians(timing: Timing) -> tuple[float, ...]:
    """The median of each round, in seconds, in order; of all samples where nobody wrote down the rounds."""
    samples = timing.samples_s
    counts = timing.rounds if sum(timing.rounds) == len(samples) else (len(samples),)
    ends = accumulate((0, *counts))
    return tuple(quantile(samples[begin:end], 0.5) for begin, end in pairwise(ends) if begin < end)
