"""Separable self-attention, token by token, on maps and on the authors' arrays of patches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.mobilevit import PORTS, SeparableSelfAttention


def map_of(dim: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, dim, 4, 6, generator=generator, dtype=torch.float64)


def build(**options: int) -> SeparableSelfAttention:
    torch.manual_seed(0)
    module = SeparableSelfAttention(3, **options).double().eval()
    torch.nn.init.normal_(module.qkv_proj.weight)
    return module


@torch.no_grad()
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_values_are_gated_by_the_weighted_sum_of_keys_of_the_same_place(patch: int, bias: bool) -> None:
    module, x = build(patch_size=patch, bias=bias), map_of()
    weight = module.qkv_proj.weight[:, :, 0, 0]
    offset = module.qkv_proj.bias if bias else torch.zeros(7)
    expected = torch.empty_like(x)
    for i in range(4):
        for j in range(6):
            group = [(y, z) for y in range(i % patch, 4, patch) for z in range(j % patch, 6, patch)]
            score, context = torch.zeros(2, 1, dtype=torch.float64), torch.zeros(2, 3, dtype=torch.float64)
            for y, z in group:
                qkv = x[:, :, y, z] @ weight.t() + offset  # 1 query, 3 keys, 3 values
                score += qkv[:, :1].exp()
                context += qkv[:, :1].exp() * qkv[:, 1:4]
            value = (x[:, :, i, j] @ weight.t() + offset)[:, 4:].clamp(min=0)
            gated = value * context / score
            expected[:, :, i, j] = gated @ module.out_proj.weight[:, :, 0, 0].t()
            if bias:
                expected[:, :, i, j] += module.out_proj.bias
    torch.testing.assert_close(module(x), expected)


def test_with_gradients_the_result_is_the_same_and_goes_back_through_all() -> None:
    """Without them products are in place."""
    module, x = build(), map_of()
    with torch.no_grad():
        expected = module(x)
    torch.testing.assert_close(module(x), expected)
    assert torch.autograd.gradcheck(module, x[:1, :, :, :4].requires_grad_())


def test_tokens_mix_with_the_same_place_of_other_patches_only() -> None:
    module, x = build(), map_of()
    other = x.clone()
    other[:, :, 1, 2] += 1
    changed = (module(other) != module(x)).any(dim=1).any(dim=0)
    assert changed[1::2, ::2].all()
    assert int(changed.sum()) == 6


def test_the_authors_array_of_patches_is_a_map_cut_up() -> None:
    """(B, C, P, N): unfolding the map as they do, mixing, and folding it back is our forward."""
    module, x = build(), map_of()
    patches = x.reshape(2, 3, 2, 2, 3, 2).permute(0, 1, 3, 5, 2, 4).reshape(2, 3, 4, 6)
    run = PORTS["separable_self_attention"].run
    assert run is not None
    folded = (
        run(module, patches, (4, 6)).reshape(2, 3, 2, 2, 2, 3).permute(0, 1, 4, 2, 5, 3).reshape(2, 3, 4, 6)
    )
    torch.testing.assert_close(module(x), folded)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^patch_size 0 is not positive$"):
        build(patch_size=0)
    message = r"^patches of 4 × 4 do not tile the 4 × 6 grid; patch_size must divide both sides$"
    with pytest.raises(ValueError, match=message):
        build(patch_size=4)(map_of())
