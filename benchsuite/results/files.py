"""The JSON files of a run folder, written so that a kill leaves the old one or the new one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchsuite.errors import RunFolderError
from benchsuite.results.untrusted import parse
from benchsuite.text import all_storable


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write an object; it is on disk when this returns."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(all_storable(data), indent=2, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path, require: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
    """Read an object.

    Args:
        require: raises ValueError unless the object is what belongs there.

    Raises:
        RunFolderError: the file is missing, cannot be read, or holds something else.
    """
    try:
        data: Any = parse(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("not a JSON object")
        require(data)
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path}: cannot be read: {error}") from error
    return data
