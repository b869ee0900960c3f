"""Networks of torchvision: on torchvision itself where it is installed, else on a stand-in."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import Unsupported, UsageError
from benchsuite.results.record import Cell
from benchsuite.scenario.validate import problems
from benchsuite.worker import torchvision
from benchsuite.worker.build import backbone_builder, build
from benchsuite.worker.steps import step_of
from benchsuite.zoo.catalogue import known_parameters
from benchsuite.zoo.names import library_names
from tests.builders import make_cell
from tests.plans import plans_of

REAL = importlib.util.find_spec("torchvision") is not None


@pytest.fixture(autouse=True)
def _torchvision(monkeypatch: pytest.MonkeyPatch, repository: Path) -> Iterator[None]:
    if not REAL:
        monkeypatch.syspath_prepend(repository / "tests/data/torchvision_stand_in")
    forget()
    yield
    forget()
    if not REAL:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]


def forget() -> None:
    for cached in (backbone_builder, torchvision.builder, library_names):
        cached.cache_clear()


def cell(name: str = "resnet18", **changes: Any) -> Cell:
    shape = {"name": name, "target": f"torchvision:{name}", "resolution": (64, 64), "batch": 1}
    return make_cell(subject="backbone", stride=1, dim=None, num_heads=None, **(shape | changes))


def told(name: str) -> str:
    text = f"name: s\ntitle: t\nsubject: backbone\nsweep: {{backbone: 'torchvision:{name}'}}\n"
    return "\n".join(map(str, problems(text, "f.yaml", known_parameters())))


def test_it_is_built_with_its_own_arguments_and_counted() -> None:
    (plan,) = plans_of([cell(config={"num_classes": 7})])
    assert plan.value is not None
    assert plan.value.cost is not None
    assert plan.value.cost.macs > 0
    assert build(cell(config={"num_classes": 7}), "meta").module.fc.out_features == 7


def test_a_transformer_is_built_for_the_images_and_runs_on_the_fused_kernel() -> None:
    subject = build(cell("vit_b_16", kernel="sdpa", resolution=(96, 96)), "meta")
    assert subject.module(*subject.inputs).shape == (1, 1000)
    with pytest.raises(Unsupported, match="has no math kernel; it runs on sdpa"):
        build(cell("vit_b_16"), "meta")
    with pytest.raises(Unsupported, match="square images only"):
        build(cell("vit_b_16", kernel="sdpa", resolution=(96, 64)), "meta")


def test_of_a_dictionary_of_outputs_the_first_counts() -> None:
    output = step_of(build(cell("deeplabv3_resnet50"), "meta"), "forward_backward")()
    assert len(output) == 1


def test_a_wrong_argument_and_a_mixer_are_mistakes_of_the_scenario() -> None:
    with pytest.raises(UsageError, match="num_clases"):
        build(cell(config={"num_clases": 7}), "meta")
    with pytest.raises(UsageError, match="takes no mixer"):
        build(cell(config={"mixer": {"stage1": "sra"}}), "meta")


def test_its_names_are_those_that_it_registers() -> None:
    names = library_names("torchvision", tuple(sys.path))
    assert names is not None
    assert set(importlib.import_module("torchvision.models").list_models()) == names.networks
    assert told("deeplabv3_resnet50") == ""


def test_a_misspelt_name_has_its_place_and_the_nearest() -> None:
    assert "f.yaml:4:19  sweep.backbone" in told("resnet81")
    assert 'torchvision has no network "resnet81"; the nearest are resnet18' in told("resnet81")
    with pytest.raises(LookupError, match="torchvision has no network 'resnet81'"):
        backbone_builder("torchvision:resnet81")


def test_a_network_is_no_mixer() -> None:
    text = "name: s\ntitle: t\nsweep: {mixer: 'torchvision:resnet18'}\n"
    (problem,) = problems(text, "f.yaml", known_parameters())
    assert "write subject: backbone" in problem.message


def test_where_it_is_missing_the_cell_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    (plan,) = plans_of([cell()])
    assert plan.failure is not None
    assert "it needs torchvision: pip install torchvision" in plan.failure.message
