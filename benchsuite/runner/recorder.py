"""The recorder of a run: the one writer of its folder, which any thread may call.

Beside records it keeps two files while a run goes on: the rounds of cells that have no record yet, so that a
killed run goes on where it ended; and how far the run is, for `benchsuite status` in another terminal.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchsuite.io import Journal, lines, parse, write_whole
from benchsuite.results.cell import Cell
from benchsuite.results.codec import decode, encode
from benchsuite.results.machine import device_identity
from benchsuite.results.record import Failure, Record, now
from benchsuite.results.store import RECORDS, RunWriter, check_free
from benchsuite.results.stored_records import StoredRecords
from benchsuite.runner.observer import Observer
from benchsuite.runner.prepare import Prepared
from benchsuite.scenario.expand import expected

ROUNDS = "rounds.jsonl"
PROGRESS = ".progress.json"
PROGRESS_EVERY_S = 1.0
"""How often it is written at most."""


class RunRecorder:
    """Records what executors bring, from any thread.

    Args:
        environment: of the machine that measures, if there is one for all.
        executor: its name on the command line.

    Attributes:
        folder: of the run.
        records: by cell, those of earlier sessions that stand included.
        measured: how many cells were measured now.
        session: of the machine that was described last; 0 if none was.
        environments: session → machine, those of earlier sessions included.
        earlier: rounds of a session that was broken off, on this machine, by cell.
        broken: set when what still comes is worth nothing, and everything is to end: a worker that was ended
            from here would look like a crash.

    Raises:
        RunFolderError: the folder is taken, written by another process, or cannot be written.
    """

    def __init__(
        self,
        prepared: Prepared,
        folder: Path,
        observer: Observer,
        environment: Mapping[str, Any] | None = None,
        executor: str = "",
    ) -> None:
        if prepared.earlier is None:
            check_free(folder)
            self._writer = RunWriter.create(folder, prepared.document, environment)
        else:
            self._writer = RunWriter.resume(folder, environment)
        self.folder = folder
        self.records = StoredRecords(folder / RECORDS, prepared.kept)
        self.measured = 0
        self.session = self._writer.session
        self.environments = dict(prepared.earlier.environments) if prepared.earlier else {}
        if environment is not None:
            self.environments[self.session] = dict(environment)
        self.broken = threading.Event()
        self.earlier = _rounds_here(prepared, folder, self.environments) if prepared.earlier else {}
        self._prepared = prepared
        self._plans = {cell.id: plan for cell, plan in zip(prepared.cells, prepared.plans, strict=True)}
        self._observer = observer
        self._lock = threading.RLock()
        self._round = 0
        self._rounds: Journal | None = None
        self._progress = ProgressFile(folder, executor, len(prepared.cells), len(self.records))

    def open_session(self, environment: Mapping[str, Any]) -> int:
        """The session of a machine or device that begins to measure, described in the run folder."""
        with self._lock:
            first = not self.session
            self.session = session = self._writer.add_environment(environment)
            self.environments[session] = dict(environment)
            if first:
                self.keep_untried()
            return session

    def cell_begins(self, cell: Cell, worker: str = "") -> None:
        """A cell is about to be measured, or visited once more, by the only worker or by one of several."""
        with self._lock:
            self._observer.cell_begins(cell)
            if not worker:
                number = f", round {self._round}" if self._round else ""
                self._progress.write({cell.device: f"{cell.id}{number}"})

    def round_begins(self, number: int, cells: int) -> None:
        """A round of so many cells begins, the first being 1."""
        with self._lock:
            self._round = number
            self._observer.round_begins(number, cells)

    def keep_round(self, number: int, visit: Record) -> None:
        """Keep a round of a cell, the first being 0; it is in the run folder when this returns."""
        if self._prepared.scenario.measure.most_rounds == 1:  # the record of the cell says it all, at once
            return
        with self._lock:
            if not self.broken.is_set():
                if self._rounds is None:
                    self._writer.require_there()  # else the journal would begin in another folder
                    self._rounds = Journal(self.folder / ROUNDS)
                append_round(self._rounds, number, replace(visit, session=self.session))

    def workers(self, doing: Mapping[str, str]) -> None:
        """What each worker is doing, in words; for people who watch."""
        with self._lock:
            self._observer.workers(doing)
            self._progress.write(doing)

    def keep(self, record: Record, session: int | None = None) -> None:
        """Keep the record of a cell that has ended, with what only the scenario knows; it is on disk when
        this returns.

        Args:
            session: of the machine that measured it; None for the one that was described last.
        """
        session = self.session if session is None else session
        scenario, plan = self._prepared.scenario, self._plans[record.id].value
        cost, not_counted = record.cost, record.not_counted
        if cost is None and plan:
            cost, not_counted = plan.cost, plan.not_counted
        if "cost" not in scenario.measure.metrics:
            cost, not_counted = None, ""
        environment = self.environments[session]
        failed = record.status not in ("ok", "skipped")
        if record.id in self.earlier:
            session = self.earlier[record.id][0].session
        record = replace(
            record,
            expected=failed and expected(scenario, record.cell, record.status, environment),
            cost=cost,
            not_counted=not_counted,
            session=session,
        )
        with self._lock:
            if self.broken.is_set():
                return
            again = record.id in self.records  # its group was measured anew, on another device
            self.records.add(record.id, self._writer.append(record))
            if not again:
                self.measured += 1
                self._progress.cell_ends(record)
                self._observer.cell_ends(record, environment)

    def keep_untried(self) -> None:
        """Keep records of cells that need no device: excluded by a rule, not to be built, or too large."""
        prepared = self._prepared
        for cell, reason in prepared.excluded:
            if cell.id not in prepared.stored:
                failure = Failure(stage="plan", kind="Excluded", message=reason)
                excluded = _untried(cell, "skipped", failure)
                self._writer.append(replace(excluded, session=self.session))
        for position in prepared.todo:
            cell, plan = prepared.cells[position], prepared.plans[position]
            if plan.failure is not None:
                self.cell_begins(cell)
                self.keep(_untried(cell, plan.status, plan.failure))

    def require_there(self) -> None:
        """Raise StorageError if the folder was removed, moved or replaced since it was opened."""
        self._writer.require_there()

    def close(self, *, unfinished: bool) -> None:
        """Let go of the folder; the rounds are kept as long as some cell needs them."""
        self._progress.close()
        if self._rounds is not None:
            self._rounds.close()
        if not unfinished:
            remove_rounds(self.folder)
        self._writer.close()


def _untried(cell: Cell, status: Any, failure: Failure) -> Record:
    return Record(id=cell.id, cell=cell, status=status, failure=failure, started_at=now(), seconds=0.0)


def _rounds_here(
    prepared: Prepared, folder: Path, environments: Mapping[int, Mapping[str, Any]]
) -> dict[str, Sequence[Record]]:
    """Rounds of earlier sessions that this one goes on with: those that were measured on this machine."""
    here = device_identity(prepared.environment)
    rounds = {
        cell: [visit for visit in visits if device_identity(environments.get(visit.session, {})) == here]
        for cell, visits in read_rounds(folder).items()
    }
    return {cell: visits for cell, visits in rounds.items() if visits}


def append_round(journal: Journal, number: int, visit: Record) -> None:
    """Append the visit of a round, the first being 0, to the journal of rounds; raises StorageError.

    One line a visit: the number of its round, and a record of that round alone. Where a round of a cell
    stands twice, the later line counts. The file is there as long as cells have rounds and no record.
    """
    journal.append(f'{{"round":{number},"visit":{encode(visit)}}}', f"a round of {visit.id}")


def read_rounds(folder: Path) -> Mapping[str, list[Record]]:
    """Cell → its visits from the first round on, of a run that was broken off. A line that is no visit is
    left out: its round, and those behind it, are measured again."""
    rounds: dict[str, dict[int, Record]] = {}
    for line in lines(folder / ROUNDS):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            data = json.loads(line.text)
            visit = decode(json.dumps(data["visit"]))
            if visit.timing is not None:
                rounds.setdefault(visit.id, {})[int(data["round"])] = visit
    return {cell: list(_without_gap(visits)) for cell, visits in rounds.items() if 0 in visits}


def _without_gap(visits: Mapping[int, Record]) -> Iterator[Record]:
    return (visits[number] for number in itertools.takewhile(visits.__contains__, itertools.count()))


def remove_rounds(folder: Path) -> None:
    """Remove the journal of a run in which every cell has its record."""
    with contextlib.suppress(OSError):
        (folder / ROUNDS).unlink()


class ProgressFile:
    """Says how a run goes, now and then; one that is left behind belongs to a run that was killed. A disk
    that is full does not stop a run here.

    Args:
        total: cells of the run.
        done: cells that have a record already.
    """

    def __init__(self, folder: Path, executor: str, total: int, done: int) -> None:
        self._path = folder / PROGRESS
        self._state: dict[str, object] = {
            "pid": os.getpid(),
            "host": platform.node(),
            "executor": executor,
            "started_at": now(),
            "total": total,
            "done": done,
            "failed": 0,
            "workers": {},
        }
        self._count, self._failed = done, 0
        self._written = float("-inf")
        self.write({})

    def cell_ends(self, record: Record) -> None:
        """Count a cell that has its record."""
        self._count += 1
        self._failed += record.failed

    def write(self, workers: Mapping[str, str]) -> None:
        """Write what each worker is doing, if the last time is long enough ago."""
        if time.monotonic() - self._written < PROGRESS_EVERY_S:
            return
        self._written = time.monotonic()
        self._state |= {"done": self._count, "failed": self._failed, "workers": dict(workers), "at": now()}
        with contextlib.suppress(OSError):
            write_whole(self._path, json.dumps(self._state) + "\n")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()


def read_progress(folder: Path) -> dict[str, object]:
    """What the file says; nothing where there is none."""
    try:
        progress = parse((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return progress if isinstance(progress, dict) else {}
