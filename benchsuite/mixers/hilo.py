"""HiLo attention: local windows for high frequencies, pooled keys and values for low ones.

Paper: Pan et al., "Fast Vision Transformers with HiLo Attention", NeurIPS 2022, arXiv:2205.13213.
Reference: ziplab/LITv2 @ 7501c86, hilo.py; pad=True is segmentation/mmseg/models/backbones/litv2.py.
Differs: attn_drop and proj_drop drop; the authors take both and use neither.
Names: window_size is the paper's s; alpha, the share of heads given to Lo-Fi; l_ and h_ are Lo-Fi and Hi-Fi.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend, split_heads
from benchsuite.mixers._checks import check_kernel, check_positive, head_dim_of
from benchsuite.mixers._grid import crop_grid, pad_grid, padded_size
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments
from benchsuite.mixers._windows import attend_in_windows, check_divides, cut_heads


class HiLo(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim).

    The output has the channels of Hi-Fi first, then those of Lo-Fi; no projection joins them. Lo-Fi gets
    int(num_heads × alpha) heads, truncated. With window_size 1 every head is Lo-Fi, without pooling: MSA.

    MACs: Hi-Fi 3NCC_h + 2Ns²C_h + NC_h², Lo-Fi NCC_l + 2MCC_l + 2NMC_l + NC_l², N of the padded grid.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        alpha: share of the heads that Lo-Fi gets, rounded down.
        window_size: side of Hi-Fi's windows and of Lo-Fi's pooling; 1 gives all heads to Lo-Fi.
        pad: pad the grid with zeros to multiples of the window, for both branches, and crop the output, as
            the dense-prediction backbones do. Padded tokens are not masked.

    Raises:
        ValueError: num_heads does not divide dim, alpha is not in [0, 1], or the kernel is unknown; in
            `forward`, pad is False and the window does not divide the grid. Lo-Fi alone (alpha 1) takes any
            grid that holds a window, and pools without its last odd rows and columns.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("low rank", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        alpha: float = 0.5,
        window_size: int = 2,
        pad: bool = False,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.head_dim = head_dim_of(dim, num_heads)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha {alpha} is not between 0 and 1")
        self.window_size = check_positive("window_size", window_size)
        self.pad = pad
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "hilo")
        self.l_heads = num_heads if window_size == 1 else int(num_heads * alpha)
        self.h_heads = num_heads - self.l_heads
        self.l_dim = self.l_heads * self.head_dim
        self.h_dim = self.h_heads * self.head_dim
        if self.h_heads:
            self.h_qkv = nn.Linear(dim, 3 * self.h_dim, bias=qkv_bias)
            self.h_proj = nn.Linear(self.h_dim, self.h_dim)
        if self.l_heads:
            self.l_q = nn.Linear(dim, self.l_dim, bias=qkv_bias)
            self.l_kv = nn.Linear(dim, 2 * self.l_dim, bias=qkv_bias)
            self.l_proj = nn.Linear(self.l_dim, self.l_dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        batch, tokens, _ = x.shape
        grid = self._grid(size)
        x = x.reshape(batch, *size, self.dim)
        x = pad_grid(x, size, grid)
        branches = []
        if self.h_heads:
            branches.append(self._hifi(x, grid))
        if self.l_heads:
            branches.append(self._lofi(x, grid))
        x = branches[0] if len(branches) == 1 else torch.cat(branches, dim=-1)
        if grid != size:
            x = crop_grid(x, size)
        out: Tensor = self.proj_drop(x.reshape(batch, tokens, self.dim))
        return out

    def _hifi(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        # Projected before it is cut: else a cut copy of the input is kept for the backward pass.
        qkv = torch.unflatten(self.h_qkv(x), -1, (3, self.h_heads, self.head_dim))
        qkv = cut_heads(qkv, grid, self.window_size)
        dropout = self.attn_drop if self.training else 0.0
        x = attend_in_windows(qkv, grid, self.window_size, kernel=self.kernel, dropout=dropout)
        out: Tensor = self.h_proj(x)  # B, H, W, h_dim
        return out

    def _lofi(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        batch = x.shape[0]
        q = self.l_q(x).reshape(batch, -1, self.l_heads, self.head_dim).transpose(1, 2)
        if self.window_size > 1:
            # Keys and values come from the raw input, pooled: B, M, dim with M = N / window_size².
            x = F.avg_pool2d(x.permute(0, 3, 1, 2), self.window_size).flatten(2).transpose(1, 2)
        else:
            x = x.flatten(1, 2)
        k, v = split_heads(self.l_kv(x), self.l_heads, 2)  # each B, heads, M, head_dim
        out = attend(q, k, v, kernel=self.kernel, dropout=self.attn_drop if self.training else 0.0)
        out = out.transpose(1, 2).reshape(batch, *grid, self.l_dim)
        projected: Tensor = self.l_proj(out)
        return projected

    def _grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size that the branches see."""
        if self.pad:
            return padded_size(size, self.window_size)
        if self.h_heads or min(size) < self.window_size:
            check_divides(self.window_size, size)
        return size


_ONLY = {"qk_scale": None}

PORTS = {
    "hilo": Port(
        mixer="hilo",
        arguments=arguments(
            *SHARED_ARGUMENTS, "window_size", "alpha", defaults={"qkv_bias": False}, only=_ONLY
        ),
    ),
    "hilo_padded": Port(
        mixer="hilo",
        arguments=arguments(
            *SHARED_ARGUMENTS, "window_size", "alpha", defaults={"qkv_bias": False, "pad": True}, only=_ONLY
        ),
    ),
}
