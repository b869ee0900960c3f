"""Comparison of two runs: whether they are comparable, the ratio of each cell, and exact numbers.

Times are compared by the rounds of both sides, which are fresh processes, and by what the self-test says of
how far runs of one machine differ. The two sides were not measured in turns, so nothing here is a verdict on
code; `CAVEAT` says so wherever the numbers are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchsuite.findings import exact, fingerprint
from benchsuite.findings.exact import Change
from benchsuite.findings.fingerprint import Finding, Level
from benchsuite.report.differences import as_data, differences_of, settings_of
from benchsuite.report.points import MISSING, Point, Value, points
from benchsuite.report.ranking import as_value, joint_drift
from benchsuite.report.words import STATUS_WORDS
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from benchsuite.results.store import Run
from benchsuite.stats.evidence import Decision, Question, Side, decide, unpaired

CAVEAT = (
    "The runs were measured one after the other, not in turns. Drift between runs of one machine is in the "
    "confidence intervals as far as the self-test measured it; without a self-test no cell is called slower "
    "or faster. To test whether code became slower, use benchsuite gate, which measures both sides in turns."
)

Seen = Literal["slower", "faster", "no different", "undecided", "no time"]
SEEN: tuple[Seen, ...] = ("slower", "faster", "no different", "undecided", "no time")
_SIDES: Mapping[Side, Seen] = {
    "above": "slower", "below": "faster", "same": "no different", "undecided": "undecided",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CellPair:
    """A cell that both runs have.

    Attributes:
        words: the cell in words: "HiLo, 224 px, math, batch 64".
        old, new: seconds per step with their 95 % intervals; missing where there is no time.
        ratio: new over old, with its 95 % interval from the rounds of both and the drift of the machine.
        seen: what is decided of the new side, among all pairs.
        reason: why it is undecided.
        remarks: statuses other than "ok", and flags, with the side that has them.
    """

    id: str
    words: str
    old: Value
    new: Value
    ratio: Value
    seen: Seen
    reason: str
    remarks: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, A and B.

    Attributes:
        old, new: names of their folders.
        findings: in what machines and settings differ, the gravest first.
        pairs: cells of both, in the order of B.
        changes: exact numbers that differ.
        only_old, only_new: cells of one side, as (id, words).
        warnings: what was wrong with the folders.
    """

    old: str
    new: str
    findings: tuple[Finding, ...]
    pairs: tuple[CellPair, ...]
    changes: tuple[tuple[str, Change], ...]
    only_old: tuple[tuple[str, str], ...]
    only_new: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]

    @property
    def level(self) -> Level | None:
        """The gravest finding; None if there is none."""
        return fingerprint.gravest(self.findings)

    def of(self, seen: Seen) -> list[CellPair]:
        """The pairs of which this is decided."""
        return [pair for pair in self.pairs if pair.seen == seen]


def compare(old: Run, new: Run) -> Comparison:
    """Compare B with A; cells that a rule of the scenario excludes on both sides are left out."""
    before, after = _by_id(old), _by_id(new)
    common = [id for id in after if id in before and {before[id].status, after[id].status} != {"skipped"}]
    words = _words([*before.values(), *after.values()])
    left, right = _points(old, before, common), _points(new, after, common)
    decisions = decide(
        {
            id: Question(
                unpaired(right[id].rounds_s, left[id].rounds_s, joint_drift(left[id], right[id])),
                noise=max(left[id].noise, right[id].noise),
            )
            for id in common
            if left[id].rounds_s and right[id].rounds_s
        }
    )
    changes = exact.changes(old.records, new.records)
    return Comparison(
        old=str(old.path),
        new=str(new.path),
        findings=differences_of(old, new, [before[id] for id in common], [after[id] for id in common]),
        pairs=tuple(
            _pair(words[id], left[id], right[id], decisions.get(id), _remarks(before[id], after[id]))
            for id in common
        ),
        changes=tuple((words[change.cell.id], change) for change in changes),
        only_old=_only(before, after, words),
        only_new=_only(after, before, words),
        warnings=(*old.warnings, *new.warnings),
    )


def plain(comparison: Comparison) -> dict[str, Any]:
    """Everything as JSON-able data, in seconds; null where there is no number."""
    return {
        "a": comparison.old,
        "b": comparison.new,
        "caveat": CAVEAT,
        "comparable": {None: "yes", "refuse": "no"}.get(comparison.level, "with care"),
        "differences": [
            {"property": one.path, "level": one.level, "a": one.old, "b": one.new, "why": one.why}
            for one in comparison.findings
        ],
        "cells": [
            {
                "cell": pair.id,
                "words": pair.words,
                "a": as_data(pair.old),
                "b": as_data(pair.new),
                "ratio": as_data(pair.ratio),
                "verdict": pair.seen,
                "reason": pair.reason,
                "remarks": pair.remarks,
            }
            for pair in comparison.pairs
        ],
        "exact": [
            {
                "cell": change.cell.id,
                "metric": change.metric,
                "a": change.old,
                "b": change.new,
                "note": change.note,
            }
            for _, change in comparison.changes
        ],
        "only_in_a": [id for id, _ in comparison.only_old],
        "only_in_b": [id for id, _ in comparison.only_new],
        "warnings": list(comparison.warnings),
    }


def _pair(words: str, old: Point, new: Point, decision: Decision | None, remarks: str) -> CellPair:
    return CellPair(
        id=new.cell,
        words=words,
        old=old.latency,
        new=new.latency,
        ratio=as_value(decision) if decision else MISSING,
        seen=_SIDES[decision.side] if decision else "no time",
        reason=decision.reason if decision and decision.side == "undecided" else "",
        remarks=remarks,
    )


def _remarks(old: Record, new: Record) -> str:
    """ "A: OOM, busy host"; empty for cells that are ok and above suspicion."""
    remarks = []
    for side, record in (("A", old), ("B", new)):
        words = [] if record.status == "ok" else [STATUS_WORDS[record.status]]
        words += [flag.replace("_", " ") for flag in record.flags]
        remarks += [f"{side}: {', '.join(words)}"] if words else []
    return "; ".join(remarks)


def _by_id(run: Run) -> dict[str, Record]:
    return {record.id: record for record in run.records}


def _points(run: Run, records: Mapping[str, Record], ids: Sequence[str]) -> dict[str, Point]:
    return {point.cell: point for point in points(to_frame((records[id] for id in ids), run.environments))}


def _only(
    here: Mapping[str, Record], there: Mapping[str, Record], words: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    ids = (id for id, record in here.items() if id not in there and record.status != "skipped")
    return tuple((id, words[id]) for id in ids)


def _words(records: Sequence[Record]) -> dict[str, str]:
    """Cell → name, size, kernel, and what else varies over all of them."""
    frame = to_frame(records)
    settings = zip(frame["cell"], frame["name"], settings_of(frame), strict=True)
    return {cell: f"{name}, {setting}" for cell, name, setting in settings}
