"""Gated positional self-attention: attention by content and attention by position, mixed by a gate a head.

Paper: d'Ascoli et al., "ConViT: Improving Vision Transformers with Soft Convolutional Inductive Biases",
    ICML 2021, arXiv:2103.10697.
Reference: huggingface/pytorch-image-models @ aa4b585, timm/models/convit.py, GPSA.
Differs: the grid need not be square; scores of positions are computed once for a batch, not for each image;
    the mixed attention is not divided by its sum, which is 1. Kernels but "math" add the outputs of two
    attentions and not their weights, and attend by position along rows and columns in turn: with scores
    a·dx + b·dy + c·(dx² + dy²), softmax over offsets is the product of two.
Names: gating_param is the paper's λ; pos_proj, its v_pos; locality_strength, its α.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend, split_heads
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments, renamed
from benchsuite.mixers._windows import offset_index

Size = tuple[int, int]


class GPSA(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim).

    It starts as the paper's: values pass unchanged, and heads look at the positions of a square around them.

    MACs: 4NC² + 2N²C, and once a pass, not once an image, 3N²h for the scores of positions.

        Kernels but "math" have NC(H + W) in place of the last term.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        locality_strength: how sharply heads look at one position at the start.

    Raises:
        ValueError: num_heads does not divide dim, the kernel is unknown, or attention weights, which only
            "math" has in one piece, are to be dropped on another.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("dense", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        locality_strength: float = 1.0,
        qkv_bias: bool = False,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "gpsa")
        if attn_drop and kernel != "math":
            raise ValueError(f"attn_drop {attn_drop} needs kernel 'math', not {kernel!r}")
        self.qk = nn.Linear(dim, 2 * dim, bias=qkv_bias)
        self.v = nn.Linear(dim, dim, bias=qkv_bias)
        self.pos_proj = nn.Linear(3, num_heads)
        self.gating_param = nn.Parameter(torch.ones(num_heads))
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)
        self._init_local(locality_strength)
        self._made_for: tuple[object, ...] | None = None
        self._offsets: tuple[Tensor, ...] = ()

    @torch.no_grad()
    def _init_local(self, strength: float) -> None:
        """Identity for values; each head's score is largest at a position of its own around the query."""
        nn.init.eye_(self.v.weight)
        side = math.isqrt(self.num_heads)
        at = torch.arange(side, dtype=self.pos_proj.weight.dtype, device=self.pos_proj.weight.device)
        at = 2 * (at - ((side - 1) / 2 if side % 2 == 0 else side // 2))
        local = torch.stack(
            (at.repeat_interleave(side), at.repeat(side), torch.full_like(at, -1.0).repeat(side))
        )
        self.pos_proj.weight[: side**2] = local.t()
        self.pos_proj.weight.mul_(strength)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        batch, tokens, _ = x.shape
        q, k = split_heads(self.qk(x), self.num_heads, 2)  # each B, heads, N, head_dim
        v = self.v(x).reshape(batch, tokens, self.num_heads, self.head_dim).transpose(1, 2)
        self._prepare(size, x)
        gate = self.gating_param.sigmoid().view(-1, 1, 1)
        if self.kernel == "math":
            content = ((q @ k.transpose(-2, -1)) * self.head_dim**-0.5).softmax(dim=-1)
            weights = (1 - gate) * content + gate * self._by_position()
            x = F.dropout(weights, self.attn_drop, self.training) @ v
        else:
            x = (1 - gate) * attend(q, k, v, kernel=self.kernel) + gate * self._by_axis(v, size)
        x = x.transpose(1, 2).reshape(batch, tokens, self.dim)
        out: Tensor = self.proj_drop(self.proj(x))
        return out

    def _by_position(self) -> Tensor:
        """Attention by position: (heads, N, N)."""
        (features,) = self._offsets  # 3, N²
        scores = torch.addmm(self.pos_proj.bias[:, None], self.pos_proj.weight, features)
        tokens = math.isqrt(features.shape[1])
        return scores.view(-1, tokens, tokens).softmax(dim=-1)

    def _by_axis(self, v: Tensor, size: Size) -> Tensor:
        """Values (B, heads, N, head_dim) mixed by position."""
        dx, dy = self._offsets
        along_x, along_y, squared = self.pos_proj.weight.t()[..., None, None].unbind(0)  # heads, 1, 1
        columns = (along_x * dx + squared * dx.square()).softmax(dim=-1)  # heads, W, W
        rows = (along_y * dy + squared * dy.square()).softmax(dim=-1)  # heads, H, H
        batch, heads, _, channels = v.shape
        v = columns[:, None] @ v.reshape(batch, heads, *size, channels)
        return (rows @ v.flatten(3)).view(batch, heads, -1, channels)

    def _prepare(self, size: Size, x: Tensor) -> None:
        """Make the offsets key − query unless those of the last call serve. No buffers, as in swin.py."""
        made_for = (size, x.device, x.dtype)
        if made_for == self._made_for:
            return
        height, width = size
        with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
            if self.kernel == "math":
                dy, dx = offset_index(size, x.device)
                dy, dx = (dy - (height - 1)).view(-1), (dx - (width - 1)).view(-1)
                self._offsets = (torch.stack((dx, dy, dx**2 + dy**2)).to(x.dtype),)
            else:
                _, dx = offset_index((1, width), x.device)
                dy, _ = offset_index((height, 1), x.device)
                self._offsets = ((dx - (width - 1)).to(x.dtype), (dy - (height - 1)).to(x.dtype))
        self._made_for = made_for


PORTS = {
    "gpsa": Port(
        mixer="gpsa",
        arguments=arguments(*SHARED_ARGUMENTS, "locality_strength"),
        state=renamed(drop=(r"rel_indices$",)),
    ),
}
