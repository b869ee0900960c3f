"""Bi-level routing attention: each region of the map attends to the few regions that it resembles most.

Paper: Zhu et al., "BiFormer: Vision Transformer with Bi-Level Routing Attention", CVPR 2023,
    arXiv:2303.08810.
Reference: rayleizhu/BiFormer @ 1697bbb, ops/bra_legacy.py, BiLevelRoutingAttention, and ops/bra_nchw.py,
    nchwBRA.
Differs: keys and values of the chosen regions are copied once, head by head, into the order in which they are
    attended to; the authors gather, and then rearrange what they gathered.
Names: n_win is the paper's S, regions on a side; topk, its k; lepe, its local context enhancement (LCE).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout
from benchsuite.mixers._checks import check_kernel, check_one_of, check_positive, head_dim_of
from benchsuite.mixers._port import Port, arguments, renamed
from benchsuite.mixers._windows import attend_in_groups, merge, partition

KV_POOLS = ("identity", "ada_avgpool", "ada_maxpool", "avgpool", "maxpool")

Size = tuple[int, int]


class BiLevelRoutingAttention(nn.Module):
    """Mix a (B, H, W, dim) map into (B, H, W, dim).

    Which regions a region attends to is decided by the products of mean queries and keys, the same for all
    heads, and without a gradient unless diff_routing. Logits are scaled by 1 / √qk_dim, that of all heads.

    MACs: NC(2D + C) + S⁴D + NkT(D + C) + Ns²C + NC², with a layer for routing 2S²D² more.

        N of the padded map, D = qk_dim, T the keys of a region (N / S² unless pooled), s = side_dwconv.

    Args:
        dim, num_heads, kernel: as for `MSA`.
        n_win: regions on a side of the map.
        topk: regions that a region attends to.
        qk_dim: width of queries and keys, dim by default.
        qk_scale: factor of the logits, also of those between regions.
        side_dwconv: side of the depth-wise convolution of the values that is added; 0 for none.
        soft_routing: multiply keys and values by the softmax of the chosen regions' products.
        diff_routing: let gradients pass through these products; needs soft_routing.
        param_routing: project mean queries and keys by a layer of its own; needs diff_routing.
        kv_pool: how the keys and values of a region are pooled: "ada_avgpool" and "ada_maxpool" to
            kv_per_win × kv_per_win, "avgpool" and "maxpool" by kv_downsample_ratio.
        kv_per_win: side of what the keys of a region are pooled to.
        kv_downsample_ratio: side of the squares that are pooled.
        pad: pad the map with zeros to multiples of n_win, and crop the output. Padded tokens are not masked.

    Raises:
        ValueError: num_heads does not divide dim or qk_dim, topk is not in [1, n_win²], an option is unknown
            or needs another, or the kernel is unknown; in `forward`, n_win does not divide the grid and pad
            is False.
    """

    layout: ClassVar[Layout] = "NHWC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("sparse", ("heads",), "dynamic per position")
    routes: ClassVar[bool] = True

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        n_win: int = 7,
        topk: int = 4,
        qk_dim: int | None = None,
        qk_scale: float | None = None,
        side_dwconv: int = 3,
        soft_routing: bool = False,
        diff_routing: bool = False,
        param_routing: bool = False,
        kv_pool: str = "identity",
        kv_per_win: int = 4,
        kv_downsample_ratio: int = 4,
        pad: bool = False,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.qk_dim = dim if qk_dim is None else qk_dim
        head_dim_of(dim, num_heads)
        self.head_dim = head_dim_of(self.qk_dim, num_heads)
        _check_routing(n_win, topk)
        if diff_routing and not soft_routing:
            raise ValueError("diff_routing needs soft_routing: a hard choice has no gradient")
        if param_routing and not diff_routing:
            raise ValueError("param_routing needs diff_routing: its layer would not learn")
        self.n_win = n_win
        self.topk = topk
        self.scale = qk_scale or self.qk_dim**-0.5
        self.soft_routing = soft_routing
        self.diff_routing = diff_routing
        self.pad = pad
        self.kernel = check_kernel(kernel, self.kernels, "biformer_bra")
        self.qkv = nn.Linear(dim, 2 * self.qk_dim + dim)
        self.router = nn.Linear(self.qk_dim, self.qk_dim) if param_routing else nn.Identity()
        self.lepe = _lepe(dim, side_dwconv)
        self.kv_pool = _kv_pool(kv_pool, kv_per_win, kv_downsample_ratio)
        self.wo = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[1], x.shape[2])
        grid, region = self._geometry(size)
        if grid != size:
            x = F.pad(x, (0, 0, 0, grid[1] - size[1], 0, grid[0] - size[0]))
        q, k, v = self.qkv(x).split_with_sizes((self.qk_dim, self.qk_dim, self.dim), dim=-1)
        local = self.lepe(v.permute(0, 3, 1, 2).contiguous()) if self.lepe is not None else None
        q, k, v = (partition(t, grid, region) for t in (q, k, v))  # B, regions, tokens, channels
        chosen, weight = self._route(q.mean(2), k.mean(2))
        x = _attend_to_regions(
            q,
            self._pooled(k, region),
            self._pooled(v, region),
            chosen,
            weight,
            num_heads=self.num_heads,
            scale=self.scale,
            kernel=self.kernel,
        )
        x = merge(x, grid, region)
        if local is not None:
            x = x + local.permute(0, 2, 3, 1)
        out: Tensor = self.wo(x)
        return out if grid == size else out[:, : size[0], : size[1]]

    def _route(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor | None]:
        """Chosen regions of each region (B, regions, topk), and their weights, if these are used."""
        if not self.diff_routing:
            q, k = q.detach(), k.detach()
        logits = (self.router(q) * self.scale) @ self.router(k).transpose(-2, -1)
        values, chosen = logits.topk(self.topk, dim=-1)
        return chosen, values.softmax(dim=-1) if self.soft_routing else None

    def _pooled(self, x: Tensor, region: Size) -> Tensor:
        """Pool the tokens of each region."""
        if self.kv_pool is None:
            return x
        maps = torch.unflatten(x.flatten(0, 1).transpose(1, 2), -1, region)  # B·regions, C, height, width
        pooled: Tensor = self.kv_pool(maps)
        return torch.unflatten(pooled.flatten(2).transpose(1, 2), 0, x.shape[:2])

    def _geometry(self, size: Size) -> tuple[Size, Size]:
        """Size of the grid that is cut, and of a region."""
        s = self.n_win
        if self.pad:
            size = (-(-size[0] // s) * s, -(-size[1] // s) * s)
        elif size[0] % s or size[1] % s:
            raise ValueError(f"n_win {s} does not divide the {size[0]} × {size[1]} grid")
        return size, (size[0] // s, size[1] // s)


class BiLevelRoutingAttention2d(nn.Module):
    """Mix a (B, dim, H, W) map into (B, dim, H, W): the authors' later version, for maps with channels first.

    Regions have ⌊H / n_win⌋ × ⌊W / n_win⌋ tokens. Where they do not tile the map there are more of them, and
    queries, keys and values are padded with zeros; padded keys are not masked, but enter no region's mean.

    MACs: 4NC² + R²C + 2N′kTC + Ns²C; R regions of T tokens, N′ = RT with the padding, s = side_dwconv.

    Args:
        dim, num_heads, kernel: as for `MSA`.
        n_win, topk, qk_scale, side_dwconv: as for `BiLevelRoutingAttention`, but logits between regions
            are not scaled.

    Raises:
        ValueError: num_heads does not divide dim, topk is not in [1, n_win²], or the kernel is unknown; in
            `forward`, the grid has less than n_win rows or columns.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("sparse", ("heads",), "dynamic per position")
    routes: ClassVar[bool] = True

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        n_win: int = 7,
        topk: int = 4,
        qk_scale: float | None = None,
        side_dwconv: int = 3,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        _check_routing(n_win, topk)
        self.n_win = n_win
        self.topk = topk
        self.scale = qk_scale or dim**-0.5
        self.kernel = check_kernel(kernel, self.kernels, "biformer_bra_nchw")
        self.qkv_linear = nn.Conv2d(dim, 3 * dim, 1)
        self.lepe = _lepe(dim, side_dwconv)
        self.output_linear = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2], x.shape[3])
        grid, region = self._geometry(size)
        qkv = self.qkv_linear(x)
        local = self.lepe(qkv[:, 2 * self.dim :]) if self.lepe is not None else None
        # Means of what is there of a region, without the padding.
        means = F.avg_pool2d(
            qkv[:, : 2 * self.dim].detach(), region, ceil_mode=True, count_include_pad=False
        ).flatten(2)
        chosen = (means[:, : self.dim].transpose(1, 2) @ means[:, self.dim :]).topk(self.topk, dim=-1).indices
        if grid != size:
            qkv = F.pad(qkv, (0, grid[1] - size[1], 0, grid[0] - size[0]))
        q, k, v = (partition(t.permute(0, 2, 3, 1), grid, region) for t in qkv.chunk(3, dim=1))
        x = _attend_to_regions(
            q, k, v, chosen, None, num_heads=self.num_heads, scale=self.scale, kernel=self.kernel
        )
        x = merge(x, grid, region)[:, : size[0], : size[1]].permute(0, 3, 1, 2)
        if local is not None:
            x = x + local
        out: Tensor = self.output_linear(x)
        return out

    def _geometry(self, size: Size) -> tuple[Size, Size]:
        """Size of the grid that is cut, and of a region."""
        if min(size) < self.n_win:
            raise ValueError(f"n_win {self.n_win} is larger than the {size[0]} × {size[1]} grid")
        height, width = size[0] // self.n_win, size[1] // self.n_win
        return (-(-size[0] // height) * height, -(-size[1] // width) * width), (height, width)


def _attend_to_regions(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    chosen: Tensor,
    weight: Tensor | None,
    *,
    num_heads: int,
    scale: float,
    kernel: str,
) -> Tensor:
    """Multi-head attention of each region's tokens to those of its chosen regions.

    Args:
        q: (B, regions, tokens, D); k: (B, regions, keys, D); v: (B, regions, keys, C).
        chosen: indices of regions, (B, regions, topk); weight: factors of their keys and values.

    Returns:
        (B, regions, tokens, heads, C / heads).
    """
    q, k, v = (torch.unflatten(t, -1, (num_heads, -1)).transpose(2, 3) for t in (q, k, v))
    batch, regions, topk = chosen.shape
    # Row of each head of each chosen region in keys and values of the batch, heads before regions.
    rows = torch.arange(batch, device=q.device).view(-1, 1, 1) * regions + chosen
    rows = rows[:, :, None] * num_heads + torch.arange(num_heads, device=q.device).view(1, 1, -1, 1)

    def gather(t: Tensor) -> Tensor:
        t = t.reshape(batch * regions * num_heads, -1, t.shape[-1]).index_select(0, rows.flatten())
        t = t.view(batch, regions, num_heads, topk, *t.shape[1:])
        if weight is not None:
            t = weight[:, :, None, :, None, None] * t
        return t.flatten(3, 4)  # B, regions, heads, topk × keys, head_dim

    # Attention divides by √head_dim, which routing attention does not.
    q = q * (scale * math.sqrt(q.shape[-1]))
    return attend_in_groups(q, gather(k), gather(v), kernel=kernel)


def _check_routing(n_win: int, topk: int) -> None:
    check_positive("n_win", n_win)
    if not 1 <= topk <= n_win**2:
        raise ValueError(f"topk {topk} is not between 1 and the {n_win**2} regions of n_win {n_win}")


def _lepe(dim: int, side: int) -> nn.Conv2d | None:
    """The depth-wise convolution of the values; None for side 0."""
    if side < 0 or (side and side % 2 == 0):
        raise ValueError(f"side_dwconv {side} is neither odd nor 0")
    return nn.Conv2d(dim, dim, side, padding=side // 2, groups=dim) if side else None


def _kv_pool(kind: str, per_win: int, ratio: int) -> nn.Module | None:
    check_one_of("kv_pool", kind, KV_POOLS)
    if kind == "ada_avgpool":
        return nn.AdaptiveAvgPool2d(per_win)
    if kind == "ada_maxpool":
        return nn.AdaptiveMaxPool2d(per_win)
    if kind == "identity" or ratio == 1:
        return None
    return nn.AvgPool2d(ratio) if kind == "avgpool" else nn.MaxPool2d(ratio)


_SHARED = ("dim", "num_heads", "n_win", "topk", "qk_scale", "side_dwconv")

PORTS = {
    "biformer_bra": Port(
        mixer="biformer_bra",
        arguments=arguments(
            *_SHARED,
            "qk_dim kv_per_win kv_downsample_ratio param_routing diff_routing soft_routing",
            renamed={"kv_downsample_mode": "kv_pool", "auto_pad": "pad"},
            only={"param_attention": "qkvo", "kv_downsample_kernel": None},
        ),
        state=renamed((r"qkv\.qkv\.", "qkv."), (r"router\.emb\.", "router.")),
    ),
    "biformer_bra_nchw": Port(
        mixer="biformer_bra_nchw",
        arguments=arguments(*_SHARED, only={"attn_backend": "torch"}, ignored=("auto_pad",)),
    ),
}
