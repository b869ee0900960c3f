"""stdout and stderr of a command: they outlive their reader, and give a terminal nothing to obey."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from benchsuite.text import ESCAPE, bounded, printable

_MOST = 4_000
"""Characters of a line on stderr, where messages go; what is printed as data is never cut."""


class Lasting:
    """A text stream that falls silent when it can no longer be written to, so that nothing ends halfway.

    Attributes:
        failure: why it fell silent; None as long as it is written to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        if self.failure is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self.fall_silent(error)
        return len(text)

    def flush(self) -> None:
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self.fall_silent(error)

    def fall_silent(self, error: OSError) -> None:
        """Write nothing any more; what is still to be flushed has nowhere to go."""
        self.failure = error
        with contextlib.suppress(OSError, ValueError):  # a stream in memory has no descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Shown(Lasting):
    """Stream for `print`: control characters come out escaped.

    Args:
        beneath: takes the text; for those who make control characters themselves, as tables in colour do.
        most: characters of a line; None for all.
    """

    def __init__(self, beneath: Lasting, most: int | None) -> None:
        super().__init__(cast("TextIO", beneath))
        self.beneath = beneath
        self._most = most

    def write(self, text: str) -> int:
        shown = printable(text)
        if self._most is not None and len(shown) > self._most:
            shown = "\n".join(bounded(line, self._most) for line in shown.split("\n"))
        self.beneath.write(shown)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)


def beneath(stream: TextIO) -> TextIO:
    """The stream that takes control characters as they are."""
    return cast("TextIO", getattr(stream, "beneath", stream))


@contextlib.contextmanager
def guarded() -> Iterator[Lasting]:
    """Within the context stdout and stderr are such streams; yields what is beneath stdout."""
    _open_descriptors()
    before = sys.stdout, sys.stderr
    streams = [_tolerant(stream, number) for stream, number in zip(before, (1, 2), strict=True)]
    out, err = (Lasting(stream) for stream in streams)
    sys.stdout, sys.stderr = cast("TextIO", Shown(out, None)), cast("TextIO", Shown(err, _MOST))
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def reader_gone(error: OSError) -> bool:
    """True if the reader of a pipe, `head` say, has gone."""
    return error.errno == errno.EPIPE


def _open_descriptors() -> None:
    """Open 0, 1 and 2 where they are closed: the next file would get the number, and be printed into."""
    with contextlib.suppress(OSError):
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(number)


def _tolerant(stream: TextIO | None, number: int) -> TextIO:
    """The stream; what its encoding lacks is escaped. One that was closed leads nowhere."""
    if stream is None:
        return os.fdopen(number, "w", encoding="utf-8", errors=ESCAPE, closefd=False)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=ESCAPE)
    return stream
