"""Run folders below a folder."""

from __future__ import annotations

import os
from pathlib import Path

from benchsuite.errors import RunFolderError
from benchsuite.results.store import SCENARIO


def find_runs(folder: Path) -> list[Path]:
    """Every run folder below `folder`, itself included, by path. Hidden folders are left out.

    Raises:
        RunFolderError: there is no such folder.
    """
    if not folder.is_dir():
        raise RunFolderError(f"{folder}: no such folder")
    found = []
    for here, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if SCENARIO in files:
            found.append(Path(here))
            below.clear()  # what a run folder holds belongs to the run
    return sorted(found)
