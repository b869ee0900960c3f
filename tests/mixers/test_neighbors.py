"""Neighbourhoods as views, against explicit loops over positions and offsets."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers import _neighbors
from benchsuite.mixers._checks import check_odd
from benchsuite.mixers._neighbors import GridEmbedding, aggregate, correlate, neighbors, reflect

GEOMETRY = pytest.mark.parametrize(
    ("kernel_size", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (5, 1, 1), (3, 1, 2), (3, 2, 2), (1, 2, 1)]
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def outputs(padded: tuple[int, int], kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    rows, columns = ((side - dilation * (kernel_size - 1) - 1) // stride + 1 for side in padded)
    return rows, columns


@GEOMETRY
def test_neighbors_are_a_view_of_each_window(kernel_size: int, stride: int, dilation: int) -> None:
    x = random(2, 3, 8, 10)
    windows = neighbors(x, kernel_size, stride, dilation)
    assert windows.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    rows, columns = outputs((8, 10), kernel_size, stride, dilation)
    assert windows.shape == (2, 3, kernel_size, kernel_size, rows, columns)
    for i in range(kernel_size):
        for j in range(kernel_size):
            for row in range(rows):
                for column in range(columns):
                    at = x[..., row * stride + i * dilation, column * stride + j * dilation]
                    assert torch.equal(windows[..., i, j, row, column], at)


@GEOMETRY
def test_aggregation_sums_each_window_weighted(kernel_size: int, stride: int, dilation: int) -> None:
    x = random(2, 4, 3, 8, 10)
    rows, columns = outputs((8, 10), kernel_size, stride, dilation)
    weights = random(2, 4, 1, kernel_size**2, rows, columns, seed=1)
    expected = torch.zeros(2, 4, 3, rows, columns, dtype=torch.float64)
    for row in range(rows):
        for column in range(columns):
            for number in range(kernel_size**2):
                i, j = divmod(number, kernel_size)
                value = x[..., row * stride + i * dilation, column * stride + j * dilation]
                expected[..., row, column] += weights[..., number, row, column] * value
    out = aggregate(weights, x, kernel_size, stride=stride, dilation=dilation)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (5, 1)])
def test_correlation_is_the_product_with_each_key_of_the_window(kernel_size: int, stride: int) -> None:
    k = random(2, 4, 3, 8, 10)
    rows, columns = outputs((8, 10), kernel_size, stride, 1)
    q = random(2, 4, 3, rows, columns, seed=1)
    logits = correlate(q, k, kernel_size, stride=stride)
    for row in range(rows):
        for column in range(columns):
            for number in range(kernel_size**2):
                i, j = divmod(number, kernel_size)
                key = k[..., row * stride + i, column * stride + j]
                expected = (q[..., row, column] * key).sum(-1)
                torch.testing.assert_close(logits[:, :, number, row, column], expected)


def test_reflection_leaves_out_the_edge_itself() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    padded = reflect(x, 2)
    rows, columns = [2, 1, 0, 1, 2, 1, 0], [2, 1, 0, 1, 2, 3, 2, 1]
    assert torch.equal(padded, x[rows][:, columns])


def test_reflection_takes_any_number_of_axes() -> None:
    x = random(2, 3, 2, 5, 6)
    torch.testing.assert_close(reflect(x, 2).flatten(0, 1), F.pad(x.flatten(0, 1), (2,) * 4, mode="reflect"))


def test_a_map_that_is_too_small_to_reflect_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a 3 × 7 grid cannot be reflected by 3 tokens$"):
        reflect(torch.zeros(1, 1, 3, 7), 3)


@pytest.mark.parametrize("kernel_size", [0, 2, -1])
def test_a_kernel_without_a_centre_is_refused(kernel_size: int) -> None:
    with pytest.raises(ValueError, match=f"^conv_kernel_size {kernel_size} is not odd and positive$"):
        check_odd("conv_kernel_size", kernel_size)


@pytest.mark.parametrize("size", [(3, 5), (1, 4)])
def test_coordinates_run_from_minus_one_to_one_along_the_width_first(size: tuple[int, int]) -> None:
    embedding = GridEmbedding(2)
    with torch.no_grad():
        embedding.weight.copy_(torch.eye(2).reshape(2, 2, 1, 1))
        embedding.bias.zero_()
    across, down = embedding(torch.zeros(3, 7, *size))[0]
    torch.testing.assert_close(across, torch.linspace(-1, 1, size[1]).expand(size))
    torch.testing.assert_close(down, torch.linspace(-1, 1, size[0])[:, None].expand(size))


def test_coordinates_are_made_once_for_a_size_and_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, int]] = []
    original = _neighbors._coordinates

    def counted(height: int, width: int, like: Tensor) -> Tensor:
        made.append((height, width))
        return original(height, width, like)

    monkeypatch.setattr(_neighbors, "_coordinates", counted)
    embedding = GridEmbedding(4)
    for _ in range(3):
        embedding(torch.zeros(2, 8, 4, 6))
    embedding(torch.zeros(2, 8, 6, 4))
    embedding.bfloat16()(torch.zeros(2, 8, 6, 4, dtype=torch.bfloat16))
    assert made == [(4, 6), (6, 4), (6, 4)]
