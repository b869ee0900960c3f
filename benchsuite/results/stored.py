"""Records that stay on disk until somebody looks at them, so that a sweep of any size fits into memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

from benchsuite.results.codec import decode
from benchsuite.results.record import Record


class StoredRecords(Mapping[str, Record]):
    """Cell → record, of a journal that is being written. What is known of a record is where its line begins.

    Args:
        journal: the file.
        kept: records that are in memory already, those of earlier sessions.
    """

    def __init__(self, journal: Path, kept: Mapping[str, Record]) -> None:
        self._journal = journal
        self._places: dict[str, Record | int] = dict(kept)

    def add(self, id: str, offset: int) -> None:
        """A record whose line begins there; it counts from now on."""
        self._places[id] = offset

    def __getitem__(self, id: str) -> Record:
        place = self._places[id]
        if isinstance(place, Record):
            return place
        with self._journal.open("rb") as file:
            file.seek(place)
            return decode(file.readline().decode("utf-8"))

    def __contains__(self, id: object) -> bool:
        return id in self._places  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class InOrder(Sequence[Record]):
    """Some of the records, in an order; each is read when it is asked for."""

    def __init__(self, records: Mapping[str, Record], ids: Sequence[str]) -> None:
        self._records = records
        self._ids = ids

    @overload
    def __getitem__(self, position: int) -> Record: ...
    @overload
    def __getitem__(self, position: slice) -> InOrder: ...
    def __getitem__(self, position: int | slice) -> Record | InOrder:
        if isinstance(position, slice):
            return InOrder(self._records, self._ids[position])
        return self._records[self._ids[position]]

    def __len__(self) -> int:
        return len(self._ids)
