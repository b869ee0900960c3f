"""SwinV2's window attention: cosine similarity, and a position bias that an MLP makes of log-spaced offsets.

Paper: Liu et al., "Swin Transformer V2", CVPR 2022, arXiv:2111.09883.
Reference: microsoft/Swin-Transformer @ f82860b, models/swin_transformer_v2.py, WindowAttention and
    SwinTransformerBlock.
Differs: the temperature scales the queries and not the logits; bias and mask are added together; offsets,
    their index and the mask are made once for a grid. The padded grid is not the authors'.
Names: window_size is the paper's M; logit_scale, the logarithm of 1 / τ; cpb_mlp, its 𝒢.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._grid import padded_size
from benchsuite.mixers._layers import MLP, dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments, renamed
from benchsuite.mixers._watched import watched
from benchsuite.mixers._windows import (
    as_pair,
    attend_in_groups,
    check_divides,
    cut_heads,
    look_up,
    merge,
    offset_index,
    on_shifted_grid,
    shift_mask,
)

_CPB_WIDTH = 512
_MAX_LOGIT_SCALE = math.log(1 / 0.01)

Size = tuple[int, int]


class SwinV2WindowAttention(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim), within windows.

    Without padding, a grid whose shorter side is no longer than the (square) window has one strip of windows
    as high as that side, and no shift, as in Swin; offsets are then relative to the smaller window.

    MACs: 4NC² + 2NwC, and once a pass, not once an image, P(2·512 + 512h) for the bias.

        N of the padded grid, w tokens of a window, P = (2 height − 1)(2 width − 1) of a window.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        window_size: side of a window, or height and width.
        shift_size: tokens by which the grid is rolled before it is cut.
        pretrained_window_size: side of the windows whose offsets the MLP was trained on; 0 for these windows.
        pad: pad the grid with zeros to multiples of the window, and crop the output. Padded tokens are not
            masked. Windows are not shrunk.

    Raises:
        ValueError: num_heads does not divide dim, shift_size is not in [0, window_size) or the window is not
            square where it is shifted or padded, or the kernel is unknown; in `forward`, the window does not
            divide the grid and pad is False.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int | tuple[int, int] = 7,
        shift_size: int = 0,
        pretrained_window_size: int | tuple[int, int] = 0,
        pad: bool = False,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.window = as_pair(window_size)
        if (shift_size or pad) and self.window[0] != self.window[1]:
            raise ValueError(f"window_size {window_size} is not square, so it is neither shifted nor padded")
        if not 0 <= shift_size < min(self.window):
            raise ValueError(f"shift_size {shift_size} is not between 0 and window_size {window_size} - 1")
        self.shift_size = shift_size
        trained = pretrained_window_size
        self.pretrained = (trained, trained) if isinstance(trained, int) else trained
        self.pad = pad
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "swinv2_window_attention")
        self.logit_scale = nn.Parameter(torch.full((num_heads, 1, 1), math.log(10)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, _CPB_WIDTH), nn.ReLU(), nn.Linear(_CPB_WIDTH, num_heads, bias=False)
        )
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim)) if qkv_bias else None  # keys have none
        self.v_bias = nn.Parameter(torch.zeros(dim)) if qkv_bias else None
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)
        self._made_for: tuple[object, ...] | None = None
        self._offsets: Tensor | None = None
        self._index: Tensor | None = None
        self._mask: Tensor | None = None

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        window, shift, grid = self._geometry(size)

        def mix(x: Tensor) -> Tensor:  # B, H, W, dim, padded and rolled
            q, k, v = self._heads(x, grid, window)
            bias, dropout = self._bias(grid, window, shift, x), self.attn_drop if self.training else 0.0
            mixed = attend_in_groups(q, k, v, kernel=self.kernel, bias=bias, dropout=dropout)
            out: Tensor = self.proj_drop(self.proj(merge(mixed, grid, window)))
            return out

        return on_shifted_grid(mix, x, size, grid, shift)

    def _heads(self, x: Tensor, grid: Size, window: Size) -> tuple[Tensor, Tensor, Tensor]:
        """Unit queries times temperature, unit keys, values: B, windows, heads, tokens, head_dim each."""
        bias = None
        if self.q_bias is not None and self.v_bias is not None:
            bias = torch.cat((self.q_bias, torch.zeros_like(self.q_bias), self.v_bias))
        qkv = F.linear(x, self.qkv.weight, bias)
        qkv = torch.unflatten(qkv, -1, (3, self.num_heads, self.head_dim))
        q, k, v = cut_heads(qkv, grid, window).unbind(0)
        # Attention divides by √head_dim, which cosine attention does not.
        scale = self.logit_scale.clamp(max=_MAX_LOGIT_SCALE).exp() * math.sqrt(self.head_dim)
        if torch.is_grad_enabled() or watched():
            return F.normalize(q, dim=-1) * scale, F.normalize(k, dim=-1), v
        return F.normalize(q, dim=-1, out=q).mul_(scale), F.normalize(k, dim=-1, out=k), v

    def _bias(self, grid: Size, window: Size, shift: int, x: Tensor) -> Tensor:
        """Position bias plus shift mask: (windows or 1, heads, tokens, tokens) of a window."""
        self._prepare(grid, window, shift, x)
        assert self._offsets is not None
        assert self._index is not None
        table = 16 * self.cpb_mlp(self._offsets).sigmoid()  # offsets, heads
        bias = look_up(table.t(), self._index)
        return bias if self._mask is None else bias + self._mask

    def _prepare(self, grid: Size, window: Size, shift: int, x: Tensor) -> None:
        """Make offsets, index and mask unless those of the last call serve. No buffers, as in swin.py."""
        made_for = (grid, window, shift, x.device, x.dtype)
        if made_for == self._made_for:
            return
        with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
            self._offsets = log_offsets(window, self.pretrained, x)
            dy, dx = offset_index(window, x.device)
            # The table runs over query − key: the same places, from its other end.
            self._index = len(self._offsets) - 1 - (dy * (2 * window[1] - 1) + dx)
            self._mask = shift_mask(grid, window[0], shift, x) if shift else None
        self._made_for = made_for

    def _geometry(self, size: Size) -> tuple[Size, int, Size]:
        """Window, shift and size of the grid that is cut."""
        if self.pad:
            return self.window, self.shift_size, padded_size(size, self.window[0])
        window, shift = _shrunk(self.window, self.shift_size, size)
        check_divides(window, size)
        return window, shift, size


def log_offsets(window: Size, pretrained: Size, like: Tensor) -> Tensor:
    """Offsets query − key of a window, of `like`'s device and dtype: ((2H − 1)(2W − 1), 2), row-major.

    Scaled so that the largest of a window (of the pretrained one, if it has a side) is 8, then
    sign(t) log(|t| + 1) / log(8).
    """
    sides = []
    for side, trained in zip(window, pretrained, strict=True):
        largest = max((trained if trained > 0 else side) - 1, 1)  # a window of one token has but the offset 0
        sides.append(torch.arange(1 - side, side, device=like.device, dtype=torch.float32) / largest * 8)
    y, x = sides
    offsets = torch.stack((y[:, None].expand(-1, len(x)), x[None, :].expand(len(y), -1)), dim=-1).flatten(
        0, 1
    )
    return (offsets.sign() * (offsets.abs() + 1).log() / math.log(8)).to(like.dtype)


class SwinV2Block(nn.Module):
    """SwinV2's block: x + norm(attention(x)), then x + norm(MLP(x)); the norms come last.

    MACs: Those of the attention, and 2NCD for the MLP of D hidden channels; N without padding.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        window_size, shift_size, pretrained_window_size, pad: as for `SwinV2WindowAttention`.
        mlp_ratio: hidden channels of the MLP over dim.

    Raises:
        ValueError: as `SwinV2WindowAttention`.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int | tuple[int, int] = 7,
        shift_size: int = 0,
        pretrained_window_size: int | tuple[int, int] = 0,
        pad: bool = False,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.kernel = check_kernel(kernel, self.kernels, "swinv2_block")
        self.attn = SwinV2WindowAttention(
            dim,
            num_heads,
            window_size=window_size,
            shift_size=shift_size,
            pretrained_window_size=pretrained_window_size,
            pad=pad,
            qkv_bias=qkv_bias,
            attn_drop=attn_drop,
            proj_drop=proj_drop,
            kernel=kernel,
        )
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio), drop=proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.norm1(self.attn(x, size))
        out: Tensor = x + self.norm2(self.mlp(x))
        return out


