"""Focal window attention: a window sees itself, its neighbourhood, and pooled windows further away.

Paper: Yang et al., "Focal Self-attention for Local-Global Interactions in Vision Transformers", NeurIPS 2021,
    arXiv:2107.00641.
Reference: microsoft/Focal-Transformer @ 57bb303, classification/focal_transformer.py, the attention path of
    FocalTransformerBlock and WindowAttention.
Differs: one gather collects all keys of a window, where the authors roll the map four times and unfold the
    pooled ones; where the grid is no larger than the window, the authors change the options at construction,
    which is left to the caller here.
Names: window_size is the paper's s_p; expand_size, the authors' for (s_r − s_p) / 2 of the finest level;
    focal_level, the paper's L; focal_window, s_r of the pooled levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend
from benchsuite.mixers._checks import check_kernel, check_one_of, check_positive, head_dim_of
from benchsuite.mixers._focal_keys import (
    key_mask,
    key_tokens,
    neighbor_count,
    pooled_size,
    pooled_span,
    span_bias_index,
)
from benchsuite.mixers._grid import padded_size
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import Port, arguments, renamed
from benchsuite.mixers._windows import (
    cut_heads,
    look_up,
    merge,
    on_shifted_grid,
    partition,
    relative_position_index,
)

Size = tuple[int, int]

POOL_METHODS = ("none", "fc", "conv", "mean", "max")


class FocalAttention(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim).

    The grid is padded with zeros to whole windows, which are not masked. Neighbours wrap around its border,
    unmasked, as the authors' do; each of the four corners they lie in counts the tokens where two meet.

    MACs: 4NC² + 2NKC, N of the padded grid and K the keys of a window: own, neighbours, those of levels.

        A level of P sub-windows of g × g tokens adds 3PC², and Pg²C if pooling is learned.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        window_size: side of a window.
        shift_size: tokens by which the grid is rolled before it is cut; masked among a window's own only.
        expand_size: steps that the neighbourhood reaches over the window on each side; 0 for none.
        focal_level: 1 for window and neighbourhood, and 1 more for each pooled level; level l pools
            2^(l − 1) × 2^(l − 1) sub-windows of each window.
        focal_window: odd; windows of the coarsest kind that a pooled level sees along an axis.
        pool_method: "fc" learns weights of a sub-window's tokens, "conv" those for each channel; "mean";
            "max"; "none" leaves all pooled levels out.

    Raises:
        ValueError: num_heads does not divide dim; window_size is not positive; shift_size or expand_size is
            not in [0, window_size); focal_level is not positive, or a level pools nothing; focal_window is
            even; pool_method or the kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int = 7,
        shift_size: int = 0,
        expand_size: int = 3,
        focal_level: int = 2,
        focal_window: int = 5,
        pool_method: str = "fc",
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.window_size = check_positive("window_size", window_size)
        for name, value in (("shift_size", shift_size), ("expand_size", expand_size)):
            if not 0 <= value < window_size:
                raise ValueError(f"{name} {value} is not between 0 and window_size {window_size} - 1")
        check_positive("focal_level", focal_level)
        check_one_of("pool_method", pool_method, POOL_METHODS)
        if focal_window < 1 or focal_window % 2 == 0:
            raise ValueError(f"focal_window {focal_window} is not odd")
        self.levels = 0 if pool_method == "none" else focal_level - 1
        if self.levels and window_size < 2 ** (self.levels - 1):
            raise ValueError(f"window_size {window_size} is too small for focal_level {focal_level}")
        self.shift_size = shift_size
        self.expand_size = expand_size
        self.focal_window = focal_window
        self.pool_method = pool_method
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "focal")
        # Side of a sub-window and of the square of them that a window sees, level by level.
        self.sides = [window_size // 2**level for level in range(self.levels)]
        self.spans = [pooled_span(focal_window, level) for level in range(self.levels)]
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)
        self.pool_layers = nn.ModuleList(self._pool_layer(side) for side in self.sides)
        self._make_tables()
        self._made_for: tuple[object, ...] | None = None
        self._fixed: tuple[Tensor, Tensor] | None = None
        self._indices: list[Tensor] = []

    def _pool_layer(self, side: int) -> nn.Module:
        if self.pool_method == "fc":
            layer = nn.Linear(side**2, 1)
            nn.init.constant_(layer.weight, 1 / side**2)
            nn.init.zeros_(layer.bias)
            return layer
        if self.pool_method == "conv":
            return nn.Conv2d(self.dim, self.dim, side, stride=side, groups=self.dim)
        return nn.AvgPool2d(side) if self.pool_method == "mean" else nn.MaxPool2d(side)

    def _make_tables(self) -> None:
        """Biases of a window's own tokens, of its neighbours, and of each level's sub-windows."""
        window, heads = self.window_size, self.num_heads

        def table(*shape: int) -> nn.Parameter:
            return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=0.02))

        self.relative_position_bias_table = table((2 * window - 1) ** 2, heads)
        if self.expand_size:
            neighbors = neighbor_count(window, self.expand_size)
            self.relative_position_bias_table_to_neighbors = table(1, heads, window**2, neighbors)
        self.relative_position_bias_table_to_windows = nn.ParameterList(
            table(heads, (window + span - 1) ** 2) for span in self.spans
        )

    def forward(self, x: Tensor, size: Size) -> Tensor:
        grid = padded_size(size, self.window_size)
        return on_shifted_grid(lambda x: self._mix(x, grid), x, size, grid, self.shift_size)

    def _mix(self, x: Tensor, grid: Size) -> Tensor:
        """Mix a (B, H, W, dim) map that is padded and rolled."""
        key, mask = self._prepare(grid, x)
        batch, windows, window = x.shape[0], key.shape[0], self.window_size
        q, kv = self.qkv(x).split((self.dim, 2 * self.dim), dim=-1)
        q = cut_heads(torch.unflatten(q, -1, (1, self.num_heads, self.head_dim)), grid, window)[0]
        kv = self._all_tokens(x, kv, grid).index_select(1, key.flatten())
        kv = kv.reshape(batch, windows, -1, 2, self.num_heads, self.head_dim)
        x = self._attend(q, kv.permute(3, 0, 1, 4, 2, 5), self._bias() + mask)
        out: Tensor = self.proj_drop(self.proj(merge(x.transpose(2, 3), grid, window)))
        return out

    def _all_tokens(self, x: Tensor, kv: Tensor, grid: Size) -> Tensor:
        """Keys and values that windows choose from, (B, tokens, 2 × dim): map, pooled maps, one of zeros."""
        kv = kv.flatten(1, 2)
        if not self.levels:
            return kv
        pooled = [self._pool(x, grid, level) for level in range(self.levels)]
        # The authors compute queries of pooled tokens too, which nothing uses; their counts include them.
        coarse = self.qkv(torch.cat(pooled, dim=1))[..., self.dim :]
        return torch.cat((kv, coarse, kv.new_zeros(kv.shape[0], 1, kv.shape[2])), dim=1)

    def _pool(self, x: Tensor, grid: Size, level: int) -> Tensor:
        """(B, H, W, dim) → (B, sub-windows, dim). What sub-windows leave over is cut at both ends."""
        side, layer = self.sides[level], self.pool_layers[level]
        fitted = pooled_size(grid, self.window_size, level)
        height, width = fitted[0] * side, fitted[1] * side
        top, left = (grid[0] - height) // 2, (grid[1] - width) // 2
        x = x[:, top : top + height, left : left + width]
        if isinstance(layer, nn.Linear):
            pooled = layer.weight @ partition(x, (height, width), side) + layer.bias
            return pooled.squeeze(2)
        maps: Tensor = layer(x.permute(0, 3, 1, 2))
        return maps.flatten(2).transpose(1, 2)

    def _attend(self, q: Tensor, kv: Tensor, bias: Tensor) -> Tensor:
        """(B, windows, heads, window², head_dim).

        Args:
            q: (B, windows, heads, window², head_dim); kv: (2, B, windows, heads, keys, head_dim).
            bias: (windows, heads, window², keys).
        """
        shape, (k, v) = q.shape, kv.unbind(0)
        if self.kernel != "math":
            # Fused kernels take four axes. Windows join the heads, as a bias must not be repeated an image.
            q, k, v = (t.flatten(1, 2) for t in (q, k, v))
            bias = bias.flatten(0, 1)[None]
        dropout = self.attn_drop if self.training else 0.0
        out = attend(q, k, v, kernel=self.kernel, bias=bias, dropout=dropout, scale_q=True)
        return out.reshape(shape)

    def _bias(self) -> Tensor:
        """Position bias of the logits: (heads, window², keys)."""
        parts = [look_up(self.relative_position_bias_table.t(), self._indices[0])[0]]
        if self.expand_size:
            parts.append(self.relative_position_bias_table_to_neighbors[0])
        for table, index in zip(self.relative_position_bias_table_to_windows, self._indices[1:], strict=True):
            parts.append(look_up(table, index)[0])
        return torch.cat(parts, dim=-1)

    def _prepare(self, grid: Size, x: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and mask of the keys of each window; made once for a grid, device and dtype.

        They are plain attributes and not buffers, so that a module from "meta" makes them where it runs.
        """
        made_for = (grid, x.device, x.dtype)
        if made_for != self._made_for or self._fixed is None:
            window = self.window_size
            with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
                tokens = key_tokens(grid, window, self.expand_size, self.focal_window, self.levels, x.device)
                mask = key_mask(tokens, grid, window, self.shift_size, self._sources(grid), x)
                self._indices = [
                    relative_position_index(window, window, x.device),
                    *(span_bias_index(window, span, x.device) for span in self.spans),
                ]
            self._fixed = (tokens, mask)
            self._made_for = made_for
        return self._fixed

    def _sources(self, grid: Size) -> int:
        """Tokens of the map and of all pooled maps."""
        height, width = grid
        pooled = (pooled_size(grid, self.window_size, level) for level in range(self.levels))
        return height * width + sum(rows * columns for rows, columns in pooled)


_ARGUMENTS = arguments(
    "dim num_heads window_size shift_size expand_size focal_level focal_window pool_method",
    "qkv_bias attn_drop",
    renamed={"drop": "proj_drop"},
    defaults={"window_size": 7, "expand_size": 0, "focal_level": 1, "focal_window": 1, "pool_method": "none"},
    only={"qk_scale": None},
    ignored=("input_resolution", "mlp_ratio", "drop_path", "use_layerscale", "layerscale_value"),
)


def _focal_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """One window covers a small grid, without neighbours and shift."""
    ours = _ARGUMENTS(authors)
    shortest = min(authors["input_resolution"])
    if shortest <= ours["window_size"]:
        ours |= {"window_size": shortest, "expand_size": 0, "shift_size": 0}
    return ours


PORTS = {
    "focal": Port(
        mixer="focal",
        arguments=_focal_arguments,
        state=renamed(
            (r"attn\.", ""), drop=(r"attn_mask$", r"attn\.relative_position_index", r"attn\.valid_ind")
        ),
    ),
}
