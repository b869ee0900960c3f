"""Cascaded group attention, EfficientViT's (of MSRA): a head sees its channels and the last head's output.

Paper: Liu et al., "EfficientViT: Memory Efficient Vision Transformer with Cascaded Group Attention",
    CVPR 2023, arXiv:2305.07027.
Reference: timm @ aa4b585, timm/models/efficientvit_msra.py, CascadedGroupAttention.
Differs: H and W need not be equal; the last norm's weight is 1 at first and not 0; the values of a head are
    as wide as its share of the channels, without which nothing can cascade, so there is no attn_ratio.
Names: key_dim is the width of queries and keys; kernel_sizes, the authors' kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._grid import check_grid, tokens_of
from benchsuite.mixers._layers import ConvNorm
from benchsuite.mixers._port import Port, arguments, renamed


class CascadedGroupAttention(nn.Module):
    """Mix (B, dim, H, W) maps into (B, dim, H, W). Each head waits for the one before, whose output it takes.

    MACs: NC(2K + D) + NKΣk² + hN²(K + D) + NC²: K = key_dim, D = C / h, k the sides of the kernels.

    Args:
        dim, num_heads, kernel: as for `MSA`.
        grid: H and W that the bias for each distance between tokens is made for.
        key_dim: channels of a head's queries and keys.
        kernel_sizes: side of the depth-wise kernel on the queries, one for all heads or one for each.

    Raises:
        ValueError: num_heads does not divide dim, kernel_sizes are not as many as heads or not odd, or the
            kernel is unknown; in `forward`, another grid than `grid`.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("dense", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 4,
        *,
        grid: tuple[int, int] = (14, 14),
        key_dim: int = 16,
        kernel_sizes: int | Sequence[int] = 5,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.grid = (grid[0], grid[1])
        self.key_dim = key_dim
        self.kernel_sizes = _one_for_each(kernel_sizes, num_heads)
        self.kernel = check_kernel(kernel, self.kernels, "cascaded_group")
        self.attention_biases = nn.Parameter(torch.zeros(num_heads, tokens_of(grid)))
        self.qkvs = nn.ModuleList(
            ConvNorm(self.head_dim, 2 * key_dim + self.head_dim) for _ in range(num_heads)
        )
        self.dws = nn.ModuleList(
            ConvNorm(key_dim, key_dim, side, groups=key_dim) for side in self.kernel_sizes
        )
        self.proj = ConvNorm(dim, dim)
        self._made_for: torch.device | None = None
        self._index: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        check_grid((x.shape[2], x.shape[3]), self.grid, "cascaded_group")
        biases = self._biases(x.device)
        outputs: list[Tensor] = []
        for head, share in enumerate(x.chunk(self.num_heads, dim=1)):
            out = self._attend(head, share + outputs[-1] if outputs else share, biases[head])
            outputs.append(out)
        projected: Tensor = self.proj(F.relu(torch.cat(outputs, dim=1)))
        return projected

    def _attend(self, head: int, x: Tensor, bias: Tensor) -> Tensor:
        """One head: (B, head_dim, H, W) → (B, head_dim, H, W)."""
        q, k, v = self.qkvs[head](x).split([self.key_dim, self.key_dim, self.head_dim], dim=1)
        q, k, v = (
            t.flatten(2).transpose(1, 2)[:, None] for t in (self.dws[head](q), k, v)
        )  # B, 1, N, channels
        out = attend(q, k, v, kernel=self.kernel, bias=bias[None, None], scale_q=True)
        return out.transpose(2, 3).reshape(x.shape)

    def _biases(self, device: torch.device) -> Tensor:
        """(heads, N, N), from a table of distances."""
        if self._index is None or device != self._made_for:
            with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
                self._index = _distances(self.grid, device)
            self._made_for = device
        tokens = self.attention_biases.shape[1]
        return self.attention_biases.index_select(1, self._index).view(-1, tokens, tokens)


def _one_for_each(kernel_sizes: int | Sequence[int], num_heads: int) -> tuple[int, ...]:
    sizes = (kernel_sizes,) * num_heads if isinstance(kernel_sizes, int) else tuple(kernel_sizes)
    if len(sizes) != num_heads:
        raise ValueError(f"{len(sizes)} kernel_sizes for {num_heads} heads")
    even = [side for side in sizes if side < 1 or side % 2 == 0]
    if even:
        raise ValueError(f"kernel size {even[0]} is not odd, so the grid would not keep its size")
    return sizes


def _distances(grid: tuple[int, int], device: torch.device) -> Tensor:
    """Column of the bias table for each pair of tokens, |Δy| W + |Δx|: (N²,) integers."""
    height, width = grid
    y = torch.arange(height, device=device).repeat_interleave(width)
    x = torch.arange(width, device=device).repeat(height)
    away = (y[:, None] - y[None, :]).abs() * width + (x[:, None] - x[None, :]).abs()
    return away.flatten()


_named = arguments(
    "dim num_heads key_dim", renamed={"kernels": "kernel_sizes"}, ignored=("attn_ratio", "resolution")
)
_DEFAULTS: dict[str, Any] = {"num_heads": 8, "attn_ratio": 4, "resolution": 14, "kernels": (5, 5, 5, 5)}


def _arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    given = _DEFAULTS | dict(authors)
    ours = _named(given) | {"grid": (given["resolution"], given["resolution"])}
    values, share = int(given["attn_ratio"] * given["key_dim"]), given["dim"] // given["num_heads"]
    if values != share:
        raise ValueError(
            f"attn_ratio × key_dim is {values}, and must be the {share} channels of a head to cascade"
        )
    return ours


_rename = renamed(
    (r"(qkvs\.\d+|dws\.\d+)\.c(?:onv)?\.", r"\1.conv."),
    (r"(qkvs\.\d+|dws\.\d+)\.bn\.", r"\1.norm."),
    (r"proj\.1\.c(?:onv)?\.", "proj.conv."),
    (r"proj\.1\.bn\.", "proj.norm."),
    drop=(r"attention_bias_idxs$",),
)


PORTS = {"cascaded_group_attention": Port(mixer="cascaded_group", arguments=_arguments, state=_rename)}
