"""What the wall time of a sweep was spent on, from records whose every second is chosen here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchsuite.findings.wall_time import seconds_of, shares
from benchsuite.results.record import Spent
from tests.builders import make_record

SPENT = Spent(start_s=2.0, build_s=0.4, inspection_s=1.5)


def test_the_parts_of_a_cell_make_up_its_seconds() -> None:
    record = make_record(samples=(1.0, 2.0, 2.0), seconds=10.0, spent=SPENT)  # warmed up for 0.1 s
    assert seconds_of(record) == pytest.approx(
        {
            "measured steps": 5.0,
            "memory pass": 1.5,
            "warm-up": 0.1,
            "builds": 0.4,
            "start of processes": 2.0,
            "else": 1.0,
        }
    )


def test_a_sample_that_is_the_mean_of_several_steps_took_all_of_them() -> None:
    timing = make_record(samples=(0.25, 0.5)).timing
    assert timing is not None
    record = make_record(timing=replace(timing, calls_per_sample=4))
    assert seconds_of(record)["measured steps"] == 3.0


def test_shares_are_of_the_wall_and_what_no_cell_took_is_else() -> None:
    records = [make_record(samples=(1.0, 2.0, 2.0), seconds=10.0, spent=SPENT)] * 2
    found = shares(records, wall_s=25.0)
    assert sum(found.values()) == pytest.approx(1)
    assert found["measured steps"] == pytest.approx(10 / 25)
    assert found["else"] == pytest.approx((2 * 1.0 + 5) / 25)


def test_of_cells_measured_side_by_side_shares_are_of_what_they_took() -> None:
    records = [make_record(samples=(1.0, 2.0, 2.0), seconds=10.0, spent=SPENT)] * 2
    assert shares(records, wall_s=11.0)["measured steps"] == pytest.approx(10 / 20)


def test_a_cell_that_failed_and_one_of_an_older_version_are_else() -> None:
    assert shares([make_record(status="oom", seconds=3.0)], wall_s=3.0)["else"] == 1
    old = make_record(samples=(1.0,), seconds=2.0)
    assert seconds_of(old)["else"] == pytest.approx(0.9)
