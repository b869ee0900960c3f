"""Options that several commands share, and output: files, tables, sections, pages."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.errors import UsageError
from benchsuite.text import in_markdown

if TYPE_CHECKING:
    from benchsuite.gate.formats.console import ConsolePage
    from benchsuite.report.tables import Section

_READABLE = 100
"""Characters of a line of sentences at most."""

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


def warn(warnings: tuple[str, ...]) -> None:
    """Print warnings where they do not end up in a file."""
    for warning in warnings:
        print(warning, file=sys.stderr)


def say(line: str) -> None:
    """Print a line on stderr at once, so that stdout holds the result alone."""
    print(line, file=sys.stderr, flush=True)


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


def print_page(page: ConsolePage) -> None:
    """Print lines, a table, and lines, with a blank line between them."""
    from benchsuite.terminal import print_rows

    print(*page.above, sep="\n")
    if page.rows:
        print()
        print_rows(page.rows)
    if page.below:
        print()
        print(*page.below, sep="\n")


def missing_words(missing: int, partial: int) -> str:
    """ "3 missing, 1 of them with some of their rounds".

    Args:
        partial: how many of the missing cells have a record, of rounds that were cut short.
    """
    if not missing:
        return "none missing"
    return f"{missing} missing" + (f", {partial} of them with some of their rounds" if partial else "")


def print_sections(sections: Iterable[Section], *, plain: bool) -> None:
    """Print them, as text that fits the terminal or else as Markdown."""
    from benchsuite.report.tables import texts, to_markdown
    from benchsuite.terminal import print_rows

    for section in sections:
        print(section.title if plain else f"## {in_markdown(section.title)}", end="\n\n")
        for sentence in section.sentences:
            print(wrapped(sentence) if plain else f"{in_markdown(sentence)}\n")
        for table in section.tables:
            if plain:
                print()
                print_rows(texts(table))
            else:
                print(to_markdown(table))
        if plain:
            print()


def wrapped(text: str) -> str:
    """A sentence in lines that a person reads without turning the head."""
    import textwrap

    from benchsuite.terminal import width

    return textwrap.fill(text, min(width(), _READABLE), break_long_words=False, break_on_hyphens=False)
