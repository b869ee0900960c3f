"""What the report says of precision, noise, turns, comparisons, compilation and flags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchsuite.report import method, reliability
from benchsuite.report.cells import read
from benchsuite.results.record import Check, Compilation, Record
from tests import builders
from tests.report.synthetic import ENVIRONMENT, make_record, make_run, with_rounds


def test_the_self_test_says_what_a_difference_must_exceed() -> None:
    found = {"date": "2026-01-04T09:00:00Z", "noise_percent": 2.5, "passed": True, "age_days": 1.0}
    assert reliability.of_machine({"selftest": found}) == (
        "Self-test of 2026-01-04, 1 day before the run: noise floor 2.5 % within a run; drift between runs "
        "unknown, so intervals hold only what varies within the run."
    )
    failed = reliability.of_machine({"selftest": found | {"passed": False}})
    assert "before the run: did not pass; noise floor" in failed


def test_intervals_that_hold_the_drift_of_the_machine_are_said_to() -> None:
    found = {"noise_percent": 1.5, "drift_percent": 2.0, "age_days": 0.2}
    assert reliability.of_machine({"selftest": found}) == (
        "Self-test, less than a day before the run: noise floor 1.5 % within a run; drift between runs 2.0 "
        "%, which the 95 % intervals of latencies include."
    )


def test_without_a_self_test_that_is_said_and_an_unknown_noise_is_no_number() -> None:
    assert reliability.of_machine({}).startswith("No self-test of this machine is known")
    assert reliability.of_machine({"selftest": {"noise_percent": None}}).startswith(
        "Self-test: noise floor unknown; drift between runs unknown"
    )


def summed(records: list[Record], **environment: Any) -> str:
    cells = read(make_run(records))
    return " ".join(reliability.summed_up(cells, [environment]))


def test_of_cells_with_a_warning_those_of_the_headline_are_named() -> None:
    speeds = {"a": 0.010, "b": 0.02, "c": 0.03, "d": 0.04}
    records = [replace(make_record(name, latency=s), flags=("drift",)) for name, s in speeds.items()]
    cells = read(make_run(records, report={"reference": "d"}))

    def told(headline: str) -> str:
        return reliability.summed_up(cells, [{}], headline)[1]

    assert "explained under Method), a, b and 1 more among them, on which" in told("")
    assert "explained under Method), a, d and 1 more among them, on which" in told("a beats d (math).")
    assert "explained under Method), b and 2 more among them, on which" in told("b beats d-like.")


def test_the_line_beside_the_answer_says_how_often_what_counts_and_what_is_flagged() -> None:
    records = [
        with_rounds(make_record("a"), [0.010, 0.011, 0.0105]),
        replace(with_rounds(make_record("b"), [0.010, 0.013, 0.012]), flags=("drift",)),
        make_record("c", status="oom", macs=None),
    ]
    assert summed(records, selftest={"noise_percent": 1.0}) == (
        "Each cell was timed in 3 fresh processes: 95 % interval ±30 % in the median, ±44 % in the worst "
        "cell; noise floor of the machine 1.0 %. Speeds are compared round by round, so bars may overlap "
        "where they differ. 1 of 2 cells has a warning (“!”, explained under Method), b "
        "among them, on which the answer rests. 1 of 3 cells gave no number: 1 OOM (c)."
    )
    few = summed([*records[:1], make_record("b", rounds=1), make_record("c", rounds=1)])
    assert "±" in few
    assert "bars may overlap" not in few
    once = summed([make_record("a", rounds=1)], executor="inline")
    assert once == (
        "Each cell was timed in 1 round in the caller's own process; noise floor of the machine unknown "
        "(benchsuite selftest finds it). No cell has a warning."
    )
    assert summed(records[2:]) == ""


def test_a_flag_on_a_cell_that_decides_nothing_is_counted_and_no_more() -> None:
    slow = replace(make_record("c", latency=0.09), flags=("drift",))
    text = summed([make_record("a", latency=0.01), make_record("b", latency=0.02), slow])
    assert text.endswith("1 of 3 cells has a warning (“!”, explained under Method).")


def test_a_name_that_the_answer_rests_on_is_spelt_as_in_figures() -> None:
    named = replace(make_record("HiLo alpha=0.9 window_size=2"), flags=("drift",))
    assert "HiLo α = 0.9 window = 2 among them" in summed([named, make_record("b", latency=0.02)])


def test_both_stand_in_the_protocol_where_they_are_known() -> None:
    without = dict(method.protocol(make_run([make_record()])))
    assert without["Noise floor"].startswith("No self-test of this machine is known")
    machine = ENVIRONMENT | {"selftest": {"noise_percent": 3.0, "passed": True}}
    run = replace(make_run([make_record()]), environment=machine, environments={1: machine})
    facts = dict(method.protocol(run))
    assert facts["Noise floor"].count("3.0 %") == 1


def test_the_comparison_names_the_cell_that_is_nearest_to_its_limit() -> None:
    assert reliability.comparison([builders.make_record()]) == ""
    good = Check(reference="math fp32", error=1e-7, tolerance=1e-4, images=1)
    worse = Check(reference="math fp32", error=0.006, tolerance=0.01, images=1)
    none = Check(reference="math fp32", error=None, tolerance=0.01, images=1, reason="it routes")
    records = [
        builders.make_record(check=good),
        builders.make_record(builders.make_cell(name="HiLo", dtype="bf16", kernel="sdpa"), check=worse),
        builders.make_record(check=none),
    ]
    text = reliability.comparison(records)
    assert text.startswith("2 cells computed the same as math fp32")
    assert "HiLo with sdpa bf16: 0.006 of the norm, of 0.01 allowed." in text
    assert text.endswith("1 cell could not be compared: it routes.")
    assert reliability.comparison(records[2:]) == "1 cell could not be compared: it routes."


def test_compilation_is_summed_up() -> None:
    assert reliability.compilation([builders.make_record()]) == ""
    one = builders.make_record(compilation=Compilation(seconds=2.0, graphs=2, graph_breaks=1, recompiles=0))
    other = builders.make_record(compilation=Compilation(seconds=4.0, graphs=1, graph_breaks=0, recompiles=1))
    assert reliability.compilation([one, other]) == (
        "2 cells compiled in 2 s to 4 s, outside the timed region, with 1 graph break and 1 "
        "recompilation in all."
    )


def test_every_flag_is_said_with_its_cells_and_what_to_do() -> None:
    assert list(reliability.flagged([builders.make_record()])) == []
    records = [builders.make_record(flags=("drift", "busy_host")), builders.make_record(flags=("drift",))]
    busy, drift = reliability.flagged(records)
    assert busy.startswith("busy host (1 cell: MSA). Others used more than a tenth")
    assert drift.startswith("drift (2 cells: MSA). The rounds got slower")
