"""Vision Permutator's mixing, position by position."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.vip import PORTS, WeightedPermuteMLP

GRID = (2, 3)


def map_of(dim: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, *GRID, dim, generator=generator, dtype=torch.float64)


def build(**options: bool) -> WeightedPermuteMLP:
    torch.manual_seed(0)
    return WeightedPermuteMLP(8, grid=GRID, segment_dim=4, **options).double()


@pytest.mark.parametrize("qkv_bias", [False, True])
def test_it_is_three_branches_weighted_by_a_gate_of_the_image(qkv_bias: bool) -> None:
    module, x = build(qkv_bias=qkv_bias), map_of()
    torch.nn.init.normal_(module.reweight.fc2.weight)
    (height, width), segments, s = GRID, 4, 2
    h, w, c = (torch.empty_like(x) for _ in range(3))
    for g in range(segments):
        channels = slice(g * s, (g + 1) * s)
        for j in range(width):  # a column: the channels of a token are the faster axis
            column = torch.cat([x[:, i, j, channels] for i in range(height)], dim=1)
            h[:, :, j, channels] = module.mlp_h(column).reshape(2, height, s)
        for i in range(height):
            row = torch.cat([x[:, i, j, channels] for j in range(width)], dim=1)
            w[:, i, :, channels] = module.mlp_w(row).reshape(2, width, s)
    for i in range(height):
        for j in range(width):
            c[:, i, j] = module.mlp_c(x[:, i, j])
    summary = sum((h + w + c)[:, i, j] for i in range(height) for j in range(width)) / (height * width)
    hidden = module.reweight.fc1(summary)
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    logits = module.reweight.fc2(hidden)  # B, 3 × dim: three in a row belong to a channel
    expected = torch.zeros_like(x)
    for channel in range(8):
        three = logits[:, 3 * channel : 3 * channel + 3].exp()
        three = three / three.sum(dim=1, keepdim=True)
        for branch, weight in zip((h, w, c), three.unbind(1), strict=True):
            expected[..., channel] += weight[:, None, None] * branch[..., channel]
    torch.testing.assert_close(module(x), module.proj(expected))


def test_with_an_even_gate_a_token_reaches_its_row_and_column_within_its_segment() -> None:
    module, x = build(), map_of()
    torch.nn.init.zeros_(module.reweight.fc2.weight)
    torch.nn.init.zeros_(module.mlp_c.weight)
    torch.nn.init.eye_(module.proj.weight)
    other = x.clone()
    other[:, 0, 1, 3] += 1  # segment 1 is channels 2 and 3
    changed = (module(other) != module(x)).any(dim=0)
    assert changed[..., 2:4].any(dim=-1).tolist() == [[True, True, True], [False, True, False]]
    assert not changed[..., [0, 1, 4, 5, 6, 7]].any()


def test_layers_are_as_wide_as_the_channels_where_the_grid_is_as_wide_as_there_are_segments() -> None:
    module = WeightedPermuteMLP(32, grid=(8, 8))
    assert module.mlp_h.weight.shape == module.mlp_w.weight.shape == module.mlp_c.weight.shape == (32, 32)
    other = WeightedPermuteMLP(32, grid=(4, 16))
    assert other.mlp_h.weight.shape == (16, 16)
    assert other.mlp_w.weight.shape == (64, 64)


def test_the_port_takes_the_grid_from_the_segments() -> None:
    convert = PORTS["vip_permute_mlp"].arguments
    assert convert({"dim": 32}) == {"dim": 32, "segment_dim": 8, "grid": (8, 8)}
    ours = convert({"dim": 32, "segment_dim": 4, "qkv_bias": True, "attn_drop": 0.1, "qk_scale": None})
    assert ours == {"dim": 32, "segment_dim": 4, "qkv_bias": True, "grid": (4, 4)}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^segment_dim 5 does not divide dim 8$"):
        WeightedPermuteMLP(8, segment_dim=5)
    message = r"^vip was built for a 2 × 3 grid, and this one is 3 × 2$"
    with pytest.raises(ValueError, match=message):
        build()(torch.zeros(1, 3, 2, 8).double())
