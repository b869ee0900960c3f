"""Verdicts against a stored baseline, worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchsuite.gate.accept import parse_accepted
from benchsuite.gate.against_baseline import judge_cells
from benchsuite.gate.baseline import Baseline, BaselineCell, cell_of
from benchsuite.gate.result import GateCell
from benchsuite.scenario.gate_settings import Gate
from tests.builders import make_cell, make_record

RULE = Gate(delta=0.02)
CALM = (-0.001, 0.0, 0.001)


def cell(name: str = "MSA", *logs: float, **changes: object) -> BaselineCell:
    made = make_cell(name=name)
    fields = {"id": made.id, "cell": made, "log_medians": logs, "numbers": {"macs": 1000}}
    return BaselineCell(**(fields | changes))  # type: ignore[arg-type]


def shifted(by: float, logs: tuple[float, ...] = CALM) -> tuple[float, ...]:
    return tuple(log + math.log1p(by) for log in logs)


def verdicts(old: list[BaselineCell], new: list[BaselineCell], **options: object) -> dict[str, str]:
    baseline = Baseline(kind="run", name="tiny", cells=tuple(old), rule=options.pop("rule", RULE))  # type: ignore[arg-type]
    found = judge_cells(baseline, new, **options)  # type: ignore[arg-type]
    return {one.cell.name: one.verdict for one in found}


def by_counts(old: list[BaselineCell], new: list[BaselineCell]) -> tuple[GateCell, ...]:
    return judge_cells(Baseline(kind="exact", name="tiny", cells=tuple(old)), new)


def test_cells_of_one_side_and_statuses_are_told_apart() -> None:
    oom = {"status": "oom", "numbers": {}, "reason": "no memory"}
    old = [
        cell("both", *CALM),
        cell("gone"),
        cell("breaks", *CALM),
        cell("never", **oom),
        cell("works", **oom),
    ]
    new = [
        cell("both", *CALM),
        cell("new"),
        cell("new, and fails", **oom),
        cell("breaks", **oom),
        cell("never", **oom),
        cell("works", *CALM),
    ]
    assert verdicts(old, new) == {
        "both": "same",
        "gone": "removed",
        "new": "new",
        "new, and fails": "failed",
        "breaks": "broken",
        "never": "neither measured",
        "works": "failed",
    }


def test_a_number_that_grew_counts_beside_times_and_one_that_shrank_only_where_any_does() -> None:
    old, more = [cell("a", *CALM)], [cell("a", *CALM, numbers={"macs": 1001})]
    assert verdicts(old, more) == {"a": "larger"}
    assert verdicts(old, more, accepted=parse_accepted(["macs"])) == {"a": "same"}
    assert verdicts(more, old) == {"a": "same"}
    assert verdicts(more, old, rule=Gate(exact="any")) == {"a": "smaller"}
    assert [one.verdict for one in by_counts(more, old)] == ["smaller"]
    both = [cell("a", numbers={"macs": 999, "params": 2})], [cell("a", numbers={"macs": 1000, "params": 1})]
    assert [one.verdict for one in by_counts(*both)] == ["larger"]
    assert verdicts(old, [replace(more[0], log_medians=shifted(0.5))]) == {"a": "slower"}


def test_a_new_cell_has_its_time_and_counts() -> None:
    (found,) = judge_cells(Baseline(kind="run", name="tiny", cells=()), [cell("a", math.log(0.5))])
    assert (found.verdict, found.base_s, found.candidate_s) == ("new", None, pytest.approx(0.5))
    assert found.counts == {"macs": 1000}


def test_a_cell_that_was_timed_once_and_is_not_any_more_does_not_pass_on_its_counts() -> None:
    assert verdicts([cell("a", *CALM)], [cell("a")]) == {"a": "failed"}
    assert verdicts([cell("a")], [cell("a", *CALM)]) == {"a": "equal"}
    assert verdicts([cell("a", *CALM)], [cell("a", numbers={"macs": 1001})]) == {"a": "larger"}


def test_the_noise_of_a_single_cell_counts_instead_of_that_of_the_machine() -> None:
    old, new = [cell("a", 0.0)], [cell("a", math.log(1.5))]
    assert verdicts(old, new) == {"a": "inconclusive"}
    assert verdicts(old, new, own_noise={old[0].id: 0.01}) == {"a": "slower"}


def test_many_cells_are_corrected_for() -> None:
    # three unchanged processes a side with little spread; one cell's p-value is near 1 %, of hundred cells
    quiet = [cell(f"c{i}", *CALM) for i in range(99)]
    edge = cell("edge", *shifted(0.0295))
    alone = verdicts([cell("edge", *CALM)], [edge])
    many = verdicts([*quiet, cell("edge", *CALM)], [*quiet, edge])
    assert alone["edge"] == "slower"
    assert many["edge"] == "inconclusive"
    larger = replace(edge, numbers={"macs": 1001})  # a count needs no statistics
    assert verdicts([*quiet, cell("edge", *CALM)], [*quiet, larger])["edge"] == "larger"


GONE = 'm:C cannot be loaded: module m has no class "C"'


@pytest.mark.parametrize(
    ("old", "new", "verdict", "reason"),
    [
        ({}, {"numbers": {}, "reason": "no"}, "no longer counted", "not counted: no"),
        (
            {"numbers": {}, "reason": "so"},
            {"numbers": {}, "reason": "no"},
            "not counted",
            "on both sides: no",
        ),
        ({"numbers": {}, "reason": "so"}, {}, "failed", "in the baseline not counted: so; now ok"),
        ({}, {"numbers": {}, "status": "error", "reason": "no"}, "broken", "error: no"),
        (
            {},
            {"numbers": {}, "status": "error", "reason": GONE},
            "removed",
            f"error: {GONE}",
        ),
        ({"numbers": {}, "reason": "a"}, {"status": "error", "reason": "b"}, "broken", "error: b"),
        (
            {"numbers": {}, "status": "error", "reason": GONE},
            {"numbers": {}, "status": "error", "reason": GONE},
            "neither measured",
            f"error on both sides: {GONE}",
        ),
        ({}, {}, "equal", ""),
    ],
)
def test_a_cell_that_cannot_be_counted_is_compared_by_what_the_baseline_has(
    old: dict[str, object], new: dict[str, object], verdict: str, reason: str
) -> None:
    (found,) = by_counts([cell(**old)], [cell(**new)])
    assert (found.verdict, found.reason) == (verdict, reason)


def test_a_missing_count_is_no_matter_where_times_are_compared() -> None:
    record = make_record(cost=None, not_counted="no")
    assert cell_of([record]).outcome == "ok"
    assert cell_of([replace(record, timing=None)]).outcome == "not counted"
