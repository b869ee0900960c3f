"""A small file in a run folder that says how the run goes, for `benchsuite status` in another terminal.

It is there as long as the run is; one that was left behind belongs to a run that was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

from benchsuite.io import parse
from benchsuite.results.record import Record
from benchsuite.runner.outcome import now

PROGRESS = ".progress.json"
EVERY_S = 1.0
"""How often it is written at most."""


class ProgressFile:
    """Writes the file, now and then. A disk that is full does not stop a run here.

    Args:
        total: cells of the run.
        done: cells that have a record already.
    """

    def __init__(self, folder: Path, engine: str, total: int, done: int) -> None:
        self._path = folder / PROGRESS
        self._facts: dict[str, object] = {
            "pid": os.getpid(),
            "host": platform.node(),
            "executor": engine,
            "started_at": now(),
            "total": total,
            "done": done,
            "failed": 0,
            "workers": {},
        }
        self._count, self._failed = done, 0
        self._written = float("-inf")
        self.write({})

    def ended(self, record: Record) -> None:
        """A cell has its record."""
        self._count += 1
        self._failed += record.failed

    def write(self, workers: Mapping[str, str]) -> None:
        """What each worker is doing; written if the last time is long enough ago."""
        if time.monotonic() - self._written < EVERY_S:
            return
        self._written = time.monotonic()
        self._facts |= {"done": self._count, "failed": self._failed, "workers": dict(workers), "at": now()}
        temporary = self._path.with_suffix(".tmp")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(self._facts) + "\n", encoding="utf-8")
            temporary.replace(self._path)

    def close(self) -> None:
        for path in (self._path, self._path.with_suffix(".tmp")):
            with contextlib.suppress(OSError):
                path.unlink()


def read_progress(folder: Path) -> dict[str, object]:
    """What the file says; nothing where there is none."""
    try:
        found = parse((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
