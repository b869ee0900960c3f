"""What memory and training steps are made of: a stacked bar a cell of one resolution. Frame → `Drawing`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator

from benchsuite.report.canvas import WIDTH, Canvas, Drawing, legend_height, measure, text
from benchsuite.report.operators import LINE, row_labels
from benchsuite.report.points import Point, points, resolutions_of
from benchsuite.report.theme import INK, MUTED, PAPER, SERIES, Look
from benchsuite.report.words import counted, fixed, joined, pixels, scale_of
from benchsuite.results.nouns import noun
from benchsuite.units import byte_size, si

MOST_ROWS = 24
FARTHEST_MARK = 2.0  # lengths of the longest bar: farther marks would squeeze the bars
_MARKS = {"peak_reserved_bytes": ("reserved by the allocator", "|"), "process_bytes": ("whole process", "x")}


@dataclass(frozen=True)
class Bar:
    """One cell: its parts in order, in bytes, seconds or joules, and what is marked beside them."""

    point: Point
    parts: Mapping[str, float]
    marks: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())


PartsOf = Callable[[Mapping[Any, Any]], dict[str, float] | None]
"""Row of the frame → its parts, always the same ones, in order; None where they are not known."""


class Drawer(Protocol):
    """Draws bars as `draw_bars` does."""

    def __call__(
        self,
        found: Sequence[Bar],
        looks: Mapping[str, Look],
        unit: str,
        axis: str,
        said: str,
        what: str,
        formatted: Callable[[float], str],
        /,
    ) -> Drawing: ...


def memory_split(
    frame: pd.DataFrame, looks: Mapping[str, Look], draw: Drawer | None = None
) -> Drawing | None:
    """Weights, input, activations, gradients and optimizer's state at the peak; None without memory."""
    bars = bars_of(frame, _memory_of)
    if not bars:
        return None
    largest = bars[0]
    part = max(largest.parts, key=lambda name: largest.parts[name])
    share = fixed(100 * largest.parts[part] / largest.total, 2)
    said = (
        f"{named(largest, bars)} needs most, {byte_size(largest.total, 3)}, of which {share} % are {part}. "
        "A bar is the peak of live tensors in one step. Activations are what the step adds and nothing else "
        "accounts for."
    )
    if any(bar.parts["gradients"] for bar in bars):
        said += " Gradients are those that exist after the step."
    return (draw or draw_bars)(
        bars, looks, "B", "Peak memory of a step", said, "memory", lambda value: byte_size(value, 3)
    )


def training_split(
    frame: pd.DataFrame, looks: Mapping[str, Look], draw: Drawer | None = None
) -> Drawing | None:
    """Forward, backward and optimizer's seconds of a training step; None where they were not timed."""
    bars = bars_of(frame, _step_of)
    if not bars:
        return None
    part = max(bars[0].parts, key=lambda name: sum(bar.parts[name] for bar in bars))
    ordered = sorted(bars, key=lambda bar: bar.parts[part] / bar.total)
    low, high = (f"{fixed(100 * bar.parts[part] / bar.total, 2)} %" for bar in (ordered[0], ordered[-1]))
    if low == high:
        said = f"{part.capitalize()} takes {low} of {'the' if len(bars) == 1 else 'every'} step."
    else:
        least, most = named(ordered[0], bars), named(ordered[-1], bars)
        said = f"{part.capitalize()} takes from {low} ({least}) to {high} ({most}) of a step."
    said += " A bar is the sum of the medians of the parts."
    return (draw or draw_bars)(
        bars, looks, "s", "Time of a training step", said, "time", lambda value: si(value, "s", 3)
    )


def _memory_of(row: Mapping[Any, Any]) -> dict[str, float] | None:
    peak = row["peak_memory_bytes"]
    if pd.isna(peak) or not peak:
        return None
    fixed_parts = {
        "weights": float(row["weights_bytes"]),
        "input": float(row["input_bytes"]),
        "optimizer state": float(row["optimizer_bytes"]),
    }
    rest = max(0.0, float(peak) - sum(fixed_parts.values()))
    gradients = min(rest, float(row["gradient_bytes"]))
    return {**fixed_parts, "gradients": gradients, "activations": rest - gradients}


def _step_of(row: Mapping[Any, Any]) -> dict[str, float] | None:
    parts = {part: float(row[f"{part}_s"]) for part in ("forward", "backward", "optimizer")}
    known = {part: 0.0 if math.isnan(value) else value for part, value in parts.items()}
    return None if math.isnan(parts["forward"]) or math.isnan(parts["backward"]) else known


