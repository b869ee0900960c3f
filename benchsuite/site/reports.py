"""A folder of committed runs, such as `reports/`: its reports made again, and the table of its README."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from benchsuite.errors import UsageError
from benchsuite.report.page import render
from benchsuite.report.templating import write
from benchsuite.results.store import REPORT, find_runs, read_run
from benchsuite.site.contents import SiteRun, site_run
from benchsuite.text import in_markdown, without_options

README = "README.md"
BEGIN, END = "<!-- runs: made by make reports -->", "<!-- /runs -->"
_HEADS = ("report", "what", "machine", "date", "versions", "cells", "command")


def rebuild(folder: Path, *, pages: bool = True) -> list[Path]:
    """Make every report of a folder again, and the table of its README between its two marks.

    Args:
        pages: whether to make the reports; without, only the table.

    Returns:
        The files that were written.

    Raises:
        UsageError: there are no runs, or the README has no place for the table.
        RunFolderError: a run cannot be read.
    """
    paths = find_runs(folder)
    if not paths:
        raise UsageError(f"{folder}: no run folder in it or below it")
    readme = folder / README
    text = readme.read_text(encoding="utf-8") if readme.is_file() else f"# Reports\n\n{BEGIN}\n{END}\n"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(f"{readme}: has no lines {BEGIN!r} and {END!r}, between which the table belongs")
    runs, written = [], []
    for path in paths:
        run = read_run(path)
        if pages:
            written.append(render([run], out=path / REPORT))
        runs.append(site_run(path.relative_to(folder).as_posix(), run))
    write(f"{before}{BEGIN}\n{table(runs)}{END}{after}", readme)
    return [*written, readme]


def table(runs: Sequence[SiteRun]) -> str:
    """A Markdown table of runs: what, on what, when, with which versions, and the command that repeats it."""
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'---|' * len(_HEADS)}"]
    for one in runs:
        cells = (
            f"[{_escaped(one.name)}]({one.name.replace(' ', '%20')}/{REPORT})",
            _escaped(one.title),
            _escaped(one.machines),
            one.date,
            _escaped(", ".join(one.versions)),
            one.cells,
            f"`{_bare(one.command).replace('`', '').replace('|', chr(92) + '|')}`" if one.command else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _bare(command: str) -> str:
    """The command without what says only where its output went."""
    return shlex.join(without_options(shlex.split(command), ("--out",), ("-q", "--quiet")))


def _escaped(text: str) -> str:
    """Text of a user in a cell of a Markdown table, where it begins no link."""
    return in_markdown(text).replace("[", "\\[")
