"""What is decided and refused before a run: profile, device, threads, memory, cells left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import UsageError
from benchsuite.results.store import RECORDS, read_run
from benchsuite.runner.prepare import Request, busy, prepare, with_stored_pythonpath
from tests.doubles.scripted_workers import SCENARIO, Scripted, sweep


def test_retained_memory_that_cannot_be_had_is_refused_by_name(scenario: str) -> None:
    class Musl(Scripted):
        def describe(self, *arguments: Any) -> tuple[str, dict[str, Any]]:
            device, environment = super().describe(*arguments)
            allocator = {"library": "musl", "can_retain": False}
            return device, environment | {"os": "Alpine", "allocator": allocator}

    for word in ("measure.allocator=retain", "sweep.allocator=[system, retain]"):
        with pytest.raises(UsageError, match="allocator: retain cannot be had on Alpine with musl"):
            prepare(Request(reference=scenario, overrides=(word,)), Musl())
    assert prepare(Request(reference=scenario), Musl()).cells
    assert {
        cell.allocator
        for cell in prepare(
            Request(reference=scenario, overrides=("measure.allocator=system",)), Musl()
        ).cells
    } == {"system"}


def test_more_threads_than_cores_are_refused_before_anything_runs(scenario: str) -> None:
    with pytest.raises(UsageError, match="tiny: 5 threads are asked for, this machine has 4 cores"):
        prepare(Request(reference=scenario, overrides=("sweep.threads=[1, 5]",)), Scripted())


def test_a_memory_limit_below_the_weights_is_refused(scenario: str) -> None:
    request = Request(reference=scenario, overrides=("measure.memory_limit=1kB", "sweep.device=cpu"))
    with pytest.raises(UsageError, match="memory_limit is 1000 B, and the weights of msa alone take 4"):
        prepare(request, Scripted())


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


def test_with_a_gpu_no_profile_is_chosen_where_there_is_none_for_it(scenario: str) -> None:
    assert prepare(Request(reference=scenario), Scripted()).scenario.applied == ()


def test_a_gpu_gets_the_gpu_profile_and_is_told(scenario: str) -> None:
    Path(scenario).write_text(SCENARIO + "  gpu: {sweep: {dtype: [tf32, bf16]}}\n")
    prepared = prepare(Request(reference=scenario), Scripted())
    assert prepared.scenario.applied == ("gpu",)
    assert {cell.dtype for cell in prepared.cells} == {"tf32", "bf16"}
    assert prepared.notes[0].startswith('a GPU was chosen: running the scenario\'s profile "gpu"')
    named = prepare(Request(reference=scenario, profiles=("other",)), Scripted())
    assert named.scenario.applied == ("other",)


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


def test_a_resumed_run_misses_the_own_mixer_of_a_stage_too(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "stage_of_mine.py").write_text("class Mine: ...\n")
    entry = '{name: litv2_s, mixer: {stage3: {name: "stage_of_mine:Mine"}}}'
    scenario = tmp_path / "nets.yaml"
    title = "name: nets\ntitle: Nets\nquestion: Which?\nsubject: backbone\n"
    scenario.write_text(title + f"sweep: {{backbone: [{entry}], resolution: 224, batch: 1}}\n")
    run = tmp_path / "run"
    sweep(Scripted(), run, str(scenario), pythonpath=(str(tmp_path / "src"),))
    (run / RECORDS).write_text("")
    (tmp_path / "src" / "stage_of_mine.py").unlink()
    with pytest.raises(UsageError, match='no module "stage_of_mine" here'):
        prepare(with_stored_pythonpath(Request(resume=run)), Scripted())


def test_a_resumed_run_finds_own_modules_from_another_folder_or_runs_nothing(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "layers_of_mine.py").write_text("class Mine: ...\n")
    Path(scenario).write_text(SCENARIO.replace("mixer: [msa,", 'mixer: [msa, "layers_of_mine:Mine",'))
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    sweep(Scripted(), run, scenario, pythonpath=("src",))
    assert read_run(run).scenario["run"]["pythonpath"] == [str(tmp_path / "src")]
    records = run / RECORDS
    kept = [line for line in records.read_text().splitlines(keepends=True) if "layers_of_mine" not in line]
    records.write_text("".join(kept))

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    resumed = with_stored_pythonpath(Request(resume=run))
    prepared = prepare(resumed, Scripted())
    assert {prepared.cells[i].target for i in prepared.todo} == {"layers_of_mine:Mine"}
    (tmp_path / "src" / "layers_of_mine.py").unlink()
    with pytest.raises(UsageError, match='layers_of_mine:Mine: no module "layers_of_mine" here') as caught:
        prepare(resumed, Scripted())
    assert "nothing was run" in str(caught.value)
    assert records.read_text() == "".join(kept)
