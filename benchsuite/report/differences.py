"""Parts that comparisons of runs share: differences of machines, settings in words, exact numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchsuite.findings import fingerprint
from benchsuite.findings.count_changes import Change
from benchsuite.findings.fingerprint import Finding, Level
from benchsuite.format import byte_size, significant
from benchsuite.report.points import Value
from benchsuite.report.tables import Table, table
from benchsuite.report.words import joined
from benchsuite.results.machine import machine_name
from benchsuite.results.record import Record
from benchsuite.results.store import Run

LEVEL_WORDS: Mapping[Level, str] = {"refuse": "not comparable", "warn": "warning", "note": "note"}
"""Level of a finding → how the table says it."""
COMPARABLE: Mapping[Level | None, str] = {None: "yes", "note": "yes", "warn": "with care", "refuse": "no"}
"""Gravest level of all findings → whether times of the two runs are comparable."""
COUNTED = {
    "params": "Parameters",
    "trainable_params": "Trainable parameters",
    "macs": "MACs per image",
    "other_ops": "Operations",
    "uncounted": "Calls without a rule",
    "graphs": "Graphs",
    "graph_breaks": "Graph breaks",
    "recompiles": "Recompilations",
    "peak_allocated_bytes": "Peak memory, allocated (B)",
}
"""Metric of `findings/count_changes.py` → how the table says it."""


def differences_of(
    old: Run, new: Run, before: Sequence[Record], after: Sequence[Record]
) -> tuple[Finding, ...]:
    """Differences of machines, software and settings of these records, the most serious first."""
    found = [
        *fingerprint.over_sessions(machines_of(old, before), machines_of(new, after)),
        *fingerprint.settings(old.scenario, new.scenario),
    ]
    return tuple(sorted(found, key=lambda one: fingerprint.LEVELS.index(one.level)))


def as_data(value: Value) -> dict[str, float | None]:
    """A value with its interval as JSON-able data; null where there is no number."""
    ends = {"median": value.value, "lo": value.lo, "hi": value.hi}
    return {name: None if math.isnan(end) else end for name, end in ends.items()}


def metric_words(change: Change) -> str:
    """The number that changed: "MACs per image", "Operations: softmax"."""
    name, _, part = change.metric.partition(".")
    return f"{COUNTED[name]}: {part}" if part else COUNTED[name]


def table_of(caption: str, letters: Sequence[str], findings: Mapping[str, Sequence[Finding]]) -> Table | None:
    """A row for each property whose shown values differ, the most serious first; None if there is no row.

    Args:
        letters: of the runs, the first of which the others are compared with.
        findings: letter → differences from the first run. A run without one has what the first has.
    """
    rows: dict[str, dict[str, list[Finding]]] = {}
    for letter, found in findings.items():
        for one in found:
            rows.setdefault(one.path, {}).setdefault(letter, []).append(one)
    body = []
    for path, by_letter in rows.items():
        every = [one for found in by_letter.values() for one in found]
        first = _values(path, [one.old for one in every])
        values = [
            _values(path, [one.new for one in by_letter[letter]]) if letter in by_letter else first
            for letter in letters
        ]
        if len(set(values)) > 1:
            level = fingerprint.gravest(every)
            assert level is not None
            body.append((level, (every[0].label, LEVEL_WORDS[level], *values, every[0].why)))
    if not body:
        return None
    body.sort(key=lambda row: fingerprint.LEVELS.index(row[0]))
    heads = ("Property", "Level", *letters, "Why it matters")
    return table(caption, heads, (texts for _, texts in body))


def _values(path: str, values: Sequence[Any]) -> str:
    return joined(list(dict.fromkeys(known(path, value) for value in values)), "or")


def known(path: str, value: Any) -> str:
    """The value of a property in words; "unknown" for none."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if path == "git.commit":
        return str(value)[:7]
    if path.endswith("bytes"):
        return byte_size(value)
    return significant(value, 4) if isinstance(value, float) else str(value)


def machines_of(run: Run, records: Sequence[Record]) -> list[Mapping[str, Any]]:
    """The machines that these records are from; that of the first session if there are none."""
    sessions = sorted({record.session for record in records}) or [1]
    return [run.environments.get(session, run.environment) for session in sessions]


def measured_on(run: Run) -> tuple[str, str, str]:
    """Machines, version of PyTorch and date of a run: ("NVIDIA H200", "PyTorch 2.13.0", "2026-01-05")."""
    machines = machines_of(run, run.records)
    versions = dict.fromkeys(str(one["torch"]) for one in machines if one.get("torch"))
    return (
        joined(list(dict.fromkeys(map(machine_name, machines)))),
        f"PyTorch {joined(list(versions), 'or')}" if versions else "",
        str(run.environment.get("started_at") or "")[:10],
    )
