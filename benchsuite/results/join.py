"""Several run folders as one: which record of a cell counts, and the lines that go into the merged journal.

Lines stay text. One record at a time is decoded to check it; what is kept of it is where its line stands, so
that memory grows by some hundred bytes a cell and not with the samples.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from benchsuite.results.codec import decode, encode
from benchsuite.results.comparable import Manner, apart, manner
from benchsuite.results.machine import machine_name
from benchsuite.results.record import Record
from benchsuite.results.store import RECORDS, each_line

CHOICES: Mapping[str, str] = {
    "refuse": "name the cells and merge nothing",
    "first": "the run that was named first",
    "last": "the run that was named last",
    "newest": "the record that was begun last",
    "ok": "the one that succeeded; two that both did, or both did not, are refused",
}
"""What may be done where runs have different results of a cell. None looks at the numbers: to keep the faster
of two is to choose one's results."""
_SESSION = re.compile(rb'"session":(\d+)')
_OPEN_FILES = 64


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Where the record of a cell stands.

    Attributes:
        run: position of its run among those that are merged.
        offset, size: its line in that run's journal, without the newline.
        session: its machine, numbered over all runs.
        digest: of its line with that number in it.
        machine: name of the one that it was measured on.
        manner: threads and allocator it was timed with; None where they move no time.
        named: whether the name of the machine becomes part of the cell.
    """

    run: int
    offset: int
    size: int
    session: int
    status: str
    started_at: str
    digest: bytes
    machine: str = ""
    manner: Manner | None = None
    named: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """A cell with two results."""

    id: str
    one: JournalEntry
    other: JournalEntry


class Sessions:
    """The machines of all runs, each environment once, numbered from 1 in the order in which they come."""

    def __init__(self) -> None:
        self.environments: list[Mapping[str, Any]] = []

    def number(self, environment: Mapping[str, Any]) -> int:
        """The number of this environment; a new one if nothing equal was there before."""
        if environment not in self.environments:
            self.environments.append(environment)
        return self.environments.index(environment) + 1

    def names(self, numbers: Mapping[int, int]) -> dict[int, str]:
        """Number of a session in a run → the name of its machine.

        Args:
            numbers: that number → the one over all runs.
        """
        return {own: machine_name(self.environments[number - 1]) for own, number in numbers.items()}


def index(
    path: Path, run: int, sessions: Mapping[int, int], machines: Mapping[int, str], *, named: bool = False
) -> tuple[dict[str, JournalEntry], list[str]]:
    """Cell → its record in a run folder, where the later line counts, and what is wrong with lines.

    Args:
        run: position of the run among those that are merged.
        sessions: number of a session in this run → its number over all runs.
        machines: number of a session in this run → the name of its machine.
        named: make that a part of every cell that was measured.

    Raises:
        RecordVersionError: a newer benchsuite wrote a record.
    """
    entries: dict[str, JournalEntry] = {}
    wrong: list[str] = []
    for line, record in each_line(path / RECORDS, wrong):
        session = sessions.get(record.session, record.session)
        machine = machines.get(record.session, "")
        renamed = named and record.status != "skipped"
        if renamed:
            record = on_machine(record, machine)
        raw = rewritten(line.raw, session, record if renamed else None)
        entries.pop(record.id, None)
        entries[record.id] = JournalEntry(
            run=run,
            offset=line.offset,
            size=len(line.raw),
            session=session,
            status=record.status,
            started_at=record.started_at,
            digest=hashlib.blake2b(raw, digest_size=16).digest(),
            machine=machine,
            manner=manner(record),
            named=renamed,
        )
    return entries, wrong


def on_machine(record: Record, machine: str) -> Record:
    """The record with the name of its machine as a part of its cell."""
    cell = replace(record.cell, machine=machine)
    return replace(record, id=cell.id, cell=cell)


def rewritten(raw: bytes, session: int, record: Record | None = None) -> bytes:
    """A line with another session number, otherwise as it stands.

    Args:
        record: what the line shall say, if that is more.
    """
    numbers = _SESSION.findall(raw)
    if record is None and numbers == [b"%d" % session]:
        return raw
    if record is None and len(numbers) == 1:
        return _SESSION.sub(b'"session":%d' % session, raw)
    # A parameter of the mixer is called so, too, or the number is left out.
    return encode(replace(record or decode(raw.decode("utf-8")), session=session)).encode()


def same_result(one: Record, other: Record) -> bool:
    """Whether two records of a cell say the same.

    Where nothing was timed it does not matter when that was found out: a kernel that there is not is the same
    finding twice. Two timings are the same only if one is a copy of the other.
    """
    beside: dict[str, Any] = {
        "session": 1,
        "started_at": "",
        "seconds": 0.0,
        "attempts": 1,
        "conditions": None,
    }
    if one.timing is not None or other.timing is not None:
        beside = {"session": 1}
    return replace(one, **beside) == replace(other, **beside)


def chosen(one: JournalEntry, other: JournalEntry, how: str) -> JournalEntry | None:
    """Which of two different results counts; None if `how` does not say. `one` is of the run named first."""
    if how == "first":
        return one
    if how == "last":
        return other
    if how == "newest":
        return one if one.started_at > other.started_at else other
    if how == "ok" and (one.status == "ok") != (other.status == "ok"):
        return one if one.status == "ok" else other
    return None


class Journals:
    """The journals of all runs, open for reading; few at a time, however many runs there are."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._open: dict[int, IO[bytes]] = {}

    def raw(self, entry: JournalEntry) -> bytes:
        """The line of a record, as its run has it."""
        file = self._open.get(entry.run)
        if file is None:
            if len(self._open) >= _OPEN_FILES:
                self._open.pop(next(iter(self._open))).close()
            file = self._open[entry.run] = (self._paths[entry.run] / RECORDS).open("rb")
        file.seek(entry.offset)
        return file.read(entry.size)

    def record(self, entry: JournalEntry) -> Record:
        return decode(self.raw(entry).decode("utf-8", errors="replace"))

    def lines(self, entries: Sequence[JournalEntry]) -> Iterator[bytes]:
        """The lines of these records with the session numbers, and machines, that they have over all runs."""
        for entry in entries:
            record = on_machine(self.record(entry), entry.machine) if entry.named else None
            yield rewritten(self.raw(entry), entry.session, record)

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()


