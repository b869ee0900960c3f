"""The answer of a page: what is missing, and runs that have none."""

from __future__ import annotations

from benchsuite.report.answer import failures
from benchsuite.report.reported_cells import reported_cells
from tests.report.answers import of_run, race, said
from tests.report.synthetic import make_record


def test_failures_are_counted_by_kind_with_their_mixers() -> None:
    records = [
        make_record("a"),
        make_record("a", resolution=448, status="oom"),
        make_record("b", status="oom"),
        make_record("c", status="unsupported"),
    ]
    assert failures(reported_cells(records)) == (
        "3 of 4 cells gave no number: 2 OOM (a and b) and 1 unsupported (c)."
    )
    assert failures(reported_cells(race(10, 20))) == ""


def test_a_run_in_which_everything_failed_says_so() -> None:
    assert said([make_record("a", status="oom")]) == "1 of 1 cell gave no number: 1 OOM (a)."


def test_an_empty_run_has_no_answer() -> None:
    assert of_run([]) == "The run holds no records."


def test_what_was_counted_and_not_timed_has_no_winner() -> None:
    assert said([make_record("a", latency=None), make_record("b", latency=None)]) == "Nothing was timed."


def test_mixers_of_different_settings_are_not_compared() -> None:
    assert said([make_record("a"), make_record("b", resolution=448)]) == (
        "No two mixers were timed in the same setting, so there is nothing to compare."
    )
