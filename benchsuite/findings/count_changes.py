"""Counts of two runs of the same cells: numbers without noise, compared exactly. Pure.

A change here needs no statistics, explains or predicts a change of speed, and costs nothing to find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from benchsuite.results.cell import Cell
from benchsuite.results.record import Record

_BY_CALLS = ("other_ops", "uncounted")
"""Groups with a number for each operator: one that is not there is called 0 times."""


@dataclass(frozen=True, slots=True)
class Change:
    """One number of one cell that is not what it was.

    Attributes:
        metric: "macs", or "other_ops.softmax" for one of several.
        note: what else changed that may be the whole reason; empty if nothing did.
    """

    cell: Cell
    metric: str
    old: int
    new: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Group:
    """Numbers that a record holds together.

    Attributes:
        read: record → key → number; None where the record has none of them.
        means: by what it was counted, so that two ways are told apart.
    """

    read: Callable[[Record], Mapping[str, int] | None]
    means: Callable[[Record], str] = lambda _: ""


def _counter(record: Record) -> str:
    return record.cost.counter if record.cost else ""


def _method(record: Record) -> str:
    return record.memory.method if record.memory else ""


GROUPS: Mapping[str, _Group] = {
    "params": _Group(lambda r: {"": r.cost.params} if r.cost else None),
    "trainable_params": _Group(
        lambda r: {"": r.cost.trainable_params} if r.cost and r.cost.trainable_params is not None else None
    ),
    "macs": _Group(lambda r: {"": r.cost.macs} if r.cost else None, _counter),
    "other_ops": _Group(lambda r: r.cost.other_ops if r.cost else None),
    "uncounted": _Group(lambda r: r.cost.uncounted if r.cost else None),
    "graphs": _Group(lambda r: {"": r.compilation.graphs} if r.compilation else None),
    "graph_breaks": _Group(lambda r: {"": r.compilation.graph_breaks} if r.compilation else None),
    "recompiles": _Group(lambda r: {"": r.compilation.recompiles} if r.compilation else None),
    "peak_allocated_bytes": _Group(
        lambda r: {"": r.memory.peak_allocated_bytes} if r.memory else None, _method
    ),
}
"""Name of a metric → where a record has it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The exact numbers of a cell.

    Attributes:
        numbers: by name: "macs", "other_ops.softmax".
        ways: what counted or read them, by group, where that is known: {"macs": "fvcore 0.1.5"}.
    """

    numbers: Mapping[str, int]
    ways: Mapping[str, str]


def counts_of(record: Record) -> Counts:
    """The exact numbers of a record."""
    numbers = {
        f"{name}.{key}" if key else name: number
        for name, group in GROUPS.items()
        for key, number in (group.read(record) or {}).items()
    }
    return Counts(numbers, {name: way for name, group in GROUPS.items() if (way := group.means(record))})


def changes(old: Iterable[Record], new: Iterable[Record]) -> list[Change]:
    """Every exact number that differs in a cell, in the order of `new`; a cell of one side only has none."""
    before = {record.id: record for record in old}
    return [
        change
        for after in new
        if after.id in before
        for change in changes_of(after.cell, counts_of(before[after.id]), counts_of(after))
    ]


def changes_of(cell: Cell, old: Counts, new: Counts) -> list[Change]:
    """Every exact number of one cell that differs.

    A group of numbers that only one side has is no change of a number. An operator that only one side calls
    is one: it is called 0 times on the other.
    """
    groups = [{name.partition(".")[0] for name in side.numbers} for side in (old, new)]
    for known in groups:
        known.update(_BY_CALLS if "macs" in known else ())
    found = []
    for name in dict.fromkeys((*old.numbers, *new.numbers)):
        group = name.partition(".")[0]
        was, now = old.numbers.get(name, 0), new.numbers.get(name, 0)
        if was != now and all(group in known for known in groups):
            found.append(Change(cell, name, was, now, _note(group, old, new)))
    return found


def _note(group: str, old: Counts, new: Counts) -> str:
    counted = "macs" if group in _BY_CALLS else group
    before, after = old.ways.get(counted, ""), new.ways.get(counted, "")
    return f"counted by {after}, formerly by {before}" if before and after and before != after else ""
