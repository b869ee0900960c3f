"""Context broadcasting: add to every token what all tokens have in common, as uniform attention would.

Paper: Hyeon-Woo et al., "Scratching Visual Transformer's Back with Uniform Attention", ICCV 2023,
    arXiv:2210.08457.
Reference: none was released; written from the formulas.
Differs: where the paper's words leave a choice, it is said at the class: where exactly CB stands, what a
    uniform head is made of, and CBS starting as the identity.
Names: lam is the paper's Λ, the diagonal that scales the context of CBS; context, what is broadcast.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend, split_heads
from benchsuite.mixers._checks import check_kernel, check_one_of, head_dim_of
from benchsuite.mixers._layers import MLP, dropout
from benchsuite.mixers._port import Port, arguments
from benchsuite.mixers.msa import MSA

CONTEXTS = ("mean", "max", "class")
POSITIONS = ("front", "mid", "end")
UNIFORM = ("replace", "compensated", "parallel")
PLACES = ("none", "mlp", "msa", "both")


class ContextBroadcast(nn.Module):
    """CB: mix (B, N, dim) tokens into (x + context) / 2. Has no parameters; N may include a class token.

    MACs: 0: NC additions for the mean and 2NC elementwise operations, none of which is a product summed.

    Args:
        dim: channels of input and output.
        context: "mean" over all tokens, as the paper has it; "max" over them; "class", the first token. The
            last two are the paper's ablation.

    Raises:
        ValueError: context is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("low rank", ("positions", "channels"), "static")

    def __init__(self, dim: int, *, context: str = "mean") -> None:
        super().__init__()
        self.dim = dim
        self.context = check_one_of("context", context, CONTEXTS)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return torch.add(self._context(x) * 0.5, x, alpha=0.5)

    def _context(self, x: Tensor) -> Tensor:
        """(B, N, dim) → (B, 1, dim)."""
        if self.context == "mean":
            return x.mean(dim=1, keepdim=True)
        return x.amax(dim=1, keepdim=True) if self.context == "max" else x[:, :1]


class ScaledContextBroadcast(ContextBroadcast):
    """CBS: mix (B, N, dim) tokens into x + lam × context, lam learned for each channel and 0 at first.

    Args:
        dim: channels of input and output.
        context: as for `ContextBroadcast`.

    Raises:
        ValueError: context is unknown.
    """

    relation: ClassVar[Relation] = Relation("low rank", ("positions",), "static")

    def __init__(self, dim: int, *, context: str = "mean") -> None:
        super().__init__(dim, context=context)
        self.lam = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return x + self.lam * self._context(x)


