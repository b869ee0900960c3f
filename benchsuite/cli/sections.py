"""Sections of words and tables on a terminal, or as Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from benchsuite.text import in_markdown

if TYPE_CHECKING:
    from benchsuite.report.tables import Section

_WIDTH = 160
"""Of tables where stdout is no terminal."""
_READABLE = 100
"""Of sentences at most."""


def print_sections(sections: Iterable[Section], *, plain: bool) -> None:
    """Print them, as text that fits the terminal or else as Markdown."""
    from benchsuite.report.tables import texts
    from benchsuite.text_table import fitted
    from benchsuite.zoo.listing import markdown

    for section in sections:
        print(section.title if plain else f"## {in_markdown(section.title)}", end="\n\n")
        for sentence in section.sentences:
            print(wrapped(sentence) if plain else f"{in_markdown(sentence)}\n")
        for table in section.tables:
            rows = texts(table)
            print(f"\n{fitted(rows, width())}" if plain else f"{markdown(rows)}\n")
        if plain:
            print()


def wrapped(text: str) -> str:
    """A sentence in lines that a person reads without turning the head."""
    import textwrap

    return textwrap.fill(text, min(width(), _READABLE), break_long_words=False, break_on_hyphens=False)


def width() -> int:
    """Characters of a line."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
