"""Claims and the gate are decided by the same code."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchsuite.findings import claims
from benchsuite.gate import decide
from benchsuite.results.metrics import measured_cells
from benchsuite.scenario.claim_model import Claim
from benchsuite.scenario.gate_settings import Gate
from benchsuite.stats import evidence
from tests.builders import make_cell, make_record

RULE = Gate(delta=1e-9, confidence=0.95, screen=0)
"""A limit is a margin for the interval, the noise of a claim a floor for the ratio; here neither matters."""
SLOWER = Claim(
    id="c", says="New is slower.", source="a test", metric="latency_s", subject="new", against="old",
    expect="higher",  # type: ignore[arg-type]
)  # fmt: skip


def claimed(logs: list[float]) -> claims.Outcome:
    """The verdict on a claim that new is slower than old."""
    rounds = [1] * len(logs)
    new = make_record(make_cell(name="new"), samples=[math.exp(log) for log in logs], rounds=rounds)
    old = make_record(make_cell(name="old"), samples=[1.0] * len(logs), rounds=rounds)
    (found,) = claims.judge([SLOWER], measured_cells([new, old]))
    return found.outcomes[0]


def test_rounds_and_pairs_with_the_same_ratios_get_the_same_verdict() -> None:
    words = {"slower": "holds", "faster": "does not hold", "inconclusive": "undecided"}
    rng, seen = np.random.default_rng(3), set()
    for _ in range(60):
        logs = (rng.normal(0, 0.04) + 0.01 * rng.standard_normal(5)).tolist()
        one, other = claimed(logs), decide.decide(decide.Evidence(fresh=tuple(logs)), RULE)
        assert words[other.verdict] == one.verdict
        assert (one.ratio, one.lo, one.hi) == pytest.approx((other.ratio, other.lo, other.hi))
        seen.add(other.verdict)
    assert seen == set(words)


def test_what_the_one_rule_says_both_say(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = [0.1, 0.11, 0.09, 0.1, 0.1]
    assert (claimed(logs).verdict, decide.decide(decide.Evidence(fresh=tuple(logs)), RULE).verdict) == (
        "holds",
        "slower",
    )

    def contrary(*_: object) -> evidence.Decision:
        return evidence.Decision("below", 0.5, 0.4, 0.6, 0.0)

    monkeypatch.setattr(evidence, "_alone", contrary)
    assert (claimed(logs).verdict, decide.decide(decide.Evidence(fresh=tuple(logs)), RULE).verdict) == (
        "does not hold",
        "faster",
    )
