"""A run on disk: a folder that another process may be killed while writing.

    scenario.json      the scenario as resolved: profiles applied, overrides in
    environment.json   the machine of the first session; environment-2.json of the first resume, and so on
    records.jsonl      one line a cell, appended and flushed to disk as each cell ends
    report.html        made from the above; can be made again

A torn last line, left by a kill in mid-write, is cut off before anything is appended.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchsuite.errors import RecordVersionError, RunFolderError
from benchsuite.io import (
    LOCK,
    Journal,
    JournalLine,
    lines,
    lock,
    read_json,
    unlock,
    what_is_wrong,
    write_json,
)
from benchsuite.results.codec import decode, encode
from benchsuite.results.record import Record
from benchsuite.results.shapes import require_environment, require_scenario

SCENARIO = "scenario.json"
RECORDS = "records.jsonl"
REPORT = "report.html"
ANALYSES = "analyses.json"
_LEFTOVERS = (LOCK, "scenario.tmp")
"""What a run leaves that was killed before it began."""


@dataclass(frozen=True)
class Run:
    """A run folder as read.

    Attributes:
        scenario: the resolved scenario as plain data.
        environment: the machine of the first session.
        environments: session number → machine; more than one after a resume, and never none.
        records: in the order of measurement, one a cell: where a cell stands twice, the later line counts.
        warnings: what was wrong with the folder but did not prevent reading it.
    """

    path: Path
    scenario: dict[str, Any]
    environment: dict[str, Any]
    records: tuple[Record, ...]
    environments: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.environments:
            object.__setattr__(self, "environments", {1: self.environment})

    @property
    def tried(self) -> tuple[Record, ...]:
        """The records of all cells that no rule excludes."""
        return tuple(record for record in self.records if record.status != "skipped")


def environment_file(session: int) -> str:
    """Name of the file that describes the machine of a session."""
    return "environment.json" if session == 1 else f"environment-{session}.json"


def read_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        RunFolderError: the folder is missing, or holds no run.
        RecordVersionError: a newer version of benchsuite wrote it.
    """
    scenario = read_scenario(path)
    environments = read_environments(path)
    records, warnings = read_records(path / RECORDS)
    return Run(
        path=path,
        scenario=scenario,
        environment=environments.get(1, {}),
        environments=environments,
        records=records,
        warnings=warnings,
    )


def read_scenario(path: Path) -> dict[str, Any]:
    """The resolved scenario of a run folder; raises RunFolderError."""
    require_run(path)
    return read_json(path / SCENARIO, require_scenario)


def read_environments(path: Path) -> dict[int, dict[str, Any]]:
    """Session → its machine; raises RunFolderError if one cannot be read."""
    environments: dict[int, dict[str, Any]] = {}
    while (path / environment_file(len(environments) + 1)).is_file():
        session = len(environments) + 1
        environments[session] = read_json(path / environment_file(session), require_environment)
    return environments


def require_run(path: Path) -> None:
    """Raise RunFolderError, saying what is missing, unless `path` is a run folder."""
    if not path.is_dir():
        raise RunFolderError(f"{path}: no such folder; a run folder holds {SCENARIO} and {RECORDS}")
    if not (path / SCENARIO).is_file():
        raise RunFolderError(f"{path}: not a run folder, it has no {SCENARIO}")


def read_records(path: Path) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """The records of a JSON Lines file and what was wrong with it.

    A torn last line is what a kill leaves and only warned of; so is a line in the middle that is broken, or
    whose numbers no measurement gives.
    """
    records: dict[str, Record] = {}
    warnings: list[str] = []
    for record in each_record(path, warnings):
        records.pop(record.id, None)
        records[record.id] = record
    return tuple(records.values()), tuple(warnings)


def each_record(path: Path, warnings: list[str]) -> Iterator[Record]:
    """`each_line`, without the lines."""
    return (record for _, record in each_line(path, warnings))


def each_line(path: Path, warnings: list[str]) -> Iterator[tuple[JournalLine, Record]]:
    """One record after the other with its line, so that none needs to stay in memory; a cell may come twice.

    Args:
        warnings: gets what is wrong with the lines that are left out.

    Raises:
        RecordVersionError: a newer benchsuite wrote a record.
    """
    for line in lines(path):
        try:
            record = decode(line.text)
            if record.id != record.cell.id:
                raise ValueError(f"its id is {record.id}, the id of its cell is {record.cell.id}")
        except RecordVersionError as error:
            raise RecordVersionError(f"{path}:{line.number}: {error}") from None
        except ValueError as error:
            warnings.append(f"{path}:{line.number}: {what_is_wrong(line, error)}")
            continue
        yield line, record


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the system refuses into RunFolderError."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written: {error.strerror}") from error


