"""Window attention against an oracle over all pairs of tokens, and its mask and index, made once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite.mixers import swin
from benchsuite.mixers.swin import PORTS, WindowAttention


def tokens(size: tuple[int, int], dim: int = 32) -> Tensor:
    return torch.randn(2, size[0] * size[1], dim, generator=torch.Generator().manual_seed(0))


def all_pairs(module: WindowAttention, x: Tensor, size: tuple[int, int], window: int, shift: int) -> Tensor:
    """Attention of every token to every other, with logits of −∞ outside of the window.

    A token stays where it is; the shift only decides to which window it belongs, and whether it got there
    around the edge.
    """
    height, width = size
    at = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    shifted = (at - shift) % torch.tensor(size)
    number = shifted // window
    together = (number[:, None] == number[None, :]).all(-1)
    around = at < shift
    parted = (around[:, None] != around[None, :]).any(-1)
    offset = shifted[:, None] - shifted[None, :]
    q, k, v = (
        part.unflatten(-1, (module.num_heads, -1)).transpose(1, 2) for part in module.qkv(x).chunk(3, dim=-1)
    )
    logits = torch.einsum("bhnd,bhmd->bhnm", q, k) / module.head_dim**0.5
    if module.rel_pos:
        side, most = 2 * module.window_size - 1, module.window_size - 1
        table = module.relative_position_bias_table.reshape(side, side, -1)
        near = (offset + most).clamp(0, side - 1)
        logits = logits + table[near[..., 0], near[..., 1]].permute(2, 0, 1)
    logits = logits - 100.0 * parted
    logits = logits.masked_fill(~together, -torch.inf)
    return module.proj(torch.einsum("bhnm,bhmd->bnhd", logits.softmax(-1), v).flatten(2))


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("rel_pos", [True, False])
@pytest.mark.parametrize(
    ("size", "window", "shift"),
    [((8, 12), 4, 0), ((8, 12), 4, 1), ((12, 8), 4, 2), ((6, 9), 3, 1), ((4, 8), 4, 0), ((6, 4), 1, 0)],
)
def test_it_is_attention_within_shifted_windows(
    size: tuple[int, int], window: int, shift: int, rel_pos: bool, kernel: str
) -> None:
    torch.manual_seed(0)
    module = WindowAttention(
        32, 4, window_size=window, shift_size=shift, rel_pos=rel_pos, kernel=kernel
    ).double()
    if rel_pos:
        torch.nn.init.normal_(module.relative_position_bias_table)
    x = tokens(size).double()
    torch.testing.assert_close(module(x, size), all_pairs(module, x, size, window, shift))


@pytest.mark.parametrize(("size", "window"), [((4, 8), 4), ((8, 4), 4), ((3, 9), 3), ((7, 7), 7)])
def test_a_small_grid_has_one_unshifted_strip_of_windows(size: tuple[int, int], window: int) -> None:
    module = WindowAttention(32, 4, window_size=7, shift_size=3)
    torch.nn.init.normal_(module.relative_position_bias_table)
    x = tokens(size)
    torch.testing.assert_close(module(x, size), all_pairs(module, x, size, window, 0))


@pytest.mark.parametrize("size", [(5, 7), (3, 9), (8, 8), (2, 2)])
@pytest.mark.parametrize("shift", [0, 1])
def test_padding_is_zeros_before_the_shift_and_a_crop_after(size: tuple[int, int], shift: int) -> None:
    module = WindowAttention(32, 4, window_size=4, shift_size=shift, pad=True)
    x = tokens(size)
    height, width = (-(-side // 4) * 4 for side in size)
    grid = torch.zeros(2, height, width, 32)
    grid[:, : size[0], : size[1]] = x.reshape(2, *size, 32)
    full = all_pairs(module, grid.flatten(1, 2), (height, width), 4, shift)
    expected = full.reshape(2, height, width, 32)[:, : size[0], : size[1]].flatten(1, 2)
    torch.testing.assert_close(module(x, size), expected)


def test_a_grid_that_the_window_does_not_divide_is_refused() -> None:
    module = WindowAttention(32, 4, window_size=4)
    message = r"^window_size 4 does not divide the 10 × 12 grid$"
    with pytest.raises(ValueError, match=message):
        module(tokens((10, 12)), (10, 12))


@pytest.mark.parametrize("shift", [-1, 4])
def test_a_shift_that_is_not_within_the_window_is_refused(shift: int) -> None:
    with pytest.raises(ValueError, match=f"^shift_size {shift} is not between 0 and window_size 4 - 1$"):
        WindowAttention(32, 4, window_size=4, shift_size=shift)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the functions that make masks and indices, one for each call."""
    calls: list[str] = []
    for name in ("shift_mask", "relative_position_index"):
        original = getattr(swin, name)

        def counted(*args: Any, original: Any = original, name: str = name) -> Tensor:
            calls.append(name)
            result: Tensor = original(*args)
            return result

        monkeypatch.setattr(swin, name, counted)
    return calls


def test_mask_and_index_are_made_once_for_a_grid(made: list[str]) -> None:
    module = WindowAttention(32, 4, window_size=4, shift_size=2)
    for _ in range(3):
        module(tokens((8, 8)), (8, 8))
    assert sorted(made) == ["relative_position_index", "shift_mask"]


def test_mask_and_index_follow_grid_and_dtype(made: list[str]) -> None:
    module = WindowAttention(32, 4, window_size=4, shift_size=2)
    module(tokens((8, 8)), (8, 8))
    module(tokens((8, 12)), (8, 12))
    assert module.bfloat16()(tokens((8, 12)).bfloat16(), (8, 12)).dtype == torch.bfloat16
    assert made.count("shift_mask") == 3


def test_without_shift_and_bias_nothing_is_made(made: list[str]) -> None:
    WindowAttention(32, 4, window_size=4, rel_pos=False)(tokens((8, 8)), (8, 8))
    assert made == []


def test_a_window_shrunk_at_construction_has_the_authors_smaller_table() -> None:
    authors = {"dim": 32, "num_heads": 4, "window_size": 7, "shift_size": 3, "input_resolution": [4, 8]}
    ours = PORTS["swin_sw_msa"].arguments(authors)
    assert (ours["window_size"], ours["shift_size"]) == (4, 0)
    module = WindowAttention(**ours)
    assert module.relative_position_bias_table.shape == (7 * 7, 4)
    x = tokens((4, 8))
    torch.testing.assert_close(module(x, (4, 8)), all_pairs(module, x, (4, 8), 4, 0))


def test_a_padded_window_is_not_shrunk_by_its_port() -> None:
    ours = PORTS["swin_padded"].arguments({"dim": 32, "num_heads": 4, "window_size": 7, "shift_size": 3})
    assert ours == {"dim": 32, "num_heads": 4, "window_size": 7, "shift_size": 3, "pad": True}


def test_a_window_of_a_block_whose_grid_is_not_told_is_not_shrunk() -> None:
    ours = PORTS["swin_w_msa"].arguments({"dim": 32, "num_heads": 4, "drop": 0.1, "mlp_ratio": 2.0})
    assert ours == {"dim": 32, "num_heads": 4, "proj_drop": 0.1}
