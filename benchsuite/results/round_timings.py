"""The rounds of a cell joined to one timing, and the timing taken apart again. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

from benchsuite.results.machine import drift_of
from benchsuite.results.record import Timing
from benchsuite.stats.evidence import Estimate, confidence_of, estimate, half_width
from benchsuite.stats.intervals import quantile
from benchsuite.stats.variance_components import variance_components


def combined(timings: Sequence[Timing], stopped_by: str) -> Timing:
    """One timing of all rounds, in order.

    Args:
        stopped_by: why no more rounds were taken.

    Raises:
        ValueError: there are no rounds.
    """
    if not timings:
        raise ValueError("a cell that was never visited has no timing")
    samples = [timing.samples_s for timing in timings]
    known = [timing.warmup_stable for timing in timings if timing.warmup_stable is not None]
    parts = dict.fromkeys(part for timing in timings for part in timing.parts_s)
    busy = [timing.busy for timing in timings if timing.busy is not None]
    spread = variance_components(samples)
    return replace(
        timings[-1],
        samples_s=tuple(sample for values in samples for sample in values),
        warmup_calls=sum(timing.warmup_calls for timing in timings),
        warmup_s=sum(timing.warmup_s for timing in timings),
        warmup_stable=all(known) if known else None,
        stopped_by=stopped_by,
        precision=half_width([quantile(values, 0.5) for values in samples], confidence_of(stopped_by)),
        rounds=tuple(map(len, samples)) if len(samples) > 1 else (),
        usage=tuple(usage for timing in timings for usage in timing.usage),
        varies_most=spread.varies_most if spread else "",
        parts_s={
            part: tuple(sample for timing in timings for sample in timing.parts_s.get(part, ()))
            for part in parts
        },
        busy=busy[-1] if busy else None,
    )


def round_medians(timing: Timing) -> tuple[float, ...]:
    """The median of each round, in seconds, in order; of all samples where nobody wrote down the rounds."""
    return tuple(quantile(samples, 0.5) for samples in _samples_of_rounds(timing))


_SHAPED = 8
"""Samples of a round below which its own median lies too near to them to say what varies."""


def within_rounds(timing: Timing) -> tuple[float, ...]:
    """Every sample over the median of its round, so that only what varies within rounds is left; those of
    rounds with a handful of samples are left out."""
    return tuple(
        sample / middle
        for samples in _samples_of_rounds(timing)
        if len(samples) >= _SHAPED
        for middle in (quantile(samples, 0.5),)
        for sample in samples
        if middle
    )


def _samples_of_rounds(timing: Timing) -> Iterator[Sequence[float]]:
    samples = timing.samples_s
    counts = timing.rounds if sum(timing.rounds) == len(samples) else (len(samples),)
    for begin, end in pairwise(accumulate((0, *counts))):
        if begin < end:
            yield samples[begin:end]


def latency_of(
    timing: Timing, environment: Mapping[str, Any], medians: Sequence[float] | None = None
) -> Estimate:
    """Seconds per step with their 95 % interval, which is the one that every table, figure and line shows.

    Args:
        environment: the machine; its drift is in the interval where a self-test knows it.
        medians: those of its rounds, where they are known.
    """
    drift = drift_of(environment)
    known = 0.0 if math.isnan(drift) else drift
    return estimate(
        round_medians(timing) if medians is None else medians, known, confidence_of(timing.stopped_by)
    )
