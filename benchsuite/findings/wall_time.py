"""Wall time of a sweep by what it was spent on. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from benchsuite.results.record import Record, Spent

REST = "else"
"""Part of what no other part holds: records, reading the state of the machine, the parent between cells."""


def seconds_of(record: Record) -> dict[str, float]:
    """Part → seconds of a cell over all its rounds; `REST` is what is left of `record.seconds`."""
    timing, spent = record.timing, record.spent or Spent()
    parts = {
        "measured steps": timing.calls_per_sample * sum(timing.samples_s) if timing else 0.0,
        "memory pass": spent.inspection_s,
        "warm-up": timing.warmup_s if timing else 0.0,
        "builds": spent.build_s,
        "start of processes": spent.start_s,
    }
    return parts | {REST: max(0.0, record.seconds - sum(parts.values()))}


def shares(records: Iterable[Record], wall_s: float) -> dict[str, float]:
    """Part → share of the wall time of a sweep; they sum to 1.

    Args:
        wall_s: of the whole sweep. Where workers have measured side by side it is less than what their cells
            took, and shares are of the latter.
    """
    parts: dict[str, float] = {}
    for record in records:
        for part, seconds in seconds_of(record).items():
            parts[part] = parts.get(part, 0.0) + seconds
    between = max(0.0, wall_s - sum(parts.values()))
    parts[REST] = parts.get(REST, 0.0) + between
    whole = sum(parts.values()) or 1.0
    return {part: seconds / whole for part, seconds in parts.items()}
