"""Networks as cells: how they are built, counted, refused and measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.backbones import BACKBONES
from benchsuite.errors import UsageError
from benchsuite.measurement.stopping import Visit
from benchsuite.mixers import BLOCKS, MIXERS
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Cell
from benchsuite.scenario.measure_settings import Measure
from benchsuite.scenario.subjects import STAGES, named
from benchsuite.worker import calls
from benchsuite.worker.build import backbone_builder, build
from benchsuite.zoo.catalogue import known_parameters
from tests.builders import make_cell, make_record
from tests.plans import plans_of

HERE = "tests.worker.test_backbone_cells"


class Tiny(nn.Module):
    """A patch embedding, a mixer if it is given one, and a head."""

    def __init__(self, num_classes: int, resolution: Any, mixer: Mapping[str, Any] | None) -> None:
        super().__init__()
        self.resolution = resolution
        self.mixer = mixer
        self.embed = nn.Conv2d(3, 8, 4, stride=4)
        self.head = nn.Linear(8, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(x).mean((2, 3)))
        return logits


def tiny(
    *, num_classes: int = 10, resolution: Any = 32, kernel: str = "math", mixer: Any = None
) -> nn.Module:
    sides = (resolution, resolution) if isinstance(resolution, int) else resolution
    if kernel not in ("math", "sdpa"):
        raise ValueError(f"tiny has no mixer that runs on kernel {kernel!r}; it runs on math, sdpa")
    if any(side % 4 for side in sides):
        raise ValueError(f"tiny: patches of 4 pixels do not divide {sides}")
    if mixer and "stage9" in mixer:
        raise ValueError("unknown stage 'stage9'. Allowed: stage1")
    return Tiny(num_classes, resolution, mixer)


def huge(**options: Any) -> nn.Module:
    network = tiny()
    network.ballast = nn.Linear(10**6, 10**6)
    return network


def square(*, resolution: int = 32) -> nn.Module:
    return tiny(resolution=resolution)


def no_module(**options: Any) -> str:
    return "a network"


NO_FUNCTION = 3


def cell_of(name: str = "tiny", **changes: Any) -> Cell:
    fields: dict[str, Any] = {
        "subject": "backbone",
        "name": name,
        "target": f"{HERE}:{name}",
        "resolution": (32, 32),
        "stride": 1,
        "dim": None,
        "num_heads": None,
    }
    return make_cell(**(fields | changes))


def test_the_input_is_images_and_the_output_is_logits() -> None:
    subject = build(cell_of(resolution=(32, 64), batch=3, dtype="bf16"), "cpu")
    assert subject.tensor.shape == (3, 3, 32, 64)
    assert subject.tensor.dtype == next(subject.module.parameters()).dtype == torch.bfloat16
    assert not subject.module.training
    assert subject.module(*subject.inputs).shape == (3, 10)


def test_a_network_is_told_the_side_of_a_square_and_both_sides_of_a_rectangle() -> None:
    assert build(cell_of(), "meta").module.resolution == 32
    assert build(cell_of(resolution=(32, 64)), "meta").module.resolution == (32, 64)


def test_parameters_and_swaps_reach_the_builder_with_names_it_can_import() -> None:
    swap = {
        "stage1": "hilo",
        "stage2": {"name": "pvtv2_mlp", "params": {"hidden_dim": 2}},
        "all": {"alternate": ["msa"]},
    }
    module = build(cell_of(config={"num_classes": 7, "mixer": swap}), "meta").module
    assert module.head.out_features == 7
    assert module.mixer == {
        "stage1": "hilo",  # of the zoo, which a network knows
        "stage2": {"name": BLOCKS["pvtv2_mlp"], "params": {"hidden_dim": 2}},
        "all": {"alternate": ["msa"]},
    }


def test_weights_and_input_come_from_the_seed() -> None:
    one, same, other = (build(cell_of(), "cpu", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.module(*one.inputs), same.module(*same.inputs))
    assert not torch.equal(one.module(*one.inputs), other.module(*other.inputs))


def plain() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 2, 4), nn.Flatten())


@pytest.mark.parametrize("name", ["plain", "square", "Bare"])
def test_a_function_or_a_class_need_not_ask_for_resolution_kernel_or_classes(name: str) -> None:
    (plan,) = plans_of([cell_of(name)])
    assert plan.status == "ok"


class Bare(nn.Conv2d):
    def __init__(self, width: int = 2) -> None:
        super().__init__(3, width, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": "flash"}, "tiny has no mixer that runs on kernel 'flash'; it runs on math, sdpa"),
        ({"resolution": (30, 32)}, "tiny: patches of 4 pixels do not divide (30, 32)"),
        ({"config": {"mixer": {"stage9": "msa"}}}, "unknown stage 'stage9'. Allowed: stage1"),
        (
            {"target": f"{HERE}:square", "kernel": "sdpa"},
            f"{HERE}:square has no sdpa kernel: it names no `kernels` and takes no argument `kernel`, so it "
            "runs as it is, which counts as math",
        ),
    ],
)
def test_what_a_builder_refuses_is_unsupported_and_the_run_goes_on(
    changes: dict[str, Any], message: str
) -> None:
    bad, good = plans_of([cell_of(**changes), cell_of()])
    assert (bad.status, good.status) == ("unsupported", "ok")
    assert bad.failure is not None
    assert bad.failure.message == message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"depth": 3}, "got an unexpected keyword argument 'depth'"),
        (
            {"mixer": {"stage1": {"alternate": ["msa", {"name": f"{HERE}:Tiny", "params": {"heads": 2}}]}}},
            "got an unexpected keyword argument 'heads'",
        ),
    ],
)
def test_arguments_that_no_signature_takes_are_refused_before_the_run(
    config: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        plans_of([cell_of(), cell_of(config=config)])
    assert str(error.value) == f"tiny ({HERE}:tiny): {message}"


def test_a_builder_that_builds_no_module_costs_its_own_cells_only() -> None:
    bad, good = plans_of([cell_of("no_module"), cell_of()])
    assert (bad.status, good.status) == ("error", "ok")
    assert bad.failure is not None
    assert bad.failure.message == "it builds a str, not a torch.nn.Module"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (f"{HERE}:tinny", f'module {HERE} has no function "tinny"; did you mean "tiny"?'),
        (f"{HERE}:NO_FUNCTION", "it is a int, not a function that builds a network"),
        ("msa", "no network is called so"),
    ],
)
def test_a_builder_that_is_not_there_costs_its_own_cells_only(target: str, message: str) -> None:
    bad, good = plans_of([cell_of(target=target), cell_of()])
    assert (bad.status, good.status) == ("error", "ok")
    assert bad.failure is not None
    assert bad.failure.message == f"{target} cannot be loaded: {message}"


def test_cost_is_of_one_image_and_worked_by_hand() -> None:
    (plan,) = plans_of([cell_of(batch=4)])
    assert plan.value is not None
    assert plan.value.cost.params == (3 * 4 * 4 * 8 + 8) + (8 * 10 + 10)
    assert plan.value.cost.macs == 8 * 8 * 8 * (3 * 4 * 4) + 8 * 10
    assert plan.value.memory_bytes >= 4 * plan.value.cost.params + 4 * 4 * 3 * 32 * 32


def test_a_cell_that_the_machine_cannot_hold_is_refused_with_the_estimate_and_not_tried() -> None:
    (answer,) = plans_of([cell_of("huge")])  # 10¹² weights: 3.6 TiB
    assert answer.status == "oom"
    assert answer.failure is not None
    assert answer.failure.message.startswith("will not fit: needs about 3.64 TiB, there is ")
    assert answer.failure.message.endswith("; not tried")
    assert answer.value is not None  # it is counted all the same
    assert answer.value.cost.params > 10**12


def test_the_largest_network_is_planned_without_its_memory() -> None:
    (plan,) = plans_of([make_cell(**_DAVIT_G)])
    assert plan.status in ("ok", "oom")
    cost = calls.count(make_cell(**_DAVIT_G)).value
    assert cost is not None
    assert cost.params == 1_406_470_120  # 1406.47 M, as published


_DAVIT_G: dict[str, Any] = {
    "subject": "backbone",
    "name": "DaViT-G",
    "target": "davit_g",
    "resolution": (224, 224),
    "stride": 1,
    "batch": 1,
    "dim": None,
    "num_heads": None,
}


def test_a_network_is_timed_and_its_memory_taken_forward_and_backward() -> None:
    quick = Measure(warmup_calls=1, warmup_s=0.0, min_samples=3, max_samples=3, max_s=60.0, precision=None)
    for mode in ("inference", "forward_backward"):
        timed = calls.visit(cell_of(mode=mode), quick, Visit())
        assert timed.value is not None
        assert len(timed.value.timing.samples_s) == 3
        inspected = calls.inspect_cell(cell_of(mode=mode), quick)
        assert inspected.value is not None
        assert inspected.value.memory is not None
        assert inspected.value.memory.input_bytes == 2 * 3 * 32 * 32 * 4


def test_a_frame_has_no_width_for_a_network_and_keeps_that_of_a_mixer() -> None:
    frame = to_frame([make_record(cell_of()), make_record()])
    assert frame["dim"].isna().tolist() == frame["num_heads"].isna().tolist() == [True, False]
    assert frame["dim"].iloc[1] == 32
    assert frame["subject"].tolist() == ["backbone", "mixer"]
    assert frame["tokens"].tolist() == [32 * 32, 16]  # a network is given pixels


def test_a_mixer_cell_is_called_what_it_was_called_before_there_were_networks() -> None:
    assert make_cell(config={"alpha": 0.5}).id == "msa-64-b2-fp32-math-24bbbfd7"


def test_the_names_of_mixers_blocks_and_networks_do_not_meet() -> None:
    assert not set(BACKBONES) & (set(MIXERS) | set(BLOCKS))


def test_the_catalogue_knows_each_kind_by_its_subject() -> None:
    known = known_parameters(installed=False)
    assert list(named(known, "backbone")) == list(BACKBONES)
    assert list(named(known, "block")) == list(BLOCKS)
    assert set(named(known, "mixer")) == set(MIXERS) | set(BLOCKS)
    assert named(known, "block")["pvtv2_mlp"] == known["pvtv2_mlp"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_of_the_language_is_one_of_some_network(stage: str) -> None:
    target = "deit_s" if stage == "all" else "swin_t"
    backbone_builder(target)(resolution=224, mixer={stage: "msa"})
