"""Multi-scale ReLU linear attention, EfficientViT's (of MIT).

Paper: Cai et al., "EfficientViT: Multi-Scale Linear Attention for High-Resolution Dense Prediction",
    ICCV 2023, arXiv:2205.14756.
Reference: mit-han-lab/efficientvit @ de7d773, efficientvit/models/nn/ops.py, LiteMLA.
Differs: the sum of the keys is a sum, and not a product with a row of ones that the authors append to a copy
    of the values; the division of bfloat16 is in bfloat16.
Names: head_dim is the authors' dim; scales, the kernel sizes of the aggregated branches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import head_dim_of
from benchsuite.mixers._layers import ConvNorm
from benchsuite.mixers._port import Port, arguments


class ReLULinearAttention(nn.Module):
    """Mix (B, dim, H, W) maps into (B, out_dim, H, W), by attention of weights relu(q)·relu(k), normalised.

    Heads are made of the projections, and again of their aggregates over each scale. Where the tokens are no
    more than head_dim, the weights are formed, which is cheaper; the result is the same.

    MACs: 3NCI, for each scale s 3NI(s² + d), (1 + S)I(2Nd + N) for attention, (1 + S)NIC_out.

        I = heads × d, d = head_dim, S scales. Attention where N ≤ d: (1 + S)2N²I.

    Args:
        dim, num_heads: as for `MSA`.
        head_dim: channels per head, dim / num_heads by default; another makes q, k and v narrower or wider.
        scales: sides of the depth-wise kernels that aggregate neighbouring queries, keys and values.
        out_dim: channels of the output, dim by default.
        qkv_bias: of the projection and of the aggregating convolutions.
        proj_bias: of the output's projection, which has a batch norm behind it.
        eps: added to the denominator. A query that no key agrees with gives 0 / eps = 0.

    Raises:
        ValueError: num_heads does not divide dim and no head_dim is given, or a scale is not odd.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("low rank", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        head_dim: int | None = None,
        scales: Sequence[int] = (5,),
        out_dim: int | None = None,
        qkv_bias: bool = False,
        proj_bias: bool = False,
        eps: float = 1e-15,
    ) -> None:
        super().__init__()
        even = [scale for scale in scales if scale < 1 or scale % 2 == 0]
        if even:
            raise ValueError(f"scale {even[0]} is not odd, so the grid would not keep its size")
        self.dim = dim
        self.head_dim = head_dim_of(dim, num_heads) if head_dim is None else head_dim
        self.num_heads = num_heads
        self.eps = eps
        self.scales = tuple(scales)
        inner = num_heads * self.head_dim
        self.qkv = nn.Conv2d(dim, 3 * inner, kernel_size=1, bias=qkv_bias)
        self.aggreg = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(3 * inner, 3 * inner, scale, padding=scale // 2, groups=3 * inner, bias=qkv_bias),
                nn.Conv2d(3 * inner, 3 * inner, kernel_size=1, groups=3 * num_heads, bias=qkv_bias),
            )
            for scale in self.scales
        )
        self.proj = ConvNorm(
            (1 + len(self.scales)) * inner, dim if out_dim is None else out_dim, bias=proj_bias
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        qkv = self.qkv(x)
        qkv = torch.cat([qkv, *(aggregate(qkv) for aggregate in self.aggreg)], dim=1)
        # Each head's queries, keys and values are consecutive: B, heads of all scales, 3 × head_dim, N.
        qkv = qkv.reshape(batch, -1, 3 * self.head_dim, height * width)
        exact: AbstractContextManager[object] = nullcontext()
        if qkv.dtype == torch.float16:
            qkv = qkv.float()  # sums over all tokens overflow in half precision, and eps is 0 there
            if torch.amp.is_autocast_available(qkv.device.type):  # which it is not on "meta"
                exact = torch.autocast(qkv.device.type, enabled=False)
        q, k, v = qkv.chunk(3, dim=2)
        attend = self._linear if height * width > self.head_dim else self._quadratic
        with exact:
            out = attend(q, k, v).to(x.dtype)
        projected: Tensor = self.proj(out.reshape(batch, -1, height, width))
        return projected

    def _linear(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = self._context(k, v) @ F.relu(q)  # the last row is the denominator
        return out[:, :, :-1] / (out[:, :, -1:] + self.eps)

    def _context(self, k: Tensor, v: Tensor) -> Tensor:
        """Values and ones, weighted by the keys: (B, heads, head_dim + 1, head_dim)."""
        k = F.relu(k)
        return torch.cat([v @ k.transpose(-2, -1), k.sum(dim=-1)[:, :, None]], dim=2)

    def _quadratic(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = F.relu(k).transpose(-2, -1) @ F.relu(q)  # B, heads, N keys, N queries
        weights = weights / (weights.sum(dim=2, keepdim=True) + self.eps)
        return v @ weights


_named = arguments(
    "scales eps heads heads_ratio",
    renamed={"in_channels": "dim", "out_channels": "out_dim", "dim": "head_dim"},
    defaults={"head_dim": 8},
    only={"kernel_func": "relu", "norm": (None, "bn2d"), "act_func": (None, None)},
    ignored=("use_bias",),
)


def _arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    pairs = {key: tuple(value) if isinstance(value, list) else value for key, value in authors.items()}
    ours = _named(pairs)
    heads, ratio = ours.pop("heads", None), ours.pop("heads_ratio", 1.0)
    ours["num_heads"] = int(ours["dim"] // ours["head_dim"] * ratio) if heads is None else heads
    bias = pairs.get("use_bias", False)
    ours["qkv_bias"], ours["proj_bias"] = bias if isinstance(bias, tuple) else (bias, bias)
    return ours


def _state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.replace("qkv.conv.", "qkv."): tensor for name, tensor in state.items()}


PORTS = {"efficientvit_litemla": Port(mixer="relu_linear", arguments=_arguments, state=_state)}
