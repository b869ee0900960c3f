"""Windows of a grid, against what each function claims."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.mixers._grid import crop_grid, pad_grid, padded_size
from benchsuite.mixers._windows import (
    as_pair,
    check_divides,
    cut_heads,
    merge,
    partition,
    relative_position_index,
    shift_mask,
)

small = st.integers(1, 4)


@settings(deadline=None)
@given(rows=small, columns=small, window=small, batch=st.integers(1, 2), channels=small)
def test_merging_is_the_inverse_of_partition(
    rows: int, columns: int, window: int, batch: int, channels: int
) -> None:
    size = (rows * window, columns * window)
    x = torch.arange(batch * size[0] * size[1] * channels).reshape(batch, *size, channels)
    windows = partition(x, size, window)
    assert windows.shape == (batch, rows * columns, window**2, channels)
    assert torch.equal(merge(windows, size, window), x)


@pytest.mark.parametrize("dilated", [False, True])
def test_heads_are_cut_as_their_channels_are(dilated: bool) -> None:
    x, size, window = torch.randn(2, 6, 8, 3, 4, 5), (6, 8), (3, 2)  # B, H, W, parts, heads, head_dim
    heads = cut_heads(x, size, window, dilated=dilated)
    groups = partition(x.flatten(3), size, window, dilated=dilated).unflatten(3, (3, 4, 5))
    assert heads.is_contiguous()
    assert torch.equal(heads, groups.permute(3, 0, 1, 4, 2, 5))


def test_windows_and_their_tokens_are_in_row_major_order() -> None:
    grid = torch.arange(24).reshape(1, 4, 6, 1)
    windows = partition(grid, (4, 6), 2)[0, :, :, 0].tolist()
    assert windows[0] == [0, 1, 6, 7]
    assert windows[1] == [2, 3, 8, 9]
    assert windows[3] == [12, 13, 18, 19]


def test_merging_joins_trailing_axes_to_channels() -> None:
    heads = torch.randn(2, 6, 4, 3, 5)  # B, windows, tokens, heads, head_dim
    assert torch.equal(merge(heads, (4, 6), 2), merge(heads.flatten(3), (4, 6), 2))


@settings(deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), window=small)
def test_cropping_is_the_inverse_of_padding(height: int, width: int, window: int) -> None:
    size = (height, width)
    x = torch.arange(1, 2 * height * width + 1).reshape(1, height, width, 2)
    padded = pad_grid(x, size, padded_size(size, window))
    assert all(side % window == 0 for side in padded.shape[1:3])
    assert torch.equal(crop_grid(padded, size), x)
    assert padded.count_nonzero() == x.numel()  # and zeros around


def test_a_grid_that_fits_is_not_copied_by_padding() -> None:
    x = torch.randn(1, 4, 6, 2)
    assert pad_grid(x, (4, 6), (4, 6)) is x


@pytest.mark.parametrize("size", [(7, 8), (8, 7), (2, 8), (0, 4)])
def test_windows_that_do_not_tile_are_refused_with_both_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"^window_size 4 does not divide the {size[0]} × {size[1]} grid$"):
        check_divides(4, size)


@pytest.mark.parametrize("window_size", [0, (0, 3), (3, 0)])
def test_a_window_without_tokens_is_refused(window_size: int | tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"^window_size .* is not positive$"):
        as_pair(window_size)


def test_the_bias_index_is_that_of_the_offset() -> None:
    window = 3
    index = relative_position_index(window, window, torch.device("cpu"))
    rows: dict[tuple[int, int], int] = {}
    for i in range(9):
        for j in range(9):
            offset = (i // 3 - j // 3, i % 3 - j % 3)
            assert rows.setdefault(offset, int(index[i, j])) == int(index[i, j])
    assert sorted(rows.values()) == list(range(25))  # each of the 5 × 5 offsets has a row of its own
    assert rows[-2, -2] == 0
    assert rows[-2, -1] == 1
    assert rows[0, 0] == 12


def test_a_smaller_window_uses_the_middle_of_the_table() -> None:
    table = torch.arange(49).reshape(7, 7)  # offsets −3 … 3 of a window of 4
    index = relative_position_index(2, 4, torch.device("cpu"))
    used = table.flatten()[index].unique()
    assert used.tolist() == table[2:5, 2:5].flatten().tolist()


def test_the_mask_parts_what_the_shift_has_brought_together() -> None:
    size, window, shift = (8, 12), 4, 1
    mask = shift_mask(size, window, shift, torch.empty(0, dtype=torch.float64))
    assert mask.shape == (6, 1, 16, 16)
    assert mask.dtype == torch.float64
    for number in range(6):
        # Where each token of this window of the shifted grid was before the shift.
        top, left = number // 3 * window, number % 3 * window
        wrapped = [
            (top + y + shift >= size[0], left + x + shift >= size[1])
            for y in range(window)
            for x in range(window)
        ]
        for i in range(16):
            for j in range(16):
                assert mask[number, 0, i, j] == (0 if wrapped[i] == wrapped[j] else -100)
