"""What a person sees in a terminal: live progress, plain lines where there is none, tables."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from benchsuite.findings.flags import BEHAVIOUR
from benchsuite.format import byte_size, si, significant
from benchsuite.labels import noun
from benchsuite.results.kernels import backends_of, kernel_ran
from benchsuite.results.record import Cell, Record
from benchsuite.results.round_timings import latency_of
from benchsuite.streams import beneath
from benchsuite.text import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.progress import Progress

    from benchsuite.parity.compare import ParityRow
    from benchsuite.report.claims_panel import ClaimsPanel
    from benchsuite.runner.estimate import Estimate
    from benchsuite.runner.sweep import Observer
    from benchsuite.zoo.count import Count


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
        return QuietProgress()
    return LiveProgress(verbose=verbose) if sys.stdout.isatty() else PlainProgress(verbose=verbose)


def describe_cell(cell: Cell) -> str:
    """A cell in a few words."""
    height, width = cell.resolution
    size = f"{height}" if height == width else f"{height}×{width}"
    words = [cell.name, f"{size} px", f"batch {cell.batch}", cell.dtype, cell.kernel, cell.device]
    if cell.mode != "inference":
        words.append(cell.mode)
    unusual = _unusual(cell)
    if cell.threads is not None:
        unusual["threads"] = f"{cell.threads} thread{'s' if cell.threads > 1 else ''}"
    return "  ".join([*words, *unusual.values()])


def describe_result(record: Record) -> str:
    """A record in a few words: median with its interval, or the reason why there is none."""
    if record.timing is None or record.status != "ok":
        mark = f"{record.status} (expected)" if record.expected else record.status
        return mark if record.status == "ok" else f"{mark}: {record.reason}"
    latency, stopped = latency_of(record.timing), record.timing.stopped_by
    spread = "" if math.isnan(latency.lo) else f" [{si(latency.lo, 's')}, {si(latency.hi, 's')}]"
    seen = "".join(f", {word.replace('_', ' ')}" for word in BEHAVIOUR if word in record.flags)
    return f"{si(latency.value, 's')}{spread}  n={len(record.timing.samples_s)}, stopped by {stopped}{seen}"


class QuietProgress:
    """Says nothing."""

    def begin(self, total: int, done: int) -> None:
        """Nothing to show."""

    def round_begins(self, number: int, cells: int) -> None:
        """Nothing to show."""

    def cell_begins(self, cell: Cell) -> None:
        """Nothing to show."""

    def cell_ends(self, record: Record) -> None:
        """Nothing to show."""

    def workers(self, doing: Mapping[str, str]) -> None:
        """Nothing to show."""

    def end(self) -> None:
        """Nothing to show."""


class PlainProgress(QuietProgress):
    """One line a cell, for logs."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._total = self._position = 0

    def begin(self, total: int, done: int) -> None:
        self._total, self._position = total, done
        already = f", {done} of them measured earlier" if done else ""
        print(f"{total} cells{already}", flush=True)

    def round_begins(self, number: int, cells: int) -> None:
        print(f"round {number}: {cells} cells", flush=True)

    def cell_begins(self, cell: Cell) -> None:
        if self._verbose:
            print(f"{describe_cell(cell)} …", flush=True)

    def cell_ends(self, record: Record) -> None:
        self._position += 1
        line = f"[{self._position}/{self._total}] {describe_cell(record.cell)}  {describe_result(record)}"
        print(line, flush=True)
        if self._verbose and record.failure and record.failure.traceback:
            print(record.failure.traceback, flush=True)


MOST_WORKERS = 12
"""Lines of workers that the live view shows; more would leave no room for failures."""


class LiveProgress(QuietProgress):
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

    def cell_ends(self, record: Record) -> None:
        if self._progress is None:
            return
        if record.failed or self._verbose:
            line = f"{describe_cell(record.cell)}  {describe_result(record)}"
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


LISTS = ("text", "markdown", "csv", "json")
"""Formats of `benchsuite list`."""


