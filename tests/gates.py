"""Gates for tests: every verdict, and as many cells as asked for."""

from __future__ import annotations

from typing import Any

from benchsuite.findings.count_changes import Change
from benchsuite.gate.decide import CellDecision
from benchsuite.gate.result import CELL_VERDICTS, CellVerdict, GateCell, GateResult
from benchsuite.scenario.gate_settings import Gate
from tests.builders import make_cell


def make_gate_cell(verdict: CellVerdict = "same", **changes: Any) -> GateCell:
    cell = make_cell(name=f"cell {verdict}")
    fields: dict[str, Any] = {
        "id": cell.id,
        "cell": cell,
        "verdict": verdict,
        "base": "ok",
        "candidate": "ok",
    }
    if verdict in ("slower", "faster", "same", "inconclusive"):
        ratio = {"slower": 1.2, "faster": 0.8}.get(verdict, 1.0)
        fields |= {
            "base_s": 0.01,
            "candidate_s": 0.01 * ratio,
            "decision": CellDecision(verdict, 0.02, ratio, ratio - 0.1, ratio + 0.1, 0.5, 9),  # type: ignore[arg-type]
        }
    if verdict in ("larger", "smaller"):
        fields["changes"] = (Change(cell, "macs", 1000, 1200 if verdict == "larger" else 0),)
    if verdict in ("failed", "broken"):
        fields |= {"candidate": "oom", "base": "oom" if verdict == "failed" else "ok", "reason": "no memory"}
    if verdict == "removed":
        fields |= {"candidate": None, "reason": "only the base has it"}
    if verdict == "new":
        fields |= {"base": None, "reason": "only the candidate has it"}
    return GateCell(**(fields | changes))


def make_gate(*verdicts: CellVerdict, **changes: Any) -> GateResult:
    fields: dict[str, Any] = {
        "scenario": "tiny",
        "base": "main (a1b2c3d)",
        "candidate": "topic (d4e5f6a)",
        "machine": "a CPU",
        "cells": tuple(make_gate_cell(verdict) for verdict in verdicts),
        "rule": Gate(),
        "command": "benchsuite gate tiny",
    }
    return GateResult(**(fields | changes))


EVERY = make_gate(*CELL_VERDICTS)
"""A gate with each verdict once."""
