"""Focal modulation against an oracle that sums over neighbours one offset at a time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.focalnet import PORTS, FocalModulation
from tests.mixers.counting import counted


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def oracle(module: FocalModulation, x: Tensor) -> Tensor:
    height, width, c = x.shape[1:]
    projected = module.f(x)
    q, context, gates = projected[..., :c], projected[..., c : 2 * c], projected[..., 2 * c :]
    gathered = torch.zeros_like(x)
    for level, convolution in enumerate(module.focal_layers):
        side = convolution.weight.shape[-1]
        padded = F.pad(context, (0, 0, side // 2, side // 2, side // 2, side // 2))
        context = torch.zeros_like(x)
        for dy in range(side):
            for dx in range(side):
                shifted = padded[:, dy : dy + height, dx : dx + width]
                context = context + shifted * convolution.weight[:, 0, dy, dx]
        context = gelu(context)
        gathered = gathered + context * gates[..., level, None]
    gathered = gathered + gelu(context.mean((1, 2), keepdim=True)) * gates[..., -1, None]
    if module.normalize_modulator:
        gathered = gathered / len(gates[0, 0, 0])
    modulator = gathered @ module.h.weight[:, :, 0, 0].t()
    if module.h.bias is not None:
        modulator = modulator + module.h.bias
    return module.proj(module.ln(q * modulator))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"focal_level": 3, "focal_window": 5, "normalize_modulator": True},
        {"focal_level": 1, "post_norm": True, "qkv_bias": False},
        {"focal_level": 2, "focal_factor": 4, "focal_window": 1},
        {"focal_level": 0},
    ],
)
def test_queries_are_multiplied_by_gated_context(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    module = FocalModulation(8, **options).double()
    x = torch.randn(2, 4, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(module(x), oracle(module, x))


def test_only_the_projection_keeps_its_bias_without_qkv_bias() -> None:
    names = {name for name, _ in FocalModulation(8, qkv_bias=False).named_parameters()}
    assert {name for name in names if name.endswith("bias")} == {"proj.bias"}


@pytest.mark.parametrize(("dim", "size"), [(768, (14, 14)), (96, (56, 28)), (32, (7, 9))])
def test_macs_by_hand(dim: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        module = FocalModulation(dim, focal_level=3)
    expected = n * dim * (2 * dim + 4) + n * dim * (9 + 25 + 49) + 2 * n * dim**2
    assert counted(module, size) == expected


def test_kernels_must_have_a_centre() -> None:
    with pytest.raises(ValueError, match=r"^the kernel of focal level 1, 4, is not odd and positive$"):
        FocalModulation(8, focal_factor=1)
    with pytest.raises(ValueError, match=r"^focal_level -1 is negative$"):
        FocalModulation(8, focal_level=-1)


def test_the_port_has_our_words_for_bias_and_norm() -> None:
    port = PORTS["focalnet_modulation"]
    assert port.arguments({"dim": 8, "bias": False, "use_postln_in_modulation": True}) == {
        "dim": 8,
        "qkv_bias": False,
        "post_norm": True,
    }
    assert set(port.state({"focal_layers.1.0.weight": torch.ones(1)})) == {"focal_layers.1.weight"}
