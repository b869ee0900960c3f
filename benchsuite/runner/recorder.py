"""Makes records of outcomes and keeps them: the one writer of a run, which any thread may call."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.findings.flags import flags
from benchsuite.results.record import Cell, Failure, Record
from benchsuite.results.store import RECORDS, RunWriter
from benchsuite.results.stored import StoredRecords
from benchsuite.results.visits import VisitJournal, read_visits, remove_visits
from benchsuite.runner.executors.executor import place
from benchsuite.runner.outcome import Outcome, now
from benchsuite.runner.prepare import Prepared
from benchsuite.runner.progress import ProgressFile
from benchsuite.scenario.expand import expected
from benchsuite.worker.reply import Answer, Plan, Visited

if TYPE_CHECKING:
    from benchsuite.runner.sweep import Observer


class Keeper:
    """Takes what engines bring; see `engines/protocol.py`, Sink.

    Attributes:
        records: by cell, those of earlier sessions that stand included.
        measured: how many cells were measured now.
        session: of the machine that was described last; 0 if none was.
        environments: session → machine, those of earlier sessions included.
        earlier: rounds of a session that was broken off, by cell.
        broken: set when what still comes is worth nothing: a worker that was ended from here would look like
            a crash.
    """

    def __init__(self, prepared: Prepared, writer: RunWriter, observer: Observer, engine: str = "") -> None:
        self.records = StoredRecords(writer.path / RECORDS, prepared.kept)
        self.measured = 0
        self.session = writer.session
        self.folder = writer.path
        self.environments = dict(prepared.earlier.environments) if prepared.earlier else {}
        self.broken = threading.Event()
        self._prepared = prepared
        self._plans = {cell.id: plan for cell, plan in zip(prepared.cells, prepared.plans, strict=True)}
        self._writer = writer
        self._observer = observer
        self._lock = threading.RLock()
        self._round = 0
        self._journal: VisitJournal | None = None
        found = _rounds_here(prepared, writer.path, self.environments) if prepared.earlier else {}
        self._began = {cell: visits[0].session for cell, visits in found.items()}
        self.earlier: Mapping[str, Sequence[Visited]] = {
            cell: list(map(_visit_of, visits)) for cell, visits in found.items()
        }
        self._progress = ProgressFile(writer.path, engine, len(prepared.cells), len(self.records))

    def place(self, environment: Mapping[str, Any]) -> int:
        """A session for a machine or device that begins to measure."""
        with self._lock:
            first = not self.session
            self.session = session = self._writer.add_environment(environment)
            self.environments[session] = dict(environment)
            if first:
                self.untried()
            return session

    def begins(self, cell: Cell, worker: str = "") -> None:
        with self._lock:
            self._observer.cell_begins(cell)
            if not worker:
                turn = f", round {self._round}" if self._round else ""
                self._progress.write({cell.device: f"{cell.id}{turn}"})

    def round_begins(self, number: int, cells: int) -> None:
        with self._lock:
            self._round = number
            self._observer.round_begins(number, cells)

    def visited(self, cell: Cell, number: int, visit: Visited, seconds: float) -> None:
        if self._prepared.scenario.measure.most_rounds == 1:  # its record says it all, at once
            return
        record = Record(
            id=cell.id,
            cell=cell,
            status="ok",
            timing=visit.timing,
            check=visit.check,
            flags=visit.behaviour,
            compilation=visit.compilation,
            conditions=visit.conditions,
            started_at=now(),
            seconds=round(seconds, 6),
            session=self.session,
        )
        with self._lock:
            if not self.broken.is_set():
                if self._journal is None:
                    self._writer.require_there()  # else the journal would begin in another folder
                    self._journal = VisitJournal(self.folder)
                self._journal.append(number, record)

    def workers(self, doing: Mapping[str, str]) -> None:
        with self._lock:
            self._observer.workers(doing)
            self._progress.write(doing)

    def keep(self, cell: Cell, outcome: Outcome, session: int) -> None:
        plan = self._plans[cell.id]
        began = self._began.get(cell.id, session)
        machine = self.environments.get(session, self._prepared.environment)
        record = _record(cell, plan, outcome, self._prepared, began, machine)
        with self._lock:
            if self.broken.is_set():
                return
            again = record.id in self.records  # its group was measured anew, on another device
            self.records.add(record.id, self._writer.append(record))
            if not again:
                self.measured += 1
                self._progress.ended(record)
                self._observer.cell_ends(record)

    def untried(self) -> None:
        """Keep records of cells that need no device: excluded by a rule, not to be built, or too large."""
        prepared = self._prepared
        for cell, reason in prepared.excluded:
            if cell.id not in prepared.stored:
                failure = Failure(stage="plan", kind="Excluded", message=reason)
                outcome = Outcome(status="skipped", failure=failure, started_at=now())
                self._writer.append(_record(cell, Answer(), outcome, prepared, self.session, {}))
        for position in prepared.todo:
            cell, plan = prepared.cells[position], prepared.plans[position]
            if plan.failure is not None:
                self.begins(cell)
                self.keep(cell, Outcome(plan.status, plan.failure, started_at=now()), self.session)

    def close(self, *, unfinished: bool) -> None:
        """The sweep is over; the rounds are kept as long as some cell needs them."""
        self._progress.close()
        if self._journal is not None:
            self._journal.close()
        if not unfinished:
            remove_visits(self.folder)


def _rounds_here(
    prepared: Prepared, folder: Path, environments: Mapping[int, Mapping[str, Any]]
) -> dict[str, list[Record]]:
    """Rounds of earlier sessions that this one goes on with: those that were measured on this machine."""
    here = place(prepared.environment)
    found = {
        cell: [visit for visit in visits if place(environments.get(visit.session, {})) == here]
        for cell, visits in read_visits(folder).items()
    }
    return {cell: visits for cell, visits in found.items() if visits}


def _visit_of(record: Record) -> Visited:
    assert record.timing is not None
    return Visited(
        timing=record.timing,
        check=record.check,
        behaviour=record.flags,
        compilation=record.compilation,
        conditions=record.conditions,
    )


def _record(
    cell: Cell,
    plan: Answer[Plan],
    outcome: Outcome,
    prepared: Prepared,
    session: int,
    environment: Mapping[str, Any],
) -> Record:
    scenario = prepared.scenario
    cost, not_counted = outcome.cost, outcome.not_counted
    if cost is None and plan.value:
        cost, not_counted = plan.value.cost, plan.value.not_counted
    counts = "cost" in scenario.measure.metrics
    return Record(
        id=cell.id,
        cell=cell,
        status=outcome.status,
        failure=outcome.failure,
        expected=outcome.status not in ("ok", "skipped")
        and expected(scenario, cell, outcome.status, environment),
        cost=cost if counts else None,
        not_counted=not_counted if counts else "",
        timing=outcome.timing,
        memory=outcome.memory,
        started_at=outcome.started_at or now(),
        seconds=round(outcome.seconds, 6),
        session=session,
        attempts=outcome.attempts,
        compilation=outcome.compilation,
        check=outcome.check,
        energy=outcome.energy,
        attention_backend=outcome.attention_backend,
        conditions=outcome.conditions,
        flags=flags(cell, outcome.timing, outcome.conditions, outcome.behaviour),
    )
