"""Networks of timm: on timm itself where it is installed, else on a stand-in that behaves alike."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchsuite.errors import Unsupported, UsageError
from benchsuite.results.record import Cell
from benchsuite.runner import plan as planning
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.workers import InlineWorkers
from benchsuite.scenario.validate import problems
from benchsuite.worker import timm as timm_networks
from benchsuite.worker.build import backbone_builder, build
from benchsuite.zoo.catalogue import known_parameters
from benchsuite.zoo.names import library_names
from tests.builders import make_cell
from tests.plans import plans_of

REAL = importlib.util.find_spec("timm") is not None
VIT, SWIN, MAXVIT = "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "maxvit_tiny_tf_224"
SCENARIO = f"""
name: yardsticks
title: Networks of timm
subject: backbone
sweep:
  backbone: [{{name: "timm:{VIT}.augreg_in21k", label: ViT}}, {{name: "timm:{MAXVIT}", label: MaxViT}}]
  resolution: [224, 448]
  batch: 1
"""


@pytest.fixture(autouse=True)
def timm(monkeypatch: pytest.MonkeyPatch, repository: Path) -> Iterator[Any]:
    if not REAL:
        monkeypatch.syspath_prepend(repository / "tests/data/timm_stand_in")
    forget()
    yield importlib.import_module("timm")
    forget()
    if not REAL:
        for name in [name for name in sys.modules if name.partition(".")[0] == "timm"]:
            del sys.modules[name]


def forget() -> None:
    for cached in (backbone_builder, timm_networks.builder, library_names):
        cached.cache_clear()


def cell(name: str = VIT, side: int = 224, **changes: Any) -> Cell:
    shape = {"name": name, "target": f"timm:{name}", "resolution": (side, side), "batch": 1}
    return make_cell(subject="backbone", stride=1, dim=None, num_heads=None, **(shape | changes))


def shapes(cell: Cell) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in build(cell, "meta").module.named_parameters()}


def told(name: str) -> str:
    text = f"name: s\ntitle: t\nsubject: backbone\nsweep:\n  backbone: 'timm:{name}'\n  resolution: 224\n"
    return "\n".join(map(str, problems(text, "f.yaml", known_parameters())))


@pytest.mark.parametrize(("kernel", "fused"), [("math", False), ("sdpa", True)])
def test_the_kernel_of_the_cell_decides_and_timms_setting_is_put_back(
    timm: Any, kernel: str, fused: bool
) -> None:
    network = build(cell(kernel=kernel), "meta").module
    found = {module.fused_attn for module in network.modules() if hasattr(module, "fused_attn")}
    assert found == {fused}
    assert timm.layers.use_fused_attn()


def test_it_is_counted_like_any_other_network() -> None:
    (plan,) = plans_of([cell("resnet18", 64)])
    assert plan.value is not None
    assert plan.value.cost is not None
    assert plan.value.cost.macs > 0
    assert plan.value.cost.params == sum(shape.numel() for shape in shapes(cell("resnet18")).values())


def test_another_kernel_is_unsupported() -> None:
    with pytest.raises(Unsupported, match=r"has no flash kernel; it runs on math, sdpa"):
        build(cell(kernel="flash"), "cpu")


def test_a_mixer_cannot_be_put_in() -> None:
    with pytest.raises(UsageError, match="takes no mixer"):
        backbone_builder(f"timm:{VIT}")(mixer={"stage1": "sra"})


@pytest.mark.parametrize("name", [f"{VIT}.augreg_in21k", "gluon_resnet18_v1b"])
@pytest.mark.filterwarnings("ignore:Mapping deprecated model name")
def test_a_tag_and_an_old_name_stand_for_the_network(name: str) -> None:
    assert told(name) == ""
    assert shapes(cell(name))
    assert build(cell(name, 64 if "resnet" in name else 224), "meta").module


@pytest.mark.parametrize("name", ["vit_tiny_patch16_244", f"{VIT}.augreg_in21"])
def test_a_misspelt_name_is_a_mistake_of_the_scenario_with_the_nearest_names(name: str) -> None:
    assert "f.yaml:5:13  sweep.backbone" in told(name)
    assert f'timm has no network "{name}"; the nearest are {VIT}' in told(name)
    with pytest.raises(LookupError, match="timm"):
        backbone_builder(f"timm:{name}")


def test_the_names_are_those_that_timm_registers(timm: Any) -> None:
    names = library_names("timm", tuple(sys.path))
    assert names is not None
    listed = set(timm.list_models())
    assert listed <= names.networks
    assert all(timm.is_model(name) for name in names.networks)
    assert all(timm.get_pretrained_cfg(name) is not None for name in names.tagged)
    tags = {f"{VIT}.augreg_in21k", f"{SWIN}.ms_in1k", "resnet18.a1_in1k"}
    assert all(names.nearest(name) is None for name in listed | tags)


def test_without_timm_every_name_is_taken_and_the_cell_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not (Path(path) / "timm").is_dir()])
    monkeypatch.chdir(Path(__file__).parent)
    monkeypatch.setitem(sys.modules, "timm", None)
    assert told("whatever.tag") == ""
    (plan,) = plans_of([cell()])
    assert plan.status == "error"
    assert plan.failure is not None
    assert plan.failure.message.startswith(f"timm:{VIT} cannot be loaded: it needs timm: pip")


@pytest.mark.parametrize("name", [VIT, SWIN, MAXVIT, "resnet18"])
def test_a_network_is_built_for_images_of_another_size(name: str) -> None:
    subject = build(cell(name, 256), "meta")
    assert subject.module(*subject.inputs).shape == (1, 1000)


def test_a_network_that_takes_its_own_size_only_is_unsupported_in_words() -> None:
    own, other = plans_of([cell("efficientformer_l1"), cell("efficientformer_l1", 448)])
    assert own.status == "ok"
    assert other.status == "unsupported"
    assert other.failure is not None
    words = "timm:efficientformer_l1 takes no images of 448 × 448 pixels; its own are 224 × 224 ("
    assert other.failure.message.startswith(words)


def test_a_wrong_argument_is_a_mistake_of_the_scenario_at_every_size() -> None:
    for side in (224, 448):
        with pytest.raises(UsageError, match="window_sise"):
            build(cell(SWIN, side, config={"window_sise": 7}), "meta")


def test_swin_keeps_its_windows_and_weights_at_another_size_unless_told_otherwise() -> None:
    assert shapes(cell(SWIN, 448)) == shapes(cell(SWIN))
    assert shapes(cell(SWIN, 448, config={"window_size": 7})) == shapes(cell(SWIN))
    assert shapes(cell(SWIN, 448, config={"window_size": 14})) != shapes(cell(SWIN))


def test_windows_that_grow_with_the_image_are_told_and_those_of_all_tokens_are_none() -> None:
    cells = [cell(MAXVIT), cell(MAXVIT, 448), cell(SWIN, 448), cell(VIT, 448), cell("resnet18", 448)]
    assert [plan.value.windows for plan in plans_of(cells) if plan.value] == ["", "14×14", "", "", ""]


@pytest.mark.parametrize("at_once", [planning.AT_ONCE, 0])
def test_the_cell_of_a_network_with_other_windows_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(planning, "AT_ONCE", at_once)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    workers = InlineWorkers()
    try:
        prepared = prepare(Request(reference=str(tmp_path / "s.yaml"), device="cpu"), workers)
    finally:
        workers.close()
    names = [(cell.name, cell.resolution[0]) for cell in prepared.cells]
    assert names == [("ViT", 224), ("MaxViT", 224), ("ViT", 448), ("MaxViT, windows 14×14", 448)]
    assert [note for note in prepared.notes if "another network, with windows of 14×14" in note]
