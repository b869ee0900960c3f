"""MaxViT's block and grid attention against an oracle that picks the tokens of each group by slices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.maxvit import PORTS, BlockAttention, GridAttention
from tests.mixers.counting import counted

Size = tuple[int, int]
both = pytest.mark.parametrize("cls", [BlockAttention, GridAttention])


def made(cls: type[Any], dim: int = 8, heads: int = 2, **options: Any) -> Any:
    torch.manual_seed(0)
    module = cls(dim, heads, **options).double()
    if module.rel_pos is not None:
        torch.nn.init.normal_(module.rel_pos.relative_position_bias_table)
    return module


def image(size: Size, dim: int = 8) -> Tensor:
    return torch.randn(2, *size, dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def oracle(module: Any, x: Tensor) -> Tensor:
    """Group by group and head by head; head h has channels 3h, 3h + 1 and 3h + 2 times head_dim of qkv."""
    (high, wide), d = module.window, module.head_dim
    rows, columns = x.shape[1] // high, x.shape[2] // wide
    out = torch.zeros_like(x)
    for i in range(rows):
        for j in range(columns):
            if isinstance(module, GridAttention):
                at = (slice(None), slice(i, None, rows), slice(j, None, columns))
            else:
                at = (slice(None), slice(i * high, (i + 1) * high), slice(j * wide, (j + 1) * wide))
            qkv = module.qkv(x[at].flatten(1, 2))
            heads = []
            for head in range(module.num_heads):
                q, k, v = qkv[..., 3 * head * d : 3 * (head + 1) * d].split(d, dim=-1)
                logits = q @ k.transpose(1, 2) / d**0.5
                for query in range(high * wide):
                    for key in range(high * wide):
                        dy, dx = query // wide - key // wide, query % wide - key % wide
                        place = (dy + high - 1) * (2 * wide - 1) + dx + wide - 1
                        logits[:, query, key] += module.rel_pos.relative_position_bias_table[place, head]
                heads.append(logits.softmax(-1) @ v)
            out[at] = module.proj(torch.cat(heads, dim=-1)).unflatten(1, (high, wide))
    return out


@both
@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize(("size", "window"), [((4, 6), 2), ((3, 4), (3, 2)), ((2, 2), 2)])
def test_it_is_attention_within_each_group(
    cls: type[Any], size: Size, window: int | Size, kernel: str
) -> None:
    module, x = made(cls, window_size=window, kernel=kernel), image(size)
    with torch.no_grad():
        torch.testing.assert_close(module(x), oracle(module, x))


def test_grid_attention_sees_the_whole_map_and_block_attention_its_block() -> None:
    for cls, rows in ((GridAttention, [0, 4]), (BlockAttention, [0, 1])):
        x = image((8, 8)).requires_grad_()
        made(cls, window_size=2)(x)[0, 0, 0].sum().backward()
        assert x.grad is not None
        seen = x.grad[0].abs().sum(-1).nonzero()
        assert sorted(set(seen[:, 0].tolist())) == rows


@both
def test_a_bias_kept_as_maps_is_swins_table_upside_down(cls: type[Any]) -> None:
    module, other = made(cls, window_size=(2, 3)), made(cls, window_size=(2, 3), rel_pos="bias_tf")
    state = module.state_dict()
    table = state["rel_pos.relative_position_bias_table"].t().reshape(2, 3, 5)
    other.load_state_dict(state | {"rel_pos.relative_position_bias_table": table.flip(1, 2)})
    x = image((4, 6))
    torch.testing.assert_close(other(x), module(x))


@both
def test_the_order_of_heads_in_the_projection_is_an_option(cls: type[Any]) -> None:
    module, other = made(cls, window_size=2), made(cls, window_size=2, head_first=False)
    state = module.state_dict()
    for kind in ("weight", "bias"):
        of_heads = state[f"qkv.{kind}"].reshape(2, 3, 4, -1).transpose(0, 1)
        state[f"qkv.{kind}"] = of_heads.reshape(state[f"qkv.{kind}"].shape)
    other.load_state_dict(state)
    x = image((4, 4))
    torch.testing.assert_close(other(x), module(x))
    other.load_state_dict(module.state_dict())
    assert not torch.allclose(other(x), module(x))


@both
def test_without_bias_and_position_tokens_of_a_group_are_a_set(cls: type[Any]) -> None:
    module, x = made(cls, window_size=2, rel_pos=None, qkv_bias=False, proj_bias=False), image((2, 2))
    assert [name for name, _ in module.named_parameters()] == ["qkv.weight", "proj.weight"]
    torch.testing.assert_close(module(x.flip(1)), module(x).flip(1))


@both
@pytest.mark.parametrize(("dim", "heads", "size"), [(768, 12, (14, 14)), (96, 3, (56, 28)), (32, 4, (7, 21))])
def test_macs_are_those_of_window_attention(cls: type[Any], dim: int, heads: int, size: Size) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        module = cls(dim, heads)
    assert counted(module, size) == 4 * n * dim**2 + 2 * n * 49 * dim


@both
def test_what_does_not_fit_is_refused(cls: type[Any]) -> None:
    module = made(cls, window_size=4)
    with pytest.raises(ValueError, match=r"^window_size 4 does not divide the 4 × 6 grid$"):
        module(image((4, 6)))
    with pytest.raises(ValueError, match=r"^window_size 4 does not divide the 2 × 4 grid$"):
        module(torch.zeros(1, 2, 4, 8))
    with pytest.raises(ValueError, match=r"^unknown rel_pos 'mlp'; allowed: bias, bias_tf$"):
        made(cls, rel_pos="mlp")


def test_the_ports_take_the_side_of_their_partition() -> None:
    authors = {"dim": 64, "window_size": [7, 7], "grid_size": [4, 2], "dim_head": 16, "rel_pos_type": "bias"}
    block = PORTS["maxvit_block_attention"].arguments(authors | {"partition_type": "block"})
    grid = PORTS["maxvit_grid_attention"].arguments(authors | {"partition_type": "grid"})
    assert (block["window_size"], grid["window_size"]) == ((7, 7), (4, 2))
    assert block["num_heads"] == 4
    with pytest.raises(ValueError, match=r"^partition_type='block' is not that of grid attention$"):
        PORTS["maxvit_grid_attention"].arguments(authors | {"partition_type": "block"})
