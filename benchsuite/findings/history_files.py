"""A history as files for other programs: CSV, and what apache-otava reads. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from benchsuite.findings.history import HistoryPoint, Series
from benchsuite.text import in_spreadsheet, numbered, slug


def to_csv(history: Sequence[Series]) -> str:
    """A row for each run of each series, in SI base units; empty where there is no number."""
    heads = (
        "scenario machine cell name resolution kernel batch dtype run time commit dirty status "
        "latency_s level step params macs peak_allocated_bytes"
    ).split()
    return _csv([heads, *(row for series in history for row in _rows(series))])


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
            series.scenario, series.machine, cell.id, cell.name, size, cell.kernel,
            cell.batch, cell.dtype, point.run, point.time, point.commit or "", str(point.dirty).lower(),
            point.record.status, "" if point.latency_s is None else point.latency_s, level,
            "" if step is None else step.ratio, cost.params if cost else "", cost.macs if cost else "",
            memory.peak_allocated_bytes if memory else "",
        ]  # fmt: skip


def to_otava(history: Sequence[Series]) -> dict[str, str]:
    """Files that apache-otava reads: name → text, `otava.yaml` with the tests and a CSV for each.

    The layout is that of its CSV importer: a column `time`, attributes, and one column of numbers for each
    metric. It takes no empty numbers, so cells that were timed in the same runs share a file, and those that
    miss a run have another.
    """
    groups: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Series]] = {}
    for series in (one for one in history if one.timed):
        runs = tuple((point.time, point.run) for point in series.timed)
        groups.setdefault((series.scenario, series.machine, runs), []).append(series)
    files: dict[str, str] = {}
    config = ["tests:"]
    names = numbered(slug(f"{scenario} {machine}") for scenario, machine, _ in groups)
    for name, alike in zip(names, groups.values(), strict=True):
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


def _second(point: HistoryPoint) -> float:
    assert point.latency_s is not None  # it is of `Series.timed`
    return point.latency_s


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    out = io.StringIO()
    inert = ([in_spreadsheet(one) if isinstance(one, str) else one for one in row] for row in rows)
    csv.writer(out, lineterminator="\n").writerows(inert)
    return out.getvalue()
