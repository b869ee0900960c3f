"""What the kernel "auto" stands for: rows of a table, where they are looked for, and who keeps them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchsuite.mixers import MIXERS
from benchsuite.scenario import kernel_table
from benchsuite.scenario.expand import expand
from benchsuite.scenario.kernel_table import KernelRow, add, own_file, read, table
from benchsuite.scenario.load import load
from benchsuite.scenario.model import Scenario
from benchsuite.zoo.catalogue import entry

from .documents import KNOWN

ABOUT = {"machine": "a loom", "date": "2026-01-02", "versions": {}, "command": "benchsuite tune"}


def row(mixer: str = "hilo", kernel: str = "compiled", **changes: Any) -> KernelRow:
    fields = {"device": "cpu", "dtype": "fp32", "mode": "inference", "grid": (14, 14), **changes}
    return KernelRow(**{"mixer": mixer, "kernel": kernel, **fields})


BAD_ROW = '{"form": 1, "measurements": [{"about": {}, "rows": [{"grid": [1, 1], "kernel": "quick"}]}]}'


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of the rows that come with benchsuite, which is not there; nor has the machine any."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kernel_table, "SHIPPED", tmp_path / "shipped.json")
    return tmp_path / "shipped.json"


def loaded(**sweep: Any) -> Scenario:
    document = {
        "name": "s",
        "title": "A study",
        "sweep": {"mixer": ["hilo", "msa"], "kernel": "auto", **sweep},
    }
    return load(document, KNOWN)


def kernels(scenario: Scenario, device: str = "cpu") -> list[tuple[str, str]]:
    return [(cell.target, cell.kernel) for cell in expand(scenario, device=device)]


def test_auto_is_what_the_table_has_for_the_mixer_and_sdpa_where_it_has_no_row(shipped: Path) -> None:
    add(shipped, [row()], ABOUT)
    assert kernels(loaded()) == [("hilo", "compiled"), ("msa", "sdpa")]


@pytest.mark.parametrize(
    "changes",
    [
        {"resolution": 448},
        {"dtype": "bf16"},
        {"mode": "forward_backward"},
        {"compile": "default"},
        {"device": "cuda:1"},
    ],
)
def test_a_row_is_for_its_grid_dtype_mode_and_device_without_torch_compile(
    shipped: Path, changes: dict[str, Any]
) -> None:
    add(shipped, [row()], ABOUT)
    assert ("hilo", "compiled") not in kernels(loaded(**changes))


def test_a_grid_is_the_same_whatever_pixels_it_is_made_of(shipped: Path) -> None:
    add(shipped, [row(grid=(14, 28))], ABOUT)
    assert kernels(loaded(resolution=[[56, 112]], stride=4))[0] == ("hilo", "compiled")


def test_a_training_step_takes_the_row_of_forward_and_backward_on_any_card(shipped: Path) -> None:
    add(shipped, [row(mode="forward_backward", device="cuda")], ABOUT)
    assert kernels(loaded(mode="training_step"), "cuda:1")[0] == ("hilo", "compiled")


def test_a_cell_says_the_kernel_in_its_id_and_is_measured_once(shipped: Path) -> None:
    add(shipped, [row(kernel="math")], ABOUT)
    cells = expand(loaded(kernel=["math", "auto", "sdpa"]), device="cpu")
    assert [(cell.target, cell.kernel) for cell in cells] == [
        ("hilo", "math"), ("msa", "math"), ("msa", "sdpa"), ("hilo", "sdpa")
    ]  # fmt: skip
    assert all(f"-{cell.kernel}-" in cell.id for cell in cells)


def test_rows_of_this_machine_come_before_those_that_are_shipped(shipped: Path) -> None:
    add(shipped, [row(), row("msa")], ABOUT)
    add(own_file(), [row(kernel="math")], ABOUT)
    assert kernels(loaded()) == [("hilo", "math"), ("msa", "compiled")]


def test_a_scenario_keeps_the_rows_that_it_was_loaded_with(shipped: Path) -> None:
    add(shipped, [row()], ABOUT)
    stored = json.loads(json.dumps(loaded().to_dict()))
    add(shipped, [row(kernel="math"), row("msa", "flash")], ABOUT)
    assert kernels(Scenario.from_dict(stored)) == [("hilo", "compiled"), ("msa", "sdpa")]


def test_a_scenario_that_does_not_ask_has_no_rows(shipped: Path) -> None:
    add(shipped, [row()], ABOUT)
    scenario = loaded(kernel="math")
    assert scenario.kernel_rows == ()
    assert "kernel_rows" not in scenario.to_dict()


def test_an_include_may_ask(shipped: Path) -> None:
    add(shipped, [row()], ABOUT)
    document = {"name": "s", "title": "A study", "sweep": {"mixer": "hilo"}, "include": [{"kernel": "auto"}]}
    assert kernels(load(document, KNOWN)) == [("hilo", "math"), ("hilo", "compiled")]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"form": 0, "measurements": []}', '{"form": 1}', BAD_ROW]
)
def test_a_file_that_is_no_table_has_no_rows(shipped: Path, content: str) -> None:
    shipped.write_text(content)
    assert table() == ()


def test_a_measurement_takes_the_place_of_older_rows_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "new" / "t.json"
    add(file, [row(), row("msa")], ABOUT)
    add(file, [row(kernel="math")], ABOUT | {"machine": "a mill"})
    assert read(file) == (row("msa"), row(kernel="math"))
    said = [one["about"]["machine"] for one in json.loads(file.read_text())["measurements"]]
    assert said == ["a loom", "a mill"]
    add(file, [row("msa", "math")], ABOUT)
    assert len(json.loads(file.read_text())["measurements"]) == 2  # nothing was left of the first


def test_the_shipped_table_names_kernels_that_the_mixers_have_and_where_it_was_measured() -> None:
    file = Path(kernel_table.__file__).with_suffix(".json")
    rows = read(file)
    assert rows
    for one in rows:
        assert one.mixer in MIXERS
        assert one.kernel in entry(one.mixer).kernels
    for measurement in json.loads(file.read_text())["measurements"]:
        assert all(measurement["about"][key] for key in ("machine", "date", "versions", "command"))
