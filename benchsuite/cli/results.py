"""Commands that show what runs measured: export, report, figure, extract and claims."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import Figures, Runs, Style, warn, write
from benchsuite.errors import UsageError, require_word
from benchsuite.report.figures import KINDS
from benchsuite.report.figures.layout import require_style
from benchsuite.text import in_markdown

if TYPE_CHECKING:
    from benchsuite.report.claims_panel import ClaimsPanel

_KINDS = f"{', '.join(list(KINDS)[:-1])} or {list(KINDS)[-1]}."


def export(
    runs: Runs,
    format: Annotated[str, typer.Option(help="csv, markdown, latex or parquet.")] = "csv",
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Of markdown and latex, only these columns, in this order."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write here instead of stdout.")] = None,
) -> None:
    """Print the records of runs: all as flat columns (csv, parquet), or a table to paste (markdown, latex).

    A table has scaled units and marks the best of each setting. Of several runs a column says which one a
    row is of.
    """
    from benchsuite.results.frame import FORMATS
    from benchsuite.results.frame import export as export_frame
    from benchsuite.results.store import read_run

    require_word("--format", format, (*FORMATS, "markdown", "latex"))
    chosen = [name.strip() for name in columns.split(",")] if columns else []
    if chosen and format in FORMATS:
        raise UsageError(f"--columns: {format} holds every column; it is for markdown and latex")
    loaded = [read_run(path) for path in runs]
    warn(tuple(text for one in loaded for text in one.warnings))
    if format == "parquet" and out is None and sys.stdout.isatty():
        raise UsageError(f"{format} is binary: name a file with --out")
    if format in FORMATS:
        write(export_frame(loaded, format), out)
        return
    from benchsuite.report.exported import exported
    from benchsuite.report.tables import to_latex, to_markdown

    table = exported(loaded, chosen)
    text = to_latex(table) if format == "latex" else f"{to_markdown(table)}\n{in_markdown(table.caption)}\n"
    write(text, out)


def report(
    runs: Runs,
    out: Annotated[Path | None, typer.Option(help="HTML file; default report.html in the first run.")] = None,
    figures: Figures = None,
    style: Style = None,
) -> None:
    """Render one HTML file that opens offline from one or more runs."""
    from benchsuite.report.page import render
    from benchsuite.results.store import REPORT, read_run

    look = require_style(style, figures)
    loaded = [read_run(path) for path in runs]
    warn(tuple(text for one in loaded for text in one.warnings))
    print(render(loaded, out=out or runs[0] / REPORT, figures=figures, style=look))


def figure(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    kind: Annotated[
        str | None,
        typer.Option(help=f"{_KINDS} Without it, those that the run has are named."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .pdf, .png or .svg; it must be named.")
    ] = None,
    mixers: Annotated[
        str | None, typer.Option(help="Names of mixers or networks, separated by commas; all if unsaid.")
    ] = None,
    kernel: Annotated[str | None, typer.Option(help="One kernel: math, sdpa, flash.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="macs, throughput, latency_s or peak_memory_bytes, where a figure shows several."),
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Name that speeds are relative to.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Conditions or axis, where a run has several: fp16, batch 64.")
    ] = None,
    width: Annotated[
        str | None, typer.Option(help="Width: 3.25in, 6.75in, 85mm, 234pt; that of the page if unsaid.")
    ] = None,
    style: Annotated[str | None, typer.Option(help="default or litv2.")] = None,
) -> None:
    """Write one figure of a run to a file, as wide as a column of a paper or as the page."""
    from benchsuite.api.figures import draw, require_ending, require_kind
    from benchsuite.results.store import read_run

    if out is not None:
        require_ending(out)
    loaded = read_run(run)
    warn(loaded.warnings)
    kind = require_kind(loaded, kind)
    if out is None:
        raise UsageError("--out: name the file to write: .pdf, .png or .svg")
    names = tuple(name.strip() for name in mixers.split(",")) if mixers else ()
    drawn = draw(
        loaded, kind, names=names, kernel=kernel, metric=metric, reference=reference, group=group,
        width=width, style=style,
    )  # fmt: skip
    drawn.save(out)
    if drawn.others and group is None:
        warn((f"drawn for {drawn.of}; --group has also: {'; '.join(drawn.others)}",))
    print(out)
    print(drawn.caption, file=sys.stderr)


def extract(
    report: Annotated[Path, typer.Argument(help="A report, as `benchsuite report` writes it.")],
    out: Annotated[
        Path | None, typer.Option(help="A new or empty folder; default: the report's name.")
    ] = None,
) -> None:
    """Take the records out of a report: a run folder, or one for each of its runs."""
    from benchsuite.report.explore import extract as extracting

    extracted = extracting.extract(report)
    folders = extracting.write(extracted, out or Path(report.stem))
    for one, folder in zip(extracted, folders, strict=True):
        print(f"{folder}  {len(one.run.records)} records")
        if one.partial:
            print(
                f"{folder}: the report holds no samples of {len(one.partial)} more cells; what it holds of "
                f"them is in {extracting.PARTIAL}, which is no part of the run",
                file=sys.stderr,
            )


def claims(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    format: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Say which claims of papers hold in a run. Verdicts are findings: the exit code is always 0."""
    import json

    from benchsuite.report.claims_panel import judgements, panel, plain
    from benchsuite.results.metrics import measured_cells
    from benchsuite.results.store import read_run

    require_word("--format", format, ("text", "json"))
    loaded = read_run(run)
    warn(loaded.warnings)
    cells = measured_cells(loaded.records, loaded.environments)
    judged = judgements(loaded.scenario, cells)
    if format == "json":
        print(json.dumps([plain(one) for one in judged], indent=2, ensure_ascii=False))
    else:
        _print_claims(panel(judged, cells))


def _print_claims(panel: ClaimsPanel | None) -> None:
    """What `benchsuite claims` shows: a heading for every claim, and a row for every setting under it."""
    from rich.table import Table
    from rich.text import Text

    from benchsuite.terminal import console

    if panel is None:
        print("the scenario of this run makes no claims")
        return
    for row in panel.rows:
        style = {"holds": "green", "does not hold": "red", "mixed": "yellow"}.get(row.verdict, "dim")
        console().print(
            Text.assemble((f"{row.symbol} {row.words}", style), f"  {row.claim.id}  {row.claim.says}")
        )
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(width=12)
        table.add_column(min_width=22, no_wrap=True)
        table.add_column()
        lines = [("  compared", "", row.compared)] if row.measured else []
        lines += [("  here", "", row.summary)] if row.summary else []
        for one in row.measured:
            mark = f"{one.symbol} {one.ratio}" if len(row.measured) > 1 else one.ratio
            lines.append(("  here", mark, f"{one.where}: {one.reason}" if one.reason else one.where))
        lines += [("  published", one.short, one.conditions) for one in row.printed]
        lines.append(("  source", "", row.claim.source))
        before = ""
        for name, number, text in lines:
            table.add_row(*(Text(word) for word in ("" if name == before else name, number, text)))
            before = name
        console().print(table)
    print(panel.summary)
