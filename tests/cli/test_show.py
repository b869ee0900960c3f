"""`benchsuite show mixer` and `benchsuite list`: what a person, and a program, learns of the zoo."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from benchsuite import terminal
from benchsuite.cli.zoo import _print_list
from benchsuite.mixers import BLOCKS, MIXERS, Relation
from benchsuite.zoo.catalogue import SEE_SOURCE, ZooEntry, mixer_entries
from benchsuite.zoo.listing import compact, entry_data, page, row
from benchsuite.zoo.source import Parameter
from tests.commands import Cli

FULL = ZooEntry(
    name="mine",
    target="acme.mixers:Mine",
    package="acme 1.2",
    summary="Mine: a mixer.",
    paper='Me, "Mine", ICLR 2026, arXiv:2601.00001.',
    reference="acme/mine @ 1234567, mine.py.",
    differs="nothing.",
    names="s is window_size.",
    layout="NCHW",
    forward="forward(x)",
    kernels=("math", "sdpa", "flash", "mem_efficient", "cudnn", "flex"),
    relation=Relation("low rank", ("positions", "channels"), "dynamic per image"),
    parameters=(Parameter("dim", "int", None), Parameter("width", "float | None", "0.5")),
    cost="4NC² and a great many more terms that no table has the room for.",
    doc="Mix maps.\n\nArgs:\n    width: of it.",
)


def test_the_page_of_a_mixer_says_everything() -> None:
    assert page(FULL).splitlines() == [
        "mine",
        "  Mine: a mixer.",
        "",
        "class     acme.mixers:Mine",
        "package   acme 1.2",
        'paper     Me, "Mine", ICLR 2026, arXiv:2601.00001.',
        "reference acme/mine @ 1234567, mine.py.",
        "differs   nothing.",
        "names     s is window_size.",
        "layout    NCHW: maps (B, dim, H, W), forward(x)",
        "kernels   math, sdpa, flash, mem_efficient, cudnn, flex",
        "relation  connects: low rank; weights: dynamic per image, shared over positions and channels",
        "macs      4NC² and a great many more terms that no table has the room for.",
        "",
        "parameters",
        "  dim    int  (set by the sweep)",
        "  width  float | None = 0.5",
        "",
        "Mine",
        "  Mix maps.",
        "",
        "  Args:",
        "      width: of it.",
    ]


def test_what_cannot_be_read_is_said_and_not_guessed() -> None:
    bare = ZooEntry(name="mine", target="acme.mixers:Mine")
    assert page(bare).splitlines() == [
        "mine", "", "class     acme.mixers:Mine", "layout    see source", "kernels   see source", "",
        "parameters", "  see source",
    ]  # fmt: skip
    assert list(row(bare).values()) == ["mine", "–", "–", SEE_SOURCE, "–", "", "–"]
    assert entry_data(bare)["kernels"] == [SEE_SOURCE]


def test_a_row_is_short_and_the_facts_are_whole() -> None:
    assert row(FULL) == {
        "name": "mine",
        "paper": "2026 arXiv:2601.00001",
        "layout": "NCHW",
        "kernels": "math+fused+flex",
        "relation": "low rank, per image",
        "summary": "Mine: a mixer.",
        "cost": FULL.cost.removesuffix("."),
    }
    whole = entry_data(FULL)
    assert whole["cost"] == FULL.cost
    assert whole["sharing"] == ["positions", "channels"]
    assert whole["weights"] == "dynamic per image"
    assert whole["parameters"] == ["dim", "width"]


@pytest.mark.parametrize(
    ("kernels", "short"),
    [
        (("math",), "math"),
        (("math", "sdpa"), "math+sdpa"),
        (("math", "sdpa", "flash", "mem_efficient", "cudnn"), "math+fused"),
        ("any", "any"),
    ],
)
def test_kernels_are_abbreviated_only_if_all_are_there(kernels: tuple[str, ...] | str, short: str) -> None:
    assert compact(kernels) == short


def test_a_mixer_is_shown(cli: Cli) -> None:
    code, out, err = cli("show", "mixer", "hilo")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "hilo"
    assert "class     benchsuite.mixers.hilo:HiLo" in lines
    assert "layout    BNC: tokens (B, N, dim), forward(x, size)" in lines
    assert "kernels   math, sdpa, flash, mem_efficient, cudnn" in lines
    assert "  alpha        float = 0.5" in lines
    assert "  kernel       str = 'math'  (set by the sweep)" in lines
    assert any(line.startswith("macs      Hi-Fi 3NCC_h + 2Ns²C_h") for line in lines)
    assert any(line.startswith("names     window_size is the paper's s;") for line in lines)
    assert any(line.startswith("differs   attn_drop and proj_drop drop") for line in lines)
    assert any("arXiv:2205.13213" in line for line in lines)


@pytest.mark.parametrize("name", [*MIXERS, *BLOCKS])
def test_every_mixer_and_block_has_a_page(cli: Cli, name: str) -> None:
    code, out, _ = cli("show", "mixer", name)
    assert code == 0
    assert out.startswith(f"{name}\n")
    assert "macs      " in out


@pytest.mark.parametrize(
    ("said", "shown"),
    [("", "told by its layers, forward(x)"), ('layout = "BNC"', "BNC: tokens (B, N, dim), forward(x)")],
)
def test_the_call_of_a_class_of_ones_own_is_read_from_its_forward(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, shown: str
) -> None:
    source = f"from torch import nn\nclass Gate(nn.Module):\n    {said}\n    def forward(self, x): return x\n"
    (tmp_path / "own_gate.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    code, out, _ = cli("show", "mixer", "own_gate:Gate")
    assert code == 0
    assert f"layout    {shown}" in out.splitlines()


def test_a_class_of_ones_own_is_looked_for_in_other_folders(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "far_gate.py").write_text("class Gate:\n    def __init__(self, dim, sharpness=2): ...\n")
    assert cli("show", "mixer", "far_gate:Gate")[0] == 2
    code, out, _ = cli("show", "mixer", "far_gate:Gate", "--pythonpath", tmp_path)
    assert code == 0
    assert "sharpness" in out
    code, _, err = cli("show", "mixer", "far_gate:Gate", "--pythonpath", "nowhere")
    assert (code, err) == (2, "--pythonpath nowhere: no such folder\n")


def test_a_class_of_ones_own_is_shown(cli: Cli) -> None:
    out = cli("show", "mixer", "tests.planted:Map")[1]
    assert "layout    NCHW: maps (B, dim, H, W), forward(x)" in out
    assert "  dim  int  (set by the sweep)" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "mixer", "hlio"], 'unknown mixer "hlio"; did you mean "hilo"?\n  allowed: msa, hilo, '),
        (["show", "mixer", "qqqqqq"], 'unknown mixer "qqqqqq"\n  allowed: msa, hilo, '),
        (["show", "mixer", "own_nowhere:Mine"], "own_nowhere:Mine cannot be read: no source of own_nowhere"),
        (["show", "mixer", "tests.planted:Mine"], "tests.planted does not say what Mine is"),
        (["show", "scenario", "hilo"], 'show: no "scenario"\n  allowed: mixer, block, backbone'),
        (["list", "mixer"], 'list: no "mixer"; did you mean "mixers"?'),
        (["list", "mixers", "--format", "xml"], '--format: no "xml"\n  allowed: text, markdown, csv, json'),
    ],
)
def test_what_is_not_there_exits_with_2_and_says_what_is(cli: Cli, words: list[str], message: str) -> None:
    code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(("what", "rows"), [("mixers", MIXERS), ("blocks", BLOCKS)])
def test_a_list_has_a_line_for_every_row_of_the_table(cli: Cli, what: str, rows: dict[str, str]) -> None:
    code, out, _ = cli("list", what)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["name", "paper", "layout", "kernels", "relation", "summary", "cost"]
    assert [line.split()[0] for line in lines[1:]] == list(rows)
    # With names of up to 25 letters, all but the summary fits 120 columns.
    assert lines[0].index("summary") - lines[0].index("paper") <= 95


def test_a_list_keeps_to_the_width_of_a_terminal_and_is_a_line_a_row_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    rows = [{"name": "mine", "summary": "long " * 20}]
    _print_list(rows, [], "text")
    assert len(capsys.readouterr().out.splitlines()[1]) > 100
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _print_list(rows, [], "text")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["name", "    summary", "mine"]
    assert lines[3:] == ["    long long long"] * 6 + ["    long long"]


@pytest.mark.parametrize(
    "words",
    [
        *(("list", what) for what in ("mixers", "blocks", "backbones", "scenarios")),
        ("show", "mixer", "hilo"),
        ("show", "backbone", "litv2_s"),
    ],
)
def test_a_terminal_of_80_columns_shows_everything(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(terminal, "width", lambda piped=160: 80)
    _, out, _ = cli(*words)
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    if words == ("list", "mixers"):
        flat = " ".join(out.split())
        assert all(" ".join(entry.cost.removesuffix(".").split()) in flat for entry in mixer_entries())


def test_programs_get_every_fact_as_json_and_csv(cli: Cli) -> None:
    found = {item["name"]: item for item in json.loads(cli("list", "mixers", "--format", "json")[1])}
    assert list(found) == list(MIXERS)
    hilo = found["hilo"]
    assert (hilo["class"], hilo["year"], hilo["arxiv"]) == (MIXERS["hilo"], "2022", "2205.13213")
    assert hilo["kernels"] == ["math", "sdpa", "flash", "mem_efficient", "cudnn"]
    flat = {
        item["name"]: item
        for item in csv.DictReader(io.StringIO(cli("list", "mixers", "--format", "csv")[1]))
    }
    assert flat["hilo"]["kernels"] == "; ".join(hilo["kernels"])
    assert flat["hilo"]["cost"] == hilo["cost"]


def test_markdown_has_a_row_for_every_mixer_and_scenarios_have_titles(cli: Cli) -> None:
    lines = cli("list", "mixers", "--format", "markdown")[1].splitlines()
    assert lines[0] == "| name | paper | layout | kernels | relation | summary | cost |"
    assert len(lines) == len(MIXERS) + 2
    assert all(line.count("|") == 8 for line in lines)
    scenarios = cli("list", "scenarios", "--format", "json")[1]
    assert all(item["title"] for item in json.loads(scenarios))
