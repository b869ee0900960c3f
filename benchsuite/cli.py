"""The command line: parse, call one function, print, exit.

Exit codes: 0 fine, 1 mismatch, 2 bad input, 3 cells failed that the scenario did not expect to fail.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from benchsuite.errors import BenchsuiteError, Problem, UsageError

if TYPE_CHECKING:
    from benchsuite.run.executor import Executor
    from benchsuite.run.prepare import Prepared
    from benchsuite.run.sweep import Sweep

MISMATCH, BAD_INPUT, FAILED_CELLS, INTERRUPTED = 1, 2, 3, 130

app = typer.Typer(
    name="benchsuite",
    help="Measure what vision token mixers really cost: MACs, latency, throughput and peak memory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

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


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from benchsuite import __version__

        print(f"benchsuite {__version__}")
        raise typer.Exit


@app.command()
def run(
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
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name>-<time>.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run folder: only what is missing.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List cells, time and memory; measure nothing.")
    ] = False,
    pythonpath: PythonPath = None,
    executor: Annotated[str, typer.Option(help="process (default), or inline for debugging.")] = "process",
    figures: Figures = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    """Run a scenario: measure its cells, keep the records, render the report."""
    from benchsuite import terminal
    from benchsuite.run.executor import EXECUTORS
    from benchsuite.run.own import require_folders
    from benchsuite.run.prepare import Request, prepare, with_stored_pythonpath
    from benchsuite.run.sweep import run as run_sweep

    if executor not in EXECUTORS:
        raise UsageError(f"no executor {executor!r}; allowed: {', '.join(EXECUTORS)}")
    _check_folders(out if not dry_run else None, resume)
    request = with_stored_pythonpath(
        Request(
            reference=scenario,
            profiles=tuple(profile or ()),
            overrides=tuple(set_ or ()),
            filter=filter,
            device=device,
            resume=resume,
            pythonpath=tuple(pythonpath or ()),
            command=("benchsuite", *sys.argv[1:]),
        )
    )
    require_folders(request.pythonpath)
    folder = resume or out
    engine = EXECUTORS[executor](request.pythonpath)
    try:
        prepared = prepare(request, engine)
        for note in prepared.notes if not quiet else ():
            print(note)
        if dry_run:
            _print_dry_run(prepared, engine)
            return
        folder = folder or Path("runs") / f"{prepared.scenario.name}-{datetime.now():%Y%m%d-%H%M%S}"
        sweep = run_sweep(prepared, folder, engine, terminal.observer(quiet=quiet, verbose=verbose))
    except KeyboardInterrupt:
        hint = f"; go on with: benchsuite run --resume {folder}" if folder and folder.is_dir() else ""
        print(f"stopped{hint}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        engine.close()
    _conclude(sweep, figures, quiet=quiet)


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scenario files, or shipped names.")],
    profile: Profiles = None,
    set_: Overrides = None,
    build: Annotated[
        bool, typer.Option("--build", help='Also build every cell on "meta" (imports torch).')
    ] = False,
    pythonpath: PythonPath = None,
) -> None:
    """Name every mistake in scenarios, with its line, its column and the nearest right word."""
    from benchsuite.run.catalogue import known_parameters
    from benchsuite.run.own import plugins, require_folders, search_path
    from benchsuite.scenario import find
    from benchsuite.scenario.check import problems

    folders = tuple(pythonpath or ())
    require_folders(folders)
    _warn(plugins(search_path(folders)).warnings)
    known = known_parameters(folders)
    found: list[Problem] = []
    unbuilt = False
    for reference in files:
        path = find.resolve(reference)
        text = find.read(path)
        here = problems(text, str(path), known, profiles=profile or (), overrides=set_ or ())
        found.extend(here)
        if not here and not build:
            print(f"{path}: ok")
        elif not here:
            unbuilt |= _print_built(path, profile or [], set_ or [], folders)
    for problem in found:
        print(problem)
    if found:
        print(f"{len(found)} problem{'s' if len(found) > 1 else ''}")
        raise typer.Exit(BAD_INPUT)
    if unbuilt:
        raise typer.Exit(FAILED_CELLS)


@app.command()
def schema(out: Annotated[Path | None, typer.Option(help="Write here instead of stdout.")] = None) -> None:
    """Print the JSON Schema of scenarios, for editors."""
    import json

    from benchsuite.run.catalogue import known_parameters
    from benchsuite.scenario.schema import json_schema

    # Of the zoo only, so that the same benchsuite prints the same schema everywhere.
    text = json.dumps(json_schema(known_parameters(installed=False)), indent=2, ensure_ascii=False)
    _write(text + "\n", out)


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="scenarios, mixers or blocks")],
    format: Annotated[
        str, typer.Option(help="text, markdown, csv or json; the last two say everything in full.")
    ] = "text",
) -> None:
    """List the shipped scenarios, the mixers, or the blocks around and inside of mixers."""
    from benchsuite import terminal

    listed = {"scenarios": _scenarios, "mixers": _mixers, "blocks": _blocks}.get(what)
    if listed is None:
        raise UsageError(f"cannot list {what!r}; allowed: scenarios, mixers, blocks")
    if format not in terminal.LISTS:
        raise UsageError(f"no format {format!r}; allowed: {', '.join(terminal.LISTS)}")
    rows, full = listed()
    terminal.print_list(rows, full, format)


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="mixer")],
    name: Annotated[str, typer.Argument(help="A mixer, a block, or package.module:Class.")],
) -> None:
    """Show what a mixer is: paper, parameters, cost, and what differs from its authors' code."""
    from benchsuite.run.catalogue import entry
    from benchsuite.run.listing import page

    if what not in ("mixer", "block"):
        raise UsageError(f"cannot show {what!r}; allowed: mixer, block")
    print(page(entry(name)))


