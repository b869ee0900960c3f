"""A history in words, tables and files: which cells stepped or drift, where and by how much."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchsuite.findings.exact import Change
from benchsuite.findings.history import Point, Series, Shift, revision_range
from benchsuite.format import significant
from benchsuite.report.differences import metric_words, settings_of
from benchsuite.report.prose import Section, present, trimmed
from benchsuite.report.tables import Header, Row, Table, TableCell
from benchsuite.report.words import counted, fixed, some
from benchsuite.results.frame import to_frame
from benchsuite.stats.trend import CHANCE, FLOOR, SHORTEST
from benchsuite.text import in_spreadsheet

FORMATS = ("text", "json", "csv", "otava")
LEAST = 2 * SHORTEST
"""Timed runs below which a series can show no step."""


def sections(found: Sequence[Series]) -> list[Section]:
    """What is to be said of these series, steps first."""
    words = named(found)
    return list(present(_overview(found), _steps(found, words), _drifts(found, words), _exact(found, words)))


def named(found: Sequence[Series]) -> dict[int, str]:
    """Place of a series → its cell in words; what varies in its scenario on its machine is said."""
    words: dict[int, str] = {}
    for group in dict.fromkeys((series.scenario, series.machine) for series in found):
        places = [i for i, series in enumerate(found) if (series.scenario, series.machine) == group]
        frame = to_frame(found[i].points[-1].record for i in places)
        for i, name, setting in zip(places, frame["name"], settings_of(frame), strict=True):
            words[i] = ", ".join(text for text in (name, setting, found[i].manner) if text)
    return words


def percent(size: float) -> str:
    """A difference of logs as a change: "+10.2 %", "−4.9 %"."""
    return f"{100 * math.expm1(size):+.1f} %".replace("-", "−")


def reasons(shift: Shift) -> str:
    """What else changed with a step: "PyTorch 2.12 → 2.13; MACs per image 1,000 → 1,200"."""
    said = [f"{one.label} {_known(one.old)} → {_known(one.new)}" for one in shift.differences]
    said += [_changed(change) for change in shift.counted]
    if shift.before.commit is not None and shift.before.revision == shift.after.revision:
        said.append("the commit is the same")
    return "; ".join(said)


def _overview(found: Sequence[Series]) -> Section:
    runs = {(point.run, point.time) for series in found for point in series.points}
    machines = {series.machine for series in found}
    telling = [series for series in found if len(series.timed) >= LEAST]
    said = [
        f"{counted(len(found), 'series', 'series')} from {counted(len(runs), 'run')} on "
        f"{counted(len(machines), 'machine')}; a series is one cell of one scenario on one machine."
    ]
    short = len(found) - len(telling)
    if short:
        said.append(
            f"{counted(short, 'series', 'series')} {'has' if short == 1 else 'have'} fewer than {LEAST} "
            "timed runs and can show no step."
        )
    if telling:
        stepped = sum(bool(series.shifts) for series in telling)
        crept = sum(series.trend.drift is not None for series in telling)
        said.append(
            f"Of {counted(len(telling), 'series', 'series')} that are long enough, {stepped} stepped and "
            f"{crept} drift by {percent(FLOOR).lstrip('+')} or more. If nothing had changed, about "
            f"{significant(2 * CHANCE * len(telling), 2)} would seem to."
        )
    return Section("overview", "Runs", tuple(said))


def _steps(found: Sequence[Series], words: Mapping[int, str]) -> Section | None:
    rows = [(shift, series, words[i]) for i, series in enumerate(found) for shift in series.shifts]
    if not rows:
        return None
    rows.sort(key=lambda row: (row[0].after.time, -abs(row[0].step.size)), reverse=True)
    slower = sum(shift.step.size > 0 for shift, _, _ in rows)
    said = (
        f"{counted(len(rows), 'step')}: {slower} to slower, {len(rows) - slower} to faster. A step has at "
        f"least {SHORTEST} runs on either side, so that a change is seen {SHORTEST} runs after it came.",
    )
    heads = (
        Header("Cell"), Header("Scenario"), Header("Machine"), Header("Latency", numeric=True),
        Header("Revisions"), Header("First run on the new level"), Header("What else changed there"),
    )  # fmt: skip
    body = tuple(
        Row(
            (
                TableCell(cell),
                TableCell(series.scenario),
                TableCell(series.machine.label),
                TableCell(percent(shift.step.size), shift.step.size),
                TableCell(shift.revisions),
                TableCell(f"{shift.after.time[:10]}, {shift.after.run}"),
                TableCell(reasons(shift)),
            )
        )
        for shift, series, cell in rows
    )
    return Section("steps", "Steps", said, (trimmed(Table("Steps, the latest first.", heads, body, True)),))


def _drifts(found: Sequence[Series], words: Mapping[int, str]) -> Section | None:
    rows = [
        Row(
            (
                TableCell(words[i]),
                TableCell(series.scenario),
                TableCell(series.machine.label),
                TableCell(percent(series.trend.drift), series.trend.drift),
                TableCell(revision_range(series.timed[0], series.timed[-1])),
            )
        )
        for i, series in enumerate(found)
        if series.trend.drift is not None
    ]
    if not rows:
        return None
    heads = (
        Header("Cell"), Header("Scenario"), Header("Machine"),
        Header("Last third to first", numeric=True), Header("Revisions"),
    )  # fmt: skip
    said = (
        f"{counted(len(rows), 'series', 'series')} {'creeps' if len(rows) == 1 else 'creep'}: the last third "
        "of the runs differs from the first, and no single step explains it.",
    )
    caption = "Drift of the median latency."
    return Section("drift", "Drift", said, (Table(caption, heads, tuple(rows), True),))


def _exact(found: Sequence[Series], words: Mapping[int, str]) -> Section | None:
    rows = [
        Row(
            (
                TableCell(words[i]),
                TableCell(series.scenario),
                TableCell(metric_words(change)),
                TableCell(f"{change.old:,}", change.old),
                TableCell(f"{change.new:,}", change.new),
                TableCell(revision_range(before, after)),
                TableCell(f"{after.time[:10]}, {after.run}"),
                TableCell(change.note),
            )
        )
        for i, series in enumerate(found)
        for before, after, change in series.changes
    ]
    if not rows:
        return None
    heads = (
        Header("Cell"), Header("Scenario"), Header("Number"), Header("Before", numeric=True),
        Header("After", numeric=True), Header("Revisions"), Header("First run"), Header("Note"),
    )  # fmt: skip
    said = (f"{counted(len(rows), 'change')} of exact numbers, which have no noise.",)
    caption = "Where MACs, parameters, operators, graphs or peak memory changed."
    return Section("exact", "Exact numbers", said, (trimmed(Table(caption, heads, tuple(rows), True)),))


def plain(found: Sequence[Series]) -> dict[str, Any]:
    """Everything as JSON-able data; seconds, and ratios of new to old."""
    words = named(found)
    return {"series": [_plain(series, words[i]) for i, series in enumerate(found)]}


def _plain(series: Series, words: str) -> dict[str, Any]:
    drift = series.trend.drift
    return {
        "scenario": series.scenario,
        "machine": {"key": series.machine.key, "label": series.machine.label},
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


def to_csv(found: Sequence[Series]) -> str:
    """A row for each run of each series, in SI base units; empty where there is no number."""
    heads = (
        "scenario machine machine_key cell name resolution kernel batch dtype run time commit dirty status "
        "latency_s level step params macs peak_allocated_bytes"
    ).split()
    return _csv([heads, *(row for series in found for row in _rows(series))])


def _rows(series: Series) -> Iterator[list[Any]]:
    cell = series.cell
    size = "x".join(str(side) for side in dict.fromkeys(cell.resolution))
    starts = {id(shift.after): shift.step for shift in series.shifts}
    level = 0
    for point in series.points:
        step = starts.get(id(point))
        level += step is not None
        cost, memory = point.record.cost, point.record.memory
        yield [
            series.scenario, series.machine.label, series.machine.key, cell.id, cell.name, size, cell.kernel,
            cell.batch, cell.dtype, point.run, point.time, point.commit or "", str(point.dirty).lower(),
            point.record.status, "" if point.latency_s is None else point.latency_s, level,
            "" if step is None else step.ratio, cost.params if cost else "", cost.macs if cost else "",
            memory.peak_allocated_bytes if memory else "",
        ]  # fmt: skip


def to_otava(found: Sequence[Series]) -> dict[str, str]:
    """Files that apache-otava reads: name → text, `otava.yaml` with the tests and a CSV for each.

    The layout is that of its CSV importer: a column `time`, attributes, and one column of numbers for each
    metric. It takes no empty numbers, so cells that were timed in the same runs share a file, and those that
    miss a run have another.
    """
    files: dict[str, str] = {}
    config = ["tests:"]
    groups: dict[tuple[Any, ...], list[Series]] = {}
    for series in found:
        if series.timed:
            runs = tuple((point.time, point.run) for point in series.timed)
            groups.setdefault((series.scenario, series.machine.key, runs), []).append(series)
    seen: dict[str, int] = {}
    for (scenario, machine, _), alike in groups.items():
        name = f"{slug(scenario)}-{machine}"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name += f"-{seen[name]}"
        cells = [series.cell.id for series in alike]
        timed = list(zip(*(series.timed for series in alike), strict=True))
        rows = [
            [row[0].time, row[0].commit or "", row[0].run, *(_second(one) for one in row)] for row in timed
        ]
        files[f"{name}.csv"] = _csv([["time", "commit", "run", *cells], *rows])
        config += [
            f"  {name}:",
            "    type: csv",
            f"    file: {name}.csv",
            "    time_column: time",
            "    attributes: [commit, run]",
            "    metrics:",
            *(line for id in cells for line in (f"      {id}:", "        direction: -1")),
        ]
    return {"otava.yaml": "\n".join(config) + "\n", **files} if files else {}


def slug(text: str) -> str:
    """Letters, digits and hyphens, for names of files and addresses; "x" if nothing is left."""
    import re

    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def _second(point: Point) -> float:
    assert point.latency_s is not None  # it is of `Series.timed`
    return point.latency_s


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    out = io.StringIO()
    inert = ([in_spreadsheet(one) if isinstance(one, str) else one for one in row] for row in rows)
    csv.writer(out, lineterminator="\n").writerows(inert)
    return out.getvalue()


def _known(value: Any) -> str:
    if isinstance(value, float):
        return fixed(value, 3)
    return "unknown" if value is None else str(value)


def _changed(change: Change) -> str:
    return f"{metric_words(change)} {change.old:,} → {change.new:,}"


def scenarios(found: Sequence[Series]) -> str:
    """The names of the scenarios, for a message."""
    return some(sorted({series.scenario for series in found}), 12)
