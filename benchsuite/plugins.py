"""Mixers that are not benchsuite's: where their modules are looked for, and which ones packages bring.

Packages name their mixers in the entry point group `benchsuite.mixers`. Their metadata is read; neither they
nor torch are imported.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchsuite.errors import UsageError
from benchsuite.mixers import BLOCKS, MIXERS

GROUP = "benchsuite.mixers"
"""Entry point group: name in a scenario = "package.module:Class"."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A mixer that an installed package brings.

    Attributes:
        target: "package.module:Class".
        package: name and version of the distribution.
    """

    name: str
    target: str
    package: str


@dataclass(frozen=True, slots=True)
class Plugins:
    """The mixers of all installed packages, by name, and what is wrong with others."""

    mixers: Mapping[str, Plugin]
    warnings: tuple[str, ...]


def require_folders(pythonpath: Sequence[str]) -> None:
    """Raise UsageError unless every folder of `--pythonpath` is there."""
    for folder in pythonpath:
        if not Path(folder).is_dir():
            raise UsageError(f"--pythonpath {folder}: no such folder")


def absolute(pythonpath: Sequence[str]) -> list[str]:
    """The folders as seen from anywhere."""
    return [str(Path(folder).resolve()) for folder in pythonpath]


def search_path(pythonpath: Sequence[str] = ()) -> tuple[str, ...]:
    """Where workers look for modules: `--pythonpath`, then where this process does, and last the current
    folder, so that a `torch.py` in it is not torch unless the folder is named."""
    folders = (*absolute(pythonpath), *filter(None, sys.path), str(Path.cwd()))
    return tuple(dict.fromkeys(folders))


@contextmanager
def importable_from(pythonpath: Sequence[str]) -> Iterator[None]:
    """Let this process import what a worker of it would. Raises UsageError for a folder that is not there."""
    require_folders(pythonpath)
    before = list(sys.path)
    sys.path[:] = search_path(pythonpath)
    try:
        yield
    finally:
        sys.path[:] = before


def worker_environment(pythonpath: Sequence[str]) -> dict[str, str]:
    """The environment variables of a worker: those of its parent, with the folders in front of PYTHONPATH."""
    folders = [*absolute(pythonpath), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)} if folders else dict(os.environ)


@functools.cache
def plugins(search: tuple[str, ...]) -> Plugins:
    """Mixers of packages that are installed in the folders. Where names clash, ours, or the first, wins."""
    mixers: dict[str, Plugin] = {}
    warnings: list[str] = []
    for plugin in _declared(search):
        module, _, cls = plugin.target.partition(":")
        unused = f'the mixer "{plugin.name}" of {plugin.package} is not used'
        if not module or not cls:
            warnings.append(f'{unused}: "{plugin.target}" is not of the form package.module:Class')
        elif plugin.name in MIXERS or plugin.name in BLOCKS:
            warnings.append(f"{unused}: benchsuite has one of that name; {plugin.target} names it")
        elif plugin.name in mixers:
            first = mixers[plugin.name].package
            warnings.append(f"{unused}: {first} has one of that name; {plugin.target} names it")
        else:
            mixers[plugin.name] = plugin
    return Plugins(mixers, tuple(warnings))


def _declared(search: tuple[str, ...]) -> Iterator[Plugin]:
    """Entry points of the group, a distribution that is found twice only where it is found first."""
    seen = set()
    for distribution in metadata.distributions(path=list(search)):
        entries = distribution.entry_points.select(group=GROUP)
        name = distribution.metadata["Name"] if entries else None
        if name is None or name in seen:
            continue
        seen.add(name)
        for entry in entries:
            value = entry.value.partition("[")[0].strip()  # extras have no bearing on the class
            yield Plugin(entry.name, value.replace(" ", ""), f"{name} {distribution.version}")
