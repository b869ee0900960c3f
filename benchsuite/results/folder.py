"""A whole run written at once, as `store.RunWriter` would have left it."""

from __future__ import annotations

from pathlib import Path

from benchsuite.errors import RunFolderError
from benchsuite.io import write_json
from benchsuite.results.codec import encode
from benchsuite.results.store import RECORDS, SCENARIO, Run, check_free, environment_file


def write_run(run: Run, path: Path) -> None:
    """Write scenario, environments and records into a new or empty folder.

    Raises:
        RunFolderError: the folder is not empty, or cannot be written.
    """
    check_free(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / SCENARIO, run.scenario)
        for session, environment in (run.environments or {1: run.environment}).items():
            write_json(path / environment_file(session), environment)
        lines = "".join(f"{encode(record)}\n" for record in run.records)
        (path / RECORDS).write_text(lines, encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written: {error.strerror}") from error