def _shrunk(window: Size, shift_size: int, size: Size) -> tuple[Size, int]:
    """Swin's window and shift for a grid: where one strip of windows is all, it fits and is not shifted."""
    if window[0] != window[1] or min(size) > window[0]:
        return window, shift_size
    return (min(size), min(size)), 0


_WINDOW = arguments(*SHARED_ARGUMENTS, "window_size", "pretrained_window_size", defaults={"qkv_bias": True})
_BLOCK = arguments(
    "dim num_heads window_size shift_size mlp_ratio qkv_bias attn_drop pretrained_window_size",
    renamed={"drop": "proj_drop"},
    ignored=("drop_path", "input_resolution"),
)
_DERIVED = (r"(attn\.)?relative_(coords_table|position_index)$", r"attn_mask$")


def _window_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    ours = _WINDOW(authors)
    return ours | {
        key: tuple(ours[key]) if not isinstance(ours[key], int) else ours[key]
        for key in ("window_size", "pretrained_window_size")
        if key in ours
    }


def _run_windows(module: nn.Module, x: Tensor, size: tuple[int, int]) -> Tensor:
    """The authors' class takes windows, one a row: grids that hold one window each."""
    out: Tensor = module(x, cast(SwinV2WindowAttention, module).window)
    return out


PORTS = {
    "swinv2_window_attention": Port(
        mixer="swinv2_window_attention",
        arguments=_window_arguments,
        state=renamed(drop=_DERIVED),
        run=_run_windows,
    ),
    "swinv2_block": Port(mixer="swinv2_block", arguments=_BLOCK, state=renamed(drop=_DERIVED)),
}
