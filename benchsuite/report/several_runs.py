"""Comparison of several runs, of machines or versions, by ratios that are comparable across machines.

Seconds of two machines say which is faster, and nothing of mixers. So each mixer is put beside a reference
mixer of the same run and setting; these ratios can be compared, and so can the order of the mixers. A cell of
one run is a cell of another if all but device and threads is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import pandas as pd

from benchsuite.findings import fingerprint
from benchsuite.findings.fingerprint import Finding, Level
from benchsuite.report.columns import CONDITIONS
from benchsuite.report.comparable_groups import setting_words
from benchsuite.report.differences import as_data, differences_of, machines_of, varying
from benchsuite.report.points import MISSING, Point, Value, grouped, points
from benchsuite.report.ranking import Order, log_multiples, of_pairs, relative_speed
from benchsuite.report.words import joined
from benchsuite.results.frame import to_frame
from benchsuite.results.machine import machine_name
from benchsuite.results.store import Run
from benchsuite.stats.evidence import Decision, Question, decide, unpaired

_MACHINE = ("device", "threads", "machine")
"""Axes that are a machine's rather than a cell's, but where one run varies them."""
_AXES = ("subject", "resolution", "kernel", *(axis for axis in CONDITIONS if axis not in _MACHINE))
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One of the runs.

    Attributes:
        letter: A, B, C, by which tables name it.
        findings: in what machine, software and settings differ from those of A, the gravest first.
    """

    letter: str
    name: str
    machine: str
    torch: str
    commit: str
    date: str
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level | None:
        """The gravest difference from A; None if there is none."""
        return fingerprint.gravest(self.findings)


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """One cell of all runs.

    Attributes:
        words: "HiLo, 224 px, math".
        setting: "224 px, math".
        points: letter → the cell there; absent where that run does not have it.
        relative: letter → speed as a multiple of the reference's in the same run and setting.
        multiples: logarithms of the same in each round.
        compared_with_a: letter → the decision on that multiple over the one of A.
    """

    words: str
    name: str
    setting: str
    points: Mapping[str, Point]
    relative: Mapping[str, Value]
    multiples: Mapping[str, Sequence[float]]
    compared_with_a: Mapping[str, Decision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reversal:
    """Two mixers whose order differs surely, on each of the runs named.

    Attributes:
        faster, slower: letters of the runs where `first` is faster than `second`, and where it is slower.
    """

    setting: str
    first: str
    second: str
    faster: tuple[str, ...]
    slower: tuple[str, ...]


@dataclass(frozen=True)
class SeveralRuns:
    """Comparison of several runs.

    Attributes:
        reference: name that speeds are multiples of; None if the runs have no timed name in common.
        wanted: the scenario's reference, where it could not be taken.
        cells: those that at least two runs have, setting by setting.
        ordered: pairs of mixers in a setting that at least two runs tell apart.
        reversals: those of them whose order differs.
        alone: letter → how many of its cells no other run has.
    """

    runs: tuple[ComparedRun, ...]
    reference: str | None
    wanted: str | None
    cells: tuple[ComparedCell, ...]
    ordered: int
    reversals: tuple[Reversal, ...]
    alone: Mapping[str, int]
    warnings: tuple[str, ...]

    @property
    def level(self) -> Level | None:
        """The gravest difference of any run from A."""
        return fingerprint.gravest(finding for run in self.runs for finding in run.findings)


def compare_several(runs: Sequence[Run]) -> SeveralRuns:
    """Compare these runs, of which A is the first. Cells that a rule excludes are left out."""
    letters = [_letter(i) for i in range(len(runs))]
    frames = [
        to_frame((record for record in run.records if record.status != "skipped"), run.environments)
        for run in runs
    ]
    axes = _AXES if not any(_ambiguous(frame) for frame in frames) else (*_AXES, *_MACHINE)
    tables = [_table(frame, axes) for frame in frames]
    reference, wanted = _reference(runs, tables)
    shared = _shared(tables)
    every = pd.concat(frames) if any(len(frame) for frame in frames) else frames[0]
    varied = [axis for axis in varying(every) if axis in axes]
    cells = _decided([_cell(key, axes, varied, letters, tables, reference) for key in shared])
    ordered, reversals = _orders(cells, letters)
    return SeveralRuns(
        runs=tuple(_run(letter, runs[0], run) for letter, run in zip(letters, runs, strict=True)),
        reference=reference,
        wanted=wanted,
        cells=tuple(cells),
        ordered=ordered,
        reversals=tuple(reversals),
        alone={
            letter: sum(key not in set(shared) for key in table)
            for letter, table in zip(letters, tables, strict=True)
        },
        warnings=tuple(warning for run in runs for warning in run.warnings),
    )


def plain(several: SeveralRuns) -> dict[str, Any]:
    """Everything as JSON-able data; null where there is no number."""
    return {
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
            }
            for run in several.runs
        ],
        "reference": several.reference,
        "cells": [
            {
                "words": cell.words,
                "latency_s": {letter: as_data(point.latency) for letter, point in cell.points.items()},
                "relative_throughput": {letter: as_data(value) for letter, value in cell.relative.items()},
            }
            for cell in several.cells
        ],
        "reversals": [
            {
                "setting": one.setting,
                "first": one.first,
                "second": one.second,
                "first_faster_on": list(one.faster),
                "first_slower_on": list(one.slower),
            }
            for one in several.reversals
        ],
        "ordered_pairs": several.ordered,
        "warnings": list(several.warnings),
    }


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"R{place + 1}"


