"""Numbers for services that keep a series, and CSV."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from benchsuite.errors import FAILED, FINE, REGRESSION
from benchsuite.gate.decide import CellDecision
from benchsuite.gate.formats.phrases import headline
from benchsuite.gate.formats.series import to_bencher, to_csv, to_github_action_benchmark
from benchsuite.gate.result import CELL_VERDICTS
from tests.gates import EVERY, make_gate, make_gate_cell

TIMED = 4  # verdicts of EVERY that come with times


def test_a_series_has_the_seconds_of_the_candidate_and_half_its_interval() -> None:
    (row,) = json.loads(to_github_action_benchmark(make_gate("slower")))
    assert (row["unit"], row["value"]) == ("s", pytest.approx(0.012))
    assert row["range"] == "± 0.001"  # 0.012 · 0.2 / 1.2 / 2


def test_bencher_gets_nanoseconds_with_both_ends() -> None:
    ((name, metrics),) = json.loads(to_bencher(make_gate("slower"))).items()
    assert name.startswith("cell-slower-64")
    assert metrics["latency"] == pytest.approx({"value": 12e6, "lower_value": 11e6, "upper_value": 13e6})


def test_a_cell_without_a_time_is_absent_and_one_without_an_interval_has_no_ends() -> None:
    assert len(json.loads(to_github_action_benchmark(EVERY))) == TIMED
    assert len(json.loads(to_bencher(EVERY))) == TIMED
    screened = make_gate_cell(
        "not flagged", base_s=0.01, candidate_s=0.01, decision=CellDecision("not flagged", 0.02, 1.0, pairs=3)
    )
    result = make_gate(cells=(screened,))
    assert "range" not in json.loads(to_github_action_benchmark(result))[0]
    assert list(json.loads(to_bencher(result)).values()) == [{"latency": {"value": 1e7}}]
    assert json.loads(to_bencher(make_gate(refused="another CPU"))) == {}


def test_a_gate_that_times_nothing_has_its_counts_in_both_series() -> None:
    cells = make_gate_cell("smaller", counts={"macs": 0, "params": 7}), make_gate_cell("broken")
    result = make_gate(cells=cells, rule=None)
    rows = json.loads(to_github_action_benchmark(result))
    assert [(row["name"], row["value"], row["unit"]) for row in rows] == [
        (f"{cells[0].id}: macs", 0, "MACs"),
        (f"{cells[0].id}: params", 7, "parameters"),
    ]
    assert json.loads(to_bencher(result)) == {cells[0].id: {"macs": {"value": 0}, "params": {"value": 7}}}
    timed = make_gate(cells=cells)
    assert json.loads(to_github_action_benchmark(timed)) == []


def test_a_line_that_is_no_record_keeps_a_gate_from_passing_and_is_named() -> None:
    result = make_gate("same", unread=("r/records.jsonl:3: skipped: its timing has no samples",))
    assert result.exit_code == FAILED
    assert headline(result).endswith("no records: 1; r/records.jsonl:3: skipped: its timing has no samples")
    assert make_gate("slower", unread=result.unread).exit_code == REGRESSION
    assert make_gate("same").exit_code == FINE


def test_a_csv_has_a_row_a_cell_in_full_precision_and_nothing_for_what_is_not_known() -> None:
    found = list(csv.DictReader(io.StringIO(to_csv(EVERY))))
    assert [row["verdict"] for row in found] == list(CELL_VERDICTS)
    assert float(found[0]["candidate_s"]) == 0.012
    assert found[1]["changes"] == "macs 1,000 → 1,200 (+20 %)"
    assert found[1]["ratio"] == found[1]["base_s"] == ""
    nan = make_gate_cell("not flagged", decision=CellDecision("not flagged", 0.02, 1.0, lo=math.nan))
    (row,) = csv.DictReader(io.StringIO(to_csv(make_gate(cells=(nan,)))))
    assert row["ratio_lo"] == ""


def test_a_csv_computes_nothing_in_a_spreadsheet_and_says_a_refusal() -> None:
    hostile = make_gate_cell("failed", id='=HYPERLINK("x"),|\n<script>')
    (row,) = csv.DictReader(io.StringIO(to_csv(make_gate(cells=(hostile,)))))
    assert row["cell"] == '\'=HYPERLINK("x"),| <script>'
    (row,) = csv.DictReader(io.StringIO(to_csv(make_gate(refused="another CPU"))))
    assert (row["verdict"], row["reason"]) == ("not comparable", "another CPU")
