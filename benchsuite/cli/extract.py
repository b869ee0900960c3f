"""`benchsuite extract`: the records of a report, as the run folders they came from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def extract(
    report: Annotated[Path, typer.Argument(help="A report, as `benchsuite report` writes it.")],
    out: Annotated[
        Path | None, typer.Option(help="A new or empty folder; default: the report's name.")
    ] = None,
) -> None:
    """Take the records out of a report: a run folder, or one for each of its runs."""
    from benchsuite.report.explore import extract as extracting

    found = extracting.extract(report)
    folders = extracting.write(found, out or Path(report.stem))
    for one, folder in zip(found, folders, strict=True):
        print(f"{folder}  {len(one.run.records)} records")
        if one.partial:
            print(
                f"{folder}: the report holds no samples of {len(one.partial)} more cells; what it holds of "
                f"them is in {extracting.PARTIAL}, which is no part of the run",
                file=sys.stderr,
            )
