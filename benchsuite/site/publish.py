"""Build a site: its runs, their reports and thumbnails, and the pages that lead to them."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchsuite.errors import UsageError
from benchsuite.report import theme
from benchsuite.report.page import render
from benchsuite.results.store import REPORT, Run
from benchsuite.site import site_folder
from benchsuite.site.contents import read_contents
from benchsuite.site.pages import pages
from benchsuite.site.pictures import thumbnail

_PICTURE = "thumbnail.svg"
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
    site_folder.check(site)
    runs = site_folder.gathered(paths, site, remove)
    if not runs and not site_folder.owned(site):
        raise UsageError(f"no runs, and {site} is no site yet: benchsuite publish RUN... --site {site}")
    if not runs:
        raise UsageError(f"{site}: no run would be left; to have no site, delete the folder")
    files, made = _files(runs, site)
    site_folder.write(site, files, made)
    return list(runs)


def _files(runs: dict[str, Run], site: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Every file of the site but its list, by path; and the digest of what each report was made from."""
    files: dict[str, bytes] = {".nojekyll": b""}
    before, made = site_folder.made(site), {}
    code = _code()
    for name, run in runs.items():
        data = site_folder.data_files(name, run)
        made[name] = hashlib.sha256(code + b"".join(data.values())).hexdigest()
        there = _kept(name, site) if before.get(name) == made[name] else None
        files |= data | (there or _shown(name, _moved(run, name)))
    runs = {name: _moved(run, name) for name, run in runs.items()}
    contents = read_contents(runs)
    listed = tuple(replace(run, thumbnail=f"runs/{run.name}/{_PICTURE}" in files) for run in contents.runs)
    with theme.applied():
        texts = pages(replace(contents, runs=listed), runs)
    return files | {name: text.encode() for name, text in texts.items()}, made


def _kept(name: str, site: Path) -> dict[str, bytes] | None:
    """Report and thumbnail as they are, of a run that has not changed since; None if they are not there."""
    found = {}
    for file in (REPORT, _PICTURE):
        path = f"runs/{name}/{file}"
        if path in site_folder.owned(site) and (site / path).is_file():
            found[path] = (site / path).read_bytes()
    return found if f"runs/{name}/{REPORT}" in found else None


def _shown(name: str, run: Run) -> dict[str, bytes]:
    """Report and thumbnail, made again."""
    found = {f"runs/{name}/{REPORT}": _report(run)}
    with theme.applied():
        picture = thumbnail(run)
    return found if picture is None else found | {f"runs/{name}/{_PICTURE}": picture}


@functools.cache
def _code() -> bytes:
    """Digest of all that makes a report: the code of this package, and the libraries that draw and format."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    for library in ("matplotlib", "pandas", "numpy", "jinja2"):
        digest.update(importlib.metadata.version(library).encode())
    return digest.digest()


def _moved(run: Run, name: str) -> Run:
    """The run as if its folder were its name: the pages are to say nothing of where it was read from."""
    warnings = tuple(warning.replace(str(run.path), name) for warning in run.warnings)
    return replace(run, path=Path(name), warnings=warnings)


def _report(run: Run) -> bytes:
    """The report of a run, with a way back to the index."""
    with tempfile.TemporaryDirectory() as scratch:
        text = render([run], out=Path(scratch) / "report.html").read_text(encoding="utf-8")
    return text.replace("<body>", f"<body>\n{_BACK}", 1).encode()
