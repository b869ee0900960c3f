"""Sweeps on a scripted executor: what is measured, kept, resumed, and called a failure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import RunFolderError, UsageError
from benchsuite.results.record import Cell, Cost, Failure, Record, Timing
from benchsuite.results.store import read_run
from benchsuite.run.estimate import cell_seconds, estimate
from benchsuite.run.executor import Outcome
from benchsuite.run.prepare import Request, busy, prepare
from benchsuite.run.sweep import Sweep
from benchsuite.run.sweep import run as run_sweep
from benchsuite.run.worker import Answer, Plan
from benchsuite.scenario.model import Measure

SCENARIO = """
name: tiny
title: A tiny sweep
sweep:
  mixer: [msa, {name: hilo, label: HiLo, params: {alpha: 0.5}}]
  resolution: [64, 128]
  batch: [1, 2]
  dim: 32
  num_heads: 4
exclude:
  - {where: mixer=msa resolution=128 batch=2, reason: too dear}
expect:
  - {where: mixer=HiLo batch=2, status: oom, reason: planted}
profiles:
  cpu: {sweep: {dim: 64}}
  other: {measure: {max_s: 1.5}}
"""


class Scripted:
    """An executor that measures nothing: cells end as the script says, "ok" by default."""

    def __init__(
        self, script: dict[str, str] | None = None, device: str = "cuda:0", stop_after: int = 99
    ) -> None:
        self.script = script or {}
        self.device = device
        self.stop_after = stop_after
        self.measured: list[Cell] = []
        self.planned: list[Cell] = []

    def describe(self, device: str, threads: int | None, command: list[str]) -> tuple[str, dict[str, Any]]:
        return (self.device if device == "auto" else device), {"command": command, "threads": threads}

    def plan(self, cells: Sequence[Cell]) -> list[Answer[Plan]]:
        self.planned.extend(cells)
        return [self._plan(cell) for cell in cells]

    def _plan(self, cell: Cell) -> Answer[Plan]:
        counted = Plan(cost=Cost(params=1, macs=1000), memory_bytes=10)
        if self.script.get(cell.name) == "too large":
            failure = Failure(stage="build", kind="TooLarge", message="needs about 3 TiB")
            return Answer(value=counted, status="oom", failure=failure)
        if self.script.get(cell.name) == "unbuildable":
            return Answer(
                status="unsupported", failure=Failure(stage="build", kind="Test", message="odd grid")
            )
        return Answer(value=counted)

    def matmul_rate(self, device: str) -> float:
        return 1e6

    def measure(self, cell: Cell, measure: Measure) -> Outcome:
        if len(self.measured) == self.stop_after:
            raise KeyboardInterrupt
        self.measured.append(cell)
        status = self.script.get(cell.name, "ok")
        if status != "ok":
            failure = Failure(stage="time", kind="Test", message=f"a planted {status}")
            return Outcome(status=status, failure=failure)  # type: ignore[arg-type]
        timing = Timing(
            samples_s=(0.1,), method="fake", warmup_calls=1, warmup_s=0.1, stopped_by="samples", threads=1
        )
        return Outcome(timing=timing)

    def close(self) -> None:
        """Nothing was started."""


class Watching:
    """Notes what a sweep tells its observer."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def begin(self, total: int, done: int) -> None:
        self.events.append(f"begin {total} {done}")

    def cell_begins(self, cell: Cell) -> None:
        self.events.append(f"cell {cell.name}")

    def cell_ends(self, record: Record) -> None:
        self.events.append(record.status)

    def end(self) -> None:
        self.events.append("end")


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(SCENARIO)
    return str(path)


def sweep(executor: Scripted, folder: Path, scenario: str | None = None, **request: Any) -> Sweep:
    prepared = prepare(Request(reference=scenario, **request), executor)
    return run_sweep(prepared, folder, executor, Watching())


def test_every_cell_that_no_rule_excludes_gets_a_record(scenario: str, tmp_path: Path) -> None:
    result = sweep(Scripted(), tmp_path / "run", scenario)
    assert result.measured == 7  # 2 mixers × 2 resolutions × 2 batches, less one
    assert [record.status for record in result.records] == ["ok"] * 7
    stored = read_run(tmp_path / "run")
    assert stored.records == result.records
    assert stored.scenario["name"] == "tiny"
    assert stored.scenario["run"] == {"filter": "", "device": "cuda:0"}


