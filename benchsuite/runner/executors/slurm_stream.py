"""What a job tells its driver through a file: one line of JSON an event, whole or not at all.

A job that is killed leaves a torn last line, which the reader waits for in vain and the next writer ends.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from benchsuite.runner.outcome import Outcome

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class StreamWriter:
    """Appends events to a file, which it holds locked while it is open."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        _lock(self._file, wait=True)
        if self._file.tell():
            self._file.write(b"\n")  # a torn line of an earlier job ends here

    def write(self, **event: Any) -> None:
        """Write an event and wait until the disk has it."""
        self._file.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def outcome(self, cell: str, outcome: Outcome) -> None:
        """A cell has ended."""
        self.write(cell=cell, outcome=asdict(outcome))

    def close(self) -> None:
        self._file.close()


class StreamReader:
    """Reads what has come since the last time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> Iterator[Mapping[str, Any]]:
        """New events; a line that is not whole yet is left for the next time."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict):
                        yield event

    @property
    def written(self) -> bool:
        """Whether a living process holds the file."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            return not _lock(file, wait=False)
        return False


def outcome_of(event: Mapping[str, Any]) -> Outcome:
    """The outcome that `StreamWriter.outcome` wrote."""
    return _adapter().validate_python(event["outcome"])


@functools.cache
def _adapter() -> TypeAdapter[Outcome]:
    from pydantic import TypeAdapter

    return TypeAdapter(Outcome)


def _lock(file: IO[bytes], *, wait: bool) -> bool:
    """Lock the file for writing, or, without waiting, see whether that were possible."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
