"""Build a site: its runs, their reports and thumbnails, and the pages that lead to them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchsuite.errors import UsageError
from benchsuite.report import theme
from benchsuite.report.html import render
from benchsuite.results.store import Run
from benchsuite.site import folder
from benchsuite.site.figures import thumbnail
from benchsuite.site.pages import pages
from benchsuite.site.shelf import shelve

_BACK = '<nav aria-label="Site" style="padding:.6rem 1.5rem"><a href="../../index.html">All reports</a></nav>'


def publish(paths: Iterable[Path], site: Path, remove: Iterable[str] = ()) -> list[str]:
    """Write the site of these runs and of those that it holds already. The same runs give the same files.

    Args:
        paths: run folders; may be none for a site that is there, which is then built again.
        remove: names of runs to take out of it.

    Returns:
        The names of its runs.

    Raises:
        UsageError: `site` holds other things, two runs have one name, or there is no run at all.
        RunFolderError: a path is no run.
    """
    folder.check(site)
    runs = folder.gathered(paths, site, remove)
    if not runs and not folder.owned(site):
        raise UsageError(f"no runs, and {site} is no site yet: benchsuite publish RUN... --site {site}")
    if not runs:
        raise UsageError(f"{site}: no run would be left; to have no site, delete the folder")
    folder.write(site, files(runs))
    return list(runs)


def files(runs: dict[str, Run]) -> dict[str, bytes]:
    """Every file of the site but its list, by path."""
    found: dict[str, bytes] = {".nojekyll": b""}
    pictures = set()
    for name, run in runs.items():
        found |= folder.data_files(name, run)
    runs = {name: _moved(run, name) for name, run in runs.items()}
    for name, run in runs.items():
        found[f"runs/{name}/report.html"] = _report(run)
        with theme.applied():
            picture = thumbnail(run)
        if picture is not None:
            found[f"runs/{name}/thumbnail.svg"] = picture
            pictures.add(name)
    shelf = shelve(runs)
    books = tuple(replace(book, thumbnail=book.name in pictures) for book in shelf.books)
    made = pages(replace(shelf, books=books), runs)
    return found | {name: text.encode() for name, text in made.items()}


def _moved(run: Run, name: str) -> Run:
    """The run as if its folder were its name: the pages are to say nothing of where it was read from."""
    warnings = tuple(warning.replace(str(run.path), name) for warning in run.warnings)
    return replace(run, path=Path(name), warnings=warnings)


def _report(run: Run) -> bytes:
    """The report of a run, with a way back to the index."""
    with tempfile.TemporaryDirectory() as scratch:
        text = render([run], out=Path(scratch) / "report.html").read_text(encoding="utf-8")
    return text.replace("<body>", f"<body>\n{_BACK}", 1).encode()
