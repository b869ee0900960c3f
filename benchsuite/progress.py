"""How far a command is that prints nothing yet: a bar on stderr, or lines where that is no terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
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
    progress = Progress(*columns, console=console(stderr=True), transient=True)
    task = progress.add_task("", total=None)

    def show(done: int, total: int) -> None:
        progress.start()  # not before there is something to show
        progress.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        progress.stop()


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
        handler, level, propagate = _Shown(show), logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        try:
            yield
        finally:
            logger.propagate = propagate
            logger.setLevel(level)
            logger.removeHandler(handler)


class _Shown(logging.Handler):
    """Shows the two numbers of each record."""

    def __init__(self, show: Show) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(*cast("tuple[int, int]", record.args))
