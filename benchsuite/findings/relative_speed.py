"""Speeds of the fastest of each setting relative to the others, by the one rule of evidence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.results.machine import noise_of
from benchsuite.results.record import SETTINGS, Cell, Record
from benchsuite.results.round_timings import round_medians
from benchsuite.stats.evidence import Decision, Question, decide, paired
from benchsuite.stats.intervals import quantile


@dataclass(frozen=True, slots=True)
class Relative:
    """One setting.

    Attributes:
        fastest: the cell with the shortest time.
        others: the other cells, the faster first, each with the decision on how many times as fast as it the
            fastest is; "above" where that is sure.
    """

    fastest: Cell
    others: tuple[tuple[Cell, Decision], ...]


def relative(records: Sequence[Record], environment: Mapping[str, Any]) -> list[Relative]:
    """The timed cells of one run, setting by setting; a setting with fewer than two of them is left out.

    All pairs are one family, and ratios are paired by rounds.
    """
    settings: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        if record.timing is not None:
            settings.setdefault(_setting(record.cell), []).append(record)
    ranked = [sorted(here, key=_seconds) for here in settings.values() if len(here) > 1]
    noise = noise_of(environment)
    decisions = decide(
        {
            (first.id, other.id): Question(paired(_rounds(other), _rounds(first)), noise=noise)
            for first, *others in ranked
            for other in others
        }
    )
    return [
        Relative(first.cell, tuple((other.cell, decisions[first.id, other.id]) for other in others))
        for first, *others in ranked
    ]


def _setting(cell: Cell) -> tuple[Any, ...]:
    """All axes but the kernel, which belongs to what is compared."""
    return tuple(getattr(cell, axis) for axis in SETTINGS if axis != "kernel")


def _rounds(record: Record) -> tuple[float, ...]:
    assert record.timing is not None
    return round_medians(record.timing)


def _seconds(record: Record) -> float:
    return quantile(_rounds(record), 0.5)
