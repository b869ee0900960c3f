"""Records of a journal that is being written, read when somebody asks for one: a sweep of any size fits into
memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

from benchsuite.results.codec import decode
from benchsuite.results.record import Record


class StoredRecords(Mapping[str, Record]):
    """Cell → record, of a journal that is being written; read when somebody asks, so that a sweep of any size
    fits into memory. What is kept of a record is where its line begins.

    Args:
        journal: the file.
        kept: records that are in memory already, those of earlier sessions.
    """

    def __init__(self, journal: Path, kept: Mapping[str, Record]) -> None:
        self._journal = journal
        self._by_cell: dict[str, Record | int] = dict(kept)

    def add(self, id: str, offset: int) -> None:
        """A record whose line begins there; it counts from now on."""
        self._by_cell[id] = offset

    def __getitem__(self, id: str) -> Record:
        record = self._by_cell[id]
        if isinstance(record, Record):
            return record
        with self._journal.open("rb") as file:
            file.seek(record)
            return decode(file.readline().decode("utf-8"))

    def __contains__(self, id: object) -> bool:
        return id in self._by_cell  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_cell)

    def __len__(self) -> int:
        return len(self._by_cell)


class RecordsInOrder(Sequence[Record]):
    """Some of the records, in an order; each is read when it is asked for."""

    def __init__(self, records: Mapping[str, Record], ids: Sequence[str]) -> None:
        self._records = records
        self._ids = ids

    @overload
    def __getitem__(self, position: int) -> Record: ...
    @overload
    def __getitem__(self, position: slice) -> RecordsInOrder: ...
    def __getitem__(self, position: int | slice) -> Record | RecordsInOrder:
        if isinstance(position, slice):
            return RecordsInOrder(self._records, self._ids[position])
        return self._records[self._ids[position]]

    def __len__(self) -> int:
        return len(self._ids)


class RecordTail:
    """Reads the records that a journal has got since the last time, while somebody else writes it."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._offset = 0

    def read(self) -> Iterator[Record]:
        """New records. A line that is not whole yet is left for the next time, one that is no record out."""
        with contextlib.suppress(FileNotFoundError), self._journal.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                with contextlib.suppress(ValueError):
                    yield decode(line.decode("utf-8", errors="replace"))