@app.command()
def count(
    what: Annotated[str, typer.Argument(help="backbones")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Only these; else all.")
    ] = None,
    format: Annotated[str, typer.Option(help="text, json or markdown.")] = "text",
    resolution: Annotated[int, typer.Option(min=1, help="Side of the image in pixels.")] = 224,
) -> None:
    """Count parameters and multiply–adds of networks, beside what was published. Nothing is run."""
    from benchsuite import terminal

    if what != "backbones":
        raise UsageError(f"cannot count {what!r}; allowed: backbones")
    if format not in terminal.COUNTS:
        raise UsageError(f"no format {format!r}; allowed: {', '.join(terminal.COUNTS)}")
    from benchsuite.run.count import count_backbones

    terminal.print_counts(count_backbones(names or (), resolution), format)


@app.command()
def parity(
    folder: Annotated[Path, typer.Argument(help="A folder of golden cases.")],
    allow_unknown: Annotated[
        bool, typer.Option(help="List cases of mixers we do not have, and exit 0.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    kernel: Annotated[list[str] | None, typer.Option(help="Only these kernels; repeatable.")] = None,
) -> None:
    """Compare our mixers with the authors' own code: output and input gradient, every kernel."""
    from benchsuite import terminal
    from benchsuite.parity.compare import check_folder

    rows = check_folder(folder, device=device, kernels=kernel or None)
    terminal.print_parity(rows)
    verdicts = [row.verdict for row in rows]
    unknown = sorted({row.case for row in rows if row.verdict == "unknown"})
    print(
        ", ".join(f"{verdicts.count(word)} {word}" for word in ("ok", "mismatch", "unavailable", "unknown"))
    )
    if "mismatch" in verdicts:
        raise typer.Exit(MISMATCH)
    if unknown and not allow_unknown:
        print(f"{len(unknown)} cases cannot be mapped: {', '.join(unknown)}", file=sys.stderr)
        raise typer.Exit(BAD_INPUT)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    format: Annotated[str, typer.Option(help="csv, markdown or parquet.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="Write here instead of stdout.")] = None,
) -> None:
    """Print the records of a run as flat columns."""
    from benchsuite.results.frame import export as export_results
    from benchsuite.results.frame import load

    data = export_results(load(run), format)
    if isinstance(data, bytes) and out is None and sys.stdout.isatty():
        raise UsageError(f"{format} is binary: name a file with --out")
    _write(data, out)


@app.command()
def report(
    runs: Runs,
    out: Annotated[Path | None, typer.Option(help="HTML file; default report.html in the first run.")] = None,
    figures: Figures = None,
) -> None:
    """Render one HTML file that opens offline from one or more runs."""
    from benchsuite.report.html import render
    from benchsuite.results.store import REPORT, read_run

    loaded = [read_run(path) for path in runs]
    for warning in (text for one in loaded for text in one.warnings):
        print(warning, file=sys.stderr)
    print(render(loaded, out=out or runs[0] / REPORT, figures=figures))


@app.command()
def claims(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    format: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Say which claims of papers hold in a run. Verdicts are findings: the exit code is always 0."""
    import json

    from benchsuite import terminal
    from benchsuite.report.claims import judgements, panel, plain
    from benchsuite.results.frame import load

    if format not in ("text", "json"):
        raise UsageError(f"no format {format!r}; allowed: text, json")
    results = load(run)
    frame = results.frame()
    found = judgements(results.run.scenario, frame)
    if format == "json":
        print(json.dumps([plain(one) for one in found], indent=2, ensure_ascii=False))
    else:
        terminal.print_claims(panel(found, frame))


def main() -> NoReturn:
    """Entry point: every error of ours becomes one message and its exit code, never a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app()
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_INPUT)
    except BenchsuiteError as error:
        print(f"benchsuite: {error}", file=sys.stderr)
        sys.exit(FAILED_CELLS)
    except BrokenPipeError:  # the reader of a pipe, head say, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)


def _check_folders(out: Path | None, resume: Path | None) -> None:
    """Refuse a folder that cannot be used, before any time is spent."""
    from benchsuite.results.store import check_free, require_run

    if resume is not None and out is not None:
        raise UsageError("give --out for a new run or --resume for an old one, not both")
    if resume is not None:
        require_run(resume)
    elif out is not None:
        check_free(out)


def _conclude(sweep: Sweep, figures: Path | None, *, quiet: bool) -> None:
    """Render the report, print the table, and exit with 3 if a cell failed unexpectedly."""
    from benchsuite import terminal
    from benchsuite.report.html import render
    from benchsuite.results.store import RECORDS, REPORT, read_run

    page = sweep.folder / REPORT
    if sweep.measured or figures or not page.is_file():
        render([read_run(sweep.folder)], out=page, figures=figures)
    if not quiet:
        if sweep.measured:
            terminal.print_summary(sweep.records)
        else:
            print(f"nothing to measure: all {len(sweep.records)} cells have a record")
        print(f"records  {sweep.folder / RECORDS}")
        print(f"report   {page}")
    failed = [record for record in sweep.records if record.failed]
    if failed:
        print(f"{len(failed)} of {len(sweep.records)} cells failed unexpectedly:", file=sys.stderr)
        for record in failed:
            print(f"  {record.id}  {record.status}: {record.reason}", file=sys.stderr)
        raise typer.Exit(FAILED_CELLS)


def _print_dry_run(prepared: Prepared, engine: Executor) -> None:
    from benchsuite import terminal
    from benchsuite.run.estimate import estimate

    estimates = estimate(prepared, engine)
    terminal.print_estimates(estimates)
    for cell, reason in prepared.excluded:
        print(f"excluded  {terminal.describe_cell(cell)}: {reason}")
    seconds = sum(item.seconds or 0.0 for item in estimates)
    print(f"{len(estimates)} cells, about {seconds:.0f} s (rough: from a matrix product timed now)")


def _print_built(path: Path, profiles: list[str], overrides: list[str], pythonpath: tuple[str, ...]) -> bool:
    """Build the cells of a file without mistakes and name what is not built, once for each mixer and reason.

    Returns whether any cell ended in an error that the scenario does not expect. Raises UsageError.
    """
    from collections import Counter

    from benchsuite.run.executor import InlineExecutor
    from benchsuite.run.prepare import Request, prepare
    from benchsuite.scenario.expand import expected

    request = Request(
        reference=str(path), profiles=tuple(profiles), overrides=tuple(overrides), pythonpath=pythonpath
    )
    engine = InlineExecutor(pythonpath)
    try:
        prepared = prepare(request, engine)
    finally:
        engine.close()
    unbuilt = [(c, p) for c, p in zip(prepared.cells, prepared.plans, strict=True) if p.failure]
    print(f"{path}: ok, {len(prepared.cells) - len(unbuilt)} of {len(prepared.cells)} cells build")
    reasons = Counter((c.name, p.status, p.failure.message) for c, p in unbuilt if p.failure)
    for (name, status, message), count in reasons.items():
        print(f"  {name}  {status}: {message}  ({count} cell{'s' if count > 1 else ''})")
    return any(p.status == "error" and not expected(prepared.scenario, c, "error") for c, p in unbuilt)


def _scenarios() -> tuple[list[dict[str, str]], list[dict[str, str | list[str]]]]:
    """Rows for people, and for programs."""
    from benchsuite.scenario import find

    rows = [{"name": name, "title": find.title(path)} for name, path in sorted(find.shipped().items())]
    return rows, [{**one} for one in rows]


def _mixers() -> tuple[list[dict[str, str]], list[dict[str, str | list[str]]]]:
    """Rows for people, and for programs. Warns of packages' mixers that cannot be used."""
    from benchsuite.run.catalogue import mixer_entries
    from benchsuite.run.listing import facts, row
    from benchsuite.run.own import plugins, search_path

    _warn(plugins(search_path()).warnings)
    entries = mixer_entries()
    return [row(entry) for entry in entries], [facts(entry) for entry in entries]


def _blocks() -> tuple[list[dict[str, str]], list[dict[str, str | list[str]]]]:
    """Rows for people, and for programs."""
    from benchsuite.run.catalogue import block_entries
    from benchsuite.run.listing import facts, row

    entries = block_entries()
    return [row(entry) for entry in entries], [facts(entry) for entry in entries]


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        print(warning, file=sys.stderr)


def _write(data: str | bytes, out: Path | None) -> None:
    raw = data if isinstance(data, bytes) else data.encode("utf-8")
    if out is None:
        sys.stdout.buffer.write(raw)
        return
    try:
        out.write_bytes(raw)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from error


if __name__ == "__main__":
    main()
