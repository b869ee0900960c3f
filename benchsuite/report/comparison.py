"""Comparison of two runs or more: whether they are comparable, times, speeds by a reference, exact numbers.

Seconds of two machines say which is faster, and nothing of mixers. So each mixer is also put beside a
reference mixer of the same run and setting; these ratios can be compared across machines. A cell of one run
is a cell of another if all but machine, device and threads is the same.

The runs were not measured in turns, so nothing here is a verdict on code; `CAVEAT` says so wherever the
numbers are shown.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchsuite.findings import count_changes, fingerprint
from benchsuite.findings.count_changes import Change
from benchsuite.findings.fingerprint import Finding, Level
from benchsuite.report.comparable_groups import settings_of
from benchsuite.report.differences import as_data, differences_of, machines_of
from benchsuite.report.points import MISSING, Point, Value, points
from benchsuite.report.ranking import joint_drift, log_multiples, relative_speed
from benchsuite.report.words import joined
from benchsuite.results.machine import machine_name
from benchsuite.results.record import Record
from benchsuite.results.store import Run
from benchsuite.stats.evidence import Decision, Question, Side, decide, unpaired

CAVEAT = (
    "The runs were measured one after the other, not in turns. Drift between runs of one machine is in the "
    "confidence intervals as far as the self-test measured it; without a self-test no cell is called slower "
    "or faster. To test whether code became slower, use benchsuite gate, which measures both sides in turns."
)
_MACHINE = ("device", "threads", "machine")
"""Conditions that are a machine's rather than a cell's, but where one run varies them."""
Setting = tuple[Any, ...]
Tables = Mapping[str, Mapping[str, Point]]
"""Letter of a run → cell, whatever machine it ran on → the cell there."""
SEEN: Mapping[Side, str] = {
    "above": "slower", "below": "faster", "same": "no different", "undecided": "undecided",
}  # fmt: skip
"""Side of 1 on which a ratio of times lies → what the run is beside A."""


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One of the runs.

    Attributes:
        letter: A, B, C, by which tables name it.
        findings: in what machine, software and settings of shared cells differ from those of A, the gravest
            first.
        changes: exact numbers of shared cells that are not those of A.
        alone: (id, words) of the cells that no other run has.
    """

    letter: str
    name: str
    machine: str
    torch: str
    commit: str
    date: str
    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]
    alone: tuple[tuple[str, str], ...]

    @property
    def level(self) -> Level | None:
        """The gravest difference from A; None if there is none."""
        return fingerprint.gravest(self.findings)


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """One cell of at least two runs.

    Attributes:
        id: in the first run that has it.
        words: "HiLo, 224 px, math".
        points: letter → the cell there; absent where that run does not have it.
        bases: letter → the reference in the same run and setting.
        times: letter → the decision on the seconds there over those of A.
        multiples: letter → the decision on `relative` there over that of A.
    """

    id: str
    name: str
    words: str
    points: Mapping[str, Point]
    bases: Mapping[str, Point]
    times: Mapping[str, Decision] = field(default_factory=dict)
    multiples: Mapping[str, Decision] = field(default_factory=dict)

    def relative(self, letter: str) -> Value:
        """Speed as a multiple of the reference's in that run; missing where one of the two was not timed."""
        both = letter in self.points and letter in self.bases
        return relative_speed(self.points[letter], self.bases[letter]) if both else MISSING


@dataclass(frozen=True)
class Comparison:
    """Two runs or more, of which A is the first.

    Attributes:
        reference: name that speeds are multiples of; None if the runs have no timed name in common.
        wanted: the scenario's reference, where it could not be taken.
        cells: those that at least two runs have, setting by setting.
        words: id → the cell in words, of all cells.
    """

    runs: tuple[ComparedRun, ...]
    reference: str | None
    wanted: str | None
    cells: tuple[ComparedCell, ...]
    words: Mapping[str, str]
    warnings: tuple[str, ...]

    @property
    def others(self) -> tuple[ComparedRun, ...]:
        """All runs but A."""
        return self.runs[1:]


