"""`benchsuite history`, and `benchsuite compare` of many runs, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import Cli
from tests.report.runs import on, written
from tests.report.synthetic import make_record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve runs, of which the last six are a tenth slower, in folders of two levels."""
    for day in range(1, 13):
        latency = 0.01 * (1 + 0.001 * (day % 3)) * (1.1 if day > 6 else 1)
        run = on([make_record(latency=latency), make_record("msa")], day=day)
        written(run, tmp_path / f"week{day // 7}" / f"run{day}")
    return tmp_path


def test_steps_are_told_and_the_exit_code_is_zero(cli: Cli, folder: Path) -> None:
    code, out, err = cli("history", folder)
    assert (code, err) == (0, "")
    (row,) = (line for line in out.splitlines() if line.startswith("hilo, 224 px"))
    assert "+10.0 %" in row
    assert "0000006..0000007" in row


def test_a_run_that_cannot_be_read_is_named_and_left_out(cli: Cli, folder: Path) -> None:
    (folder / "week0" / "run1" / "scenario.json").write_text("{")
    code, out, err = cli("history", folder)
    assert code == 0
    assert "left out:" in err
    assert "run1/scenario.json" in err
    assert "from 11 runs" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["{folder}/week0/run1/records.jsonl"], "no such folder"),
        (["{folder}", "--format", "jsn"], '--format: no "jsn"; did you mean "json"?'),
        (
            ["{folder}", "--scenario", "hlo"],
            'no run of a scenario "hlo"; did you mean "hilo"?\n  there are: hilo',
        ),
        (["{folder}", "--format", "otava"], "name a folder with --out"),
        (["{folder}", "--out", "{folder}/none/x.txt"], "cannot be written"),
    ],
)
def test_bad_input_is_explained(cli: Cli, folder: Path, words: list[str], message: str) -> None:
    code, _, err = cli("history", *(word.format(folder=folder) for word in words))
    assert code == 2
    assert message in err


def test_a_folder_without_runs_is_bad_input(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("history", tmp_path)
    assert code == 2
    assert "no run folder in it or below it" in err
    written(on([]), tmp_path / "empty")
    assert "none of its 1 run folders holds a record" in cli("history", tmp_path)[2]


def test_every_format_can_be_written(cli: Cli, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for format, name in (("text", "x.txt"), ("csv", "x.csv"), ("json", "x.json")):
        assert cli("history", folder, "--format", format, "--out", out / name)[0] == 0
    assert "Steps" in (out / "x.txt").read_text()
    assert (out / "x.csv").read_text().count("\n") == 25
    assert len(json.loads((out / "x.json").read_text())["series"]) == 2
    assert cli("history", folder, "--format", "otava", "--out", out / "otava")[0] == 0
    assert (out / "otava" / "otava.yaml").is_file()


def test_compare_takes_many_runs(cli: Cli, folder: Path, tmp_path: Path) -> None:
    paths = [folder / "week0" / f"run{day}" for day in (1, 2, 3)]
    code, out, _ = cli("compare", *paths, "--out", tmp_path / "page.html")
    assert code == 0
    assert "Speed relative to a reference mixer" in out
    assert "<h1>3 runs compared</h1>" in (tmp_path / "page.html").read_text()
    assert json.loads(cli("compare", *paths, "--format", "json")[1])["reference"] == "hilo"


def test_compare_wants_two(cli: Cli, folder: Path) -> None:
    code, _, err = cli("compare", folder / "week0" / "run1")
    assert (code, err) == (2, "compare wants two runs or more: benchsuite compare A B\n")
