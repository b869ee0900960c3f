"""A history in words and files: every sentence with a history that makes it true, and one that does not."""

from __future__ import annotations

import csv
import io

import yaml

from benchsuite.findings.history import Series, history
from benchsuite.findings.history_files import to_csv, to_otava
from benchsuite.report.history_page import named, percent, plain, sections
from benchsuite.report.tables import Section, texts
from benchsuite.text import slug
from tests.report.runs import on
from tests.report.synthetic import make_record


def over(factors: list[float], **record: object) -> list[Series]:
    """A cell whose time is multiplied by these, a run a day."""
    return history(
        on([make_record(latency=0.01 * f, **record)], path=f"r{i}", day=i)  # type: ignore[arg-type]
        for i, f in enumerate(factors, start=1)
    )


def titles(found: list[Series]) -> dict[str, Section]:
    return {section.title: section for section in sections(found)}


WIGGLE = [1.0, 1.002, 0.999, 1.001, 0.998, 1.0]
STEP = [*WIGGLE, *(1.1 * f for f in WIGGLE)]


def test_a_step_is_a_row_with_size_and_revisions() -> None:
    (row,) = texts(titles(over(STEP))["Steps"].tables[0])
    assert row == {
        "Cell": "hilo, 224 px, math",
        "Scenario": "hilo",
        "Machine": "NVIDIA H200",
        "Latency": "+10.0 %",
        "Revisions": "0000006..0000007",
        "First run": "2026-01-07, r7",
    }


def test_a_steady_history_has_no_steps() -> None:
    found = titles(over(WIGGLE * 2))
    assert list(found) == ["Runs"]
    assert "1 series that are long enough, 0 stepped and 0 drift" in found["Runs"].sentences[1]


def test_a_short_history_says_that_it_can_show_nothing() -> None:
    (section,) = sections(over(WIGGLE[:5]))
    assert section.sentences == (
        "1 series from 5 runs on 1 machine (NVIDIA H200); a series is one cell of a scenario on one machine.",
        "1 series has fewer than 6 timed runs and can show no step.",
    )


def test_drift_is_told_with_its_size() -> None:
    found = titles(over([1 + 0.005 * i + 0.001 * (i % 2) for i in range(30)]))
    assert "Steps" not in found
    (row,) = texts(found["Drift"].tables[0])
    assert row["Last third to first"].startswith("+9.")
    assert row["Revisions"] == "0000001..0000030"


def test_counted_numbers_are_listed_where_they_change() -> None:
    runs = [on([make_record(macs=n)], path=f"r{day}", day=day) for day, n in ((1, 1000), (2, 1500))]
    (row,) = texts(titles(history(runs))["Exact numbers"].tables[0])
    assert (row["Number"], row["Before"], row["After"]) == ("MACs per image", "1,000", "1,500")
    assert row["Revisions"] == "0000001..0000002"


def test_reasons_name_software_that_changed_and_a_commit_that_did_not() -> None:
    torch = [{"torch": "2.13"}] * 6 + [{"torch": "2.14"}] * 6
    found = history(
        on([make_record(latency=0.01 * f)], day=i, commit="a" * 40, environment=environment)
        for i, (f, environment) in enumerate(zip(STEP, torch, strict=True), start=1)
    )
    (row,) = texts(titles(found)["Steps"].tables[0])
    assert row["What else changed there"] == "PyTorch 2.13 → 2.14; the commit is the same"
    assert row["Revisions"] == "aaaaaaa"


def test_cells_are_told_apart_by_what_varies() -> None:
    found = history([on([make_record(batch=1), make_record(batch=64)])])
    assert list(named(found).values()) == ["hilo, 224 px, math, batch 1", "hilo, 224 px, math, batch 64"]


def test_csv_has_a_row_a_run_and_empty_where_there_is_no_number() -> None:
    runs = [on([make_record()], day=1), on([make_record(status="oom", macs=None)], day=2)]
    first, second = csv.DictReader(io.StringIO(to_csv(history(runs))))
    assert float(first["latency_s"]) == 0.01
    assert (first["macs"], first["level"]) == ("1000000000", "0")
    assert (second["status"], second["latency_s"], second["macs"]) == ("oom", "", "")


def test_csv_counts_levels() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(over(STEP)))))
    assert [row["level"] for row in rows] == ["0"] * 6 + ["1"] * 6
    assert [bool(row["step"]) for row in rows].index(True) == 6


def test_json_holds_points_steps_and_drift() -> None:
    (series,) = plain(over(STEP))["series"]
    assert len(series["points"]) == 12
    assert series["steps"][0]["revisions"] == "0000006..0000007"
    assert series["drift"] is None


def test_otava_gets_a_test_a_machine_with_a_column_a_cell() -> None:
    """Its importer wants a number in every row, so a cell that misses a run has a file of its own."""
    both = [make_record(), make_record(resolution=448)]
    runs = [on(both, day=1), on(both[:1], day=2), on(both[:1], day=3, gpu="NVIDIA A100")]
    files = to_otava(history(runs))
    tests = yaml.safe_load(files["otava.yaml"])["tests"]
    assert len(tests) == 3
    for name, test in tests.items():
        rows = list(csv.reader(io.StringIO(files[test["file"]])))
        assert (test["type"], test["file"], test["time_column"]) == ("csv", f"{name}.csv", "time")
        assert rows[0] == ["time", *test["attributes"], *test["metrics"]]
        assert all(float(value) > 0 for row in rows[1:] for value in row[3:])
        assert all(metric["direction"] == -1 for metric in test["metrics"].values())
    lengths = sorted(files[f"{name}.csv"].count("\n") - 1 for name in tests)
    assert lengths == [1, 1, 2]


def test_otava_gets_nothing_where_nothing_was_timed() -> None:
    assert to_otava(history([on([make_record(status="oom")])])) == {}


def test_small_words() -> None:
    assert (percent(0.0953102), percent(-0.0512933)) == ("+10.0 %", "−5.0 %")
    assert (slug("HiLo α=0.9 / x"), slug("→")) == ("hilo-0-9-x", "x")
