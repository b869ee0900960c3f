"""Networks of stages: their wiring, their sizes, and another mixer in the place of their own."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.backbones import BACKBONES
from benchsuite.backbones._embed import DeformableEmbedding, NormedMerging, PatchEmbedding, PatchMerging
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._stage import HierarchyConfig
from benchsuite.backbones.davit import config as davit
from benchsuite.backbones.dwnet import MakeInhomogeneous, MakeStatic
from benchsuite.backbones.dwnet import config as dwnet
from benchsuite.backbones.lit import config as lit
from benchsuite.backbones.lit_ti import config as lit_ti
from benchsuite.backbones.litv2 import config as litv2
from benchsuite.backbones.pvt import config as pvt
from benchsuite.backbones.pvt import table
from benchsuite.backbones.pvtv2 import config as pvtv2
from benchsuite.backbones.swin import config as swin
from benchsuite.backbones.twins import config as twins
from benchsuite.mixers.hilo import HiLo
from benchsuite.mixers.lit import DeformableTokenMerging
from benchsuite.mixers.msa import MSA
from benchsuite.mixers.pvt import SpatialReductionAttention
from benchsuite.mixers.swin import WindowAttention
from benchsuite.mixers.twins import GlobalSubSampledAttention, LocallyGroupedAttention
from tests.backbones.closed_forms import NETWORKS

DEPTHS, HEADS = (1, 1, 2, 1), (1, 2, 4, 4)
PYRAMID = table((8, 16, 24, 32), DEPTHS, (1, 2, 3, 4), (4, 4, 2, 2))
TINY = {
    "davit": davit((8, 16, 24, 32), DEPTHS, (1, 2, 3, 4)),
    "dwnet": dwnet(8, DEPTHS, (MakeStatic(3),) * 4),
    "dwnet_idynamic": dwnet(32, DEPTHS, (MakeInhomogeneous(3),) * 4),
    "lit": lit(8, DEPTHS, HEADS),
    "lit_ti": lit_ti(PYRAMID),
    "litv2": litv2(8, DEPTHS, HEADS),
    "pvt": pvt(PYRAMID),
    "pvtv2": pvtv2(PYRAMID),
    "pvtv2_linear": pvtv2(PYRAMID, linear=True),
    "swin": swin(8, DEPTHS, HEADS, window_size=2),
    "twins_pcpvt": twins(PYRAMID),
    "twins_svt": twins(PYRAMID, (2, 2, 2, 2)),
}
"""A network of each kind, of few channels and blocks."""
FIXED = {"lit", "lit_ti", "pvt", "swin"}


def tiny(name: str, **options: Any) -> Hierarchy:
    torch.manual_seed(0)
    return Hierarchy(TINY[name], num_classes=5, **{"resolution": 64} | options).eval()


def mixers(network: nn.Module, stage: int) -> list[Any]:
    """What mixes in the blocks of a stage; DWNet's blocks have another name for it."""
    blocks = network.get_submodule(f"stages.{stage - 1}.blocks").children()
    return [getattr(block, "attn", None) or block.get_submodule("mixer") for block in blocks]


@pytest.mark.parametrize("name", TINY)
def test_images_that_are_not_square_give_logits_and_every_weight_a_gradient(name: str) -> None:
    network = tiny(name, resolution=(64, 128))
    logits = network(torch.randn(2, 3, 64, 128))
    assert logits.shape == (2, 5)
    logits.square().sum().backward()
    without = {key for key, parameter in network.named_parameters() if parameter.grad is None}
    assert without == set()


@pytest.mark.parametrize("name", TINY)
def test_an_image_does_not_depend_on_its_batch(name: str) -> None:
    network, x = tiny(name), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(x)[1:], network(x[1:]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(FIXED))
def test_a_network_made_for_one_resolution_refuses_another(name: str) -> None:
    network = tiny(name)
    with pytest.raises(ValueError, match="was built for images of 64 × 64, not of 96 × 64; "):
        network(torch.randn(1, 3, 96, 64))


@pytest.mark.parametrize("name", sorted(set(TINY) - FIXED))
def test_others_take_any_that_their_mixers_can(name: str) -> None:
    with torch.no_grad():
        assert tiny(name)(torch.randn(1, 3, 128, 64)).shape == (1, 5)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_row_names_a_builder_with_the_same_four_options(name: str) -> None:
    module, _, function = BACKBONES[name].partition(":")
    builder = getattr(importlib.import_module(module), function)
    with torch.device("meta"):
        network = builder(num_classes=7, resolution=448, kernel="math", mixer={"stage4": "msa"})
        assert network(torch.empty(2, 3, 448, 448)).shape == (2, 7)
    assert all(isinstance(mixer, MSA) for mixer in mixers(network, 4))


