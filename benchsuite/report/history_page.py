"""A history in words and tables: which cells stepped or drift, where and by how much."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchsuite.findings.history import HistoryPoint, Series, Shift, revision_range
from benchsuite.format import counted, significant, some
from benchsuite.report.comparable_groups import settings_of
from benchsuite.report.differences import changed_numbers, known, metric_words
from benchsuite.report.reported_cells import grouped, reported_cells
from benchsuite.report.tables import Section, TableCell, coloured, table, trimmed
from benchsuite.stats.trend import CHANCE, FLOOR, SHORTEST

LEAST = 2 * SHORTEST
"""Timed runs below which a series can show no step."""


def sections(history: Sequence[Series]) -> list[Section]:
    """Sections on these series, steps first."""
    words = named(history)
    return [
        _overview(history), *_steps(history, words), *_drifts(history, words), *_exact(history, words)
    ]  # fmt: skip


def named(history: Sequence[Series]) -> dict[int, str]:
    """Place of a series → its cell in words; what varies in its scenario on its machine is texts."""
    words: dict[int, str] = {}
    alike = grouped(enumerate(history), lambda item: (item[1].scenario, item[1].machine))
    for group in alike.values():
        cells = reported_cells(series.points[-1].record for _, series in group)
        for (i, series), point, setting in zip(group, cells, settings_of(cells), strict=True):
            words[i] = ", ".join(text for text in (point.name, setting, series.manner) if text)
    return words


def percent(size: float) -> str:
    """A difference of logs as a change: "+10.2 %", "−4.9 %"."""
    return f"{100 * math.expm1(size):+.1f} %".replace("-", "−")


def reasons(shift: Shift) -> str:
    """Other changes that came with a step: "PyTorch 2.12 → 2.13; MACs per image 1,000 → 1,200"."""
    texts = [
        f"{one.label} {known(one.path, one.old)} → {known(one.path, one.new)}" for one in shift.differences
    ]
    texts += [f"{metric_words(one)} {one.old:,} → {one.new:,}" for one in shift.counted]
    if shift.before.commit is not None and shift.before.revision == shift.after.revision:
        texts.append("the commit is the same")
    return "; ".join(texts)


def _overview(history: Sequence[Series]) -> Section:
    runs = {(point.run, point.time) for series in history for point in series.points}
    machines = list(dict.fromkeys(series.machine for series in history))
    telling = [series for series in history if len(series.timed) >= LEAST]
    texts = [
        f"{counted(len(history), 'series', 'series')} from {counted(len(runs), 'run')} on "
        f"{counted(len(machines), 'machine')} ({some(machines)}); a series is one cell of a scenario on "
        "one machine."
    ]
    short = len(history) - len(telling)
    if short:
        texts.append(
            f"{counted(short, 'series', 'series')} {'has' if short == 1 else 'have'} fewer than {LEAST} "
            "timed runs and can show no step."
        )
    if telling:
        stepped = sum(bool(series.shifts) for series in telling)
        crept = sum(series.trend.drift is not None for series in telling)
        texts.append(
            f"Of {counted(len(telling), 'series', 'series')} that are long enough, {stepped} stepped and "
            f"{crept} drift by {percent(FLOOR).lstrip('+')} or more. If nothing had changed, about "
            f"{significant(2 * CHANCE * len(telling), 2)} would seem to."
        )
    return Section("overview", "Runs", tuple(texts))


def _steps(history: Sequence[Series], words: Mapping[int, str]) -> Iterator[Section]:
    steps = [(shift, series, words[i]) for i, series in enumerate(history) for shift in series.shifts]
    if not steps:
        return
    steps.sort(key=lambda step: (step[0].after.time, -abs(step[0].step.size)), reverse=True)
    slower = sum(shift.step.size > 0 for shift, _, _ in steps)
    sentence = (
        f"{counted(len(steps), 'step')}: {slower} to slower, {len(steps) - slower} to faster. A step has at "
        f"least {SHORTEST} runs on either side, so that a change is seen {SHORTEST} runs after it came."
    )
    heads = (
        "Cell", "Latency", "Revisions", "First run", "What else changed there", "Scenario",
        "Machine",
    )  # fmt: skip
    rows = (
        (
            cell,
            _change(shift.step.size),
            shift.revisions,
            _first_run(shift.after),
            reasons(shift),
            series.scenario,
            series.machine,
        )
        for shift, series, cell in steps
    )
    latest = table("Steps, the latest first.", heads, rows, numeric=("Latency",), sortable=True)
    yield Section("steps", "Steps", (sentence,), (trimmed(latest),))


def _drifts(history: Sequence[Series], words: Mapping[int, str]) -> Iterator[Section]:
    rows = [
        (
            words[i],
            _change(series.trend.drift),
            revision_range(series.timed[0], series.timed[-1]),
            series.scenario,
            series.machine,
        )
        for i, series in enumerate(history)
        if series.trend.drift is not None
    ]
    if rows:
        size = "Last third to first"
        sentence = (
            f"{counted(len(rows), 'series', 'series')} {'creeps' if len(rows) == 1 else 'creep'}: the last "
            "third of the runs differs from the first, and no single step explains it."
        )
        heads = ("Cell", size, "Revisions", "Scenario", "Machine")
        drifts = table("Drift of the median latency.", heads, rows, numeric=(size,), sortable=True)
        yield Section("drift", "Drift", (sentence,), (drifts,))


def _change(size: float) -> TableCell:
    return replace(coloured(percent(size), "bad" if size > 0 else "good"), sort=size)


def _exact(history: Sequence[Series], words: Mapping[int, str]) -> Iterator[Section]:
    found = [(i, series, *one) for i, series in enumerate(history) for one in series.changes]
    if found:
        changes = changed_numbers(
            "Where MACs, parameters, operators, graphs or peak memory changed.",
            "Scenario",
            ("Before", "After"),
            [(words[i], series.scenario, change) for i, series, _, _, change in found],
            {
                "Revisions": [revision_range(before, after) for _, _, before, after, _ in found],
                "First run": [_first_run(after) for _, _, _, after, _ in found],
            },
        )
        sentence = f"{counted(len(found), 'change')} of exact numbers, which have no noise."
        yield Section("exact", "Exact numbers", (sentence,), (changes,))


def _first_run(point: HistoryPoint) -> str:
    return f"{point.time[:10]}, {point.run}"


def plain(history: Sequence[Series]) -> dict[str, Any]:
    """Everything as JSON-able data; seconds, and ratios of new to old."""
    words = named(history)
    return {"series": [_plain(series, words[i]) for i, series in enumerate(history)]}


def _plain(series: Series, words: str) -> dict[str, Any]:
    drift = series.trend.drift
    return {
        "scenario": series.scenario,
        "machine": series.machine,
        "cell": series.cell.id,
        "words": words,
        "points": [
            {
                "run": point.run,
                "time": point.time,
                "commit": point.commit,
                "dirty": point.dirty,
                "status": point.record.status,
                "latency_s": point.latency_s,
            }
            for point in series.points
        ],
        "noise": series.trend.noise,
        "steps": [
            {
                "ratio": shift.step.ratio,
                "chance": shift.step.chance,
                "revisions": shift.revisions,
                "before": shift.before.run,
                "after": shift.after.run,
                "differences": [
                    {"property": one.path, "level": one.level, "before": one.old, "after": one.new}
                    for one in shift.differences
                ],
            }
            for shift in series.shifts
        ],
        "drift": None if drift is None else math.exp(drift),
        "exact": [
            {
                "metric": change.metric,
                "before": change.old,
                "after": change.new,
                "revisions": revision_range(before, after),
                "run": after.run,
                "note": change.note,
            }
            for before, after, change in series.changes
        ],
    }
