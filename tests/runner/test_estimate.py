"""What cells are expected to take, which group goes first, and how groups are bundled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchsuite.results.record import Cost, Failure
from benchsuite.results.store import RECORDS
from benchsuite.runner.estimate import (
    bundles,
    cell_cost_s,
    cell_seconds,
    estimate,
    expected_s,
    longest_first,
)
from benchsuite.runner.plan import NOT_YET
from benchsuite.runner.prepare import Request, prepare
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.worker_reply import Plan, WorkerReply
from tests.builders import make_cell, make_record
from tests.doubles.scripted_workers import Scripted, sweep

MEASURE = Measure(
    max_s=1e6,
    max_samples=10,
    min_samples=10,
    warmup_s=0,
    warmup_calls=0,
    precision=None,
    metrics=("latency",),
)


def plan(macs: int, memory_bytes: int = 0, **more: Any) -> WorkerReply[Plan]:
    return WorkerReply(value=Plan(cost=Cost(params=1, macs=macs), memory_bytes=memory_bytes), **more)


def test_a_step_takes_as_long_as_its_products_or_its_bytes() -> None:
    cell = make_cell(batch=2)
    # 15 G multiply–adds an image, two images, at 30 G a second: a second each, for 5 · 2 first steps and 10.
    assert cell_cost_s(cell, plan(15_000_000_000), MEASURE) == pytest.approx(20 + 0.5)
    assert cell_cost_s(cell, plan(1, 10_000_000_000), MEASURE) == pytest.approx(2 * 20 + 0.5)
    backward = make_cell(batch=2, mode="forward_backward")
    assert cell_cost_s(backward, plan(15_000_000_000), MEASURE) == pytest.approx(60 + 0.5)


def test_a_cell_that_cannot_be_counted_is_expected_to_take_what_an_uncounted_one_takes() -> None:
    uncounted = WorkerReply(value=Plan(cost=None, memory_bytes=None, not_counted="planted"))
    assert cell_cost_s(make_cell(), uncounted, MEASURE) == cell_cost_s(make_cell(), NOT_YET, MEASURE) > 0


def test_a_cell_that_is_not_tried_takes_no_time() -> None:
    failure = Failure(stage="build", kind="TooLarge", message="too large")
    assert cell_cost_s(make_cell(), plan(10**12, status="oom", failure=failure), MEASURE) == 0


def test_a_cell_takes_as_long_as_its_past_record_and_the_others_are_scaled_by_it() -> None:
    cells = [make_cell(batch=batch) for batch in (1, 2, 3)]
    plans = [plan(3_000_000_000)] * 3
    rough = [cell_cost_s(cell, one, MEASURE) for cell, one in zip(cells, plans, strict=True)]
    past = {cells[0].id: make_record(cells[0], seconds=2 * rough[0])}
    assert expected_s(cells, plans, MEASURE, past) == pytest.approx([2 * guess for guess in rough])
    assert expected_s(cells, plans, MEASURE, {}) == pytest.approx(rough)


def test_the_longest_goes_first_and_bundles_are_even() -> None:
    assert longest_first([1, 3, 2, 3]) == [1, 3, 2, 0]
    assert bundles([4, 3, 3, 2], 2) == [[0, 3], [1, 2]]
    assert bundles([1, 1], 5) == [[0], [1]]
    assert bundles([], 3) == []


def test_estimates_scale_with_macs_and_batch_and_name_what_cannot_be_built(scenario: str) -> None:
    workers = Scripted({"HiLo": "unbuildable"})
    estimates = estimate(prepare(Request(reference=scenario), workers), workers)
    assert [item.macs for item in estimates if item.cell.name == "msa"] == [1000] * 3
    assert {item.reason for item in estimates if item.cell.name == "HiLo"} == {"odd grid"}
    one, two = (next(i for i in estimates if i.cell.name == "msa" and i.cell.batch == b) for b in (1, 2))
    assert one.seconds is not None
    assert two.seconds is not None
    assert two.seconds >= one.seconds


def test_a_cells_seconds_are_warm_up_budget_and_memory_pass() -> None:
    measure = Measure(warmup_calls=3, warmup_s=0.5, min_samples=10, max_samples=200, max_s=5.0)
    # 5 to 10 rounds, 7.5 on average: 1.5 times the budgets of five.
    assert cell_seconds(1e-3, measure) == pytest.approx(
        7.5 * 0.1 + 1.5 * (0.5 + 0.2) + 0.003
    )  # samples run out
    assert cell_seconds(1.0, measure) == pytest.approx(7.5 * 0.1 + 1.5 * (25.0 + 10.0) + 3.0)  # min_samples
    fixed = Measure(warmup_calls=3, warmup_s=0.5, min_samples=10, max_samples=200, max_s=5.0, precision=None)
    assert cell_seconds(0.1, fixed) == pytest.approx(5 * 0.1 + 2.5 + 5.0 + 0.3)


def test_only_cells_without_a_record_are_estimated_of_a_run_that_is_gone_on_with(
    scenario: str, tmp_path: Path
) -> None:
    sweep(Scripted(), tmp_path / "run", scenario)
    records = tmp_path / "run" / RECORDS
    lines = records.read_text().splitlines(keepends=True)
    records.write_text("".join(lines[:-1]))
    prepared = prepare(Request(resume=tmp_path / "run"), Scripted())
    assert [one.cell.id for one in estimate(prepared, Scripted())] == [
        prepared.cells[i].id for i in prepared.todo
    ]
    assert len(prepared.todo) == 1
