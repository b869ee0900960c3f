"""A baseline as a JSON file and back: sorted, one line a cell, so that git shows which cells changed."""

from __future__ import annotations

import functools
import json
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.analyse.baseline import Baseline, BaselineCell
from benchsuite.errors import UsageError
from benchsuite.results.record import Cell
from benchsuite.results.shapes import require_environment
from benchsuite.results.untrusted import parse

if TYPE_CHECKING:
    from pydantic import TypeAdapter

BASELINE_VERSION = 1
"""Of the file; it counts up when a field changes its meaning."""


def dump(baseline: Baseline) -> str:
    """The file's text. What is at its default is left out."""
    head = {
        "version": BASELINE_VERSION,
        "kind": baseline.kind,
        "name": baseline.name,
        "sources": list(baseline.sources),
        "machine": dict(baseline.machine),
        "measure": dict(baseline.measure),
        "rule": baseline.rule.model_dump(mode="json", exclude_defaults=True),
        "noise": baseline.noise,
    }
    lines = [
        f"{json.dumps(key)}: {_line(value)}" for key, value in head.items() if value not in ([], {}, None)
    ]
    cells = ",\n".join(_line(_plain(cell)) for cell in sorted(baseline.cells, key=lambda one: one.id))
    return "{\n" + ",\n".join([*lines, f'"cells": [\n{cells}\n]']) + "\n}\n"


def load(text: str, name: str) -> Baseline:
    """What `dump` wrote.

    Args:
        name: of the file, for messages.

    Raises:
        UsageError: it is no baseline, or another version of benchsuite wrote it.
    """
    try:
        data: Any = parse(text)
        version = data.pop("version")
        if version != BASELINE_VERSION:
            raise UsageError(_other_version(name, version))
        found = _adapter().validate_python(data)
        require_environment(found.machine)
        return found
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{name}: not a baseline: {str(error).splitlines()[0]}") from error


def read(path: Path) -> Baseline:
    """The baseline in a file.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}; make one with `benchsuite baseline update RUN` or "
            f"`benchsuite baseline exact SCENARIO --out {path}`"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a baseline: {error}") from error
    return load(text, str(path))


def write(baseline: Baseline, path: Path) -> None:
    """Write the file whole: a reader sees the old one or the new one.

    Raises:
        UsageError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(dump(baseline), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _other_version(name: str, version: object) -> str:
    newer = isinstance(version, int) and version > BASELINE_VERSION
    todo = (
        "update with: pip install --upgrade benchsuite"
        if newer
        else "make it anew with `benchsuite baseline update RUN` or `benchsuite baseline exact SCENARIO`"
    )
    return f"{name}: version {version!r} of a baseline, this benchsuite reads {BASELINE_VERSION}; {todo}"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _plain(cell: BaselineCell) -> dict[str, Any]:
    data = {key: value for key, value in asdict(cell).items() if value not in ("", {}, (), "ok")}
    defaults = {f.name: f.default for f in fields(Cell) if f.default is not MISSING} | {"config": {}}
    data["cell"] = {key: value for key, value in asdict(cell.cell).items() if defaults.get(key, ...) != value}
    return data


@functools.cache
def _adapter() -> TypeAdapter[Baseline]:
    from pydantic import TypeAdapter

    return TypeAdapter(Baseline)
