"""Several runs beside each other: doubts first, speed by a reference, and orders that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from benchsuite.report.comparison_page import page as page_of
from benchsuite.report.comparison_page import plain as data_of
from benchsuite.report.comparison_page import sections
from benchsuite.report.comparison_page import to_html as comparison_html
from benchsuite.report.page import to_html
from benchsuite.report.several_runs import SeveralRuns, compare_several, plain
from benchsuite.report.tables import Section, texts
from benchsuite.results.record import Record
from benchsuite.results.store import Run
from tests.report.runs import on
from tests.report.synthetic import make_record
from tests.report.test_page import Page


def mixers(latencies: Mapping[str, float | None], **record: Any) -> list[Record]:
    return [make_record(name, latency=s, **record) for name, s in latencies.items()]


HERE = {"msa": 0.010, "hilo": 0.005, "window": 0.008}
THERE = {"msa": 0.020, "hilo": 0.010, "window": 0.005}


def runs(*sides: Mapping[str, float | None], **changes: Any) -> list[Run]:
    """One machine a side."""
    return [
        on(mixers(side), path=f"runs/{i}", gpu=f"GPU {i}", day=i, **changes)
        for i, side in enumerate(sides, start=1)
    ]


def by_title(found: SeveralRuns) -> dict[str, Section]:
    return {section.title: section for section in sections(found)}


def said(sides: Sequence[Run], title: str) -> str:
    return " ".join(by_title(compare_several(sides))[title].sentences)


def test_another_gpu_is_the_first_thing_that_is_said() -> None:
    first = sections(compare_several(runs(HERE, THERE, HERE)))[0]
    assert first.sentences[0] == ("Times of B and C are not comparable with those of A: they differ in GPU.")
    machines, differences = map(texts, first.tables)
    assert [(row["Run"], row["Machine"], row["Comparable"]) for row in machines] == [
        ("A", "GPU 1", "–"),
        ("B", "GPU 2", "no"),
        ("C", "GPU 3", "no"),
    ]
    assert (differences[0]["Property"], differences[0]["A"], differences[0]["B"], differences[0]["C"]) == (
        "GPU",
        "GPU 1",
        "GPU 2",
        "GPU 3",
    )


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "the same in all runs"),
        ({"os": "Linux 6.1"}, "differ in nothing that usually changes times"),
        ({"torch": "2.14"}, "of B to A may have other causes than the code: PyTorch."),
    ],
)
def test_doubts_are_as_grave_as_the_difference(environment: dict[str, Any], words: str) -> None:
    sides = [on(mixers(HERE)), on(mixers(HERE), environment=environment)]
    assert words in said(sides, "Comparability")


def test_speed_is_told_as_a_multiple_of_the_reference_of_the_same_run() -> None:
    found = compare_several(runs(HERE, THERE))
    assert found.reference == "msa"
    relative = {cell.name: cell.relative for cell in found.cells}
    assert relative["hilo"]["A"].value == pytest.approx(2)
    assert relative["hilo"]["B"].value == pytest.approx(2)
    assert relative["window"]["B"].value == pytest.approx(4)
    assert relative["window"]["B"].lo < 4 < relative["window"]["B"].hi


def test_the_rounds_decide_whose_multiple_is_higher() -> None:
    rows = {
        row["Cell"]: row["Compared with A"]
        for row in texts(
            by_title(compare_several(runs(HERE, THERE)))["Speed relative to a reference mixer"].tables[0]
        )
    }
    assert rows == {
        "hilo, 224 px, math": "B undecided (the rounds disagree)",
        "window, 224 px, math": "B higher",
    }


def test_the_scenario_names_the_reference() -> None:
    assert compare_several(runs(HERE, THERE, report={"reference": "hilo"})).reference == "hilo"


def test_a_reference_that_one_run_lacks_is_replaced_and_that_is_said() -> None:
    sides = runs(HERE, {"msa": 0.02, "hilo": None, "window": 0.01}, report={"reference": "hilo"})
    assert compare_several(sides).reference == "msa"
    assert "The scenario's reference, hilo, was not timed in all runs; msa is the first" in said(
        sides, "Speed relative to a reference mixer"
    )


def test_runs_without_a_common_mixer_have_no_reference() -> None:
    sides = runs({"msa": 0.01, "hilo": None}, {"msa": None, "hilo": 0.01})
    assert compare_several(sides).reference is None
    assert "no timed mixer in common" in said(sides, "Speed relative to a reference mixer")


def test_an_order_that_differs_is_said_in_words() -> None:
    text = said(runs(HERE, THERE), "The order of the mixers")
    assert text == (
        "Of 3 pairs of mixers that differ significantly in two runs, 2 have the same order and 1 do not. "
        "hilo is faster than window on A and slower on B: 224 px, math."
    )


def test_settings_that_say_the_same_are_said_once() -> None:
    sides = [
        on([one for px in (224, 448, 672, 896) for one in mixers(side, resolution=px)], path=str(i))
        for i, side in enumerate((HERE, THERE))
    ]
    assert (
        "hilo is faster than window on A and slower on B: 4 settings (224 px, math; 448 px, math; "
        "672 px, math; 1 more)."
    ) in said(sides, "The order of the mixers")


def test_many_pairs_are_a_table() -> None:
    there = {name: 0.001 * (i + 1) for i, name in enumerate("abcde")}
    sides = runs(there, dict(zip(there, reversed(there.values()), strict=True)))
    section = by_title(compare_several(sides))["The order of the mixers"]
    assert len(section.sentences) == 7
    assert len(section.tables[0].rows) == 10


def test_an_order_that_is_the_same_is_said_too() -> None:
    text = said(runs(HERE, {name: 3 * s for name, s in HERE.items()}), "The order of the mixers")
    assert text == "The order is the same in all 3 pairs of mixers that differ significantly in two runs."


def test_what_the_rounds_leave_open_is_no_order() -> None:
    alike = {"msa": 0.01, "hilo": 0.01001}
    sides = runs(alike, {"msa": 0.01001, "hilo": 0.01})
    assert "order cannot be compared" in said(sides, "The order of the mixers")
    assert compare_several(sides).reversals == ()


def test_cells_of_a_cpu_and_a_gpu_are_the_same_but_for_the_device() -> None:
    sides = [on(mixers(HERE, device=device), path=device) for device in ("cuda", "cpu")]
    assert [set(cell.points) for cell in compare_several(sides).cells] == [{"A", "B"}] * 3


def test_threads_tell_cells_apart_where_a_run_varies_them() -> None:
    cells = [make_record("hilo", threads=threads) for threads in (1, 2)]
    assert len(compare_several([on(cells), on(cells)]).cells) == 2


def test_cells_that_only_one_run_has_are_counted() -> None:
    sides = [on(mixers(HERE)), on(mixers({"msa": 0.01}))]
    assert "2 cells of A are in no other run" in said(sides, "Comparability")
    nothing = [on(mixers({"msa": 0.01})), on(mixers({"hilo": 0.01}))]
    assert "No cell occurs in two of the runs" in said(nothing, "Comparability")
    assert list(by_title(compare_several(nothing))) == ["Comparability"]


def test_a_failure_is_shown_where_its_time_would_be() -> None:
    sides = [on(mixers(HERE)), on([make_record("msa"), make_record("hilo", status="oom")])]
    rows = {row["Cell"]: row for row in texts(by_title(compare_several(sides))["Times"].tables[0])}
    assert rows["hilo, 224 px, math"]["B (ms)"] == "OOM"
    assert set(rows) == {"msa, 224 px, math", "hilo, 224 px, math"}


def test_empty_runs_can_be_compared() -> None:
    assert compare_several([on([]), on([])]).cells == ()


def test_a_report_of_several_runs_begins_with_the_comparison() -> None:
    from benchsuite.report import theme
    from benchsuite.report.page import build

    with theme.applied():
        several, single = build(runs(HERE, THERE)), build(runs(HERE))
    html = to_html(several)
    assert html.index('id="across-comparable"') < html.index('id="across-order"') < html.index('id="run1"')
    assert "hilo is faster than window on A and slower on B" in html
    assert 'id="across' not in to_html(single)
    Page(html)


def test_a_page_of_three_runs_is_whole_and_escapes_names() -> None:
    sides = [on(mixers({"<script>alert(1)</script>": 0.01, "msa": 0.02}), path=f"runs/{i}") for i in range(3)]
    html = comparison_html(page_of(sides))
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html
    Page(html)


def test_two_runs_have_both_the_pair_and_the_reference() -> None:
    titles = [section.title for section in page_of(runs(HERE, THERE)).sections]
    assert titles[:2] == ["Comparability", "Times"]
    assert titles[-2:] == ["The order of the mixers", "Speed relative to a reference mixer"]
    assert data_of(runs(HERE, THERE))["across"]["reference"] == "msa"


def test_json_of_many_runs_has_every_ratio() -> None:
    data = plain(compare_several(runs(HERE, THERE, HERE)))
    assert [one["comparable_with_a"] for one in data["runs"]] == ["yes", "no", "no"]
    window = next(cell for cell in data["cells"] if cell["words"].startswith("window"))
    assert window["relative_throughput"]["B"]["median"] == pytest.approx(4)
    assert data["reversals"][0]["first_slower_on"] == ["B"]
