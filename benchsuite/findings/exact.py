"""Counts of two runs of the same cells: numbers without noise, compared exactly. Pure.

A change here needs no statistics, explains or predicts a change of speed, and costs nothing to find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchsuite.results.record import Cell, Record

Counts = Mapping[str, int]


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

    read: Callable[[Record], Counts | None]
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
    "other_ops": _Group(lambda r: r.cost.other_ops if r.cost else None, _counter),
    "uncounted": _Group(lambda r: r.cost.uncounted if r.cost else None, _counter),
    "graphs": _Group(lambda r: {"": r.compilation.graphs} if r.compilation else None),
    "graph_breaks": _Group(lambda r: {"": r.compilation.graph_breaks} if r.compilation else None),
    "recompiles": _Group(lambda r: {"": r.compilation.recompiles} if r.compilation else None),
    "peak_allocated_bytes": _Group(
        lambda r: {"": r.memory.peak_allocated_bytes} if r.memory else None, _method
    ),
}
"""Name of a metric → where a record has it."""


def changes(old: Iterable[Record], new: Iterable[Record]) -> list[Change]:
    """Every exact number that differs in a cell, in the order of `new`.

    A cell or a number that only one side has is no change of a number. An operator that only one side calls
    is one: it is called 0 times on the other.
    """
    before = {record.id: record for record in old}
    return [
        change
        for after in new
        if after.id in before
        for metric, group in GROUPS.items()
        for change in _changed(metric, group, before[after.id], after)
    ]


def _changed(metric: str, group: _Group, before: Record, after: Record) -> Iterator[Change]:
    old, new = group.read(before), group.read(after)
    if old is None or new is None:
        return
    ways = group.means(before), group.means(after)
    note = f"counted by {ways[1]}, formerly by {ways[0]}" if all(ways) and ways[0] != ways[1] else ""
    for key in dict.fromkeys((*old, *new)):
        was, now = old.get(key, 0), new.get(key, 0)
        if was != now:
            yield Change(after.cell, f"{metric}.{key}" if key else metric, was, now, note)
