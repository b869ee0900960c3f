"""What runs before the first sample: long enough, and until the samples have stopped drifting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.measurement.blocks import BLOCK_CALLS, block_size
from benchsuite.measurement.device import Device, Step
from benchsuite.stats.intervals import quantile

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
class Warmed:
    """What a warm-up did.

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
    """Whether the later half of the durations has no drift; None if there are too few to tell.

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
