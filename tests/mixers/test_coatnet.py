"""CoAtNet's relative attention against an oracle over pairs of positions."""

from __future__ import annotations

import pytest
import torch

from benchsuite.mixers.coatnet import PORTS, CoAtNetAttention
from tests.mixers.counting import counted


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
def test_the_bias_is_looked_up_by_key_minus_query(kernel: str) -> None:
    torch.manual_seed(0)
    height, width, heads, d = 3, 4, 2, 4
    module = CoAtNetAttention(8, heads, grid=(height, width), kernel=kernel).double()
    torch.nn.init.normal_(module.rel_pos.relative_position_bias_table)
    x = torch.randn(2, 8, height, width, dtype=torch.float64)
    q, k, v = module.qkv(x).flatten(2).chunk(3, dim=1)  # each B, C, N
    out = torch.zeros(2, 8, height * width, dtype=torch.float64)
    for h in range(heads):
        of_head = slice(h * d, (h + 1) * d)
        for i in range(height * width):
            logits = []
            for j in range(height * width):
                dy, dx = j // width - i // width, j % width - i % width
                bias = module.rel_pos.relative_position_bias_table[h, dy + height - 1, dx + width - 1]
                logits.append((q[:, of_head, i] * k[:, of_head, j]).sum(1) / d**0.5 + bias)
            weights = torch.stack(logits, dim=-1).softmax(-1)
            out[:, of_head, i] = (v[:, of_head] * weights[:, None]).sum(-1)
    torch.testing.assert_close(module(x), module.proj(out.reshape(2, 8, height, width)))


def test_head_first_is_another_order_of_the_same_channels() -> None:
    torch.manual_seed(0)
    module = CoAtNetAttention(8, 2, grid=(3, 4))
    other = CoAtNetAttention(8, 2, grid=(3, 4), head_first=True)
    state, x = module.state_dict(), torch.randn(2, 8, 3, 4)
    for kind in ("weight", "bias"):
        blocks = state[f"qkv.{kind}"].reshape(3, 2, 4, -1).transpose(0, 1)
        state[f"qkv.{kind}"] = blocks.reshape(state[f"qkv.{kind}"].shape)
    other.load_state_dict(state)
    torch.testing.assert_close(other(x), module(x))


def test_without_a_bias_any_grid_will_do() -> None:
    module = CoAtNetAttention(8, 2, rel_pos=None, qkv_bias=False, proj_bias=False)
    assert [name for name, _ in module.named_parameters()] == ["qkv.weight", "proj.weight"]
    assert module(torch.randn(1, 8, 3, 5)).shape == (1, 8, 3, 5)
    assert counted(module, (3, 5)) == 4 * 15 * 64 + 2 * 15**2 * 8


@pytest.mark.parametrize(("dim", "heads", "size"), [(768, 12, (14, 14)), (96, 3, (28, 14)), (32, 4, (7, 7))])
def test_macs_are_those_of_msa(dim: int, heads: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        module = CoAtNetAttention(dim, heads, grid=size)
    assert counted(module, size) == 4 * n * dim**2 + 2 * n**2 * dim


def test_another_grid_is_refused() -> None:
    module = CoAtNetAttention(8, 2, grid=(3, 4))
    message = r"^this coatnet_attention is made for a 3 × 4 grid, not for one of 4 × 3$"
    with pytest.raises(ValueError, match=message):
        module(torch.randn(1, 8, 4, 3))


def test_the_port_knows_both_biases_of_timm() -> None:
    port = PORTS["coatnet_attention"].arguments
    authors = {"dim": 64, "dim_head": 16, "window_size": [7, 5], "bias": False}
    assert port(authors | {"rel_pos": "RelPosBias"}) == {
        "dim": 64,
        "num_heads": 4,
        "grid": (7, 5),
        "rel_pos": "bias",
        "head_first": True,
        "qkv_bias": False,
        "proj_bias": False,
    }
    assert port(authors)["rel_pos"] is None
    with pytest.raises(ValueError, match=r"^rel_pos='RelPosMlp' is not supported"):
        port(authors | {"rel_pos": "RelPosMlp"})
