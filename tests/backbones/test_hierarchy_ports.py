"""The authors' weights: every name of theirs has one place in ours, for networks without a golden case.

The names are those of the authors' modules, written out by hand.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchsuite.errors import UsageError
from benchsuite.parity.ports import find_network, load_authors_network

PVT_ARGUMENTS: dict[str, Any] = {
    "img_size": 64,
    "patch_size": 4,
    "num_classes": 5,
    "embed_dims": [8, 16, 24, 32],
    "num_heads": [1, 2, 3, 4],
    "mlp_ratios": [4, 4, 2, 2],
    "qkv_bias": True,
    "depths": [1, 1, 2, 1],
}
SWIN_ARGUMENTS: dict[str, Any] = {"img_size": 64, "num_classes": 5, "embed_dim": 8, "depths": [1, 1, 2, 1]}
DEPTHS = (1, 1, 2, 1)


def both(*names: str) -> list[str]:
    """A layer's weight and bias."""
    return [f"{name}.{part}" for name in names for part in ("weight", "bias")]


def norm_with_statistics(name: str) -> list[str]:
    return [*both(name), f"{name}.running_mean", f"{name}.running_var", f"{name}.num_batches_tracked"]


def deformable(name: str) -> list[str]:
    return both(f"{name}.dconv", f"{name}.dconv.conv_offset") + norm_with_statistics(f"{name}.norm_layer")


def lit() -> list[str]:
    names = both("patch_embed.proj", "patch_embed.norm", "norm", "head")
    for i, depth in enumerate(DEPTHS):
        for j in range(depth):
            block = f"layers.{i}.blocks.{j}"
            names += both(f"{block}.norm2", f"{block}.mlp.fc1", f"{block}.mlp.fc2")
            if i > 1:
                names += both(f"{block}.norm1", f"{block}.attn.qkv", f"{block}.attn.proj")
                names += [f"{block}.attn.relative_position_{what}" for what in ("bias_table", "index")]
        names += deformable(f"layers.{i}.downsample") if i < 3 else []
    return names


def lit_ti() -> list[str]:
    names = ["cls_token", *both("norm", "head")]
    for i, depth in enumerate(DEPTHS, 1):
        embed = f"patch_embed{i}"
        names += [f"pos_embed{i}", *(deformable(embed) if i > 1 else both(f"{embed}.proj", f"{embed}.norm"))]
        for j in range(depth):
            block = f"block{i}.{j}"
            names += both(f"{block}.norm2", f"{block}.mlp.fc1", f"{block}.mlp.fc2")
            names += both(f"{block}.norm1", f"{block}.attn.qkv", f"{block}.attn.proj") if i > 2 else []
    return names


def pvtv2_linear() -> list[str]:
    names = both("head")
    for i, depth in enumerate(DEPTHS, 1):
        names += both(f"patch_embed{i}.proj", f"patch_embed{i}.norm", f"norm{i}")
        for j in range(depth):
            block = f"block{i}.{j}"
            parts = "norm1 attn.q attn.kv attn.proj attn.sr attn.norm norm2 mlp.fc1 mlp.dwconv.dwconv mlp.fc2"
            names += both(*(f"{block}.{part}" for part in parts.split()))
    return names


def pcpvt() -> list[str]:
    names = both("norm", "head")
    for i, depth in enumerate(DEPTHS):
        names += both(f"patch_embeds.{i}.proj", f"patch_embeds.{i}.norm", f"pos_block.{i}.proj.0")
        for j in range(depth):
            reduction = " attn.sr attn.norm" if i < 3 else ""
            parts = "norm1 attn.q attn.kv attn.proj norm2 mlp.fc1 mlp.fc2" + reduction
            names += both(*(f"blocks.{i}.{j}.{part}" for part in parts.split()))
    return names


