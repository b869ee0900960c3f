"""Performer attention (FAVOR+): softmax attention through positive random features, linear in the tokens.

Paper: Choromanski et al., "Rethinking Attention with Performers", ICLR 2021, arXiv:2009.14794.
Reference: lucidrains/performer-pytorch @ fc8b784, SelfAttention and FastAttention; stabiliser "batch" is
    HubHop/vit-attention-benchmark @ 1283a49, attentions/performer.py.
Differs: queries, keys and values come from one projection, as in the other mixers here; the random features
    are fixed by a seed and not redrawn during training.
Names: num_features is the paper's m; projection, its ω; stabiliser, the maximum subtracted before exp.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout, split_heads
from benchsuite.mixers._checks import check_kernel, check_one_of, check_positive, head_dim_of
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import Arguments, Port, State, arguments, renamed

Convert = Callable[[Arguments], dict[str, Any]]

FEATURE_MAPS = ("softmax", "relu")
STABILISERS = ("head", "batch")

_SOFTMAX_EPS = 1e-4
_RELU_EPS = 1e-3


class Performer(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim). The grid's shape does not matter.

    MACs: 4NCI + 4NmI + Nmh with I = heads × head_dim, which is C unless head_dim is given.

        Four projections; features of q and of k, kᵀv, q(kᵀv); the denominator.

    Args:
        dim, num_heads, qkv_bias, proj_drop, kernel: as for `MSA`.
        head_dim: channels per head, dim / num_heads by default; another value makes q, k and v narrower or
            wider than dim.
        num_features: random features per head, int(head_dim × ln(head_dim)) by default.
        feature_map: "softmax" approximates softmax attention; "relu" is the paper's generalised attention.
        stabiliser: of feature_map "softmax". "head" subtracts from the keys of each head of an image their
            largest value, as a constant. "batch" subtracts the largest of the whole batch, and gradients flow
            through it; one image's result then depends, a little, on the others.
        seed: of the random projection, which does not depend on torch's global generator.

    Raises:
        ValueError: num_heads does not divide dim and no head_dim is given, or an option is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("low rank", ("heads",), "dynamic per position")
    projection: Tensor

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        head_dim: int | None = None,
        num_features: int | None = None,
        feature_map: str = "softmax",
        stabiliser: str = "head",
        seed: int = 0,
        qkv_bias: bool = True,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        check_one_of("feature_map", feature_map, FEATURE_MAPS)
        check_one_of("stabiliser", stabiliser, STABILISERS)
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads) if head_dim is None else head_dim
        self.inner_dim = num_heads * self.head_dim
        if num_features is None:
            num_features = int(self.head_dim * math.log(self.head_dim))
        check_positive("num_features", num_features)
        self.num_features = num_features
        self.feature_map = feature_map
        self.stabiliser = stabiliser
        self.kernel = check_kernel(kernel, self.kernels, "performer")
        self.qkv = nn.Linear(dim, 3 * self.inner_dim, bias=qkv_bias)
        self.proj = nn.Linear(self.inner_dim, dim)
        self.proj_drop = dropout(proj_drop)
        projection = orthogonal_features(num_features, self.head_dim, seed)
        self.register_buffer(
            "projection", projection.to(self.qkv.weight)
        )  # where the weights are, "meta" too

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        q, k, v = split_heads(self.qkv(x), self.num_heads, 3)  # each B, heads, N, head_dim
        if self.feature_map == "softmax":
            q, k = self._softmax_features(q, is_query=True), self._softmax_features(k, is_query=False)
        else:
            q, k = self._relu_features(q), self._relu_features(k)
        kt = k.transpose(-2, -1)  # B, heads, m, N
        context = kt @ v  # B, heads, m, head_dim
        weight = q @ kt.sum(dim=-1, keepdim=True)  # B, heads, N, 1: the denominator of softmax
        x = (q @ context) / weight
        x = x.transpose(1, 2).flatten(2)  # the same name, so that the heads' memory is free
        out: Tensor = self.proj_drop(self.proj(x))
        return out

    def _project(self, x: Tensor) -> Tensor:
        """(B, heads, N, head_dim) → (B, heads, N, m), scaled by head_dim^(−1/4)."""
        projection: Tensor = self.projection * self.head_dim**-0.25  # smaller than x, so cheaper to scale
        return x @ projection.t()

    def _relu_features(self, x: Tensor) -> Tensor:
        return self._project(x).relu() + _RELU_EPS

    def _softmax_features(self, x: Tensor, *, is_query: bool) -> Tensor:
        projected = self._project(x)
        if is_query:
            largest = projected.amax(dim=-1, keepdim=True)
        elif self.stabiliser == "head":
            largest = projected.amax(dim=(-2, -1), keepdim=True)
        else:
            largest = projected.amax()
        if self.stabiliser == "head":
            largest = largest.detach()
        half_norm = x.square().sum(dim=-1, keepdim=True) * (0.5 / math.sqrt(self.head_dim))
        features = (projected - half_norm - largest).exp() + _SOFTMAX_EPS
        return features / math.sqrt(self.num_features)


def orthogonal_features(rows: int, columns: int, seed: int) -> Tensor:
    """(rows, columns) features: orthogonal in blocks of `columns` rows, with the norms of Gaussian rows.

    Always drawn on the CPU: the same seed gives the same numbers whatever device is current.
    """
    generator = torch.Generator("cpu").manual_seed(seed)

    def gaussian(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device="cpu", dtype=torch.float64)

    blocks = []
    for _ in range(-(-rows // columns)):
        q, r = torch.linalg.qr(gaussian(columns, columns))
        # The signs on R's diagonal are the library's choice; fixed, every machine gets the same rows.
        blocks.append((q * r.diagonal().sign()).t())
    norms: Tensor = torch.linalg.vector_norm(gaussian(rows, columns), dim=1, keepdim=True)
    return torch.cat(blocks)[:rows] * norms


def _fuse_qkv(state: State) -> dict[str, Tensor]:
    """Stack to_q, to_k and to_v into qkv; other names change one for one."""
    ours = _rename(state)
    for kind in ("weight", "bias"):
        parts = [ours.pop(f"to_{letter}.{kind}", None) for letter in "qkv"]
        present = [part for part in parts if part is not None]
        if present:
            ours[f"qkv.{kind}"] = torch.cat(present)
    return ours


_PROJECTION = (r"fast_attention\.projection_matrix", "projection")
_rename = renamed((r"to_out\.", "proj."), _PROJECTION)

_LUCIDRAINS = arguments(
    "dim",
    "qkv_bias",
    renamed={
        "heads": "num_heads",
        "dim_head": "head_dim",
        "nb_features": "num_features",
        "dropout": "proj_drop",
        "generalized_attention": "generalized",
    },
    defaults={"qkv_bias": False, "head_dim": 64},
    only={"causal": False, "local_heads": 0, "no_projection": False, "attn_out_bias": True},
    ignored=("local_window_size", "feature_redraw_interval"),
)
_HUBHOP = arguments(
    "dim num_heads qkv_bias proj_drop",
    renamed={"nb_features": "num_features", "generalized_attention": "generalized"},
    defaults={"qkv_bias": False, "stabiliser": "batch"},
    only={"attn_drop": 0.0, "no_projection": False},
    ignored=("qk_scale",),  # which that class stores and does not use
)


def _with_feature_map(convert: Convert) -> Convert:
    """Name the feature map, which the authors switch by a flag."""

    def converted(authors: Arguments) -> dict[str, Any]:
        ours = convert(authors)
        ours["feature_map"] = "relu" if ours.pop("generalized", False) else "softmax"
        return ours

    return converted


PORTS = {
    "performer": Port(mixer="performer", arguments=_with_feature_map(_LUCIDRAINS), state=_fuse_qkv),
    "performer_hubhop": Port(
        mixer="performer", arguments=_with_feature_map(_HUBHOP), state=renamed(_PROJECTION)
    ),
}
