"""QuadTree attention: attention at the coarsest level, then, level by level, in the best regions only.

Paper: Tang et al., "QuadTree Attention for Vision Transformers", ICLR 2022, arXiv:2201.02767.
Reference: Tangshitao/QuadTreeAttention @ 549a1ef, classification/quadtree_attention.py, QuadtreeAttention,
    and QuadTreeAttention/QuadtreeAttention/modules/quadtree_attention.py, QTAttA and QTAttB. Their CUDA
    operators gather and multiply; here one row of a gather is the four children of a token.
Differs: tokens are put in the order of the tree before they are projected, so that the children of a token
    are neighbours; runs in the precision of its input, where the authors turn to float32.
Names: levels is the authors' sr_ratio; topk, the paper's K; variant, their QuadTree-A and QuadTree-B; lepe,
    their get_vs; level_weight, their py_att.weight; value_branches, their value_branchs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_kernel, check_one_of, head_dim_of
from benchsuite.mixers._grid import as_map
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import Port, arguments, renamed

Size = tuple[int, int]

VARIANTS = ("A", "B")


class QuadTreeAttention(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim).

    Level 0 is the coarsest here. Each of its tokens attends to all; each token of a finer level attends to
    the 4 × topk children of what its parent scored highest. The messages of all levels are added.

    Variant A: keys and values are averages. Softmax is over the four children of one region, times the score
    of the region, which is not normalised again. All levels but the finest leave the topk scores out of their
    message, as the next level refines them; level 0 does so even where it is the only one.
    Variant B: values pass through convolutions from level to level. Softmax is over all 4 × topk children,
    all count in the message, a depth-wise convolution of the values is added (LePE), and levels are weighted.

    The choice of regions is not differentiable; the output is, but for the places where it changes.

    MACs: 4NC² + 2N₀²C + Σ 8kN_l C over the finer levels, k = topk, N₀ tokens at level 0.

        Variant B adds 9N_l C for each level and 5N_l C² for each but the finest.

    Args:
        dim, num_heads, qkv_bias, proj_drop, kernel: as for `MSA`.
        variant: "A" or "B", as above.
        levels: of the pyramid, the grid itself included.
        topk: regions that the children of a token look into.

    Raises:
        ValueError: num_heads does not divide dim, levels or topk is not positive, variant or the kernel is
            unknown; in `forward`, 2^(levels − 1) does not divide the grid, or its coarsest level has fewer
            than topk tokens.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("sparse", ("heads",), "dynamic per position")
    routes: ClassVar[bool] = True

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        variant: str = "B",
        levels: int = 2,
        topk: int = 8,
        qkv_bias: bool = True,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        check_one_of("variant", variant, VARIANTS)
        if levels < 1 or topk < 1:
            raise ValueError(f"levels {levels} and topk {topk} must be positive")
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.variant = variant
        self.levels = levels
        self.topk = topk
        self.kernel = check_kernel(kernel, self.kernels, "quadtree")
        self.q_proj, self.k_proj, self.v_proj = (nn.Conv2d(dim, dim, 1, bias=qkv_bias) for _ in range(3))
        if variant == "B":
            self.value_branches = nn.ModuleList(_value_branch(dim) for _ in range(levels - 1))
            self.lepe = nn.ModuleList(nn.Conv2d(dim, dim, 3, padding=1, groups=dim) for _ in range(levels))
            self.level_weight = nn.Parameter(torch.randn(levels))
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        coarsest = self._coarsest(size)
        x = as_map(x, size)
        if self.variant == "A":
            q, k, v = self._levels(x, coarsest, self.q_proj, self.k_proj, self.v_proj)
            x = self._messages_a(q, k, v)
        else:
            q, k = self._levels(x, coarsest, self.q_proj, self.k_proj)
            x = self._messages_b(q, k, *self._values(x, coarsest))
        out: Tensor = self.proj_drop(self.proj(self._in_grid_order(x, coarsest)))
        return out

    def _levels(self, x: Tensor, coarsest: Size, *projections: nn.Conv2d) -> list[list[Tensor]]:
        """For each projection of the map, its averages on every level, in the order of the tree."""
        tokens = self._in_tree_order(x, coarsest, self.levels - 1, 1).squeeze(1)  # B, N, dim
        return [self._averages(self._projected(tokens, proj)) for proj in projections]

    def _in_tree_order(self, x: Tensor, coarsest: Size, level: int, num_heads: int | None = None) -> Tensor:
        """A (B, dim, H, W) map of a level → (B, heads, N, head_dim), the children of p at 4p, …, 4p + 3.

        Tokens of the coarsest level, and children of a token, are in row-major order.
        """
        twos, heads = (2,) * level, self.num_heads if num_heads is None else num_heads
        x = x.reshape(x.shape[0], heads, -1, coarsest[0], *twos, coarsest[1], *twos)
        pairs = (axis for step in range(1 + level) for axis in (3 + step, 4 + level + step))
        return x.permute(0, 1, *pairs, 2).reshape(x.shape[0], heads, -1, self.dim // heads)

    def _in_grid_order(self, x: Tensor, coarsest: Size) -> Tensor:
        """The inverse of `_in_tree_order` for the finest level, to (B, N, dim) tokens in row-major order."""
        twos = (2, 2) * (self.levels - 1)
        x = x.reshape(x.shape[0], self.num_heads, *coarsest, *twos, self.head_dim)
        rows, columns = range(2, 2 + 2 * self.levels, 2), range(3, 3 + 2 * self.levels, 2)
        return x.permute(0, *rows, *columns, 1, x.ndim - 1).reshape(x.shape[0], -1, self.dim)

    def _projected(self, tokens: Tensor, proj: nn.Conv2d) -> Tensor:
        """(B, N, dim) tokens by a 1 × 1 convolution, which keeps their order: (B, heads, N, head_dim)."""
        x = F.linear(tokens, proj.weight.flatten(1), proj.bias)
        return torch.unflatten(x, 2, (self.num_heads, self.head_dim)).transpose(1, 2).contiguous()

    def _averages(self, x: Tensor) -> list[Tensor]:
        """All levels of tokens in the order of the tree, coarsest first."""
        levels = [x]
        for _ in range(self.levels - 1):
            levels.insert(0, _by_parent(levels[0]).mean(dim=3))
        return levels

    def _messages_a(self, queries: list[Tensor], keys: list[Tensor], values: list[Tensor]) -> Tensor:
        attn = self._coarse_logits(queries[0], keys[0]).softmax(dim=-1)
        score, region = attn.topk(self.topk)
        message = attn.scatter(-1, region, 0.0) @ values[0]
        for level in range(1, self.levels):
            logits = self._fine_logits(queries[level], keys[level], region)
            attn = (
                logits.view(*logits.shape[:-1], self.topk, 4).softmax(dim=-1) * score[:, :, :, None, :, None]
            )
            attn = attn.flatten(-2)  # B, heads, parents, 4 queries, topk × 4 children
            children = self._children(values[level], region)
            weights = attn
            if level < self.levels - 1:
                score, best = attn.topk(self.topk)
                weights, score = attn.scatter(-1, best, 0.0), score.flatten(2, 3)
                region = self._refined(region, best)
            message = (message[:, :, :, None] + weights @ children).flatten(2, 3)
        return message

    def _values(self, x: Tensor, coarsest: Size) -> tuple[list[Tensor], list[Tensor]]:
        """Variant B's values of all levels, coarsest first, and what LePE's convolutions make of them."""
        values: list[Tensor] = []
        positions: list[Tensor] = []
        x = self.v_proj(x)
        for level in reversed(range(self.levels)):
            values.insert(0, self._in_tree_order(x, coarsest, level))
            positions.insert(0, self._in_tree_order(self.lepe[level](x), coarsest, level))
            if level:
                x = self.value_branches[self.levels - 1 - level](x)
        return values, positions

    def _messages_b(
        self, queries: list[Tensor], keys: list[Tensor], values: list[Tensor], positions: list[Tensor]
    ) -> Tensor:
        share = self.level_weight.softmax(dim=0)
        attn = self._coarse_logits(queries[0], keys[0]).softmax(dim=-1)
        message = (attn @ values[0] + positions[0]) * share[0]
        region: Tensor | None = None
        for level in range(1, self.levels):
            best = attn.topk(self.topk).indices
            region = best if region is None else self._refined(region, best)
            attn = self._fine_logits(queries[level], keys[level], region).softmax(dim=-1)
            fine = attn @ self._children(values[level], region) + _by_parent(positions[level])
            message = (message[:, :, :, None] + fine * share[level]).flatten(2, 3)
        return message

    def _coarse_logits(self, q: Tensor, k: Tensor) -> Tensor:
        """(B, heads, M, M) for the M tokens of the coarsest level."""
        logits: Tensor = (q @ k.transpose(-2, -1)) * self.head_dim**-0.5
        return logits

    def _fine_logits(self, q: Tensor, k: Tensor, region: Tensor) -> Tensor:
        """(B, heads, P, 4, topk × 4): the children of each of P tokens against those of its regions."""
        # In this order, as the gradient of the many keys is then made as it is needed, and not transposed.
        logits = self._children(k, region) @ _by_parent(q).transpose(-2, -1)
        scaled: Tensor = logits.transpose(-2, -1) * self.head_dim**-0.5
        return scaled

    def _children(self, x: Tensor, region: Tensor) -> Tensor:
        """The children of the regions of each of P parents.

        Args:
            x: (B, heads, 4P, head_dim), in the order of the tree.
            region: (B, heads, P, topk), tokens of the parents' level.

        Returns:
            (B, heads, P, topk × 4, head_dim), a region's children in the order of the tree.
        """
        batch, heads, parents, _ = region.shape
        first = torch.arange(batch * heads, device=region.device).view(batch, heads, 1, 1) * parents
        rows = x.reshape(batch * heads * parents, 4 * self.head_dim)
        picked = rows.index_select(0, (region + first).flatten())
        return picked.view(batch, heads, parents, -1, self.head_dim)

    def _refined(self, region: Tensor, best: Tensor) -> Tensor:
        """Regions for the next level.

        Args:
            region: (B, heads, P, topk), tokens of the parents' level.
            best: (B, heads, P, 4, topk), which of the topk × 4 children each child of P scored highest.

        Returns:
            (B, heads, 4P, topk), tokens of the children's level.
        """
        of_region = (best // 4).flatten(3)
        return region.gather(-1, of_region).reshape(best.shape).mul(4).add(best % 4).flatten(2, 3)

    def _coarsest(self, size: Size) -> Size:
        """Height and width of the coarsest level."""
        factor = 2 ** (self.levels - 1)
        height, width = size[0] // factor, size[1] // factor
        if (height * factor, width * factor) != tuple(size):
            raise ValueError(
                f"{self.levels} levels need a grid that {factor} divides, not {size[0]} × {size[1]}"
            )
        if height * width < self.topk:
            raise ValueError(
                f"topk {self.topk} is more than the {height} × {width} tokens of the coarsest level"
            )
        return height, width


def _by_parent(x: Tensor) -> Tensor:
    """(B, heads, 4P, head_dim), in the order of the tree, as (B, heads, P, 4, head_dim)."""
    return x.view(*x.shape[:2], -1, 4, x.shape[3])


def _value_branch(dim: int) -> nn.Sequential:
    """Values of one level → those of the next coarser."""
    return nn.Sequential(
        nn.GroupNorm(1, dim),
        nn.GELU(),
        nn.Conv2d(dim, dim, 2, stride=2),
        nn.GroupNorm(1, dim),
        nn.GELU(),
        nn.Conv2d(dim, dim, 1),
    )


_ARGUMENTS = arguments(
    "dim num_heads qkv_bias proj_drop",
    renamed={"sr_ratio": "levels", "attn_type": "variant"},
    defaults={"qkv_bias": False, "levels": 1, "variant": None},
    only={"qk_scale": None},
    ignored=("attn_drop",),  # which the authors take and do not use
)


def _quadtree_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """The authors take whatever is not "B" for A."""
    ours = _ARGUMENTS(authors)
    return ours | {"variant": "B" if ours["variant"] == "B" else "A"}


PORTS = {
    "quadtree_A": Port(mixer="quadtree", arguments=_quadtree_arguments),
    "quadtree_B": Port(
        mixer="quadtree",
        arguments=_quadtree_arguments,
        state=renamed(
            (r"py_att\.weight", "level_weight"),
            (r"py_att\.get_vs\.", "lepe."),
            (r"value_branchs\.", "value_branches."),
        ),
    ),
}
