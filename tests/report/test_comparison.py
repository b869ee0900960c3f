"""Runs beside each other: doubts first, what the rounds say of every cell, and speed by a reference."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from benchsuite.findings.count_changes import GROUPS
from benchsuite.findings.fingerprint import Finding
from benchsuite.report import theme
from benchsuite.report.comparison import CAVEAT, SEEN, ComparedCell, compare, plain
from benchsuite.report.comparison_page import page, to_html
from benchsuite.report.differences import COUNTED, table_of
from benchsuite.report.page import build
from benchsuite.report.page import to_html as report_html
from benchsuite.report.tables import Section, texts
from benchsuite.results.record import Record
from benchsuite.results.store import Run
from benchsuite.stats.evidence import Decision
from tests.report.runs import on
from tests.report.synthetic import ENVIRONMENT, make_record, make_run, realistic
from tests.report.test_page import Page

TESTED = ENVIRONMENT | {"selftest": {"noise_percent": 0.5, "drift_percent": 0.2, "passed": True}}
OTHER_GPU = {"gpu": ENVIRONMENT["gpu"] | {"name": "NVIDIA A100"}}
HERE = {"msa": 0.010, "hilo": 0.005, "window": 0.008}
THERE = {"msa": 0.020, "hilo": 0.010, "window": 0.005}


def on_machine(records: Sequence[Record], machine: dict[str, Any] = TESTED) -> Run:
    return dataclasses.replace(make_run(records), environment=machine, environments={1: machine})


def two(old: Sequence[Record], new: Sequence[Record], **environment: Any) -> list[Run]:
    """Two runs of one machine, or the second with these differences."""
    return [on_machine(old), on_machine(new, TESTED | environment)]


def mixers(latencies: Mapping[str, float | None], **record: Any) -> list[Record]:
    return [make_record(name, latency=s, **record) for name, s in latencies.items()]


def machines(*sides: Mapping[str, float | None], **changes: Any) -> list[Run]:
    """A run of these mixers on a machine of its own for each side."""
    return [
        on(mixers(side), path=f"runs/{i}", gpu=f"GPU {i}", day=i, **changes)
        for i, side in enumerate(sides, start=1)
    ]


def only(runs: Sequence[Run]) -> tuple[ComparedCell, Decision]:
    (cell,) = compare(runs).cells
    return cell, cell.times["B"]


def titled(runs: Sequence[Run]) -> dict[str, Section]:
    return {section.key: section for section in page(runs).sections}


def rows(runs: Sequence[Run], key: str) -> list[dict[str, str]]:
    return texts(titled(runs)[key].tables[0])


def said(runs: Sequence[Run]) -> str:
    """All sentences of the page."""
    made = page(runs)
    return " ".join(
        [*made.headlines, made.answer, *(text for section in made.sections for text in section.sentences)]
    )


def test_the_interval_of_the_ratio_holds_the_drift_of_the_machine() -> None:
    old, new = make_record(latency=0.010), make_record(latency=0.011)
    cell, found = only(two([old], [new]))
    assert [cell.in_runs[letter].latency.value for letter in "AB"] == pytest.approx([0.010, 0.011])
    assert found.ratio == pytest.approx(1.1, rel=1e-3)
    assert found.lo < 1.1 < found.hi
    _, wide = only(two([old], [new], selftest={"noise_percent": 0.5, "drift_percent": 8.0}))
    assert wide.lo < 1 < 1.2 < wide.hi
    assert (wide.side, wide.reason) == ("undecided", "the rounds disagree")


def test_where_nobody_knows_the_drift_nothing_is_called_slower() -> None:
    runs = [make_run([make_record()]), on_machine([make_record(latency=0.02)])]
    _, found = only(runs)
    assert found.ratio == pytest.approx(2, rel=1e-2)
    assert found.lo != found.lo  # NaN: no interval
    assert found.side == "undecided"
    assert "Undecided: no self-test says how far two runs of this machine differ." in said(runs)


@pytest.mark.parametrize(
    ("latency", "noise", "samples", "seen"),
    [
        (0.012, 0.01, 20, "slower"),
        (0.009, 0.01, 20, "faster"),
        (0.0101, 0.05, 20, "undecided"),
        (0.0101, 0.001, 20, "slower"),
        (0.01002, 0.0001, 20, "no different"),
        (0.012, 0.01, 5, "undecided"),
    ],
)
def test_the_rounds_of_both_decide(latency: float, noise: float, samples: int, seen: str) -> None:
    old = make_record(latency=0.010, noise=noise)
    new = make_record(latency=latency, noise=noise, samples=samples)
    assert SEEN[only(two([old], [new]))[1].side] == seen
    assert rows(two([old], [new]), "times")[0]["B is"] == seen


def test_the_answer_counts_and_says_what_chance_would_do() -> None:
    sides = (224, 448, 672, 896)
    old = [make_record(resolution=side) for side in sides]
    latencies = zip(sides, (0.010, 0.0125, 0.008, 0.012), strict=True)
    runs = two(old, [make_record(resolution=side, latency=latency, seed=1) for side, latency in latencies])
    assert [row["B is"] for row in rows(runs, "times")] == ["slower", "slower", "faster", "undecided"]
    assert page(runs).headlines == ("B is slower than A in 2 of 4 cells and faster in 1.",)
    assert "Of 4 cells in A and B, 1 is undecided." in said(runs)
    assert "Undecided: the rounds disagree." in said(runs)
    assert "Of those called slower or faster, at most 5 % are expected to be so by chance" in said(runs)


def test_where_nothing_differs_the_answer_says_what_could_have_been_seen() -> None:
    old = [make_record("hilo"), make_record("msa"), make_record("window")]
    new = [
        make_record("hilo", latency=0.0101, noise=0.05),
        make_record("msa"),
        make_record("window", status="oom"),
    ]
    made = page(two(old, new))
    assert made.headlines == ("Undecided: none of 2 cells differs significantly (median time B/A 1.00).",)
    assert " Of 3 cells in A and B, " in made.answer
    assert made.answer.endswith("and 1 is without a time.")
    widths = [
        math.sqrt(one.hi / one.lo) - 1 for cell in compare(two(old, new)).cells for one in cell.times.values()
    ]
    assert made.answer.startswith(
        f"Only differences above about {50 * sum(widths):.2g} % in the median cell and "
        f"{100 * max(widths):.2g} % in the worst could be seen, by the intervals and the drift of the "
        "machine (±0.2 %,"
    )
    again = two(old[:1], new[:1])
    assert page(again).headlines == (
        "Undecided: the one cell does not differ significantly (time B/A 1.01).",
    )


def test_no_difference_is_said_only_where_none_is_undecided() -> None:
    noisy = TESTED | {"selftest": TESTED["selftest"] | {"noise_percent": 5.0}}
    made = page([on_machine([make_record(seed=seed)], noisy) for seed in (0, 1)])
    assert made.headlines == ("No: the one cell does not differ significantly (time B/A 1.00).",)


def test_a_ratio_that_is_undecided_only_among_many_says_so() -> None:
    sides = range(224, 224 + 40 * 32, 32)
    old = [make_record(resolution=side, seed=side) for side in sides]
    new = [
        make_record(resolution=side, seed=side + 1, latency=0.0101 if side == 224 else 0.010)
        for side in sides
    ]
    alone, many = (rows(two(old[:count], new[:count]), "times")[0] for count in (1, 40))
    assert alone["B / A"] == many["B / A"] == "1.010 [1.004, 1.016]"
    assert (alone["B is"], alone.get("Remarks")) == ("slower", None)
    assert (many["B is"], many["Remarks"]) == ("undecided", "B: not significant among 40 comparisons")
    assert "Undecided: the evidence is too weak for 40 comparisons, or the rounds disagree." in said(
        two(old, new)
    )


def test_without_a_self_test_the_answer_says_that_none_can_be_told() -> None:
    made = page([make_run([make_record()]), make_run([make_record(latency=0.02)])])
    assert made.headlines == ("Undecided: no ratio has an interval (time B/A 2.00).",)
    assert made.answer.startswith("No self-test has measured the drift")
    assert made.answer.endswith("1 is without an interval.")


def test_a_title_names_the_runs_in_the_order_of_their_letters() -> None:
    assert page(machines(HERE, THERE)).title == "Run B (runs/2) against A (runs/1)"


def test_a_run_beside_itself_is_the_same_run_and_no_time_is_undecided() -> None:
    records = [make_record(), make_record("msa"), make_record("oom", status="oom")]
    again = on_machine([make_record(seed=1), *records[1:]])
    runs = [on_machine(records), on_machine(records), again]
    assert page(runs).headlines == (
        "B is the same run as A: there is nothing to compare.",
        "Undecided: none of 2 cells differs significantly (median time C/A 1.00).",
    )
    assert "A and B" not in page(runs).answer
    assert [row["B is"] for row in rows(runs[:2], "times")] == ["no different", "no different"]
    assert "Undecided" not in said(runs[:2])
    assert {cell["compared_with_a"]["B"]["reason"] for cell in plain(runs[:2])["cells"][:2]} == {
        "the same measurement"
    }


def test_of_three_runs_each_is_held_against_the_first() -> None:
    runs = [on_machine([make_record(latency=s)]) for s in (0.010, 0.012, 0.008)]
    (row,) = rows(runs, "times")
    assert row["Compared with A"] == "B slower, C faster"
    assert page(runs).headlines == (
        "B is slower than A in 1 of 1 cell and faster in none.",
        "C is faster than A in 1 of 1 cell and slower in none.",
    )


def test_a_failure_stands_where_its_time_would_be() -> None:
    runs = two([make_record()], [make_record(status="oom")])
    (row,) = rows(runs, "times")
    assert row["B (ms)"] == "OOM"
    assert page(runs).headlines == ("No cell was timed in both A and B.",)
    assert "Of 1 cell in A and B, 1 is without a time." in said(runs)


def test_flags_are_told_with_their_side() -> None:
    noisy = dataclasses.replace(make_record(), flags=("drift", "busy_host"))
    assert rows(two([noisy], [make_record()]), "times")[0]["Remarks"] == "A: drift, busy host"


def test_cells_of_one_side_are_named_and_those_that_are_skipped_left_out() -> None:
    left, both, right = (make_record(resolution=side) for side in (224, 448, 896))
    skipped = dataclasses.replace(make_record(resolution=672), status="skipped", timing=None)
    runs = two([left, both, skipped], [skipped, both, right])
    assert [cell.first.id for cell in compare(runs).cells] == [both.id]
    assert [[words for _, words in run.alone] for run in compare(runs).runs] == [
        ["hilo, 224 px, math"],
        ["hilo, 896 px, math"],
    ]
    assert "1 cell only in A and 1 cell only in B." in said(runs)


def test_cells_are_told_apart_by_what_varies_over_all_runs() -> None:
    found = compare(two([make_record(batch=64)], [make_record(batch=64), make_record(batch=8)]))
    assert found.cells[0].words == "hilo, 224 px, math, batch 64"
    assert found.runs[1].alone[0][1] == "hilo, 224 px, math, batch 8"


def test_cells_of_a_cpu_and_a_gpu_are_the_same_but_for_the_device() -> None:
    runs = [on(mixers(HERE, device=device), path=device) for device in ("cuda", "cpu")]
    assert [set(cell.in_runs) for cell in compare(runs).cells] == [{"A", "B"}] * 3


def test_threads_tell_cells_apart_where_a_run_varies_them() -> None:
    cells = [make_record("hilo", threads=threads) for threads in (1, 2)]
    assert len(compare([on(cells), on(cells)]).cells) == 2


def test_cells_of_a_merged_run_are_compared_by_the_name_of_their_machine() -> None:
    merged = on([make_record("a", machine=name) for name in ("NVIDIA H200", "NVIDIA A100")])
    (cell,) = compare([merged, on([make_record("a")], gpu="NVIDIA A100")]).cells
    assert cell.in_runs["A"].settings["machine"] == cell.in_runs["B"].settings["machine"] == "NVIDIA A100"


def test_runs_without_a_common_cell_say_so() -> None:
    runs = two([make_record(batch=64)], [make_record(batch=8)])
    assert "No cell is in two of the runs" in said(runs)
    assert list(titled(runs)) == ["comparable", "missing"]


def test_empty_runs_can_be_compared() -> None:
    assert compare(two([], [])).cells == ()
    Page(to_html(page(two([], []))))


def test_another_machine_is_the_first_thing_that_is_said() -> None:
    runs = machines(HERE, THERE, HERE)
    assert page(runs).summary.startswith("A is runs/1, on GPU 1; B is runs/2, on GPU 2; C is ")
    first = page(runs).sections[0]
    assert first.sentences[0] == "Times of B and C are not comparable with those of A: they differ in GPU."
    table, differences = map(texts, first.tables)
    assert [(row["Run"], row["Machine"], row["Comparable"]) for row in table] == [
        ("A", "GPU 1", "–"),
        ("B", "GPU 2", "no"),
        ("C", "GPU 3", "no"),
    ]
    assert [differences[0][head] for head in ("Property", "A", "B", "C")] == [
        "GPU",
        "GPU 1",
        "GPU 2",
        "GPU 3",
    ]


def test_only_machines_of_the_compared_cells_count() -> None:
    """The second session of B was on another machine, but no common cell is from it."""
    common, other = make_record(), dataclasses.replace(make_record(resolution=448), session=2)
    new = dataclasses.replace(
        make_run([common, other]), environments={1: ENVIRONMENT, 2: ENVIRONMENT | OTHER_GPU}
    )
    assert compare([make_run([common]), new]).runs[1].findings == ()
    both = make_run([common, dataclasses.replace(other, session=1)])
    assert compare([both, new]).runs[1].level == "refuse"


def test_the_same_machine_with_other_settings_is_a_warning() -> None:
    runs = [make_run([make_record()], measure={"rounds": rounds}) for rounds in (3, 1)]
    assert [(one.label, one.level) for one in compare(runs).runs[1].findings] == [("Setting rounds", "warn")]


def test_settings_that_differ_are_listed_after_one_word() -> None:
    runs = [make_run([make_record()], measure={"rounds": n, "warmup_s": float(n)}) for n in (3, 1)]
    assert "may have other causes than the code: the settings rounds and warmup_s." in said(runs)
    torch = dataclasses.replace(runs[1], environments={1: ENVIRONMENT | {"torch": "2.14"}})
    assert "than the code: PyTorch, and the settings rounds and warmup_s." in said([runs[0], torch])
    one = [make_run([make_record()], measure={"rounds": rounds}) for rounds in (3, 1)]
    assert "than the code: the setting rounds." in said(one)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "are the same in all that is compared"),
        ({"os": "Linux 6.1"}, "differ in nothing that usually changes times"),
        ({"torch": "2.14"}, "of B to A may have other causes than the code: PyTorch."),
    ],
)
def test_how_comparable_they_are_is_said_in_a_sentence(environment: dict[str, Any], words: str) -> None:
    assert words in said(two([make_record()], [make_record()], **environment))


def test_the_table_of_differences_lists_only_what_differs() -> None:
    dirty = Finding("git.dirty", "Uncommitted changes", "warn", True, True, "not the code of the commit")
    torch = Finding("torch", "PyTorch", "warn", "2.13", "2.14", "other kernels")
    table = table_of("", {"A": [], "B": [dirty, torch]})
    assert table is not None
    assert [row["Property"] for row in texts(table)] == ["PyTorch"]
    assert table_of("", {"A": [], "B": [dirty]}) is None


def test_exact_numbers_that_changed_are_listed() -> None:
    runs = two([make_record(macs=1000, memory=100)], [make_record(macs=1500, memory=100)])
    assert rows(runs, "exact") == [
        {
            "Cell": "hilo, 224 px, math",
            "Number": "MACs per image",
            "A": "1,000",
            "B": "1,500",
            "B / A": "1.500",
        }
    ]
    assert "1 number of 1 cell changed; they have no noise." in said(runs)


def test_a_number_that_was_zero_has_no_ratio() -> None:
    old = make_record()
    assert old.cost is not None
    new = dataclasses.replace(old, cost=dataclasses.replace(old.cost, other_ops={"softmax": 3}))
    (row,) = rows(two([old], [new]), "exact")
    assert (row["Number"], row["B / A"]) == ("Operations: softmax", "–")


def test_every_exact_number_has_a_name_on_the_page() -> None:
    assert set(COUNTED) == set(GROUPS)


def test_speed_is_told_as_a_multiple_of_the_reference_of_the_same_run() -> None:
    found = compare(machines(HERE, THERE))
    assert found.reference == "msa"
    cells = {cell.first.name: cell for cell in found.cells}
    assert cells["hilo"].relative["A"].value == pytest.approx(2)
    assert cells["window"].relative["B"].value == pytest.approx(4)
    assert cells["window"].relative["B"].lo < 4 < cells["window"].relative["B"].hi


def test_the_rounds_decide_whose_multiple_is_higher() -> None:
    found = {row["Cell"]: row["B is"] for row in rows(machines(HERE, THERE), "relative")}
    assert found == {"hilo, 224 px, math": "undecided", "window, 224 px, math": "higher"}


def test_the_scenario_names_the_reference() -> None:
    assert compare(machines(HERE, THERE, report={"reference": "hilo"})).reference == "hilo"


def test_a_reference_that_one_run_lacks_is_replaced_and_that_is_said() -> None:
    there = {"msa": 0.02, "hilo": None, "window": 0.01}
    runs = machines(HERE, there, report={"reference": "hilo"})
    assert compare(runs).reference == "msa"
    assert "The scenario's reference, hilo, was not timed in all runs; msa is the first" in said(runs)


def test_runs_without_a_common_mixer_have_no_reference() -> None:
    runs = machines({"msa": 0.01, "hilo": None}, {"msa": None, "hilo": 0.01})
    assert compare(runs).reference is None
    assert "no timed mixer in common" in said(runs)


def test_data_and_page_both_say_what_runs_cannot_tell() -> None:
    runs = two([make_record()], [make_record(latency=0.02)])
    assert plain(runs)["caveat"] == page(runs).caveat == CAVEAT
    assert CAVEAT in Page(to_html(page(runs))).within("p")


def test_data_is_json_and_null_where_there_is_no_number() -> None:
    runs = two([make_record()], [make_record(status="oom")], torch="2.14")
    data = json.loads(json.dumps(plain(runs), allow_nan=False))
    (cell,) = data["cells"]
    assert cell["latency_s"]["B"] == {"median": None, "lo": None, "hi": None}
    assert cell["latency_s"]["A"]["median"] == pytest.approx(0.010)
    assert cell["compared_with_a"] == {}
    assert data["runs"][1]["differences"][0]["property"] == "torch"


def test_data_of_many_runs_has_every_ratio() -> None:
    data = plain(machines(HERE, THERE, HERE))
    assert [one["comparable_with_a"] for one in data["runs"]] == ["yes", "no", "no"]
    window = next(cell for cell in data["cells"] if cell["words"].startswith("window"))
    assert window["relative_throughput"]["B"]["median"] == pytest.approx(4)
    assert window["compared_with_a"]["C"]["verdict"] == "undecided"


def test_the_page_is_whole_loads_nothing_and_escapes() -> None:
    evil = "<script>alert(1)</script>"
    records = [*realistic((224, 896), names=("msa", "hilo", "performer")), make_record(evil)]
    found = Page(to_html(page(two(records, records, machine=evil))))
    assert "http" not in found.source
    assert "<script>alert" not in found.source
    assert found.within("h2") == [
        "Comparability",
        "Times",
        "Speed relative to a reference mixer",
        "Exact numbers",
    ]
    assert any(evil in text for text in found.within("th"))
    ids = found.attributes("id")
    assert len(ids) == len(set(ids))


def test_a_report_of_several_runs_begins_with_the_comparison() -> None:
    with theme.applied():
        several, single = build(machines(HERE, THERE)), build(machines(HERE))
    html = report_html(several)
    assert html.index('id="across-comparable"') < html.index('id="across-times"') < html.index('id="run1"')
    assert 'id="across' not in report_html(single)
    Page(html)


def test_warnings_of_the_folders_are_passed_on() -> None:
    old = dataclasses.replace(make_run([make_record()]), warnings=("records.jsonl:9: torn",))
    assert "records.jsonl:9: torn" in said([old, make_run([make_record()])])
