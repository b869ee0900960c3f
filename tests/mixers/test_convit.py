"""Gated positional self-attention against an oracle over pairs of tokens, on both ways to attend."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.convit import GPSA
from tests.mixers.counting import counted

Size = tuple[int, int]


def made(kernel: str = "math", **options: bool) -> GPSA:
    torch.manual_seed(0)
    module = GPSA(8, 4, kernel=kernel, **options).double()
    for parameter in (module.gating_param, module.v.weight, module.pos_proj.weight):
        torch.nn.init.normal_(parameter)
    return module


def tokens(size: Size) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, size[0] * size[1], 8, generator=generator, dtype=torch.float64)


def oracle(module: GPSA, x: Tensor, size: Size) -> Tensor:
    n, width = x.shape[1], size[1]
    q, k = (t.unflatten(-1, (4, 2)) for t in module.qk(x).chunk(2, dim=-1))
    v = module.v(x).unflatten(-1, (4, 2))
    gate = 1 / (1 + (-module.gating_param).exp())
    rows = []
    for i in range(n):
        content, position = [], []
        for j in range(n):
            dy, dx = j // width - i // width, j % width - i % width
            content.append((q[:, i] * k[:, j]).sum(-1) / 2**0.5)
            position.append(module.pos_proj(torch.tensor([dx, dy, dx**2 + dy**2], dtype=x.dtype)))
        weights = (1 - gate[:, None]) * torch.stack(content, dim=-1).softmax(-1)
        weights = weights + gate[:, None] * torch.stack(position, dim=-1).softmax(-1)
        weights = weights / weights.sum(-1, keepdim=True)
        rows.append(torch.einsum("bhm,bmhd->bhd", weights, v).flatten(1))
    return module.proj(torch.stack(rows, dim=1))


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("size", [(3, 4), (4, 3), (1, 5), (1, 1)])
@pytest.mark.parametrize("qkv_bias", [True, False])
def test_a_gate_mixes_attention_by_content_and_by_position(size: Size, kernel: str, qkv_bias: bool) -> None:
    module, x = made(kernel, qkv_bias=qkv_bias), tokens(size)
    torch.testing.assert_close(module(x, size), oracle(module, x, size))


def test_columns_come_before_rows_in_the_scores_of_positions() -> None:
    module, x = made(), tokens((3, 4))
    expected = module(x, (3, 4))
    with torch.no_grad():
        module.pos_proj.weight[:, :2] = module.pos_proj.weight[:, :2].flip(1).clone()
    assert not torch.allclose(module(x, (3, 4)), expected)


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
def test_positions_follow_the_grid_and_the_dtype(kernel: str) -> None:
    module, other = made(kernel), made(kernel)
    for size in ((3, 4), (4, 3), (3, 4)):
        torch.testing.assert_close(module(tokens(size), size), oracle(other, tokens(size), size))
    assert module.float()(tokens((3, 4)).float(), (3, 4)).dtype == torch.float32


def test_at_the_start_heads_look_at_the_square_around_a_token_and_values_pass() -> None:
    module = GPSA(18, 9, locality_strength=5.0)
    assert torch.equal(module.v.weight, torch.eye(18))
    with torch.no_grad():
        module.gating_param.fill_(50.0)  # by position only
        module.proj.weight.copy_(torch.eye(18))
        module.proj.bias.zero_()
        x = torch.randn(1, 25, 18)
        out = module(x, (5, 5)).reshape(5, 5, 9, 2)
    for head in range(9):
        dy, dx = head % 3 - 1, head // 3 - 1
        seen = x.reshape(5, 5, 9, 2)[2 + dy, 2 + dx, head]
        torch.testing.assert_close(out[2, 2, head], seen, atol=0.1, rtol=0)


def test_heads_beyond_a_square_are_left_as_they_were() -> None:
    torch.manual_seed(0)
    module = GPSA(24, 6, locality_strength=1.0)
    assert module.pos_proj.weight[:4, 2].tolist() == [-1, -1, -1, -1]
    assert module.pos_proj.weight[:4, 1].tolist() == [-1, 1, -1, 1]
    assert module.pos_proj.weight[:4, 0].tolist() == [-1, -1, 1, 1]
    assert module.pos_proj.weight[4:].abs().max() < 1


@pytest.mark.parametrize(("dim", "heads", "size"), [(768, 12, (14, 14)), (96, 3, (28, 14)), (32, 4, (7, 7))])
def test_macs_by_hand(dim: int, heads: int, size: Size) -> None:
    n = size[0] * size[1]
    common = 4 * n * dim**2 + 2 * n**2 * dim
    with torch.device("meta"):
        math, fused = GPSA(dim, heads), GPSA(dim, heads, kernel="sdpa")
    assert counted(math, size) == common + 3 * n**2 * heads
    assert counted(fused, size) == common + n * dim * (size[0] + size[1])


def test_attention_weights_are_dropped_where_they_are_in_one_piece() -> None:
    with pytest.raises(ValueError, match=r"^attn_drop 0.1 needs kernel 'math', not 'sdpa'$"):
        GPSA(8, 2, attn_drop=0.1, kernel="sdpa")
