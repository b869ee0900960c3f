"""`benchsuite run`: measure the cells of a scenario, keep the records, render the report."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import Figures, Overrides, Profiles, PythonPath, Style, missing_words
from benchsuite.errors import FAILED, INTERRUPTED, ExecutorFailed, StorageError, UsageError
from benchsuite.report.figures.layout import DEFAULT

EXCLUDED_SHOWN = 100
"""Excluded cells that `--dry-run` lists."""

if TYPE_CHECKING:
    from benchsuite.runner.estimate import CellEstimate
    from benchsuite.runner.prepare import Prepared, Request
    from benchsuite.runner.sweep import SweepResult
    from benchsuite.runner.workers import Workers


def run(
    scenario: Annotated[
        str | None, typer.Argument(help="A scenario file, or the name of a shipped one.")
    ] = None,
    profile: Profiles = None,
    set_: Overrides = None,
    filter: Annotated[
        str, typer.Option("--filter", help='Only these cells: "mixer=hilo,msa resolution<=448".')
    ] = "",
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only part I of N, whole comparison groups: 2/8.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N; overrides the scenario.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name>-<time>.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run folder: only what is missing.")
    ] = None,
    retry: Annotated[
        str, typer.Option(help="With --resume, also measure these anew: oom,timeout,crash.")
    ] = "",
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a cell is given up; overrides the scenario.")
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option(help="Host memory of a worker process, such as 8GiB.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List cells, time and memory; measure nothing.")
    ] = False,
    pythonpath: PythonPath = None,
    executor: Annotated[
        str, typer.Option(help="process (default), ray, slurm, or inline for debugging.")
    ] = "process",
    executor_option: Annotated[
        list[str] | None,
        typer.Option(
            "--executor-option",
            "--slurm",
            metavar="KEY=VALUE",
            help="For the executor: workers=2, partition=gpu, time=60; repeatable.",
        ),
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A Ray cluster, with --executor ray.")
    ] = None,
    figures: Figures = None,
    style: Style = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    """Run a scenario: measure its cells, keep the records, render the report.

    Ctrl-C, SIGTERM and SIGHUP end the cell that is under way and write the report; once more stops at once.
    """
    from benchsuite.api.runs import completed, words
    from benchsuite.report.figures.layout import require_style
    from benchsuite.runner.executors.table import require_executor
    from benchsuite.runner.prepare import Request

    require_executor(executor)
    look = require_style(style, figures)
    options = _options(executor, executor_option, ray_address)
    request = completed(
        Request(
            reference=scenario,
            profiles=tuple(profile or ()),
            overrides=tuple(set_ or ()),
            filter=filter,
            device=device,
            resume=resume,
            pythonpath=tuple(pythonpath or ()),
            command=("benchsuite", *sys.argv[1:]),
        ),
        out=out if not dry_run else None,
        shard=shard,
        retry=words(retry),
        timeout=timeout,
        memory_limit=memory_limit,
    )
    measure(request, out, executor, options, dry_run, figures, look, quiet=quiet, verbose=verbose)


def measure(
    request: Request,
    out: Path | None,
    executor: str = "process",
    options: Sequence[str] = (),
    dry_run: bool = False,
    figures: Path | None = None,
    look: str = DEFAULT,
    *,
    quiet: bool = False,
    verbose: bool = False,
) -> None:
    """Carry out a request until it ends or is asked to stop, and say how it ended."""
    from benchsuite.api.runs import new_folder
    from benchsuite.cli.interrupts import asked_to_stop
    from benchsuite.progress import planning
    from benchsuite.results.store import SCENARIO
    from benchsuite.runner.executors.table import open_executor
    from benchsuite.runner.prepare import prepare
    from benchsuite.runner.sweep import run_sweep
    from benchsuite.terminal import observer, print_notes

    folder = request.resume or out
    try:
        with contextlib.closing(open_executor(executor, request.pythonpath, options)) as opened:
            with contextlib.nullcontext() if quiet else planning():
                prepared = prepare(request, opened.planner)
            print_notes(() if quiet else prepared.notes)
            if dry_run:
                _print_dry_run(prepared, opened.planner)
                return
            folder = folder or new_folder(prepared.scenario.name)
            shown = observer(quiet=quiet, verbose=verbose)
            with asked_to_stop() as stopping:
                sweep = run_sweep(prepared, folder, opened, shown, stopping)
        _conclude(sweep, figures, look, executor, quiet=quiet)
    except KeyboardInterrupt:
        begun = folder is not None and (folder / SCENARIO).is_file()
        hint = f"; go on with: {_going_on(folder, executor)}" if folder and begun else ""
        print(f"stopped{hint}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    except ExecutorFailed as error:
        raise ExecutorFailed(f"{error}; go on with: {_going_on(folder or Path(), executor)}") from error


def _options(executor: str, words: list[str] | None, ray_address: str | None) -> tuple[str, ...]:
    """The words of `--executor-option`, with the address of a Ray cluster among them."""
    if ray_address is None:
        return tuple(words or ())
    if executor != "ray":
        raise UsageError(f"--ray-address goes with --executor ray, not with {executor}")
    return (*(words or ()), f"address={ray_address}")


def _going_on(folder: Path, executor: str) -> str:
    """The command that goes on with a run."""
    where = "" if executor == "process" else f" --executor {executor}"
    return f"benchsuite run --resume {folder}{where}"


def _conclude(sweep: SweepResult, figures: Path | None, style: str, executor: str, *, quiet: bool) -> None:
    """Render the report, print the table, and exit with 3 if a cell failed unexpectedly."""
    from benchsuite.report.words import counted
    from benchsuite.results.store import RECORDS, REPORT
    from benchsuite.summary import print_summary, wall_time

    page = sweep.folder / REPORT
    if sweep.measured or figures or not _up_to_date(page, sweep.folder / RECORDS):
        _render(sweep.folder, page, figures, style)
    if not quiet:
        if sweep.measured:
            print_summary(sweep.records, sweep.environments)
        else:
            print(f"nothing to measure: all {len(sweep.records)} cells have a record")
        if sweep.wall_s is not None:
            print(f"time     {wall_time(sweep.records, sweep.wall_s)}")
        print(f"records  {sweep.folder / RECORDS}")
        print(f"report   {page}")
    failed = [record for record in sweep.records if record.failed]
    if failed:
        print(f"{len(failed)} of {len(sweep.records)} cells failed unexpectedly:", file=sys.stderr)
        for record in failed:
            print(f"  {record.id}  {record.status}: {record.reason}", file=sys.stderr)
    if sweep.stopped:
        partial = sum(record.interrupted for record in sweep.records)
        total = len(sweep.records) - partial + sweep.missing
        print(
            f"stopped, {total - sweep.missing} of {counted(total, 'cell')} done, "
            f"{missing_words(sweep.missing, partial)}; go on with: {_going_on(sweep.folder, executor)}",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED)
    if failed:
        raise typer.Exit(FAILED)


def _up_to_date(page: Path, records: Path) -> bool:
    """Whether the report is there and made after the last record; a run may be killed between the two."""
    return page.is_file() and page.stat().st_mtime_ns >= records.stat().st_mtime_ns


def _render(folder: Path, page: Path, figures: Path | None, style: str) -> None:
    """Make the report; raises StorageError if it cannot be written."""
    from benchsuite.report.page import render
    from benchsuite.results.store import read_run

    try:
        render([read_run(folder)], out=page, figures=figures, style=style)
    except OSError as error:
        raise StorageError(
            f"{page}: the report cannot be written: {error.strerror}. All records are safe; make it with: "
            f"benchsuite report {folder}"
        ) from error


def _print_dry_run(prepared: Prepared, workers: Workers) -> None:
    from benchsuite.labels import describe_cell
    from benchsuite.progress import planning
    from benchsuite.runner.estimate import estimate

    if prepared.earlier is not None:
        print(f"{len(prepared.kept)} of {len(prepared.cells)} cells have their record")
    if not prepared.todo:
        return
    with planning():
        estimates = estimate(prepared, workers)
    print_estimates(estimates)
    for cell, reason in prepared.excluded[:EXCLUDED_SHOWN]:
        print(f"excluded  {describe_cell(cell)}: {reason}")
    if (more := len(prepared.excluded) - EXCLUDED_SHOWN) > 0:
        print(f"excluded  {more} more")
    count = len(prepared.todo)
    seconds = sum(item.seconds or 0.0 for item in estimates) * count / len(estimates)
    rough = "rough: from a matrix product timed now"
    if len(estimates) < count:
        rough += f", and from the {len(estimates)} cells above, drawn from all; the others are not listed"
    print(f"{count} cell{'s' if count > 1 else ''}, about {seconds:.0f} s ({rough})")


def print_estimates(estimates: Sequence[CellEstimate]) -> None:
    """Print the table of `--dry-run`, and below it why a cell has no numbers."""
    from benchsuite.format import byte_size, si
    from benchsuite.labels import describe_cell
    from benchsuite.summary import axes_of, print_cells

    rows = []
    for item in estimates:
        macs = "–" if item.macs is None else si(item.macs)
        seconds = "–" if item.seconds is None else f"{item.seconds:.1f} s"
        memory = "–" if item.memory_bytes is None else byte_size(item.memory_bytes, 3)
        rows.append(((macs, seconds, memory), None))
    cells = [item.cell for item in estimates]
    print_cells(cells, [*map(axes_of, cells)], ("MACs/image", "time about", "memory about"), rows)
    for item in estimates:
        if item.reason:  # in full: a table would cut it off
            what = "no estimate" if item.tried else "no numbers"
            print(f"{what}  {describe_cell(item.cell)}: {item.reason}")
