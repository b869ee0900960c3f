"""JSON Lines files: read line by line, so that any size passes through little memory, and appended to."""

from __future__ import annotations

import contextlib
import os
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path

from benchsuite.errors import StorageError
from benchsuite.results.untrusted import parse


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


class Journal:
    """A file of a run folder that lines are appended to, each one whole or not there.

    A last line that a kill has torn is cut off at the start; one that lacks only its newline gets it.

    Args:
        sync: wait after each line until the disk has it.
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        self.path = path
        self._sync = sync
        _end_last_line(path)
        self._file = path.open("ab", buffering=0)

    def append(self, text: str, what: str) -> int:
        """Write a line.

        Args:
            what: what it holds, for the message of an error.

        Returns:
            Where the line begins in the file.

        Raises:
            StorageError: it could not be written, and the file is as it was before; or the file is not where
                it was any more.
        """
        self.require_there()
        line = f"{text}\n".encode()
        before = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            if self._sync:
                os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), before)
            folder = self.path.parent
            raise StorageError(
                f"{folder}: {what} cannot be written: {error.strerror}. What was measured before is safe; "
                f"when there is room again, go on with: benchsuite run --resume {folder}"
            ) from error
        return before

    def require_there(self) -> None:
        """Raise StorageError if the file was removed, moved or replaced since it was opened."""
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(self._file.fileno()), self.path.stat()):
                return
        raise StorageError(
            f"{self.path} was removed, moved or replaced while the run wrote it: nothing more can be kept"
        )

    def close(self) -> None:
        self._file.close()


def _end_last_line(path: Path) -> None:
    last = None
    for last in lines(path):  # noqa: B007  the last is wanted
        pass
    if last is None or last.ended:
        return
    try:
        parse(last.text)
    except ValueError:
        os.truncate(path, last.offset)
        return
    with path.open("ab") as file:
        file.write(b"\n")