def test_mixers_of_swin_alternate_and_its_last_window_is_the_grid() -> None:
    network = Hierarchy(swin(8, (2, 2, 2, 2), HEADS, window_size=4), resolution=64)
    first = [mixer for mixer in mixers(network, 1) if isinstance(mixer, WindowAttention)]
    last = [mixer for mixer in mixers(network, 4) if isinstance(mixer, WindowAttention)]
    assert [(mixer.window_size, mixer.shift_size) for mixer in first] == [(4, 0), (4, 2)]
    assert [(mixer.window_size, mixer.shift_size) for mixer in last] == [(2, 0), (2, 0)]


def test_a_mixer_of_one_stage_is_put_in_and_nothing_else_changes() -> None:
    own, other = tiny("litv2"), tiny("litv2", mixer={"stage3": "sra"})
    assert all(isinstance(mixer, HiLo) for mixer in mixers(own, 3))
    assert all(isinstance(mixer, SpatialReductionAttention) for mixer in mixers(other, 3))
    names = {key: tensor.shape for key, tensor in own.state_dict().items() if "stages.2.blocks" not in key}
    assert {
        key: tensor.shape for key, tensor in other.state_dict().items() if "stages.2.blocks" not in key
    } == names
    assert other(torch.randn(1, 3, 64, 64)).shape == (1, 5)


def test_a_swapped_network_computes_what_the_mixer_computes() -> None:
    """HiLo put into LITv2 by name is the HiLo that was there."""
    choice = {"stage3": {"name": "hilo", "params": {"alpha": 0.9, "window_size": 2}}}
    own, other = tiny("litv2"), tiny("litv2", mixer=choice)
    other.load_state_dict(own.state_dict())
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(own(x), other(x))


def test_all_means_every_stage_that_has_a_mixer() -> None:
    network = tiny("litv2", mixer={"all": "msa", "stage4": {"name": "msa", "params": {"qkv_bias": False}}})
    assert [type(mixer) for mixer in mixers(network, 3)] == [MSA, MSA]
    assert mixers(network, 3)[0].get_submodule("qkv").bias is not None
    assert mixers(network, 4)[0].get_submodule("qkv").bias is None
    assert not any("attn" in key for key, _ in network.named_parameters() if key.startswith("stages.0"))


def test_mixers_that_alternate_take_turns() -> None:
    turns = {"alternate": [{"name": "lsa", "params": {"window_size": 2}}, "gsa"]}
    network = tiny("litv2", mixer={"stage3": turns})
    kinds = [type(mixer) for mixer in mixers(network, 3)]
    assert kinds == [LocallyGroupedAttention, GlobalSubSampledAttention]
    assert network(torch.randn(1, 3, 64, 64)).shape == (1, 5)


@pytest.mark.parametrize("choice", ["dwconv", "dw_block", "relpos_msa", "davit_channel", "pooling"])
@pytest.mark.parametrize("name", ["swin", "dwnet_idynamic", "davit", "twins_svt"])
def test_mixers_of_any_layout_and_those_of_a_fixed_grid_can_be_put_in(name: str, choice: str) -> None:
    network = tiny(name, mixer={"stage3": choice})
    with torch.no_grad():
        assert network(torch.randn(1, 3, 64, 64)).shape == (1, 5)


