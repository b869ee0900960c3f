"""A bounded part of `benchmarks/fuzz.py`: the same mutants each time, the first of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import fuzz
from benchmarks._called import Answer
from benchsuite.errors import EXIT_CODES

QUICK = [command for command in fuzz.READERS if command[0] not in ("report", "publish", "compare", "analyse")]
"""What draws a page, or imports torch, takes most of the time; a few mutants go through all."""


@pytest.mark.parametrize(
    ("kind", "numbers", "commands"),
    [
        ("scenarios", range(25), None),
        ("records", range(5, 10), QUICK),
        ("records", range(1), None),
        ("folders", range(4), QUICK),
        ("folders", range(53, 54), None),
        ("reports", range(25), None),
        ("baselines", range(12), None),
    ],
)
def test_no_mutant_brings_a_command_down(
    tmp_path: Path, kind: str, numbers: range, commands: list[tuple[str, ...]] | None
) -> None:
    faults = [
        fault for number in numbers for fault in fuzz.tried(kind, number, tmp_path / str(number), commands)
    ]
    assert faults == []


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_a_mutant_follows_from_its_number(tmp_path: Path, kind: str) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fuzz.planted(kind, 3, tmp_path / name)
    one, two = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")}
        for n in ("one", "two")
    )
    assert one == two


def test_what_is_a_fault() -> None:
    assert fuzz.wrong(("check",), Answer(0, "", "")) == ""
    assert fuzz.wrong(("gate",), Answer(1, "", "")) == ""
    assert (
        fuzz.wrong(("check",), Answer(70, "", "Traceback …\nValueError: x\ninternal error"))
        == "ValueError: x"
    )
    assert "judges nothing" in fuzz.wrong(("report",), Answer(1, "", ""))
    assert fuzz.wrong(("gate",), Answer(max(EXIT_CODES) + 1, "", "")) == "exit code 131"
