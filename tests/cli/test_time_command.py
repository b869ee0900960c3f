"""`benchsuite time`: no scenario file, the same run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from benchmarks._called import called
from benchsuite.results.store import REPORT, read_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("timed")
    here = Path.cwd()
    os.chdir(folder)
    try:
        answer = called(
            *("time", "hilo", "msa", "--resolution", "64", "--dim", "32", "--heads", "2", "--params"),
            *("hilo.alpha=1.0", "--device", "cpu", "--write-scenario", "mine.yaml", "--out", "run"),
        )
    finally:
        os.chdir(here)
    assert answer.code == 0, answer.err
    return answer.out, folder


def test_it_ends_with_who_is_how_many_times_as_fast(timed: tuple[str, Path]) -> None:
    last = timed[0].splitlines()[-1]
    assert "times as fast" in last
    assert "hilo alpha=1.0" in last
    assert "msa" in last


def test_the_run_folder_is_that_of_any_run(timed: tuple[str, Path]) -> None:
    run = read_run(timed[1] / "run")
    assert [(record.cell.name, record.status) for record in run.records] == [
        ("hilo alpha=1.0", "ok"),
        ("msa", "ok"),
    ]
    assert all(len(record.timing.rounds) >= 5 for record in run.records if record.timing)
    assert (timed[1] / "run" / REPORT).is_file()


def test_the_scenario_that_was_written_is_the_one_that_was_run(timed: tuple[str, Path]) -> None:
    document = yaml.safe_load((timed[1] / "mine.yaml").read_text())
    assert document["sweep"]["mixer"] == [{"name": "hilo", "vary": {"alpha": [1.0]}}, "msa"]
    answer = called("run", timed[1] / "mine.yaml", "--device", "cpu", "--dry-run")
    assert answer.code == 0
    assert "2 cells" in answer.out


def test_an_unknown_name_gets_the_near_one_and_exit_2() -> None:
    answer = called("time", "hillo")
    assert answer.code == 2
    assert 'did you mean "hilo"?' in answer.err


def test_a_folder_of_own_modules_that_is_not_there_is_named() -> None:
    answer = called("time", "mine:Attention", "--pythonpath", "no/such/folder")
    assert (answer.code, answer.err.strip()) == (2, "--pythonpath no/such/folder: no such folder")


def test_a_mistake_is_placed_at_its_option() -> None:
    answer = called("time", "hilo", "msa", "--params", "hilo.alfa=0.9", "--heads", "0")
    assert answer.code == 2
    assert answer.err.startswith("--params hilo.alfa\n")
    assert "\n--heads\n" in answer.err
    assert "the scenario" not in answer.err
