"""What a gate says in a terminal: a row for each cell, the worst first, and a few sentences. Pure."""

from __future__ import annotations

import math

from benchsuite.findings.exact import Change
from benchsuite.format import byte_size, si
from benchsuite.gate.formats.wording import labels, ordered
from benchsuite.gate.noise import Noise
from benchsuite.gate.result import CELL_VERDICTS, GateCell, GateResult
from benchsuite.scenario.gate_settings import Gate

_MOST_CHANGES = 4
"""Exact numbers named in a row; the file has all."""


def rows(result: GateResult) -> list[dict[str, str]]:
    """The table: regressions, improvements, then the others."""
    names = labels(result)
    limits = {cell.decision.delta for cell in result.cells if cell.decision}
    return [_row(cell, names[cell.id], limit=len(limits) > 1) for cell in ordered(result.cells)]


def _row(cell: GateCell, name: str, *, limit: bool) -> dict[str, str]:
    """Args: limit: with the cell's own limit, since not all have the same."""
    decision = cell.decision
    change, own = "–", "–"
    if decision is not None and not math.isnan(decision.ratio):
        change, own = _percent(decision.ratio), f"±{100 * decision.delta:.2g} %"
        if not math.isnan(decision.lo):
            change += f" [{100 * (decision.lo - 1):+.1f}, {100 * (decision.hi - 1):+.1f}]"
    return {
        "verdict": cell.verdict,
        "cell": name,
        "base": "–" if cell.base_s is None else si(cell.base_s, "s"),
        "candidate": "–" if cell.candidate_s is None else si(cell.candidate_s, "s"),
        "change": change,
        **({"limit": own} if limit else {}),
        "why": "; ".join(filter(None, [cell.reason, _changes(cell)])),
    }


def _changes(cell: GateCell) -> str:
    """The exact numbers that changed, those that nobody has accepted first."""
    ordered = sorted(cell.changes, key=lambda change: change in cell.accepted)
    told = [change_words(one) + (" (accepted)" if one in cell.accepted else "") for one in ordered]
    more = len(told) - _MOST_CHANGES
    return ", ".join([*told[:_MOST_CHANGES], *([f"{more} more numbers"] if more > 0 else [])])


def change_words(change: Change) -> str:
    """ "macs 1000 → 1200 (+20 %)"."""
    show = byte_size if change.metric.endswith("_bytes") else lambda number: f"{number:,}".replace(",", " ")
    share = f" ({_percent(change.new / change.old)})" if change.old else ""
    return f"{change.metric} {show(change.old)} → {show(change.new)}{share}"


def rule_words(rule: Gate) -> str:
    """The rule in a line."""
    sure = f"{100 * rule.confidence:g} % intervals"
    whom = f"{rule.pairs} fresh pairs of processes" if rule.screen else f"{rule.pairs} pairs of processes"
    return f"±{100 * rule.delta:.3g} %, by {sure} of {whom}"


def summary(result: GateResult) -> str:
    """The sentence that says it all: "1 slower, 9 not flagged of 10 cells; …"."""
    counts = [(verdict, len(result.of(verdict))) for verdict in CELL_VERDICTS]
    found = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    cells = "1 cell" if len(result.cells) == 1 else f"{len(result.cells)} cells"
    text = f"{found} of {cells}, in {result.seconds:.0f} s"
    if not result.tested:
        return text
    tested = "1 was" if result.tested == 1 else f"{result.tested} were"
    return (
        f"{text}; {tested} tested with fresh pairs, of which chance alone would flag {result.by_chance:.2g}"
    )


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


def noise_rows(noise: Noise) -> list[dict[str, str]]:
    """The table of `benchsuite noise`, the noisiest first."""
    return [
        {
            "cell": cell.name,
            "pair by pair": f"±{100 * cell.spread:.2g} %",
            f"noise of {noise.pairs} pairs": f"{100 * cell.noise:.2g} %",
            "limit": f"{100 * max(noise.floor, cell.noise):.2g} %",
        }
        for cell in sorted(noise.cells, key=lambda one: -one.noise)
    ]


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f} %"
