"""How the numbers came about, in words."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

from benchsuite.report import method
from benchsuite.report.machine_table import machine_table
from benchsuite.results.record import Busy
from benchsuite.results.store import Run
from tests.report.synthetic import ENVIRONMENT, make_record, make_run


def rows(run: Run) -> dict[str, list[str]]:
    table = machine_table(run)
    return {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in table.rows}


def with_sessions(*environments: dict[str, Any]) -> Run:
    run = make_run([make_record()])
    return dataclasses.replace(
        run, environment=environments[0], environments=dict(enumerate(environments, start=1))
    )


def facts(run: Run) -> dict[str, str]:
    return dict(method.protocol(run))


def test_the_environment_is_flat_and_readable() -> None:
    found = rows(make_run([make_record()]))
    assert found["GPU"] == ["NVIDIA H200"]
    assert found["GPU memory"] == ["140.4 GiB"]
    assert found["TF32 matmul"] == ["no"]
    assert found["CPU cores"] == ["16"]
    assert "Command" not in found  # it has a place of its own


def test_what_stands_twice_is_shown_once() -> None:
    assert rows(with_sessions({"torch": "2.13", "packages": {"torch": "2.13", "numpy": "2.4"}})) == {
        "PyTorch": ["2.13"],
        "numpy": ["2.4"],
    }


def test_what_is_not_known_of_the_machine_is_left_out() -> None:
    assert rows(with_sessions({"gpu": None, "torch": "2.13", "git": {}})) == {"PyTorch": ["2.13"]}
    assert rows(with_sessions({})) == {}


def test_a_resume_on_another_machine_gets_a_column_and_a_warning() -> None:
    run = with_sessions(ENVIRONMENT, ENVIRONMENT | {"torch": "2.14", "started_at": "later"})
    assert rows(run)["PyTorch"] == ["2.13.0+cu128", "2.14"]
    assert any("software changed within the run" in text for text in method.warnings(run))


def test_a_resume_on_the_same_machine_is_no_news() -> None:
    run = with_sessions(ENVIRONMENT, ENVIRONMENT | {"started_at": "later", "command": ["other"]})
    assert rows(run)["PyTorch"] == ["2.13.0+cu128"]
    assert method.warnings(run) == []


def test_the_command_is_quoted_for_a_shell() -> None:
    assert (
        method.command(with_sessions({"command": ["run", "a b", "--set", "x=$y"]}))
        == "run 'a b' --set 'x=$y'"
    )
    assert method.command(with_sessions({"command": "run x"})) == "run x"
    assert method.command(with_sessions({})) is None


def test_samples_are_counted() -> None:
    run = make_run(
        [make_record("a", samples=20), make_record("b", samples=10), make_record("c", status="oom")]
    )
    assert facts(run)["Samples"] == "10 to 20 samples (median 15) a cell. None was dropped."


def test_methods_of_timing_and_memory_are_explained() -> None:
    found = facts(make_run([make_record()]))
    assert "CUDA events" in found["Timing"]
    assert "12 warm-up calls (0.5 s)" in found["Timing"]
    assert "caching allocator" in found["Memory"]
    assert found["MACs"].endswith("counted by fvcore 0.1.5.")


def test_how_device_time_was_read_is_said_of_each_cell() -> None:
    records = []
    for name, how in (("A", "cuda_graph"), ("B", "profiler"), ("C", "profiler")):
        record = make_record(name)
        assert record.timing is not None
        busy = Busy(seconds=1e-3, method=how)
        records.append(replace(record, timing=replace(record.timing, busy=busy)))
    assert facts(make_run(records))["Device time"] == (
        "replays of the step, captured as one CUDA graph (1 cell) and the time in which a kernel ran, as the "
        "profiler saw it (2 cells); in a pass of its own."
    )
    assert "Device time" not in facts(make_run([make_record()]))


def test_what_memory_leaves_out_is_said() -> None:
    said = facts(make_run([make_record()]))["Memory"]
    assert said.endswith("masks and tables that a module keeps outside its parameters and buffers are not.")


def test_what_could_not_be_counted_is_named_with_its_reason() -> None:
    run = make_run([replace(make_record("a"), cost=None, not_counted='on "meta" KeyError: 1')])
    assert facts(run)["Not counted"] == 'a: on "meta" KeyError: 1.'
    assert "MACs" not in facts(run)


def test_networks_with_windows_that_are_not_their_own_are_named() -> None:
    said = facts(make_run([make_record("M"), make_record("M, windows 14×14")]))["Windows"]
    assert "timm scales those of M, windows 14×14 with the image" in said


def test_counters_that_disagree_are_named() -> None:
    record = make_record("a")
    assert record.cost is not None
    other = replace(record, cost=replace(record.cost, cross_check_macs=record.cost.macs + 1))
    same = replace(record, cost=replace(record.cost, cross_check_macs=record.cost.macs))
    assert (
        "1,000,000,000 MACs counted, 1,000,000,001 by the other counter"
        in facts(make_run([other, record]))["MACs"]
    )
    assert "other counter" not in facts(make_run([same]))["MACs"]


def test_operators_without_a_rule_are_named() -> None:
    assert "not counted: aten::im2col" in facts(make_run([make_record(exact=False)]))["MACs"]


def test_settings_profiles_and_overrides_of_the_scenario_are_listed() -> None:
    found = facts(make_run([], measure={"precision": 0.01}, applied=["cpu"], overrides=["sweep.batch=1"]))
    assert found == {"Settings": "precision 0.01", "Profiles": "cpu", "Overrides": "sweep.batch=1"}


def test_cells_that_failed_alike_share_an_entry() -> None:
    records = [make_record(resolution=r, status="oom") for r in (224, 448)]
    (trouble,) = method.troubles(records, "cell-")
    assert (trouble.status, trouble.where) == ("OOM", "OutOfMemoryError in stage time")
    assert trouble.cells == tuple((record.id, f"cell-{record.id}") for record in records)
    other = make_record("b", status="oom", reason="another")
    assert len(method.troubles([*records, other], "cell-")) == 2


def test_rules_of_the_scenario_are_given_with_their_reasons() -> None:
    run = make_run(
        [],
        exclude=[{"where": "mixer=performer kernel!=math", "reason": "no matrix"}],
        expect=[{"where": "resolution>=896", "status": ["oom", "error"], "reason": "too large"}],
    )
    assert method.rules(run) == [
        ("Left out: mixer=performer kernel!=math", "no matrix"),
        ("Expected OOM or error: resolution>=896", "too large"),
    ]


def test_warnings_name_what_weakens_the_numbers() -> None:
    timed = make_record("b")
    assert timed.timing is not None
    slow = dataclasses.replace(timed, timing=dataclasses.replace(timed.timing, stopped_by="time"))
    run = make_run([make_record("a", samples=3), slow])
    run = dataclasses.replace(
        run, warnings=("records.jsonl:9: torn",), environment=ENVIRONMENT | {"git": {"dirty": True}}
    )
    assert method.warnings(run) == [
        "records.jsonl:9: torn",
        "1 cell with fewer than 3 rounds: no interval, no order is stated",
        "1 cell ended before the wanted precision of 0.01 was reached",
        "benchsuite's own working tree had uncommitted changes",
    ]


def test_a_sound_run_has_no_warnings() -> None:
    assert method.warnings(make_run([make_record()])) == []


def test_measured_ceilings_are_rates_and_no_data_structure() -> None:
    one = {
        "device": "cpu", "threads": 2, "macs_per_s": {"fp32": 134_846_779_799.8}, "method": "median of 3",
        "copy_bytes_per_s": 25_983_163_798.0,
    }  # fmt: skip
    found = rows(with_sessions({"ceilings": [one, {"device": "cuda", "macs_per_s": {"fp16": 3e14}}]}))
    assert found["Ceilings (cpu, 2 threads)"] == ["fp32 134.8 GMAC/s; copy 25.98 GB/s; median of 3"]
    assert found["Ceilings (cuda)"] == ["fp16 300 TMAC/s"]
    assert rows(with_sessions({"ceilings": one})) == {
        "Ceilings (cpu, 2 threads)": [next(iter(found.values()))[0]]
    }


def test_the_setting_that_asks_for_ceilings_stays_a_setting() -> None:
    assert facts(make_run([make_record()], measure={"ceilings": True}))["Settings"] == "ceilings yes"


def test_a_cell_that_reached_the_precision_with_its_last_sample_is_not_short_of_it() -> None:
    record = make_record("a")
    assert record.timing is not None

    def warned(precision: float) -> list[str]:
        timing = dataclasses.replace(record.timing, stopped_by="samples", precision=precision)  # type: ignore[type-var]
        return method.warnings(make_run([dataclasses.replace(record, timing=timing)]))

    assert warned(0.009) == []
    assert warned(0.011) == ["1 cell ended before the wanted precision of 0.01 was reached"]
