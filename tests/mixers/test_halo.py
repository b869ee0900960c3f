"""Halo attention against explicit loops over blocks, queries and keys."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers._timm import round_width
from benchsuite.mixers.halo import HaloAttention, _by_key


def by_loops(module: HaloAttention, x: Tensor) -> Tensor:
    batch, _, height, width = x.shape
    heads, block, halo, window = module.num_heads, module.block_size, module.halo_size, module.window
    step, d = module.query_stride, module.qk_dim
    project = [(conv.weight[:, :, 0, 0], conv.bias) for conv in (module.q, module.kv)]
    q, kv = (
        torch.einsum("oc,bcyx->boyx", weight, x) + (0 if bias is None else bias[:, None, None])
        for weight, bias in project
    )
    q, kv = q.unflatten(1, (heads, d)), kv.unflatten(1, (heads, -1))
    k, v = kv[:, :, :d], kv[:, :, d:]
    out = torch.zeros(batch, heads, module.v_dim, height // step, width // step, dtype=x.dtype)
    for y in range(0, height, step):
        for x_ in range(0, width, step):
            query = q[..., y, x_]
            corner = y // block * block - halo, x_ // block * block - halo
            in_block = y % block // step, x_ % block // step  # counted in queries
            logits, values = [], []
            for i in range(window):
                for j in range(window):
                    at = corner[0] + i, corner[1] + j
                    there = 0 <= at[0] < height and 0 <= at[1] < width
                    product = (query * k[..., at[0], at[1]]).sum(-1) if there else query.new_zeros(())
                    place = query @ module.height_rel[i - in_block[0] + window - 1]
                    place = place + query @ module.width_rel[j - in_block[1] + window - 1]
                    logits.append(product * d**-0.5 + place * (d**-0.5 if module.scale_pos else 1.0))
                    values.append(v[..., at[0], at[1]] if there else torch.zeros_like(v[..., 0, 0]))
            weights = torch.stack(logits, dim=-1).softmax(-1)
            out[..., y // step, x_ // step] = (weights.unsqueeze(-1) * torch.stack(values, dim=2)).sum(2)
    flat = out.flatten(1, 2)
    if not module.pool:
        return flat
    return flat.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean(dim=(3, 5))


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize(
    "options",
    [
        {"block_size": 4, "halo_size": 1},
        {"block_size": 2, "halo_size": 2, "scale_pos": True, "qkv_bias": True},
        {"block_size": 4, "halo_size": 0, "qk_ratio": 0.5},
        {"block_size": 4, "halo_size": 1, "stride": 2},
        {"block_size": 4, "halo_size": 1, "stride": 2, "avg_down": True, "dim_out": 8},
        {"block_size": 2, "halo_size": 1, "head_dim": 3},
    ],
)
def test_each_query_attends_to_its_block_and_the_halo(options: dict[str, Any], kernel: str) -> None:
    torch.manual_seed(0)
    module = HaloAttention(16, 2, kernel=kernel, **options).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, 16, 4, 8, dtype=torch.float64)
    torch.testing.assert_close(module(x), by_loops(module, x))


def test_a_block_of_an_odd_side_is_averaged_for_a_stride() -> None:
    module = HaloAttention(16, 2, block_size=3, halo_size=1, stride=2).double()
    assert module.pool
    x = torch.randn(1, 16, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(module(x), by_loops(module, x))


def test_keys_outside_of_the_map_take_their_share_of_attention() -> None:
    module = HaloAttention(16, 2, block_size=2, halo_size=1).double()
    with torch.no_grad():
        for parameter in (module.q.weight, module.height_rel, module.width_rel):
            parameter.zero_()
        module.kv.weight.fill_(1 / 16)
    out = module(torch.ones(1, 16, 4, 4, dtype=torch.float64))
    # Of a corner block's 4 × 4 window, 3 × 3 positions exist, all of value 1.
    torch.testing.assert_close(out[..., :2, :2], torch.full((1, 16, 2, 2), 9 / 16).double())


@pytest.mark.parametrize(("side", "window"), [(3, 5), (4, 4), (2, 7), (1, 3)])
def test_logits_of_relative_positions_become_those_of_keys(side: int, window: int) -> None:
    logits = torch.randn(2, side, 2 * window - 1)
    keys = _by_key(logits)
    assert keys.shape == (2, side, window)
    for query in range(side):
        for key in range(window):
            assert torch.equal(keys[:, query, key], logits[:, query, key - query + window - 1])


@pytest.mark.parametrize(("channels", "rounded"), [(16, 16), (3, 8), (20, 24), (19, 24), (11, 16), (12, 16)])
def test_channels_are_rounded_to_around_width_but_not_by_a_tenth_down(channels: int, rounded: int) -> None:
    assert round_width(channels) == rounded


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^stride 3 is not 1 or 2$"):
        HaloAttention(16, 2, stride=3)
    with pytest.raises(ValueError, match=r"^there is no block of 4 with a halo of -1$"):
        HaloAttention(16, 2, block_size=4, halo_size=-1)
    with pytest.raises(ValueError, match=r"^num_heads 3 does not divide dim 16$"):
        HaloAttention(8, 3, dim_out=16)


def test_a_grid_that_the_block_does_not_divide_is_refused() -> None:
    module, message = HaloAttention(16, 2), r"^block_size 8 does not divide the 14 × 16 grid$"
    with pytest.raises(ValueError, match=message):
        module(torch.zeros(1, 16, 14, 16))