def bars_of(frame: pd.DataFrame, parts_of: PartsOf) -> list[Bar]:
    """Bars of the resolution that most cells have one at, the larger of two; the longest first."""
    found: list[Bar] = []
    for point, row in zip(points(frame), frame.to_dict("records"), strict=True):
        parts = parts_of(row)
        if parts is not None and sum(parts.values()) > 0:
            marks = {key: float(row[key]) for key in _MARKS if not pd.isna(row[key])}
            found.append(Bar(point, parts, marks))
    by_size = {
        size: [bar for bar in found if bar.point.resolution == size]
        for size in resolutions_of(bar.point for bar in found)
    }
    chosen = max(reversed(by_size.values()), key=len, default=[])
    return sorted(chosen, key=lambda bar: -bar.total)


def named(bar: Bar, bars: Sequence[Bar]) -> str:
    """The name of a bar's cell, with its kernel where the bars are of several."""
    several = len({other.point.kernel for other in bars}) > 1
    return f"{bar.point.name} on {bar.point.kernel}" if several else bar.point.name


def draw_bars(
    bars: Sequence[Bar],
    looks: Mapping[str, Look],
    unit: str,
    axis: str,
    said: str,
    what: str,
    formatted: Callable[[float], str],
) -> Drawing:
    """Stacked bars, the first on top, with their totals on the right.

    Args:
        unit: of the parts; they are scaled to be shown.
        axis: what a bar is the length of.
        said: the sentences of the caption, after the resolution.
        what: the same in a word: "memory", which is what has marks.
    """
    drawn = bars[:MOST_ROWS]
    parts = [part for part in drawn[0].parts if any(bar.parts[part] for bar in drawn)]
    colors = dict(zip(parts, SERIES, strict=False))
    most = {
        key: max((bar.marks.get(key, 0.0) for bar in drawn), default=0.0) if what == "memory" else 0.0
        for key in _MARKS
    }
    marks = [key for key in _MARKS if 0 < most[key] <= FARTHEST_MARK * max(bar.total for bar in drawn)]
    handles = [
        Line2D([], [], linestyle="none", marker="s", markersize=7, color=color, label=part)
        for part, color in colors.items()
    ] + [
        Line2D([], [], linestyle="none", marker=_MARKS[key][1], color=INK, label=_MARKS[key][0])
        for key in marks
    ]
    labels = row_labels([bar.point for bar in drawn], looks)
    left = 14 + max(measure(label, 8.5)[0] for label in labels)
    right, top, height = 70.0, legend_height(handles) + 6, len(drawn) * LINE + 6
    width = WIDTH - left - right
    canvas = Canvas(WIDTH, top + height + 36)
    canvas.legend(handles, left)
    ax = canvas.axes(left, top, width, height)
    factor, name = scale_of([bar.total for bar in drawn], unit)
    longest = max(max([bar.total, *(bar.marks[key] for key in marks if key in bar.marks)]) for bar in drawn)
    ax.set_xlim(0, 1.02 * longest / factor)
    ax.set_xlabel(f"{axis} [{name}]")
    ax.set_ylim(len(drawn) - 0.5, -0.5)
    ax.yaxis.set_major_locator(FixedLocator(list(range(len(drawn)))))
    ax.yaxis.set_major_formatter(FixedFormatter(labels))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    for level, bar in enumerate(drawn):
        start = 0.0
        for part, color in colors.items():
            size = bar.parts[part] / factor
            if size > 0:
                (piece,) = ax.barh(
                    level, size, left=start, height=0.72, color=color, edgecolor=PAPER, linewidth=0.3
                )
                piece.set_gid(f"cell:{bar.point.cell}")
            start += size
        for key in marks:
            if key in bar.marks:
                ax.plot(
                    [bar.marks[key] / factor], [level], linestyle="none", marker=_MARKS[key][1], color=INK
                )
        y = height * (1 - (level + 0.5) / len(drawn))
        text(ax, width + 8, y, formatted(bar.total), color=MUTED)
    caption = f"At {pixels(drawn[0].point.resolution)}: {said}"
    if len(drawn) < len(bars):
        caption += f" Drawn are the first {len(drawn)} of {counted(len(bars), 'cell')}."
    for key in _MARKS:
        if most[key] and key not in marks:
            caption += f" Too far out to be marked: {_MARKS[key][0]}, up to {formatted(most[key])}."
    measured = noun(bar.point.subject for bar in drawn).counted(len({bar.point.name for bar in drawn}))
    alt = f"Stacked bars of {what} by {joined(parts)} for {counted(len(drawn), 'cell')} of {measured}. {said}"
    return Drawing(canvas.figure, caption, alt)
