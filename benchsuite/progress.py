"""Progress of commands that are no sweep: how far they are, and rows that are printed as they come."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

from benchsuite.terminal import console

EVERY_S = 10.0
"""Seconds between two lines where stderr is no terminal."""
Show = Callable[[int, int], None]
"""Takes how many are done, and of how many."""


@contextlib.contextmanager
def counting(what: str) -> Iterator[Show]:
    """Yield what shows how far `what` is; in a terminal it is gone at the end."""
    if not sys.stderr.isatty():
        yield _in_lines(what)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(what, markup=False), BarColumn(bar_width=24), MofNCompleteColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _in_lines(what: str) -> Show:
    said = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY_S:
            said = time.monotonic()
            print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def planning() -> Iterator[None]:
    """Show how many cells are planned, as the planner logs it."""
    from benchsuite.runner.plan import logger

    with counting("planning cells") as show:
        handler, level = _Shown(show), logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        try:
            yield
        finally:
            logger.propagate = True
            logger.setLevel(level)
            logger.removeHandler(handler)


class _Shown(logging.Handler):
    """Shows the two numbers of each record."""

    def __init__(self, show: Show) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(*cast("tuple[int, int]", record.args))


def print_lines(columns: Iterable[tuple[str, int]], rows: Iterable[tuple[Sequence[str], str | None]]) -> None:
    """Print rows as they come, each on one line, in colour where stdout is a terminal.

    Args:
        columns: heading of each, and how wide its texts become; the last is as wide as it likes.
        rows: the texts of a row, and its style.
    """
    from rich.text import Text

    out, columns = console(), tuple(columns)
    widths = [max(len(heading), width) for heading, width in columns]
    titles = [heading for heading, _ in columns]
    for number, row in enumerate(rows):
        for texts, style in [(titles, "bold"), row] if number == 0 else [row]:
            line = "  ".join(f"{text:<{width}}" for text, width in zip(texts, widths, strict=True))
            out.print(Text(line.rstrip(), style=style or ""), soft_wrap=True)
