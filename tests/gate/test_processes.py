"""The scenario of one process of a gate: exactly the wanted cells, and nothing an older benchsuite lacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchsuite.gate.processes import process_scenario
from benchsuite.results.cell import Cell
from benchsuite.scenario.expand import expand
from benchsuite.scenario.load import load, shipped
from benchsuite.scenario.model import Scenario
from benchsuite.zoo.catalogue import known_parameters
from tests.shipped import cells_of
from tests.shipped import scenario as shipped_scenario

TEXT = """
name: s
title: S
sweep:
  mixer:
    - msa
    - {name: hilo, label: "HiLo, two", vary: {alpha: [0.25, 0.5]}}
    - {name: window, label: W}
  resolution: [224, [224, 448]]
  kernel: [math, sdpa]
  threads: [null, 1]
include:
  - {mixer: [msa, W], resolution: 448}
  - {mixer: W, batch: 2}
exclude:
  - {where: mixer=W kernel=sdpa, reason: because}
expect:
  - {where: mixer=W, status: oom, reason: because}
claims:
  - {id: A, says: x, source: y, metric: macs, subject: W, against: msa, expect: lower}
measure: {max_samples: 40, timeout_s: 77}
gate: {max_s: 0.25, min_samples: 50, warmup_s: 0.2, exact: any}
report: {reference: W}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    path = tmp_path / "s.yaml"
    path.write_text(TEXT)
    return load(path, known_parameters())


def reloaded(document: dict[str, Any], folder: Path) -> Scenario:
    """As the process reads it: from a file, checked."""
    path = folder / "side.json"
    path.write_text(json.dumps(document))
    return load(path, known_parameters())


def side(scenario: Scenario, cells: tuple[Cell, ...], folder: Path, *, exact: bool = True) -> Scenario:
    return reloaded(process_scenario(scenario, cells, device="cpu", seed=7, exact=exact), folder)


def test_it_measures_all_cells_if_all_are_wanted(scenario: Scenario, tmp_path: Path) -> None:
    cells = expand(scenario, device="cpu")
    assert expand(side(scenario, cells, tmp_path), device="cuda") == cells  # the device is no longer "auto"


@pytest.mark.parametrize("step", [2, 3, 7])
def test_it_measures_the_wanted_cells_and_no_other(scenario: Scenario, tmp_path: Path, step: int) -> None:
    cells = expand(scenario, device="cpu")[::step]
    assert expand(side(scenario, cells, tmp_path), device="cpu") == cells


def test_a_mixer_without_a_wanted_cell_is_not_even_named(scenario: Scenario, tmp_path: Path) -> None:
    cells = tuple(cell for cell in expand(scenario, device="cpu") if cell.target == "msa")
    document = process_scenario(scenario, cells, device="cpu", seed=7, exact=True)
    text = json.dumps(document)
    assert "hilo" not in text
    assert "window" not in text
    assert expand(reloaded(document, tmp_path), device="cpu") == cells


@pytest.mark.parametrize("kept", ["mixer", "backbone"])
def test_of_mixers_beside_networks_either_kind_may_be_left_out(kept: str, tmp_path: Path) -> None:
    sweep = {"mixer": ["msa", "hilo"], "backbone": ["litv2_s"], "resolution": [224]}
    include = [{"mixer": ["hilo"], "backbone": ["litv2_s"], "resolution": [448]}]
    data = {"name": "both", "title": "Both", "sweep": sweep, "include": include}
    scenario = Scenario.model_validate(data)
    cells = tuple(cell for cell in expand(scenario, device="cpu") if cell.subject == kept)
    assert expand(side(scenario, cells, tmp_path), device="cpu") == cells


def test_it_samples_as_the_gate_says(scenario: Scenario, tmp_path: Path) -> None:
    cells = expand(scenario, device="cpu")
    measure = side(scenario, cells, tmp_path).measure
    assert (measure.max_s, measure.warmup_s, measure.min_samples, measure.max_samples) == (0.25, 0.2, 50, 50)
    assert (measure.rounds, measure.rule, measure.order, measure.seed) == (1, "fixed", "shuffled", 7)
    assert (measure.timeout_s, measure.check, measure.ceilings) == (77, True, False)
    assert measure.metrics == ("cost", "latency", "memory")
    later = side(scenario, cells, tmp_path, exact=False).measure
    assert (later.metrics, later.check) == (("latency",), False)


def test_it_says_nothing_of_what_only_newer_versions_know(scenario: Scenario) -> None:
    cells = expand(scenario, device="cpu")
    document = process_scenario(scenario, cells, device="cpu", seed=0, exact=True)
    assert set(document) == {"name", "title", "sweep", "include", "measure", "exclude"}


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_can_be_cut_down(name: str, tmp_path: Path) -> None:
    cells = cells_of(name)[::2]
    assert expand(side(shipped_scenario(name), cells, tmp_path), device="cpu") == cells


def test_a_kernel_that_auto_became_is_named_to_both_sides(tmp_path: Path) -> None:
    rows = [
        {
            "mixer": "msa",
            "device": "cpu",
            "dtype": "fp32",
            "mode": "inference",
            "grid": [14, 14],
            "kernel": "math",
        }
    ]
    text = {"name": "s", "title": "S", "sweep": {"mixer": ["msa", "hilo"], "kernel": "auto"}}
    scenario = Scenario.from_dict({**text, "include": [{"batch": 2, "kernel": "auto"}], "kernel_rows": rows})
    cells = expand(scenario, device="cpu")
    assert [cell.kernel for cell in cells] == ["math", "sdpa"] * 2
    document = process_scenario(scenario, cells, device="cpu", seed=0, exact=True)
    assert "auto" not in json.dumps(document)
    left = expand(reloaded(document, tmp_path), device="cpu")
    assert {cell.id for cell in left} == {cell.id for cell in cells}
