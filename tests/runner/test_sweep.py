"""Sweeps on scripted workers: what is measured, kept, resumed, and called a failure."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import NotComparableError, RunFolderError, UsageError
from benchsuite.measurement.stopping import Visit
from benchsuite.results.cell import Cell
from benchsuite.results.record import INTERRUPTED, Record
from benchsuite.results.store import RunWriter, read_run
from benchsuite.runner.cell_rounds import CellRounds
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.recorder import ROUNDS
from benchsuite.runner.rounds import Rounds, order
from benchsuite.runner.sweep import run_sweep
from benchsuite.scenario.measure_settings import Measure
from benchsuite.stats.intervals import quantile
from benchsuite.worker.worker_reply import Inspection, WorkerReply
from tests.builders import make_cell
from tests.doubles.scripted_workers import SCENARIO, Scripted, Watching, sweep


class OnSmallGpu(Scripted):
    """On a GPU of 4 GB."""

    def describe(self, *args: Any, **kwargs: Any) -> tuple[str, dict[str, Any]]:
        device, environment = super().describe(*args, **kwargs)
        return device, environment | {"gpu": {"memory_bytes": 4 * 10**9}}


def test_every_cell_that_no_rule_excludes_gets_a_record(scenario: str, tmp_path: Path) -> None:
    result = sweep(Scripted(), tmp_path / "run", scenario)
    assert result.measured == 7  # 2 mixers × 2 resolutions × 2 batches, less one
    assert [record.status for record in result.records] == ["ok"] * 7
    stored = read_run(tmp_path / "run")
    assert {r.id: r for r in stored.records if r.status == "ok"} == {r.id: r for r in result.records}
    assert stored.scenario["name"] == "tiny"
    assert stored.scenario["run"] == {"filter": "", "device": "cuda:0"}


def test_an_excluded_cell_is_a_record_with_the_rule_and_no_failure(scenario: str, tmp_path: Path) -> None:
    sweep(Scripted(), tmp_path / "run", scenario)
    (skipped,) = [record for record in read_run(tmp_path / "run").records if record.status == "skipped"]
    assert (skipped.cell.name, skipped.cell.batch, skipped.cell.resolution) == ("msa", 2, (128, 128))
    assert (skipped.reason, skipped.failed, skipped.timing) == ("too dear", False, None)
    workers = Scripted()
    sweep(workers, tmp_path / "run", resume=tmp_path / "run")
    assert workers.measured == []


def test_a_round_is_a_process_that_visits_every_cell_once_group_by_group(
    scenario: str, tmp_path: Path
) -> None:
    workers = Scripted()
    sweep(workers, tmp_path / "run", scenario)
    assert workers.processes == 5
    assert [number for _, number in workers.visits] == [number for number in range(5) for _ in range(7)]
    every = {f"{name} {size} {batch}" for name in ("msa", "HiLo") for size in (64, 128) for batch in (1, 2)}
    for number in range(5):
        visited = [cell for cell, at in workers.visits if at == number]
        assert set(visited) == every - {"msa 128 2"}
        groups = [cell.partition(" ")[2] for cell in visited]
        assert (
            len([1 for a, b in itertools.pairwise(groups) if a != b]) == 3
        )  # four groups, each in one piece
    records = read_run(tmp_path / "run").records
    timed = [record.timing for record in records if record.timing]
    assert {timing.rounds for timing in timed} == {(10,) * 5}
    assert {timing.warmup_calls for timing in timed} == {5}
    assert not (tmp_path / "run" / ROUNDS).exists()  # no record needs them any more


class Noisy(Scripted):
    """Rounds of HiLo at 64 pixels differ by a tenth; all others are alike."""

    def visit(self, cell: Cell, measure: Measure, visit: Visit) -> WorkerReply[Record]:
        answer = super().visit(cell, measure, visit)
        if answer.value is None or (cell.name, cell.resolution) != ("HiLo", (64, 64)):
            return answer
        samples = (0.1 * (1 + 0.1 * (visit.round % 2)),) * 10
        assert answer.value.timing is not None
        timing = replace(answer.value.timing, samples_s=samples)
        return WorkerReply(replace(answer.value, timing=timing))


def test_a_cell_too_large_for_retained_memory_is_timed_as_the_system_has_it_under_its_own_id() -> None:
    """Once it has run out, it is asked for nothing else; its rounds are those of the cell of the scenario."""
    asked: list[str] = []

    class Full(Scripted):
        def visit(self, cell: Cell, measure: Measure, visit: Visit) -> WorkerReply[Record]:
            asked.append(cell.allocator)
            self.script = {"MSA": "oom"} if cell.allocator == "retain" else {}
            return super().visit(cell, measure, visit)

    rounds: list[Record] = []
    cell, measure = make_cell(), Measure(metrics=("latency",), rounds=3, precision=None, memory_limit=1 << 30)
    (record,) = Rounds(
        measure=measure,
        workers=Full(),  # type: ignore[arg-type]
        stopping=lambda: False,
        visited=lambda _, visit: rounds.append(visit),
    ).records([cell])
    assert asked == ["retain", "system", "system", "system"]
    assert (record.status, record.attempts, record.cell) == ("ok", 1, cell)
    assert [(one.id, one.cell) for one in rounds] == [(cell.id, cell)] * 3


def counts(folder: Path) -> dict[str, tuple[int, str]]:
    """Cell → how many rounds it had, and what ended them."""
    return {
        f"{record.cell.name} {record.cell.resolution[0]}": (
            len(record.timing.rounds),
            record.timing.stopped_by,
        )
        for record in read_run(folder).records
        if record.timing
    }


def test_a_group_in_which_a_cell_is_not_precise_gets_more_rounds_whole_and_the_others_do_not(
    scenario: str, tmp_path: Path
) -> None:
    sweep(Noisy(), tmp_path / "run", scenario, filter="batch=1", overrides=("measure.max_rounds=8",))
    assert counts(tmp_path / "run") == {
        "msa 64": (8, "precision"),
        "HiLo 64": (8, "rounds"),
        "msa 128": (5, "precision"),
        "HiLo 128": (5, "precision"),
    }


@pytest.mark.parametrize(
    ("override", "rounds", "ended"),
    [
        ("measure.precision=null", 5, "samples"),
        ("measure.rule=fixed", 5, "samples"),
        ("measure.rounds=2", 2, "rounds"),
    ],
)
def test_without_a_precision_to_reach_there_are_as_many_rounds_as_asked_for(
    scenario: str, tmp_path: Path, override: str, rounds: int, ended: str
) -> None:
    sweep(Noisy(), tmp_path / "run", scenario, filter="batch=1", overrides=(override,))
    assert counts(tmp_path / "run")["HiLo 64"] == (rounds, ended)


def test_a_killed_run_goes_on_with_the_rounds_that_whole_groups_have_had(
    scenario: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        sweep(Scripted(stop_after=8), folder, scenario, filter="batch=1")
    assert read_run(folder).records == ()
    workers = Scripted()
    sweep(workers, folder, resume=folder)
    # Two rounds of all four cells were written down, unless the second round of a group lacked a cell.
    assert len(workers.visits) == 4 * 5 - 8
    assert {number for _, number in workers.visits} == {2, 3, 4}
    assert {timing for timing, _ in counts(folder).values()} == {5}
    assert {record.session for record in read_run(folder).records if record.timing} == {1}
    assert not (folder / ROUNDS).exists()


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ({"cpu": {"threads": 2}}, "2 threads, memory left"),
        ({"allocator": {"can_retain": True}}, "memory retained"),
    ],
)
def test_a_run_is_not_gone_on_with_on_other_threads_or_another_allocator(
    scenario: str, tmp_path: Path, before: dict[str, Any], words: str
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        sweep(Broken(device="cpu"), folder, scenario, profiles=("other",))
    environment = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_text(json.dumps(environment | before))
    with pytest.raises(NotComparableError, match=f"were timed with .*{words}"):
        sweep(Scripted(device="cpu"), folder, resume=folder)


def test_a_round_that_a_group_has_not_finished_is_measured_again(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        sweep(Scripted(stop_after=5), folder, scenario, filter="batch=1")
    workers = Scripted()
    sweep(workers, folder, resume=folder)
    assert len(workers.visits) == 4 * 5 - 4
    assert min(number for _, number in workers.visits) == 1


def test_rounds_of_another_machine_are_not_gone_on_with(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        sweep(Scripted(stop_after=8), folder, scenario, filter="batch=1")
    environment = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_text(json.dumps(environment | {"machine": "another"}))
    workers = Scripted()
    sweep(workers, folder, resume=folder)
    assert len(workers.visits) == 4 * 5


def test_a_cell_that_fails_in_a_later_round_is_a_failure_and_the_others_go_on(
    scenario: str, tmp_path: Path
) -> None:
    class Late(Scripted):
        def visit(self, cell: Cell, measure: Measure, visit: Visit) -> WorkerReply[Record]:
            self.script = {"HiLo": "crash"} if visit.round == 3 else {}
            return super().visit(cell, measure, visit)

    sweep(Late(), tmp_path / "run", scenario, filter="resolution=64 batch=1")
    found = {record.cell.name: record for record in read_run(tmp_path / "run").records}
    assert (found["HiLo"].status, found["HiLo"].timing) == ("crash", None)
    assert counts(tmp_path / "run") == {"msa 64": (5, "precision")}


def test_the_order_of_a_round_is_shuffled_there_and_back_or_as_written() -> None:
    cells = [CellRounds(make_cell(name=name)) for name in "abcdefgh"]

    def names(kind: Any, number: int, seed: int = 0) -> str:
        return "".join(one.cell.name for one in order(cells, number, kind, seed))

    assert names("sequential", 1) == "abcdefgh"
    assert (names("abba", 0), names("abba", 1), names("abba", 2)) == ("abcdefgh", "hgfedcba", "abcdefgh")
    assert sorted(names("shuffled", 0)) == list("abcdefgh")
    assert names("shuffled", 0) == names("shuffled", 0)  # the same again on resuming
    assert len({names("shuffled", number, seed) for number in range(3) for seed in range(3)}) > 1


def test_interleaving_takes_the_bias_of_drift_away() -> None:
    """On a machine that slows down steadily, cells that are alike look alike only in several rounds."""

    def ratio(rounds: int) -> float:
        clock = iter(1.0 + 0.001 * step for step in range(1000))
        samples: dict[str, list[float]] = {"a": [], "b": []}
        for number in range(rounds):
            for one in order([CellRounds(make_cell(name=n)) for n in "ab"], number, "abba", 0):
                samples[one.cell.name] += [next(clock) for _ in range(60 // rounds)]
        return quantile(samples["b"], 0.5) / quantile(samples["a"], 0.5)

    assert ratio(1) > 1.05
    assert abs(ratio(2) - 1) < 0.002


def test_a_retry_repeats_the_round_and_is_counted(scenario: str, tmp_path: Path) -> None:
    workers = Scripted({"HiLo": "crash"})
    workers.failures_left = 1
    result = sweep(
        workers,
        tmp_path / "run",
        scenario,
        overrides=("measure.retry.crash=2",),
        filter="resolution=64 batch=1 mixer=HiLo",
    )
    assert [(r.status, r.attempts) for r in result.records] == [("ok", 2)]


def test_a_retry_that_fails_again_is_a_failure_with_its_attempts(scenario: str, tmp_path: Path) -> None:
    overrides = ("measure.retry.crash=2",)
    result = sweep(
        Scripted({"HiLo": "crash"}),
        tmp_path / "run",
        scenario,
        overrides=overrides,
        filter="resolution=64 batch=1 mixer=HiLo",
    )
    assert [(r.status, r.attempts) for r in result.records] == [("crash", 3)]


def test_resuming_can_measure_failures_anew(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(Scripted({"HiLo": "timeout", "msa": "error"}), folder, scenario)
    workers = Scripted()
    result = sweep(workers, folder, resume=folder, retry=("timeout",))
    assert {cell.name for cell in workers.measured} == {"HiLo"}
    assert {(r.cell.name, r.status) for r in result.records} == {("HiLo", "ok"), ("msa", "error")}
    assert {(r.cell.name, r.status) for r in read_run(folder).records if r.status != "skipped"} == {
        ("HiLo", "ok"),
        ("msa", "error"),
    }


def test_the_result_knows_the_machine_of_each_session(scenario: str, tmp_path: Path) -> None:
    """Intervals that are printed at the end of a run take the drift of the machine from it."""
    folder = tmp_path / "run"
    first = sweep(Scripted({"HiLo": "timeout"}), folder, scenario)
    assert first.environments == read_run(folder).environments != {}
    again = sweep(Scripted(), folder, resume=folder, retry=("timeout",))
    assert {record.session for record in again.records} == {1, 2}
    assert again.environments == read_run(folder).environments


def test_asked_to_stop_a_sweep_keeps_what_has_enough_samples_and_goes_on_with_the_rest(
    scenario: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    workers = Scripted()
    result = sweep(workers, folder, scenario, stopping=lambda: len(workers.visits) >= 8)
    assert len(workers.visits) == 8  # every cell was visited once, and one of them twice
    assert result.stopped
    assert result.missing == 7  # as `status` says
    assert [r.timing and r.timing.stopped_by for r in result.records] == [INTERRUPTED] * 7
    again = Scripted()
    finished = sweep(again, folder, resume=folder)
    assert len(again.visits) == 7 * 5 - 8  # the eighth was the whole of a group of one
    assert not finished.stopped
    assert {r.timing and r.timing.stopped_by for r in finished.records} == {"precision"}


@pytest.mark.parametrize(("device", "inspected"), [("cuda:0", 7), ("cpu", 0)])
def test_a_gpu_tells_how_long_it_was_busy_also_where_no_memory_is_wanted(
    scenario: str, tmp_path: Path, device: str, inspected: int
) -> None:
    workers = Scripted(device=device)
    overrides = ("measure.metrics=[latency]",)
    sweep(workers, tmp_path / "run", scenario, overrides=overrides, profiles=("other",))
    assert workers.inspected == inspected


def test_a_timeout_names_what_the_cell_was_given(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = sweep(
        Scripted({"HiLo": "timeout"}),
        folder,
        scenario,
        overrides=("measure.timeout_s=7",),
        filter="mixer=HiLo resolution=64 batch=1",
    )
    assert [r.reason for r in result.records] == ["took longer than 7 s; its process was ended"]


def test_two_runs_cannot_write_to_one_folder(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(Scripted(stop_after=99), folder, scenario)
    writer = RunWriter.resume(folder, {})
    try:
        with pytest.raises(RunFolderError, match=rf"another benchsuite \(process {os.getpid()}\) is writing"):
            RunWriter.resume(folder, {})
    finally:
        writer.close()
    RunWriter.resume(folder, {}).close()


def test_failures_are_records_and_the_sweep_goes_on(scenario: str, tmp_path: Path) -> None:
    result = sweep(Scripted({"HiLo": "oom"}), tmp_path / "run", scenario)
    assert {r.timing for r in result.records if r.status == "oom"} == {None}
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


def test_a_record_says_what_attention_ran_on(scenario: str, tmp_path: Path) -> None:
    sweep(Scripted(), tmp_path / "run", scenario)
    stored = [record for record in read_run(tmp_path / "run").records if record.status == "ok"]
    assert {record.attention_backend for record in stored} == {("flash",)}


@pytest.mark.parametrize("memory", ["1MB", "8GB"])
def test_too_little_memory_is_expected_of_small_devices_only(
    scenario: str, tmp_path: Path, memory: str
) -> None:
    Path(scenario).write_text(SCENARIO.replace("reason: planted", f"memory_below: {memory}, reason: planted"))
    result = sweep(OnSmallGpu({"HiLo": "oom"}), tmp_path / "run", scenario)
    planted = [r for r in result.records if r.cell.name == "HiLo" and r.cell.batch == 2]
    assert {record.expected for record in planted} == {memory == "8GB"}


def test_only_the_expected_status_is_expected(scenario: str, tmp_path: Path) -> None:
    result = sweep(Scripted({"HiLo": "error"}), tmp_path / "run", scenario)
    assert all(record.failed for record in result.records if record.cell.name == "HiLo")


def test_a_cell_that_cannot_be_built_is_not_tried_on_the_device(scenario: str, tmp_path: Path) -> None:
    workers = Scripted({"HiLo": "unbuildable"})
    result = sweep(workers, tmp_path / "run", scenario)
    assert {cell.name for cell in workers.measured} == {"msa"}
    hilo = [record for record in result.records if record.cell.name == "HiLo"]
    assert {(record.status, record.reason) for record in hilo} == {("unsupported", "odd grid")}


def test_a_cell_that_is_too_large_is_counted_but_not_tried(scenario: str, tmp_path: Path) -> None:
    workers = Scripted({"HiLo": "too large"})
    result = sweep(workers, tmp_path / "run", scenario)
    assert {cell.name for cell in workers.measured} == {"msa"}
    hilo = [record for record in result.records if record.cell.name == "HiLo"]
    assert {(record.status, record.reason) for record in hilo} == {("oom", "needs about 3 TiB")}
    assert all(record.cost and record.cost.macs == 1000 for record in hilo)


class Broken(Scripted):
    """Is ended after the memory of four cells was looked at."""

    def inspect(
        self, cell: Cell, measure: Measure, timeout_s: float | None = None
    ) -> WorkerReply[Inspection]:
        if self.inspected == 4:
            raise KeyboardInterrupt
        return super().inspect(cell, measure, timeout_s)


def test_resuming_measures_only_what_is_missing(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        sweep(Broken(), folder, scenario)
    before = [record for record in read_run(folder).records if record.status == "ok"]
    workers = Scripted()
    result = sweep(workers, folder, resume=folder)
    assert len(before) == 4
    assert workers.visits == []  # all rounds were written down
    assert workers.inspected == result.measured == 3
    assert list(result.records[:4]) == before
    assert [record.session for record in result.records] == [1] * 7  # that of their rounds


def test_resuming_a_finished_run_measures_nothing_and_adds_no_session(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(Scripted(), folder, scenario)
    workers = Scripted()
    result = sweep(workers, folder, scenario, resume=folder)
    assert workers.measured == []
    assert result.measured == 0
    assert not (folder / "environment-2.json").exists()


def test_resuming_keeps_the_filter_and_the_device_of_the_run(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        sweep(Scripted(stop_after=2), folder, scenario, filter="mixer=msa")
    workers = Scripted(device="cpu")
    result = sweep(workers, folder, resume=folder)
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
        with pytest.raises(UsageError, match="leave out --filter, --device and --shard"):
            sweep(Scripted(), folder, resume=folder, **request)


def test_a_taken_folder_is_refused_before_anything_is_measured(scenario: str, tmp_path: Path) -> None:
    workers = Scripted()
    with pytest.raises(RunFolderError, match="is not empty"):
        sweep(workers, tmp_path, scenario)
    assert workers.measured == []


def test_the_observer_hears_of_every_cell_and_of_the_end(scenario: str, tmp_path: Path) -> None:
    observer = Watching()
    workers = Scripted({"HiLo": "oom"}, stop_after=2)
    prepared = prepare(Request(reference=scenario, overrides=("measure.order=sequential",)), workers)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(prepared, tmp_path / "run", LocalExecutor(workers), observer)
    assert observer.events == ["begin 7 0", "cell msa", "cell HiLo", "oom", "cell msa", "end"]
