"""A baseline of exact numbers with those changes taken over that somebody has named. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchsuite.analyse.baseline import Baseline, BaselineCell, changes_of
from benchsuite.analyse.exact import Change
from benchsuite.analyse.exact_policy import Accepted, accepted_of, unused


def renewed(
    old: Baseline, new: Baseline, accepted: Sequence[Accepted], *, cells: bool = False
) -> tuple[Baseline, tuple[str, ...], tuple[Accepted, ...]]:
    """The baseline, what was taken over in words, and what was accepted but is no change.

    Args:
        cells: take over cells that are new, gone, of another status, or no longer counted.
    """
    after = {cell.id: cell for cell in old.cells}
    taken: list[str] = []
    every: list[Change] = []
    for cell in new.cells:
        before = after.get(cell.id)
        if before is None or before.outcome != cell.outcome:
            if cells:
                after[cell.id] = cell
                taken.append(
                    f"{cell.id}: {'new' if before is None else f'{before.outcome} → {cell.outcome}'}"
                )
            continue
        changes = changes_of(before, cell)
        every += changes
        meant = accepted_of(changes, accepted)
        taken += [f"{cell.id}:{one.metric} {one.old:,} → {one.new:,}" for one in meant]
        after[cell.id] = _with(before, cell, meant, whole=len(meant) == len(changes))
    if cells:
        for key in after.keys() - {cell.id for cell in new.cells}:
            del after[key]
            taken.append(f"{key}: gone")
    return replace(old, cells=tuple(after.values())), tuple(taken), unused(every, accepted)


def _with(old: BaselineCell, new: BaselineCell, meant: Sequence[Change], *, whole: bool) -> BaselineCell:
    """The old cell with the numbers that are meant; with what counted them, if nothing else changed."""
    if not meant:
        return old
    numbers = dict(old.numbers)
    for one in meant:
        if one.metric in new.numbers:
            numbers[one.metric] = one.new
        else:
            numbers.pop(one.metric, None)
    return replace(old, numbers=numbers, ways=new.ways if whole else old.ways)
