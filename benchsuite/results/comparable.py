"""Conditions under which times of two CPU cells are comparable, beyond their axes: threads and allocator
really used. Pure.

On a GPU neither moves a time: its work is launched by one thread, and torch keeps its memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchsuite.errors import NotComparableError
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Record

Manner = tuple[int, str]
"""Threads of torch, and allocator, with which a cell was timed (`Timing.threads`, `Timing.allocator`)."""
_ALLOCATORS: Mapping[str, str] = {"retain": "retained memory", "system": "the system's allocator"}
_NAMED = 3
"""Number of cells that a message names."""


def manner(record: Record) -> Manner | None:
    """Threads and allocator that the cell was timed with; None where they move no time, or there is none."""
    if record.timing is None or not kind_of(record.cell.device).on_host:
        return None
    return record.timing.threads, record.timing.allocator


def apart(left: Manner | None, other: Manner | None) -> str:
    """Reason why two times cannot be compared: "1 thread and 2 threads"; empty if they can."""
    if left is None or other is None:
        return ""
    sides = zip(_words(left), _words(other), strict=True)
    return "; ".join(f"{here} and {there}" for here, there in sides if here != there)


def words(found: Manner) -> str:
    """ "2 threads, retained memory"."""
    return ", ".join(_words(found))


def require_alike(runs: Sequence[tuple[str, Iterable[Record]]]) -> None:
    """Refuse runs that timed the same cell with other threads or another allocator.

    Args:
        runs: name of each, and its records.

    Raises:
        NotComparableError: some cell was timed so.
    """
    first: dict[str, tuple[str, Record]] = {}
    wrong: dict[str, str] = {}
    for name, records in runs:
        for record in records:
            if manner(record) is None:
                continue
            base, before = first.setdefault(record.id, (name, record))
            if why := apart(manner(before), manner(record)):
                wrong.setdefault(record.id, f"  {record.id}  {why} ({base} and {name})")
    if wrong:
        lines = list(wrong.values())
        more = [f"  … and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else []
        raise NotComparableError(
            "\n".join(
                [
                    f"not comparable: {len(lines)} cell{'s' if len(lines) > 1 else ''} timed with other "
                    "threads or another allocator",
                    *lines[:_NAMED],
                    *more,
                    "  measure one of them anew with measure.threads and measure.allocator of the other",
                ]
            )
        )


def _words(found: Manner) -> tuple[str, str]:
    threads, allocator = found
    return f"{threads} thread{'' if threads == 1 else 's'}", _ALLOCATORS.get(allocator, allocator)
