"""A command of benchsuite run in this process: fast enough for a thousand of them."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from benchsuite.cli import main


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def called(*words: str | Path) -> Answer:
    """Run `benchsuite WORDS`, with what it prints kept from the terminal."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with (
        mock.patch.object(sys, "argv", ["benchsuite", *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    texts = [stream.buffer.getvalue().decode("utf-8") for stream in (out, err) if not stream.flush()]
    assert isinstance(code, int)
    return Answer(code, *texts)
