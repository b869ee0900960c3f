"""Progress of a sweep in a terminal: a live view, or plain lines where there is none; and tables."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchsuite.findings.flags import BEHAVIOUR
from benchsuite.format import counted, si, significant
from benchsuite.labels import describe_cell
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.results.round_timings import latency_of
from benchsuite.runner.observer import Observer
from benchsuite.streams import beneath
from benchsuite.text import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.progress import Progress

_GAP = 2
_INDENT = 4
_READABLE = 36
"""Characters below which a text that wraps in a column of its own is a strain to read."""


def console(*, stderr: bool = False) -> Console:
    """A console that wraps nothing when it is not a terminal, so that lines can be searched, and that gives
    it no control characters but its own."""
    from rich.console import Console
    from rich.segment import Segment

    class Escaping(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for part in super().render(renderable, options):
                yield part if part.control else Segment(printable(part.text), part.style)

    stream = beneath(sys.stderr if stderr else sys.stdout)
    return Escaping(
        file=stream, soft_wrap=not stream.isatty(), highlight=False, width=None if stream.isatty() else 200
    )


def observer(*, quiet: bool, verbose: bool) -> Observer:
    """The progress display that suits stdout and the flags."""
    if quiet:
        return Observer()
    return LiveProgress(verbose=verbose) if sys.stdout.isatty() else PlainProgress(verbose=verbose)


def print_notes(notes: Iterable[str]) -> None:
    """Print what was decided for the user before a run begins."""
    for note in notes:
        print(note)


def describe_result(record: Record, environment: Mapping[str, Any]) -> str:
    """A record in a few words: median with its interval, or the reason why there is none.

    Args:
        environment: the machine that it was measured on.
    """
    if record.timing is None or record.status != "ok":
        mark = f"{record.status} (expected)" if record.expected else record.status
        return mark if record.status == "ok" else f"{mark}: {record.reason}"
    latency, stopped = latency_of(record.timing, environment), record.timing.stopped_by
    spread = "" if math.isnan(latency.lo) else f" [{si(latency.lo, 's')}, {si(latency.hi, 's')}]"
    seen = "".join(f", {word.replace('_', ' ')}" for word in BEHAVIOUR if word in record.flags)
    return f"{si(latency.value, 's')}{spread}  n={len(record.timing.samples_s)}, stopped by {stopped}{seen}"


class PlainProgress(Observer):
    """One line a cell, for logs."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._total = self._position = 0

    def begin(self, total: int, done: int) -> None:
        self._total, self._position = total, done
        already = f", {done} of them measured earlier" if done else ""
        print(f"{counted(total, 'cell')}{already}", flush=True)

    def round_begins(self, number: int, cells: int) -> None:
        print(f"round {number}: {counted(cells, 'cell')}", flush=True)

    def cell_begins(self, cell: Cell) -> None:
        if self._verbose:
            print(f"{describe_cell(cell)} …", flush=True)

    def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
        self._position += 1
        result = describe_result(record, environment)
        print(f"[{self._position}/{self._total}] {describe_cell(record.cell)}  {result}", flush=True)
        if self._verbose and record.failure and record.failure.traceback:
            print(record.failure.traceback, flush=True)


MOST_WORKERS = 12
"""Lines of workers that the live view shows; more would leave no room for failures."""


class LiveProgress(Observer):
    """A bar with the cell in work, position, rate, failures so far, elapsed and remaining time, and a line
    for each worker where there are several; failures stay above it as lines.

    All cells end after the last round; until then each visit counts for a part of its cell, so that the bar
    moves and the remaining time means something.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._progress: Progress | None = None
        self._ended = self._failed = self._at_first = 0
        self._begun = time.monotonic()
        self._visits: dict[str, int] = {}
        self._lines: list[str] = []

    def begin(self, total: int, done: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining
        from rich.text import Text

        columns = (
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            Remaining(),
            TextColumn("{task.description}", markup=False),
        )

        display = self

        class WithWorkers(Progress):
            """A line for each worker below the bar."""

            def get_renderables(self) -> Iterator[RenderableType]:
                yield from super().get_renderables()
                yield from (Text(line, no_wrap=True, overflow="ellipsis") for line in display._lines)

        self._progress = WithWorkers(*columns, console=console())
        self._ended = self._at_first = done
        self._begun = time.monotonic()
        self._task = self._progress.add_task("", total=total, completed=done, pace="")
        self._progress.start()

    def cell_begins(self, cell: Cell) -> None:
        if self._progress:
            self._visits[cell.id] = self._visits.get(cell.id, 0) + 1
            self._progress.update(self._task, description=describe_cell(cell), completed=self._completed())

    def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
        if self._progress is None:
            return
        if record.failed or self._verbose:
            line = f"{describe_cell(record.cell)}  {describe_result(record, environment)}"
            self._progress.console.print(line, markup=False, style="red" if record.failed else None)
        self._visits.pop(record.id, None)
        self._ended += 1
        self._failed += record.failed
        self._progress.update(self._task, completed=self._completed(), pace=self._pace())

    def workers(self, doing: Mapping[str, str]) -> None:
        self._lines = [f"  {worker}  {what}" for worker, what in list(doing.items())[:MOST_WORKERS]]
        if len(doing) > MOST_WORKERS:
            self._lines.append(f"  and {len(doing) - MOST_WORKERS} more")

    def _pace(self) -> str:
        """Cells a minute since the sweep began, and failures."""
        minutes = (time.monotonic() - self._begun) / 60
        rate = f"{significant((self._ended - self._at_first) / minutes, 3)}/min" if minutes > 0 else ""
        return f"{rate}, {self._failed} failed" if self._failed else rate

    def _completed(self) -> int:
        """Each visit ends half of what is left of its cell: nobody says here how many there will be."""
        return int(self._ended + sum(1 - 0.5 ** (count - 1) for count in self._visits.values()))

    def end(self) -> None:
        if self._progress:
            self._progress.stop()


def width(piped: int = 160) -> int:
    """Columns of stdout; `piped` where it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else piped


def print_rows(rows: Sequence[Mapping[str, str]], piped: int = 160) -> None:
    """Print rows as a table that fits the terminal, or else `piped` columns."""
    print(fitted(rows, width(piped)))


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
            line = (" " * _GAP).join(f"{text:<{width}}" for text, width in zip(texts, widths, strict=True))
            out.print(Text(line.rstrip(), style=style or ""), soft_wrap=True)


def print_table(
    left: Sequence[str],
    right: Sequence[str],
    rows: Iterable[tuple[Sequence[str], str | None]],
) -> None:
    """Print a table whose cells stay on one line, in colour where stdout is a terminal.

    Args:
        left: headings of columns that are aligned left.
        right: headings of the columns of numbers after them.
        rows: the texts of a row, and its style.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in left:
        table.add_column(heading, no_wrap=True)
    for heading in right:
        table.add_column(heading, justify="right", no_wrap=True)
    for texts, style in rows:
        table.add_row(*map(Text, texts), style=style)
    console().print(table)
