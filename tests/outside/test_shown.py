"""Text of a run that was made to harm, where it is shown: terminals, Markdown and spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from benchmarks._called import called
from benchsuite.results.cell import Cell
from benchsuite.results.store import RECORDS, read_run

RUN = Path(__file__).parents[1] / "data" / "outside" / "run"
EVIL = '=HYPERLINK("http://x")<img src=x onerror=alert(1)>|\x1b]0;owned\x07\x9b31m\u202e'
COMMANDS = {
    "report": ("report",),
    "csv": ("export",),
    "markdown": ("export", "--format", "markdown"),
    "claims": ("claims",),
    "status": ("status",),
    "status json": ("status", "--format", "json"),
    "compare": ("compare", RUN),
    "compare markdown": ("compare", "--format", "markdown", RUN),
    "compare json": ("compare", "--format", "json", RUN),
    "baseline": ("baseline", "update", "--out", "baselines"),
    "analyse": ("analyse", "--only", "nothing"),
}


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose every text is hostile: names, scenario, machine, reasons."""
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(RUN, tmp_path / "run")
    lines = []
    for line in (run / RECORDS).read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        data["cell"] |= {"name": EVIL + data["cell"]["name"], "target": EVIL, "config": {EVIL: EVIL}}
        failure = {"stage": "time", "kind": EVIL, "message": EVIL, "traceback": EVIL}
        data |= {"status": "error", "failure": failure, "flags": [EVIL]}
        data["id"] = TypeAdapter(Cell).validate_python(data["cell"]).id
        lines.append(json.dumps(data))
    (run / RECORDS).write_text("\n".join([*lines, json.dumps({EVIL: EVIL})]) + "\n", encoding="utf-8")
    scenario = json.loads((run / "scenario.json").read_text(encoding="utf-8"))
    scenario |= {"name": EVIL, "title": EVIL, "question": EVIL}
    (run / "scenario.json").write_text(json.dumps(scenario), encoding="utf-8")
    machine = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    machine |= {"machine": EVIL, "torch": EVIL, "os": EVIL, "command": [EVIL]}
    (run / "environment.json").write_text(json.dumps(machine), encoding="utf-8")
    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_no_control_character_of_a_run_reaches_a_terminal(evil: Path, command: str) -> None:
    answer = called(*COMMANDS[command], evil)
    assert answer.code in (0, 2, 3, 4)
    shown = answer.err if command == "csv" else answer.out + answer.err
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown if c not in "\n\t")
    assert "Traceback" not in answer.err
    if command.endswith("json"):
        json.loads(answer.out)


@pytest.mark.parametrize("command", ["markdown", "compare markdown"])
def test_markdown_holds_no_html_of_a_run(evil: Path, command: str) -> None:
    answer = called(*COMMANDS[command], evil)
    assert answer.code == 0
    assert "onerror" in answer.out
    assert "<img" not in answer.out


def test_no_cell_of_an_export_is_a_formula(evil: Path) -> None:
    rows = list(csv.reader(io.StringIO(called("export", evil).out)))
    assert len(rows) == 3
    assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for row in rows for cell in row)
    assert not any(cell.startswith("-") for row in rows for cell in row if not _is_number(cell))
    assert any(cell.startswith("'=HYPERLINK") for cell in rows[1])


def test_an_export_to_a_file_keeps_every_character_of_a_name(evil: Path, tmp_path: Path) -> None:
    assert called("export", evil, "--out", tmp_path / "r.csv").code == 0
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert names == [f"'{record.cell.name}" for record in read_run(evil).records]


SMALL = """
name: small
title: Small
sweep: {mixer: [pooling, msa], resolution: 32, dim: 32, num_heads: 4, device: cpu}
measure: {warmup_calls: 1, warmup_s: 0, min_samples: 3, max_samples: 3, threads: 1, rounds: 1,
  ceilings: false}
"""


@pytest.mark.parametrize("shell", ["PYTHONIOENCODING=ascii $RUN | head -1", "$RUN >&-"])
def test_a_run_goes_on_whatever_becomes_of_its_output(tmp_path: Path, shell: str) -> None:
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    command = (
        f"{sys.executable} -m benchsuite run {tmp_path}/small.yaml --executor inline --out {tmp_path}/run"
    )
    done = subprocess.run(
        ["bash", "-c", f"{shell.replace('$RUN', command)}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    slow = re.compile(r"planning cells: \d of 2")  # a busy machine is told how far it is
    errors = [line for line in done.stderr.splitlines() if not slow.fullmatch(line)]
    assert (done.returncode, errors) == (0, [])
    assert {record.status for record in read_run(tmp_path / "run").records} == {"ok"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "scenario.json", "environment.json", "records.jsonl", "report.html",
    }  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
