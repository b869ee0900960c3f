"""The lines of a records file, one after another: a file of any size passes through little memory."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank.

    Attributes:
        number: 1 for the first of the file, blank ones counted.
        offset: of its first byte in the file.
        raw: without the newline.
        ended: whether a newline stands behind it; the last line of a killed run may lack it.
    """

    number: int
    offset: int
    raw: bytes
    ended: bool

    @property
    def text(self) -> str:
        """What is no UTF-8 is replaced, and then is no record."""
        return self.raw.decode("utf-8", errors="replace")


def lines(path: Path) -> Iterator[Line]:
    """The lines of a file in order; none if there is no file."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        offset = len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0
        file.seek(offset)
        for number, raw in enumerate(file, start=1):
            if raw.strip():
                yield Line(number, offset, raw.removesuffix(b"\n"), raw.endswith(b"\n"))
            offset += len(raw)


def what_is_wrong(line: Line, error: ValueError) -> str:
    """Why a line is no record, in one line; a torn one is what a kill leaves."""
    if not line.ended and isinstance(error, JSONDecodeError):
        return "the last line is torn, its cell counts as not measured"
    return f"skipped: {error}".splitlines()[0]