def join(
    indexes: Sequence[Mapping[str, JournalEntry]], journals: Journals, how: str
) -> tuple[dict[str, JournalEntry], int, list[Conflict]]:
    """One record a cell.

    Args:
        how: a key of `CHOICES`.

    Returns:
        Cell → its record, how many records stood twice with the same result, and the cells with two results
        that `how` does not decide.
    """
    joined: dict[str, JournalEntry] = {}
    twice = 0
    conflicts: list[Conflict] = []
    for entries in indexes:
        for id, entry in entries.items():
            before = joined.setdefault(id, entry)
            if before is entry:
                continue
            if before.digest == entry.digest or same_result(journals.record(before), journals.record(entry)):
                twice += 1
            elif (choice := chosen(before, entry, how)) is not None:
                joined[id] = choice
            else:
                conflicts.append(Conflict(id, before, entry))
    return joined, twice, conflicts


def overlap(indexes: Sequence[Mapping[str, JournalEntry]]) -> bool:
    """True if two machines have results of one cell, of which one at least is a success."""
    before: dict[str, JournalEntry] = {}
    for id, entry in (item for entries in indexes for item in entries.items()):
        other = before.setdefault(id, entry)
        if other.machine != entry.machine and "ok" in (other.status, entry.status):
            return True
    return False


def mixed(entries: Mapping[str, JournalEntry], groups: Iterable[Sequence[str]]) -> list[tuple[str, str, str]]:
    """Two cells of each group that one machine timed with other threads or another allocator, and how.

    Args:
        groups: ids of the cells that are set side by side.
    """
    pairs = []
    for ids in groups:
        first: dict[str, str] = {}
        for id in (id for id in ids if id in entries and entries[id].manner):
            base = first.setdefault(entries[id].machine, id)
            if why := apart(entries[base].manner, entries[id].manner):
                pairs.append((base, id, why))
                break
    return pairs