def compare(runs: Sequence[Run]) -> Comparison:
    """Compare these runs with the first. Cells that a rule of a scenario excludes are left out."""
    kept = [[record for record in run.records if record.status != "skipped"] for run in runs]
    several = any(len(set(map(_anywhere, records))) < len(records) for records in kept)
    tables: dict[str, dict[str, Point]] = {}
    for i, (run, records) in enumerate(zip(runs, kept, strict=True)):
        found = zip(records, points(records, run.environments), strict=True)
        tables[_letter(i)] = {_key(record, point if several else None): point for record, point in found}
    every = [point for table in tables.values() for point in table.values()]
    settings = settings_of(every, besides=() if several else _MACHINE)
    words = {p.cell: f"{p.name}, {setting}" for p, setting in zip(every, settings, strict=True)}
    shared = _shared(tables)
    reference, wanted = _reference(runs, tables, shared)
    bases = {
        letter: {_setting(point): point for point in table.values() if point.name == reference}
        for letter, table in tables.items()
    }
    taken = {table[key].cell for table in tables.values() for key in table.keys() & set(shared)}
    alone = {
        letter: [(p.cell, words[p.cell]) for p in table.values() if p.cell not in taken]
        for letter, table in tables.items()
    }
    return Comparison(
        runs=tuple(
            _run(letter, runs[0], run, taken, alone[letter]) for letter, run in zip(tables, runs, strict=True)
        ),
        reference=reference,
        wanted=wanted,
        cells=tuple(_decided([_cell(key, bases, tables, words) for key in shared])),
        words=words,
        warnings=tuple(warning for run in runs for warning in run.warnings),
    )


def plain(runs: Sequence[Run]) -> dict[str, Any]:
    """The comparison of these runs as JSON-able data, in seconds; null where there is no number."""
    found = compare(runs)
    return {
        "caveat": CAVEAT,
        "runs": [
            {
                "letter": run.letter,
                "run": run.name,
                "machine": run.machine,
                "comparable_with_a": {None: "yes", "refuse": "no"}.get(run.level, "with care"),
                "differences": [
                    {"property": one.path, "level": one.level, "a": one.old, "here": one.new, "why": one.why}
                    for one in run.findings
                ],
                "only_here": [id for id, _ in run.alone],
            }
            for run in found.runs
        ],
        "reference": found.reference,
        "cells": [
            {
                "cell": cell.id,
                "words": cell.words,
                "latency_s": {letter: as_data(point.latency) for letter, point in cell.points.items()},
                "compared_with_a": {
                    letter: as_data(Value(one.ratio, one.lo, one.hi))
                    | {"verdict": SEEN[one.side], "reason": one.reason}
                    for letter, one in cell.times.items()
                },
                "relative_throughput": {letter: as_data(cell.relative(letter)) for letter in cell.points},
            }
            for cell in found.cells
        ],
        "exact": [
            {
                "run": run.letter,
                "cell": change.cell.id,
                "metric": change.metric,
                "a": change.old,
                "here": change.new,
                "note": change.note,
            }
            for run in found.runs
            for change in run.changes
        ],
        "warnings": list(found.warnings),
    }


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"R{place + 1}"


def _key(record: Record, point: Point | None) -> str:
    """What a cell has in common with that of another run; with its machine, where a point is given."""
    machine = [str(point.settings[key]) for key in _MACHINE] if point else []
    return " ".join([_anywhere(record), *machine])


def _anywhere(record: Record) -> str:
    """Id of the cell whatever machine it ran on: on any device, with any threads."""
    return replace(record.cell, device="cpu", threads=None, machine="").id


def _setting(point: Point) -> Setting:
    """All that cells of one run have in common that differ in the mixer only."""
    return (point.subject, point.resolution, point.kernel, *point.settings.values())


def _shared(tables: Tables) -> list[str]:
    """Keys that two tables have at least, setting by setting in order of appearance."""
    counts = Counter(key for table in tables.values() for key in table)
    first: dict[str, Point] = {}
    for key, point in ((key, point) for table in tables.values() for key, point in table.items()):
        first.setdefault(key, point)
    order = {setting: i for i, setting in enumerate(dict.fromkeys(map(_setting, first.values())))}
    return sorted((key for key in first if counts[key] > 1), key=lambda key: order[_setting(first[key])])


