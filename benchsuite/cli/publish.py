"""The command publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchsuite.cli.options import warn


def publish(
    site: Annotated[Path, typer.Option("--site", metavar="DIR", help="The folder of the site.")],
    runs: Annotated[list[Path] | None, typer.Argument(metavar="RUN...", help="Run folders.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Take this run out of the site; repeatable.")
    ] = None,
) -> None:
    """Build a static site of many runs: index, reports, a page a mixer, machines side by side, history.

    The site holds the data of its runs, so that later calls add to it, and a call without runs builds it
    again. Records and environments are published with it: machine names, paths and GPU numbers included.
    """
    from benchsuite.results.store import read_run
    from benchsuite.site.publish import publish as build

    warn(tuple(text for path in runs or () for text in read_run(path).warnings))
    names = build(runs or (), site, remove or ())
    print(f"site     {site / 'index.html'} ({len(names)} run{'' if len(names) == 1 else 's'})")
