"""A gate's result survives its file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchsuite.findings.count_changes import Change
from benchsuite.findings.fingerprint import Finding
from benchsuite.gate.decide import CellDecision
from benchsuite.gate.result import (
    RESULT,
    STORED,
    CellVerdict,
    GateCell,
    GateResult,
    dump,
    load,
    read,
    write,
)
from benchsuite.scenario.gate_settings import Gate
from tests.builders import make_cell

CELL = make_cell()
CHANGE = Change(CELL, "macs", 1000, 1200)


def a_result(**changes: object) -> GateResult:
    cell = GateCell(
        id=CELL.id,
        cell=CELL,
        verdict="slower",
        base="ok",
        candidate="ok",
        base_s=0.010,
        candidate_s=0.012,
        decision=CellDecision("slower", 0.02, 1.2, 1.1, 1.3, 0.001, 9),
        changes=(CHANGE,),
        accepted=(CHANGE,),
        pairs_s=((0.010, 0.012), (0.011, 0.013)),
        screen_pairs=1,
    )
    fields = {
        "scenario": "tiny",
        "base": "main (a1b2c3d)",
        "candidate": "topic (d4e5f6a)",
        "machine": "a CPU",
        "cells": (cell,),
        "rule": Gate(pairs=5),
        "differences": (Finding("torch", "PyTorch", "warn", "2.1", None, "other kernels"),),
        "notes": ("a note",),
        "command": "benchsuite gate tiny",
        "seconds": 12.5,
    }
    return GateResult(**(fields | changes))  # type: ignore[arg-type]


def test_a_result_is_the_same_after_its_file(tmp_path: Path) -> None:
    result = a_result()
    write(result, tmp_path / RESULT)
    assert read(tmp_path) == result
    assert read(tmp_path / RESULT) == result
    assert [path.name for path in tmp_path.iterdir()] == [RESULT]


def test_chance_is_that_of_the_cells_that_an_interval_decided() -> None:
    (cell,) = a_result().cells
    screened = replace(cell, decision=CellDecision("not flagged", 0.02, 1.001, pairs=3))
    result = a_result(cells=(cell, screened))
    assert (result.tested, result.by_chance) == (1, pytest.approx(0.005))
    assert a_result(cells=(screened,)).by_chance == 0


def test_a_number_that_is_not_known_is_null_in_the_file_and_nan_here() -> None:
    cell = replace(a_result().cells[0], decision=CellDecision("not flagged", 0.02, 1.001, pairs=3))
    text = dump(a_result(cells=(cell,)))
    stored = json.loads(text)
    assert stored["version"] == STORED.version
    assert stored["cells"][0]["decision"]["lo"] is None
    decision = load(text, RESULT).cells[0].decision
    assert decision is not None
    assert math.isnan(decision.lo)
    assert math.isnan(decision.p)
    assert decision.ratio == 1.001


def test_a_gate_of_exact_numbers_alone_has_no_rule() -> None:
    assert load(dump(a_result(rule=None)), RESULT).rule is None


@pytest.mark.parametrize(
    ("verdict", "codes"),
    [("removed", {"fail": 1, "any": 1, "warn": 0}), ("new", {"fail": 0, "any": 1, "warn": 0})],
)
def test_a_cell_of_one_side_fails_as_the_policy_says(verdict: CellVerdict, codes: dict[str, int]) -> None:
    cell = GateCell(id=CELL.id, cell=CELL, verdict=verdict, base="ok", candidate="ok")
    assert {word: a_result(cells=(cell,), missing=word).exit_code for word in codes} == codes
