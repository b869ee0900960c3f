"""The pass that tells where the time goes: on scripted workers, and once in real processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import RunFolderError, UsageError
from benchsuite.measurement.operator_profile import TRACE_PARSER
from benchsuite.results.record import Cost, Record
from benchsuite.results.store import RunWriter, read_run
from benchsuite.runner.prepare import Prepared, Request, prepare
from benchsuite.runner.profile import Profiled, ProfileSettings, profile_run, profile_scenario, trace_of
from benchsuite.runner.workers import ProcessWorkers
from benchsuite.scenario.measure_settings import Measure
from tests.builders import make_cell, make_record
from tests.doubles.scripted_workers import PROFILE, Scripted, Watching

SCENARIO = """
name: tiny
title: A tiny sweep
sweep:
  mixer: [msa, {name: hilo, label: HiLo}]
  resolution: [64, 128]
  dim: 32
  num_heads: 4
  batch: 1
expect:
  - {where: mixer=HiLo resolution=128, status: oom, reason: planted}
"""


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., Prepared]:
    path = tmp_path / "tiny.yaml"
    path.write_text(SCENARIO)
    return lambda workers, **more: prepare(Request(reference=str(path), **more), workers)


def profiled_scenario(prepared: Prepared, workers: Scripted, folder: Path, **more: Any) -> Profiled:
    return profile_scenario(prepared, folder, workers, Watching(), ProfileSettings(steps=3, top=7), **more)


def profiled_run(workers: Scripted, folder: Path, **more: Any) -> Profiled:
    return profile_run(folder, workers, Watching(), ProfileSettings(steps=3, top=7), **more)


def test_every_cell_of_a_scenario_gets_a_record_with_its_profile_and_cost_and_no_timing(
    prepared: Callable[..., Prepared], tmp_path: Path
) -> None:
    workers, folder = Scripted(), tmp_path / "run"
    done = profiled_scenario(prepared(workers), workers, folder)
    assert [record.status for record in done.records] == ["ok"] * 4
    assert read_run(folder).records == done.records
    for record in done.records:
        assert record.profile == PROFILE
        assert record.cost == Cost(params=1, macs=1000)
        assert (record.timing, record.memory) == (None, None)
    assert set(done.readings) == {record.id for record in done.records}


def test_a_cell_is_asked_for_once_with_its_own_trace_and_the_scenarios_timeout(
    prepared: Callable[..., Prepared], tmp_path: Path
) -> None:
    workers, folder = Scripted(), tmp_path / "run"
    done = profiled_scenario(prepared(workers), workers, folder)
    traces = [trace for _, trace, _, _, _ in workers.profiled]
    assert traces == [trace_of(folder, record.id) for record in done.records]
    assert {trace.parent.parent for trace in traces} == {folder / "traces"}
    assert {asked[2:] for asked in workers.profiled} == {(3, 7, 600.0)}


def test_a_run_of_profiles_says_that_it_measured_nothing_but_the_cost(
    prepared: Callable[..., Prepared], tmp_path: Path
) -> None:
    workers = Scripted()
    profiled_scenario(prepared(workers, filter="mixer=msa"), workers, tmp_path / "run")
    stored = read_run(tmp_path / "run").scenario
    assert stored["measure"]["metrics"] == ["cost"]
    assert stored["run"] == {"filter": "mixer=msa", "device": "cuda:0", "profile": {"steps": 3, "top": 7}}


def test_a_failure_is_a_status_and_the_others_go_on(
    prepared: Callable[..., Prepared], tmp_path: Path
) -> None:
    workers = Scripted({"HiLo": "oom"})
    done = profiled_scenario(prepared(workers), workers, tmp_path / "run")
    found = [(r.cell.name, r.cell.resolution[0], r.status, r.failed, bool(r.profile)) for r in done.records]
    assert sorted(found) == [
        ("HiLo", 64, "oom", True, False),
        ("HiLo", 128, "oom", False, False),  # the scenario expects it
        ("msa", 64, "ok", False, True),
        ("msa", 128, "ok", False, True),
    ]
    assert {record.cell.name for record in done.records if record.id in done.readings} == {"msa"}


def test_what_is_too_large_is_not_tried(prepared: Callable[..., Prepared], tmp_path: Path) -> None:
    workers = Scripted({"msa": "too large"})
    done = profiled_scenario(prepared(workers), workers, tmp_path / "run")
    assert {name for name, *_ in workers.profiled} == {"HiLo"}
    assert {r.reason for r in done.records if r.cell.name == "msa"} == {"needs about 3 TiB"}


def test_a_pass_that_is_asked_to_stop_says_how_many_cells_are_missing(
    prepared: Callable[..., Prepared], tmp_path: Path
) -> None:
    workers, observer = Scripted(), Watching()
    done = profile_scenario(
        prepared(workers),
        tmp_path / "run",
        workers,
        observer,
        ProfileSettings(),
        stopping=lambda: len(workers.profiled) == 2,
    )
    assert (len(done.records), done.missing) == (2, 2)
    assert observer.events[0] == "begin 4 0"
    assert observer.events[-2:] == ["ok", "end"]


def test_a_folder_that_is_taken_is_refused_before_anything_runs(
    prepared: Callable[..., Prepared], tmp_path: Path
) -> None:
    workers = Scripted()
    with pytest.raises(RunFolderError, match="is not empty"):
        profiled_scenario(prepared(workers), workers, tmp_path)
    assert workers.profiled == []


@pytest.fixture
def measured(tmp_path: Path) -> tuple[Path, list[Record]]:
    """A run of two good cells and a bad one."""
    folder = tmp_path / "measured"
    records = [
        make_record(make_cell(name="msa")),
        make_record(make_cell(name="HiLo", target="hilo")),
        make_record(make_cell(name="bad"), status="oom"),
    ]
    document = {
        "name": "tiny",
        "title": "A tiny sweep",
        "sweep": {"mixer": ["msa"], "resolution": [64], "dim": 32, "num_heads": 4},
        "measure": {"timeout_s": 12.0},
        "run": {"filter": "", "device": "cpu"},
    }
    writer = RunWriter.create(folder, document, {"machine": "a"})
    for record in records:
        writer.append(record)
    writer.close()
    return folder, records


def test_a_run_gets_profiles_and_nothing_else_of_its_records_changes(
    measured: tuple[Path, list[Record]],
) -> None:
    folder, before = measured
    workers = Scripted()
    done = profiled_run(workers, folder, command=("benchsuite", "profile"))
    after = {record.id: record for record in read_run(folder).records}
    assert after == {
        before[0].id: replace(before[0], profile=PROFILE),
        before[1].id: replace(before[1], profile=PROFILE),
        before[2].id: before[2],
    }
    assert [record.cell.name for record in done.records] == ["msa", "HiLo"]
    assert workers.described == ["cpu"]
    assert {limit for *_, limit in workers.profiled} == {12.0}
    assert read_run(folder).environments[2]["command"] == ["benchsuite", "profile"]


def test_profiling_again_replaces_the_profile(measured: tuple[Path, list[Record]]) -> None:
    folder, _ = measured
    other = (replace(PROFILE[0], name="aten::mm"),)
    first, second = Scripted(), Scripted()
    second.profile_of_all = other
    profiled_run(first, folder)
    profiled_run(second, folder)
    assert {trace for _, trace, *_ in first.profiled} == {trace for _, trace, *_ in second.profiled}
    assert [record.profile for record in read_run(folder).records if record.status == "ok"] == [other] * 2


def test_a_record_whose_cell_cannot_be_profiled_stays_as_it_is(measured: tuple[Path, list[Record]]) -> None:
    folder, before = measured
    done = profiled_run(Scripted({"HiLo": "timeout"}), folder)
    assert {record.id: record for record in read_run(folder).records}[before[1].id] == before[1]
    assert done.failures == {before[1].id: "timeout: a planted timeout"}
    assert list(done.readings) == [before[0].id]


def test_a_filter_chooses_among_the_cells_that_ended_well(measured: tuple[Path, list[Record]]) -> None:
    folder, _ = measured
    workers = Scripted()
    profiled_run(workers, folder, filter="mixer=hilo")
    assert [name for name, *_ in workers.profiled] == ["HiLo"]
    for filter in ("mixer=bad", "mixer=other"):
        with pytest.raises(UsageError, match=f"--filter '{filter}' leaves no cell of 2"):
            profiled_run(workers, folder, filter=filter)


def test_a_run_without_a_good_cell_has_none_to_profile(tmp_path: Path) -> None:
    writer = RunWriter.create(
        tmp_path / "run",
        {
            "name": "tiny",
            "title": "A tiny sweep",
            "sweep": {"mixer": ["msa"], "resolution": [64], "dim": 32, "num_heads": 4},
        },
        {},
    )
    writer.append(make_record(status="oom"))
    writer.close()
    with pytest.raises(UsageError, match="no cell of this run ended well"):
        profiled_run(Scripted(), tmp_path / "run")


# In processes

QUICK = Measure(warmup_calls=1, warmup_s=0.0)


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessWorkers]:
    workers = ProcessWorkers()
    workers.describe("cpu", 1, [])
    yield workers
    workers.close()


def test_the_process_that_inspects_profiles_and_writes_the_trace(
    processes: ProcessWorkers, tmp_path: Path
) -> None:
    answer = processes.profile(make_cell(), QUICK, tmp_path / "x.pt.trace.json.gz", 2, 5)
    assert answer.value is not None
    assert answer.value.reader == TRACE_PARSER
    assert len(answer.value.ops) == 5
    calls = {op.name: op.calls for op in answer.value.ops}
    assert calls["aten::addmm"] == 2.0  # query, key and value in one, and the projection
    assert (tmp_path / "x.pt.trace.json.gz").is_file()
    assert not processes._timers  # nothing was timed


@pytest.mark.parametrize("mode", ["forward_backward", "training_step"])
def test_what_a_training_step_does_is_in_its_profile(
    processes: ProcessWorkers, tmp_path: Path, mode: str
) -> None:
    answer = processes.profile(make_cell(mode=mode), QUICK, tmp_path / "x.pt.trace.json", 1, 100)
    assert answer.value is not None
    names = {op.name for op in answer.value.ops}
    assert "aten::_softmax_backward_data" in names
    assert ("aten::addcdiv_" in names) == (mode == "training_step")


@pytest.mark.parametrize(
    ("name", "status"),
    [("Raises", "error"), ("Refuses", "unsupported"), ("RunsOut", "oom"), ("Dies", "crash")],
)
def test_a_cell_that_fails_under_the_profiler_has_a_status_and_the_next_one_runs(
    processes: ProcessWorkers, tmp_path: Path, name: str, status: str
) -> None:
    cell = make_cell(name=name, target=f"tests.planted:{name}", resolution=(64, 128))
    answer = processes.profile(cell, QUICK, tmp_path / "x.pt.trace.json", 1, 5)
    assert answer.status == status
    assert answer.failure is not None
    assert answer.failure.stage == ("worker" if status == "crash" else "profile")
    assert processes.profile(make_cell(), QUICK, tmp_path / "y.pt.trace.json", 1, 5).status == "ok"


def test_a_cell_that_hangs_under_the_profiler_is_ended(processes: ProcessWorkers, tmp_path: Path) -> None:
    cell = make_cell(name="Hangs", target="tests.planted:Hangs")
    answer = processes.profile(cell, QUICK, tmp_path / "x.pt.trace.json", 1, 5, timeout_s=0.5)
    assert answer.status == "timeout"
