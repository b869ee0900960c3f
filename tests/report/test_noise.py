"""What the report says of precision and of the machine's noise."""

from __future__ import annotations

from dataclasses import replace

from benchsuite.report import method, noise
from benchsuite.results.record import Record
from tests.report.synthetic import ENVIRONMENT, make_record, make_run, with_rounds


def precise(share: float | None, stopped_by: str = "time") -> Record:
    record = make_record("a")
    assert record.timing is not None
    return replace(record, timing=replace(record.timing, precision=share, stopped_by=stopped_by))


def test_cells_that_missed_the_wanted_precision_are_counted() -> None:
    records = [precise(share) for share in (0.005, 0.008, 0.04)]
    assert noise.reached(records, 0.01) == (
        "The 95 % interval reaches ±0.80 % of the median in the median cell and ±4.0 % in the worst; "
        "±1.0 % was wanted, and 1 cell missed it, because the time was up."
    )


def test_cells_that_missed_it_are_counted_by_what_ended_their_sampling() -> None:
    late = [precise(0.02), precise(0.03, "samples"), precise(0.03, "samples"), precise(0.005, "precision")]
    text = noise.reached(late, 0.01)
    assert text is not None
    assert text.endswith(
        "and 3 cells missed it: 2 because the largest number of samples was taken and 1 because the time was "
        "up."
    )


def test_nobody_missed_what_every_cell_kept_to() -> None:
    text = noise.reached([precise(0.005), precise(0.01)], 0.01)
    assert text is not None
    assert text.endswith("±1.0 % was wanted, and every cell with an interval kept to it.")


def test_cells_without_an_interval_are_counted_and_alone_say_nothing() -> None:
    assert noise.reached([precise(None)], 0.01) is None
    assert noise.reached([make_record("a", status="oom")], 0.01) is None
    text = noise.reached([precise(0.02), precise(None)], None)
    assert text is not None
    assert "wanted" not in text
    assert text.endswith("1 cell without an interval.")


def test_the_self_test_says_what_a_difference_must_exceed() -> None:
    found = {"date": "2026-01-04T09:00:00Z", "noise_percent": 2.5, "passed": True, "age_days": 1.0}
    assert noise.of_machine({"selftest": found}) == (
        "Self-test of 2026-01-04, 1 day before the run: within a run a difference must exceed 2.5 % to mean "
        "anything; how far runs differ is unknown, and intervals hold only what varies within the run."
    )
    failed = noise.of_machine({"selftest": found | {"passed": False}})
    assert "before the run: did not pass; within a run" in failed


def test_intervals_that_hold_the_drift_of_the_machine_are_said_to() -> None:
    found = {"noise_percent": 1.5, "drift_percent": 2.0, "age_days": 0.2}
    assert noise.of_machine({"selftest": found}) == (
        "Self-test, less than a day before the run: within a run a difference must exceed 1.5 % to mean "
        "anything; runs drift by 2.0 %, which the 95 % intervals of latencies include."
    )


def test_without_a_self_test_that_is_said_and_an_unknown_noise_is_no_number() -> None:
    assert noise.of_machine({}).startswith("No self-test of this machine is known")
    assert noise.of_machine({"selftest": {"noise_percent": None}}).startswith(
        "Self-test: could not tell the noise; how far runs differ is unknown"
    )


def test_one_line_sums_up_flags_rounds_and_self_test() -> None:
    records = [
        with_rounds(make_record("a"), [0.010, 0.011, 0.0105]),
        replace(with_rounds(make_record("b"), [0.010, 0.013, 0.012]), flags=("drift",)),
        make_record("c", status="oom"),
    ]
    assert noise.evidence(records, [{"selftest": {"noise_percent": 1.0, "drift_percent": 2.0}}]) == (
        "1 of 2 timed cells without a flag, rounds of a cell differ by 20 % in the median cell and 30 % at "
        "most. Self-test: within a run a difference must exceed 1.0 % to mean anything; runs drift by 2.0 %, "
        "which the 95 % intervals of latencies include."
    )
    once = noise.evidence([make_record("a", rounds=1)], [{}])
    assert once.startswith(
        "1 of 1 timed cell without a flag, a single round each, so no interval. No self-test"
    )
    assert noise.evidence(records[2:], [{}]) == ""


def test_both_stand_in_the_protocol_where_they_are_known() -> None:
    without = {fact.term: fact.text for fact in method.protocol(make_run([make_record()]))}
    assert "Precision" not in without
    assert without["Noise of the machine"].startswith("No self-test of this machine is known")
    machine = ENVIRONMENT | {"selftest": {"noise_percent": 3.0, "passed": True}}
    run = replace(make_run([precise(0.02)]), environment=machine, environments={1: machine})
    facts = {fact.term: fact.text for fact in method.protocol(run)}
    assert facts["Noise of the machine"].count("3.0 %") == 1
    assert "1 cell missed it" in facts["Precision"]


def test_an_interval_that_grew_again_is_not_said_to_have_missed_because_it_was_reached() -> None:
    text = noise.reached([precise(0.02, "precision")], 0.01)
    assert text is not None
    assert text.endswith("and 1 cell missed it, although sampling had reached it.")
