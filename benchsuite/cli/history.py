"""The command history."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import write
from benchsuite.errors import BenchsuiteError, UsageError, nearest

if TYPE_CHECKING:
    from benchsuite.findings.history import Series
    from benchsuite.results.store import Run


def history(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with run folders below it.")],
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take the runs of this scenario only.")
    ] = None,
    format: Annotated[str, typer.Option(help="text, json, csv or otava.")] = "text",
    out: Annotated[
        Path | None, typer.Option(help="Write here instead of stdout; for otava, a folder.")
    ] = None,
) -> None:
    """Follow each cell over many runs: steps with the revisions between which they came, and drift.

    Verdicts are findings: the exit code is 0 whatever is found.
    """
    import json

    from benchsuite.report.history_page import FORMATS, plain, to_csv, to_otava

    if format not in FORMATS:
        guess = nearest(format, FORMATS)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise UsageError(f"no format {format!r}{hint}\n  allowed: {', '.join(FORMATS)}")
    found = read(folder, scenario)
    if format == "otava":
        _write_otava(to_otava(found), out)
    elif format == "json":
        write(json.dumps(plain(found), indent=2, ensure_ascii=False) + "\n", out)
    elif format == "csv":
        write(to_csv(found), out)
    else:
        _text(found, out)


def read(folder: Path, scenario: str | None = None) -> list[Series]:
    """The series of all runs below a folder; what cannot be read is named on stderr.

    Raises:
        UsageError: there are no runs, or none of this scenario.
    """
    from benchsuite.findings.history import history as series_of
    from benchsuite.report.history_page import scenarios
    from benchsuite.results.store import find_runs

    paths = find_runs(folder)
    if not paths:
        raise UsageError(f"{folder}: no run folder in it or below it; one holds scenario.json and records")
    everything = series_of(_readable(paths))
    if not everything:
        raise UsageError(f"{folder}: none of its {len(paths)} run folders holds a record")
    found = [one for one in everything if scenario is None or one.scenario == scenario]
    if not found:
        guess = nearest(str(scenario), {one.scenario for one in everything})
        hint = f'; did you mean "{guess}"?' if guess else ""
        raise UsageError(
            f'{folder}: no run of a scenario "{scenario}"{hint}\n  there are: {scenarios(everything)}'
        )
    return found


def _readable(paths: list[Path]) -> Iterator[Run]:
    """One run after the other, so that the samples of all are never in memory at once."""
    from benchsuite.results.store import read_run

    for path in paths:
        try:
            run = read_run(path)
        except BenchsuiteError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        for warning in run.warnings:
            print(warning, file=sys.stderr)
        yield run


def _text(found: list[Series], out: Path | None) -> None:
    import contextlib
    import io

    from benchsuite.cli.sections import print_sections
    from benchsuite.report.history_page import sections

    if out is None:
        print_sections(sections(found), plain=True)
        return
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        print_sections(sections(found), plain=True)
    write(text.getvalue(), out)


def _write_otava(files: dict[str, str], out: Path | None) -> None:
    if out is None:
        raise UsageError("otava reads a configuration and a CSV file for each test: name a folder with --out")
    if not files:
        raise UsageError("no cell was timed, so there is nothing for otava to read")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from error
    for name, text in files.items():
        write(text, out / name)
    print(f"otava    {out / 'otava.yaml'}", file=sys.stderr)
