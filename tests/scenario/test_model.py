from __future__ import annotations

import json
import pickle

import pytest

from benchsuite.errors import ScenarioError
from benchsuite.scenario.expand import expand
from benchsuite.scenario.measure_settings import Measure
from benchsuite.scenario.model import Document, Scenario

from .documents import FULL, read


def test_every_spelling_has_one_form_in_the_model() -> None:
    scenario = read(FULL)
    assert scenario.sweep.resolution == ((224, 224), (448, 672), (896, 896))
    assert (scenario.sweep.stride, scenario.sweep.kernel) == ((16,), ("math", "auto"))
    assert [entry.label for entry in scenario.sweep.mixer] == ["msa", "HiLo α=0.9"]
    assert scenario.include[0].batch == (1,)
    assert scenario.include[0].kernel is None
    assert scenario.expect[0].status == ("oom",)
    assert (scenario.measure.metrics, scenario.measure.precision) == (("latency",), None)
    assert scenario.report.sections == ("table", "scatter")


def test_defaults_are_those_of_the_language() -> None:
    scenario = read("sweep: {mixer: msa}")
    assert scenario.measure == Measure(
        metrics=("cost", "latency", "memory"),
        warmup_calls=3,
        warmup_s=0.5,
        min_samples=10,
        max_samples=200,
        max_s=5.0,
        precision="auto",
        rule="interval",
        rounds=5,
        max_rounds=None,
        order="shuffled",
        threads=None,
        allocator=None,
        seed=0,
        check=True,
        busy=True,
        energy="auto",
        ceilings=True,
        timeout_s=600.0,
        memory_limit=None,
        retry={},
    )
    assert scenario.report.sections == ("scatter", "scaling", "kernels", "memory", "training", "table")
    assert (scenario.report.reference, scenario.question, scenario.subject) == (None, None, "mixer")
    assert (scenario.profiles, scenario.applied, scenario.overrides) == ((), (), ())


def test_a_scenario_survives_json() -> None:
    scenario = read(FULL, profiles=["cpu"], overrides=["measure.seed=3"])
    stored = json.loads(json.dumps(scenario.to_dict()))
    again = Scenario.from_dict(stored)
    assert again == scenario
    assert again.to_dict() == stored
    assert [cell.id for cell in expand(again, device="cpu")] == [c.id for c in expand(scenario, device="cpu")]
    assert (stored["applied"], stored["overrides"]) == (["cpu"], ["measure.seed=3"])


def test_a_scenario_survives_pickling_for_workers() -> None:
    scenario = read(FULL)
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_a_scenario_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read(FULL).sweep.batch = (2,)  # type: ignore[misc]  # that is the point


def test_stored_data_that_is_no_scenario_is_refused_by_the_name_of_its_file() -> None:
    stored = read(FULL).to_dict()
    stored["sweep"]["batch"] = ["lots"]
    stored["colour"] = "red"
    with pytest.raises(ScenarioError) as error:
        Scenario.from_dict(stored, "runs/x/scenario.json")
    assert [str(problem) for problem in error.value.problems] == [
        'runs/x/scenario.json  sweep.batch[0]\n  batch must be a positive whole number, got "lots"',
        'runs/x/scenario.json  colour\n  unknown key "colour"\n'
        f"  allowed: {', '.join(Document.model_fields)}",
    ]
    with pytest.raises(ScenarioError, match="the scenario must be a mapping, got 3"):
        Scenario.from_dict(3)  # type: ignore[arg-type]  # what a damaged file may hold
