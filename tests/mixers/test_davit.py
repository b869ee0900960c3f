"""DaViT's attentions and blocks against explicit loops, and where they are easily got wrong."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers.davit import (
    PORTS,
    ChannelAttention,
    DaViTChannelBlock,
    DaViTDualBlock,
    DaViTPosition,
    DaViTSpatialBlock,
    DaViTWindowAttention,
)

DIM, HEADS = 12, 3


def tokens(size: tuple[int, int], batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, size[0] * size[1], DIM, generator=generator, dtype=torch.float64)


def filled(module: nn.Module) -> Any:
    """The module in double precision, no parameter of which is 0 or 1."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double()


def channels_one_by_one(module: ChannelAttention, x: Tensor) -> Tensor:
    """Channel attention as its definition reads: each channel of k against each channel of v of its group."""
    q, k, v = module.qkv(x).chunk(3, dim=-1)
    width = module.dim // module.num_heads
    mixed = torch.empty_like(q)
    for image in range(x.shape[0]):
        for c in range(module.dim):
            group = [d for d in range(module.dim) if d // width == c // width]
            logits = torch.stack([(k[image, :, c] * v[image, :, d]).sum() for d in group]) / width**0.5
            weights = logits.exp() / logits.exp().sum()
            mixed[image, :, c] = sum(w * q[image, :, d] for w, d in zip(weights, group, strict=True))
    return module.proj(mixed)


@pytest.mark.parametrize("bias", [True, False])
def test_channels_attend_within_their_group_by_keys_and_values(bias: bool) -> None:
    module = filled(ChannelAttention(DIM, HEADS, qkv_bias=bias))
    x = tokens((2, 3)) * 0.3
    torch.testing.assert_close(module(x, (2, 3)), channels_one_by_one(module, x))


def test_channel_attention_does_not_know_where_tokens_stand() -> None:
    module, x = filled(ChannelAttention(DIM, HEADS)), tokens((4, 6))
    order = torch.randperm(24, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(module(x[:, order], (4, 6)), module(x, (4, 6))[:, order])


def windows_one_by_one(module: DaViTWindowAttention, x: Tensor, size: tuple[int, int]) -> Tensor:
    """Window attention over positions, those outside of the grid being zeros that are attended to as well."""
    height, width, side = *size, module.window_size
    grid = x.reshape(-1, height, width, DIM)
    out = torch.empty_like(grid)
    for y in range(height):
        for z in range(width):
            members = [
                grid[:, i, j] if i < height and j < width else torch.zeros_like(grid[:, 0, 0])
                for i in range(y // side * side, y // side * side + side)
                for j in range(z // side * side, z // side * side + side)
            ]
            q, _, _ = (part.unflatten(-1, (HEADS, -1)) for part in module.qkv(grid[:, y, z]).chunk(3, -1))
            _, k, v = (
                part.unflatten(-1, (HEADS, -1)) for part in module.qkv(torch.stack(members, 1)).chunk(3, -1)
            )
            weights = (torch.einsum("bhd,bmhd->bhm", q, k) / (DIM // HEADS) ** 0.5).softmax(-1)
            out[:, y, z] = module.proj(torch.einsum("bhm,bmhd->bhd", weights, v).flatten(1))
    return out.reshape(x.shape)


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize(("size", "window"), [((4, 6), 2), ((5, 7), 3), ((2, 3), 4), ((3, 3), 1)])
def test_windows_attend_to_zeros_where_the_grid_ends(size: tuple[int, int], window: int, kernel: str) -> None:
    module = filled(DaViTWindowAttention(DIM, HEADS, window_size=window, kernel=kernel))
    x = tokens(size)
    torch.testing.assert_close(module(x, size), windows_one_by_one(module, x, size))


def test_a_window_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"^window_size 0 is not positive$"):
        DaViTWindowAttention(DIM, HEADS, window_size=0)


def mlp(block: Any, x: Tensor) -> Tensor:
    hidden = F.linear(x, block.mlp.fc1.weight, block.mlp.fc1.bias)
    hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
    return F.linear(hidden, block.mlp.fc2.weight, block.mlp.fc2.bias)


def normed(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * norm.weight + norm.bias


@pytest.mark.parametrize("ffn", [True, False])
@pytest.mark.parametrize("cls", [DaViTSpatialBlock, DaViTChannelBlock])
def test_a_block_has_a_position_encoding_before_each_half(cls: Any, ffn: bool) -> None:
    size = (4, 5)
    block, x = filled(cls(DIM, HEADS, mlp_ratio=2.5, ffn=ffn)), tokens(size) * 0.01  # so that eps matters
    expected = block.cpe[0](x, size)
    expected = expected + block.attn(normed(block.norm1, expected), size)
    expected = block.cpe[1](expected, size)
    if ffn:
        assert block.mlp.fc1.out_features == 30
        expected = expected + mlp(block, normed(block.norm2, expected))
    torch.testing.assert_close(block(x, size), expected)


def test_the_dual_block_is_the_spatial_block_and_then_the_channel_block() -> None:
    size = (4, 5)
    block, x = filled(DaViTDualBlock(DIM, HEADS, window_size=2)), tokens(size)
    torch.testing.assert_close(block(x, size), block.channel(block.spatial(x, size), size))
    assert block.spatial.attn.window_size == 2


@pytest.mark.parametrize(
    ("cls", "name", "known"),
    [
        (DaViTDualBlock, "davit_dual_block", "math, sdpa, flash, mem_efficient, cudnn"),
        (DaViTSpatialBlock, "davit_spatial_block", "math, sdpa, flash, mem_efficient, cudnn"),
        (DaViTChannelBlock, "davit_channel_block", "math"),
    ],
)
def test_a_block_names_the_kernels_that_it_has(cls: Any, name: str, known: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} has no kernel 'fast'; it runs on {known}$"):
        cls(DIM, HEADS, kernel="fast")


@pytest.mark.parametrize("kernel_size", [0, 2, -1])
def test_a_position_encoding_needs_a_centre(kernel_size: int) -> None:
    with pytest.raises(ValueError, match=f"^kernel_size {kernel_size} is not odd and positive$"):
        DaViTPosition(DIM, kernel_size=kernel_size)


def test_authors_who_do_not_ask_for_a_bias_get_their_default() -> None:
    given = {"dim": DIM, "num_heads": HEADS}
    assert PORTS["davit_window"].arguments(given).get("qkv_bias", True)
    assert not PORTS["davit_channel"].arguments(given)["qkv_bias"]
    assert not PORTS["davit_channel_block"].arguments(given)["qkv_bias"]
