"""Executors of this machine give the same records, and cores are used once only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchsuite.errors import ExecutorError
from benchsuite.results.store import read_run
from benchsuite.runner.executors.executor import Executor
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.executors.local_pool import LocalPoolExecutor
from benchsuite.runner.workers import InlineWorkers, PlanningWorkers, ProcessWorkers
from benchsuite.scenario.measure_settings import Measure
from tests.builders import make_cell
from tests.runner.executors.sweeps import FAKE, SLOW, deterministic, sweep

TWO = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")


@TWO
def test_processes_and_pools_give_the_records_of_the_inline_executor(tmp_path: Path) -> None:
    sweep(LocalExecutor(InlineWorkers((), FAKE)), tmp_path / "inline")
    expected = deterministic(tmp_path / "inline")
    assert len(expected) == 12
    executors: dict[str, Executor] = {
        "process": LocalExecutor(ProcessWorkers((), FAKE)),
        "pool": LocalPoolExecutor(2, (), FAKE),
    }
    for name, executor in executors.items():
        sweep(executor, tmp_path / name)
        assert deterministic(tmp_path / name) == expected, name
    run = read_run(tmp_path / "pool")
    sets = [set(environment["core_set"]) for environment in run.environments.values()]
    assert not set.intersection(*sets) or len(sets) == 1
    assert {environment["groups_on_host"] for environment in run.environments.values()} == {2}
    assert {record.session for record in run.records} <= set(run.environments)


@TWO
def test_a_pool_that_is_asked_to_stop_leaves_a_run_that_can_be_gone_on_with(tmp_path: Path) -> None:
    seen: list[int] = []

    def stopping() -> bool:
        seen.append(0)
        return len(seen) > 4

    stopped = sweep(LocalPoolExecutor(2, (), FAKE), tmp_path / "run", SLOW, stopping)
    assert stopped.stopped
    finished = sweep(LocalPoolExecutor(2, (), FAKE), tmp_path / "run", None)
    assert (len(finished.records), finished.missing, finished.stopped) == (6, 0, False)
    sweep(LocalExecutor(InlineWorkers((), FAKE)), tmp_path / "inline", SLOW)
    assert deterministic(tmp_path / "run") == deterministic(tmp_path / "inline")


def test_a_run_in_which_nothing_can_be_tried_describes_the_machine_that_planned(tmp_path: Path) -> None:
    class Refusing(LocalPoolExecutor):
        def _resolved(self, word: str) -> str:
            return "cpu"

    text = """
name: large
title: What does not fit
sweep:
  {mixer: hilo, resolution: 48, dim: 16, num_heads: 4, device: cpu}  # its grid is of 3
"""
    executor = Refusing(1)
    sweep(executor, tmp_path / "run", text)
    run = read_run(tmp_path / "run")
    assert [(record.status, record.session) for record in run.records] == [("unsupported", 1)]
    assert list(run.environments) == [1]


def test_planning_workers_only_plan() -> None:
    planner = PlanningWorkers(lambda word: word, (), FAKE)
    try:
        assert planner.describe("cpu", None, ["a"]) == ("cpu", {"command": ["a"]})
        with pytest.raises(ExecutorError, match="leave --executor out"):
            planner.matmul_rate("cpu")
        cell, measure = make_cell(), Measure()
        with pytest.raises(NotImplementedError):
            planner.begin_round()
        with pytest.raises(NotImplementedError):
            planner.timer("retain")
        with pytest.raises(NotImplementedError):
            planner.inspect(cell, measure)
        with pytest.raises(NotImplementedError):
            planner.ceilings("cpu", ["fp32"])
        with pytest.raises(NotImplementedError):
            planner.another()
        with pytest.raises(NotImplementedError):
            planner.profile(cell, measure, Path("x"), 1, 1)
    finally:
        planner.close()
