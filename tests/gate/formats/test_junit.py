"""JUnit: held against the schema of Jenkins's xunit plugin, written down here as a table."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from benchsuite.gate.formats.junit import WHOLE, to_junit
from benchsuite.gate.result import CELL_VERDICTS, GateResult
from tests.builders import make_cell
from tests.gates import EVERY, make_gate, make_gate_cell

# junit-10.xsd: element → (attributes it must have, attributes it may have, children in this order)
SCHEMA: dict[str, tuple[set[str], set[str], list[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, ["testsuite"]),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"skipped", "time", "timestamp", "hostname"},
        ["properties", "testcase", "system-out"],
    ),
    "properties": (set(), set(), ["property"]),
    "property": ({"name", "value"}, set(), []),
    "testcase": ({"name", "classname"}, {"time"}, ["skipped", "error", "failure", "system-out"]),
    "skipped": (set(), {"message"}, []),
    "error": (set(), {"message", "type"}, []),
    "failure": (set(), {"message", "type"}, []),
    "system-out": (set(), set(), []),
}


def validated(element: ET.Element) -> ET.Element:
    must, may, children = SCHEMA[element.tag]
    assert must <= element.attrib.keys() <= must | may
    places = [children.index(child.tag) for child in element]
    assert places == sorted(places)
    for child in element:
        validated(child)
    return element


def suite_of(result: GateResult) -> ET.Element:
    root = validated(ET.fromstring(to_junit(result)))
    suite = root[0]
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    for outcome in ("failure", "error"):
        assert int(suite.attrib[f"{outcome}s"]) == len(suite.findall(f"testcase/{outcome}"))
    assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
    return suite


def outcome(verdict: str, **changes: str) -> str:
    suite = suite_of(replace(EVERY, **changes))  # type: ignore[arg-type]
    case = suite.findall("testcase")[1 + CELL_VERDICTS.index(verdict)]  # type: ignore[arg-type]
    return case[0].tag if len(case) else "passed"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("slower", "failure"),
        ("larger", "failure"),
        ("smaller", "failure"),
        ("broken", "failure"),
        ("removed", "failure"),
        ("new", "skipped"),
        ("failed", "skipped"),
        ("inconclusive", "skipped"),
        ("faster", "passed"),
        ("same", "passed"),
        ("not flagged", "passed"),
        ("neither measured", "skipped"),
        ("equal", "passed"),
    ],
)
def test_each_verdict_becomes_an_outcome_of_its_test_case(verdict: str, expected: str) -> None:
    assert outcome(verdict) == expected


def test_a_cell_of_one_side_fails_as_the_policy_says() -> None:
    assert outcome("removed", missing="warn") == "skipped"
    assert outcome("new", missing="any") == "failure"


def test_a_cell_that_is_unsupported_on_both_sides_is_skipped_though_nothing_went_wrong() -> None:
    cell = make_gate_cell(
        "neither measured", base="unsupported", candidate="unsupported", reason="no such kernel"
    )
    (skipped,) = suite_of(make_gate(cells=(cell,))).iter("skipped")
    assert skipped.attrib["message"] == "not measured on either side: no such kernel"


def test_a_test_case_is_named_by_its_label_and_classed_by_its_scenario() -> None:
    cells = [make_cell(name="HiLo", resolution=(side, side)) for side in (224, 448)]
    suite = suite_of(make_gate(cells=tuple(make_gate_cell("slower", cell=one, id=one.id) for one in cells)))
    found = suite.findall("testcase")[1:]
    assert [case.attrib["name"] for case in found] == ["HiLo, 224 px", "HiLo, 448 px"]
    assert {case.attrib["classname"] for case in found} == {"tiny"}
    (failure,) = found[0]
    assert failure.attrib["message"] == "slower: 10 ms → 12 ms, ratio 1.200 [1.100, 1.300]; limit 2 %"


def test_a_skipped_cell_says_why() -> None:
    (skipped,) = suite_of(make_gate("failed")).iter("skipped")
    assert skipped.attrib["message"] == "not measured: no memory"


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (make_gate(refused="another CPU"), "NotComparable"),
        (make_gate(), "NoCells"),
        (make_gate("failed"), "NotMeasured"),
    ],
)
def test_what_was_not_compared_is_an_error_of_the_whole(result: GateResult, kind: str) -> None:
    case = suite_of(result).findall("testcase")[0]
    assert case.attrib["name"] == WHOLE
    assert case[0].tag == "error"
    assert case[0].attrib["type"] == kind


def test_hostile_names_come_back_as_they_are_but_for_control_characters() -> None:
    name = "a|b<script>&\"']]>\x00\x1b[31m\ud800\ufffe"
    cell = make_gate_cell("failed", cell=make_cell(name=name), id=name, reason=name)
    suite = suite_of(make_gate(cells=(cell,), scenario=name, notes=(name,)))
    mark = "\N{REPLACEMENT CHARACTER}"
    clean = f"a|b<script>&\"']]>{mark}{mark}[31m{mark}{mark}"
    assert suite.findall("testcase")[1].attrib == {"classname": clean, "name": clean}
    assert suite.findtext("testcase/system-out") == clean
