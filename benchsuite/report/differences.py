"""Parts that comparisons of runs share: differences of machines, settings in words, exact numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchsuite.findings import fingerprint
from benchsuite.findings.count_changes import Change
from benchsuite.findings.fingerprint import Finding, Level
from benchsuite.format import byte_size, fixed, joined, significant
from benchsuite.report.tables import Table, TableCell, table, trimmed
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


def metric_words(change: Change) -> str:
    """The number that changed: "MACs per image", "Operations: softmax"."""
    name, _, part = change.metric.partition(".")
    return f"{COUNTED[name]}: {part}" if part else COUNTED[name]


def changed_numbers(
    caption: str,
    place: str,
    sides: tuple[str, str],
    rows: Iterable[tuple[str, str, Change]],
    details: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Exact numbers that changed, without the columns that are empty.

    Args:
        place: head of the column of the second text of a row, as of its run.
        sides: heads of the old and the new number.
        details: heads of further columns → a text for each row.
    """
    body = [
        (
            cell,
            where,
            metric_words(change),
            TableCell(f"{change.old:,}", change.old),
            TableCell(f"{change.new:,}", change.new),
            TableCell(fixed(change.new / change.old, 4), change.new / change.old) if change.old else "–",
            *(texts[i] for texts in (details or {}).values()),
            change.note,
        )
        for i, (cell, where, change) in enumerate(rows)
    ]
    numeric = (*sides, f"{sides[1]} / {sides[0]}")
    heads = ("Cell", place, "Number", *numeric, *(details or {}), "Note")
    return trimmed(table(caption, heads, body, numeric=numeric, sortable=True))


def table_of(caption: str, findings: Mapping[str, Sequence[Finding]]) -> Table | None:
    """A row for each property whose shown values differ, the most serious first; None if there is no row.

    Args:
        findings: letter of a run → its differences from the first run. Without one it has what that has.
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
            for letter in findings
        ]
        if len(set(values)) > 1:
            level = fingerprint.gravest(every)
            assert level is not None
            body.append((level, (every[0].label, LEVEL_WORDS[level], *values, every[0].why)))
    if not body:
        return None
    body.sort(key=lambda row: fingerprint.LEVELS.index(row[0]))
    heads = ("Property", "Level", *findings, "Why it matters")
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
