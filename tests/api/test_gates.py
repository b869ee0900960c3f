"""The stored result of a gate, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import benchsuite
from benchsuite.gate.result import RESULT, write
from tests.gates import make_gate, make_gate_cell


def test_a_gate_is_read_from_its_folder_and_shown(tmp_path: Path) -> None:
    result = make_gate(cells=(make_gate_cell("slower"), make_gate_cell("same")), scenario="<b>tiny")
    write(result, tmp_path / RESULT)
    gate = benchsuite.load_gate(tmp_path)
    assert gate.exit_code == 1
    assert "1 of 2 cells regressed" in repr(gate)
    html = gate._repr_html_()
    assert "1 of 2 cells regressed" in html
    assert "&lt;b&gt;tiny" in html
    assert "<b>tiny" not in html


def test_what_is_no_gate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(benchsuite.UsageError, match="cannot be read"):
        benchsuite.load_gate(tmp_path)