@pytest.mark.parametrize(
    ("name", "choice", "message"),
    [
        ("litv2", {"stage1": "sra"}, 'no stage "stage1"; did you mean "stage'),
        ("litv2", {"stage3": "srb"}, 'stage3: no mixer "srb"; did you mean "sra"?'),
        ("litv2", {"stage3": {"name": "sra", "params": {"ratio": 2}}}, "stage3: mixer 'sra' cannot mix 32"),
        (
            "litv2",
            {"stage4": {"name": "lsa", "params": {"window_size": 7}}},
            "stage4: mixer 'lsa' cannot mix",
        ),
        ("litv2", {"stage3": {"alternate": []}}, 'stage3: "alternate" stands alone, with a list of mixers: '),
        ("litv2", {"stage3": {"alternate": ["msa"], "name": "msa"}}, 'stage3: "alternate" stands alone'),
        ("pvt", {"stage4": "window"}, "stage4: mixer 'window' "),
        (
            "pvt",
            {"stage4": "dwconv"},
            "stage4: mixer 'dwconv' mixes over a grid, in which the class token has no",
        ),
    ],
)
def test_what_cannot_be_put_in_is_said_when_the_network_is_built(
    name: str, choice: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        tiny(name, mixer=choice)


def test_a_network_without_mixers_has_none_to_swap() -> None:
    network = HierarchyConfig(name="LIT", stages=lit(8, DEPTHS, HEADS).stages[:2])
    assert Hierarchy(network, resolution=64)(torch.randn(1, 3, 64, 64)).shape == (1, 1000)
    with pytest.raises(ValueError, match=r"^LIT has no mixer that another could take the place of$"):
        Hierarchy(network, resolution=64, mixer={"all": "msa"})


def test_a_class_token_is_mixed_by_what_does_not_ask_for_a_grid() -> None:
    network = tiny("pvt", mixer={"stage4": "msa"})
    network(torch.randn(1, 3, 64, 64)).sum().backward()
    token = network.get_parameter("stages.3.class_token")
    assert token.grad is not None
    assert token.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("name", "resolution", "message"),
    [
        ("litv2", 72, "stage3: window_size 2 does not divide the 4 × 5 grid"),
        ("swin", 72, "stage2: "),
        ("pvt", 2, "stage1: 2 × 2 is too small for 4 × 4 patches"),
        ("twins_svt", 72, "stage2: window_size 2 does not divide the 9 × 9 grid"),
    ],
)
def test_images_that_do_not_fit_are_refused_when_the_network_is_built(
    name: str, resolution: int, message: str
) -> None:
    size = (64, 80) if name == "litv2" else resolution
    with pytest.raises(ValueError, match=re.escape(message)):
        tiny(name, resolution=size)


def test_a_kernel_goes_to_the_mixers_that_run_on_it() -> None:
    network, x = tiny("davit", kernel="sdpa"), torch.randn(1, 3, 64, 64)
    kernels = {mixer.kernel for stage in range(1, 5) for mixer in mixers(network, stage)}
    assert kernels == {"sdpa", "math"}  # channel attention has math only
    torch.testing.assert_close(network(x), tiny("davit")(x), rtol=1e-4, atol=1e-5)


def test_a_kernel_that_nothing_in_the_network_runs_on_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^DWNet has no mixer that runs on kernel 'sdpa'; it runs on math$"):
        tiny("dwnet", kernel="sdpa")


@pytest.mark.parametrize(
    ("embedding", "sizes"),
    [
        (PatchEmbedding(3, 4, stride=4), {(8, 12): (2, 3), (11, 7): (2, 1)}),
        (PatchEmbedding(3, 4, stride=4, kernel_size=7), {(8, 12): (2, 3), (9, 5): (3, 2)}),
        (NormedMerging(3, 4, stride=2), {(8, 12): (4, 6), (5, 3): (3, 2)}),
        (NormedMerging(3, 4, stride=2, kernel_size=3), {(8, 12): (4, 6), (5, 3): (3, 2)}),
        (PatchMerging(3, 6), {(8, 12): (4, 6)}),
        (DeformableEmbedding(3, 5), {(8, 12): (4, 6), (5, 3): (2, 1)}),
    ],
)
def test_an_embedding_knows_what_it_makes_of_a_grid(
    embedding: nn.Module, sizes: dict[tuple[int, int], tuple[int, int]]
) -> None:
    for size, expected in sizes.items():
        assert embedding.grid(size) == expected
        assert tuple(embedding(torch.randn(1, 3, *size)).shape[2:]) == expected


def test_an_odd_grid_is_not_merged_by_twos() -> None:
    with pytest.raises(ValueError, match=r"^a 7 × 8 grid cannot be merged 2 × 2 by 2 × 2$"):
        PatchMerging(3, 6).grid((7, 8))


def test_merging_is_the_four_tokens_side_by_side_column_by_column() -> None:
    merging = PatchMerging(2, 4)
    x = torch.randn(1, 2, 4, 6)
    by_hand = torch.empty(1, 4, 2, 3)
    for row in range(2):
        for column in range(3):
            four = [x[0, :, 2 * row + i, 2 * column + j] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))]
            by_hand[0, :, row, column] = merging.reduction(merging.norm(torch.cat(four)))
    torch.testing.assert_close(merging(x), by_hand)


def test_deformable_merging_is_the_mixers_where_the_channels_double() -> None:
    merging, theirs = DeformableEmbedding(3, 6).eval(), DeformableTokenMerging(3).eval()
    nn.init.normal_(merging.offset.weight)
    theirs.load_state_dict(merging.state_dict())
    x = torch.randn(2, 3, 6, 4)
    tokens: Tensor = theirs(x.flatten(2).transpose(1, 2), (6, 4))
    torch.testing.assert_close(merging(x).flatten(2).transpose(1, 2), tokens)
