"""The rounds of a run that is under way: a journal of visits, so that a killed run goes on where it ended.

One line a visit: the number of its round, and a record of that round alone. Where a round of a cell stands
twice, the later line counts. The file is there as long as cells have rounds and no record.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchsuite.errors import StorageError
from benchsuite.results.codec import decode, encode
from benchsuite.results.journal import lines
from benchsuite.results.record import Record

VISITS = "rounds.jsonl"


class VisitJournal:
    """Appends the visits of a run, each in the file before the next begins.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / VISITS
        if self._path.is_file():
            _cut_torn_line(self._path)
        self._file = self._path.open("ab", buffering=0)

    def append(self, number: int, visit: Record) -> None:
        """Write the visit of a round, the first being 0.

        Raises:
            StorageError: it could not be written; the file is as it was before.
        """
        line = f'{{"round":{number},"visit":{encode(visit)}}}\n'.encode()
        before = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), before)
            raise StorageError(
                f"{self._path}: a round of {visit.id} cannot be written: {error.strerror}. What was measured "
                f"before is safe; when there is room again, go on with: "
                f"benchsuite run --resume {self._path.parent}"
            ) from error

    def close(self) -> None:
        self._file.close()


def read_visits(folder: Path) -> Mapping[str, list[Record]]:
    """Cell → its visits from the first round on, of a run that was broken off. A line that is no visit is
    left out: its round, and those behind it, are measured again."""
    found: dict[str, dict[int, Record]] = {}
    for line in lines(folder / VISITS):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            data = json.loads(line.text)
            visit = decode(json.dumps(data["visit"]))
            if visit.timing is not None:
                found.setdefault(visit.id, {})[int(data["round"])] = visit
    return {cell: list(_without_gap(rounds)) for cell, rounds in found.items() if 0 in rounds}


def _without_gap(rounds: Mapping[int, Record]) -> Iterator[Record]:
    for number in itertools.count():
        if number not in rounds:
            return
        yield rounds[number]


def remove_visits(folder: Path) -> None:
    """Remove the journal of a run in which every cell has its record."""
    with contextlib.suppress(OSError):
        (folder / VISITS).unlink()


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