def _reference(runs: Sequence[Run], tables: Tables, shared: Sequence[str]) -> tuple[str | None, str | None]:
    """The name that all runs timed: the scenario's reference, else the first of A; and a wish not granted.

    A run that shares no cell with another one is not asked.
    """
    concerned = [table for table in tables.values() if table.keys() & set(shared)] or list(tables.values())
    timed = [dict.fromkeys(p.name for p in table.values() if p.throughput.known) for table in concerned]
    common = [name for name in timed[0] if all(name in names for names in timed)]
    wishes = [(run.scenario.get("report") or {}).get("reference") for run in runs]
    wish = next((str(one) for one in wishes if one), None)
    if wish in common:
        return wish, None
    return next(iter(common), None), wish


def _cell(
    key: str, bases: Mapping[str, Mapping[Setting, Point]], tables: Tables, words: Mapping[str, str]
) -> ComparedCell:
    points = {letter: table[key] for letter, table in tables.items() if key in table}
    found = {letter: bases[letter].get(_setting(point)) for letter, point in points.items()}
    first = next(iter(points.values()))
    return ComparedCell(
        id=first.cell,
        name=first.name,
        words=words[first.cell],
        points=points,
        bases={letter: base for letter, base in found.items() if base is not None},
    )


def _decided(cells: Sequence[ComparedCell]) -> list[ComparedCell]:
    """The cells with their decisions: those on times are one family, those on multiples are another.

    A reader asks the one of two versions on one machine and the other of two machines, never both.
    """
    times: dict[tuple[int, str], Question] = {}
    multiples: dict[tuple[int, str], Question] = {}
    for i, cell in enumerate(cells):
        a = cell.points.get("A")
        for letter, here in cell.points.items():
            if a is None or letter == "A" or not (a.rounds_s and here.rounds_s):
                continue
            noise = max(a.noise, here.noise)
            ratio = unpaired(here.rounds_s, a.rounds_s, joint_drift(a, here))
            times[i, letter] = Question(ratio, noise=noise)
            mine, its = _multiples(cell, letter), _multiples(cell, "A")
            if mine and its:  # what a machine does to both mixers drops out, and its drift with it
                multiples[i, letter] = Question(unpaired(mine, its), noise=noise)
    of_times, of_multiples = decide(times), decide(multiples)
    return [
        replace(
            cell,
            times={letter: of_times[i, letter] for letter in cell.points if (i, letter) in of_times},
            multiples={
                letter: of_multiples[i, letter] for letter in cell.points if (i, letter) in of_multiples
            },
        )
        for i, cell in enumerate(cells)
    ]


def _multiples(cell: ComparedCell, letter: str) -> list[float]:
    """Speed as a multiple of the reference's in each round; empty for the reference itself."""
    point, base = cell.points[letter], cell.bases.get(letter)
    if base is None or base is point:
        return []
    return [math.exp(log) for log in log_multiples(point, base)]


def _run(
    letter: str, first: Run, run: Run, shared: Collection[str], alone: Sequence[tuple[str, str]]
) -> ComparedRun:
    """One of the runs.

    Args:
        shared: ids of its cells and of those of A that are compared.
    """
    environment = run.environment
    before, after = ([r for r in side.records if r.id in shared] for side in (first, run))
    machines = dict.fromkeys(map(machine_name, machines_of(run, run.records)))
    return ComparedRun(
        letter=letter,
        name=str(run.path),
        machine=joined(list(machines)),
        torch=str(environment.get("torch") or ""),
        commit=str((environment.get("git") or {}).get("commit") or "")[:7],
        date=str(environment.get("started_at") or "")[:10],
        findings=() if run is first else differences_of(first, run, before, after),
        changes=() if run is first else tuple(count_changes.changes(before, after)),
        alone=tuple(alone),
    )
