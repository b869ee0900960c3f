"""Depths, widths and heads of our networks as arguments, held against networks that were built by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from benchsuite.backbones import BACKBONES, SizeError, sizes_of
from benchsuite.worker.build import backbone_builder

ONE_OF_EACH = {target.partition(":")[0]: name for name, target in BACKBONES.items()}
"""File → a network of it, of which others differ in numbers."""


def built(name: str, **sizes: Any) -> nn.Module:
    with torch.device("meta"):
        return backbone_builder(name)(**sizes)


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: parameter.shape for name, parameter in network.named_parameters()}


@pytest.mark.parametrize(
    ("name", "sizes", "same"),
    [
        ("swin_t", {"depths": [2, 2, 18, 2]}, "swin_s"),
        ("swin_t", {"stage3.depth": 18}, "swin_s"),
        (
            "litv2_s",
            {"dims": [128, 256, 512, 1024], "num_heads": [4, 8, 16, 32], "stage3.depth": 18},
            "litv2_b",
        ),
        ("davit_t", {"depths": [1, 1, 9, 1]}, "davit_s"),
        ("acmix_resnet26", {"depths": [2, 3, 5, 2]}, "acmix_resnet38"),
        ("deit_ti", {"dim": 384, "num_heads": 6}, "deit_s"),
        ("mixer_s16", {"depth": 8}, "mixer_s16"),
        ("volo_d2", {"depths": [8, 8, 16, 4]}, "volo_d3"),
    ],
)
def test_a_network_with_the_sizes_of_another_is_that_one(name: str, sizes: dict[str, Any], same: str) -> None:
    assert shapes(built(name, **sizes)) == shapes(built(same))


def test_heads_are_those_of_the_stages_mixers() -> None:
    network = built("swin_t", num_heads=[3, 6, 24, 24])
    assert shapes(network)["stages.2.blocks.0.attn.relative_position_bias_table"][-1] == 24


@pytest.mark.parametrize("name", ONE_OF_EACH.values())
def test_the_words_that_check_knows_are_those_that_a_builder_takes(name: str) -> None:
    with pytest.raises(SizeError, match=r"no size stage9\.dim; it has ") as caught:
        built(name, **{"stage9.dim": 8})
    assert sorted(str(caught.value).partition("it has ")[2].split(", ")) == sorted(sizes_of(name))


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"depths": [2, 2, 6]}, "depths must be 4 positive whole numbers, one a stage, got [2, 2, 6]"),
        ({"stage3.dim": 0}, "stage3.dim must be a positive whole number, got 0"),
        ({"stage3.dim": [384]}, "stage3.dim must be a positive whole number"),
        ({"depth": 4}, "no size depth"),
    ],
)
def test_a_wrong_size_says_what_is_right(sizes: dict[str, Any], words: str) -> None:
    with pytest.raises(SizeError) as caught:
        built("swin_t", **sizes)
    assert words in str(caught.value)


def test_stages_of_volo_that_share_a_grid_share_a_width() -> None:
    with pytest.raises(ValueError, match="one width"):
        built("volo_d1", **{"stage3.dim": 512})
