"""Scales, limits and ticks of axes: logarithmic where the range asks for it, ticks in scaled units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from benchsuite.format import byte_size, si, significant
from benchsuite.report.canvas import measure, text_size
from benchsuite.report.theme import MUTED
from benchsuite.results.metrics import Metric

ALIKE = 1e-9
"""Share by which values differ that are one value to a reader, and nearly one to a float."""
PAD = 0.04
"""Share of an axis of labelled values that is free at both ends."""


def title_of(metric: Metric) -> str:
    """Title of the axis of a metric; the unit stands at the ticks, or here where no prefix fits to it."""
    return f"{metric.label} ({metric.unit})" if metric.unit == "images/s" else metric.label


def tick_text(value: float, unit: str) -> str:
    """10 ms, 2 GiB, 500 M, 0.25; "images/s" and "MAC" stand in the axis title, so nothing there is "milli".

    Ticks are round numbers, so five digits are as many as they have: 3.025 must not read 3.03.
    """
    if unit == "×":
        return f"{value:g}×"
    if unit == "B":
        return byte_size(value, 5)
    if unit == "s" or abs(value) >= 1:
        return si(value, unit if unit == "s" else "", 5)
    return significant(value, 5)


@dataclass(frozen=True, slots=True)
class Scale:
    """One axis: its kind, what it shows, and where its ticks are.

    Attributes:
        lo, hi: limits, padding included.
        slot: where 0 stands on a logarithmic axis, and `wall` what parts it from the others; 0 without it.
    """

    log: bool
    lo: float
    hi: float
    ticks: tuple[float, ...] = ()
    slot: float = 0.0
    wall: float = 0.0

    @property
    def span(self) -> float:
        """Length, in decades where it is logarithmic."""
        return math.log10(self.hi / self.lo) if self.log else self.hi - self.lo

    def place(self, value: float) -> float:
        """The value to draw at."""
        return value or self.slot

    def at(self, share: float) -> float:
        """The value at a share of the axis: 0 at `lo`, 1 at `hi`."""
        return self.lo * (self.hi / self.lo) ** share if self.log else self.lo + share * (self.hi - self.lo)

    def limited(self, lo: float, hi: float, unit: str, most_ticks: int = 6) -> Scale:
        """The same kind of scale with these limits and ticks within them."""
        ticks = (_log_ticks if self.log else _linear_ticks)(lo, hi, unit, most_ticks)
        least = (
            self.slot * (hi / lo) ** 0.08 if self.slot else lo
        )  # a tick nearer to that of 0 would touch it
        return replace(self, lo=lo, hi=hi, ticks=tuple(tick for tick in ticks if tick >= least))


def wants_log(values: Sequence[float]) -> bool:
    """True if these values are positive and span more than a decade."""
    known = [value for value in values if not math.isnan(value)]
    return bool(known) and min(known) > 0 and max(known) / min(known) > 10


def scale(
    values: Sequence[float], unit: str, *, pad: float = 0.06, most_ticks: int = 6, log: bool | None = None
) -> Scale:
    """A scale for these values, logarithmic if they are positive and span more than a decade.

    Args:
        log: asks for a logarithmic or linear one, whatever they span; 0 gets a place of its own.

    Raises:
        ValueError: all values are missing.
    """
    known = [value for value in values if not math.isnan(value)]
    if not known:
        raise ValueError("a scale needs at least one value")
    positive = [value for value in known if value > 0]
    log = wants_log(known) if log is None else log and bool(positive) and min(known) >= 0
    slot = wall = 0.0
    if log and len(positive) < len(known):
        gap = max(1.4, (max(positive) / min(positive)) ** 0.12)
        slot, wall = min(positive) / gap, min(positive) / math.sqrt(gap)
    shown = [slot or min(positive), *positive] if log else known
    lo, hi = min(shown), max(shown)
    if hi - lo <= ALIKE * max(abs(lo), abs(hi)):
        lo, hi = sorted((lo * 0.9, hi * 1.1)) if lo else (-1.0, 1.0)
    bare = Scale(log, lo, hi, slot=slot, wall=wall)
    lo, hi = bare.at(-pad), bare.at(1 + pad)
    return bare.limited(max(lo, 0.0) if min(known) >= 0 else lo, hi, unit, most_ticks)


def _log_ticks(lo: float, hi: float, unit: str, most: int) -> list[float]:
    if unit == "B":
        powers = range(math.ceil(math.log2(lo)), math.floor(math.log2(hi)) + 1)
        step = max(1, math.ceil(len(powers) / most))
        ticks = [2.0**power for power in powers if power % step == 0]
    else:
        decades = range(math.floor(math.log10(lo)), math.ceil(math.log10(hi)) + 1)
        for digits in ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
            ticks = [digit * 10.0**decade for decade in decades for digit in digits]
            ticks = [tick for tick in ticks if lo <= tick <= hi]
            if len(ticks) <= most:
                break
        ticks = ticks[:: max(1, math.ceil(len(ticks) / most))]
    return ticks if len(ticks) > 2 else _linear_ticks(lo, hi, unit, most)


def _linear_ticks(lo: float, hi: float, unit: str, most: int) -> list[float]:
    factor = 1.0
    if unit == "B":  # round numbers of MiB, not of bytes
        factor = float(1 << (10 * max(0, int(math.log2(max(hi, 1.0)) // 10))))
    locator = MaxNLocator(nbins=most - 1, steps=[1, 2, 2.5, 5, 10])
    ticks = [float(tick) * factor for tick in locator.tick_values(lo / factor, hi / factor)]
    return [tick for tick in ticks if lo <= tick <= hi]


def apply(ax: Axes, side: Literal["x", "y"], scale: Scale, unit: str, *, labels: bool = True) -> None:
    """Give one axis of `ax` this scale.

    Args:
        labels: whether its ticks have texts.
    """
    axis = ax.xaxis if side == "x" else ax.yaxis
    ax.set(**{f"{side}scale": "log" if scale.log else "linear", f"{side}lim": (scale.lo, scale.hi)})
    slot = [scale.slot] if scale.slot else []
    ticks = [*slot, *scale.ticks]
    texts = [*("0" for _ in slot), *(tick_text(tick, unit) for tick in scale.ticks)]
    texts = _spaced(ax, ticks, texts) if side == "x" else texts
    axis.set_ticks(ticks, texts if labels else [""] * len(ticks))
    axis.set_ticks([], minor=True)
    if slot:
        line = ax.axvline if side == "x" else ax.axhline
        line(scale.wall, color=MUTED, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)


def positions(values: Mapping[str, float], *, log: bool | None = None) -> dict[str, float]:
    """Label → place on an axis from 0 to 1, in rising order; even places where two are the same number.

    Args:
        values: label → number, at least two labels.
        log: whether by logarithm; if unsaid, where they are positive and span a factor of four or more.
    """
    ordered = sorted(values, key=lambda label: values[label])
    numbers = [values[label] for label in ordered]
    if log is None:
        log = numbers[0] > 0 and numbers[-1] >= 4 * numbers[0]
    if len(set(numbers)) < len(numbers):
        numbers = [float(i) for i in range(len(numbers))]
    elif log:
        numbers = [math.log(number) for number in numbers]
    first, last = numbers[0], numbers[-1]
    return {label: (n - first) / (last - first) for label, n in zip(ordered, numbers, strict=True)}


def apply_positions(ax: Axes, places: Mapping[str, float]) -> None:
    """Give the x axis ticks at these places."""
    ax.set_xlim(-PAD, 1 + PAD)
    ticks = list(places.values())
    ax.set_xticks(ticks, _spaced(ax, ticks, list(places)))


def _spaced(ax: Axes, ticks: Sequence[float], texts: Sequence[str]) -> list[str]:
    """Texts of the ticks of an x axis, empty where one would touch the one before it."""
    labels, free = [], -math.inf
    for tick, text in zip(ticks, texts, strict=True):
        middle, half = ax.get_xaxis_transform().transform((tick, 0))[0], measure(text, text_size())[0] / 2 + 3
        fits = middle - half >= free
        labels.append(text if fits else "")
        free = middle + half if fits else free
    return labels
