"""Window attention and its shifted variant (W-MSA, SW-MSA), with Swin's relative position bias.

Paper: Liu et al., "Swin Transformer", ICCV 2021, arXiv:2103.14030.
Reference: microsoft/Swin-Transformer @ f82860b, models/swin_transformer.py, the attention path of
    SwinTransformerBlock; pad=True is the backbone for dense prediction, and HubHop/vit-attention-benchmark
    @ 1283a49, attentions/shifted_window.py.
Differs: bias and mask are summed once a forward pass and added to the logits together, not one after the
    other; the index of the bias and the mask are made once for a grid; a grid smaller than the window uses
    the middle of the bias table, where the authors, who fix the grid at construction, make a smaller table.
Names: window_size is the paper's M; shift_size, its ⌊M / 2⌋; relative_position_bias_table, its B̂.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import FLEX_KERNELS, Layout
from benchsuite.mixers._checks import check_kernel, check_positive, head_dim_of
from benchsuite.mixers._grid import Size, padded_size
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments, renamed
from benchsuite.mixers._windows import (
    attend_in_windows,
    check_divides,
    cut_heads,
    look_up,
    on_shifted_grid,
    relative_position_index,
    shift_mask,
    shift_regions,
)


class WindowAttention(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim), within windows.

    Without padding, a grid whose shorter side is no longer than the window has one strip of windows as high
    as that side, and no shift, as in Swin.

    MACs: 4NC² + 2Nw²C, N of the padded grid, w the side of the window.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop: as for `MSA`.
        window_size: side of a window, in tokens.
        shift_size: tokens by which the grid is rolled, right and down, before it is cut; 0 is W-MSA.
        rel_pos: add a learned bias for each head and relative position.
        pad: pad the grid with zeros to multiples of the window, and crop the output. Padded tokens are not
            masked. A small grid is padded as well; window and shift stay.
        kernel: on "flex" the bias is not summed with the mask of the shift, nor repeated for each window: the
            kernel looks both up as it goes.

    Raises:
        ValueError: num_heads does not divide dim, shift_size is not in [0, window_size), or the kernel is
            unknown; in `forward`, the window does not divide the grid and pad is False.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = FLEX_KERNELS
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int = 7,
        shift_size: int = 0,
        rel_pos: bool = True,
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
        self.window_size = check_positive("window_size", window_size)
        if not 0 <= shift_size < window_size:
            raise ValueError(f"shift_size {shift_size} is not between 0 and window_size {window_size} - 1")
        self.shift_size = shift_size
        self.pad = pad
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "window")
        self.rel_pos = rel_pos
        if rel_pos:
            table = torch.empty((2 * window_size - 1) ** 2, num_heads)
            self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)
        self._made_for: tuple[object, ...] | None = None
        self._index: Tensor | None = None
        self._mask: Tensor | None = None
        self._regions: Tensor | None = None

    def forward(self, x: Tensor, size: Size) -> Tensor:
        window, shift, grid = self._geometry(size)

        def mix(x: Tensor) -> Tensor:
            return self._mix(x, grid, window, shift)

        return on_shifted_grid(mix, x, size, grid, shift)

    def _mix(self, x: Tensor, grid: Size, window: int, shift: int) -> Tensor:
        """Mix a (B, H, W, dim) map that is padded and rolled."""
        x = self._attend(self._cut(self.qkv(x), grid, window), x, grid, window, shift)
        out: Tensor = self.proj_drop(self.proj(x))
        return out

    def _cut(self, qkv: Tensor, grid: Size, window: int) -> Tensor:
        """(B, H, W, 3 · dim) → (3, B, windows, heads, window², head_dim)."""
        return cut_heads(torch.unflatten(qkv, -1, (3, self.num_heads, self.head_dim)), grid, window)

    def _attend(self, qkv: Tensor, x: Tensor, grid: Size, window: int, shift: int) -> Tensor:
        """Attention in windows, before the projection: what `_cut` makes → (B, H, W, dim)."""
        return attend_in_windows(
            qkv,
            grid,
            window,
            kernel=self.kernel,
            bias=self._bias(grid, window, shift, x),
            regions=self._regions if shift else None,
            dropout=self.attn_drop if self.training else 0.0,
            scale_q=True,
        )

    def _geometry(self, size: Size) -> tuple[int, int, Size]:
        """Window, shift and size of the grid that is cut."""
        if self.pad:
            return self.window_size, self.shift_size, padded_size(size, self.window_size)
        window, shift = _shrunk(self.window_size, self.shift_size, size)
        check_divides(window, size)
        return window, shift, size

    def _bias(self, grid: Size, window: int, shift: int, x: Tensor) -> Tensor | None:
        """Relative position bias plus shift mask: (windows or 1, heads or 1, window², window²), or None.

        On "flex" the bias alone.
        """
        if not (self.rel_pos or shift):
            return None
        self._prepare(grid, window, shift, x)
        bias = None
        if self._index is not None:
            bias = look_up(self.relative_position_bias_table.t(), self._index)
        if self._mask is None:
            return bias
        return self._mask if bias is None else bias + self._mask

    def _prepare(self, grid: Size, window: int, shift: int, x: Tensor) -> None:
        """Make index and mask (on "flex" the regions it keeps apart) unless those of the last call serve.

        They are plain attributes and not buffers: of a module built on "meta", `to_empty` would fill buffers
        with garbage; these are made anew for another grid, device or dtype.
        """
        made_for = (grid, window, shift, x.device, x.dtype)
        if made_for == self._made_for:
            return
        with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
            self._index = (
                relative_position_index(window, self.window_size, x.device) if self.rel_pos else None
            )
            flex = self.kernel == "flex"
            self._mask = shift_mask(grid, window, shift, x) if shift and not flex else None
            self._regions = shift_regions(grid, window, shift, x.device) if shift and flex else None
        self._made_for = made_for


def _shrunk(window_size: int, shift_size: int, size: Size) -> tuple[int, int]:
    """Swin's window and shift for a grid: where one strip of windows is all, it fits and is not shifted."""
    return (min(size), 0) if min(size) <= window_size else (window_size, shift_size)