def dwnet(*, inhomogeneous: bool) -> list[str]:
    names = both("patch_embed.proj", "patch_embed.norm", "norm", "head")
    for i, depth in enumerate(DEPTHS):
        for j in range(depth):
            block = f"layers.{i}.blocks.{j}"
            mixer, conv = f"{block}.attn2conv", f"{block}.attn2conv.conv"
            names += both(f"{block}.mlp.fc1", f"{block}.mlp.fc2") + norm_with_statistics(f"{block}.bn")
            names += [f"{mixer}.conv0.weight", f"{mixer}.conv2.weight"]
            names += [name for bn in ("bn0", "bn", "bn2") for name in norm_with_statistics(f"{mixer}.{bn}")]
            if inhomogeneous:
                names += both(f"{conv}.conv1.0", f"{conv}.conv2.0") + norm_with_statistics(f"{conv}.conv1.1")
            else:
                names += [f"{conv}.bias", f"{conv}.conv1.weight", *both(f"{conv}.conv2")]
                names += norm_with_statistics(f"{conv}.bn")
        downsample = f"layers.{i}.downsample"
        names += [f"{downsample}.reduction.weight", *both(f"{downsample}.norm")] if i < 3 else []
    return names


CASES = {
    "lit": ("ziplab/LIT", "LIT", SWIN_ARGUMENTS | {"num_heads": [1, 2, 4, 4]}, lit()),
    "lit_ti": ("ziplab/LIT", "LIT", PVT_ARGUMENTS, lit_ti()),
    "pvtv2_linear": (
        "whai362/PVT",
        "PyramidVisionTransformerV2",
        PVT_ARGUMENTS | {"linear": True},
        pvtv2_linear(),
    ),
    "twins_pcpvt": ("Meituan-AutoML/Twins", "CPVTV2", PVT_ARGUMENTS, pcpvt()),
    "dwnet_dynamic": (
        "Atten4Vis/DemystifyLocalViT",
        "DWNet",
        SWIN_ARGUMENTS | {"dynamic": True, "inhomogeneous": False, "inhomo_heads": [None] * 4},
        dwnet(inhomogeneous=False),
    ),
    "dwnet_inhomogeneous": (
        "Atten4Vis/DemystifyLocalViT",
        "DWNet",
        SWIN_ARGUMENTS | {"dynamic": True, "inhomogeneous": True, "inhomo_heads": [1, 2, 4, 8]},
        dwnet(inhomogeneous=True),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_authors_names_are_all_of_ours_and_none_is_left(name: str) -> None:
    repository, cls, arguments, names = CASES[name]
    port = find_network(repository, cls)
    assert port is not None
    assert len(set(names)) == len(names)
    ours = port.network(**port.arguments(arguments))
    mapped = port.state(dict.fromkeys(names, torch.zeros(())))
    assert set(mapped) == set(ours.state_dict())


def test_groups_of_an_inhomogeneous_dwnet_have_the_channels_that_the_authors_say() -> None:
    repository, cls, arguments, _ = CASES["dwnet_inhomogeneous"]
    port = find_network(repository, cls)
    assert port is not None
    network = port.network(**port.arguments(arguments))
    last = network.get_submodule("stages.3.blocks.0.mixer.conv")
    assert (last.dim, last.groups) == (64, 8)


@pytest.mark.parametrize(
    ("name", "argument", "message"),
    [
        ("lit", {"ape": True}, "^ape=True is not supported; only ape=False is$"),
        ("lit_ti", {"sr_ratios": [1]}, "^the authors' argument sr_ratios="),
        ("dwnet_dynamic", {"patch_size": 2}, "^patch_size=2 is not supported; only patch_size=4 is$"),
        ("dwnet_inhomogeneous", {"dynamic": False}, "^inhomogeneous=True is not supported without dynamic"),
        (
            "dwnet_inhomogeneous",
            {"inhomo_heads": [3] * 4},
            "^stage1: groups of 3 channels do not make up dim 8$",
        ),
    ],
)
def test_an_argument_that_ours_does_not_have_is_refused(
    name: str, argument: dict[str, Any], message: str
) -> None:
    repository, cls, arguments, _ = CASES[name]
    with pytest.raises(ValueError, match=message):
        load_authors_network(repository, cls, arguments | argument, {})


def test_a_network_of_an_unknown_class_is_refused_with_the_nearest() -> None:
    message = '^no port of an authors\' network "ziplab/LIT:LITs"; did you mean "ziplab/LIT:LIT"'
    with pytest.raises(UsageError, match=message):
        load_authors_network("ziplab/LIT", "LITs", {}, {})


def test_classes_of_one_name_are_told_apart_by_their_repository() -> None:
    own = find_network("microsoft/Swin-Transformer", "SwinTransformer")
    assert own is not None
    assert find_network("someone/else", "SwinTransformer") is None
