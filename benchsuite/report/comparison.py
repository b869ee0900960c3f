"""Comparison of two runs or more: whether they are comparable, times, speeds by a reference, exact numbers.

Seconds of two machines say which is faster, and nothing of mixers. So each mixer is also put beside a
reference mixer of the same run and setting; these ratios can be compared across machines. A cell of one run
is a cell of another if all but machine, device and threads is the same.

The runs were not measured in turns, so nothing here is a verdict on code; `CAVEAT` says so wherever the
numbers are shown.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchsuite.findings import count_changes, fingerprint
from benchsuite.findings.count_changes import Change
from benchsuite.findings.fingerprint import Finding, Level
from benchsuite.report.comparable_groups import settings_of
from benchsuite.report.differences import COMPARABLE, differences_of, measured_on
from benchsuite.report.ranking import as_value, joint_drift, log_multiples, relative_speed
from benchsuite.report.reported_cells import MISSING, ReportedCell, Value, grouped, reported_cells, setting_of
from benchsuite.results.store import Run
from benchsuite.stats.evidence import Decision, Question, Side, decide, unpaired

CAVEAT = (
    "The runs were measured one after the other, not in turns. Drift between runs of one machine is in the "
    "confidence intervals as far as the self-test measured it; without a self-test no cell is called slower "
    "or faster. To test whether code became slower, use benchsuite gate, which measures both sides in turns."
)
_MACHINE = ("device", "threads", "machine")
"""Conditions that are a machine's rather than a cell's, but where one run varies them."""
InRuns = Mapping[str, ReportedCell]
"""Letter of a run → one cell there, whatever machine it ran on."""
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
        changes: exact numbers of shared cells that are not those of A, with the cell in words.
        alone: (id, words) of the cells that no other run has.
        is_a: whether it is run A once more: the same records, all of them.
    """

    letter: str
    run: Run
    machine: str
    findings: tuple[Finding, ...]
    changes: tuple[tuple[str, Change], ...]
    alone: tuple[tuple[str, str], ...]
    is_a: bool = False

    @property
    def level(self) -> Level | None:
        """The gravest difference from A; None if there is none."""
        return fingerprint.gravest(self.findings)


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """One cell of at least two runs. Each mapping lacks the runs that have nothing to say in it.

    Attributes:
        in_runs: letter → the cell there.
        words: "HiLo, 224 px, math".
        relative: letter → speed as a multiple of the reference's in that run and setting.
        times: letter → the decision on the seconds there over those of A.
        multiples: letter → the decision on `relative` there over that of A.
    """

    in_runs: InRuns
    words: str
    relative: Mapping[str, Value]
    times: Mapping[str, Decision]
    multiples: Mapping[str, Decision]

    @property
    def first(self) -> ReportedCell:
        """The cell in the first run that has it."""
        return next(iter(self.in_runs.values()))


@dataclass(frozen=True)
class Comparison:
    """Two runs or more, of which A is the first.

    Attributes:
        reference: name that speeds are multiples of; None if the runs have no timed name in common.
        wanted: the scenario's reference, where it could not be taken.
        cells: those that at least two runs have, setting by setting.
    """

    runs: tuple[ComparedRun, ...]
    reference: str | None
    wanted: str | None
    cells: tuple[ComparedCell, ...]
    warnings: tuple[str, ...]

    @property
    def others(self) -> tuple[ComparedRun, ...]:
        """All runs but A."""
        return self.runs[1:]


def compare(runs: Sequence[Run]) -> Comparison:
    """Compare these runs with the first. Cells that a rule of a scenario excludes are left out."""
    letters = [chr(ord("A") + i) if i < 26 else f"R{i + 1}" for i in range(len(runs))]
    every, several = _beside_each_other(letters, runs)
    seen = [reported for cell in every for reported in cell.values()]
    settings = settings_of(seen, besides=() if several else _MACHINE)
    words = {p.id: f"{p.name}, {setting}" for p, setting in zip(seen, settings, strict=True)}
    in_settings = grouped(every, lambda cell: setting_of(next(iter(cell.values())))).values()
    shared = [cell for part in in_settings for cell in part if len(cell) > 1]
    ids = {reported.id for cell in shared for reported in cell.values()}
    alone = grouped((cell for cell in every if len(cell) == 1), lambda cell: next(iter(cell)))
    reference, wanted = _reference(runs, letters, every, shared)
    return Comparison(
        runs=tuple(
            _run(letter, runs[0], run, ids, [cell[letter].id for cell in alone.get(letter, ())], words)
            for letter, run in zip(letters, runs, strict=True)
        ),
        reference=reference,
        wanted=wanted,
        cells=_cells(shared, every, reference, words),
        warnings=tuple(warning for run in runs for warning in run.warnings),
    )


def _beside_each_other(letters: Sequence[str], runs: Sequence[Run]) -> tuple[list[InRuns], bool]:
    """Every cell of these runs in order of appearance, and whether one run has cells of several machines, so
    that a cell is the same only on the same one."""
    kept = [reported_cells(run.tried, run.environments) for run in runs]
    several = any(len(set(map(_anywhere, cells))) < len(cells) for cells in kept)
    found: dict[tuple[Any, ...], dict[str, ReportedCell]] = {}
    for letter, cells in zip(letters, kept, strict=True):
        for cell in cells:
            machine = [cell.settings[key] for key in _MACHINE if several]
            found.setdefault((_anywhere(cell), *machine), {})[letter] = cell
    return list(found.values()), several


def _anywhere(cell: ReportedCell) -> str:
    """Id of the cell whatever machine it ran on: on any device, with any threads."""
    return replace(cell.measured.record.cell, device="cpu", threads=None, machine="").id


