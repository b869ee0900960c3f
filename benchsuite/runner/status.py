"""Status of runs, read from their folders while another process writes to them. Takes no lock, no torch."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from benchsuite.errors import RunFolderError
from benchsuite.io import LOCK
from benchsuite.results.record import Record
from benchsuite.results.store import RECORDS, SCENARIO, each_record, read_scenario
from benchsuite.runner.recorder import read_progress
from benchsuite.scenario.stored_scenario import how_to_go_on, missing

if sys.platform != "win32":
    import fcntl


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """Where a run stands.

    Attributes:
        shard: "2/8", or empty.
        done: cells that need not be measured any more.
        failed: those that failed unexpectedly.
        excluded: cells that a rule of the scenario drops.
        missing: cells that are still to be measured, as the report counts them; None where nobody can tell.
        partial: those of them that have a record, of rounds that were cut short.
        go_on: what measures them.
        per_minute: cells a minute in the session that measures, or measured last; None before the second.
        writer: the process that writes, "4711 on host"; empty if none does.
        workers: worker → what it is doing, while the run goes on.
        warnings: lines that are no records, whose cells count as missing.
    """

    path: Path
    name: str
    shard: str = ""
    done: int = 0
    failed: int = 0
    excluded: int = 0
    missing: int | None = None
    partial: int = 0
    go_on: str = ""
    per_minute: float | None = None
    writer: str = ""
    workers: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> int | None:
        """Cells of the run; None where nobody can tell."""
        return None if self.missing is None else self.done + self.missing

    @property
    def left_s(self) -> float | None:
        """Seconds until it is done at this rate; None if nobody writes, or there is no rate yet."""
        if not self.writer or not self.per_minute or self.missing is None:
            return None
        return 60 * self.missing / self.per_minute


def run_folders(path: Path) -> list[Path]:
    """The folder itself if it holds a run, else the runs right below it.

    Raises:
        RunFolderError: there are none.
    """
    if not path.is_dir():
        raise RunFolderError(f"{path}: no such folder; name a run folder, or a folder of shards")
    if (path / SCENARIO).is_file():
        return [path]
    runs = sorted(child for child in path.iterdir() if (child / SCENARIO).is_file())
    if not runs:
        raise RunFolderError(f"{path}: holds no run, nor does a folder in it: there is no {SCENARIO}")
    return runs


def status(path: Path) -> RunStatus:
    """Where the run in a folder stands.

    Raises:
        RunFolderError: its scenario cannot be read.
    """
    document = read_scenario(path)
    settings = document.get("run") or {}
    warnings: list[str] = []
    cells = {record.id: _cell(record) for record in each_record(path / RECORDS, warnings)}
    standing = {id: not cell.interrupted for id, cell in cells.items() if cell.status != "skipped"}
    ended = [cell for cell in cells.values() if not cell.interrupted]
    measured = [cell for cell in ended if cell.status != "skipped"]
    failures = dict(Counter(cell.status for cell in measured if cell.failed))
    holder = _holder(path)
    progress = read_progress(path) if holder else {}
    shard = settings.get("shard")
    cells_left = missing(document, standing)
    left = None if cells_left is None else len(cells_left)
    if left is None and isinstance(total := progress.get("total"), int):
        left = max(0, total - len(measured))
    workers = progress.get("workers")
    return RunStatus(
        path=path,
        name=str(document.get("name", path.name)),
        shard=f"{shard['index']}/{shard['count']}" if shard else "",
        done=len(measured),
        failed=sum(failures.values()),
        excluded=len(ended) - len(measured),
        missing=left,
        partial=len(cells) - len(ended),
        go_on=how_to_go_on(document, path),
        per_minute=_per_minute(measured, running=bool(holder)),
        writer=f"{holder} on {progress['host']}" if holder and progress.get("host") else holder,
        workers=workers if isinstance(workers, dict) else {},
        failures=failures,
        warnings=tuple(warnings),
    )


def summed(shards: Sequence[RunStatus], path: Path) -> RunStatus:
    """Shards as one: their cells added up, their rates too where they are at work."""
    left = [shard.missing for shard in shards]
    rates = [shard.per_minute for shard in shards if shard.per_minute and shard.writer]
    failures: dict[str, int] = {}
    for shard in shards:
        for word, count in shard.failures.items():
            failures[word] = failures.get(word, 0) + count
    return RunStatus(
        path=path,
        name=f"{len(shards)} runs",
        done=sum(shard.done for shard in shards),
        failed=sum(shard.failed for shard in shards),
        excluded=sum(shard.excluded for shard in shards),
        partial=sum(shard.partial for shard in shards),
        missing=None if None in left else sum(number for number in left if number is not None),
        per_minute=sum(rates) if rates else None,
        writer=", ".join(shard.writer for shard in shards if shard.writer),
        failures=failures,
    )


def absent_shards(runs: Sequence[RunStatus]) -> list[str]:
    """Shards that the others speak of and that have no folder, such as "3/8"."""
    there = {run.shard for run in runs if run.shard}
    counts = {int(shard.partition("/")[2]) for shard in there}
    return [f"{i}/{n}" for n in sorted(counts) for i in range(1, n + 1) if f"{i}/{n}" not in there]


@dataclass(frozen=True, slots=True)
class _Cell:
    """What is kept of a record.

    Attributes:
        interrupted: whether going on with the run measures this cell anew.
        span: when it began and ended, in seconds since 1970; None if its record does not say.
    """

    status: str
    failed: bool
    interrupted: bool
    span: tuple[float, float] | None


def _cell(record: Record) -> _Cell:
    try:
        start = datetime.fromisoformat(record.started_at).timestamp()
        span = start, start + record.seconds
    except (ValueError, OverflowError):
        span = None
    return _Cell(record.status, record.failed, record.interrupted, span)


def _per_minute(cells: Sequence[_Cell], *, running: bool) -> float | None:
    """Cells a minute over the last sessions that overlap: from the first start to the last end, or to now."""
    spans = [cell.span for cell in cells if cell.span is not None]
    if not spans:
        return None
    last = max(end for _, end in spans)
    # A pause of an hour is a break between sessions; the rate is that of what came after it.
    begun = last
    count = 0
    for start, end in sorted(spans, key=lambda span: -span[1]):
        if begun - end > 3600:
            break
        begun, count = min(begun, start), count + 1
    until = max(last, datetime.now(timezone.utc).timestamp()) if running else last
    return 60 * count / (until - begun) if count > 1 and until > begun else None


def _holder(path: Path) -> str:
    """The process that writes to the run, as it named itself; empty if there is none, or nobody can tell."""
    if sys.platform == "win32":
        return ""
    try:
        with (path / LOCK).open(encoding="ascii", errors="replace") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return f"process {file.read().strip()}"
            fcntl.flock(file, fcntl.LOCK_UN)
    except OSError:
        pass
    return ""
