"""CoAtNet's relative attention: every position attends to every other, with a learned bias of their offset.

Paper: Dai et al., "CoAtNet: Marrying Convolution and Attention for All Data Sizes", NeurIPS 2021,
    arXiv:2106.04803.
Reference: huggingface/pytorch-image-models @ aa4b585, timm/models/maxxvit.py, Attention2d with RelPosBiasTf.
Names: rel_pos is the paper's w_{i−j}, kept as a map for each head over key − query.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend_maps
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import Port, arguments, renamed
from benchsuite.mixers._timm import check_grid
from benchsuite.mixers._windows import RelativePositionBias


class CoAtNetAttention(nn.Module):
    """Mix a (B, dim, H, W) map into (B, dim, H, W). The bias is that of one grid.

    MACs: 4NC² + 2N²C, as for MSA.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        grid: H and W of the maps.
        rel_pos: "bias_tf", "bias" or None, as for MaxViT's `BlockAttention`.
        head_first: as for MaxViT's `BlockAttention`.
        proj_bias: whether the projection has a bias.

    Raises:
        ValueError: num_heads does not divide dim, rel_pos or the kernel is unknown; in `forward`, there is a
            bias and the map is not of this grid.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("dense", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        grid: tuple[int, int] = (14, 14),
        rel_pos: str | None = "bias_tf",
        head_first: bool = False,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.grid = grid
        self.head_first = head_first
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "coatnet_attention")
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=qkv_bias)
        self.rel_pos = None if rel_pos is None else RelativePositionBias(grid, num_heads, kind=rel_pos)
        self.proj = nn.Conv2d(dim, dim, 1, bias=proj_bias)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2], x.shape[3])
        self._check(size)
        qkv = self.qkv(x).flatten(2)
        if self.head_first:
            q, k, v = qkv.unflatten(1, (self.num_heads, 3, self.head_dim)).unbind(2)
        else:
            q, k, v = qkv.unflatten(1, (3, self.num_heads, self.head_dim)).unbind(1)
        bias = None if self.rel_pos is None else self.rel_pos()
        dropout = self.attn_drop if self.training else 0.0
        x = attend_maps(q, k, v, kernel=self.kernel, bias=bias, dropout=dropout)
        out: Tensor = self.proj_drop(self.proj(torch.unflatten(x, -1, size)))
        return out

    def _check(self, size: tuple[int, int]) -> None:
        if self.rel_pos is not None:
            check_grid(self.grid, size, "coatnet_attention")


_ARGUMENTS = arguments(
    "dim head_first attn_drop proj_drop",
    renamed={"dim_head": "head_dim", "bias": "qkv_bias", "rel_pos": "rel_pos", "window_size": "grid"},
    defaults={"head_dim": 32, "head_first": True, "rel_pos": None},
    only={"expand_first": True},
)
_REL_POS = {None: None, "RelPosBias": "bias", "RelPosBiasTf": "bias_tf"}


def _arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    ours = _ARGUMENTS(authors)
    if ours["rel_pos"] not in _REL_POS:
        raise ValueError(
            f"rel_pos={ours['rel_pos']!r} is not supported; only RelPosBias and RelPosBiasTf are"
        )
    ours["rel_pos"] = _REL_POS[ours["rel_pos"]]
    ours["num_heads"] = ours["dim"] // ours.pop("head_dim")
    ours["proj_bias"] = ours.get("qkv_bias", True)
    if "grid" in ours:
        ours["grid"] = tuple(ours["grid"])
    return ours


PORTS = {
    "coatnet_attention": Port(
        mixer="coatnet_attention",
        arguments=_arguments,
        state=renamed(drop=(r"rel_pos\.relative_position_index$",)),
    ),
}
