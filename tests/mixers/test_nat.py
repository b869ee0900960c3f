"""Neighborhood attention against explicit loops, and its tiles against the windows they are made of."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite.mixers import nat
from benchsuite.mixers._tiles import Tiles
from benchsuite.mixers.nat import PORTS, NeighborhoodAttention
from tests.mixers.counting import counted


def nearest(place: int, side: int, k: int, dilation: int) -> list[int]:
    """The k positions of the same residue class that a window centred on `place`, moved inwards, has."""
    same = [at for at in range(side) if at % dilation == place % dilation]
    candidates = [same[first : first + k] for first in range(len(same) - k + 1)]
    return min(candidates, key=lambda window: abs(window[k // 2] - place))


def by_loops(module: NeighborhoodAttention, x: Tensor) -> Tensor:
    batch, height, width, dim = x.shape
    k, dilation, heads = module.kernel_size, module.dilation, module.num_heads
    q, keys, values = (t.unflatten(-1, (heads, -1)) for t in module.qkv(x).chunk(3, dim=-1))
    out = torch.zeros_like(q)
    for y in range(height):
        for x_ in range(width):
            spots = [(a, b) for a in nearest(y, height, k, dilation) for b in nearest(x_, width, k, dilation)]
            near_k = torch.stack([keys[:, a, b] for a, b in spots], dim=2)  # B, heads, k², head_dim
            near_v = torch.stack([values[:, a, b] for a, b in spots], dim=2)
            logits = (near_k @ q[:, y, x_, :, :, None]).squeeze(-1) / module.head_dim**0.5
            if module.rel_pos:
                bias = [
                    module.rpb[:, (a - y) // dilation + k - 1, (b - x_) // dilation + k - 1] for a, b in spots
                ]
                logits = logits + torch.stack(bias, dim=-1)
            out[:, y, x_] = (logits.softmax(-1).unsqueeze(-2) @ near_v).squeeze(-2)
    return module.proj(out.reshape(batch, height, width, dim))


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("rel_pos", [True, False])
@pytest.mark.parametrize(
    ("kernel_size", "dilation", "size"),
    [
        (3, 1, (5, 6)),
        (5, 1, (5, 9)),
        (7, 1, (13, 7)),
        (3, 2, (6, 7)),
        (3, 2, (9, 11)),
        (3, 3, (10, 19)),
        (1, 2, (2, 3)),
        (3, 1, (17, 21)),
    ],
)
def test_every_position_attends_to_its_nearest(
    kernel_size: int, dilation: int, size: tuple[int, int], rel_pos: bool, kernel: str
) -> None:
    torch.manual_seed(0)
    module = NeighborhoodAttention(
        8, 2, kernel_size=kernel_size, dilation=dilation, rel_pos=rel_pos, kernel=kernel
    ).double()
    if rel_pos:
        torch.nn.init.normal_(module.rpb)
    x = torch.randn(2, *size, 8, dtype=torch.float64)
    torch.testing.assert_close(module(x), by_loops(module, x))


def test_a_window_as_large_as_the_grid_is_attention_to_all() -> None:
    module = NeighborhoodAttention(8, 2, kernel_size=5, rel_pos=False).double()
    x = torch.randn(1, 5, 5, 8, dtype=torch.float64)
    q, k, v = (t.reshape(1, 25, 2, 4).transpose(1, 2) for t in module.qkv(x).chunk(3, dim=-1))
    full = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(1, 5, 5, 8)
    torch.testing.assert_close(module(x), module.proj(full))


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
def test_gradients_of_tiles_and_windows_agree(kernel: str) -> None:
    torch.manual_seed(0)
    module = NeighborhoodAttention(8, 2, kernel_size=3, dilation=2, kernel=kernel).double()
    x = torch.randn(1, 7, 9, 8, dtype=torch.float64, requires_grad=True)
    inputs = (x, *module.parameters())
    ours = torch.autograd.grad(module(x).square().sum(), inputs)
    expected = torch.autograd.grad(by_loops(module, x).square().sum(), inputs)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(("side", "dilation"), [(7, 1), (12, 1), (30, 1), (29, 3), (16, 5)])
def test_each_query_of_a_tile_sees_exactly_its_window(side: int, dilation: int) -> None:
    k = 3
    windows = [nearest(place, side, k, dilation) for place in range(side)]
    positions = torch.arange(side, dtype=torch.float64)
    module = NeighborhoodAttention(2, 1, kernel_size=k, dilation=dilation, kernel="sdpa")
    assert module._windows((side, side)) == (windows, windows)
    tiles = Tiles(windows, windows, dilation, positions)
    # With equal keys, attention is the mean of the window's values: here, of rows and columns.
    values = torch.stack(torch.meshgrid(positions, positions, indexing="ij"), dim=-1)[None, None]
    zeros = torch.zeros_like(values)
    means = tiles.attend(zeros, zeros, values, kernel="sdpa", bias=tiles.mask, dropout=0.0)[0, 0]
    expected = torch.tensor([sum(window) / k for window in windows], dtype=torch.float64)
    torch.testing.assert_close(means[..., 0], expected[:, None].expand(side, side))
    torch.testing.assert_close(means[..., 1], expected[None, :].expand(side, side))


def test_tiles_multiply_what_the_closed_form_says() -> None:
    # Two tiles of 7: the first has queries 0 to 6, keys 0 to 9; the second is its mirror image.
    module = NeighborhoodAttention(8, 2, kernel="sdpa")
    assert counted(module, (14, 14)) == 4 * 196 * 64 + 2 * (2 * 7 * 10) ** 2 * 8


def test_windows_are_prepared_once_for_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    original = NeighborhoodAttention._windows

    def counted(self: NeighborhoodAttention, size: tuple[int, int]) -> Any:
        made.append(size)
        return original(self, size)

    monkeypatch.setattr(nat.NeighborhoodAttention, "_windows", counted)
    for kernel in ("math", "sdpa"):
        made.clear()
        module = NeighborhoodAttention(8, 2, kernel_size=3, kernel=kernel)
        for size in ((4, 6), (4, 6), (6, 4)):
            module(torch.randn(1, *size, 8))
        assert made == [(4, 6), (6, 4)]


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^kernel_size 4 is not odd and positive$"):
        NeighborhoodAttention(8, 2, kernel_size=4)
    with pytest.raises(ValueError, match=r"^dilation 0 is not positive$"):
        NeighborhoodAttention(8, 2, dilation=0)
    module = NeighborhoodAttention(8, 2, kernel_size=3, dilation=2)
    message = r"^kernel_size 3 with dilation 2 does not fit in the 5 × 8 grid$"
    with pytest.raises(ValueError, match=message):
        module(torch.zeros(1, 5, 8, 8))


def test_the_port_takes_both_names_of_the_bias() -> None:
    for name in ("bias", "rel_pos_bias"):
        ours = PORTS["neighborhood_attention"].arguments({"dim": 8, "num_heads": 2, name: False})
        assert ours == {"dim": 8, "num_heads": 2, "rel_pos": False}
