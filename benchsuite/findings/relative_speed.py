"""Relative speeds of the cells of each setting, by the one rule of evidence, and in words. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.labels import cell_names, setting_names
from benchsuite.results.cell import OF_LAYERS, SETTINGS, Cell
from benchsuite.results.machine import noise_of
from benchsuite.results.record import Record
from benchsuite.results.round_timings import round_medians
from benchsuite.stats.evidence import Decision, Question, decide, paired
from benchsuite.stats.intervals import quantile


@dataclass(frozen=True, slots=True)
class Relative:
    """One setting.

    Attributes:
        first: the cell that the others are held against: the fastest, or one that was asked for.
        others: the other cells, the faster first, each with the decision on how many times as fast as it the
            first is; "above" where it surely is faster.
    """

    first: Cell
    others: tuple[tuple[Cell, Decision], ...]


def relative(
    records: Sequence[Record], environment: Mapping[str, Any], first: str | None = None
) -> list[Relative]:
    """The timed cells of one run, setting by setting; a setting with fewer than two of them is left out.

    All pairs are one family, and ratios are paired by rounds.

    Args:
        first: the name to hold the others against, where it was timed; the fastest if None.
    """
    axes = _of_a_setting([record.cell for record in records])
    settings: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        if record.timing is not None:
            settings.setdefault(tuple(getattr(record.cell, axis) for axis in axes), []).append(record)

    def rank(record: Record) -> tuple[bool, float]:
        return record.cell.name != first, _seconds(record)

    ranked = [sorted(here, key=rank) for here in settings.values() if len(here) > 1]
    noise = noise_of(environment)
    decisions = decide(
        {
            (one.id, other.id): Question(paired(_rounds(other), _rounds(one)), noise=noise)
            for one, *others in ranked
            for other in others
        }
    )
    return [
        Relative(one.cell, tuple((other.cell, decisions[one.id, other.id]) for other in others))
        for one, *others in ranked
    ]


def in_words(comparisons: Sequence[Relative]) -> Iterator[str]:
    """A line for each pair, under a line that names their setting where there are several."""
    settings = setting_names([one.first for one in comparisons])
    for one in comparisons:
        called = cell_names([one.first, *(cell for cell, _ in one.others)])
        if settings[one.first.id]:
            yield settings[one.first.id]
        for cell, decision in one.others:
            yield f"  {_sentence(called[one.first.id], called[cell.id], decision)}"


def _sentence(first: str, other: str, decision: Decision) -> str:
    times = _with_interval(decision)
    if decision.side in ("above", "below"):
        return f"{first} is {times} times as fast as {other}"
    why = "no significant difference" if decision.side == "same" else f"undecided: {decision.reason}"
    return f"{first} and {other}: {why} ({times} times as fast)"


def _with_interval(decision: Decision) -> str:
    """The ratio with its interval: "1.32 ± 0.03" where that says both ends, else "1.04 [1.01, 1.08]".

    An end that surely is not 1 is printed with up to four digits until it does not read as 1.
    """
    digits = 2 if decision.ratio < 100 else 0
    if math.isnan(decision.lo):
        return f"{decision.ratio:.{digits}f}"
    near = {"above": decision.lo, "below": decision.hi}.get(decision.side, math.nan)
    while digits < 4 and f"{near:.{digits}f}" == f"{1:.{digits}f}":
        digits += 1
    times, lo, hi = (f"{one:.{digits}f}" for one in (decision.ratio, decision.lo, decision.hi))
    down, up = (f"{one:.{digits}f}" for one in (float(times) - float(lo), float(hi) - float(times)))
    return f"{times} ± {up}" if up == down else f"{times} [{lo}, {hi}]"


def _of_a_setting(cells: Sequence[Cell]) -> list[str]:
    """The axes on which compared cells agree: all but the kernel, which belongs to what is compared, and all
    that only a mixer has, where networks stand beside mixers."""
    mixed = len({cell.subject == "backbone" for cell in cells}) > 1
    return [axis for axis in SETTINGS if axis != "kernel" and not (mixed and axis in OF_LAYERS)]


def _rounds(record: Record) -> tuple[float, ...]:
    assert record.timing is not None
    return round_medians(record.timing)


def _seconds(record: Record) -> float:
    return quantile(_rounds(record), 0.5)
