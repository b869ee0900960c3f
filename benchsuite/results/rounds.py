"""The visits of a cell in several rounds, joined to one timing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchsuite.results.record import Timing
from benchsuite.results.summary import median_interval, quantile


def combined(timings: Sequence[Timing]) -> Timing:
    """One timing of all visits, in order."""
    samples = tuple(sample for timing in timings for sample in timing.samples_s)
    interval = median_interval(samples)
    stable = [timing.warmup_stable for timing in timings if timing.warmup_stable is not None]
    parts = dict.fromkeys(part for timing in timings for part in timing.parts_s)
    busy = [timing.busy for timing in timings if timing.busy is not None]
    return replace(
        timings[-1],
        samples_s=samples,
        warmup_calls=sum(timing.warmup_calls for timing in timings),
        warmup_s=sum(timing.warmup_s for timing in timings),
        warmup_stable=all(stable) if stable else None,
        precision=(interval[1] - interval[0]) / 2 / quantile(samples, 0.5) if interval else None,
        rounds=tuple(len(timing.samples_s) for timing in timings) if len(timings) > 1 else (),
        parts_s={
            part: tuple(s for timing in timings for s in timing.parts_s.get(part, ())) for part in parts
        },
        busy=busy[-1] if busy else None,
    )