def test_failures_are_records_and_the_sweep_goes_on(scenario: str, tmp_path: Path) -> None:
    result = sweep(Scripted({"HiLo": "oom"}), tmp_path / "run", scenario)
    assert [(r.cell.name, r.cell.batch, r.status, r.failed) for r in result.records] == [
        ("msa", 1, "ok", False),
        ("HiLo", 1, "oom", True),
        ("msa", 1, "ok", False),
        ("HiLo", 1, "oom", True),
        ("msa", 2, "ok", False),
        ("HiLo", 2, "oom", False),  # the scenario expects it
        ("HiLo", 2, "oom", False),
    ]
    assert all(record.cost for record in result.records)  # counted, though not timed


def test_only_the_expected_status_is_expected(scenario: str, tmp_path: Path) -> None:
    result = sweep(Scripted({"HiLo": "error"}), tmp_path / "run", scenario)
    assert all(record.failed for record in result.records if record.cell.name == "HiLo")


def test_a_cell_that_cannot_be_built_is_not_tried_on_the_device(scenario: str, tmp_path: Path) -> None:
    executor = Scripted({"HiLo": "unbuildable"})
    result = sweep(executor, tmp_path / "run", scenario)
    assert {cell.name for cell in executor.measured} == {"msa"}
    hilo = [record for record in result.records if record.cell.name == "HiLo"]
    assert {(record.status, record.reason) for record in hilo} == {("unsupported", "odd grid")}


def test_a_cell_that_is_too_large_is_counted_but_not_tried(scenario: str, tmp_path: Path) -> None:
    executor = Scripted({"HiLo": "too large"})
    result = sweep(executor, tmp_path / "run", scenario)
    assert {cell.name for cell in executor.measured} == {"msa"}
    hilo = [record for record in result.records if record.cell.name == "HiLo"]
    assert {(record.status, record.reason) for record in hilo} == {("oom", "needs about 3 TiB")}
    assert all(record.cost and record.cost.macs == 1000 for record in hilo)


