"""Series over many runs: what belongs together, in which order, and what is said of a step."""

from __future__ import annotations

import dataclasses
import math

import pytest

from benchsuite.findings.history import Series, history, revision_range
from benchsuite.report.history_page import named
from benchsuite.results.machine import machine_name
from benchsuite.results.store import Run
from tests.report.runs import on
from tests.report.synthetic import make_record


def days(latencies: list[float | None], **changes: object) -> list[Run]:
    """A run a day with one cell; None: it ran out of memory."""
    return [
        on([make_record(latency=s) if s else make_record(status="oom")], path=f"r{i}", day=i, **changes)  # type: ignore[arg-type]
        for i, s in enumerate(latencies, start=1)
    ]


def only(runs: list[Run]) -> Series:
    (series,) = history(runs)
    return series


def test_a_cell_on_one_machine_is_one_series_in_order_of_time() -> None:
    series = only(days([0.01, 0.02, 0.03])[::-1])
    assert [point.run for point in series.points] == ["r1", "r2", "r3"]
    assert [point.latency_s for point in series.points] == pytest.approx([0.01, 0.02, 0.03])


def test_machines_scenarios_and_cells_are_series_of_their_own() -> None:
    runs = [
        on([make_record(), make_record(resolution=448)]),
        on([make_record()], gpu="NVIDIA A100"),
        on([make_record()], name="other"),
    ]
    found = history(runs)
    assert [(one.scenario, one.machine, one.cell.resolution[0]) for one in found] == [
        ("hilo", "NVIDIA H200", 224),
        ("hilo", "NVIDIA H200", 448),
        ("hilo", "NVIDIA A100", 224),
        ("other", "NVIDIA H200", 224),
    ]
    assert [one.scenario for one in history(runs, "other")] == ["other"]


@pytest.mark.parametrize(
    "other",
    [{"torch": "9.9", "os": "other"}, {"device": "cuda:1"}, {"flags": {"omp_num_threads": "3"}}],
)
def test_software_and_settings_do_not_make_another_machine(other: dict[str, object]) -> None:
    found = history([on([make_record()]), on([make_record()], day=2, environment=other)])
    assert [(one.machine, len(one.points)) for one in found] == [("NVIDIA H200", 2)]


def test_a_cpu_is_known_by_its_hardware_and_not_by_the_threads_of_a_run() -> None:
    def name(**changes: object) -> str:
        cpu = {"model": "Xeon", "instructions": "AVX512", "logical_cores": 8, "threads": 2}
        return machine_name({"device": "cpu", "cpu": cpu | changes})

    assert name() == name(threads=1) == "Xeon, AVX512, 8 cores"
    assert len({name(), name(model="EPYC"), name(logical_cores=4), name(instructions="AVX2")}) == 4
    assert machine_name({}) == "a machine that is not described"


def test_other_threads_or_allocator_begin_a_new_series_which_says_so() -> None:
    def timed(threads: int, allocator: str, day: int) -> Run:
        record = make_record(device="cpu")
        assert record.timing is not None
        timing = dataclasses.replace(record.timing, threads=threads, allocator=allocator)
        return on([dataclasses.replace(record, timing=timing)], path=f"r{day}", day=day)

    failed = on([make_record(device="cpu", status="oom")], path="r3", day=3)
    runs = [
        timed(2, "system", 1),
        timed(2, "system", 2),
        failed,
        timed(2, "retain", 4),
        timed(1, "retain", 5),
    ]
    found = history(runs)
    assert [(one.manner, [point.run for point in one.points]) for one in found] == [
        ("2 threads, the system's allocator", ["r1", "r2", "r3"]),
        ("2 threads, retained memory", ["r4"]),
        ("1 thread, retained memory", ["r5"]),
    ]
    assert [one.manner for one in history(runs[:3])] == [""]
    assert "hilo, 224 px, math, 2 threads, retained memory" in named(found).values()


def test_a_copy_of_a_run_counts_once() -> None:
    (run,) = days([0.01])
    assert len(only([run, dataclasses.replace(run, path=run.path / "copy")]).points) == 1


def test_a_failed_cell_has_its_place_and_no_time() -> None:
    series = only(days([0.01, None, 0.01]))
    assert [point.latency_s is None for point in series.points] == [False, True, False]
    assert len(series.timed) == 2


def test_skipped_cells_are_in_no_series() -> None:
    skipped = dataclasses.replace(make_record(), status="skipped", timing=None)
    assert history([on([skipped])]) == []


STEPPED = [0.01 * (1 + 0.001 * (i % 3)) * (1.1 if i >= 6 else 1) for i in range(12)]


def test_a_step_names_the_revisions_between_which_it_came() -> None:
    (shift,) = only(days([*STEPPED])).shifts
    assert shift.revisions == "0000006..0000007"
    assert (shift.before.run, shift.after.run) == ("r6", "r7")
    assert shift.step.ratio == pytest.approx(1.1, rel=1e-3)
    assert shift.differences == ()
    assert shift.counted == ()


def test_a_failed_run_in_between_widens_the_range() -> None:
    (shift,) = only(days([*STEPPED[:6], None, *STEPPED[6:]])).shifts
    assert shift.revisions == "0000006..0000008"


def test_what_else_changed_with_a_step_is_told() -> None:
    before = days([*STEPPED[:6]])
    after = [
        on([make_record(latency=s, macs=2_000_000_000)], path=f"r{i}", day=i, environment={"torch": "9.9"})
        for i, s in enumerate(STEPPED[6:], start=7)
    ]
    (shift,) = only(before + after).shifts
    assert [(one.label, one.new) for one in shift.differences] == [("PyTorch", "9.9")]
    assert [(one.metric, one.old, one.new) for one in shift.counted] == [
        ("macs", 1_000_000_000, 2_000_000_000)
    ]


def test_exact_numbers_are_told_exactly_where_they_change() -> None:
    macs = [100, 100, 120, 120, 100]
    runs = [on([make_record(macs=n)], day=day) for day, n in enumerate(macs, start=1)]
    found = [
        (revision_range(before, after), change.old, change.new)
        for before, after, change in only(runs).changes
    ]
    assert found == [("0000002..0000003", 100, 120), ("0000004..0000005", 120, 100)]


def test_a_revision_is_short_and_says_what_is_not_known() -> None:
    clean = only(days([0.01])).points[0]
    dirty = dataclasses.replace(clean, dirty=True)
    unknown = dataclasses.replace(clean, commit=None)
    assert (clean.revision, dirty.revision, unknown.revision) == ("0000001", "0000001+", "unknown revision")
    assert revision_range(clean, clean) == "0000001"
    assert revision_range(unknown, unknown) == "unknown revision"


def test_the_trend_is_of_log_medians() -> None:
    trend = only(days([*STEPPED])).trend
    assert trend.steps[0].size == pytest.approx(math.log(1.1), abs=1e-3)
