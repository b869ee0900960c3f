"""Scenarios from elsewhere: halves of characters, sweeps without end, and long lists."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks._called import called
from benchsuite.errors import UsageError
from benchsuite.results.store import RunWriter, read_run
from benchsuite.scenario.expand import expand, variants
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.validate import check
from benchsuite.scenario.yaml_tree import MAX_VALUES, parse
from tests.builders import make_record

DATA = Path(__file__).parents[1] / "data" / "outside"
FORTY = DATA / "scenarios" / "forty.yaml"
EMOJI = DATA / "scenarios" / "emoji.yaml"


def wide(count: int) -> Scenario:
    """A sweep over so many parameters of two values each, as a stored scenario may say."""
    vary = {f"p{i}": [0, 1] for i in range(count)}
    document = {"name": "s", "title": "S", "sweep": {"mixer": [{"name": "msa", "label": "M", "vary": vary}]}}
    return Scenario.from_dict(document)


def test_cells_are_counted_before_any_is_made() -> None:
    answer = called("check", FORTY)
    assert answer.code == 2
    assert "12,157,665,459,056,928,801 cells before exclusion" not in answer.out
    assert "some 10^19 cells before exclusion; at most 100,000 can be run" in answer.out


@pytest.mark.parametrize("count", [17, 40, 20_000])
def test_nothing_that_expands_a_scenario_makes_more_cells_than_can_be_run(count: int) -> None:
    for make in (lambda: expand(wide(count), device="cpu"), lambda: variants(wide(count).sweep)):
        with pytest.raises(UsageError, match=r"cells before exclusion; at most 100,000 can be run"):
            make()
    assert len(expand(wide(10), device="cpu")) == 1024


@pytest.mark.parametrize("words", [("status",), ("merge", "--out", "merged"), ("run", "--resume")])
def test_a_stored_scenario_without_end_ends_no_command_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(DATA / "run", tmp_path / "run")
    document = json.loads((run / "scenario.json").read_text(encoding="utf-8"))
    document["sweep"]["mixer"][0]["vary"] = {f"p{i}": [0, 1] for i in range(40)}
    (run / "scenario.json").write_text(json.dumps(document), encoding="utf-8")
    answer = called(*words, run)
    assert answer.code in (0, 2, 4)
    assert "Traceback" not in answer.err


def test_a_long_list_is_not_said_to_have_aliases() -> None:
    many = ", ".join(map(str, range(MAX_VALUES)))
    (problem,) = parse(f"a: [{many}]", "f.yaml").problems
    assert problem.message == "more than 50,000 values"


def test_repeats_in_a_long_list_are_found_at_once() -> None:
    many = ", ".join(map(str, (*range(1, 5_001), 7)))
    text = f"name: s\ntitle: S\nsweep:\n  mixer: msa\n  batch: [{many}]\n"
    assert [one.message for one in check(text, "f.yaml", {"msa": ()}).problems] == ["batch lists 7 twice"]


def test_an_emoji_as_json_escapes_it_is_read_and_half_of_one_is_text() -> None:
    source = parse(EMOJI.read_text(encoding="utf-8"), "f.yaml")
    assert source.value["title"] == "half \\ud83d, whole 😀"
    assert [one["label"] for one in source.value["sweep"]["mixer"]] == ["fast 🚀", "odd \\udc80"]
    assert (
        parse('{"\\ud83d\\ude00": 1, "😀": 2}', "f.yaml")
        .problems[0]
        .message.startswith('"😀" is written twice')
    )


def test_such_labels_keep_their_cells_through_a_run_folder(tmp_path: Path) -> None:
    checked = check(
        EMOJI.read_text(encoding="utf-8"), "f.yaml", {"msa": ("num_heads",), "hilo": ("num_heads",)}
    )
    assert checked.scenario is not None
    cells = expand(checked.scenario, device="cpu")
    assert [cell.name for cell in cells] == ["fast 🚀", "odd \\udc80"]
    writer = RunWriter.create(tmp_path / "run", checked.scenario.to_dict(), {})
    for cell in cells:
        writer.append(make_record(cell))
    writer.close()
    run = read_run(tmp_path / "run")
    assert tuple(record.id for record in run.records) == tuple(cell.id for cell in cells)
    assert expand(Scenario.from_dict(run.scenario), device="cpu") == cells


@pytest.mark.parametrize("text", ["\udcff", "\ud83d\ude00", "\x1b[31m", "\x00"])
def test_odd_characters_in_an_override_are_a_mistake_and_no_fault(text: str) -> None:
    answer = called("check", EMOJI, "--set", f"title={text}")
    assert answer.code in (0, 2)
    assert "Traceback" not in answer.err
    assert "\x1b" not in answer.out + answer.err


def test_a_word_of_a_megabyte_is_quoted_by_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"name: s\ntitle: S\nsweep: {{mixer: {'x' * 900_000}}}\n", encoding="utf-8")
    answer = called("check", path)
    assert answer.code == 2
    assert 'unknown mixer "xxx' in answer.out
    assert max(map(len, answer.out.splitlines())) < 3_000
