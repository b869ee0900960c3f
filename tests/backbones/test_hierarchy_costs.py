"""What the networks of stages cost: the code against closed forms, and those against published numbers."""

from __future__ import annotations

import importlib
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.backbones import BACKBONES
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones.davit import config as davit_config
from benchsuite.backbones.swin import config as swin_config
from benchsuite.measurement.macs import count_cost
from tests.backbones.closed_forms import NETWORKS, B, T, litv2

COUNTED = (
    "davit_t dwnet_t dwnet_t_dynamic dwnet_t_idynamic lit_ti lit_s lit_s_conv litv2_s pvt_t pvtv2_b0 "
    "pvtv2_b2_linear swin_t twins_pcpvt_s twins_svt_s"
).split()
"""One of each family; the others differ from it in numbers that the closed form takes as well."""


def built(name: str, **options: Any) -> nn.Module:
    module, _, function = BACKBONES[name].partition(":")
    with torch.device("meta"):
        network: nn.Module = getattr(importlib.import_module(module), function)(**options)
    return network


def images(side: int = 224) -> Tensor:
    return torch.empty(1, 3, side, side, device="meta")


def rounded(number: int, published: str, unit: float) -> str:
    """The number as it would be printed with the decimals of the published one."""
    return str((Decimal(number) / Decimal(unit)).quantize(Decimal(published), ROUND_HALF_UP))


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_those_of_the_papers_table_to_the_last_digit(name: str) -> None:
    assert sum(parameter.numel() for parameter in built(name).parameters()) == NETWORKS[name].params


@pytest.mark.parametrize("name", COUNTED)
def test_macs_are_the_closed_form(name: str) -> None:
    cost = count_cost(built(name), (images(),))
    assert cost.uncounted == {}
    assert cost.macs == NETWORKS[name].macs


PARAMS = {
    "davit_s": "49.7",
    "dwnet_t": "24",
    "dwnet_t_dynamic": "51",
    "dwnet_b": "74",
    "dwnet_b_dynamic": "162",
    "litv2_s": "28",
    "litv2_m": "49",
    "litv2_b": "87",
    "pvt_t": "13.2",
    "pvt_s": "24.5",
    "pvt_m": "44.2",
    "pvt_l": "61.4",
    "pvtv2_b0": "3.7",
    "pvtv2_b1": "14.0",
    "pvtv2_b2": "25.4",
    "pvtv2_b2_linear": "22.6",
    "pvtv2_b3": "45.2",
    "pvtv2_b4": "62.6",
    "pvtv2_b5": "82.0",
    "swin_t": "28",
    "swin_s": "50",
    "swin_b": "88",
    "twins_pcpvt_s": "24.1",
    "twins_pcpvt_b": "43.8",
    "twins_svt_s": "24",
    "twins_svt_b": "56",
}
"""Millions, in the authors' READMEs."""


@pytest.mark.parametrize("name", PARAMS)
def test_published_parameters_come_out_when_rounded(name: str) -> None:
    assert rounded(NETWORKS[name].params, PARAMS[name], 1e6) == PARAMS[name]


MACS = {
    "davit_t": "4.5",
    "davit_s": "8.8",
    "davit_b": "15.5",
    "lit_ti": "3.6",
    "lit_s": "4.1",
    "lit_m": "8.6",
    "lit_b": "15.0",
    "litv2_s": "3.7",
    "litv2_m": "7.5",
    "litv2_b": "13.2",
    "pvt_s": "3.8",
    "pvt_m": "6.7",
    "pvt_l": "9.8",
    "pvtv2_b2": "4.0",
    "swin_t": "4.5",
    "swin_s": "8.7",
    "swin_b": "15.4",
    "twins_pcpvt_s": "3.8",
    "twins_svt_s": "2.9",
    "twins_svt_b": "8.6",
    "twins_svt_l": "15.1",
    "dwnet_b_dynamic": "12.9",
}
"""Billions at 224 × 224, which the sources call FLOPs."""


@pytest.mark.parametrize("name", MACS)
def test_published_macs_come_out_when_rounded(name: str) -> None:
    assert rounded(NETWORKS[name].macs, MACS[name], 1e9) == MACS[name]


@pytest.mark.parametrize(
    ("name", "published"),
    [("twins_svt_s", "2.8"), ("twins_svt_b", "8.3"), ("twins_svt_l", "14.8"), ("twins_pcpvt_l", "9.5")],
)
def test_twins_prints_macs_without_the_products_of_attention(name: str, published: str) -> None:
    count = NETWORKS[name]
    assert rounded(count.macs, published, 1e9) != published
    assert rounded(count.macs - count.attention, published, 1e9) == published


