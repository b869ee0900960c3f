"""Which cells a claim compares: those of its two sides, setting by setting. Pure.

A *setting* is a combination of values of all axes but those that are compared. The mixer always is, and so is
every axis that the filters of the two sides name differently: `mixer=HiLo kernel=sdpa` against
`mixer=HiLo kernel=math` compares kernels at every resolution. What is counted and not timed depends on sizes
alone, so there only sizes make a setting, and cells of one mixer are one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.results.record import SETTINGS, Cell
from benchsuite.scenario import filters
from benchsuite.scenario.claim_model import Claim

_SIZES = ("resolution", "stride", "dim", "num_heads")
_COUNTED = ("params", "macs")
_SAME_AS: Mapping[str, tuple[str, ...]] = {"tokens": ("resolution", "stride")}
"""What a filter names without naming the axes that decide it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One setting in which both sides have cells; a sound claim has one `distinct` cell on each.

    Attributes:
        setting: axis → value, as in a `Cell`.
        subject, against: positions of the cells.
    """

    setting: Mapping[str, Any]
    subject: tuple[int, ...]
    against: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The cells of both sides, and the settings that they share, in the order of the subject's cells.

    Attributes:
        subject, against: positions of all cells of each side, paired or not.
        apart: axis → the values of each side, where they have none in common; the reason for no pairs.
    """

    subject: tuple[int, ...]
    against: tuple[int, ...]
    pairs: tuple[Pair, ...]
    apart: Mapping[str, tuple[tuple[Any, ...], tuple[Any, ...]]]


def pairing(claim: Claim, cells: Sequence[Cell]) -> Pairing:
    """The comparisons that a claim speaks of, among these cells."""
    where = filters.parse(claim.where or "")
    allowed = [i for i, cell in enumerate(cells) if where.matches(cell) and on_device(claim, cell)]
    sides = filters.side(claim.subject), filters.side(claim.against)
    subject, against = (tuple(i for i in allowed if side.matches(cells[i])) for side in sides)
    axes = _setting_axes(sides, [cells[i] for i in subject], [cells[i] for i in against])
    if claim.metric in _COUNTED:
        axes = tuple(axis for axis in axes if axis in _SIZES)
    left, right = _by_setting(subject, cells, axes), _by_setting(against, cells, axes)
    pairs = tuple(
        Pair(dict(zip(axes, setting, strict=True)), left[setting], right[setting])
        for setting in left
        if setting in right
    )
    return Pairing(subject, against, pairs, {} if pairs else _apart(left, right, axes))


def on_device(claim: Claim, cell: Cell) -> bool:
    """Whether the claim speaks of the cell's class of devices."""
    return claim.device is None or cell.device.partition(":")[0] == claim.device


def distinct(claim: Claim, chosen: Sequence[int], cells: Sequence[Cell]) -> tuple[int, ...]:
    """The cells of one side that may differ in the claim's metric: one of each mixer if it is counted."""
    if claim.metric not in _COUNTED:
        return tuple(chosen)
    return tuple({cells[i].name: i for i in reversed(chosen)}.values())[::-1]


def _setting_axes(
    sides: tuple[filters.Selection, filters.Selection], subject: Sequence[Cell], against: Sequence[Cell]
) -> tuple[str, ...]:
    """The axes that make a setting.

    Heads are part of a mixer where each side has one number of them: a scenario may give its mixers the heads
    that their papers do.
    """
    differently = set(sides[0].terms) ^ set(sides[1].terms)
    compared = {axis for term in differently for axis in _SAME_AS.get(term.axis, (term.axis,))}
    if all(len({cell.num_heads for cell in side}) <= 1 for side in (subject, against)):
        compared.add("num_heads")
    return tuple(axis for axis in SETTINGS if axis not in compared)


def _by_setting(
    chosen: Sequence[int], cells: Sequence[Cell], axes: Sequence[str]
) -> dict[tuple[Any, ...], tuple[int, ...]]:
    found: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for i in chosen:
        setting = tuple(getattr(cells[i], axis) for axis in axes)
        found[setting] = (*found.get(setting, ()), i)
    return found


def _apart(
    left: Mapping[tuple[Any, ...], Any], right: Mapping[tuple[Any, ...], Any], axes: Sequence[str]
) -> dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]]:
    found = {}
    for position, axis in enumerate(axes):
        ours = tuple(dict.fromkeys(setting[position] for setting in left))
        theirs = tuple(dict.fromkeys(setting[position] for setting in right))
        if ours and theirs and not set(ours) & set(theirs):
            found[axis] = (ours, theirs)
    return found
