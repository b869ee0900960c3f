"""A sweep in n parts that need not know of each other: `--shard 2/8`. Pure.

Whole comparison groups are dealt out, so that what a reader compares is measured on one machine. Every shard
works the same deal out for itself, with whole numbers only, so that all machines agree without talking.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.results.cell import Cell
from benchsuite.scenario.groups import groups, key

FIXED_COST = 100_000
"""Cost of a cell whatever its size (building, warm-up, the budget of its samples), in tokens."""
_WORD = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `index` of `count`; the first is 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def to_dict(self) -> dict[str, int]:
        """As it stands in a run's scenario.json, under `run.shard`."""
        return {"index": self.index, "count": self.count}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Shard:
        """Read what `to_dict` wrote."""
        return cls(int(data["index"]), int(data["count"]))


def parse_shard(text: str) -> Shard:
    """The shard that `--shard` names.

    Raises:
        UsageError: it is not of the form i/n with 1 ≤ i ≤ n.
    """
    match = _WORD.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--shard {text!r}: say which part of how many, such as 2/8")
    index, count = int(match[1]), int(match[2])
    if count < 1:
        raise UsageError(f"--shard {text!r}: there must be at least one part")
    if index == 0:
        raise UsageError(f"--shard {text!r}: the first part is 1/{count}; a counter from 0 needs 1 added")
    if index > count:
        raise UsageError(f"--shard {text!r}: there are only {count} parts, the last is {count}/{count}")
    return Shard(index, count)


def deal(cells: Sequence[Cell], count: int) -> tuple[tuple[int, ...], ...]:
    """Positions of the cells of each of `count` shards, in the order of the cells.

    The dearest group goes first, each to the shard that has least to do so far, so that shards end about
    together. The same cells give the same shards on every machine, in whatever order they come.

    Raises:
        UsageError: there are fewer comparison groups than shards.
    """
    whole = groups(cells)
    if count > len(whole):
        raise UsageError(
            f"--shard: {count} shards of {len(whole)} comparison groups would leave some with nothing to do "
            f"(a group is never split); use at most {len(whole)}"
        )
    by_cost = sorted((-sum(cost(cells[i]) for i in group), digest(cells[group[0]]), group) for group in whole)
    shards: list[list[int]] = [[] for _ in range(count)]
    loads = [(0, number) for number in range(count)]
    for negative, _, group in by_cost:
        load, number = heapq.heappop(loads)
        shards[number].extend(group)
        heapq.heappush(loads, (load - negative, number))
    return tuple(tuple(sorted(shard)) for shard in shards)


def only(
    shard: Shard, cells: Sequence[Cell], excluded: Sequence[tuple[Cell, str]]
) -> tuple[tuple[Cell, ...], tuple[tuple[Cell, str], ...]]:
    """The cells of a shard, and the excluded ones that go with it.

    An excluded cell goes with its group; the first shard takes those of which no group is left.

    Raises:
        UsageError: there are fewer comparison groups than shards.
    """
    own = tuple(cells[i] for i in deal(cells, shard.count)[shard.index - 1])
    everywhere, here = {key(cell) for cell in cells}, {key(cell) for cell in own}

    def goes_along(cell: Cell) -> bool:
        group = key(cell)
        return group in here or (shard.index == 1 and group not in everywhere)

    return own, tuple(pair for pair in excluded if goes_along(pair[0]))


def cost(cell: Cell) -> int:
    """Rough cost of a cell, known before anything is counted: a fixed part, and the tokens of a step."""
    return FIXED_COST + cell.tokens * cell.batch


def digest(cell: Cell) -> str:
    """Stable name of the cell's comparison group."""
    return hashlib.sha256(repr(key(cell)).encode()).hexdigest()[:16]
