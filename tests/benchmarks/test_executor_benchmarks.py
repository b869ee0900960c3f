"""The benchmarks of executors: what they count as the same, and that they run."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from benchsuite.results.record import Record
from tests.builders import make_cell, make_record


@pytest.fixture
def agree(repository: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        yield importlib.import_module("executors_agree")


@pytest.fixture
def executors(repository: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        yield importlib.import_module("executors")


def test_statuses_and_counts_must_be_equal_and_absent_cells_are_named(agree: ModuleType) -> None:
    here = {"a": make_record(), "b": make_record()}
    assert agree.differences(here, dict(here)) == []
    there = {"a": make_record(status="oom"), "c": make_record()}
    assert agree.differences(here, there) == [
        "b: only in one of them",
        "c: only in one of them",
        "a: status ok and oom",
        "a: MACs 1000 and None",
        "a: parameters 4224 and None",
        "a: memory 300 and None",
    ]


def test_times_agree_where_their_intervals_overlap(agree: ModuleType) -> None:
    def run(scale: float) -> Record:
        return make_record(samples=[scale * sample for sample in range(100, 120)], rounds=[5] * 4)

    one = {"a": run(1), "b": run(1), "c": make_record(status="oom"), "d": make_record()}
    other = {"a": run(1), "b": run(2), "c": make_record(), "d": make_record()}
    assert agree.times(one, other) == (1, 2, pytest.approx(1.5))
    assert agree.times({}, {}) == (0, 0, None)


def test_over_rounds_times_agree_where_the_runs_and_not_the_samples_say_so(agree: ModuleType) -> None:
    def rounds(*medians: float) -> list[dict[str, Record]]:
        return [{"a": make_record(samples=[median] * 7)} for median in medians]

    # Each run is precise to nothing, and runs differ by a tenth: what they have in common is 1.
    assert agree.over_rounds(rounds(1.0, 1.1, 1.0), rounds(1.1, 1.0, 1.0)) == (1, 1, pytest.approx(1.0))
    assert agree.over_rounds(rounds(1.0, 1.1, 1.2), rounds(2.0, 2.2, 2.41)) == (
        0,
        1,
        pytest.approx(2.0, rel=0.01),
    )
    failed = [{"a": make_record(status="oom")}, *rounds(1.0, 1.0)]
    assert agree.over_rounds(failed, rounds(1.0, 1.0, 1.0)) == (0, 0, None)


def test_the_synthetic_sweep_has_about_as_many_cells_as_asked_for(executors: ModuleType) -> None:
    sweep = executors.scenario(10_000)["sweep"]
    cells = len(sweep["mixer"]) * len(sweep["resolution"]) * len(sweep["batch"])
    assert cells == 10_000


def test_a_sweep_through_one_executor_gives_its_figures(executors: ModuleType) -> None:
    found = executors.one("inline", 20)
    assert (found["cells"], found["sessions"]) == (20, 1)
    assert found["sweep_s"] > 0
    assert found["digest"] == executors.one("inline", 20)["digest"]
    record = make_record(make_cell())
    assert executors.deterministic(record)[:2] == (record.id, "ok")
