"""Pages of a gate in a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchsuite.findings.count_changes import Change
from benchsuite.gate.decide import CellDecision
from benchsuite.gate.formats.console import conclusion, gate_rows, noise_rows, rule_words, summary
from benchsuite.gate.noise import CellNoise, GateNoise
from benchsuite.gate.result import CellVerdict, GateCell, GateResult
from benchsuite.labels import cell_names
from benchsuite.results.cell import Cell
from benchsuite.scenario.gate_settings import Gate
from tests.builders import make_cell


def a_cell(name: str, verdict: CellVerdict, ratio: float | None = None, **changes: Any) -> GateCell:
    cell = make_cell(name=name)
    decision = (
        None if ratio is None else CellDecision("slower", 0.02, ratio, ratio - 0.05, ratio + 0.05, 0.1, 9)
    )
    fields: dict[str, Any] = {"base": "ok", "candidate": "ok", "decision": decision}
    return GateCell(id=cell.id, cell=cell, verdict=verdict, **(fields | changes))


def a_result(*cells: GateCell, **changes: Any) -> GateResult:
    return GateResult(scenario="s", base="a", candidate="b", machine="m", cells=cells, **changes)


def test_the_worst_comes_first_and_among_equals_the_slowest() -> None:
    result = a_result(
        a_cell("A", "same", 1.0),
        a_cell("B", "slower", 1.1),
        a_cell("C", "slower", 1.3),
        a_cell("D", "broken"),
    )
    assert [row["cell"] for row in gate_rows(result)] == ["C", "B", "D", "A"]


def test_a_row_says_times_change_interval_and_why() -> None:
    cell = a_cell("A", "slower", 1.1, base_s=0.010, candidate_s=0.011, pairs_s=((0.01, 0.011),) * 12)
    assert gate_rows(a_result(cell)) == [
        {
            "verdict": "slower",
            "cell": "A",
            "base": "10 ms",
            "candidate": "11 ms",
            "change": "+10.0 % [+5.0, +15.0]",
            "why": "limit 2 %",
        }
    ]


def test_a_new_cell_shows_its_time_and_macs() -> None:
    cell = a_cell("A", "new", base=None, candidate_s=0.011, counts={"macs": 1200, "params": 3})
    (row,) = gate_rows(a_result(cell))
    assert (row["base"], row["candidate"], row["why"]) == ("–", "11 ms", "1,200 MACs")


def test_a_gate_that_times_nothing_shows_macs_in_place_of_times() -> None:
    fell = a_cell("A", "smaller", counts={"macs": 900})
    fell = replace(fell, changes=(Change(fell.cell, "macs", 1000, 900),))
    rows = gate_rows(
        a_result(fell, a_cell("B", "new", base=None, counts={"macs": 5}), a_cell("C", "removed"))
    )
    assert {row["cell"]: (row["MACs before"], row["MACs now"], row["change"]) for row in rows} == {
        "A": ("1,000", "900", "-10.0 %"),
        "B": ("–", "5", "–"),
        "C": ("–", "–", "–"),
    }


def test_the_rule_is_said_in_a_line() -> None:
    assert rule_words(Gate(delta=0.025)) == "±2.5 %, by 99 % intervals of 9 fresh pairs of processes"
    assert rule_words(Gate(screen=0, pairs=5)) == "±2 %, by 99 % intervals of 5 pairs of processes"


def test_a_number_that_is_not_there_is_a_dash() -> None:
    (row,) = gate_rows(a_result(a_cell("A", "broken", reason="oom: no room", candidate="oom")))
    assert (row["base"], row["candidate"], row["change"]) == ("–", "–", "–")
    assert row["why"] == "oom: no room"


def test_changes_of_exact_numbers_are_named_those_that_are_accepted_last_and_not_too_many() -> None:
    cell = make_cell(name="A")
    changes = tuple(Change(cell, f"other_ops.{key}", 0, 1) for key in "wxyz")
    macs = Change(cell, "macs", 1000, 1200)
    (row,) = gate_rows(a_result(a_cell("A", "larger", changes=(macs, *changes), accepted=(macs,))))
    assert row["why"] == (
        "other_ops.w 0 → 1; other_ops.x 0 → 1; other_ops.y 0 → 1; 1 more; "
        "accepted: macs 1,000 → 1,200 (+20 %)"
    )


def test_the_summary_counts_verdicts_and_says_what_chance_would_flag() -> None:
    screened = CellDecision("not flagged", 0.02, 1.0)
    calm = [a_cell(name, "not flagged", decision=screened) for name in "BC"]
    result = a_result(a_cell("A", "slower", 1.1), *calm, rule=Gate(), seconds=61.4)
    assert summary(result) == (
        "1 slower, 2 not flagged of 3 cells, in 61 s; 1 was tested with fresh pairs. At most 0.5 % of "
        "such decisions wrongly call an unchanged cell slower."
    )
    assert summary(a_result(calm[0], seconds=3.0)) == "1 not flagged of 1 cell, in 3 s"


@pytest.mark.parametrize(
    ("cells", "strict", "said"),
    [
        ([a_cell("A", "same")], False, "no regression"),
        ([a_cell("A", "broken")], False, "regression"),
        ([a_cell("A", "removed")], False, "regression"),
        ([a_cell("A", "failed")], False, "cells could not be compared"),
        ([a_cell("A", "inconclusive")], False, "no regression"),
        ([a_cell("A", "inconclusive")], True, "some cells are inconclusive (--strict)"),
    ],
)
def test_the_exit_code_is_said_in_words(cells: list[GateCell], strict: bool, said: str) -> None:
    assert said in conclusion(a_result(*cells), strict=strict)


def test_a_gate_that_was_refused_says_why() -> None:
    assert conclusion(a_result(refused="other CPU"), strict=False) == "not comparable: other CPU"


def test_cells_are_named_by_what_tells_them_apart() -> None:
    cells: list[Cell] = [
        make_cell(),
        make_cell(resolution=(64, 128)),
        make_cell(kernel="sdpa"),
        make_cell(batch=4),
    ]
    assert list(cell_names(cells).values()) == [
        "MSA, batch 2, 64 px, math",
        "MSA, batch 2, 64×128 px, math",
        "MSA, batch 2, 64 px, sdpa",
        "MSA, batch 4, 64 px, math",
    ]
    assert list(cell_names(cells[:1]).values()) == ["MSA"]


def test_the_noisiest_cell_comes_first_and_no_limit_is_below_the_floor() -> None:
    cells = (
        CellNoise(id="a", name="Calm", noise=0.004, spread=0.005, log_ratios=()),
        CellNoise(id="c", name="Wild", noise=1.126, spread=1.2, log_ratios=()),
        CellNoise(id="b", name="Noisy", noise=0.09, spread=0.1, log_ratios=()),
    )
    noise = GateNoise(scenario="s", machine="m", environment={}, pairs=9, floor=0.02, cells=cells)
    assert [tuple(row.values()) for row in noise_rows(noise)] == [
        ("Wild", "±120 %", "113 %", "113 %"),
        ("Noisy", "±10 %", "9 %", "9 %"),
        ("Calm", "±0.5 %", "0.4 %", "2 %"),
    ]
