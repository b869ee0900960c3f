"""Vision Permutator: mixing along the height, along the width and along channels, weighted by a gate.

Paper: Hou et al., "Vision Permutator: A Permutable MLP-Like Architecture for Visual Recognition", TPAMI 2022,
    arXiv:2106.12368.
Reference: houqb/VisionPermutator @ 2cab2ce, models/vip.py, WeightedPermuteMLP.
Differs: mlp_h and mlp_w are as wide as H and W segments are, so that any grid does; the authors' are as wide
    as the channels, which is the same where segment_dim, H and W are equal, and an error where they are not.
Names: segment_dim is the number of segments of the channels; segment, the paper's S, the channels of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._grid import check_grid, tokens_of
from benchsuite.mixers._layers import MLP, dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments


class WeightedPermuteMLP(nn.Module):
    """Mix (B, H, W, dim) maps into (B, H, W, dim).

    Along the height, the H tokens of a column mix with all channels of a segment; along the width likewise.

    MACs: NCS(H + W) + 2NC² + 4C⌊C/4⌋, S channels in a segment.

    Args:
        dim, proj_drop: as for `MSA`.
        grid: height and width of the grid, which the weights are made for.
        segment_dim: number of segments that the channels are cut into.
        qkv_bias: of the three branches' layers.

    Raises:
        ValueError: segment_dim does not divide dim; in `forward`, another grid than `grid`.
    """

    layout: ClassVar[Layout] = "NHWC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("sparse", ("positions",), "static")

    def __init__(
        self,
        dim: int,
        *,
        grid: tuple[int, int] = (14, 14),
        segment_dim: int = 8,
        qkv_bias: bool = False,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        if segment_dim < 1 or dim % segment_dim:
            raise ValueError(f"segment_dim {segment_dim} does not divide dim {dim}")
        tokens_of(grid)
        self.dim = dim
        self.grid = (grid[0], grid[1])
        self.segment_dim = segment_dim
        self.segment = dim // segment_dim
        along_h, along_w = grid[0] * self.segment, grid[1] * self.segment
        self.mlp_c = nn.Linear(dim, dim, bias=qkv_bias)
        self.mlp_h = nn.Linear(along_h, along_h, bias=qkv_bias)
        self.mlp_w = nn.Linear(along_w, along_w, bias=qkv_bias)
        self.reweight = MLP(dim, hidden_dim=dim // 4, out_dim=3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, _ = x.shape
        check_grid((height, width), self.grid, "vip")
        segments, segment = self.segment_dim, self.segment
        parts = x.reshape(batch, height, width, segments, segment)
        h = parts.permute(0, 3, 2, 1, 4)  # B, segments, W, H, segment
        h = self.mlp_h(h.flatten(3)).reshape(h.shape).permute(0, 3, 2, 1, 4).reshape(x.shape)
        w = parts.permute(0, 1, 3, 2, 4)  # B, H, segments, W, segment
        w = self.mlp_w(w.flatten(3)).reshape(w.shape).permute(0, 1, 3, 2, 4).reshape(x.shape)
        c = self.mlp_c(x)
        summary = (h + w + c).mean(dim=(1, 2))  # B, dim
        # The branch is the fastest of the axes: B, 1, 1, dim, 3.
        gate = self.reweight(summary).reshape(batch, 1, 1, self.dim, 3)
        of_h, of_w, of_c = gate.permute(4, 0, 1, 2, 3).softmax(dim=0)
        out: Tensor = self.proj_drop(self.proj(h * of_h + w * of_w + c * of_c))
        return out


_named = arguments(*SHARED_ARGUMENTS, "segment_dim", defaults={"segment_dim": 8}, only={"qk_scale": None})


def _arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """The grid is square and as wide as there are segments: else the authors' shapes do not fit."""
    ours = _named(authors)
    ours.pop("attn_drop", None)  # which the authors take and do not use
    return ours | {"grid": (ours["segment_dim"], ours["segment_dim"])}


PORTS = {"vip_permute_mlp": Port(mixer="vip", arguments=_arguments)}
