"""Pages of a terminal: a gate, the noise of cells, a baseline. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchsuite.errors import INCONCLUSIVE
from benchsuite.format import counted, si, significant
from benchsuite.gate.baseline import Baseline, BaselineCell
from benchsuite.gate.formats.phrases import chance_words, headline, labels, labels_of, ordered, why
from benchsuite.gate.noise import GateNoise
from benchsuite.gate.result import CELL_VERDICTS, GateCell, GateResult
from benchsuite.results.machine import machine_words
from benchsuite.scenario.gate_settings import Gate

_BLIND = 0.10
"""Limit above which a gate sees little of what people do to code by accident."""


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """Lines above a table, its rows, and lines below it."""

    above: Sequence[str]
    rows: Sequence[Mapping[str, str]]
    below: Sequence[str] = ()


def measured_page(result: GateResult, file: Path, *, strict: bool) -> ConsolePage:
    """A gate of two revisions; `file` holds its result."""
    limit = [f"limit      {rule_words(result.rule)}"] if result.rule is not None else []
    above = _facts(result, limit, "on the base", "on the candidate")
    below = (
        f"{conclusion(result, strict=strict)}: {summary(result)}",
        f"result     {file}",
        f"again      {result.command}",
    )
    return ConsolePage(above, gate_rows(result), below)


def compared_page(result: GateResult, *, strict: bool) -> ConsolePage:
    """A gate against a baseline; cells with equal numbers have no row."""
    rows = [row for row in gate_rows(result) if row["verdict"] != "equal" or row["why"]]
    below = [headline(result)]
    if strict and result.strict_exit_code == INCONCLUSIVE:
        below.append(conclusion(result, strict=strict))
    return ConsolePage(_facts(result, [], "in the baseline", "now"), [] if result.refused else rows, below)


def noise_page(noise: GateNoise, file: Path) -> ConsolePage:
    """Noise of cells, and the limits that follow from it; `file` holds it."""
    below = [
        f"A limit for all cells that their noise stays below: gate: {{delta: {noise.proposed:g}}} (it is "
        f"{noise.floor:g}).",
        f"A limit for each cell: benchsuite gate {noise.scenario} --noise {file} …",
    ]
    if noise.proposed > _BLIND:
        below.append(
            "So noisy a machine hides most slowdowns: stop what else runs on it, take longer cells, or more "
            f"pairs (--set gate.pairs={2 * noise.pairs})."
        )
    above = [f"machine    {noise.machine}"]
    above += [f"no time    {name}: {reason}" for name, reason in noise.unmeasured]
    return ConsolePage(above, noise_rows(noise), [*below, f"noise      {file}"])


def baseline_page(baseline: Baseline) -> ConsolePage:
    """A baseline, with a row a cell."""
    timed = any(cell.log_medians for cell in baseline.cells)
    names = labels_of({cell.id: cell.cell for cell in baseline.cells})
    return ConsolePage(
        [*_baseline_lines(baseline), f"cells     {len(baseline.cells)}"],
        [_baseline_row(cell, names[cell.id], timed=timed) for cell in baseline.cells],
    )


def gate_rows(result: GateResult) -> list[dict[str, str]]:
    """The table: regressions, improvements, then the others; with MACs where no cell has a time."""
    names = labels(result)
    timed = any(cell.base_s is not None or cell.candidate_s is not None for cell in result.cells)
    by_macs = not timed and any("macs" in cell.counts for cell in result.cells)
    row = _counts_row if by_macs else _gate_row
    return [row(cell, names[cell.id]) for cell in ordered(result)]


def _counts_row(cell: GateCell, name: str) -> dict[str, str]:
    now = cell.counts.get("macs")
    before = None if cell.base is None else next((c.old for c in cell.changes if c.metric == "macs"), now)
    return {
        "verdict": cell.verdict,
        "cell": name,
        "MACs before": "–" if before is None else f"{before:,}",
        "MACs now": "–" if now is None else f"{now:,}",
        "change": _percent(now / before) if before and now is not None and now != before else "–",
        "why": why(cell),
    }


def _gate_row(cell: GateCell, name: str) -> dict[str, str]:
    decision = cell.decision
    change = "–"
    if decision is not None and not math.isnan(decision.ratio):
        change = _percent(decision.ratio)
        if not math.isnan(decision.lo):
            change += f" [{100 * (decision.lo - 1):+.1f}, {100 * (decision.hi - 1):+.1f}]"
    return {
        "verdict": cell.verdict,
        "cell": name,
        "base": "–" if cell.base_s is None else si(cell.base_s, "s"),
        "candidate": "–" if cell.candidate_s is None else si(cell.candidate_s, "s"),
        "change": change,
        "why": why(cell),
    }


def rule_words(rule: Gate) -> str:
    """The rule in a line."""
    sure = f"{100 * rule.confidence:g} % intervals"
    whom = f"{rule.pairs} fresh pairs of processes" if rule.screen else f"{rule.pairs} pairs of processes"
    return f"±{100 * rule.delta:.3g} %, by {sure} of {whom}"


def summary(result: GateResult) -> str:
    """The sentence that says it all: "1 slower, 9 not flagged of 10 cells; …"."""
    counts = [(verdict, len(result.of(verdict))) for verdict in CELL_VERDICTS]
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    text = f"{verdicts} of {counted(len(result.cells), 'cell')}, in {result.seconds:.0f} s"
    if not result.tested:
        return text
    tested = "1 was" if result.tested == 1 else f"{result.tested} were"
    return f"{text}; {tested} tested with fresh pairs. {chance_words(result)}"


def conclusion(result: GateResult, *, strict: bool) -> str:
    """What the exit code means, in words."""
    code = result.strict_exit_code if strict else result.exit_code
    return {
        0: "no regression",
        1: "regression",
        3: "cells could not be compared, and nothing worse was found",
        4: f"not comparable: {result.refused or 'cells are no longer counted'}",
        5: "no regression found, but some cells are inconclusive (--strict)",
    }[code]


def noise_rows(noise: GateNoise) -> list[dict[str, str]]:
    """The table of `benchsuite noise`, the noisiest first."""
    return [
        {
            "cell": cell.name,
            "pair by pair": f"±{significant(100 * cell.spread, 2)} %",
            f"noise of {noise.pairs} pairs": f"{significant(100 * cell.noise, 2)} %",
            "limit": f"{significant(100 * max(noise.floor, cell.noise), 2)} %",
        }
        for cell in sorted(noise.cells, key=lambda one: -one.noise)
    ]


def _facts(result: GateResult, limit: Sequence[str], old: str, new: str) -> list[str]:
    """What was compared, how the machines differ, and notes; `old` and `new` say where a property is so."""
    return [
        f"base       {result.base}",
        f"candidate  {result.candidate}",
        f"machine    {result.machine}",
        *limit,
        *(
            f"{one.level:<9}  {one.label}: {one.old} {old}, {one.new} {new}; {one.why}"
            for one in result.differences
        ),
        *(f"note       {note}" for note in result.notes),
    ]


def _baseline_lines(baseline: Baseline) -> list[str]:
    if baseline.kind == "exact":
        return [f'baseline  exact numbers of {", ".join(baseline.sources)}, counted on "meta"']
    noise = "unknown" if baseline.noise is None else f"{100 * baseline.noise:.3g} %, from the self-test"
    return [
        f"baseline  a run of {baseline.name}",
        f"machine   {machine_words(baseline.machine)}",
        f"noise     {noise}",
    ]


def _baseline_row(cell: BaselineCell, name: str, *, timed: bool) -> dict[str, str]:
    macs, params = cell.numbers.get("macs"), cell.numbers.get("params")
    lower = any(name.startswith("uncounted.") for name in cell.numbers)
    row = {
        "cell": name,
        "status": cell.outcome,
        "MACs": "–" if macs is None else f"{'≥ ' if lower else ''}{macs:,}",
        "params": "–" if params is None else f"{params:,}",
    }
    if timed:
        logs = cell.log_medians
        row["latency"] = si(math.exp(statistics.fmean(logs)), "s") if logs else "–"
        row["processes"] = str(len(logs))
        row["noise"] = "–" if cell.noise is None else f"{100 * cell.noise:.2g} %"
    return row


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f} %"
