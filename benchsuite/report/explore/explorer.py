"""All that the interactive part adds to a page: data, library, scripts and styles."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from markupsafe import Markup

from benchsuite.findings.flags import FLAGS
from benchsuite.labels import noun
from benchsuite.report import numbers
from benchsuite.report.cells import Cells
from benchsuite.report.explore import embed
from benchsuite.report.explore.browser_table import looks_of, to_table
from benchsuite.report.explore.embed import Embedded
from benchsuite.report.tables import to_latex, to_markdown
from benchsuite.text import without_options
from benchsuite.version import __version__

SCRIPTS = ("numbers", "dom", "strip", "data", "state", "chart", "detail", "cells", "download", "app")
"""Scripts, in the order in which they build on each other."""
_LIBRARY = {"d3": "d3.min.js", "plot": "plot.umd.min.js"}
_HOME = resources.files("benchsuite.report.explore")

_DROPPED = ("--filter", "--out", "--figures", "--style", "--retry")
"""Options that have nothing to do with what a cell is."""
_SWITCHES = ("--quiet", "-q", "--verbose", "-v", "--dry-run")


@dataclass(frozen=True)
class RunData:
    """Data of one run for the browser.

    Attributes:
        table: see `browser_table.to_table`, with what tells the run from others.
        names: in the order in which figures show them.
        texts: its tables as Markdown and LaTeX, packed.
        repeat: the command that `--filter 'cell=…'` goes behind; None where the run does not say.
    """

    table: dict[str, Any]
    names: tuple[str, ...]
    heading: str
    embedded: Embedded
    texts: str
    repeat: str | None


@dataclass(frozen=True)
class Explorer:
    """Everything that the template puts into the page, once."""

    manifest: Markup
    blocks: Mapping[str, str]
    script: Markup
    style: Markup
    notices: str


def run_data(cells: Cells, *, key: str, title: str, prefix: str, room: int = embed.ROOM_BYTES) -> RunData:
    """Data of one run for the page.

    Args:
        key: of the run on the page; `prefix` begins the ids of its rows.
        room: bytes that its records may take.
    """
    repeat = base_command(cells.run.environment)
    table = to_table(cells)
    table |= {"key": key, "title": title, "prefix": prefix, "repeat": repeat}
    table["settings"] = [
        {"label": setting.label, "cells": [cell.id for cell in setting.cells]}
        for setting in numbers.settings(cells)
    ]
    return RunData(
        table=table,
        names=cells.names,
        heading=noun(cell.subject for cell in cells.reported).heading,
        embedded=embed.embed(cells.run, key, title, room),
        texts=embed.pack(_texts(cells)),
        repeat=repeat,
    )


def _texts(cells: Cells) -> list[dict[str, str]]:
    """The table of every setting as Markdown and LaTeX, in the order of the settings; none of a large run."""
    if len(cells.reported) > numbers.MOST_ROWS:
        return []
    tables = [numbers.of_settings(cells, [setting]) for setting in numbers.settings(cells)]
    return [{"markdown": to_markdown(table), "latex": to_latex(table)} for table in tables]


def assemble(runs: Sequence[RunData]) -> Explorer:
    """The interactive part of the page of these runs."""
    names = list(dict.fromkeys(name for run in runs for name in run.names))
    headings = dict.fromkeys(run.heading for run in runs)
    table = {
        "runs": [run.table for run in runs],
        "looks": looks_of(names),
        "flags": FLAGS,
        "noun": next(iter(headings)) if len(headings) == 1 else "Name",
    }
    blocks = {embed.TABLE: embed.pack(table)}
    for run in runs:
        blocks |= {**run.embedded.blocks, embed.block_id(run.embedded.key, "texts"): run.texts}
    return Explorer(
        manifest=embed.manifest([run.embedded for run in runs], __version__),
        blocks=blocks | _library(),
        script=_script(),
        # Markup: style sheets and scripts are files of this package.
        style=Markup(_text("static/explore.css")),
        notices="\n\n".join(
            f"{name}\n{_text(f'vendor/{file}.LICENSE.txt').strip()}"
            for name, file in (("D3", "d3"), ("Observable Plot", "plot"))
        ),
    )


@functools.cache
def _library() -> dict[str, str]:
    """The charts' library, packed like the data: 0.2 MB instead of 0.5; unpacked when a chart is drawn."""
    return {
        embed.block_id("library", name): embed.pack_text(_text(f"vendor/{file}"))
        for name, file in _LIBRARY.items()
    }


@functools.cache
def _script() -> Markup:
    parts = "\n".join(_text(f"static/{name}.js") for name in SCRIPTS)
    return Markup(f"(() => {{\n{parts}}})();")


@functools.cache
def _text(path: str) -> str:
    return _HOME.joinpath(*path.split("/")).read_text(encoding="utf-8")


def base_command(environment: Mapping[str, Any]) -> str | None:
    """`benchsuite run SCENARIO` with the options of the run that matter, for `--filter cell=…` to follow.

    Returns:
        None where the run does not say its command, or says one without a scenario.
    """
    command = environment.get("command")
    try:
        words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command or ()]
    except ValueError:
        return None
    if words[:2] != ["benchsuite", "run"] or any(word.startswith("--resume") for word in words):
        return None
    kept = without_options(words[2:], _DROPPED, _SWITCHES)
    return shlex.join(["benchsuite", "run", *kept]) if kept else None
