"""The attention of DAT's first stages: PVT's, on maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.dat_pyramid import PyramidAttention
from benchsuite.mixers.pvt import SpatialReductionAttention
from tests.mixers.counting import counted


def image(size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 8, *size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_it_is_spatial_reduction_attention_in_another_layout(ratio: int) -> None:
    module = PyramidAttention(8, 2, sr_ratio=ratio).double()
    sra = SpatialReductionAttention(8, 2, sr_ratio=ratio).double()
    state = {
        name.replace("proj_ds.0", "sr").replace("proj_ds.1", "norm"): t
        for name, t in module.state_dict().items()
    }
    sra.load_state_dict(
        {name: t[:, :, 0, 0] if t.ndim == 4 and "sr." not in name else t for name, t in state.items()}
    )
    x, size = image((5, 7)), (5, 7)
    expected = sra(x.flatten(2).transpose(1, 2), size).transpose(1, 2).reshape(x.shape)
    torch.testing.assert_close(module(x), expected)
    assert counted(module, size) == counted(sra, size)


@pytest.mark.parametrize(("c", "h", "size"), [(768, 12, (14, 14)), (64, 2, (28, 14)), (32, 4, (7, 9))])
def test_the_closed_form(c: int, h: int, size: tuple[int, int]) -> None:
    n, m = size[0] * size[1], (size[0] // 2) * (size[1] // 2)
    with torch.device("meta"):
        module, plain = PyramidAttention(c, h, sr_ratio=2), PyramidAttention(c, h)
    assert counted(module, size) == 2 * n * c**2 + 6 * m * c**2 + 2 * n * m * c
    assert counted(plain, size) == 4 * n * c**2 + 2 * n**2 * c


def test_ratios_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^sr_ratio 0 is not positive$"):
        PyramidAttention(8, 2, sr_ratio=0)
    with pytest.raises(ValueError, match=r"^sr_ratio 4 is larger than the 3 × 8 map$"):
        PyramidAttention(8, 2, sr_ratio=4)(torch.zeros(1, 8, 3, 8))