def _reference(
    runs: Sequence[Run], letters: Sequence[str], every: Sequence[InRuns], shared: Sequence[InRuns]
) -> tuple[str | None, str | None]:
    """The name that all runs timed: the scenario's reference, else the first of A; and a wish not granted.

    A run that shares no cell with another one is not asked.
    """
    concerned = [one for one in letters if any(one in cell for cell in shared)] or letters
    timed = [
        dict.fromkeys(cell[one].name for cell in every if one in cell and cell[one].throughput.known)
        for one in concerned
    ]
    common = [name for name in timed[0] if all(name in names for names in timed)]
    wishes = [(run.scenario.get("report") or {}).get("reference") for run in runs]
    wish = next((str(one) for one in wishes if one), None)
    if wish in common:
        return wish, None
    return next(iter(common), None), wish


def _cells(
    shared: Sequence[InRuns], every: Sequence[InRuns], reference: str | None, words: Mapping[str, str]
) -> tuple[ComparedCell, ...]:
    """The shared cells with their decisions: those on times are one family, those on multiples are another.

    A reader asks the one of two versions on one machine and the other of two machines, never both.
    """
    references = {
        (letter, setting_of(reported)): reported
        for cell in every for letter, reported in cell.items() if reported.name == reference
    }  # fmt: skip
    bases = [
        {one: references.get((one, setting_of(reported))) for one, reported in cell.items()}
        for cell in shared
    ]
    times: dict[tuple[int, str], Question | None] = {}
    multiples: dict[tuple[int, str], Question | None] = {}
    for i, (cell, base) in enumerate(zip(shared, bases, strict=True)):
        a = cell.get("A")
        for letter, here in cell.items():
            if a is None or here is a or not (a.rounds_s and here.rounds_s):
                continue
            noise, same = max(a.noise, here.noise), _one_measurement(a, here)
            ratio = unpaired(here.rounds_s, a.rounds_s, joint_drift(a, here))
            times[i, letter] = None if same else Question(ratio, noise=noise)
            mine, its = _multiples(here, base[letter]), _multiples(a, base["A"])
            if mine and its:  # what a machine does to both mixers drops out, and its drift with it
                same = same and _one_measurement(base["A"], base[letter])
                multiples[i, letter] = None if same else Question(unpaired(mine, its), noise=noise)
    of_times, of_multiples = _by_cell(times), _by_cell(multiples)
    return tuple(
        ComparedCell(
            in_runs=cell,
            words=words[next(iter(cell.values())).id],
            relative={one: relative_speed(reported, b) for one, reported in cell.items() if (b := base[one])},
            times=of_times.get(i, {}),
            multiples=of_multiples.get(i, {}),
        )
        for i, (cell, base) in enumerate(zip(shared, bases, strict=True))
    )


def _multiples(cell: ReportedCell, base: ReportedCell | None) -> list[float]:
    """Speed as a multiple of the reference's in each round; empty for the reference itself."""
    if base is None or base is cell:
        return []
    return [math.exp(log) for log in log_multiples(cell, base)]


def _one_measurement(a: ReportedCell | None, here: ReportedCell | None) -> bool:
    """True if both are one record: of a run compared with itself, or with what was merged from it."""
    return a is not None and here is not None and a.measured.record == here.measured.record


def _by_cell(asked: Mapping[tuple[int, str], Question | None]) -> dict[int, dict[str, Decision]]:
    """Number of a cell → letter → decision; None asks nothing, as one measurement is held against itself."""
    decisions = decide({key: question for key, question in asked.items() if question is not None})
    once_more = Decision("same", 1.0, 1.0, 1.0, math.nan, "the same measurement")
    found: dict[int, dict[str, Decision]] = {}
    for i, letter in asked:
        found.setdefault(i, {})[letter] = decisions.get((i, letter), once_more)
    return found


def _run(
    letter: str,
    first: Run,
    run: Run,
    shared: Collection[str],
    alone: Sequence[str],
    words: Mapping[str, str],
) -> ComparedRun:
    """One of the runs.

    Args:
        shared: ids of its cells and of those of A that are compared; `alone` are those that no other has.
        words: id → the cell in words.
    """
    before, after = ([r for r in side.records if r.id in shared] for side in (first, run))
    changes = () if run is first else count_changes.changes(before, after)
    return ComparedRun(
        letter=letter,
        run=run,
        machine=measured_on(run)[0],
        findings=() if run is first else differences_of(first, run, before, after),
        changes=tuple((words[change.cell.id], change) for change in changes),
        alone=tuple((id, words[id]) for id in alone),
        is_a=run is not first and run.records == first.records,
    )


def plain(runs: Sequence[Run]) -> dict[str, Any]:
    """The comparison of these runs as JSON-able data, in seconds; null where there is no number."""
    found = compare(runs)
    return {
        "caveat": CAVEAT,
        "runs": [
            {
                "letter": run.letter,
                "run": str(run.run.path),
                "machine": run.machine,
                "comparable_with_a": COMPARABLE[run.level],
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
                "cell": cell.first.id,
                "words": cell.words,
                "latency_s": {letter: _ends(reported.latency) for letter, reported in cell.in_runs.items()},
                "compared_with_a": {
                    letter: _ends(as_value(one)) | {"verdict": SEEN[one.side], "reason": one.reason}
                    for letter, one in cell.times.items()
                },
                "relative_throughput": {one: _ends(cell.relative.get(one, MISSING)) for one in cell.in_runs},
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
            for _, change in run.changes
        ],
        "warnings": list(found.warnings),
    }


def _ends(value: Value) -> dict[str, float | None]:
    """A value with its interval as JSON-able data; null where there is no number."""
    ends = {"median": value.value, "lo": value.lo, "hi": value.hi}
    return {name: None if math.isnan(end) else end for name, end in ends.items()}