def _ambiguous(frame: pd.DataFrame) -> bool:
    """True if one run has a cell on several devices or thread counts."""
    return bool(frame.duplicated(["name", "target", "config", *_AXES]).any())


def _table(frame: pd.DataFrame, axes: Sequence[str]) -> dict[Key, Point]:
    columns = ("name", "target", "config", *axes)
    rows = frame.to_dict("records")
    return {
        tuple(None if pd.isna(row[column]) else row[column] for column in columns): point
        for row, point in zip(rows, points(frame), strict=True)
    }


def _shared(tables: Sequence[Mapping[Key, Point]]) -> list[Key]:
    """Keys that two tables have at least, setting by setting in order of appearance."""
    counts: dict[Key, int] = {}
    for key in (key for table in tables for key in table):
        counts[key] = counts.get(key, 0) + 1
    keys = [key for key, count in counts.items() if count > 1]
    settings = list(dict.fromkeys(key[3:] for key in keys))
    return sorted(keys, key=lambda key: settings.index(key[3:]))


def _reference(runs: Sequence[Run], tables: Sequence[Mapping[Key, Point]]) -> tuple[str | None, str | None]:
    """The name that all runs timed: the scenario's reference, else the first of A; and a wish not granted.

    A run that shares no cell with another one is not asked.
    """
    shared = set(_shared(tables))
    concerned = [table for table in tables if shared.intersection(table)] or tables
    timed = [dict.fromkeys(p.name for p in table.values() if p.throughput.known) for table in concerned]
    common = [name for name in timed[0] if all(name in names for names in timed)]
    wishes = [(run.scenario.get("report") or {}).get("reference") for run in runs]
    wish = next((str(one) for one in wishes if one), None)
    if wish in common:
        return wish, None
    return next(iter(common), None), wish


def _cell(
    key: Key,
    axes: Sequence[str],
    varied: Sequence[str],
    letters: Sequence[str],
    tables: Sequence[Mapping[Key, Point]],
    reference: str | None,
) -> ComparedCell:
    points = {letter: table[key] for letter, table in zip(letters, tables, strict=True) if key in table}
    bases = {
        letter: next(
            (p for other, p in table.items() if other[0] == reference and other[3:] == key[3:]), None
        )
        for letter, table in zip(letters, tables, strict=True)
        if letter in points
    }
    setting = setting_words(dict(zip(axes, key[3:], strict=True)), varied)
    return ComparedCell(
        words=f"{key[0]}, {setting}",
        name=str(key[0]),
        setting=setting,
        points=points,
        relative={
            letter: MISSING if (base := bases[letter]) is None else relative_speed(point, base)
            for letter, point in points.items()
        },
        multiples={
            letter: log_multiples(point, base)
            for letter, point in points.items()
            if (base := bases[letter]) is not None and base is not point
        },
    )


def _decided(cells: Sequence[ComparedCell]) -> list[ComparedCell]:
    """The cells with the decision on each run's multiple of the reference over that of A: one family.

    What a machine does to both mixers drops out of a multiple, so that no drift comes in.
    """
    questions = {
        (i, letter): Question(
            unpaired([*map(math.exp, cell.multiples[letter])], [*map(math.exp, cell.multiples["A"])]),
            noise=max(cell.points[letter].noise, cell.points["A"].noise),
        )
        for i, cell in enumerate(cells)
        for letter in cell.multiples
        if letter != "A" and cell.multiples.get("A") and cell.multiples[letter]
    }
    found = decide(questions)
    return [
        replace(cell, compared_with_a={key: found[i, key] for key in cell.points if (i, key) in found})
        for i, cell in enumerate(cells)
    ]


def _orders(cells: Iterable[ComparedCell], letters: Sequence[str]) -> tuple[int, list[Reversal]]:
    """Number of pairs of mixers that two runs tell apart, and those whose order is not the same."""
    settings = grouped(cells, lambda cell: cell.setting)
    pairs = [(one, other) for here in settings.values() for one, other in combinations(here, 2)]
    orders = {
        letter: of_pairs(
            (one.points[letter], other.points[letter])
            for one, other in pairs
            if letter in one.points and letter in other.points
        )
        for letter in letters
    }
    ordered, reversals = 0, []
    for one, other in pairs:
        faster, slower = _where(one, other, orders), _where(other, one, orders)
        if len(faster) + len(slower) > 1:
            ordered += 1
            if faster and slower:
                reversals.append(Reversal(one.setting, one.name, other.name, faster, slower))
    return ordered, reversals


def _where(one: ComparedCell, other: ComparedCell, orders: Mapping[str, Order]) -> tuple[str, ...]:
    """The runs where the one is surely faster."""
    return tuple(
        letter
        for letter, order in orders.items()
        if letter in one.points
        and letter in other.points
        and order.faster(one.points[letter], other.points[letter])
    )


def _run(letter: str, first: Run, run: Run) -> ComparedRun:
    environment = run.environment
    machines = list(dict.fromkeys(machine_name(one) for one in machines_of(run, run.records)))
    return ComparedRun(
        letter=letter,
        name=str(run.path),
        machine=joined(machines),
        torch=str(environment.get("torch") or ""),
        commit=str((environment.get("git") or {}).get("commit") or "")[:7],
        date=str(environment.get("started_at") or "")[:10],
        findings=() if run is first else differences_of(first, run, first.records, run.records),
    )
