"""A table as text of a given width: what does not fit beside the other columns goes below them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

_GAP = 2
_INDENT = 4
_READABLE = 36
"""Characters below which a text that wraps in a column of its own is a strain to read."""


def fitted(rows: Sequence[Mapping[str, str]], width: int) -> str:
    """Rows under a line of headings, in lines of at most `width` characters where words allow it.

    The last column wraps in its place if enough is left for it. Otherwise as many columns as fit stay beside
    each other, and the others follow in lines of their own, indented.
    """
    lines = [list(rows[0]), *(list(one.values()) for one in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    ends = [sum(widths[: i + 1]) + _GAP * i for i in range(len(widths))]
    before = ends[-2] + _GAP if len(ends) > 1 else 0
    if ends[-1] <= width or width - before >= _READABLE:
        return "\n".join(text for line in lines for text in _hanging(line, widths, width - before))
    beside = max(1, sum(end <= width for end in ends))
    return "\n".join(text for line in lines for text in _below(line, widths[:beside], width))


def _hanging(line: Sequence[str], widths: Sequence[int], room: int) -> Iterator[str]:
    """A row whose last column wraps at `room` characters."""
    begin = "".join(f"{text:<{width + _GAP}}" for text, width in zip(line[:-1], widths, strict=False))
    for text in textwrap.wrap(line[-1], max(room, 1), break_on_hyphens=False) or [""]:
        yield f"{begin}{text}".rstrip()
        begin = " " * len(begin)


def _below(line: Sequence[str], widths: Sequence[int], width: int) -> Iterator[str]:
    """A row whose columns after those with a width stand below them, one after the other."""
    yield (" " * _GAP).join(f"{text:<{wide}}" for text, wide in zip(line, widths, strict=False)).rstrip()
    rest = " · ".join(line[len(widths) :])
    yield from textwrap.wrap(
        rest,
        max(width, _INDENT + 1),
        initial_indent=" " * _INDENT,
        subsequent_indent=" " * _INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )
