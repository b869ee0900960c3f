"""Large sweeps, which plan a comparison group when it is due, beside small ones, which plan all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchsuite.cli.run import _print_dry_run
from benchsuite.errors import UsageError
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost, Record
from benchsuite.results.store import read_run
from benchsuite.runner import estimate as estimates
from benchsuite.runner import plan as planning
from benchsuite.runner.estimate import cell_cost_s
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.rounds import Rounds
from benchsuite.runner.sweep import run_sweep
from benchsuite.runner.workers import InlineWorkers
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.worker_reply import Plan, WorkerReply
from tests.builders import make_cell
from tests.doubles.scripted_workers import SCENARIO, Scripted, Watching, sweep
from tests.planted import Fine


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven cells are a large sweep."""
    monkeypatch.setattr(planning, "AT_ONCE", 6)


def swept(scenario: str, folder: Path, workers: Scripted) -> list[Record]:
    sweep(workers, folder, scenario)
    return [replace(record, started_at="", seconds=0.0, spent=None) for record in read_run(folder).records]


@pytest.mark.parametrize("script", [{}, {"msa": "too large"}, {"HiLo": "unbuildable"}, {"HiLo": "error"}])
def test_a_large_sweep_leaves_the_records_of_a_small_one(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: dict[str, str]
) -> None:
    small = swept(scenario, tmp_path / "small", Scripted(script))
    monkeypatch.setattr(planning, "AT_ONCE", 6)
    large = swept(scenario, tmp_path / "large", Scripted(script))
    assert {record.id: record for record in large} == {record.id: record for record in small}
    assert len(large) == 8
    counted = [record for record in large if record.cost is not None]
    assert len(counted) == {"unbuildable": 3}.get(script.get("HiLo", ""), 7)


@pytest.mark.usefixtures("small_limit")
def test_a_large_sweep_plans_one_cell_of_each_mixer_first_and_each_group_when_it_is_due(
    scenario: str, tmp_path: Path
) -> None:
    workers = Scripted()
    prepared = prepare(Request(reference=scenario), workers)
    assert not prepared.planned
    first = [(cell.name, cell.resolution, cell.batch) for cell in workers.planned]
    assert first == [("msa", (64, 64), 1), ("HiLo", (64, 64), 1)]
    workers.planned.clear()
    run_sweep(prepared, tmp_path / "run", LocalExecutor(workers), Watching())
    assert sorted(cell.id for cell in workers.planned) == sorted(cell.id for cell in prepared.cells)
    assert len({(cell.resolution, cell.batch) for cell in workers.planned[:2]}) == 1


def test_a_small_sweep_is_planned_before_it_begins(scenario: str) -> None:
    workers = Scripted()
    prepared = prepare(Request(reference=scenario), workers)
    assert prepared.planned
    assert len(workers.planned) == len(prepared.plans) == 7


@pytest.mark.usefixtures("small_limit")
def test_every_cell_of_a_large_sweep_is_built_where_that_is_asked_for(scenario: str) -> None:
    workers = Scripted()
    assert prepare(Request(reference=scenario), workers, every=True).planned
    assert len(workers.planned) == 7


class Takes(Fine):
    """Takes whatever parameters there are, so that `check` finds nothing wrong."""

    def __init__(self, dim: int, **options: object) -> None:
        super().__init__(dim)


@pytest.mark.usefixtures("small_limit")
def test_a_mixer_that_does_not_take_its_inputs_is_refused_before_a_large_sweep_begins(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wrong.yaml"
    own = "name: 'tests.runner.test_plan:Takes', inputs: {y: [B, N, C]}"
    path.write_text(SCENARIO.replace("name: hilo", own))
    workers = InlineWorkers()
    try:
        with pytest.raises(UsageError, match=r"HiLo \(tests.runner.test_plan:Takes\): inputs do not fit"):
            prepare(Request(reference=str(path), device="cpu"), workers)
    finally:
        workers.close()


@pytest.mark.usefixtures("small_limit")
def test_weights_that_do_not_fit_into_the_memory_limit_are_refused_before_a_large_sweep_begins(
    scenario: str,
) -> None:
    request = Request(reference=scenario, overrides=("measure.memory_limit=1KiB",), profiles=("other",))
    with pytest.raises(UsageError, match="the weights of msa alone take 4 KiB"):
        prepare(request, Scripted(device="cpu"))


def test_what_is_looked_at_first_is_on_math_and_small() -> None:
    cells = [
        make_cell(kernel="sdpa"),
        make_cell(kernel="math", batch=8),
        make_cell(kernel="math", batch=4),
        make_cell(kernel="math", batch=4, num_heads=8),
        make_cell(name="W-MSA", target="window", config={"window_size": 7}),
        make_cell(name="W-MSA", target="window", config={"window_size": 7}, mode="training_step"),
    ]
    assert planning._one_of_each(cells) == cells[2:]


class Fragile(Scripted):
    """Cannot plan some cells, and says so of all that are asked about together with one."""

    def __init__(self, error: Exception, batch: int) -> None:
        super().__init__()
        self.error, self.batch = error, batch

    def plan(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Plan]]:
        if any(cell.batch == self.batch for cell in cells):
            raise self.error
        return super().plan(cells, timeout_s)


def measured(cells: Sequence[Cell], workers: Scripted, *, stop: bool = False) -> dict[int, Record]:
    begun: list[Cell] = []
    rounds = Rounds(
        measure=Measure(rounds=1),
        workers=workers,  # type: ignore[arg-type]
        stopping=lambda: stop,
        begins=begun.append,
        planned=False,
    )
    records = {record.cell.batch: record for record in rounds.records(cells)}
    assert {cell.batch for cell in begun} == set(records)
    return records


def test_a_cell_that_cannot_be_planned_is_a_failure_and_the_others_of_its_group_are_measured() -> None:
    cells = [make_cell(batch=batch) for batch in (1, 2, 3)]
    records = measured(cells, Fragile(UsageError("no such"), 2))
    assert [records[batch].status for batch in (1, 2, 3)] == ["ok", "error", "ok"]
    failure = records[2].failure
    assert failure is not None
    assert (failure.stage, failure.message) == ("build", "no such")
    assert records[1].cost == Cost(params=1, macs=1000)


def test_a_group_is_not_planned_once_the_sweep_is_to_stop() -> None:
    workers = Scripted()
    assert measured([make_cell()], workers, stop=True) == {}
    assert workers.planned == []


def test_a_cell_that_is_not_planned_yet_is_expected_to_take_longer_the_larger_it_is() -> None:
    small, large = make_cell(resolution=(64, 64)), make_cell(resolution=(2048, 2048), batch=64)
    measure = Measure()
    assert 0 < cell_cost_s(small, planning.NOT_YET, measure) < cell_cost_s(large, planning.NOT_YET, measure)


@pytest.mark.usefixtures("small_limit")
def test_a_dry_run_of_a_large_sweep_lists_some_cells_that_stand_for_all(
    scenario: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(estimates, "SAMPLED", 3)
    workers = Scripted()
    prepared = prepare(Request(reference=scenario), workers)
    workers.planned.clear()
    _print_dry_run(prepared, workers)
    lines = capsys.readouterr().out.splitlines()
    assert len(workers.planned) == 3
    assert sum(line.startswith(("msa ", "HiLo ")) for line in lines) == 3
    each = sum(item.seconds or 0.0 for item in estimates.estimate(prepared, workers)) / 3
    assert lines[-1] == (
        f"7 cells, about {7 * each:.0f} s (rough: from a matrix product timed now, and from the 3 "
        "cells above, drawn from all; the others are not listed)"
    )


def test_excluded_cells_are_listed_up_to_a_number(
    scenario: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchsuite.cli.run.EXCLUDED_SHOWN", 0)
    workers = Scripted()
    _print_dry_run(prepare(Request(reference=scenario), workers), workers)
    assert "excluded  1 more" in capsys.readouterr().out.splitlines()