@pytest.mark.parametrize(("name", "published"), [("lit_ti", 19), ("lit_s", 27), ("lit_m", 48), ("lit_b", 86)])
def test_lit_prints_parameters_without_the_head_and_cut_off(name: str, published: int) -> None:
    classifier = built(name).get_submodule("head")
    without = NETWORKS[name].params - sum(parameter.numel() for parameter in classifier.parameters())
    assert without // 10**6 == published


@pytest.mark.parametrize(("name", "published"), [("davit_t", 28.3), ("davit_b", 87.9)])
def test_davit_prints_parameters_cut_off(name: str, published: float) -> None:
    assert NETWORKS[name].params // 10**5 / 10 == published


@pytest.mark.parametrize(
    ("name", "flops"), [("davit_t", 4540244736), ("davit_s", 8800488192), ("davit_b", 15510430720)]
)
def test_davit_prints_macs_and_norms_as_fvcore_counts_them(name: str, flops: int) -> None:
    cost = count_cost(built(name), (images(),))
    assert cost.macs == NETWORKS[name].macs
    assert cost.macs + cost.other_ops["norm"] == flops


def test_davit_l_at_384_prints_the_same() -> None:
    ours = davit_config((192, 384, 768, 1536), (1, 1, 9, 1), (6, 12, 24, 48), window_size=12)
    with torch.device("meta"):
        network = Hierarchy(ours, resolution=384)
    cost = count_cost(network, (images(384),))
    assert (cost.params, cost.macs + cost.other_ops["norm"]) == (196811752, 102966676992)


def test_the_largest_networks_have_the_parameters_quoted_for_them_with_overlapping_patches() -> None:
    assert NETWORKS["davit_h_overlap"].params // 10**6 == 362
    assert NETWORKS["davit_g_overlap"].params // 10**6 == 1437


def test_litv2_b_at_384_is_published_with_norms_and_with_masks_of_the_merging() -> None:
    large = type(B)(B.dims, B.depths, B.heads, image=384)
    assert rounded(litv2(large).macs, "39.7", 1e9) == "39.6"
    # The authors' counter takes a norm for a multiply–add an element, and each merging for a modulated one,
    # which has 12 channels of offsets and masks where it has 8 of offsets.
    norms = large.tokens(0) * B.dims[0]
    for i, (depth, of_block) in enumerate(zip(B.depths, (1, 1, 2, 2), strict=True)):
        norms += large.tokens(i) * B.dims[i] * depth * of_block
    masks = sum(large.tokens(i + 1) * 4 * B.dims[i] * 4 for i in range(3))
    assert rounded(litv2(large).macs + norms + masks, "39.7", 1e9) == "39.7"


def test_litv2_s_at_384_is_the_closed_form() -> None:
    large = type(T)(T.dims, T.depths, T.heads, image=384)
    assert count_cost(built("litv2_s", resolution=384), (images(384),)).macs == litv2(large).macs


def test_swin_b_at_384_with_windows_of_12_costs_what_is_published() -> None:
    ours = swin_config(128, (2, 2, 18, 2), (4, 8, 16, 32), window_size=12)
    with torch.device("meta"):
        network = Hierarchy(ours, resolution=384)
    cost = count_cost(network, (images(384),))
    assert rounded(cost.params, "88", 1e6) == "88"
    assert rounded(cost.macs, "47.1", 1e9) == "47.1"


def test_lit_s_becomes_litv2_s_step_by_step() -> None:
    """The steps of the HiLo paper's ablation, by the parameters that each adds or takes."""
    biases = sum((2 * side - 1) ** 2 * heads * depth for side, heads, depth in ((14, 12, 6), (7, 24, 2)))
    convolutions = sum(10 * 4 * dim * depth for dim, depth in zip(T.dims, T.depths, strict=True))
    hilo = {"name": "hilo", "params": {"alpha": 0.9}}
    steps = [
        built("lit_s"),
        built("lit_s_conv"),
        built("lit_s_conv", mixer={"all": "msa"}),
        built("lit_s_conv", mixer={"all": "msa", "stage3": hilo}),
    ]
    params = [sum(parameter.numel() for parameter in step.parameters()) for step in steps]
    assert params[1] - params[0] == convolutions
    assert params[1] - params[2] == biases
    assert params[3] == NETWORKS["litv2_s"].params


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_alpha_changes_litv2_s_by_the_closed_form(alpha: float) -> None:
    choice = {"stage3": {"name": "hilo", "params": {"alpha": alpha}}}
    cost = count_cost(built("litv2_s", mixer=choice), (images(),))
    expected = litv2(T, alpha=alpha)
    assert (cost.params, cost.macs) == (expected.params, expected.macs)
