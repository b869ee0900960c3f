"""Shards and partial runs of one scenario, joined into one run folder: `benchsuite merge`.

The new folder appears whole or not at all. The runs are left as they are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchsuite.errors import NotComparableError, RunFolderError, StorageError
from benchsuite.io import LOCK, write_json
from benchsuite.results.join import Conflict, JournalEntry, Journals, Sessions, index, join, mixed, overlap
from benchsuite.results.store import (
    RECORDS,
    SCENARIO,
    check_free,
    check_unlocked,
    environment_file,
    read_environments,
    read_scenario,
    require_run,
)
from benchsuite.scenario.groups import groups, key
from benchsuite.scenario.stored_scenario import Stored, cells, how_to_go_on, joined, machines, stored

_NAMED = 3
"""How many cells a message names."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge brought.

    Attributes:
        records: in the new folder.
        twice: records that stood in more than one run with the same result.
        machines: their names, where cells are told apart by machine.
        missing: cells of the scenario that no run has.
        go_on: what measures them.
        notes: what a person should know of the runs.
    """

    folder: Path
    records: int
    machines: tuple[str, ...]
    twice: int
    missing: tuple[str, ...]
    go_on: str
    notes: tuple[str, ...]


def merge(
    paths: Sequence[Path],
    out: Path,
    *,
    on_conflict: str = "refuse",
    complete: bool = False,
    mixed_versions: bool = False,
) -> Merged:
    """Join run folders into a new one, the records in the order of the scenario.

    Where several machines have measured the same cell, the name of its machine becomes part of every cell.

    Args:
        on_conflict: a key of `results.join.CHOICES`: what counts where runs differ in a cell.
        complete: refuse if cells of the scenario are missing.
        mixed_versions: join runs of different versions of benchsuite.

    Raises:
        RunFolderError: a run is none, is being written or is of another scenario; results conflict; cells are
            missing though `complete`; `out` is taken.
        RecordVersionError: a newer benchsuite wrote a record.
        NotComparableError: cells that are compared were timed with other threads or another allocator.
        StorageError: `out` could not be written.
    """
    runs = _readable(paths)
    check_free(out)
    document = joined(runs)
    sessions, numbers = _sessions(paths)
    if not mixed_versions:
        _require_one_version(sessions.environments)
    indexes, wrong = _indexes(paths, sessions, numbers)
    if overlap(indexes):
        document = joined(runs, _one_machine_each(paths, sessions, numbers))
        indexes, wrong = _indexes(paths, sessions, numbers, named=True)
    journals = Journals(paths)
    try:
        entries, twice, conflicts = join(indexes, journals, on_conflict)
        if conflicts:
            raise RunFolderError(_told(conflicts, paths))
        _require_alike(document, entries)
        ordered, missing, more = _in_order(document, entries)
        if missing and complete:
            raise RunFolderError(f"{_missing(missing)}; nothing was merged (--complete)")
        _write(out, document, sessions.environments, journals, ordered)
    finally:
        journals.close()
    notes = (*_shards(runs), *wrong, *more)
    return Merged(out, len(ordered), machines(document), twice, missing, how_to_go_on(document, out), notes)


def _readable(paths: Sequence[Path]) -> list[Stored]:
    """The scenario of each run that can be read and is not being written; raises RunFolderError."""
    for path in paths:
        require_run(path)
        check_unlocked(path)
    return [stored(str(path), read_scenario(path)) for path in paths]


def _sessions(paths: Sequence[Path]) -> tuple[Sessions, list[dict[int, int]]]:
    """All machines, and for each run its session numbers → those over all runs."""
    sessions = Sessions()
    numbers = []
    for path in paths:
        own = read_environments(path) or {1: {}}
        numbers.append({session: sessions.number(machine) for session, machine in own.items()})
    return sessions, numbers


def _indexes(
    paths: Sequence[Path], sessions: Sessions, numbers: Sequence[Mapping[int, int]], *, named: bool = False
) -> tuple[list[dict[str, JournalEntry]], list[str]]:
    """What each run holds, and what is wrong with lines."""
    indexes, wrong = [], []
    for i, (path, own) in enumerate(zip(paths, numbers, strict=True)):
        indexed, here = index(path, i, own, sessions.names(own), named=named)
        indexes.append(indexed)
        wrong += here
    return indexes, wrong


def _one_machine_each(
    paths: Sequence[Path], sessions: Sessions, numbers: Sequence[Mapping[int, int]]
) -> list[str]:
    """The name of the machine of each run.

    Raises:
        RunFolderError: a run is of several.
    """
    machines = []
    for path, own in zip(paths, numbers, strict=True):
        names = list(dict.fromkeys(sessions.names(own).values()))
        if len(names) > 1:
            raise RunFolderError(
                f"{path}: is of several machines ({'; '.join(names)}), and another run has measured the same "
                "cells on one machine more; merge runs of one machine each"
            )
        machines += names
    return machines


def _require_one_version(environments: Sequence[Mapping[str, Any]]) -> None:
    versions = [(one.get("packages") or {}).get("benchsuite") for one in environments]
    names = sorted({str(version) for version in versions if version})
    if len(names) > 1:
        raise RunFolderError(
            f"the runs are of several versions of benchsuite: {', '.join(names)}. Numbers may mean something "
            "else in each (CHANGELOG.md says where they do); if they do not, use --mixed-versions"
        )


def _require_alike(document: Mapping[str, Any], entries: Mapping[str, JournalEntry]) -> None:
    measured, _ = cells(document)
    sets = [[measured[i].id for i in places] for places in groups(measured)]
    if wrong := mixed(entries, sets):
        lines = [f"  {one} and {other}: {why}" for one, other, why in wrong[:_NAMED]]
        more = [f"  … and in {len(wrong) - _NAMED} more groups"] if len(wrong) > _NAMED else []
        raise NotComparableError(
            "\n".join(
                [
                    "not comparable: cells of one comparison group were timed with other threads or another "
                    "allocator",
                    *lines,
                    *more,
                    "  nothing was merged; measure them anew with the same measure.threads and "
                    "measure.allocator",
                ]
            )
        )


def _shards(runs: Sequence[Stored]) -> Iterable[str]:
    """Shards that are not there, that are there twice, or that are parts of different wholes."""
    shards = [run.shard for run in runs if run.shard is not None]
    counts = sorted({count for _, count in shards})
    if len(counts) > 1:
        yield f"the runs are shards of {' and of '.join(map(str, counts))} parts; these may overlap"
    for count in counts:
        there = Counter(i for i, of in shards if of == count)
        if absent := [str(i) for i in range(1, count + 1) if i not in there]:
            which = ", ".join(absent[:10]) + (" …" if absent[10:] else "")
            yield f"of {count} shards these are not among the runs: {which}"
        if again := [str(i) for i, times in sorted(there.items()) if times > 1]:
            yield f"shard {', '.join(again)} of {count} was named more than once"


def _in_order(
    document: Mapping[str, Any], entries: Mapping[str, JournalEntry]
) -> tuple[list[JournalEntry], tuple[str, ...], list[str]]:
    """Records in the order of the scenario, the cells that have none, and what is odd about the whole."""
    measured, excluded = cells(document)
    ids = [cell.id for cell in measured]
    ordered = [entries[id] for id in ids if id in entries]
    ordered += [entries[id] for id in (cell.id for cell in excluded) if id in entries]
    missing = tuple(id for id in ids if id not in entries)
    notes = []
    if missing:
        notes.append(_missing(missing))
    known = {*ids, *(cell.id for cell in excluded)}
    if strange := [id for id in entries if id not in known]:
        ordered += [entries[id] for id in strange]
        notes.append(f"records of no cell of the scenario: {len(strange)} ({_few(strange)})")
    machines: dict[tuple[Any, ...], set[int]] = {}
    for id, cell in zip(ids, measured, strict=True):
        if id in entries and entries[id].status != "skipped":
            machines.setdefault(key(cell), set()).add(entries[id].session)
    if several := sum(len(sessions) > 1 for sessions in machines.values()):
        notes.append(
            f"comparison groups measured in more than one session: {several} of {len(machines)}; within "
            "them, differences may be those of machines"
        )
    return ordered, missing, notes


def _missing(ids: Sequence[str]) -> str:
    return f"cells of the scenario that no run has: {len(ids)} ({_few(ids)})"


def _few(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + more


def _told(conflicts: Sequence[Conflict], paths: Sequence[Path]) -> str:
    lines = [f"cells with different results in two runs: {len(conflicts)}"]
    for conflict in conflicts[:_NAMED]:
        sides = (
            f"{paths[one.run]} ({one.status}, {one.started_at})" for one in (conflict.one, conflict.other)
        )
        lines.append(f"  {conflict.id}  {' and '.join(sides)}")
    if len(conflicts) > _NAMED:
        lines.append(f"  … and {len(conflicts) - _NAMED} more")
    lines.append("  say which counts: --on-conflict first, last, newest, or ok (the one that succeeded)")
    return "\n".join(lines)


def _write(
    out: Path,
    document: Mapping[str, Any],
    environments: Sequence[Mapping[str, Any]],
    journals: Journals,
    ordered: Sequence[JournalEntry],
) -> None:
    """Write the run beside `out` and move it there."""
    half = out.absolute().with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        half.mkdir(parents=True)
        write_json(half / SCENARIO, document)
        for session, environment in enumerate(environments, start=1):
            write_json(half / environment_file(session), environment)
        with (half / RECORDS).open("wb") as file:
            for line in journals.lines(ordered):
                file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        for left in (LOCK, "scenario.tmp"):  # by a run that was killed before it began
            with contextlib.suppress(FileNotFoundError):
                (out / left).unlink()
        if out.is_dir():
            out.rmdir()
        half.rename(out)
    except OSError as error:
        raise StorageError(
            f"{out}: the merged run cannot be written: {error.strerror}; nothing is lost"
        ) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
