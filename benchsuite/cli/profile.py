"""`benchsuite profile`: where the time of each cell goes, and a trace of each to look at."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import Overrides, Profiles, PythonPath
from benchsuite.errors import FAILED, INTERRUPTED, UsageError

if TYPE_CHECKING:
    from benchsuite.results.record import Record
    from benchsuite.runner.observer import Observer
    from benchsuite.runner.prepare import Request
    from benchsuite.runner.profile import Profiled, ProfileSettings
    from benchsuite.runner.workers import Workers

SHOWN = 3
"""How many operators of a cell are printed."""
_NAME = 60


def profile(
    scenario: Annotated[
        str | None, typer.Argument(help="A scenario file, or the name of a shipped one.")
    ] = None,
    profile: Profiles = None,
    set_: Overrides = None,
    filter: Annotated[
        str, typer.Option("--filter", help='Only these cells: "mixer=hilo,msa resolution<=448".')
    ] = "",
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N; overrides the scenario.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name>-profile-<time>.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Profile the cells of this run folder instead, and add to it.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Profiled steps a cell, after the warm-up.")] = 5,
    top: Annotated[int, typer.Option(min=1, help="Operators, and kernels, that a record keeps.")] = 20,
    pythonpath: PythonPath = None,
    executor: Annotated[str, typer.Option(help="process (default), or inline for debugging.")] = "process",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    """Say where the time goes: profile cells, keep their traces, report the time by operator.

    A profiled step is slower, so nothing is timed meanwhile.
    """
    from benchsuite.api.runs import completed
    from benchsuite.runner.prepare import Request
    from benchsuite.runner.profile import ProfileSettings
    from benchsuite.runner.workers import WORKERS
    from benchsuite.terminal import observer

    if executor not in WORKERS:
        raise UsageError(f"no executor {executor!r}; allowed: {', '.join(WORKERS)}")
    if resume is not None and (scenario or out or device or profile or set_):
        raise UsageError("--resume goes with --filter, --steps and --top only: the run has all the rest")
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
        out=out,
    )
    workers = WORKERS[executor](request.pythonpath)
    try:
        done = _profile(
            request,
            out,
            workers,
            ProfileSettings(steps, top),
            observer(quiet=quiet, verbose=verbose),
            quiet,
        )
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        workers.close()
    _conclude(done, quiet=quiet)


def _profile(
    request: Request,
    out: Path | None,
    workers: Workers,
    wanted: ProfileSettings,
    observer: Observer,
    quiet: bool,
) -> Profiled:
    """Profile a run's cells, or else a scenario's."""
    from benchsuite.api.runs import new_folder
    from benchsuite.cli.interrupts import asked_to_stop
    from benchsuite.progress import planning
    from benchsuite.runner.prepare import prepare
    from benchsuite.runner.profile import profile_run, profile_scenario
    from benchsuite.terminal import print_notes

    if request.resume is not None:
        with asked_to_stop() as stopping:
            return profile_run(
                request.resume,
                workers,
                observer,
                wanted,
                filter=request.filter,
                command=request.command,
                stopping=stopping,
            )
    with contextlib.nullcontext() if quiet else planning():
        prepared = prepare(request, workers, every=True)
    print_notes(() if quiet else prepared.notes)
    folder = out or new_folder(f"{prepared.scenario.name}-profile")
    with asked_to_stop() as stopping:
        return profile_scenario(prepared, folder, workers, observer, wanted, stopping)


def _conclude(done: Profiled, *, quiet: bool) -> None:
    """Render the report, print the largest operators and how to see the traces; exit with 3 on failures."""
    from benchsuite.report.page import render
    from benchsuite.results.store import RECORDS, REPORT, read_run

    page = done.folder / REPORT
    render([read_run(done.folder)], out=page)
    if not quiet:
        for record in done.records:
            _print_largest(record, done)
        print(f"records  {done.folder / RECORDS}")
        print(f"report   {page}")
        _print_traces(done)
    failed = {record.id: f"{record.status}: {record.reason}" for record in done.records if record.failed}
    failed |= done.failures
    if failed:
        print(f"{len(failed)} of {len(done.records)} cells could not be profiled:", file=sys.stderr)
        for cell, reason in failed.items():
            print(f"  {cell}  {reason}", file=sys.stderr)
    if done.missing:
        print(f"stopped, {done.missing} cells were not profiled", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)
    if failed:
        raise typer.Exit(FAILED)


def _print_largest(record: Record, done: Profiled) -> None:
    from benchsuite.format import si
    from benchsuite.labels import describe_cell

    reading = done.readings.get(record.id)
    if reading is None:
        return
    print(describe_cell(record.cell))
    for kind in ("kernel", "operator"):
        for one in [one for one in reading.ops if one.kind == kind][:SHOWN]:
            name = one.name if len(one.name) <= _NAME else f"{one.name[: _NAME - 1]}…"
            print(f"  {one.share:6.1%}  {si(one.seconds, 's', 3):>8}  {kind}  {name}")


def _print_traces(done: Profiled) -> None:
    """Who read the traces, where they are, and what opens them."""
    from collections import Counter

    from benchsuite.runner.profile import TRACES, trace_of

    if not done.readings:
        return
    for reader, number in Counter(reading.reader for reading in done.readings.values()).items():
        print(f"read by  {reader} ({number} trace{'s' if number > 1 else ''})")
    for trouble in dict.fromkeys(reading.trouble for reading in done.readings.values() if reading.trouble):
        print(f"  {trouble}", file=sys.stderr)
    print(f"traces   {done.folder / TRACES}, a folder a cell; see them with")
    print(f"  tensorboard --logdir {done.folder / TRACES}")
    first = trace_of(done.folder, next(iter(done.readings)))
    print(f"  or open one of the files on Perfetto's web page: {first}")
