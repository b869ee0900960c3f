"""Cache of counts and memory estimates of the zoo, in the user's cache folder: nothing is traced twice.

An entry is known by all that it depends on: the cell, the source of every file of benchsuite, and the
versions of Python, torch, fvcore and the library that a network comes from. So a stale one has another name,
and is never read. Modules of users are not kept, since nobody knows which files they depend on, and neither
is anything in a process with counting rules of its own. Every doubt is settled by counting.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchsuite.backbones import BACKBONES
from benchsuite.io import cache_folder, write_whole
from benchsuite.measurement.op_table import has_own_rules
from benchsuite.mixers import BLOCKS, MIXERS
from benchsuite.plugins import plugins, search_path
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost
from benchsuite.scenario.subjects import LIBRARIES
from benchsuite.text import strings_in

KEPT_VERSIONS = 4
"""Versions of the code whose entries stay, the one in use among them."""
_DISTRIBUTIONS = ("torch", "fvcore", "timm", "torchvision")


class _Flat(Protocol):
    """A dataclass of numbers, strings and flat mappings."""

    def __init__(self, **fields: Any) -> None: ...


_T = TypeVar("_T", bound=_Flat)


def kept(what: type[_T], cell: Cell, make: Callable[[], _T]) -> _T:
    """What `make` returns for a cell, or returned for the same one before; what it raises is not kept.

    Args:
        what: the type of the answer, which tells counts from estimates.
    """
    if has_own_rules() or not _is_ours(cell):
        return make()
    plain = replace(
        cell, name="", cache="warm", protocol="adaptive", threads=None, allocator="retain", machine=""
    )
    if what is Cost:  # of one image, whatever is done with it
        plain = replace(
            plain, batch=1, dtype="fp32", mode="inference", compile="eager", memory_format="contiguous"
        )
    key = json.dumps([what.__name__, _source_of(cell.target), asdict(plain)], sort_keys=True, default=list)
    file = cache_folder() / "plans" / _version() / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        entry = json.loads(file.read_text(encoding="utf-8"))
        if entry["key"] == key:
            return what(**entry["value"])
    value = make()
    with suppress(OSError):
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
            _forget_old_versions(file.parent)
        text = json.dumps({"key": key, "value": asdict(value)})  # type: ignore[call-overload]
        write_whole(file, text + "\n", temporary=file.with_suffix(f".{os.getpid()}.tmp"))
    return value


def _is_ours(cell: Cell) -> bool:
    """Tell if benchsuite or a library whose version is known has the subject and all parts it is given."""
    ours = bool(_source_of(cell.target)) or cell.target.startswith(LIBRARIES)
    theirs = plugins(search_path()).mixers
    return ours and not any(":" in word or word in theirs for word in strings_in(cell.config))


def _source_of(target: str) -> str:
    return MIXERS.get(target) or BLOCKS.get(target) or BACKBONES.get(target) or ""


@functools.cache
def _version() -> str:
    """Digest of the code that counts."""
    digest = hashlib.sha256(platform.python_version().encode())
    for name in _DISTRIBUTIONS:
        with suppress(metadata.PackageNotFoundError):
            digest.update(f"{name} {metadata.version(name)};".encode())
    root = Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _forget_old_versions(current: Path) -> None:
    others = sorted(
        (one for one in current.parent.iterdir() if one != current), key=lambda one: one.stat().st_mtime
    )
    for old in others[: max(0, len(others) - KEPT_VERSIONS + 1)]:
        shutil.rmtree(old, ignore_errors=True)
