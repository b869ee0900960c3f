"""The rounds of one cell: its visits so far, how precise they are, and the record that they become."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from benchsuite.findings.flags import flags
from benchsuite.measurement.stopping import Visit
from benchsuite.results.cell import Cell
from benchsuite.results.record import (
    INTERRUPTED,
    Check,
    Conditions,
    Failure,
    Record,
    Spent,
    Status,
    Timing,
    now,
)
from benchsuite.results.round_timings import combined
from benchsuite.runner.plan import NOT_YET
from benchsuite.scenario.measure_settings import Measure
from benchsuite.stats.evidence import half_width
from benchsuite.stats.intervals import quantile
from benchsuite.stats.variance_components import samples_wanted, variance_components
from benchsuite.worker.worker_reply import Inspection, Plan, WorkerReply


@dataclass(eq=False)
class CellRounds:
    """The rounds of a cell so far, and what else becomes its record.

    Attributes:
        visits: a record for each round, of that round alone.
        plan: `NOT_YET` where the sweep has planned the cell.
        overhead_s: seconds of its last visit without the samples.
        has_gaps: whether it ran out of its memory limit where memory was retained: a heap that is never
            handed back has gaps, which count against the limit.
        inspection_s: seconds of the pass that times nothing.
    """

    cell: Cell
    visits: list[Record] = field(default_factory=list)
    plan: WorkerReply[Plan] = NOT_YET
    inspection: Inspection = field(default_factory=Inspection)
    spent_s: float = 0.0
    overhead_s: float = 0.0
    inspection_s: float = 0.0
    attempts: int = 1
    started_at: str = ""
    status: Status = "ok"
    failure: Failure | None = None
    mismatch: Check | None = None
    interrupted: bool = False
    has_gaps: bool = False

    @property
    def timed_as(self) -> Cell:
        """The cell, with the allocator that is left to it."""
        return replace(self.cell, allocator="system") if self.has_gaps else self.cell

    @property
    def adaptive(self) -> bool:
        """Whether it is measured in rounds; a published protocol says itself how often it samples."""
        return self.cell.protocol == "adaptive"

    @property
    def timings(self) -> list[Timing]:
        """The timing of each round."""
        return [visit.timing for visit in self.visits if visit.timing is not None]

    def half_width(self) -> float | None:
        """Half width of its interval so far, as a share of the median."""
        return half_width([quantile(timing.samples_s, 0.5) for timing in self.timings])

    def imprecise(self, measure: Measure) -> bool:
        """Whether its interval is known, and wider than the scenario asks for."""
        wanted, half = measure.precision_on(self.cell.device), self.half_width()
        return self.adaptive and wanted is not None and half is not None and half > wanted

    def record(self, measure: Measure) -> Record:
        """The record of the cell. Session, and what only the scenario knows, is the recorder's to add."""
        first = next((visit for visit in self.visits if visit.check or visit.compilation), None)
        timing, conditions = self._timing(measure), self._conditions()
        plan = self.plan.value
        return Record(
            id=self.cell.id,
            cell=self.cell,
            status=self.status,
            failure=self.failure,
            cost=plan.cost if plan else None,
            not_counted=plan.not_counted if plan else "",
            timing=timing,
            memory=self.inspection.memory,
            started_at=self.started_at or now(),
            seconds=round(self.spent_s, 6),
            attempts=self.attempts,
            compilation=first.compilation if first else None,
            check=first.check if first else self.mismatch,
            energy=self.inspection.energy,
            attention_backend=self.inspection.attention_backend,
            spent=self._spent(),
            conditions=conditions,
            flags=flags(self.cell, timing, conditions, {word for one in self.visits for word in one.flags}),
        )

    def next_visit(self, number: int, measure: Measure) -> Visit:
        """Its visit in a round, which begins now."""
        self.started_at = self.started_at or now()
        # As its first round has chosen it, so that a cell has one number.
        calls = self.timings[0].calls_per_sample if self.visits else None
        return Visit(number, measure.rounds, self._samples_wanted(), calls)

    def take_visit(self, reply: WorkerReply[Record], seconds: float, measure: Measure) -> bool:
        """Add a visit that took so many seconds; False where it failed and is to be tried again."""
        self.spent_s += seconds
        if reply.failure is not None:
            retained = self.timed_as.allocator == "retain" and measure.memory_limit is not None
            if reply.status == "oom" and retained:
                self.has_gaps = True
                return False
            if not self._fails(reply, measure):
                return False
            self.visits.clear()
            self.mismatch = reply.check
            return True
        assert reply.value is not None
        timing = reply.value.timing
        assert timing is not None
        self.overhead_s = max(0.0, seconds - timing.calls_per_sample * sum(timing.samples_s))
        started = max(0.0, seconds - reply.value.seconds)
        spent = reply.value.spent and replace(reply.value.spent, start_s=started)
        record = replace(
            reply.value,
            id=self.cell.id,
            cell=self.cell,
            started_at=now(),
            seconds=round(seconds, 6),
            spent=spent,
        )
        self.visits.append(record)
        return True

    def take_inspection(self, reply: WorkerReply[Inspection], seconds: float, measure: Measure) -> bool:
        """Add what the pass that times nothing saw; False where it failed and is to be tried again."""
        self.spent_s += seconds
        self.inspection_s += seconds
        if reply.failure is None:
            self.inspection = reply.value or Inspection()
            return True
        return self._fails(reply, measure)

    def left_s(self, measure: Measure) -> float:
        """Seconds until the cell has taken longer than it is given."""
        return max(0.001, measure.timeout_s - self.spent_s)

    def _samples_wanted(self) -> int | None:
        """Samples of its next round from which on a further round says more."""
        timings = self.timings
        variances = variance_components([timing.samples_s for timing in timings])
        if variances is None or not self.overhead_s:
            return None
        sample_s = quantile(timings[-1].samples_s, 0.5) * timings[-1].calls_per_sample
        return samples_wanted(variances, round_s=self.overhead_s, sample_s=sample_s)

    def _fails(self, reply: WorkerReply[Any], measure: Measure) -> bool:
        """Whether a failure is the cell's result; else one more attempt is counted.

        A timeout names what the cell was given in all, not what was left of it.
        """
        assert reply.failure is not None
        if self.attempts <= measure.retry.get(reply.status, 0):
            self.attempts += 1
            return False
        self.status, self.failure = reply.status, reply.failure
        if reply.status == "timeout":
            message = f"took longer than {measure.timeout_s:g} s; its process was ended"
            self.failure = replace(reply.failure, message=message)
        return True

    def _timing(self, measure: Measure) -> Timing | None:
        if not self.visits:
            return None
        timing = combined(self.timings, self._stopped_by(measure))
        return replace(timing, busy=self.inspection.busy) if self.inspection.busy else timing

    def _stopped_by(self, measure: Measure) -> str:
        """Why there were no more rounds."""
        if self.interrupted:
            return INTERRUPTED
        precision = measure.precision_on(self.cell.device)
        if not self.adaptive or measure.rule != "interval" or precision is None:
            return self.timings[-1].stopped_by
        half = self.half_width()
        return "precision" if half is not None and half <= precision else "rounds"

    def _spent(self) -> Spent | None:
        """What its visits and the pass that times nothing took; None where no worker has told."""
        told = [visit.spent for visit in self.visits if visit.spent is not None]
        if not told and not self.inspection_s:
            return None
        return Spent(
            start_s=round(sum(one.start_s for one in told), 6),
            build_s=round(sum(one.build_s for one in told), 6),
            inspection_s=round(self.inspection_s, 6),
        )

    def _conditions(self) -> Conditions | None:
        """The state before the first and after the last visit."""
        known = [visit.conditions for visit in self.visits if visit.conditions is not None]
        return Conditions(before=known[0].before, after=known[-1].after) if known else None