def print_list(
    rows: Sequence[Mapping[str, str]], full: Sequence[Mapping[str, str | list[str]]], format: str
) -> None:
    """What `benchsuite list` shows: `rows` as a table for people, or everything in `full` for programs.

    In a terminal that is too narrow, a row takes several lines; in a pipe it is one, however long.
    """
    import json

    from benchsuite.text_table import fitted
    from benchsuite.zoo import listing

    assert format in LISTS
    if format == "text":
        terminal = sys.stdout.isatty()
        text = fitted(rows, shutil.get_terminal_size().columns) if terminal else listing.aligned(rows)
    elif format == "markdown":
        text = listing.markdown(rows)
    elif format == "csv":
        text = listing.csv_text(full)
    else:
        text = json.dumps(full, indent=2, ensure_ascii=False)
    print(text)


COUNTS = ("text", "json", "markdown")
"""Formats of `benchsuite count`."""


def print_counts(counts: Sequence[Count], format: str) -> None:
    """What `benchsuite count` shows."""
    import json

    from benchsuite.zoo import count, listing

    assert format in COUNTS
    if format == "json":
        print(json.dumps(count.facts(counts), indent=2, ensure_ascii=False))
        return
    print((listing.aligned if format == "text" else listing.markdown)(count.rows(counts)))


