"""A gate's page: the facts of the comment, every cell, and plots of ratios that say what the numbers say."""

from __future__ import annotations

import math
import re

import pytest

from benchsuite.gate.decide import CellDecision
from benchsuite.gate.formats.html_page import interval, to_html
from benchsuite.gate.result import CELL_VERDICTS
from tests.builders import make_cell
from tests.gate.formats.test_markdown import HOSTILE
from tests.gates import EVERY, make_gate, make_gate_cell


def verdicts(html: str) -> list[str]:
    return re.findall(r'<th scope="row">cell ([a-z ]+)</th>', html)


def test_a_page_has_every_cell_regressions_first_and_folds_what_did_not_change() -> None:
    html = to_html(EVERY)
    shown, folded = html.split("<details>")
    assert verdicts(shown)[:6] == ["slower", "larger", "smaller", "broken", "removed", "faster"]
    assert verdicts(folded)[:2] == ["inconclusive", "same"]
    assert sorted(verdicts(html)) == sorted(CELL_VERDICTS)


def test_red_are_the_headline_and_the_cells_that_fail_the_gate_and_no_others() -> None:
    html = to_html(EVERY)
    first = html.index("<table")
    red = re.findall(r'class="[^"]*tone bad">([^<]+)<', html)
    assert red[0] == "FAIL: 5 of 15 cells regressed."
    assert "1 slower, 1 counts rose, " in html
    assert "(cell slower; cell larger; cell smaller; 2 more)." in html
    assert red[1:] == ["slower", "counts rose", "counts fell", "fails now", "removed"]
    assert "2 cells could not be compared: 1 no longer counted, 1 not measured. Others: 1 new, " in html
    assert verdicts(html[first : html.index("</table>")]) == [
        "slower",
        "larger",
        "smaller",
        "broken",
        "removed",
    ]


def test_cells_that_could_not_be_measured_are_told_where_none_regressed() -> None:
    html = to_html(make_gate("failed", "same"))
    assert "No regression found: 1 unchanged." in html
    assert "1 cell could not be compared: 1 not measured." in html


def test_a_page_says_the_facts_of_the_comment() -> None:
    html = to_html(EVERY)
    for text in (
        "5 of 15 cells regressed",
        "main (a1b2c3d)",
        "topic (d4e5f6a)",
        "a CPU",
        "benchsuite gate tiny",
    ):
        assert text in html
    assert ">1.200 [1.100, 1.300]<" in html


def test_hostile_names_stay_text() -> None:
    cell = make_gate_cell("slower", cell=make_cell(name=HOSTILE), id=HOSTILE, reason=HOSTILE)
    html = to_html(make_gate(cells=(cell,), scenario=HOSTILE, notes=(HOSTILE,), machine=HOSTILE))
    assert "<script>alert" not in html
    assert "\x1b" not in html
    assert "src=" not in html


def test_neither_a_refusal_nor_an_empty_gate_looks_like_a_pass() -> None:
    assert "Not comparable: another CPU" in to_html(make_gate(refused="another CPU"))
    assert "Nothing compared" in to_html(make_gate())


@pytest.mark.parametrize(
    ("ratio", "place"), [(1.0, 80.0), (2.0, 160.0), (0.5, 0.0), (math.sqrt(2), 120.0), (9.0, 160.0)]
)
def test_a_ratio_stands_where_its_logarithm_does(ratio: float, place: float) -> None:
    svg = interval(CellDecision("same", 0.02, ratio, ratio / 1.1, ratio * 1.1), math.log(2), "same")
    (found,) = re.findall(r'<circle cx="([\d.]+)"', svg)
    assert float(found) == pytest.approx(place)


def test_a_ratio_without_an_interval_has_a_mark_and_no_line() -> None:
    svg = interval(CellDecision("inconclusive", 0.02, 1.1, math.nan, math.nan), math.log(2), "inconclusive")
    assert "<circle" in svg
    assert svg.count("<path") == 1
