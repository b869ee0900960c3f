"""Comparison groups: the cells that a reader sets side by side, one after the other in each round. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchsuite.results.cell import Cell

SHARED = (
    "device",
    "dtype",
    "mode",
    "batch",
    "resolution",
    "stride",
    "dim",
    "memory_format",
    "cache",
    "threads",
    "allocator",
)
"""Axes on which cells of a group agree. They differ in subject, heads, kernel, compilation and protocol."""


def key(cell: Cell) -> tuple[Any, ...]:
    """What tells one comparison group from another: the shared axes, and the machine if a run has several."""
    return (*(getattr(cell, axis) for axis in SHARED), *filter(None, [cell.machine]))


def groups(cells: Sequence[Cell]) -> tuple[tuple[int, ...], ...]:
    """Positions of the cells of each group, groups and cells in the order of the first that was there."""
    members: dict[tuple[Any, ...], list[int]] = {}
    for position, cell in enumerate(cells):
        members.setdefault(key(cell), []).append(position)
    return tuple(tuple(positions) for positions in members.values())