class ContextBroadcastMLP(nn.Module):
    """fc1, GELU, fc2 on (B, N, dim) tokens, with CB before fc1 (front), before fc2 (mid) or after it (end).

    In the middle it works on the hidden channels, behind the GELU.

    MACs: 2NCD, D hidden channels; CB adds none wherever it stands.

    Args:
        dim: channels of input and output.
        mlp_ratio: hidden channels of the MLP over dim.
        position: where CB stands: "front", before the first layer; "mid", between the layers; "end", behind.
        scaled: CBS in the place of CB.
        context: as for `ContextBroadcast`.

    Raises:
        ValueError: position or context is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self,
        dim: int,
        *,
        mlp_ratio: float = 4.0,
        position: str = "end",
        scaled: bool = False,
        context: str = "mean",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.hidden_dim = int(dim * mlp_ratio)
        self.position = check_one_of("position", position, POSITIONS)
        self.fc1 = nn.Linear(dim, self.hidden_dim)
        self.fc2 = nn.Linear(self.hidden_dim, dim)
        self.cb = _broadcast(self.hidden_dim if position == "mid" else dim, scaled, context)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if self.position == "front":
            x = self.cb(x, size)
        x = F.gelu(self.fc1(x))
        if self.position == "mid":
            x = self.cb(x, size)
        x = self.fc2(x)
        return self.cb(x, size) if self.position == "end" else x


class ContextBroadcastMSA(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim): self-attention, and CB after its projection.

    MACs: 4NC² + 2N²C: those of the attention.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        scaled: CBS in the place of CB.
        context: as for `ContextBroadcast`.

    Raises:
        ValueError: num_heads does not divide dim, or context or kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("dense", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        scaled: bool = False,
        context: str = "mean",
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.kernel = check_kernel(kernel, self.kernels, "cb_msa")
        self.attn = MSA(
            dim,
            num_heads,
            qkv_bias=qkv_bias,
            attn_drop=attn_drop,
            proj_drop=proj_drop,
            kernel=kernel,
        )
        self.cb = _broadcast(dim, scaled, context)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = self.cb(self.attn(x, size), size)
        return out


class UniformHeadMSA(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim): self-attention with a uniform head.

    A uniform head gives every token the mean of its values over all tokens; it has values, but no queries and
    keys. As the mean of projected tokens is the projected mean, it costs one projection an image.

    MACs: 4NCA + 2N²A + 2CU, A channels of the attending heads, U of the uniform one.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        uniform: "replace" makes one of num_heads heads uniform, which saves its queries and keys;
            "compensated" makes that head twice as wide, so that there are as many parameters as in MSA;
            "parallel" keeps all heads and adds a uniform one.

    Raises:
        ValueError: num_heads does not divide dim, leaves no head beside the uniform one, or uniform or kernel
            is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("dense", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        uniform: str = "replace",
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.uniform = check_one_of("uniform", uniform, UNIFORM)
        self.kernel = check_kernel(kernel, self.kernels, "uniform_msa")
        self.attn_heads = num_heads if uniform == "parallel" else num_heads - 1
        if not self.attn_heads:
            raise ValueError(f"num_heads {num_heads} leaves no head beside the uniform one")
        self.attn_dim = self.attn_heads * self.head_dim
        self.uniform_dim = self.head_dim * (2 if uniform == "compensated" else 1)
        self.attn_drop = attn_drop
        self.qkv = nn.Linear(dim, 3 * self.attn_dim, bias=qkv_bias)
        self.uniform_v = nn.Linear(dim, self.uniform_dim, bias=qkv_bias)
        self.proj = nn.Linear(self.attn_dim, dim)
        self.uniform_proj = nn.Linear(self.uniform_dim, dim, bias=False)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        shared = self.uniform_proj(self.uniform_v(x.mean(dim=1, keepdim=True)))  # B, 1, dim
        q, k, v = split_heads(self.qkv(x), self.attn_heads, 3)  # each B, heads, N, head_dim
        x = attend(q, k, v, kernel=self.kernel, dropout=self.attn_drop if self.training else 0.0)
        x = x.transpose(1, 2).flatten(2)
        x = self.proj(x)
        out: Tensor = self.proj_drop(x + shared)
        return out


class ContextBroadcastBlock(nn.Module):
    """A ViT block with CB: x + msa(norm(x)), then x + mlp(norm(x)), on (B, N, dim). LayerNorms have eps 1e-6.

    MACs: 4NC² + 2N²C + 2NCD wherever CB stands.

    Args:
        dim, num_heads, qkv_bias, kernel: as for `MSA`.
        place: where there is CB: "none", in the "mlp", in the "msa", or in "both".
        position: of CB in the MLP, as for `ContextBroadcastMLP`.
        scaled: CBS in the place of CB.
        context: as for `ContextBroadcast`.
        mlp_ratio: hidden channels of the MLP over dim.

    Raises:
        ValueError: num_heads does not divide dim, or place, position, context or kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        place: str = "mlp",
        position: str = "end",
        scaled: bool = False,
        context: str = "mean",
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        check_one_of("place", place, PLACES)
        self.kernel = check_kernel(kernel, self.kernels, "cb_block")
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.attn: ContextBroadcastMSA | MSA
        self.mlp: ContextBroadcastMLP | MLP
        if place in {"msa", "both"}:
            self.attn = ContextBroadcastMSA(
                dim, num_heads, scaled=scaled, context=context, qkv_bias=qkv_bias, kernel=kernel
            )
        else:
            self.attn = MSA(dim, num_heads, qkv_bias=qkv_bias, kernel=kernel)
        if place in {"mlp", "both"}:
            self.mlp = ContextBroadcastMLP(
                dim, mlp_ratio=mlp_ratio, position=position, scaled=scaled, context=context
            )
        else:
            self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.attn(self.norm1(x), size)
        y = self.norm2(x)
        out: Tensor = x + (self.mlp(y, size) if isinstance(self.mlp, ContextBroadcastMLP) else self.mlp(y))
        return out


def _broadcast(dim: int, scaled: bool, context: str) -> ContextBroadcast:
    return (ScaledContextBroadcast if scaled else ContextBroadcast)(dim, context=context)


PORTS = {
    "cb": Port(mixer="cb", arguments=arguments("dim")),
    "cbs": Port(mixer="cbs", arguments=arguments("dim")),
}
