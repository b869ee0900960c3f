"""A gate as JUnit XML, which GitLab, Jenkins and most runners read: a test case a cell.

A regression is a failure; a cell that nobody could measure, or that nobody can tell, is skipped with its
reason. The first test case is the gate as a whole: an error where it refused, had no cell, or left one
unmeasured. So a file of skipped cells does not read as a pass.
A test case has the cell's label as its name, and the scenario's name as its classname.
Layout: testsuites, testsuite, properties, testcase, as Jenkins's xunit plugin has it (junit-10).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # writes only

from benchsuite.gate.formats.phrases import (
    NO_CELLS,
    VERDICT_WORDS,
    detail,
    headline,
    how_to_accept,
    labels,
    one_line,
)
from benchsuite.gate.result import GateCell, GateResult
from benchsuite.text import in_xml

WHOLE = "the gate as a whole"
"""Name of the test case that stands for no cell."""
_NOTHING_TO_SAY = ("removed", "new", "failed", "inconclusive", "not counted", "neither measured")
"""Verdicts that neither pass nor fail: nothing was compared, or nobody can tell."""


def to_junit(result: GateResult) -> str:
    """The file's text."""
    suite = ET.Element("testsuite", {"name": one_line(f"benchsuite gate {result.scenario}")})
    properties = ET.SubElement(suite, "properties")
    for name in ("base", "candidate", "machine", "command"):
        ET.SubElement(properties, "property", {"name": name, "value": one_line(getattr(result, name))})
    _whole(suite, result)
    names = labels(result)
    for cell in result.cells:
        _case(suite, cell, names[cell.id], result)
    counts = {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    for key, count in counts.items():
        suite.set(key, str(count))
    suite.set("time", f"{result.seconds:.3f}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _whole(suite: ET.Element, result: GateResult) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": one_line(result.scenario), "name": WHOLE})
    kind = {4: "NotComparable", 3: "NotMeasured"}.get(result.exit_code)
    if kind is not None:
        ET.SubElement(case, "error", {"type": kind, "message": headline(result)})
    elif not result.cells:
        ET.SubElement(case, "error", {"type": "NoCells", "message": NO_CELLS})
    notes = "\n".join(in_xml(note) for note in result.notes)
    if notes:
        ET.SubElement(case, "system-out").text = notes


def _case(suite: ET.Element, cell: GateCell, name: str, result: GateResult) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": one_line(result.scenario), "name": name})
    message = one_line(f"{VERDICT_WORDS[cell.verdict]}: {detail(cell)}".rstrip(": "))
    if cell.verdict in result.failing:
        failure = ET.SubElement(case, "failure", {"type": cell.verdict, "message": message})
        failure.text = how_to_accept(result, cell) or None
    elif cell.verdict == "no longer counted":
        ET.SubElement(case, "error", {"type": "NoLongerCounted", "message": message})
    elif cell.verdict in _NOTHING_TO_SAY or cell.candidate != "ok":
        ET.SubElement(case, "skipped", {"message": message})
