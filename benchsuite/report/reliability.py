"""Reliability of the numbers of a run, in words: rounds, precision, the noise floor of the machine, flags."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from benchsuite.findings.flags import FLAGS
from benchsuite.format import counted, percentage, si, some, tiny
from benchsuite.labels import equations
from benchsuite.report.answer import deciding, failures, main_group
from benchsuite.report.cells import Cells
from benchsuite.report.reported_cells import ReportedCell, names_of
from benchsuite.results.machine import drift_of, noise_of
from benchsuite.results.record import Record


def summed_up(cells: Cells, machines: Sequence[Mapping[str, Any]], headline: str = "") -> list[str]:
    """The line beside the answer: clean cells, how far rounds agree, the noise of the machine, what failed.

    Args:
        machines: the environments that the records are from.
        headline: that of the answer; the cells that it names come first.
    """
    timed = [cell for cell in cells.reported if cell.rounds_s]
    if not timed:
        return []
    counts = sorted({len(cell.rounds_s) for cell in timed})
    rounds = " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1]))))
    halves = [(p.latency.hi - p.latency.lo) / 2 / p.latency.value for p in timed if p.latency.bounded]
    agree = (
        f": 95 % interval ±{percentage(median(halves))} in the median, ±{percentage(max(halves))} in the "
        "worst cell"
        if halves
        else ""
    )
    noise = max((noise_of(machine) for machine in machines), default=0.0)
    floor = percentage(noise) if noise else "unknown (benchsuite selftest finds it)"
    flagged = [cell for cell in timed if cell.flags]
    deciders = {cell.id for cell in deciding(main_group(cells), cells.order, cells.named_reference)}
    leaning = names_of(cell for cell in flagged if cell.id in deciders)
    inline = any(one.get("executor") == "inline" for one in machines)
    where = (
        f"{'round' if counts == [1] else 'rounds'} in the caller's own process"
        if inline
        else (f"fresh {'process' if counts == [1] else 'processes'}")
    )
    mostly = 2 * len(halves) > len(timed)  # else the figure beside it has hardly a bar
    paired = " Speeds are compared round by round, so bars may overlap where they differ." if mostly else ""
    texts = (
        f"Each cell was timed in {rounds} {where}{agree}; noise floor of the machine {floor}.{paired}",
        _warned(timed, flagged, leaning, headline),
        failures(cells.reported),
    )
    return [text for text in texts if text]


def _warned(
    timed: Sequence[ReportedCell], flagged: Sequence[ReportedCell], leaning: Sequence[str], headline: str
) -> str:
    """Sentence on the cells with warnings, and on those of them that the answer rests on.

    Up to two are named, those of the headline where it has any.
    """
    if not flagged:
        return "No cell has a warning."
    first = [name for name in leaning if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", headline)]
    names = dict.fromkeys(equations(name) for name in (*first, *leaning))
    among = some(list(names), min(len(first), 2) or 2)
    among = f", {among} among them, on which the answer rests" if leaning else ""
    has = "has" if len(flagged) == 1 else "have"
    return (
        f"{len(flagged)} of {counted(len(timed), 'cell')} {has} a warning (“!”, explained under "
        f"Method){among}."
    )


def of_machine(environment: Mapping[str, Any]) -> str:
    """Findings of the self-test of a machine, and whether intervals hold what differs between its runs."""
    selftest = environment.get("selftest")
    if not isinstance(selftest, Mapping):
        return (
            "No self-test of this machine is known, so its noise floor and its drift between runs are "
            "unknown: intervals hold only what varies within the run."
        )
    day, age = str(selftest.get("date") or "")[:10], selftest.get("age_days")
    when = f"Self-test of {day}" if day else "Self-test"
    when += f", {_days(age)} before the run" if isinstance(age, int | float) else ""
    parts = [] if selftest.get("passed", True) else ["did not pass"]
    noise, drift = noise_of(environment), drift_of(environment)
    parts.append(f"noise floor {percentage(noise)} within a run" if noise else "noise floor unknown")
    parts.append(
        "drift between runs unknown, so intervals hold only what varies within the run"
        if math.isnan(drift)
        else f"drift between runs {percentage(drift)}, which the 95 % intervals of latencies include"
    )
    return f"{when}: {'; '.join(parts)}."


def comparison(records: Sequence[Record]) -> str:
    """Result of comparing outputs with a reference; empty where none was compared."""
    checks = [(record, record.check) for record in records if record.check is not None]
    compared = [(record, check) for record, check in checks if check.error is not None]
    text = ""
    if compared:
        worst, check = max(compared, key=lambda pair: (pair[1].error or 0.0) / pair[1].tolerance)
        text = (
            f"{counted(len(compared), 'cell')} computed the same as {check.reference} on the same weights "
            f"and input before being timed; the nearest to its limit was {worst.cell.name} with "
            f"{worst.cell.kernel} {worst.cell.dtype}: {tiny(check.error or 0.0)} of the norm, of "
            f"{tiny(check.tolerance)} allowed."
        )
    without = dict.fromkeys(check.reason for _, check in checks if check.error is None)
    count = len(checks) - len(compared)
    if count:
        text += f" {counted(count, 'cell')} could not be compared: {some(list(without))}."
    return text.strip()


def compilation(records: Sequence[Record]) -> str:
    """Times and graph breaks of torch.compile; empty where nothing was compiled."""
    compiled = [record.compilation for record in records if record.compilation is not None]
    if not compiled:
        return ""
    seconds = [one.seconds for one in compiled]
    return (
        f"{counted(len(compiled), 'cell')} compiled in {si(min(seconds), 's')} to {si(max(seconds), 's')}, "
        "outside the timed region, with "
        f"{counted(sum(one.graph_breaks for one in compiled), 'graph break')} and "
        f"{counted(sum(one.recompiles for one in compiled), 'recompilation')} in all."
    )


def flagged(records: Sequence[Record]) -> Iterator[str]:
    """A sentence for every flag that some cell has, in the order of `FLAGS`."""
    for word, meaning in FLAGS.items():
        names = [record.cell.name for record in records if word in record.flags]
        if names:
            who = some(list(dict.fromkeys(names)))
            yield f"{word.replace('_', ' ')} ({counted(len(names), 'cell')}: {who}). {meaning}"


def _days(age: float) -> str:
    """An age in words: "less than a day", "2 days"."""
    return "less than a day" if age < 1 else counted(round(age), "day")
