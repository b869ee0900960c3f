"""Separable self-attention: one score for each token, one context vector for all, and a gate by the values.

Paper: Mehta and Rastegari, "Separable Self-attention for Mobile Vision Transformers", TMLR 2023,
    arXiv:2206.02680 (MobileViTv2).
Reference: timm @ aa4b585, timm/models/mobilevit.py, LinearSelfAttention, and the unfolding around it in
    MobileVitV2Block.
Differs: takes a map and not the (B, C, P, N) array of its patches; a grid that patches do not tile raises,
    where the authors resize it.
Names: query, key and value are the branches that the paper calls input I, K and V; the context vector is c_v.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_positive
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import Port, arguments


class SeparableSelfAttention(nn.Module):
    """Mix (B, dim, H, W) maps into (B, dim, H, W).

    Tokens mix with those at the same place of the other patches, so patch_size² times fewer than there are.

    MACs: NC(2C + 1) + NC + NC²: projections, the weighted sum of keys, projection.

    Args:
        dim, proj_drop: as for `MSA`.
        patch_size: side of a patch; with 1, every token mixes with all.
        attn_drop: of the scores.
        bias: of both projections.

    Raises:
        ValueError: patch_size is not positive; in `forward`, patches do not tile the grid.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("low rank", ("channels",), "dynamic per image")

    def __init__(
        self,
        dim: int,
        *,
        patch_size: int = 2,
        bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        check_positive("patch_size", patch_size)
        self.dim = dim
        self.patch_size = patch_size
        self.qkv_proj = nn.Conv2d(dim, 1 + 2 * dim, kernel_size=1, bias=bias)
        self.attn_drop = dropout(attn_drop)
        self.out_proj = nn.Conv2d(dim, dim, kernel_size=1, bias=bias)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x, (self.patch_size, self.patch_size))

    def mix(self, x: Tensor, patch: tuple[int, int]) -> Tensor:
        """`forward` with patches of any height and width.

        An array (B, C, P, N) of N patches of P pixels is a map whose patches are (P, 1).
        """
        batch, _, height, width = x.shape
        self._check((height, width), patch)
        rows, columns = height // patch[0], width // patch[1]
        # Pixels before patches, so that the sums over patches run along memory: B, dim, pixels, patches.
        x = x.reshape(batch, self.dim, rows, patch[0], columns, patch[1]).permute(0, 1, 3, 5, 2, 4)
        x = x.reshape(batch, self.dim, patch[0] * patch[1], rows * columns)
        query, key, value = self.qkv_proj(x).split([1, self.dim, self.dim], dim=1)
        times = Tensor.mul if torch.is_grad_enabled() else Tensor.mul_  # in place unless it is needed again
        context = times(key, self.attn_drop(query.softmax(dim=-1))).sum(dim=-1, keepdim=True)
        x = self.proj_drop(self.out_proj(times(F.relu(value), context)))
        x = x.reshape(batch, self.dim, *patch, rows, columns).permute(0, 1, 4, 2, 5, 3)
        return x.reshape(batch, self.dim, height, width)

    def _check(self, size: tuple[int, int], patch: tuple[int, int]) -> None:
        if size[0] % patch[0] or size[1] % patch[1]:
            raise ValueError(
                f"patches of {patch[0]} × {patch[1]} do not tile the {size[0]} × {size[1]} grid; "
                f"patch_size must divide both sides"
            )


def _run_on_patches(module: nn.Module, x: Tensor, size: tuple[int, int]) -> Tensor:
    assert isinstance(module, SeparableSelfAttention)
    return module.mix(x, (size[0], 1))


PORTS = {
    "separable_self_attention": Port(
        mixer="separable",
        arguments=arguments("attn_drop proj_drop bias", renamed={"embed_dim": "dim"}),
        run=_run_on_patches,
    ),
}