def test_resuming_measures_only_what_is_missing(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        sweep(Scripted(stop_after=3), folder, scenario)
    before = read_run(folder).records
    executor = Scripted()
    result = sweep(executor, folder, resume=folder)
    assert len(before) == 3
    assert len(executor.measured) == result.measured == 4
    assert result.records[:3] == before
    assert [record.session for record in result.records] == [1, 1, 1, 2, 2, 2, 2]
    assert {record.id for record in result.records} == {record.id for record in read_run(folder).records}


def test_resuming_a_finished_run_measures_nothing_and_adds_no_session(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(Scripted(), folder, scenario)
    executor = Scripted()
    result = sweep(executor, folder, scenario, resume=folder)
    assert executor.measured == []
    assert result.measured == 0
    assert not (folder / "environment-2.json").exists()


def test_resuming_keeps_the_filter_and_the_device_of_the_run(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        sweep(Scripted(stop_after=1), folder, scenario, filter="mixer=msa")
    executor = Scripted(device="cpu")
    result = sweep(executor, folder, resume=folder)
    assert {record.cell.name for record in result.records} == {"msa"}
    assert {record.cell.device for record in result.records} == {"cuda:0"}


def test_resuming_with_another_scenario_is_refused(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(Scripted(), folder, scenario)
    Path(scenario).write_text(SCENARIO.replace("batch: [1, 2]", "batch: [1, 4]"))
    with pytest.raises(RunFolderError, match="began with another scenario, which differs in: sweep"):
        sweep(Scripted(), folder, scenario, resume=folder)


def test_resuming_takes_no_filter_and_no_device(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(Scripted(), folder, scenario)
    for request in ({"filter": "mixer=msa"}, {"device": "cpu"}):
        with pytest.raises(UsageError, match="leave out --filter and --device"):
            sweep(Scripted(), folder, resume=folder, **request)


def test_a_machine_without_a_gpu_gets_the_cpu_profile_and_is_told(scenario: str) -> None:
    prepared = prepare(Request(reference=scenario), Scripted(device="cpu"))
    assert prepared.scenario.applied == ("cpu",)
    assert {cell.dim for cell in prepared.cells} == {64}
    assert 'running the scenario\'s profile "cpu"' in prepared.notes[0]


def test_a_named_profile_is_taken_as_it_is(scenario: str) -> None:
    prepared = prepare(Request(reference=scenario, profiles=("other",)), Scripted(device="cpu"))
    assert prepared.scenario.applied == ("other",)
    assert prepared.scenario.measure.max_s == 1.5
    assert prepared.notes == ()


def test_with_a_gpu_no_profile_is_chosen(scenario: str) -> None:
    assert prepare(Request(reference=scenario), Scripted()).scenario.applied == ()


@pytest.mark.parametrize(
    ("load", "cores", "said"), [(0.4, 2, False), (1.6, 2, True), (1.6, 64, False), (None, 2, False)]
)
def test_a_busy_host_is_said_before_the_run(load: float | None, cores: int, said: bool) -> None:
    notes = busy({"cpu": {"load_1min": load, "usable_cores": cores}})
    assert notes == (
        ("this machine is busy: a load of 1.6 on 2 cores; expect noisy numbers",) if said else ()
    )


def test_a_device_on_the_command_line_wins(scenario: str) -> None:
    prepared = prepare(Request(reference=scenario, device="cuda:1"), Scripted())
    assert {cell.device for cell in prepared.cells} == {"cuda:1"}


def test_rules_that_leave_nothing_on_the_device_are_named(scenario: str) -> None:
    rule = "exclude: [{where: device=cpu, reason: a GPU is needed}]\n"
    Path(scenario).write_text(SCENARIO.split("exclude:", maxsplit=1)[0] + rule)
    with pytest.raises(UsageError, match="tiny: the rules under `exclude` leave no cell on cpu"):
        prepare(Request(reference=scenario), Scripted(device="cpu"))


def test_a_filter_that_leaves_nothing_is_refused(scenario: str) -> None:
    with pytest.raises(UsageError, match=r"--filter 'resolution>9000' leaves no cell of 7"):
        prepare(Request(reference=scenario, filter="resolution>9000"), Scripted())


def test_no_scenario_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="name a scenario"):
        prepare(Request(), Scripted())


def test_a_taken_folder_is_refused_before_anything_is_measured(scenario: str, tmp_path: Path) -> None:
    executor = Scripted()
    with pytest.raises(RunFolderError, match="is not empty"):
        sweep(executor, tmp_path, scenario)
    assert executor.measured == []


def test_the_observer_hears_of_every_cell_and_of_the_end(scenario: str, tmp_path: Path) -> None:
    observer = Watching()
    executor = Scripted({"HiLo": "oom"}, stop_after=3)
    prepared = prepare(Request(reference=scenario), executor)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(prepared, tmp_path / "run", executor, observer)
    assert observer.events == [
        "begin 7 0", "cell msa", "ok", "cell HiLo", "oom", "cell msa", "ok", "cell HiLo", "end",
    ]  # fmt: skip


def test_estimates_scale_with_macs_and_batch_and_name_what_cannot_be_built(scenario: str) -> None:
    executor = Scripted({"HiLo": "unbuildable"})
    estimates = estimate(prepare(Request(reference=scenario), executor), executor)
    assert [item.macs for item in estimates if item.cell.name == "msa"] == [1000] * 3
    assert {item.reason for item in estimates if item.cell.name == "HiLo"} == {"odd grid"}
    one, two = (next(i for i in estimates if i.cell.name == "msa" and i.cell.batch == b) for b in (1, 2))
    assert one.seconds is not None
    assert two.seconds is not None
    assert two.seconds >= one.seconds


def test_a_cells_seconds_are_warm_up_budget_and_memory_pass() -> None:
    measure = Measure(warmup_calls=3, warmup_s=0.5, min_samples=10, max_samples=200, max_s=5.0)
    assert cell_seconds(1e-3, measure) == pytest.approx(0.1 + 0.5 + 0.2 + 0.003)  # the samples run out first
    assert cell_seconds(1.0, measure) == pytest.approx(0.1 + 4.0 + 10.0 + 3.0)  # min_samples come first
    assert cell_seconds(0.1, measure) == pytest.approx(0.1 + 0.5 + 5.0 + 0.3)
