"""Two runs beside each other: what is said of every cell, in data, in words and on the page."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

import pytest

from benchsuite.findings.exact import GROUPS
from benchsuite.findings.fingerprint import Finding
from benchsuite.report.comparison import CAVEAT, CellPair, Comparison, compare, plain
from benchsuite.report.comparison_page import page_of_two, to_html
from benchsuite.report.differences import COUNTED, table_of
from benchsuite.report.tables import texts
from benchsuite.results.record import Record
from benchsuite.results.store import Run
from tests.report.synthetic import ENVIRONMENT, make_record, make_run, realistic
from tests.report.test_page import Page

TESTED = ENVIRONMENT | {"selftest": {"noise_percent": 0.5, "drift_percent": 0.2, "passed": True}}
OTHER_GPU = ENVIRONMENT | {"gpu": ENVIRONMENT["gpu"] | {"name": "NVIDIA A100"}}


def of(old: Sequence[Record], new: Sequence[Record], **environment: Any) -> Comparison:
    """The comparison of two runs on one machine, or of the second on another one."""
    return compare(on_machine(old, TESTED), on_machine(new, TESTED | environment))


def on_machine(records: Sequence[Record], machine: dict[str, Any]) -> Run:
    return dataclasses.replace(make_run(records), environment=machine, environments={1: machine})


def only_pair(old: Record, new: Record) -> CellPair:
    (pair,) = of([old], [new]).pairs
    return pair


def said(comparison: Comparison) -> str:
    """All sentences of the page."""
    made = page_of_two(comparison)
    return " ".join([made.answer, *(text for section in made.sections for text in section.sentences)])


def test_the_interval_of_the_ratio_holds_the_drift_of_the_machine() -> None:
    old, new = make_record(latency=0.010), make_record(latency=0.011)
    pair = only_pair(old, new)
    assert (pair.old.value, pair.new.value) == pytest.approx((0.010, 0.011))
    assert pair.ratio.value == pytest.approx(1.1, rel=1e-3)
    assert pair.ratio.lo < 1.1 < pair.ratio.hi
    drifting = {"selftest": {"noise_percent": 0.5, "drift_percent": 8.0}}
    (wide,) = of([old], [new], **drifting).pairs
    assert wide.ratio.lo < 1 < 1.2 < wide.ratio.hi
    assert (wide.seen, wide.reason) == ("undecided", "the rounds disagree")


def test_where_nobody_knows_the_drift_nothing_is_called_slower() -> None:
    found = compare(make_run([make_record()]), on_machine([make_record(latency=0.02)], TESTED))
    (pair,) = found.pairs
    assert pair.ratio.value == pytest.approx(2, rel=1e-2)
    assert not pair.ratio.bounded
    assert pair.seen == "undecided"
    assert "Undecided: no self-test says how far two runs of this machine differ." in said(found)


@pytest.mark.parametrize(
    ("latency", "noise", "samples", "seen"),
    [
        (0.012, 0.01, 20, "slower"),
        (0.009, 0.01, 20, "faster"),
        (0.0101, 0.05, 20, "undecided"),
        (0.0101, 0.001, 20, "slower"),
        (0.01002, 0.0001, 20, "no different"),
        (0.012, 0.01, 5, "undecided"),
        (None, 0.01, 20, "no time"),
    ],
)
def test_the_rounds_of_both_decide(latency: float | None, noise: float, samples: int, seen: str) -> None:
    old = make_record(latency=0.010, noise=noise)
    new = make_record(latency=latency, noise=noise, samples=samples)
    assert only_pair(old, new).seen == seen


def test_a_cell_that_failed_on_one_side_is_there_with_its_reason() -> None:
    pair = only_pair(make_record(), make_record(status="oom"))
    assert (pair.seen, pair.remarks) == ("no time", "B: OOM")
    assert pair.old.known
    assert math.isnan(pair.ratio.value)


def test_flags_are_told_with_their_side() -> None:
    noisy = dataclasses.replace(make_record(), flags=("drift", "busy_host"))
    assert only_pair(noisy, make_record()).remarks == "A: drift, busy host"
    assert only_pair(noisy, noisy).remarks == "A: drift, busy host; B: drift, busy host"


def test_cells_of_one_side_are_named_and_those_that_are_skipped_left_out() -> None:
    left, both, right = (make_record(resolution=side) for side in (224, 448, 896))
    skipped = dataclasses.replace(make_record(resolution=672), status="skipped", timing=None)
    found = of([left, both, skipped], [skipped, both, right])
    assert [pair.id for pair in found.pairs] == [both.id]
    assert [words for _, words in found.only_old] == ["hilo, 224 px, math"]
    assert [words for _, words in found.only_new] == ["hilo, 896 px, math"]
    assert "1 cell only in A and 1 cell only in B." in said(found)


def test_cells_are_told_apart_by_what_varies_over_both_runs() -> None:
    found = of([make_record(batch=64)], [make_record(batch=64), make_record(batch=8)])
    assert found.pairs[0].words == "hilo, 224 px, math, batch 64"
    assert found.only_new[0][1] == "hilo, 224 px, math, batch 8"


def test_runs_without_a_common_cell_say_so() -> None:
    found = of([make_record(batch=64)], [make_record(batch=8)])
    assert "no cell in common" in said(found)
    assert "There is nothing to compare." in said(found)
    assert "Times are" not in said(found)


def test_two_empty_runs_can_be_compared() -> None:
    found = of([], [])
    assert (found.pairs, found.changes, found.only_old, found.only_new) == ((), (), (), ())
    Page(to_html(page_of_two(found)))


def test_another_machine_is_the_first_thing_that_is_said() -> None:
    found = of([make_record()], [make_record()], **OTHER_GPU)
    assert found.level == "refuse"
    first = page_of_two(found).sections[0]
    assert first.sentences[0] == "Times are not comparable: the two runs differ in GPU."
    assert texts(first.tables[0])[0] == {
        "Property": "GPU",
        "Level": "not comparable",
        "A": "NVIDIA H200",
        "B": "NVIDIA A100",
        "Why it matters": "models differ in speed",
    }


def test_only_machines_of_the_compared_cells_count() -> None:
    """The second session of B was on another machine, but no common cell is from it."""
    common, other = make_record(), dataclasses.replace(make_record(resolution=448), session=2)
    new = dataclasses.replace(
        make_run([common, other]), environments={1: ENVIRONMENT, 2: ENVIRONMENT | OTHER_GPU}
    )
    assert compare(make_run([common]), new).findings == ()
    both = make_run([common, dataclasses.replace(other, session=1)])
    assert compare(both, new).level == "refuse"


def test_the_same_machine_with_other_settings_is_a_warning() -> None:
    old, new = (make_run([make_record()], measure={"rounds": rounds}) for rounds in (3, 1))
    assert [(one.label, one.level) for one in compare(old, new).findings] == [("Setting rounds", "warn")]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "are the same in all that is compared"),
        ({"os": "Linux 6.1"}, "differ in nothing that usually changes times"),
        ({"torch": "2.14"}, "may have other causes than the code: PyTorch."),
    ],
)
def test_how_comparable_they_are_is_said_in_a_sentence(environment: dict[str, Any], words: str) -> None:
    assert words in said(of([make_record()], [make_record()], **environment))


def test_the_table_of_differences_lists_only_what_differs() -> None:
    dirty = Finding("git.dirty", "Uncommitted changes", "warn", True, True, "not the code of the commit")
    torch = Finding("torch", "PyTorch", "warn", "2.13", "2.14", "other kernels")
    table = table_of("", ("A", "B"), {"B": [dirty, torch]})
    assert table is not None
    assert [row["Property"] for row in texts(table)] == ["PyTorch"]
    assert table_of("", ("A", "B"), {"B": [dirty]}) is None


def test_exact_numbers_that_changed_are_listed() -> None:
    found = of([make_record(macs=1000, memory=100)], [make_record(macs=1500, memory=100)])
    (section,) = (one for one in page_of_two(found).sections if one.key == "exact")
    assert texts(section.tables[0]) == [
        {
            "Cell": "hilo, 224 px, math",
            "Number": "MACs per image",
            "A": "1,000",
            "B": "1,500",
            "B / A": "1.500",
        }
    ]
    assert section.sentences == ("1 number of 1 cell changed; they have no noise.",)


def test_a_number_that_was_zero_has_no_ratio() -> None:
    old = make_record()
    assert old.cost is not None
    new = dataclasses.replace(old, cost=dataclasses.replace(old.cost, other_ops={"softmax": 3}))
    (section,) = (one for one in page_of_two(of([old], [new])).sections if one.key == "exact")
    (row,) = texts(section.tables[0])
    assert (row["Number"], row["B / A"]) == ("Operations: softmax", "–")


def test_every_exact_number_has_a_name_on_the_page() -> None:
    assert set(COUNTED) == set(GROUPS)


def test_the_summary_counts_and_says_what_chance_would_do() -> None:
    old = [make_record(resolution=side) for side in (224, 448, 672, 896)]
    latencies = (0.012, 0.0125, 0.008, 0.010)
    new = [
        make_record(resolution=side, latency=latency)
        for side, latency in zip((224, 448, 672, 896), latencies, strict=True)
    ]
    found = of(old, new)
    (table,) = next(section for section in page_of_two(found).sections if section.key == "times").tables
    assert [row["B is"] for row in texts(table)] == ["slower", "slower", "faster", "undecided"]
    text = said(found)
    assert "Of 4 cells in both runs, B is: 2 slower, 1 faster and 1 undecided." in text
    assert "Undecided: the rounds disagree." in text
    assert "The median of 4 ratios is 1.100; they range from 0.8000 to 1.250." in text
    assert "Of those called slower or faster, at most 5 % are expected to be so by chance" in text


def test_data_and_page_both_say_what_two_runs_cannot_tell() -> None:
    found = of([make_record()], [make_record(latency=0.02)])
    assert plain(found)["caveat"] == page_of_two(found).caveat == CAVEAT
    assert CAVEAT in Page(to_html(page_of_two(found))).within("p")
    assert "use benchsuite gate" in CAVEAT


def test_data_is_json_and_null_where_there_is_no_number() -> None:
    old, new = make_record(), make_record(status="oom")
    data = json.loads(json.dumps(plain(of([old], [new], torch="2.14")), allow_nan=False))
    assert data["cells"][0]["b"] == {"median": None, "lo": None, "hi": None}
    assert data["cells"][0]["a"]["median"] == pytest.approx(0.010)
    assert data["comparable"] == "with care"
    assert data["differences"][0]["property"] == "torch"
    assert plain(of([old], [new]))["comparable"] == "yes"
    assert plain(of([old], [new], **OTHER_GPU))["comparable"] == "no"


def test_the_page_is_whole_loads_nothing_and_escapes() -> None:
    evil = "<script>alert(1)</script>"
    records = [*realistic((224, 896), names=("msa", "hilo", "performer")), make_record(evil)]
    found = Page(to_html(page_of_two(of(records, records, machine=evil))))
    assert "http" not in found.source
    assert "<script>alert" not in found.source
    assert found.within("h2") == ["Comparability", "Times", "Exact numbers"]
    assert any(evil in text for text in found.within("th"))
    ids = found.attributes("id")
    assert len(ids) == len(set(ids))
    tables = [attrs for tag, attrs in found.tags if tag == "table"]
    assert sum(attrs.get("class") == "sortable" for attrs in tables) == 1
    assert len(found.within("caption", "span")) >= len(tables)


def test_warnings_of_the_folders_are_passed_on() -> None:
    old = dataclasses.replace(make_run([make_record()]), warnings=("records.jsonl:9: torn",))
    found = compare(old, make_run([make_record()]))
    assert "records.jsonl:9: torn" in said(found)