def print_summary(records: Sequence[Record]) -> None:
    """Table of all cells: cost, latency with its interval, throughput, memory, or why there is none.

    An axis with one value is said once above the table, which then fits 80 columns.
    """
    from rich.table import Table
    from rich.text import Text

    axes = [
        _axes(record.cell) | {"kernel": kernel_ran(record.cell.kernel, backends_of(record))}
        for record in records
    ]
    called = noun(record.cell.subject for record in records).single
    every = dict.fromkeys(name for axis in axes for name in axis)
    varied = [name for name in every if len({axis.get(name) for axis in axes}) > 1]
    fixed = [f"{name} {value}" for name, value in axes[0].items() if name not in varied]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (called, *varied):
        table.add_column(heading, no_wrap=True)
    busy = [record.timing.busy if record.timing else None for record in records]
    device = ["device"] if any(busy) else []
    for heading in ("MACs/image", "latency", "95 %", *device, "images/s", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record, axis, works in zip(records, axes, busy, strict=True):
        style = "red" if record.failed else "dim" if record.status != "ok" else None
        settings = (axis.get(name, _USUAL.get(name, "–")) for name in varied)
        numbers = _numbers(record)
        if device:
            numbers.insert(3, si(works.seconds, "s") if works else "–")
        words = [record.cell.name, *settings, *numbers]
        table.add_row(*(Text(word) for word in words), style=style)
    if fixed:
        console().print(" · ".join(fixed), markup=False)
    console().print(table)
    for name, why in {record.cell.name: record.not_counted for record in records}.items():
        if why:
            print(f"not counted  {name}: {why}")
    for word, meaning in BEHAVIOUR.items():
        if names := dict.fromkeys(record.cell.name for record in records if word in record.flags):
            print(f"{word.replace('_', ' ')}  {', '.join(names)}: {meaning}")


def _axes(cell: Cell) -> dict[str, str]:
    """The axes of a cell as words, in the order of the table; a network has no width of its own."""
    height, width = cell.resolution
    layer = {} if cell.dim is None else {"dim": str(cell.dim), "heads": str(cell.num_heads)}
    return {
        "px": f"{height}" if height == width else f"{height}×{width}",
        "batch": str(cell.batch),
        **layer,
        "dtype": cell.dtype,
        "mode": cell.mode,
        "kernel": cell.kernel,
        "device": cell.device,
        **_unusual(cell),
    }


_USUAL = {"format": "contiguous", "compile": "eager", "cache": "warm", "protocol": "adaptive"}


def _unusual(cell: Cell) -> dict[str, str]:
    """Axes that are worth a word only where a cell departs from what is usual."""
    found = {
        "format": cell.memory_format,
        "compile": cell.compile,
        "cache": cell.cache,
        "protocol": cell.protocol,
        "threads": "" if cell.threads is None else str(cell.threads),
    }
    return {axis: word for axis, word in found.items() if word and word != _USUAL.get(axis)}


def _numbers(record: Record) -> list[str]:
    macs = si(record.cost.macs) if record.cost else "–"
    if record.cost and not record.cost.complete:
        macs = f"≥ {macs}"
    if record.status != "ok":
        mark = f"{record.status} (expected)" if record.expected else record.status
        return [macs, mark, "–", "–", "–"]
    latency = interval = throughput = "–"
    if record.timing:
        found = latency_of(record.timing)
        latency, throughput = si(found.value, "s"), significant(record.cell.batch / found.value, 4)
        if not math.isnan(found.lo):
            interval = f"±{significant(50 * (found.hi - found.lo) / found.value, 2)} %"
    memory = byte_size(record.memory.peak_allocated_bytes) if record.memory else "–"
    return [macs, latency, interval, throughput, memory]


def print_estimates(estimates: Sequence[Estimate]) -> None:
    """Table of `--dry-run`."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    called = noun(item.cell.subject for item in estimates).single
    for heading in ("cell", called, "px", "batch", "dtype", "kernel", "device"):
        table.add_column(heading, no_wrap=True)
    for heading in ("MACs/image", "time about", "memory about"):
        table.add_column(heading, justify="right", no_wrap=True)
    for item in estimates:
        cell = item.cell
        height, width = cell.resolution
        size = f"{height}" if height == width else f"{height}×{width}"
        words = [cell.id, cell.name, size, str(cell.batch), cell.dtype, cell.kernel, cell.device]
        numbers = ["–" if item.macs is None else si(item.macs)]
        numbers += ["–" if item.seconds is None else f"{item.seconds:.1f} s"]
        numbers += ["–" if item.memory_bytes is None else byte_size(item.memory_bytes, 3)]
        table.add_row(*(Text(text) for text in (*words, *numbers)))
    console().print(table)
    for item in estimates:
        if item.reason:  # in full: a table would cut it off
            what = "no estimate" if item.tried else "no numbers"
            print(f"{what}  {describe_cell(item.cell)}: {item.reason}")


def print_parity(rows: Sequence[ParityRow]) -> None:
    """Table of `benchsuite parity`."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("case", "mixer", "kernel", "verdict"):
        table.add_column(heading, no_wrap=True)
    for heading in ("output max |Δ|", "allowed", "gradient max |Δ|", "allowed"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("why")
    for row in rows:
        style = {"mismatch": "bold red", "unknown": "yellow", "unavailable": "dim"}.get(row.verdict)
        table.add_row(*(Text(text) for text in row.texts()), style=style)
    console().print(table)


def print_claims(panel: ClaimsPanel | None) -> None:
    """What `benchsuite claims` shows: a heading for every claim, and a row for every setting under it."""
    from rich.table import Table
    from rich.text import Text

    if panel is None:
        print("the scenario of this run makes no claims")
        return
    for row in panel.rows:
        style = {"holds": "green", "does not hold": "red", "mixed": "yellow"}.get(row.verdict, "dim")
        console().print(Text.assemble((f"{row.symbol} {row.words}", style), f"  {row.id}  {row.says}"))
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(width=12)
        table.add_column(min_width=22, no_wrap=True)
        table.add_column()
        lines = [("  compared", "", row.compared)] if row.measured else []
        lines += [("  here", "", row.summary)] if row.summary else []
        for one in row.measured:
            mark = f"{one.symbol} {one.ratio}" if len(row.measured) > 1 else one.ratio
            lines.append(("  here", mark, f"{one.where}: {one.reason}" if one.reason else one.where))
        lines += [("  published", one.ratio.partition(" (")[0], one.conditions) for one in row.printed]
        lines.append(("  source", "", row.source))
        before = ""
        for name, number, text in lines:
            table.add_row(*(Text(word) for word in ("" if name == before else name, number, text)))
            before = name
        console().print(table)
    print(panel.summary)