class RunWriter:
    """Appends records to a run folder, each one safe on disk before the next cell starts.

    As long as it is open, no other process can write to the folder.
    """

    def __init__(self, path: Path, lock_file: IO[str], environment: Mapping[str, Any] | None) -> None:
        self.path = path
        self.session = 0  # until a machine is described
        self._lock = lock_file
        self._records = Journal(path / RECORDS, sync=True)
        if environment is not None:
            self.add_environment(environment)

    @classmethod
    def create(
        cls, path: Path, scenario: Mapping[str, Any], environment: Mapping[str, Any] | None
    ) -> RunWriter:
        """Start a run in a new or empty folder; without an environment, `add_environment` gives the first.

        Raises:
            RunFolderError: there is a run already, the folder holds other files, or cannot be written.
        """
        check_free(path)
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            lock_file = lock(path)
            write_json(path / SCENARIO, scenario)  # first: from now on the run can be resumed
            return cls(path, lock_file, environment)

    @classmethod
    def resume(cls, path: Path, environment: Mapping[str, Any] | None) -> RunWriter:
        """Go on with a run; cuts off a torn last line first."""
        require_run(path)
        with _writing(path):
            return cls(path, lock(path), environment)

    def add_environment(self, environment: Mapping[str, Any]) -> int:
        """Describe one more machine that measures; the session that its records carry, which is the writer's
        from now on. A run on several machines has a session for each."""
        session = 1
        while (self.path / environment_file(session)).is_file():
            session += 1
        write_json(self.path / environment_file(session), environment)
        self.session = session
        return session

    def append(self, record: Record) -> int:
        """Write one record and wait until the disk has it.

        Returns:
            Where its line begins in the file.

        Raises:
            StorageError: it could not be written, and the file is as it was before; or the folder was
                removed, moved or replaced.
        """
        return self._records.append(encode(record), f"the record of {record.id}")

    def require_there(self) -> None:
        """Raise StorageError if the folder was removed, moved or replaced since it was opened."""
        self._records.require_there()

    def close(self) -> None:
        self._records.close()
        unlock(self._lock)


def write_run(run: Run, path: Path) -> None:
    """Write scenario, environments and records into a new or empty folder.

    Raises:
        RunFolderError: the folder is not empty, or cannot be written.
    """
    check_free(path)
    with _writing(path):
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / SCENARIO, run.scenario)
        for session, environment in run.environments.items():
            write_json(path / environment_file(session), environment)
        lines = "".join(f"{encode(record)}\n" for record in run.records)
        (path / RECORDS).write_text(lines, encoding="utf-8")


def check_unlocked(path: Path) -> None:
    """Raise RunFolderError, naming the process, if another one is writing to the run."""
    with contextlib.suppress(OSError):  # whoever may not write will be told when it is time to
        unlock(lock(path))


def check_free(path: Path) -> None:
    """Raise RunFolderError unless a new run can be written to `path`; creates nothing.

    Raises:
        RunFolderError: `path` is a file, holds a run (the message offers --resume) or other files, or
            its nearest existing parent cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"{path}: is a file; --out wants a folder")
    if (path / SCENARIO).exists() or (path / RECORDS).exists():
        raise RunFolderError(f"{path}: already holds a run; to go on with it use: --resume {path}")
    if path.is_dir() and any(child.name not in _LEFTOVERS for child in path.iterdir()):
        raise RunFolderError(f"{path}: is not empty and holds no run; name a new folder with --out")
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise RunFolderError(f"{path}: cannot be written, {existing} does not allow it; choose another --out")


def find_runs(folder: Path) -> list[Path]:
    """Find every run folder below `folder`, itself included, by path. Hidden folders are left out.

    Raises:
        RunFolderError: there is no such folder.
    """
    if not folder.is_dir():
        raise RunFolderError(f"{folder}: no such folder")
    runs = []
    for here, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if SCENARIO in files:
            runs.append(Path(here))
            below.clear()  # what a run folder holds belongs to the run
    return sorted(runs)
