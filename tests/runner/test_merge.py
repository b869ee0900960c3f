"""Shards and partial runs that become one run again, and those that must not."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.api.results import load
from benchsuite.cli.across_runs import merge as merge_command
from benchsuite.errors import (
    NotComparableError,
    RecordVersionError,
    RunFolderError,
    ScenarioError,
    StorageError,
    UsageError,
)
from benchsuite.io import lock, unlock
from benchsuite.report.answer import answer
from benchsuite.report.cells import missing
from benchsuite.report.cells import read as read_cells
from benchsuite.results.cell import Cell
from benchsuite.results.codec import encode
from benchsuite.results.record import Conditions, Record
from benchsuite.results.store import RECORDS, RunWriter, read_run
from benchsuite.runner.merge import merge
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.status import status as status_of
from benchsuite.scenario.expand import expand
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.stored_scenario import cells as cells_of
from tests.builders import make_record
from tests.runner.test_sweep import Scripted

# Two mixers, one of them with a nested parameter that is not ASCII, 3 sizes, 2 kernels: 12 cells, 3 groups.
SWEEP: dict[str, Any] = {
    "mixer": ["msa", {"name": "window", "label": "W‑MSA α", "params": {"session": {"ω": [1, None, 0.1]}}}],
    "resolution": [64, 96, 128],
    "kernel": ["math", "sdpa"],
    "dim": 32,
    "num_heads": 4,
}


def scenario(**changes: Any) -> Scenario:
    return Scenario.model_validate({"name": "s", "title": "S", "sweep": SWEEP} | changes)


def cells() -> tuple[Cell, ...]:
    return expand(scenario(), device="cpu")


def machine(name: str, version: str = "0.1.0") -> dict[str, Any]:
    return {"machine": name, "packages": {"benchsuite": version}}


def write(
    folder: Path,
    records: Sequence[Record],
    *,
    document: Scenario | None = None,
    machines: Sequence[Mapping[str, Any]] = (),
    **run: Any,
) -> Path:
    """A run folder as a sweep leaves it."""
    folder.mkdir(parents=True)
    data = (document or scenario()).to_dict() | {"run": {"filter": "", "device": "cpu"} | run}
    (folder / "scenario.json").write_text(json.dumps(data))
    for session, one in enumerate(machines or [machine(folder.name)], start=1):
        name = "environment.json" if session == 1 else f"environment-{session}.json"
        (folder / name).write_text(json.dumps(one))
    (folder / RECORDS).write_text("".join(encode(record) + "\n" for record in records), encoding="utf-8")
    return folder


def table(folder: Path) -> pd.DataFrame:
    """What the run says, whatever its sessions are called and whatever their order."""
    frame = load(folder).frame().sort_values("cell").reset_index(drop=True)
    return frame.drop(columns="session")


positive = st.floats(min_value=1e-9, max_value=1e6, allow_subnormal=False)


@st.composite
def results(draw: st.DrawFn) -> tuple[Record, ...]:
    """A record for each cell: one to eight samples, failures, values that are absent, and odd texts."""
    found = []
    for cell in cells():
        status = draw(st.sampled_from(["ok", "ok", "oom", "unsupported"]))
        record = make_record(cell, samples=draw(st.lists(positive, min_size=1, max_size=8)), status=status)
        load_1min = draw(st.none() | positive)
        odd = {"note": draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5)), "load": load_1min}
        found.append(replace(record, conditions=Conditions(before=odd, after={})))
    return tuple(found)


@pytest.mark.slow
@given(results(), st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_split_of_a_run_into_parts_merges_back_into_the_same_table(
    records: tuple[Record, ...], data: st.DataObject
) -> None:
    """Parts may overlap, be empty, and have been measured in several sessions each."""
    count = data.draw(st.integers(1, 4))
    held_by = [
        data.draw(st.sets(st.integers(0, count - 1), min_size=1), label=record.id) for record in records
    ]
    second = data.draw(st.sets(st.sampled_from(range(len(records)))))  # measured after a resume
    measured = [replace(record, session=2 if i in second else 1) for i, record in enumerate(records)]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        whole = write(root / "whole", measured, machines=[machine("a"), machine("b")])
        parts = [
            write(
                root / f"part{part}",
                [record for record, parts in zip(measured, held_by, strict=True) if part in parts],
                machines=[machine("a"), machine("b")],
                shard={"index": part + 1, "count": count},
            )
            for part in range(count)
        ]
        merged = merge(parts, root / "merged", complete=True)
        pd.testing.assert_frame_equal(table(merged.folder), table(whole))
        run = read_run(merged.folder)
        assert run.warnings == ()
        assert {record.id: record for record in run.records} == {record.id: record for record in measured}
        assert [record.id for record in run.records] == [cell.id for cell in cells()]
        assert dict(run.environments) == {1: machine("a"), 2: machine("b")}
        assert merged.twice == sum(len(parts) - 1 for parts in held_by)
        again = merge([merged.folder], root / "again")
        assert (again.folder / RECORDS).read_bytes() == (merged.folder / RECORDS).read_bytes()


def all_records() -> list[Record]:
    return [make_record(cell) for cell in cells()]


def test_every_record_keeps_the_machine_that_it_was_measured_on(tmp_path: Path) -> None:
    records = all_records()
    later = [replace(record, session=2) for record in records[4:8]]
    one = write(tmp_path / "one", [*records[:4], *later], machines=[machine("a"), machine("b")])
    other = write(tmp_path / "other", records[8:], machines=[machine("c")])
    run = read_run(merge([one, other], tmp_path / "out").folder)
    where = [run.environments[record.session]["machine"] for record in run.records]
    assert where == ["a"] * 4 + ["b"] * 4 + ["c"] * 4


def test_a_number_that_only_looks_like_the_session_is_left_alone(tmp_path: Path) -> None:
    """Each line of the labelled mixer has a parameter called session, too; it must stay as it is."""
    records = all_records()
    out = merge(
        [write(tmp_path / "a", records[:6]), write(tmp_path / "b", records[6:])], tmp_path / "out"
    ).folder
    assert [record.cell for record in read_run(out).records] == [record.cell for record in records]
    assert [record.session for record in read_run(out).records] == [1] * 6 + [2] * 6


def test_the_merged_run_stores_a_scenario_without_shards_that_expands_to_all_cells(tmp_path: Path) -> None:
    records = all_records()
    parts = [
        write(tmp_path / f"{i}", records[i::2], shard={"index": i + 1, "count": 2}, filter="mixer=msa")
        for i in range(2)
    ]
    merged = merge(parts, tmp_path / "out")
    stored = read_run(merged.folder).scenario
    assert stored["run"] == {"filter": "mixer=msa", "device": "cpu"}
    assert [cell.name for cell in cells_of(stored)[0]] == ["msa"] * 6
    assert merged.notes[0].startswith("records of no cell of the scenario: 6 (w-msa")


def test_runs_with_different_filters_are_parts_of_the_whole_scenario(tmp_path: Path) -> None:
    records = all_records()
    halves = [
        write(tmp_path / kernel, [r for r in records if r.cell.kernel == kernel], filter=f"kernel={kernel}")
        for kernel in ("math", "sdpa")
    ]
    merged = merge(halves, tmp_path / "out", complete=True)
    assert read_run(merged.folder).scenario["run"]["filter"] == ""
    assert merged.missing == ()
    (note,) = merged.notes  # each group has a half from either run
    assert note.startswith("comparison groups measured in more than one session: 3 of 3; ")


def test_cells_that_no_run_has_are_named_and_with_complete_refused(tmp_path: Path) -> None:
    records = all_records()
    part = write(tmp_path / "part", records[:7], shard={"index": 1, "count": 3})
    merged = merge([part], tmp_path / "out")
    assert merged.missing == tuple(record.id for record in records[7:])
    ids = ", ".join(record.id for record in records[7:10])
    assert merged.notes == (
        "of 3 shards these are not among the runs: 2, 3",
        f"cells of the scenario that no run has: 5 ({ids} and 2 more)",
    )
    with pytest.raises(RunFolderError) as error:
        merge([part], tmp_path / "all", complete=True)
    assert str(error.value) == (
        f"cells of the scenario that no run has: 5 ({ids} and 2 more); nothing was merged (--complete)"
    )
    assert not (tmp_path / "all").exists()


def test_shards_of_different_wholes_and_a_shard_that_is_named_twice_are_said(tmp_path: Path) -> None:
    records = all_records()
    parts = [
        write(tmp_path / "a", records, shard={"index": 1, "count": 2}),
        write(tmp_path / "b", records, shard={"index": 1, "count": 2}),
        write(tmp_path / "c", records, shard={"index": 1, "count": 1}),
    ]
    merged = merge(parts, tmp_path / "out")
    assert merged.notes == (
        "the runs are shards of 1 and of 2 parts; these may overlap",
        "of 2 shards these are not among the runs: 2",
        "shard 1 of 2 was named more than once",
    )
    assert (merged.records, merged.twice) == (12, 24)


def two_results(tmp_path: Path) -> list[Path]:
    """Two runs that share a cell: the first failed, the second measured it, later."""
    cell = cells()[0]
    early, late = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"
    return [
        write(tmp_path / "a", [make_record(cell, status="oom", started_at=early)]),
        write(tmp_path / "b", [make_record(cell, started_at=late)]),
    ]


def test_two_results_of_a_cell_are_refused_and_both_are_named(tmp_path: Path) -> None:
    a, b = two_results(tmp_path)
    with pytest.raises(RunFolderError) as error:
        merge([a, b], tmp_path / "out")
    assert str(error.value) == (
        "cells with different results in two runs: 1\n"
        f"  {cells()[0].id}  {a} (oom, 2026-01-01T00:00:00+00:00) and {b} (ok, 2026-01-02T00:00:00+00:00)\n"
        "  say which counts: --on-conflict first, last, newest, or ok (the one that succeeded)"
    )
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    ("how", "forwards", "backwards"),
    [("first", "oom", "ok"), ("last", "ok", "oom"), ("newest", "ok", "ok"), ("ok", "ok", "ok")],
)
def test_of_two_results_the_one_that_was_asked_for_counts(
    tmp_path: Path, how: str, forwards: str, backwards: str
) -> None:
    a, b = two_results(tmp_path)
    for runs, status in (([a, b], forwards), ([b, a], backwards)):
        out = merge(runs, tmp_path / f"out-{runs[0].name}", on_conflict=how).folder
        assert [record.status for record in read_run(out).records] == [status]


def test_ok_does_not_choose_between_two_that_succeeded(tmp_path: Path) -> None:
    cell = cells()[0]
    a = write(tmp_path / "a", [make_record(cell, samples=[1.0])])
    b = write(tmp_path / "b", [make_record(cell, samples=[2.0])])
    with pytest.raises(RunFolderError, match="cells with different results in two runs: 1"):
        merge([a, b], tmp_path / "out", on_conflict="ok")


@given(st.sets(st.integers(0, 11), min_size=1))
@settings(max_examples=10, deadline=None)
def test_every_cell_with_two_results_is_found(changed: set[int]) -> None:
    records = all_records()
    others = [
        make_record(record.cell, samples=[0.010, 0.011, 0.0125]) if i in changed else record
        for i, record in enumerate(records)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        a, b = write(Path(scratch, "a"), records), write(Path(scratch, "b"), others)
        with pytest.raises(
            RunFolderError, match=rf"^cells with different results in two runs: {len(changed)}\n"
        ):
            merge([a, b], Path(scratch, "out"))


def test_the_same_failure_found_at_another_time_is_no_conflict(tmp_path: Path) -> None:
    cell = cells()[0]
    a = write(tmp_path / "a", [make_record(cell, status="unsupported", started_at="2026-01-01", seconds=1.0)])
    b = write(tmp_path / "b", [make_record(cell, status="unsupported", started_at="2026-01-02", seconds=2.0)])
    assert merge([a, b], tmp_path / "out").twice == 1


def changed_sweep(**axes: Any) -> Scenario:
    return scenario(sweep=SWEEP | axes)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (changed_sweep(batch=[2]), "sweep.batch[0]: 1 and 2"),
        (changed_sweep(batch=[1, 2]), "sweep.batch: [1] and [1, 2]"),
        (scenario(measure={"max_s": 9}), "measure.max_s: "),
        (scenario(question="Why?"), "question: nothing and 'Why?'"),
    ],
)
def test_runs_of_different_scenarios_are_refused_and_what_differs_is_named(
    tmp_path: Path, other: Scenario, said: str
) -> None:
    a = write(tmp_path / "a", all_records())
    b = write(tmp_path / "b", [], document=other)
    with pytest.raises(RunFolderError) as error:
        merge([a, b], tmp_path / "out")
    first, line = str(error.value).splitlines()
    assert first == f"{b}: is of another scenario than {a}:"
    assert line.startswith(f"  {said}")


def test_a_profile_run_is_not_joined_with_a_timed_one(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", []), write(tmp_path / "b", [], steps=3)
    with pytest.raises(RunFolderError, match=r"run\.steps: nothing and 3"):
        merge([a, b], tmp_path / "out")


def test_a_scenario_of_a_version_with_other_words_is_refused_with_the_word(tmp_path: Path) -> None:
    a = write(tmp_path / "a", all_records())
    path = a / "scenario.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "red"}))
    with pytest.raises(ScenarioError, match=r"a/scenario\.json  colour"):
        merge([a], tmp_path / "out")


def test_runs_on_several_devices_make_a_scenario_with_all_of_them(tmp_path: Path) -> None:
    """Both began with "auto", and with --device the other: what each found is what it measured on."""
    here = write(tmp_path / "cpu", all_records())
    there = [make_record(cell) for cell in expand(scenario(), device="cuda:1")]
    document = changed_sweep(device=["cuda:1"]).model_copy(update={"overrides": ("sweep.device=cuda:1",)})
    gpu = write(tmp_path / "gpu", there, document=document, device="cuda:1")
    merged = merge([here, gpu], tmp_path / "out", complete=True)
    assert read_run(merged.folder).scenario["sweep"]["device"] == ["cpu", "cuda:1"]
    assert merged.records == 24


def cpu(model: str) -> dict[str, Any]:
    return {"device": "cpu", "cpu": {"model": model}, "packages": {"benchsuite": "0.1.0"}}


def on_two_machines(tmp_path: Path, *, left_out: int = 0) -> list[Path]:
    """The same cells on a Xeon and, slower and with other threads, on an EPYC but for the last few."""
    slower = [make_record(cell, samples=[0.02, 0.021]) for cell in cells()[: 12 - left_out]]
    for i, record in enumerate(slower):
        assert record.timing is not None
        slower[i] = replace(record, timing=replace(record.timing, threads=8))
    return [
        write(tmp_path / "xeon", all_records(), machines=[cpu("Xeon")]),
        write(tmp_path / "epyc", slower, machines=[cpu("EPYC")]),
    ]


def test_what_two_machines_measured_is_kept_under_both_names_and_never_pooled(tmp_path: Path) -> None:
    merged = merge(on_two_machines(tmp_path), tmp_path / "out", complete=True)
    assert (merged.machines, merged.records, merged.twice, merged.notes) == (("Xeon", "EPYC"), 24, 0, ())
    run = read_run(merged.folder)
    assert run.warnings == ()
    assert [(one.cell.machine, run.environments[one.session]["cpu"]["model"]) for one in run.records] == (
        [("Xeon", "Xeon")] * 12 + [("EPYC", "EPYC")] * 12
    )
    page = read_cells(run)
    assert [group.title for group in page.groups] == ["EPYC", "Xeon"]
    assert [{cell.settings["machine"] for cell in group.cells} for group in page.groups] == [
        {"EPYC"},
        {"Xeon"},
    ]
    assert [cell.relative.value for cell in page.reported] == pytest.approx([1.0] * 24)
    assert answer(page)[-1] == "This is of EPYC; the other machines stand under More figures."


def test_what_one_of_two_machines_lacks_is_missing_for_status_report_and_merge(tmp_path: Path) -> None:
    merged = merge(on_two_machines(tmp_path, left_out=2), tmp_path / "out")
    gaps = missing(read_run(merged.folder))
    assert [(cell.machine, replace(cell, machine="")) for cell in gaps] == [
        ("EPYC", cell) for cell in cells()[10:]
    ]
    assert merged.missing == tuple(cell.id for cell in gaps)
    found = status_of(merged.folder)
    assert (found.done, found.missing, found.total) == (22, 2, 24)
    assert found.go_on == "resume the run of each machine (Xeon; EPYC) there, and merge them again"
    with pytest.raises(UsageError, match="holds runs of several machines; resume the run of each machine"):
        prepare(Request(resume=merged.folder), Scripted(device="cpu"))


def test_a_run_of_several_machines_cannot_be_told_from_another_by_its_machine(tmp_path: Path) -> None:
    xeon, epyc = on_two_machines(tmp_path)
    (xeon / "environment-2.json").write_text(json.dumps(cpu("Atom")))
    with pytest.raises(RunFolderError, match=r"xeon: is of several machines \(Xeon; Atom\)"):
        merge([xeon, epyc], tmp_path / "out")


def test_shards_of_two_machines_stay_one_run_that_can_be_resumed(tmp_path: Path) -> None:
    records = all_records()
    shards = [
        write(tmp_path / model, records[i::2], machines=[cpu(model)], filter=f"kernel={kernel}")
        for i, (model, kernel) in enumerate([("Xeon", "math"), ("EPYC", "sdpa")])
    ]
    merged = merge(shards, tmp_path / "out", complete=True)
    assert (merged.machines, merged.go_on) == ((), f"benchsuite run --resume {merged.folder}")
    assert [record.id for record in read_run(merged.folder).records] == [record.id for record in records]
    assert {group.title for group in read_cells(read_run(merged.folder)).groups} == {"Xeon", "EPYC"}


def test_runs_of_several_versions_of_benchsuite_are_refused_unless_that_is_meant(tmp_path: Path) -> None:
    records = all_records()
    runs = [
        write(tmp_path / "a", records[:6], machines=[machine("a", "0.1.0")]),
        write(tmp_path / "b", records[6:], machines=[machine("b", "0.2.0")]),
    ]
    with pytest.raises(RunFolderError, match=r"several versions of benchsuite: 0\.1\.0, 0\.2\.0\. "):
        merge(runs, tmp_path / "out")
    assert merge(runs, tmp_path / "out", mixed_versions=True).records == 12


def test_torn_and_broken_lines_are_left_out_and_named(tmp_path: Path) -> None:
    records = all_records()
    part = write(tmp_path / "part", records)
    journal = part / RECORDS
    rows = journal.read_text(encoding="utf-8").splitlines()
    wrong = rows[1].replace(records[1].id, "another-id")
    journal.write_text("\n".join([rows[0], "{broken", wrong, *rows[3:11], rows[11][:40]]), encoding="utf-8")
    merged = merge([part], tmp_path / "out")
    assert merged.records == 9
    assert merged.notes[:3] == (
        f"{journal}:2: skipped: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        f"{journal}:3: skipped: its id is another-id, the id of its cell is {records[1].id}",
        f"{journal}:12: the last line is torn, its cell counts as not measured",
    )
    assert read_run(merged.folder).warnings == ()


def test_of_two_lines_of_a_cell_in_one_run_the_later_counts(tmp_path: Path) -> None:
    cell = cells()[0]
    part = write(tmp_path / "part", [make_record(cell, status="crash"), make_record(cell)])
    merged = merge([part], tmp_path / "out")
    assert [record.status for record in read_run(merged.folder).records] == ["ok"]


def test_a_record_of_a_newer_benchsuite_is_refused_with_its_line(tmp_path: Path) -> None:
    part = write(tmp_path / "part", all_records()[:1])
    line = json.loads((part / RECORDS).read_text())
    (part / RECORDS).write_text(json.dumps(line | {"version": 99}) + "\n")
    with pytest.raises(RecordVersionError, match=r"part/records\.jsonl:1: record version 99 is newer"):
        merge([part], tmp_path / "out")


def test_a_run_that_is_being_written_is_refused(tmp_path: Path) -> None:
    part = write(tmp_path / "part", all_records())
    held = lock(part)
    try:
        with pytest.raises(RunFolderError, match=r"another benchsuite .* is writing to this run"):
            merge([part], tmp_path / "out")
    finally:
        unlock(held)


def test_a_folder_that_holds_a_run_is_not_merged_into(tmp_path: Path) -> None:
    part = write(tmp_path / "part", all_records())
    with pytest.raises(RunFolderError, match="already holds a run"):
        merge([part], part)


def test_an_empty_folder_and_what_a_killed_run_left_are_replaced(tmp_path: Path) -> None:
    part = write(tmp_path / "part", all_records())
    out = tmp_path / "out"
    out.mkdir()
    (out / ".lock").write_text("1")
    assert merge([part], out).records == 12
    assert len(read_run(out).records) == 12


def test_a_merge_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = write(tmp_path / "part", all_records())

    def full(path: Path, data: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchsuite.runner.merge.write_json", full)
    with pytest.raises(StorageError, match="cannot be written: No space left on device"):
        merge([part], tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part"]


def test_a_merged_run_can_be_gone_on_with(tmp_path: Path) -> None:
    records = all_records()
    out = merge([write(tmp_path / "a", records[:5])], tmp_path / "out").folder
    writer = RunWriter.resume(out, machine("later"))
    for record in records[5:]:
        writer.append(replace(record, session=writer.session))
    writer.close()
    assert len(read_run(out).records) == 12
    assert read_run(out).environments[2] == machine("later")


def say(run: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    run()
    return tuple(capsys.readouterr())  # type: ignore[return-value]


def test_the_command_says_what_came_together_and_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = all_records()
    a, b = write(tmp_path / "a", records[:6]), write(tmp_path / "b", records[5:11])
    out = tmp_path / "out"
    printed, warned = say(lambda: merge_command([a, b], out), capsys)
    assert printed.splitlines() == [
        "records  11 from 2 runs; 1 of them in more than one run with the same result",
        f"missing  1; measure them with: benchsuite run --resume {out}",
        f"merged   {out}",
        f"report   benchsuite report {out} makes it",
    ]
    assert warned.startswith(f"cells of the scenario that no run has: 1 ({records[11].id})\n")


def test_an_unknown_choice_is_named_with_the_nearest_and_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        merge_command([tmp_path], tmp_path / "out", on_conflict="newst")
    first, second, *rest = str(error.value).splitlines()
    assert first == '--on-conflict: unknown choice "newst"; did you mean "newest"?'
    assert second == "  allowed:"
    assert [line.split()[0] for line in rest] == ["refuse", "first", "last", "newest", "ok"]


def test_cells_of_a_group_that_were_timed_in_other_ways_are_not_merged(tmp_path: Path) -> None:
    def timed(cell: Cell, threads: int, allocator: str = "retain") -> Record:
        record = make_record(cell)
        assert record.timing is not None
        return replace(record, timing=replace(record.timing, threads=threads, allocator=allocator))

    every = cells()
    first = write(tmp_path / "a", [timed(cell, 1) for cell in every[:6]])
    alike = write(tmp_path / "b", [timed(cell, 1) for cell in every[6:]])
    other = write(tmp_path / "c", [timed(cell, 2, "system") for cell in every[6:]])
    merge([first, alike], tmp_path / "fine")
    with pytest.raises(NotComparableError) as caught:
        merge([first, other], tmp_path / "all")
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "not comparable: cells of one comparison group were timed with other threads or another allocator"
    )
    assert lines[1].endswith(": 1 thread and 2 threads; retained memory and the system's allocator")
    assert not (tmp_path / "all").exists()


def test_groups_may_be_timed_in_other_ways_each(tmp_path: Path) -> None:
    """Shards hold whole groups, and machines of a cluster have different numbers of cores."""
    every = cells()
    sizes = sorted({cell.resolution for cell in every})
    for threads, size in enumerate(sizes, start=1):
        own = [make_record(cell) for cell in every if cell.resolution == size]
        write(
            tmp_path / str(threads),
            [replace(one, timing=replace(one.timing, threads=threads)) for one in own if one.timing],
        )
    merged = merge([tmp_path / str(n) for n in (1, 2, 3)], tmp_path / "all")
    assert merged.records == len(every)
