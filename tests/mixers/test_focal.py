"""Focal attention against a list of keys for each window, made key by key from the authors' description."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.focal import PORTS, FocalAttention
from benchsuite.mixers.swin import WindowAttention
from tests.mixers.counting import counted

Size = tuple[int, int]


def tokens(size: Size, dim: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, size[0] * size[1], dim, generator=generator, dtype=torch.float64)


def made(**options: Any) -> FocalAttention:
    torch.manual_seed(0)
    module = FocalAttention(4, 2, **options).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def pooled(module: FocalAttention, grid: Tensor, level: int) -> Tensor:
    """Sub-windows of a (H, W, C) map: (rows, columns, C)."""
    ws, side, parts = module.window_size, module.window_size // 2**level, 2**level
    rows, columns = grid.shape[0] // ws * parts, grid.shape[1] // ws * parts
    top, left = (grid.shape[0] - rows * side) // 2, (grid.shape[1] - columns * side) // 2
    out = torch.zeros(rows, columns, grid.shape[2], dtype=grid.dtype)
    for i in range(rows):
        for j in range(columns):
            square = grid[top + i * side : top + i * side + side, left + j * side : left + j * side + side]
            flat = square.reshape(side**2, -1)
            if module.pool_method == "fc":
                layer = module.pool_layers[level]
                out[i, j] = (layer.weight[0][:, None] * flat).sum(0) + layer.bias
            elif module.pool_method == "conv":
                layer = module.pool_layers[level]
                out[i, j] = (layer.weight[:, 0].permute(1, 2, 0) * square).sum((0, 1)) + layer.bias
            else:
                out[i, j] = flat.mean(0) if module.pool_method == "mean" else flat.amax(0)
    return out


def oracle(module: FocalAttention, x: Tensor, size: Size) -> Tensor:
    ws, e, shift = module.window_size, module.expand_size, module.shift_size
    grid = F.pad(x[0].reshape(*size, 4), (0, 0, 0, -size[1] % ws, 0, -size[0] % ws))
    grid = grid.roll((-shift, -shift), (0, 1))
    height, width = grid.shape[:2]
    q, k, v = module.qkv(grid).chunk(3, dim=-1)
    levels = [module.qkv(pooled(module, grid, level)).chunk(3, dim=-1)[1:] for level in range(module.levels)]
    tables = module.relative_position_bias_table_to_windows
    zero = torch.zeros(4, dtype=grid.dtype)

    def region(y: int, x: int) -> tuple[int, int]:
        """Part of the unshifted grid that a place of the shifted one stems from."""
        return (y >= height - ws) + (y >= height - shift), (x >= width - ws) + (x >= width - shift)

    def keys_of(y: int, x: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Key, value and what is added to the logits of both heads, for the query at a place."""
        wy, wx = y // ws * ws, x // ws * ws
        yq, xq = y - wy, x - wx
        found = []
        for yk in range(ws):
            for xk in range(ws):
                row = (yq - yk + ws - 1) * (2 * ws - 1) + xq - xk + ws - 1
                apart = -100.0 if shift and region(y, x) != region(wy + yk, wx + xk) else 0.0
                bias = module.relative_position_bias_table[row] + apart
                found.append((k[wy + yk, wx + xk], v[wy + yk, wx + xk], bias))
        number = 0
        for dy, dx in ((e, e), (e, -e), (-e, e), (-e, -e)) if e else ():
            for yk in range(ws):
                for xk in range(ws):
                    if 0 <= yk + dy < ws and 0 <= xk + dx < ws:
                        continue  # a token of the window itself
                    at = ((wy + yk + dy) % height, (wx + xk + dx) % width)
                    bias = module.relative_position_bias_table_to_neighbors[0, :, yq * ws + xq, number]
                    found.append((k[at], v[at], bias))
                    number += 1
        for level, (k_level, v_level) in enumerate(levels):
            span = module.focal_window + 2**level - 1
            for i in range(span):
                for j in range(span):
                    row = wy // ws * 2**level - module.focal_window // 2 + i
                    column = wx // ws * 2**level - module.focal_window // 2 + j
                    entry = (yq - i + span - 1) * (ws + span - 1) + xq - j + span - 1
                    bias = tables[level][:, entry]
                    if 0 <= row < k_level.shape[0] and 0 <= column < k_level.shape[1]:
                        found.append((k_level[row, column], v_level[row, column], bias))
                    else:
                        found.append((zero, zero, bias - 100.0))
        return found

    out = torch.zeros_like(grid)
    for y in range(height):
        for x_ in range(width):
            keys, values, biases = (torch.stack(part) for part in zip(*keys_of(y, x_), strict=True))
            for head in range(2):
                own = slice(2 * head, 2 * head + 2)
                logits = keys[:, own] @ q[y, x_, own] / 2**0.5 + biases[:, head]
                out[y, x_, own] = logits.softmax(0) @ values[:, own]
    out = module.proj(out).roll((shift, shift), (0, 1))[: size[0], : size[1]]
    return out.reshape(1, -1, 4)


