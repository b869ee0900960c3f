"""Many runs over time: one series for each cell on each machine, its steps, and its exact numbers. Pure.

A series has one number a run, the log of the latency: what drifts from run to run is what a step must stand
out of. A cell that is timed with other threads or another allocator from some run on begins a new series.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from benchsuite.findings import count_changes, fingerprint
from benchsuite.findings.count_changes import Change
from benchsuite.findings.fingerprint import Finding
from benchsuite.results.cell import Cell
from benchsuite.results.comparable import Manner, manner, words
from benchsuite.results.machine import machine_name
from benchsuite.results.record import Record
from benchsuite.results.round_timings import latency_of
from benchsuite.results.store import Run
from benchsuite.stats.trend import Step, Trend, trend

SHORT = 7
"""Letters of a commit that are shown."""
UNKNOWN = "unknown revision"


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One run of one cell.

    Attributes:
        run: name of the run's folder.
        time: UTC, ISO 8601.
        commit: of benchsuite; None if the run does not say.
        dirty: whether there were changes beside the commit.
        latency_s: median of its rounds; None if the cell was not timed.
        record: without its samples.
        environment: the machine and its software.
        manner: threads and allocator; None where they move no time.
    """

    run: str
    time: str
    commit: str | None
    dirty: bool
    latency_s: float | None
    record: Record
    environment: Mapping[str, Any]
    manner: Manner | None = None

    @property
    def revision(self) -> str:
        """ "abc1234"; "abc1234+" with uncommitted changes; "unknown revision"."""
        return f"{self.commit[:SHORT]}{'+' if self.dirty else ''}" if self.commit else UNKNOWN


@dataclass(frozen=True, slots=True)
class Shift:
    """A step with what is known of its reasons.

    Attributes:
        before, after: the last run on the old level, and the first on the new one.
        differences: in what machine and software of these two runs differ, but for the commit.
        counted: exact numbers that changed between the two.
    """

    step: Step
    before: HistoryPoint
    after: HistoryPoint
    differences: tuple[Finding, ...]
    counted: tuple[Change, ...]

    @property
    def revisions(self) -> str:
        """ "abc1234..def5678"; the one commit if it is the same on both sides."""
        return revision_range(self.before, self.after)


@dataclass(frozen=True)
class Series:
    """One cell of one scenario on one machine, in order of time.

    Attributes:
        machine: its name, as `results.machine.machine_name` has it.
        manner: "2 threads, retained memory" where the cell has several series for that; else empty.
    """

    scenario: str
    machine: str
    cell: Cell
    points: tuple[HistoryPoint, ...]
    manner: str = ""

    @cached_property
    def timed(self) -> tuple[HistoryPoint, ...]:
        """The runs that have a time."""
        return tuple(point for point in self.points if point.latency_s is not None)

    @cached_property
    def trend(self) -> Trend:
        """Steps and drift of the log medians."""
        return trend([math.log(point.latency_s) for point in self.timed if point.latency_s is not None])

    @cached_property
    def shifts(self) -> tuple[Shift, ...]:
        """The steps, with what else changed there."""
        return tuple(self._shift(step) for step in self.trend.steps)

    @cached_property
    def changes(self) -> tuple[tuple[HistoryPoint, HistoryPoint, Change], ...]:
        """Every exact number that is not what it was in the run before."""
        return tuple(
            (before, after, change)
            for before, after in pairwise(self.points)
            for change in count_changes.changes([before.record], [after.record])
        )

    def _shift(self, step: Step) -> Shift:
        before, after = self.timed[step.at - 1], self.timed[step.at]
        differences = fingerprint.findings(before.environment, after.environment)
        return Shift(
            step=step,
            before=before,
            after=after,
            differences=tuple(one for one in differences if one.path != "git.commit"),
            counted=tuple(count_changes.changes([before.record], [after.record])),
        )


def revision_range(before: HistoryPoint, after: HistoryPoint) -> str:
    """ "abc1234..def5678"; the one revision if it is the same on both sides."""
    same = before.revision == after.revision
    return before.revision if same else f"{before.revision}..{after.revision}"


def points_of(run: Run) -> Iterator[tuple[str, str, HistoryPoint]]:
    """Scenario, machine and point of every record of a run, samples left behind; skipped cells are none."""
    scenario = str(run.scenario.get("name") or run.path.name)
    for record in run.tried:
        environment = run.environments.get(record.session, run.environment)
        git = environment.get("git") or {}
        timed = record.timing is not None and bool(record.timing.samples_s)
        latency_s = latency_of(record.timing, {}).value if record.timing and timed else 0.0
        cell = replace(record.cell, machine="")  # which its series says
        yield (
            scenario,
            record.cell.machine or machine_name(environment),
            HistoryPoint(
                run=run.path.resolve().name,
                time=str(environment.get("started_at") or record.started_at),
                commit=git.get("commit"),
                dirty=bool(git.get("dirty")),
                latency_s=latency_s or None,
                manner=manner(record),
                record=replace(record, id=cell.id, cell=cell, timing=None, profile=(), conditions=None),
                environment=environment,
            ),
        )


def history(runs: Iterable[Run], scenario: str | None = None) -> list[Series]:
    """A series for every cell on every machine, runs read one after the other.

    A record that stands in two folders (a copy) counts once: same cell, machine and time of start.

    Args:
        scenario: take the runs of this one only.
    """
    series: dict[tuple[str, str, str], list[HistoryPoint]] = {}
    for run in runs:
        for name, machine, point in points_of(run):
            if scenario is None or name == scenario:
                series.setdefault((name, machine, point.record.id), []).append(point)
    return [
        Series(name, machine, points[0].record.cell, tuple(alike), said)
        for (name, machine, _), points in series.items()
        for said, alike in _by_manner(_in_order(points))
    ]


def _by_manner(points: Sequence[HistoryPoint]) -> list[tuple[str, list[HistoryPoint]]]:
    """The points of each manner with its words, which are empty if there is one; a point that was not timed
    stands with those before it."""
    manners = dict.fromkeys(point.manner for point in points if point.manner is not None)
    by_manner: dict[Manner | None, list[HistoryPoint]] = {one: [] for one in manners or [None]}
    current = next(iter(by_manner))
    for point in points:
        current = point.manner or current
        by_manner[current].append(point)
    several = len(by_manner) > 1
    return [(words(one) if several and one else "", alike) for one, alike in by_manner.items()]


def _in_order(points: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    once = {(point.time, point.record.started_at): point for point in reversed(points)}
    return sorted(once.values(), key=lambda point: (point.time, point.record.started_at, point.run))
