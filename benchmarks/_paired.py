"""What the benchmark scripts share: two steps timed in turns, and rows of a table as they come.

Turns are ABBA (base, other, other, base) in one process, so that a drift of the machine falls on both alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.measurement.device import Device, Step
from benchsuite.stats.intervals import median_interval, quantile

BLOCK_S = 0.02
"""Aim of one turn: long enough to time, short enough that the next turn meets the same machine."""
BLOCK_CALLS = 50

FORMATS = ("text", "markdown")


@dataclass(frozen=True)
class Pair:
    """Two steps timed in rounds.

    Attributes:
        base_s, other_s: median seconds a call.
        ratios: base over other, one a round.
    """

    base_s: float
    other_s: float
    ratios: tuple[float, ...]

    @property
    def speed(self) -> str:
        """How much faster the other is: the median of base over other and its 95 % interval."""
        return with_interval(self.ratios)

    @property
    def time(self) -> str:
        """What share of the base's time the other takes: the median of other over base and its interval."""
        return with_interval([1 / ratio for ratio in self.ratios])


def with_interval(ratios: Sequence[float]) -> str:
    """Median and 95 % interval; without one where there are too few rounds for it."""
    interval = median_interval(ratios)
    ends = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    return f"{quantile(ratios, 0.5):.3f}{ends}"


def measure_pair(device: Device, base: Step, other: Step, rounds: int) -> Pair:
    """Both steps, `rounds` times ABBA. They should have run before."""
    times = [one_round(device, base, other) for _ in range(rounds)]
    return Pair(
        base_s=quantile([base_s for base_s, _ in times], 0.5),
        other_s=quantile([other_s for _, other_s in times], 0.5),
        ratios=tuple(base_s / other_s for base_s, other_s in times),
    )


def one_round(device: Device, base: Step, other: Step) -> tuple[float, float]:
    """Seconds a call of each, from one ABBA."""
    first, second, third, fourth = (one_turn(device, step) for step in (base, other, other, base))
    return (first + fourth) / 2, (second + third) / 2


def one_turn(device: Device, step: Step) -> float:
    """Median seconds of a call, from about BLOCK_S of calls. The first counts only if it fills the turn."""
    (probe,) = device.time_calls(step, 1)
    calls = max(0, min(BLOCK_CALLS, math.ceil((BLOCK_S - probe) / max(probe, 1e-9))))
    return quantile(device.time_calls(step, calls), 0.5) if calls else probe


class Table:
    """Prints a heading at once and rows as they come, as aligned text or as Markdown.

    Args:
        headings: of the columns, each with the width that text gives it.
        style: one of FORMATS.
    """

    def __init__(self, headings: Sequence[tuple[str, int]], style: str) -> None:
        self._widths = [width for _, width in headings]
        self._style = style
        self.show(*(heading for heading, _ in headings))
        if style == "markdown":
            print("|" + "---|" * len(headings))

    def show(self, *cells: str) -> None:
        """Print a row. Where it has fewer cells than columns, the last one is a remark."""
        if self._style == "markdown":
            missing = [""] * (len(self._widths) - len(cells))
            text = "| " + " | ".join(cell.replace("|", "\\|") for cell in (*cells, *missing)) + " |"
        else:
            text = "  ".join(cell.ljust(width) for cell, width in zip(cells, self._widths, strict=False))
        print(text.rstrip(), flush=True)


def said(error: BaseException) -> str:
    """What went wrong, in one line."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"


def grid_of(text: str) -> tuple[int, int]:
    """(H, W) of "HxW", or of one number for a square."""
    height, _, width = text.partition("x")
    return int(height), int(width or height)
