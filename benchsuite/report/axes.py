"""Scales, limits and ticks of axes: logarithmic where the range asks for it, ticks in scaled units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter, NullLocator

from benchsuite.report.canvas import measure
from benchsuite.report.points import Point, resolutions_of
from benchsuite.report.theme import MUTED
from benchsuite.results.metrics import Metric
from benchsuite.units import byte_size, si, significant

ALIKE = 1e-9
"""Share by which values differ that are one value to a reader, and nearly one to a float."""

AXIS_LABELS: dict[str, str] = {"peak_memory_bytes": "Peak memory (allocated)"}


def title_of(metric: Metric) -> str:
    """Title of the axis of a metric; the unit stands at the ticks, or here where no prefix fits to it."""
    label = AXIS_LABELS.get(metric.key, metric.label)
    return f"{label} ({metric.unit})" if metric.unit == "images/s" else label


def tick_text(value: float, unit: str) -> str:
    """10 ms, 2 GiB, 500 M, 0.25; "images/s" and "MAC" stand in the axis title, so nothing there is "milli".

    Ticks are round numbers, so five digits are as many as they have: 3.025 must not read 3.03.
    """
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
        ticks: within the range of the data, not of the strip for failures.
    """

    log: bool
    lo: float
    hi: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value lies, 0 at `lo` and 1 at `hi`."""
        lo, hi, value = (math.log(v) if self.log else v for v in (self.lo, self.hi, value))
        return (value - lo) / (hi - lo)

    def at(self, share: float) -> float:
        """The value at a share of the axis: the inverse of `share`."""
        if self.log:
            return math.exp(math.log(self.lo) + share * (math.log(self.hi) - math.log(self.lo)))
        return self.lo + share * (self.hi - self.lo)

    def extended(self, below: float = 0.0, above: float = 0.0) -> Scale:
        """The same scale with free room, in shares of the present length, for what has no value."""
        return Scale(self.log, self.at(-below), self.at(1 + above), self.ticks)


def scale(values: Sequence[float], unit: str, *, pad: float = 0.06, most_ticks: int = 6) -> Scale:
    """A scale for these values: logarithmic if they are positive and span more than a decade.

    Raises:
        ValueError: all values are missing.
    """
    known = [value for value in values if not math.isnan(value)]
    if not known:
        raise ValueError("a scale needs at least one value")
    lo, hi = min(known), max(known)
    log = lo > 0 and hi / lo > 10
    if hi - lo <= ALIKE * max(abs(lo), abs(hi)):
        lo, hi = (lo * 0.9, hi * 1.1) if lo else (-1.0, 1.0)
        lo, hi = min(lo, hi), max(lo, hi)
    bare = Scale(log, lo, hi, ())
    lo, hi = bare.at(-pad), bare.at(1 + pad)
    if min(known) >= 0:
        lo = max(lo, 0.0)
    ticks = _log_ticks(lo, hi, unit, most_ticks) if log else _linear_ticks(lo, hi, unit, most_ticks)
    return Scale(log, lo, hi, tuple(ticks))


def _log_ticks(lo: float, hi: float, unit: str, most: int) -> list[float]:
    if unit == "B":
        powers = range(math.ceil(math.log2(lo)), math.floor(math.log2(hi)) + 1)
        step = max(1, math.ceil(len(powers) / most))
        return [2.0**power for power in powers if power % step == 0]
    decades = range(math.floor(math.log10(lo)), math.ceil(math.log10(hi)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        ticks = [tick for tick in ticks if lo <= tick <= hi]
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def _linear_ticks(lo: float, hi: float, unit: str, most: int) -> list[float]:
    factor = 1.0
    if unit == "B":  # round numbers of MiB, not of bytes
        factor = float(1 << (10 * max(0, int(math.log2(max(hi, 1.0)) // 10))))
    locator = MaxNLocator(nbins=most - 1, steps=[1, 2, 2.5, 5, 10])
    ticks = [float(tick) * factor for tick in locator.tick_values(lo / factor, hi / factor)]
    return [tick for tick in ticks if lo <= tick <= hi]


def apply_y(ax: Axes, scale: Scale, unit: str, *, labels: bool = True) -> None:
    """Give the y axis of `ax` this scale."""
    ax.set_yscale("log" if scale.log else "linear")
    ax.set_ylim(scale.lo, scale.hi)
    ax.yaxis.set_major_locator(FixedLocator(list(scale.ticks)))
    ax.yaxis.set_minor_locator(NullLocator())
    texts = [tick_text(tick, unit) for tick in scale.ticks]
    ax.yaxis.set_major_formatter(FixedFormatter(texts) if labels else NullFormatter())


def apply_x(ax: Axes, scale: Scale, unit: str) -> None:
    """Give the x axis of `ax` this scale."""
    ax.set_xscale("log" if scale.log else "linear")
    ax.set_xlim(scale.lo, scale.hi)
    ax.xaxis.set_major_locator(FixedLocator(list(scale.ticks)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FixedFormatter([tick_text(tick, unit) for tick in scale.ticks]))


@dataclass(frozen=True, slots=True)
class CostScale:
    """An axis of MACs.

    Attributes:
        slot: where 0 stands on a logarithmic axis; 0 on an axis that needs no such place.
        wall: where the line stands that parts it from the others.
    """

    scale: Scale
    slot: float = 0.0
    wall: float = 0.0

    def place(self, macs: float) -> float:
        """The value to draw at."""
        return macs or self.slot

    def apply(self, ax: Axes) -> None:
        """Give the x axis of `ax` this scale."""
        apply_x(ax, self.scale, "MAC")
        if self.slot:
            ticks = [tick for tick in self.scale.ticks if tick > self.wall]
            ax.xaxis.set_major_locator(FixedLocator([self.slot, *ticks]))
            ax.xaxis.set_major_formatter(FixedFormatter(["0", *(tick_text(tick, "MAC") for tick in ticks)]))
            ax.axvline(self.wall, color=MUTED, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)


def cost_scale(values: Sequence[float], spread: float = 30.0) -> CostScale:
    """The axis for these MACs: logarithmic with a place for 0 where the others span more than `spread`."""
    positive = [value for value in values if value > 0]
    if len(positive) == len(values) or not positive or max(positive) / min(positive) <= spread:
        return CostScale(scale(values, "MAC", pad=0.12))
    share = (max(positive) / min(positive)) ** 0.12
    slot, wall = min(positive) / share, min(positive) / math.sqrt(share)
    return CostScale(scale([slot, *positive], "MAC", pad=0.12), slot, wall)


@dataclass(frozen=True, slots=True)
class ResolutionAxis:
    """Where each resolution stands on an axis from 0 to 1: by the logarithm of its side.

    Attributes:
        positions: resolution → position, in rising order. Evenly spaced where two share an area.
    """

    PAD: ClassVar[float] = 0.04
    positions: dict[int | str, float]

    def across(self, resolution: int | str, width: float) -> float:
        """Where a resolution lies in axes that are `width` points wide."""
        return (self.positions[resolution] + self.PAD) / (1 + 2 * self.PAD) * width

    def apply(self, ax: Axes, width: float) -> None:
        """Set the ticks of axes that are `width` points wide, without the labels that would touch others."""
        ax.set_xlim(-self.PAD, 1 + self.PAD)
        ax.xaxis.set_major_locator(FixedLocator(list(self.positions.values())))
        length = width / (1 + 2 * self.PAD)
        labels, free = [], -math.inf
        for resolution, position in self.positions.items():
            text = str(resolution).replace("x", "×")
            half = measure(text, 8)[0] / 2 + 3
            fits = position * length - half >= free
            labels.append(text if fits else "")
            if fits:
                free = position * length + half
        ax.xaxis.set_major_formatter(FixedFormatter(labels))
        ax.set_xlabel("Resolution (px)")


def resolution_axis(cells: Sequence[Point]) -> ResolutionAxis:
    """The axis for the resolutions of these cells; needs at least two."""
    areas = {point.resolution: math.prod(point.size) for point in cells}
    ordered = resolutions_of(cells)
    if len(set(areas.values())) < len(areas):
        return ResolutionAxis({key: i / (len(ordered) - 1) for i, key in enumerate(ordered)})
    logs = {key: math.log(areas[key]) for key in ordered}
    first, last = logs[ordered[0]], logs[ordered[-1]]
    return ResolutionAxis({key: (log - first) / (last - first) for key, log in logs.items()})
