"""Outlook attention, the outlooker around it, and VOLO's class attention.

Paper: Yuan et al., "VOLO: Vision Outlooker for Visual Recognition", TPAMI 2022, arXiv:2106.13112.
Reference: sail-sg/volo @ cf35775, models/volo.py, OutlookAttention, Outlooker and ClassAttention.
Names: kernel_size is the paper's K; L, the positions of the (strided) grid that weights are made for.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._compiled import COMPILED, by_kernel
from benchsuite.mixers._layers import MLP, dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments
from benchsuite.mixers.cait import attend_from_one


class OutlookAttention(nn.Module):
    """Mix a (B, H, W, dim) map into (B, H, W, dim).

    From each position's features come weights by which the K² values around it are mixed to K² new ones; each
    position of the output is the plain sum of those that fall on it. Values outside of the map are zeros.

    MACs: 2NC² + LChK⁴ + LK⁴C: values and projection, weights, weights times values; h heads.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop: as for `MSA`.
        kernel_size: side of the window that a position writes to.
        padding: of the windows; those of a grid of ⌈H / stride⌉ × ⌈W / stride⌉ must fit.
        stride: of the positions that make weights.
        kernel: "math" multiplies small matrices; "compiled" sums in loops that torch compiles.

    Raises:
        ValueError: num_heads does not divide dim, or the kernel is unknown; in `forward`, padding gives
            another number of windows than the stride gives positions.
        RuntimeError: "compiled" would go backward on more than one thread of a CPU.
    """

    layout: ClassVar[Layout] = "NHWC"
    kernels: ClassVar[tuple[str, ...]] = ("math", "compiled")
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        kernel_size: int = 3,
        padding: int = 1,
        stride: int = 1,
        qkv_bias: bool = False,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.kernel = check_kernel(kernel, self.kernels, "outlook")
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.kernel_size = kernel_size
        self.padding = padding
        self.stride = stride
        self.v = nn.Linear(dim, dim, bias=qkv_bias)
        self.attn = nn.Linear(dim, num_heads * kernel_size**4)
        self.attn_drop = attn_drop
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, _ = x.shape
        rows, columns = self._positions((height, width))
        squared = self.kernel_size**2
        logits = self.attn(self._pooled(x)).reshape(batch, rows, columns, self.num_heads, squared, squared)
        dropout = self.attn_drop if self.training else 0.0
        if self.kernel == COMPILED and _breaks_memory(logits):
            raise RuntimeError(
                "No available kernel: torch's compiled backward pass of outlook attention breaks memory on "
                "more than one thread of a CPU; take one thread, or the kernel math"
            )
        mixed = by_kernel(
            self.kernel,
            _outlook,
            logits,
            self.v(x),
            self.padding,
            self.stride,
            dropout,
            fused=_outlook_by_sums if self.stride == 1 else None,
        )
        out: Tensor = self.proj_drop(self.proj(mixed))
        return out

    def _pooled(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) → (B, ⌈H / stride⌉, ⌈W / stride⌉, dim), means of what is there."""
        if self.stride == 1:
            return x
        pooled = F.avg_pool2d(x.permute(0, 3, 1, 2), self.stride, ceil_mode=True)
        return pooled.permute(0, 2, 3, 1)

    def _positions(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the strided grid."""
        pooled = tuple(-(-side // self.stride) for side in size)
        windows = tuple((side + 2 * self.padding - self.kernel_size) // self.stride + 1 for side in size)
        if pooled != windows:
            raise ValueError(
                f"kernel_size {self.kernel_size}, padding {self.padding} and stride {self.stride} make "
                f"{windows[0]} × {windows[1]} windows for {pooled[0]} × {pooled[1]} positions"
            )
        return pooled[0], pooled[1]


def _breaks_memory(logits: Tensor) -> bool:
    """Whether a backward pass would run compiled on several threads of a CPU (seen with torch 2.13)."""
    return logits.requires_grad and logits.is_cpu and torch.get_num_threads() > 1


def _outlook(logits: Tensor, values: Tensor, padding: int, stride: int, dropout: float) -> Tensor:
    """Softmax of the logits times the windows of values, and the sum of what falls on each position.

    Args:
        logits: (B, rows, columns, heads, K², K²); values: (B, H, W, dim).

    Returns:
        (B, H, W, dim).
    """
    _, height, width, dim = values.shape
    num_heads, kernel_size = logits.shape[3], math.isqrt(logits.shape[5])
    weights = F.dropout((logits * (dim // num_heads) ** -0.5).softmax(dim=-1), dropout)
    padded = F.pad(values, (0, 0, *(padding,) * 4))
    windows = cut(padded, num_heads, kernel_size, stride)
    mixed = weights @ windows.flatten(4, 5)  # B, rows, columns, heads, K², head_dim
    laid = lay(mixed.view(windows.shape), padded.shape, stride)
    return laid[:, padding : padding + height, padding : padding + width]


def _outlook_by_sums(logits: Tensor, values: Tensor, padding: int, stride: int, dropout: float) -> Tensor:
    """The same for a stride of 1 without products of matrices: no window is copied, and each position of the
    output gathers what falls on it."""
    _, height, width, dim = values.shape
    num_heads, kernel_size = logits.shape[3], math.isqrt(logits.shape[5])
    weights = F.dropout((logits * (dim // num_heads) ** -0.5).softmax(dim=-1), dropout)
    windows = _cut(F.pad(values, (0, 0, *(padding,) * 4)), num_heads, kernel_size, stride)
    mixed = (weights.unsqueeze(-1) * windows.flatten(4, 5).unsqueeze(4)).sum(5)
    places = F.pad(
        mixed.permute(4, 0, 1, 2, 3, 5).flatten(4), (0, 0, *(padding,) * 4)
    )  # K², B, rows, columns, dim
    last = 2 * padding
    parts = [
        places[i, :, last - y : last - y + height, last - x : last - x + width]
        for i, (y, x) in enumerate(product(range(kernel_size), repeat=2))
    ]
    return torch.stack(parts).sum(0)


class Outlooker(nn.Module):
    """VOLO's block, (B, H, W, dim) → (B, H, W, dim): outlook attention and an MLP, each on a residual branch.

    MACs: Those of the attention, plus 2NCF, F the width of the MLP.

    Args:
        dim, num_heads, qkv_bias, attn_drop, kernel: as for `MSA`.
        mlp_ratio: width of the MLP over dim; int(dim × mlp_ratio) channels.
        kernel_size, padding, stride: as for OutlookAttention.

    Raises:
        ValueError: as OutlookAttention.
    """

    layout: ClassVar[Layout] = "NHWC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self,
        dim: int,
        num_heads: int = 1,
        *,
        kernel_size: int = 3,
        padding: int = 1,
        stride: int = 1,
        mlp_ratio: float = 3.0,
        qkv_bias: bool = False,
        attn_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        check_kernel(kernel, self.kernels, "outlooker")
        self.dim = dim
        self.norm1 = nn.LayerNorm(dim)
        self.attn = OutlookAttention(
            dim,
            num_heads,
            kernel_size=kernel_size,
            padding=padding,
            stride=stride,
            qkv_bias=qkv_bias,
            attn_drop=attn_drop,
        )
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class VOLOClassAttention(nn.Module):
    """The new class token, (B, 1, dim), of (B, 1 + N, dim) tokens, the first of which is the old one.

    MACs: 2CI + 2TCI + 2TI of T = 1 + N tokens, I = heads × head_dim, which is C unless head_dim is given.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        head_dim: channels per head, dim / num_heads by default.

    Raises:
        ValueError: num_heads does not divide dim and no head_dim is given, or the kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        head_dim: int | None = None,
        qkv_bias: bool = False,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.inner_dim = num_heads * (head_dim_of(dim, num_heads) if head_dim is None else head_dim)
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "volo_class_attention")
        self.q = nn.Linear(dim, self.inner_dim, bias=qkv_bias)
        self.kv = nn.Linear(dim, 2 * self.inner_dim, bias=qkv_bias)
        self.proj = nn.Linear(self.inner_dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        dropout = self.attn_drop if self.training else 0.0
        mixed = attend_from_one(
            self.q(x[:, :1]), self.kv(x), self.num_heads, kernel=self.kernel, dropout=dropout
        )
        out: Tensor = self.proj_drop(self.proj(mixed))
        return out


# Overlapping windows of a map, and their sum back onto a map: each is the gradient of the other. torch does
# not know that: its gradient of a sum into slices copies the map once for each place of a window, and that of
# an unfolded map sums one axis after the other. Here the gradient of the sum is a view.


def cut(x: Tensor, num_heads: int, kernel_size: int, stride: int) -> Tensor:
    """Windows of a padded map: (B, Hp, Wp, dim) → (B, rows, columns, heads, k, k, head_dim), a view."""
    if not torch.is_grad_enabled():  # a tracer that counts sees operators, and no function of our own
        return _cut(x, num_heads, kernel_size, stride)
    windows: Tensor = _Cut.apply(x, num_heads, kernel_size, stride)  # type: ignore[no-untyped-call]
    return windows


def lay(windows: Tensor, shape: torch.Size, stride: int) -> Tensor:
    """Sum of what falls on the same position: the windows of `cut` → (B, Hp, Wp, dim) of this shape.

    F.fold wants channels first, for which it costs a transposed copy of all k² · dim values.
    """
    if not torch.is_grad_enabled():
        return _lay(windows, shape, stride)
    laid: Tensor = _Lay.apply(windows, shape, stride)  # type: ignore[no-untyped-call]
    return laid


def _cut(x: Tensor, num_heads: int, kernel_size: int, stride: int) -> Tensor:
    windows = x.unfold(1, kernel_size, stride).unfold(2, kernel_size, stride)  # B, rows, columns, dim, k, k
    return torch.unflatten(windows, 3, (num_heads, -1)).permute(0, 1, 2, 3, 5, 6, 4)


def _lay(windows: Tensor, shape: torch.Size, stride: int) -> Tensor:
    rows, columns, kernel_size = windows.shape[1], windows.shape[2], windows.shape[4]
    laid = windows.new_zeros(shape)
    for y in range(kernel_size):
        for x in range(kernel_size):
            down = slice(y, y + stride * (rows - 1) + 1, stride)
            across = slice(x, x + stride * (columns - 1) + 1, stride)
            laid[:, down, across] += windows[:, :, :, :, y, x].flatten(3)
    return laid


class _Cut(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, num_heads: int, kernel_size: int, stride: int) -> Tensor:
        ctx.of = x.shape, stride
        return _cut(x, num_heads, kernel_size, stride)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        return lay(grads[0], *ctx.of), None, None, None


class _Lay(Function):
    @staticmethod
    def forward(ctx: Any, windows: Tensor, shape: torch.Size, stride: int) -> Tensor:
        ctx.of = windows.shape[3], windows.shape[4], stride
        return _lay(windows, shape, stride)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return cut(grads[0], *ctx.of), None, None


_OUTLOOK = ("kernel_size", "padding", "stride")

PORTS = {
    "outlook": Port(
        mixer="outlook",
        arguments=arguments(
            *SHARED_ARGUMENTS, *_OUTLOOK, defaults={"qkv_bias": False}, only={"qk_scale": None}
        ),
    ),
    "volo_outlooker_block": Port(
        mixer="outlooker",
        arguments=arguments(
            *SHARED_ARGUMENTS,
            *_OUTLOOK,
            "mlp_ratio",
            defaults={"qkv_bias": False},
            only={"qk_scale": None},
            ignored=("drop_path",),
        ),
    ),
    "volo_class_attention": Port(
        mixer="volo_class_attention",
        arguments=arguments(
            *SHARED_ARGUMENTS, "head_dim", defaults={"qkv_bias": False}, only={"qk_scale": None}
        ),
    ),
}
