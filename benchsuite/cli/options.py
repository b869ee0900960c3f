"""Options that several commands share, and how output is written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchsuite.errors import UsageError

_WIDTH = 160
"""Of tables where stdout is no terminal."""

Profiles = Annotated[
    list[str] | None, typer.Option("--profile", help="Apply a profile of the scenario; repeatable.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Override a value: sweep.batch=8; repeatable.")
]
PythonPath = Annotated[
    list[str] | None,
    typer.Option("--pythonpath", metavar="DIR", help="Look here for your own mixers' modules; repeatable."),
]
Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")]
Figures = Annotated[
    Path | None, typer.Option("--figures", help="Also write each figure as PDF, PNG and SVG here.")
]

Style = Annotated[
    str | None,
    typer.Option(
        "--style",
        help="Look of the files of --figures: default or litv2, which writes both widths of a paper.",
    ),
]


def width() -> int:
    """Columns of a table on stdout."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH


def warn(warnings: tuple[str, ...]) -> None:
    """Print warnings where they do not end up in a file."""
    for warning in warnings:
        print(warning, file=sys.stderr)


def write(data: str | bytes, out: Path | None) -> None:
    """Write what a command brings to a file, or to stdout.

    Raises:
        UsageError: the file cannot be written.
    """
    raw = data if isinstance(data, bytes) else data.encode("utf-8")
    if out is None:
        if isinstance(data, str) and sys.stdout.isatty():
            sys.stdout.write(data)  # as `print` does, without what a terminal would obey
        else:
            sys.stdout.buffer.write(raw)
        return
    try:
        out.write_bytes(raw)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from error
