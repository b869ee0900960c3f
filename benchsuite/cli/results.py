"""Commands about finished runs: export, report and claims."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchsuite.cli.options import Figures, Runs, Style, warn, write
from benchsuite.errors import UsageError


def export(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    format: Annotated[str, typer.Option(help="csv, markdown or parquet.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="Write here instead of stdout.")] = None,
) -> None:
    """Print the records of a run as flat columns."""
    from benchsuite.results.frame import export as export_results
    from benchsuite.results.frame import load

    results = load(run)
    warn(results.run.warnings)
    data = export_results(results, format)
    if isinstance(data, bytes) and out is None and sys.stdout.isatty():
        raise UsageError(f"{format} is binary: name a file with --out")
    write(data, out)


def report(
    runs: Runs,
    out: Annotated[Path | None, typer.Option(help="HTML file; default report.html in the first run.")] = None,
    figures: Figures = None,
    style: Style = None,
) -> None:
    """Render one HTML file that opens offline from one or more runs."""
    from benchsuite.report.figures import require_style
    from benchsuite.report.page import render
    from benchsuite.results.store import REPORT, read_run

    look = require_style(style, figures)
    loaded = [read_run(path) for path in runs]
    warn(tuple(text for one in loaded for text in one.warnings))
    print(render(loaded, out=out or runs[0] / REPORT, figures=figures, style=look))


def claims(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    format: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Say which claims of papers hold in a run. Verdicts are findings: the exit code is always 0."""
    import json

    from benchsuite import terminal
    from benchsuite.report.claims_panel import judgements, panel, plain
    from benchsuite.results.frame import load

    if format not in ("text", "json"):
        raise UsageError(f"no format {format!r}; allowed: text, json")
    results = load(run)
    warn(results.run.warnings)
    frame = results.frame()
    found = judgements(results.run.scenario, frame)
    if format == "json":
        print(json.dumps([plain(one) for one in found], indent=2, ensure_ascii=False))
    else:
        terminal.print_claims(panel(found, frame))