CASES: list[tuple[dict[str, Any], Size]] = [
    ({"window_size": 3, "expand_size": 1, "focal_window": 3, "pool_method": "fc"}, (6, 9)),
    ({"window_size": 3, "expand_size": 2, "focal_level": 1}, (6, 6)),
    ({"window_size": 4, "expand_size": 0, "focal_level": 3, "pool_method": "conv"}, (8, 8)),
    (
        {"window_size": 5, "expand_size": 2, "focal_level": 3, "focal_window": 1, "pool_method": "mean"},
        (10, 5),
    ),
    ({"window_size": 3, "expand_size": 1, "focal_window": 3, "pool_method": "max"}, (5, 7)),
    ({"window_size": 3, "expand_size": 1, "shift_size": 1, "pool_method": "fc"}, (6, 6)),
    ({"window_size": 3, "expand_size": 1, "focal_level": 2, "pool_method": "none"}, (3, 6)),
]


@pytest.mark.parametrize(("options", "size"), CASES, ids=str)
def test_each_window_attends_to_its_keys_in_one_softmax(options: dict[str, Any], size: Size) -> None:
    module, x = made(**options), tokens(size)
    expected = oracle(module, x, size)
    torch.testing.assert_close(module(x, size), expected)
    module.kernel = "sdpa"
    torch.testing.assert_close(module(x, size), expected)


def test_without_neighbourhood_and_levels_it_is_shifted_window_attention() -> None:
    focal = made(window_size=3, expand_size=0, focal_level=1, shift_size=1)
    window = WindowAttention(4, 2, window_size=3, shift_size=1, pad=True).double()
    window.load_state_dict(focal.state_dict())
    x = tokens((5, 9))
    torch.testing.assert_close(focal(x, (5, 9)), window(x, (5, 9)))


def test_neighbours_wrap_around_the_border() -> None:
    module, x = made(window_size=3, expand_size=1, focal_level=1), tokens((9, 9))
    other = x.clone()
    other[:, 80] += 1  # the last token, of the last window
    changed = (module(other, (9, 9)) - module(x, (9, 9))).abs().amax((0, 2)).reshape(9, 9) > 1e-9
    sees = torch.tensor(
        [True] * 3 + [False] * 3 + [True] * 3
    )  # the last windows, and the first ones around it
    assert torch.equal(changed, sees[:, None] & sees[None, :])


def test_a_smaller_grid_after_a_larger_one_gets_its_own_keys() -> None:
    module = made(window_size=3, expand_size=1)
    x = tokens((3, 6))
    expected = made(window_size=3, expand_size=1)(x, (3, 6))
    module(tokens((6, 6)), (6, 6))
    assert torch.equal(module(x, (3, 6)), expected)


@pytest.mark.parametrize(("c", "h", "size"), [(768, 12, (14, 14)), (96, 3, (56, 28)), (32, 4, (7, 21))])
def test_the_closed_form(c: int, h: int, size: Size) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        module = FocalAttention(c, h, window_size=7, expand_size=3, focal_level=2, focal_window=5)
        deeper = FocalAttention(c, h, focal_level=3, pool_method="mean")
    keys = 49 + 4 * (49 - 16) + 25
    windows = n // 49
    assert counted(module, size) == 4 * n * c**2 + 2 * n * keys * c + windows * (3 * c**2 + 49 * c)
    pooled_tokens = windows + 4 * windows
    assert counted(deeper, size) == 4 * n * c**2 + 2 * n * (keys + 36) * c + 3 * pooled_tokens * c**2


def test_a_grid_of_one_window_has_no_neighbourhood_in_the_authors_block() -> None:
    authors = {"dim": 8, "num_heads": 2, "window_size": 7, "expand_size": 3, "shift_size": 3}
    small = PORTS["focal"].arguments(authors | {"input_resolution": [5, 9]})
    assert (small["window_size"], small["expand_size"], small["shift_size"]) == (5, 0, 0)
    large = PORTS["focal"].arguments(authors | {"input_resolution": [14, 14]})
    assert (large["window_size"], large["expand_size"], large["shift_size"]) == (7, 3, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_size": 0}, "window_size 0 is not positive"),
        ({"expand_size": 7}, "expand_size 7 is not between 0 and window_size 7 - 1"),
        ({"shift_size": -1}, "shift_size -1 is not between 0 and window_size 7 - 1"),
        ({"focal_level": 0}, "focal_level 0 is not positive"),
        ({"focal_window": 4}, "focal_window 4 is not odd"),
        ({"pool_method": "sum"}, "unknown pool_method 'sum'; allowed: none, fc, conv, mean, max"),
        ({"window_size": 4, "focal_level": 5}, "window_size 4 is too small for focal_level 5"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        FocalAttention(8, 2, **options)
