"""The gate of a scenario: its defaults, its mistakes, and runs from before there was one."""

from __future__ import annotations

import pytest

from benchsuite.scenario.gate_settings import Gate
from benchsuite.scenario.model import Scenario

from .documents import read, told

SWEEP = "sweep: {mixer: msa}\n"


def test_defaults_are_the_rule_that_was_simulated() -> None:
    rule = Gate(delta=0.02, confidence=0.99, screen=3, pairs=9, false_discovery=0.05)
    assert read(SWEEP).gate == Gate() == rule


def test_a_scenario_says_its_own_rule() -> None:
    scenario = read(f"{SWEEP}gate: {{delta: 0.05, pairs: 5, screen: 0}}")
    assert scenario.gate == Gate(delta=0.05, pairs=5, screen=0)
    assert Scenario.from_dict(scenario.to_dict()).gate == scenario.gate


def test_a_stored_scenario_without_a_gate_has_the_usual_one() -> None:
    stored = read(SWEEP).to_dict()
    del stored["gate"]
    assert Scenario.from_dict(stored).gate == Gate()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{delta: 2}", "delta must be a share between 0 and 1, got 2"),
        ("{confidence: 1}", "confidence must be a share between 0 and 1, got 1"),
        ("{pairs: 1}", "pairs must be a whole number, 2 or more, got 1"),
        ("{screen: -1}", "screen must be a whole number, 0 or more, got -1"),
        ("{dleta: 0.02}", 'unknown key "dleta"; did you mean "delta"?'),
        ("0.02", "gate must be a mapping, got 0.02"),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    (problem,) = told(f"{SWEEP}gate: {text}")
    assert message in problem
