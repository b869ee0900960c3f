"""ACmix on Swin's windows: (shifted) window attention and a convolution share queries, keys and values.

Paper: Pan et al., "On the Integration of Self-Attention and Convolution", CVPR 2022, arXiv:2111.14556.
Reference: LeapLabTHU/ACmix @ 81dddb6, Swin-Transformer/models/swin_transformer_acmix.py,
    WindowAttention_acmix and the attention path of SwinTransformerBlock.
Differs: as `swin.py`, whose options it has; shift "tensor" is the paper's, and not in the released code.
Names: conv_kernel_size is the paper's k_c; rate1 and rate2, its α and β.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS
from benchsuite.mixers._checks import check_kernel
from benchsuite.mixers._port import Port, renamed
from benchsuite.mixers.acmix import ShiftedConvolution
from benchsuite.mixers.swin import PORTS as SWIN_PORTS
from benchsuite.mixers.swin import WindowAttention


class ACmixWindowAttention(WindowAttention):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim), within windows and by a convolution.

    The convolution sees the whole grid, after its cyclic shift and before it is cut: with a shift, it reaches
    around the edge. It takes the queries unscaled. Only the attention path is projected.

    MACs: 4NC² + 2Nw²C + 3Nk_c²C + Nk_c⁴C, N of the padded grid; the last term is that of "group_conv".

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        window_size: side of a window, in tokens.
        conv_kernel_size: side of the convolution.
        shift: how the convolution path shifts, "group_conv" or "tensor".
        shift_size, rel_pos, pad: as for WindowAttention.

    Raises:
        ValueError: as WindowAttention; and conv_kernel_size is not odd, or shift is unknown.
    """

    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int = 7,
        shift_size: int = 0,
        conv_kernel_size: int = 3,
        shift: str = "group_conv",
        rel_pos: bool = True,
        pad: bool = False,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        check_kernel(kernel, self.kernels, "acmix_swin")
        super().__init__(
            dim,
            num_heads,
            window_size=window_size,
            shift_size=shift_size,
            rel_pos=rel_pos,
            pad=pad,
            qkv_bias=qkv_bias,
            attn_drop=attn_drop,
            proj_drop=proj_drop,
            kernel=kernel,
        )
        self.conv = ShiftedConvolution(
            3 * num_heads, self.head_dim, dim, kernel_size=conv_kernel_size, bias=True, shift=shift
        )
        self.rate1 = nn.Parameter(torch.full((1,), 0.5))
        self.rate2 = nn.Parameter(torch.full((1,), 0.5))

    def _mix(self, x: Tensor, grid: tuple[int, int], window: int, shift: int) -> Tensor:
        qkv = self.qkv(x)  # B, H, W, 3 · dim
        conv = self.conv(qkv.unflatten(-1, (3 * self.num_heads, self.head_dim)).permute(0, 3, 4, 1, 2))
        qkv = self._cut(qkv, grid, window)
        attended = self._attend(qkv, x, grid, window, shift)
        attended = self.proj_drop(self.proj(attended))
        out: Tensor = self.rate1 * attended + self.rate2 * conv.permute(0, 2, 3, 1)
        return out


def _arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """Those of Swin's block, or of the attention alone, whose window is a pair."""
    authors = dict(authors)
    window = authors.get("window_size", 7)
    if isinstance(window, (list, tuple)):
        if window[0] != window[1]:
            raise ValueError(f"window_size={window!r} is not supported; only square windows are")
        authors["window_size"] = window[0]
    return SWIN_PORTS["swin_w_msa"].arguments(authors)


def _run(module: nn.Module, x: Tensor, size: tuple[int, int]) -> Tensor:
    """The authors' attention takes a map, (B, H, W, C), where their block takes tokens."""
    out: Tensor = module(x.reshape(x.shape[0], -1, x.shape[-1]), size)
    return out.reshape(x.shape)


_move = renamed((r"(fc|dep_conv)\.", r"conv.\1."))

PORTS = {
    "acmix_swin": Port(
        mixer="acmix_swin",
        arguments=_arguments,
        state=lambda state: _move(SWIN_PORTS["swin_w_msa"].state(state)),
        run=_run,
    ),
}
