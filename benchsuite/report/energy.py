"""Energy of an image, with what the device draws idle meanwhile: a stacked bar a cell. Frame → `Drawing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchsuite.report.canvas import Drawing
from benchsuite.report.splits import Bar, Drawer, bars_of, draw_bars, named
from benchsuite.report.theme import Look
from benchsuite.report.words import fixed, pixels
from benchsuite.units import si

IDLE, BEYOND, WHOLE = "idle draw", "beyond the idle draw", "idle draw not read"


def energy(frame: pd.DataFrame, looks: Mapping[str, Look], draw: Drawer = draw_bars) -> Drawing | None:
    """Joules per image, the idle draw apart; None where no counter was read, as on a CPU."""
    bars = _sorted(frame)
    if not bars:
        return None
    said = (
        f"{_said(bars)} It is the whole card's energy over repeated steps, by its own counter, which cannot "
        "tell differences of a few per cent."
    )
    if any(bar.parts[IDLE] for bar in bars):
        said += " The idle draw is the power before the cell ran, for as long as the median step takes."
    return draw(bars, looks, "J", "Energy of an image", said, "energy", _joules)


def thrift(frame: pd.DataFrame) -> str:
    """Who takes most and least energy for an image, and how much of it an idle device draws, too."""
    bars = _sorted(frame)
    return f"At {pixels(bars[0].point.resolution)}, {_said(bars)}" if bars else ""


def _sorted(frame: pd.DataFrame) -> list[Bar]:
    return bars_of(frame, _parts)


def _parts(row: Mapping[Any, Any]) -> dict[str, float] | None:
    total = row["joules_per_image"]
    if pd.isna(total) or total <= 0:
        return None
    if pd.isna(row["idle_w"]) or pd.isna(row["latency_s"]):
        return {IDLE: 0.0, BEYOND: 0.0, WHOLE: float(total)}
    idle = min(float(total), float(row["idle_w"]) * float(row["latency_s"]) / int(row["batch"]))
    return {IDLE: idle, BEYOND: float(total) - idle, WHOLE: 0.0}


def _said(bars: Sequence[Bar]) -> str:
    most, least = bars[0], bars[-1]
    if len(bars) == 1:
        text = f"{named(most, bars)} takes {_joules(most.total)} per image"
    else:
        text = (
            f"{named(least, bars)} takes the fewest joules per image, {_joules(least.total)}, and "
            f"{named(most, bars)} the most, {_joules(most.total)} ({most.total / least.total:.2f} times)"
        )
    known = sorted(100 * bar.parts[IDLE] / bar.total for bar in bars if bar.parts[IDLE])
    if not known:
        return f"{text}."
    ends = list(dict.fromkeys(fixed(share, 2) for share in (known[0], known[-1])))
    return f"{text}; the device would draw {' to '.join(ends)} % of it idle."


def _joules(value: float) -> str:
    return si(value, "J", 3)
