"""BoTNet's attention against an oracle over pairs of positions; offsets turned into positions by a view."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.botnet import PORTS, BottleneckAttention, by_position
from tests.mixers.counting import counted


def oracle(module: BottleneckAttention, x: Tensor, scale_position: float) -> Tensor:
    height, width = module.grid
    heads, d = module.num_heads, module.head_dim
    projected = module.qkv(x).flatten(2)
    q, k, v = projected.split([heads * d, heads * d, module.dim_out], dim=1)
    q, k, v = (t.unflatten(1, (heads, -1)) for t in (q, k, v))  # B, heads, channels, N
    columns = []
    for i in range(height * width):
        logits = []
        for j in range(height * width):
            dy, dx = j // width - i // width, j % width - i % width
            position = (
                module.pos_embed.height_rel[dy + height - 1] + module.pos_embed.width_rel[dx + width - 1]
            )
            content = (q[..., i] * k[..., j]).sum(-1) / d**0.5
            logits.append(content + scale_position * (q[..., i] * position).sum(-1))
        weights = torch.stack(logits, dim=-1).softmax(-1)[:, :, None]
        columns.append((v * weights).sum(-1).flatten(1))
    return torch.stack(columns, dim=-1).unflatten(-1, (height, width))


@pytest.mark.parametrize("kernel", ["math", "sdpa", "flash"])
@pytest.mark.parametrize(
    ("grid", "options"),
    [
        ((3, 4), {}),
        ((4, 1), {"qkv_bias": True}),
        ((2, 3), {"dim_out": 16, "head_dim": 3}),
        ((3, 2), {"scale_pos_embed": True, "qk_ratio": 2.0}),
    ],
)
def test_it_is_attention_with_logits_of_height_and_width(
    grid: tuple[int, int], options: dict[str, Any], kernel: str
) -> None:
    torch.manual_seed(0)
    module = BottleneckAttention(8, 2, grid=grid, kernel=kernel, **options).double()
    x = torch.randn(2, 8, *grid, dtype=torch.float64)
    scale = module.head_dim**-0.5 if module.scale_pos_embed else 1.0
    torch.testing.assert_close(module(x), oracle(module, x, scale))


def test_a_stride_averages_squares_of_the_output() -> None:
    torch.manual_seed(0)
    module, whole = BottleneckAttention(8, 2, grid=(4, 5), stride=2), BottleneckAttention(8, 2, grid=(4, 5))
    whole.load_state_dict(module.state_dict())
    x = torch.randn(2, 8, 4, 5)
    squares = whole(x)[:, :, :, :4].reshape(2, 8, 2, 2, 2, 2).mean((3, 5))  # the fifth column is left out
    torch.testing.assert_close(module(x), squares)


@pytest.mark.parametrize("side", [1, 2, 5])
def test_offsets_become_positions_without_a_copy(side: int) -> None:
    logits = torch.arange(3.0 * side * (2 * side - 1)).reshape(3, side, 2 * side - 1)
    keys = by_position(logits)
    assert keys.untyped_storage().data_ptr() == logits.untyped_storage().data_ptr()
    for query in range(side):
        for key in range(side):
            assert torch.equal(keys[:, query, key], logits[:, query, key - query + side - 1])


def test_queries_are_as_wide_as_a_multiple_of_eight_has_it() -> None:
    assert BottleneckAttention(24, 2, qk_ratio=0.5).head_dim == 8  # 12 → 16 channels
    assert BottleneckAttention(24, 2, qk_ratio=0.45).head_dim == 8  # 10.8 → 8 is less than 90 %, so 16
    assert BottleneckAttention(24, 2, head_dim=5, qk_ratio=0.5).head_dim == 5


@pytest.mark.parametrize(("dim", "heads", "size"), [(768, 12, (14, 14)), (96, 3, (28, 14)), (32, 4, (7, 7))])
def test_macs_with_equal_widths(dim: int, heads: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        module = BottleneckAttention(dim, heads, grid=size)
    expected = 3 * n * dim**2 + 2 * n * dim * (size[0] + size[1] - 1) + 2 * n**2 * dim
    assert counted(module, size) == expected


def test_macs_with_other_widths() -> None:
    n, d, e = 12, 2 * 4, 48
    with torch.device("meta"):
        module = BottleneckAttention(32, 2, grid=(3, 4), dim_out=e, head_dim=4)
    assert counted(module, (3, 4)) == n * 32 * (2 * d + e) + n * d * (5 + 7) + n**2 * (d + e)


@pytest.mark.parametrize(
    ("kernel", "longer"), [("sdpa", 0), ("mem_efficient", 0), ("flash", 3 + 4), ("cudnn", 3 + 4)]
)
def test_macs_without_a_bias_are_those_of_longer_heads(kernel: str, longer: int) -> None:
    n, c, heads = 12, 32, 2
    with torch.device("meta"):
        module = BottleneckAttention(c, heads, grid=(3, 4), kernel=kernel)
    assert counted(module, (3, 4)) == 3 * n * c**2 + n * c * (5 + 7) + 2 * n**2 * heads * (16 + longer)


def test_values_may_be_wider_than_queries_with_their_positions() -> None:
    torch.manual_seed(0)
    module = BottleneckAttention(8, 2, grid=(2, 2), dim_out=32, head_dim=2, kernel="flash").double()
    x = torch.randn(1, 8, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(module(x), oracle(module, x, 1.0))
    assert counted(module, (2, 2)) == 4 * 8 * (8 + 32) + 4 * 4 * (3 + 3) + 2 * 4**2 * 2 * 16


def test_the_places_of_keys_follow_the_dtype() -> None:
    module = BottleneckAttention(8, 2, grid=(3, 4), kernel="flash")
    x = torch.randn(1, 8, 3, 4)
    expected = module(x)
    half = module.bfloat16()(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, atol=0.05, rtol=0)


def test_what_does_not_fit_is_refused() -> None:
    module = BottleneckAttention(8, 2, grid=(3, 4))
    message = r"^this bottleneck_attention is made for a 3 × 4 grid, not for one of 4 × 4$"
    with pytest.raises(ValueError, match=message):
        module(torch.randn(1, 8, 4, 4))
    with pytest.raises(ValueError, match=r"^stride 3 is neither 1 nor 2$"):
        BottleneckAttention(8, 2, stride=3)


def test_the_port_names_the_grid_and_the_heads() -> None:
    authors = {"dim": 16, "feat_size": [7, 5], "dim_head": 4, "stride": 2}
    ours = PORTS["bottleneck_attention"].arguments(authors)
    assert ours == {"dim": 16, "grid": (7, 5), "head_dim": 4, "stride": 2}