_BLOCK = arguments(
    "dim num_heads window_size shift_size qkv_bias attn_drop",
    renamed={"drop": "proj_drop"},
    only={"qk_scale": None},
    ignored=("mlp_ratio", "drop_path", "input_resolution", "fused_window_process"),
)


def _block_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """The block's arguments, its window shrunk to the grid at construction, so that the tables are alike."""
    ours = _BLOCK(authors)
    if "input_resolution" in authors:
        height, width = authors["input_resolution"]
        window, shift = ours.get("window_size", 7), ours.get("shift_size", 0)
        ours["window_size"], ours["shift_size"] = _shrunk(window, shift, (height, width))
    return ours


def _padded_block_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    return _BLOCK(authors) | {"pad": True}


_DERIVED = (r"(.*\.)?relative_position_index$", r"(.*\.)?attn_mask$")
_block_state = renamed((r"(blocks\.\d+\.)?attn\.", ""), drop=_DERIVED)

PORTS = {
    "swin_w_msa": Port(mixer="window", arguments=_block_arguments, state=_block_state),
    "swin_sw_msa": Port(mixer="window", arguments=_block_arguments, state=_block_state),
    "swin_padded": Port(mixer="window", arguments=_padded_block_arguments, state=_block_state),
    "swin_hubhop": Port(
        mixer="window",
        arguments=arguments(
            *SHARED_ARGUMENTS,
            "window_size",
            "shift_size",
            renamed={"use_rel_pos": "rel_pos"},
            defaults={"pad": True},
            only={"qk_scale": None},
        ),
        state=renamed(drop=_DERIVED),
    ),
}
