"""Attention to a shrunk grid: PVT's, PVTv2's linear one, and Twins'."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.msa import MSA
from benchsuite.mixers.pvt import LinearSpatialReductionAttention, SpatialReductionAttention
from benchsuite.mixers.swin import WindowAttention
from benchsuite.mixers.twins import GlobalSubSampledAttention, LocallyGroupedAttention, TwinsAttention
from tests.mixers.counting import counted


def tokens(size: tuple[int, int], dim: int = 32) -> Tensor:
    return torch.randn(2, size[0] * size[1], dim, generator=torch.Generator().manual_seed(0))


def test_a_ratio_of_one_is_msa() -> None:
    module, msa = SpatialReductionAttention(32, 4, sr_ratio=1), MSA(32, 4)
    assert not any(name.startswith(("sr", "norm")) for name, _ in module.named_parameters())
    with torch.no_grad():
        for kind in ("weight", "bias"):
            getattr(msa.qkv, kind).copy_(torch.cat([getattr(module.q, kind), getattr(module.kv, kind)]))
            getattr(msa.proj, kind).copy_(getattr(module.proj, kind))
    x = tokens((5, 7))
    torch.testing.assert_close(module(x, (5, 7)), msa(x, (5, 7)))


def test_rows_and_columns_beyond_the_ratio_are_no_keys() -> None:
    module, x = SpatialReductionAttention(32, 4, sr_ratio=3), tokens((7, 8))
    other = x.reshape(2, 7, 8, 32).clone()
    other[:, 6:] += 1
    other[:, :, 6:] += 1
    same = module(other.reshape(2, 56, 32), (7, 8)).reshape(2, 7, 8, 32)[:, :6, :6]
    torch.testing.assert_close(same, module(x, (7, 8)).reshape(2, 7, 8, 32)[:, :6, :6])


def test_each_key_is_the_convolution_of_its_square_and_normed() -> None:
    module, x = SpatialReductionAttention(32, 4, sr_ratio=2), tokens((4, 6))
    assert module.norm.eps == 1e-5
    grid = x.reshape(2, 4, 6, 32)
    squares = [grid[:, y : y + 2, x : x + 2] for y in (0, 2) for x in (0, 2, 4)]
    keys = torch.stack(
        [torch.einsum("byxc,ocyx->bo", square, module.sr.weight) + module.sr.bias for square in squares],
        dim=1,
    )
    k, v = (t.unflatten(-1, (4, 8)) for t in module.kv(module.norm(keys)).chunk(2, dim=-1))
    q = module.q(x).unflatten(-1, (4, 8))
    weights = (torch.einsum("bnhd,bmhd->bhnm", q, k) / 8**0.5).softmax(-1)
    expected = module.proj(torch.einsum("bhnm,bmhd->bnhd", weights, v).flatten(2))
    torch.testing.assert_close(module(x, (4, 6)), expected)


@pytest.mark.parametrize("cls", [SpatialReductionAttention, GlobalSubSampledAttention])
def test_a_ratio_larger_than_the_grid_is_refused(cls: type[SpatialReductionAttention]) -> None:
    module = cls(32, 4, sr_ratio=8)
    message = r"^sr_ratio 8 is larger than the 7 × 14 grid$"
    with pytest.raises(ValueError, match=message):
        module(tokens((7, 14)), (7, 14))


def test_ratios_and_pools_that_are_not_positive_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^sr_ratio 0 is not positive$"):
        SpatialReductionAttention(32, 4, sr_ratio=0)
    with pytest.raises(ValueError, match=r"^pool_size 0 is not positive$"):
        LinearSpatialReductionAttention(32, 4, pool_size=0)


def test_linear_reduction_pools_before_convolution_norm_and_gelu() -> None:
    module, x = LinearSpatialReductionAttention(32, 4, pool_size=2), tokens((4, 6))
    assert module.norm.eps == 1e-5
    grid = x.reshape(2, 2, 2, 2, 3, 32)  # B, pool, 2, pool, 3, C
    pooled = grid.mean(dim=(2, 4)).reshape(2, 4, 32)
    source = module.norm(pooled @ module.sr.weight[:, :, 0, 0].t() + module.sr.bias)
    source = 0.5 * source * (1 + torch.erf(source / 2**0.5))
    k, v = (t.unflatten(-1, (4, 8)) for t in module.kv(source).chunk(2, dim=-1))
    q = module.q(x).unflatten(-1, (4, 8))
    weights = (torch.einsum("bnhd,bmhd->bhnm", q, k) / 8**0.5).softmax(-1)
    expected = module.proj(torch.einsum("bhnm,bmhd->bnhd", weights, v).flatten(2))
    torch.testing.assert_close(module(x, (4, 6)), expected)


def test_linear_reduction_has_as_many_keys_for_a_grid_smaller_than_the_pool() -> None:
    module = LinearSpatialReductionAttention(32, 4)
    assert module(tokens((3, 5)), (3, 5)).shape == (2, 15, 32)
    assert counted(module, (3, 5)) - counted(module, (3, 4)) == 3 * (2 * 32**2 + 2 * 49 * 32)


def test_lsa_is_window_attention_without_bias_and_shift() -> None:
    lsa, window = (
        LocallyGroupedAttention(32, 4, window_size=4),
        WindowAttention(32, 4, window_size=4, rel_pos=False),
    )
    window.load_state_dict(lsa.state_dict())
    x = tokens((8, 12))
    torch.testing.assert_close(lsa(x, (8, 12)), window(x, (8, 12)))


def test_lsa_refuses_a_grid_that_its_window_does_not_divide() -> None:
    module = LocallyGroupedAttention(32, 4, window_size=4)
    message = r"^window_size 4 does not divide the 8 × 10 grid$"
    with pytest.raises(ValueError, match=message):
        module(tokens((8, 10)), (8, 10))


def test_t_msa_is_lsa_and_then_gsa() -> None:
    pair = TwinsAttention(32, 4, window_size=4, sr_ratio=2)
    lsa, gsa = LocallyGroupedAttention(32, 4, window_size=4), GlobalSubSampledAttention(32, 4, sr_ratio=2)
    state = pair.state_dict()
    lsa.load_state_dict({key[4:]: value for key, value in state.items() if key.startswith("lsa.")})
    gsa.load_state_dict({key[4:]: value for key, value in state.items() if key.startswith("gsa.")})
    x, size = tokens((8, 12)), (8, 12)
    assert torch.equal(pair(x, size), gsa(lsa(x, size), size))


def test_t_msa_passes_its_options_to_both() -> None:
    pair = TwinsAttention(32, 4, qkv_bias=False, attn_drop=0.1, proj_drop=0.2, kernel="sdpa")
    assert pair.lsa.qkv.bias is None
    assert pair.gsa.q.bias is None
    for part in (pair.lsa, pair.gsa):
        assert (part.attn_drop, part.proj_drop.p, part.kernel) == (0.1, 0.2, "sdpa")
