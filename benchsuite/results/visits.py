"""The rounds of a run that is under way: a journal of visits, so that a killed run goes on where it ended.

One line a visit: the number of its round, and a record of that round alone. Where a round of a cell stands
twice, the later line counts. The file is there as long as cells have rounds and no record.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchsuite.io import Journal, lines
from benchsuite.results.codec import decode, encode
from benchsuite.results.record import Record

VISITS = "rounds.jsonl"


class VisitJournal:
    """Appends the visits of a run, each in the file before the next begins.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._journal = Journal(folder / VISITS)

    def append(self, number: int, visit: Record) -> None:
        """Write the visit of a round, the first being 0; raises StorageError."""
        self._journal.append(f'{{"round":{number},"visit":{encode(visit)}}}', f"a round of {visit.id}")

    def close(self) -> None:
        self._journal.close()


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
