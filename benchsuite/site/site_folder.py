"""The folder of a site: which files in it are ours, and which runs it holds.

    benchsuite-site.json   marks the folder as a site, and lists every file that was written
    runs/NAME/             a run folder as `benchsuite run` leaves it, report.html included

So the site holds its own data: it can be built again from itself, and more runs can be added to it. Files
that are not in the list are a stranger's; they are never written over and never deleted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from benchsuite.errors import UsageError, did_you_mean
from benchsuite.format import some
from benchsuite.report import templating
from benchsuite.results.codec import encode
from benchsuite.results.store import RECORDS, SCENARIO, Run, environment_file, read_run

MARKER = "benchsuite-site.json"
RUNS = "runs"
VERSION = 1
_HOSTS = {".git", ".nojekyll", ".gitignore", ".github", "CNAME", "README.md", "LICENSE"}
"""Names that a Pages host wants in a folder; a folder with nothing else is as good as empty."""


def check(folder: Path) -> None:
    """Raise UsageError unless a site may be written here: it is one, or nothing is in the way."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; --site wants a folder")
    if not folder.is_dir() or (folder / MARKER).is_file():
        return
    others = sorted(child.name for child in folder.iterdir() if child.name not in _HOSTS)
    if others:
        raise UsageError(
            f"{folder}: holds other things ({some(others, 3)}) and no {MARKER}, so it is no site of "
            "benchsuite; name a new or an empty folder with --site"
        )


def owned(folder: Path) -> frozenset[str]:
    """Files that an earlier call wrote, by path inside the site.

    Raises:
        UsageError: the list cannot be read, names a file outside of the site, or is of a newer benchsuite.
    """
    marker = folder / MARKER
    if not marker.is_file():
        return frozenset()
    try:
        data = json.loads(marker.read_text(encoding="utf-8"))
        version = data["site"]
        names = frozenset(str(name) for name in data["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{marker}: cannot be read as the list of a site's files") from error
    if version != VERSION:
        raise UsageError(f"{marker}: site version {version!r}; this benchsuite writes version {VERSION}")
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise UsageError(f"{marker}: lists {name!r}, which is not inside the site")
    return names


def made(folder: Path) -> dict[str, str]:
    """Name of a run → what its report in the site was made from and by, as a digest."""
    if not owned(folder):
        return {}
    found = json.loads((folder / MARKER).read_text(encoding="utf-8")).get("made") or {}
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def published(folder: Path) -> dict[str, Path]:
    """Name → run folder of every run that the site holds."""
    names = {PurePosixPath(name).parts[1] for name in owned(folder) if name.startswith(f"{RUNS}/")}
    found = {name: folder / RUNS / name for name in sorted(names)}
    return {name: path for name, path in found.items() if (path / SCENARIO).is_file()}


def name_of(path: Path) -> str:
    """The name of a run in the site: that of its folder, with what an address cannot hold as hyphens."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name).strip("-.") or "run"


def gathered(paths: Iterable[Path], folder: Path, remove: Iterable[str] = ()) -> dict[str, Run]:
    """The runs that the site is to hold, by name: those it has, without those removed, and the new ones.

    A run that is there already is replaced by the new reading of it: same scenario, same start.

    Raises:
        UsageError: a name to remove is not there, or two different runs have one name.
        RunFolderError: a path is no run.
    """
    there = published(folder)
    for name in remove:
        if name not in there:
            hint = did_you_mean(name, there)
            raise UsageError(
                f'{folder}: holds no run "{name}"{hint}\n  there are: {", ".join(there) or "none"}'
            )
        del there[name]
    runs = {name: read_run(path) for name, path in there.items()}
    new: dict[str, Path] = {}
    for path in dict.fromkeys(paths):
        run, name = read_run(path), name_of(path)
        if name in new and new[name].resolve() != path.resolve():
            raise UsageError(
                f'{new[name]} and {path}: two runs with the name "{name}"; the name is the folder\'s, so '
                "give one of them another"
            )
        if name in runs and _identity(runs[name]) != _identity(run):
            raise UsageError(
                f'{path}: the site holds another run with the name "{name}" '
                f"({_words(runs[name])}, not {_words(run)}); rename the folder, or first: "
                f"--remove {name}"
            )
        new[name] = path
        runs[name] = run
    return runs


def _identity(run: Run) -> tuple[str, str]:
    return str(run.scenario.get("name")), str(run.environment.get("started_at"))


def _words(run: Run) -> str:
    name, start = _identity(run)
    return f"{name} of {start}"


def data_files(name: str, run: Run) -> dict[str, bytes]:
    """The files of a run folder, by path inside the site; torn lines stay as they are."""
    files = {}
    names = [SCENARIO, *(environment_file(session) for session in run.environments)]
    for file in filter(lambda file: (run.path / file).is_file(), names):
        files[f"{RUNS}/{name}/{file}"] = (run.path / file).read_bytes()
    records = run.path / RECORDS
    files[f"{RUNS}/{name}/{RECORDS}"] = (
        records.read_bytes()
        if records.is_file()
        else "".join(f"{encode(record)}\n" for record in run.records).encode()
    )
    return files


def write(folder: Path, files: Mapping[str, bytes], made: Mapping[str, str]) -> None:
    """Make the site hold these files and no other of its own. What is the same is not touched.

    Args:
        made: run → digest of what its report was made from.

    The list is written first with old and new names, so that after a kill every file is still known as ours.

    Raises:
        UsageError: a file of a stranger is where one of ours belongs, or the folder cannot be written.
    """
    before = owned(folder)
    strangers = [name for name in files if name not in before and (folder / name).exists()]
    if strangers:
        raise UsageError(
            f"{folder}: {some(sorted(strangers), 3)} {'is' if len(strangers) == 1 else 'are'} there and was "
            "not written by benchsuite publish; move it away, or name another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _list(folder, before | set(files), {})
        for name, data in files.items():
            _put(folder / name, data)
        for name in sorted(before - set(files)):
            (folder / name).unlink(missing_ok=True)
            _prune(folder, (folder / name).parent)
        _list(folder, files, made)
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error


def _list(folder: Path, names: Iterable[str], made: Mapping[str, str]) -> None:
    data = {"site": VERSION, "made": dict(sorted(made.items())), "files": sorted(names)}
    _put(folder / MARKER, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def _put(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        templating.write(data, path)


def _prune(folder: Path, here: Path) -> None:
    """Remove folders that have become empty."""
    while here != folder and here.is_dir() and not any(here.iterdir()):
        here.rmdir()
        here = here.parent
