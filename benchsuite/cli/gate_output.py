"""What a gate's result is written to: the formats that CI systems read, by option; and `gate-report`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import write

if TYPE_CHECKING:
    from benchsuite.gate.result import GateResult

JUnit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="JUnit XML, a test case a cell.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="An HTML report.")]
Summary = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Markdown for a step summary (< 1 MiB).")
]
Comment = Annotated[
    Path | None, typer.Option("--comment", metavar="FILE", help="Markdown for a pull request: the worst 20.")
]
GitHubBenchmark = Annotated[
    Path | None,
    typer.Option("--github-benchmark", metavar="FILE", help="JSON for github-action-benchmark."),
]
Bencher = Annotated[Path | None, typer.Option("--bencher", metavar="FILE", help="Bencher Metric Format.")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="CSV, a row a cell.")]
Files = Mapping[str, Path | None]
"""Key of `report.gate_formats.FORMATS` → where it goes."""


def write_formats(result: GateResult, files: Files, link: str = "") -> None:
    """Write those that were asked for.

    Args:
        link: address of the whole result, for the comment.

    Raises:
        UsageError: one cannot be written.
    """
    from benchsuite.gate.formats import FORMATS
    from benchsuite.gate.formats.markdown import to_comment

    for name, path in files.items():
        if path is not None:
            write(to_comment(result, link) if name == "comment" else FORMATS[name](result), path)


def gate_report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="result.json of a gate, or its folder.")],
    junit: JUnit = None,
    html: Html = None,
    markdown: Summary = None,
    comment: Comment = None,
    github_benchmark: GitHubBenchmark = None,
    bencher: Bencher = None,
    csv: Csv = None,
    link: Annotated[str, typer.Option(help="Address of the job, for the comment.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 if a cell is inconclusive.")] = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 whatever was found.")] = False,
) -> None:
    """Make the formats of a gate's stored result; without any, print it as Markdown.

    Exits as the gate did, so that a job may measure first and judge later.
    """
    from benchsuite.gate.formats.markdown import to_markdown
    from benchsuite.gate.result import read

    found = read(result)
    files: Files = {
        "junit": junit,
        "html": html,
        "markdown": markdown,
        "comment": comment,
        "github_benchmark": github_benchmark,
        "bencher": bencher,
        "csv": csv,
    }
    write_formats(found, files, link)
    if not any(files.values()):
        write(to_markdown(found), None)
    if not exit_zero:
        raise typer.Exit(found.strict_exit_code if strict else found.exit_code)
