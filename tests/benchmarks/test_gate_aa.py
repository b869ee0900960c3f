"""The proof of the gate on a real machine: its plan, its tally and what it plants. No gate is run here."""

from __future__ import annotations

import importlib
import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        return importlib.import_module("gate_aa")


def line(script: ModuleType, kind: str, number: int, *slower: str, code: int = 0) -> object:
    verdicts = {"slower": len(slower), "not flagged": 4 - len(slower)}
    return script.Line(
        kind=kind, number=number, exit=code, verdicts=verdicts, slower=slower, seconds=60.0 + number,
        started_at="", load=0.5,
    )  # fmt: skip


def test_the_two_kinds_of_gates_are_evenly_mixed(script: ModuleType) -> None:
    kinds = [kind for kind, _ in script.plan(4, 2)]
    assert kinds == ["unchanged", "planted", "unchanged", "unchanged", "planted", "unchanged"]
    assert [number for kind, number in script.plan(4, 2) if kind == "unchanged"] == [0, 1, 2, 3]


def test_a_gate_is_right_if_it_calls_slower_exactly_what_is(script: ModuleType) -> None:
    assert line(script, "unchanged", 0).right  # type: ignore[attr-defined]
    assert not line(script, "unchanged", 0, "MSA").right  # type: ignore[attr-defined]
    assert line(script, "planted", 0, "Gelu", "Linear").right  # type: ignore[attr-defined]
    assert not line(script, "planted", 0, "Gelu").right  # type: ignore[attr-defined]


def test_the_tally_counts_exits_verdicts_and_what_was_caught(script: ModuleType) -> None:
    lines = [
        line(script, "unchanged", 0),
        line(script, "unchanged", 1, code=3),
        line(script, "planted", 0, "Linear", "Gelu", code=1),
        line(script, "planted", 1, "Linear", "SteadyGelu", code=1),
    ]
    assert script.tally(lines) == [
        "unchanged: 2 gates (1 exit 0, 1 exit 3); cells: 8 not flagged",
        "  2 of 2 called slower exactly what is; 60 to 61 s, median 61 s",
        "planted: 2 gates (2 exit 1); cells: 4 slower, 4 not flagged",
        "  1 of 2 called slower exactly what is; 60 to 61 s, median 61 s",
        "  caught: Linear in 2 of 2, Gelu in 1 of 2",
        "  cells called slower that are not: 1",
    ]


def test_gates_of_an_earlier_call_are_read_and_a_torn_line_is_not(script: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "gates.jsonl"
    assert script.read_lines(path) == []
    one = line(script, "planted", 3, "Gelu")
    path.write_text(json.dumps(asdict(one)) + '\n{"kind": "unch')  # type: ignore[call-overload]
    assert script.read_lines(path) == [one]


def test_a_planted_repository_does_15_per_cent_more_in_its_second_commit(
    script: ModuleType, tmp_path: Path
) -> None:
    folder = script.planted_repository(tmp_path / "planted")
    assert script.planted_repository(folder) == folder  # again, nothing is made anew
    repeats = {}
    for tag in ("before", "after"):
        shown = ["git", "show", f"{tag}:mine.py"]
        text = subprocess.run(shown, cwd=folder, capture_output=True, text=True, check=True).stdout
        namespace: dict[str, object] = {}
        exec(text, namespace)
        repeats[tag] = [namespace[name].repeats for name in (*script.SLOWER, "SteadyLinear")]  # type: ignore[attr-defined]
    assert repeats == {"before": [20, 20, 20], "after": [23, 23, 20]}
    assert 23 / 20 == 1.15


def test_what_has_been_run_is_not_run_again(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def run(kind: str, number: int, out: Path, scenario: str) -> object:
        asked.append((kind, number))
        return line(script, kind, number, *(script.SLOWER if kind == "planted" else ()))

    monkeypatch.setattr(script, "run_gate", run)
    words = ["--unchanged", "2", "--planted", "1", "--out", str(tmp_path)]
    script.main([*words, "--minutes", "-1"])
    assert asked == []
    script.main(words)
    script.main(words)
    assert sorted(asked) == [("planted", 0), ("unchanged", 0), ("unchanged", 1)]
    assert "2 of 2 called slower exactly what is" in capsys.readouterr().out
