"""A baseline of exact numbers: scenarios counted without a GPU and without time, and changes taken over."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from benchsuite.errors import UsageError
from benchsuite.findings.count_changes import Change, changes_of
from benchsuite.gate.accept import Accepted, accepted_of, by_label, unused
from benchsuite.gate.baseline import Baseline, BaselineCell, cell_of
from benchsuite.gate.formats.phrases import labels_of, one_line
from benchsuite.plugins import require_folders
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost, Record
from benchsuite.runner.workers import ProcessWorkers
from benchsuite.scenario.expand import expand_detailed
from benchsuite.scenario.load import load, resolve
from benchsuite.worker.worker_reply import WorkerReply
from benchsuite.zoo.catalogue import known_parameters

_DEVICE = "cpu"
"""What "auto" becomes in the cells' names; nothing is timed on it."""
TIMEOUT_S = 600.0
"""For counting one cell."""


def count_scenarios(
    references: Sequence[str], *, beside: Path = Path(), pythonpath: Sequence[str] = ()
) -> Baseline:
    """Count every cell of some scenarios, as they are without a profile.

    Args:
        references: names of shipped scenarios, or files.
        beside: folder that relative paths begin at.
        pythonpath: folders with modules of the user's own mixers.

    Raises:
        UsageError: no such scenario or folder, nothing to count, or a subject that does not take its
            arguments.
    """
    require_folders(pythonpath)
    cells = [cell for one in references for cell in _cells(_file(one, beside), pythonpath)]
    if not cells:
        raise UsageError("nothing to count: name a scenario that has cells")
    with closing(ProcessWorkers(pythonpath)) as workers:
        unique = list({cell.id: cell for cell in cells}.values())
        costs = workers.count(unique, TIMEOUT_S)
    counted = tuple(cell_of([_record(cell, cost)]) for cell, cost in zip(unique, costs, strict=True))
    name = ", ".join(dict.fromkeys(Path(one).stem for one in references))
    return Baseline(kind="exact", name=name, cells=counted, sources=tuple(references))


def renewed(
    old: Baseline, new: Baseline, accepted: Sequence[Accepted], *, cells: bool = False
) -> tuple[Baseline, tuple[str, ...], tuple[Accepted, ...]]:
    """The baseline, what was taken over in words, and what was accepted but is no change.

    Args:
        cells: take over cells that are new, gone, of another status, or no longer counted.
    """
    after = {cell.id: cell for cell in old.cells}
    names = labels_of({cell.id: cell.cell for cell in (*old.cells, *new.cells)})
    for shown in (names, labels_of({cell.id: cell.cell for cell in old.cells})):  # by the gate, by `show`
        accepted = by_label(accepted, shown)
    taken: list[str] = []
    every: list[Change] = []
    for cell in new.cells:
        before = after.get(cell.id)
        if before is None or before.outcome != cell.outcome:
            if cells:
                after[cell.id] = cell
                taken.append(f"{names[cell.id]}: {_outcomes(before, cell)}")
            continue
        changes = changes_of(cell.cell, before.counts, cell.counts)
        every += changes
        meant = accepted_of(changes, accepted)
        taken += [f"{names[cell.id]}:{one.metric} {one.old:,} → {one.new:,}" for one in meant]
        after[cell.id] = _with(before, cell, meant, whole=len(meant) == len(changes))
    if cells:
        for key in after.keys() - {cell.id for cell in new.cells}:
            del after[key]
            taken.append(f"{names[key]}: gone")
    return replace(old, cells=tuple(after.values())), tuple(taken), unused(every, accepted)


def _outcomes(old: BaselineCell | None, new: BaselineCell) -> str:
    """How a cell came, or changed its status; with what is lost where it has no numbers any more."""
    change = "new" if old is None else f"{old.outcome} → {new.outcome}"
    if new.outcome == "ok":
        return change
    lost = "its numbers leave the baseline, and " if old is not None and old.outcome == "ok" else ""
    return f"{change}; {lost}nothing of it is compared while it fails: {one_line(new.reason)}"


def _file(reference: str, beside: Path) -> str:
    path = Path(os.path.normpath(beside / reference))  # "new/../a.yaml" is there before the folder "new" is
    return str(path) if path.is_file() else reference


def _cells(reference: str, pythonpath: Sequence[str]) -> list[Cell]:
    scenario = load(resolve(reference), known_parameters(pythonpath))
    return list(expand_detailed(scenario, device=_DEVICE).cells)


def _record(cell: Cell, reply: WorkerReply[Cost]) -> Record:
    """Of a count that alone failed the record has the reason, and is "ok"."""
    failure = reply.failure
    return Record(
        id=cell.id,
        cell=cell,
        status=reply.status,
        failure=None if reply.status == "ok" else failure,
        cost=reply.value,
        not_counted=failure.message if reply.status == "ok" and failure else "",
        started_at="",
        seconds=0.0,
    )


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
