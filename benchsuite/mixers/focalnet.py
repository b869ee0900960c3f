"""Focal modulation: queries times a gated context, gathered by ever larger depth-wise convolutions.

Paper: Yang et al., "Focal Modulation Networks", NeurIPS 2022, arXiv:2203.11926.
Reference: microsoft/FocalNet @ e8514bd, classification/focalnet.py, FocalModulation.
Names: focal_window is the kernel size of the first level, to which each further level adds focal_factor;
    focal_level, the paper's L; f makes query, context and gates; h makes the modulator of the context.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_kernel
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import Port, arguments, renamed


class FocalModulation(nn.Module):
    """Mix a (B, H, W, dim) map into (B, H, W, dim). Gates are linear: no sigmoid, no softmax.

    MACs: 4NC² + NC(L + 1) + NC Σ k²: f, h and proj, and a depth-wise convolution a level.

    Args:
        dim, proj_drop, kernel: as for `MSA`.
        focal_window: side of the first level's kernel.
        focal_level: number of levels, each a depth-wise convolution of the one before.
        focal_factor: by which the kernels grow from level to level.
        qkv_bias: whether f and h have a bias; the projection always has.
        post_norm: norm the modulated queries before the projection.
        normalize_modulator: divide the gathered context by focal_level + 1.

    Raises:
        ValueError: focal_level is negative, a level's kernel is not odd and positive, or the kernel is
            unknown.
    """

    layout: ClassVar[Layout] = "NHWC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("local", ("none",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        *,
        focal_window: int = 3,
        focal_level: int = 2,
        focal_factor: int = 2,
        post_norm: bool = False,
        normalize_modulator: bool = False,
        qkv_bias: bool = True,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        if focal_level < 0:
            raise ValueError(f"focal_level {focal_level} is negative")
        self.dim = dim
        self.focal_level = focal_level
        self.kernel_sizes = tuple(focal_window + focal_factor * level for level in range(focal_level))
        for level, side in enumerate(self.kernel_sizes):
            if side < 1 or side % 2 == 0:
                raise ValueError(f"the kernel of focal level {level}, {side}, is not odd and positive")
        self.normalize_modulator = normalize_modulator
        self.kernel = check_kernel(kernel, self.kernels, "focalnet_modulation")
        self.f = nn.Linear(dim, 2 * dim + focal_level + 1, bias=qkv_bias)
        self.h = nn.Conv2d(dim, dim, 1, bias=qkv_bias)
        self.focal_layers = nn.ModuleList(
            nn.Conv2d(dim, dim, side, padding=side // 2, groups=dim, bias=False) for side in self.kernel_sizes
        )
        self.ln = nn.LayerNorm(dim) if post_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        x = self.f(x).permute(0, 3, 1, 2)  # B, 2 dim + levels + 1, H, W, as it lies in memory: no copy
        q, context, gates = x.split_with_sizes((self.dim, self.dim, self.focal_level + 1), dim=1)
        gathered: Tensor | None = None
        for level, convolution in enumerate(self.focal_layers):
            context = F.gelu(convolution(context))
            gathered = _add_gated(gathered, context, gates[:, level : level + 1])
        # The last gate is that of the mean over the whole map, of the last level's context.
        whole = F.gelu(context.mean((2, 3), keepdim=True))
        gathered = _add_gated(gathered, whole, gates[:, self.focal_level :])
        if self.normalize_modulator:
            gathered = gathered / (self.focal_level + 1)
        x = (q * self.h(gathered)).permute(0, 2, 3, 1)
        out: Tensor = self.proj_drop(self.proj(self.ln(x)))
        return out


def _add_gated(total: Tensor | None, context: Tensor, gate: Tensor) -> Tensor:
    if total is None:
        return context * gate
    # The backward pass of addcmul holds one map more than those of its two steps.
    return total + context * gate if torch.is_grad_enabled() else torch.addcmul(total, context, gate)


PORTS = {
    "focalnet_modulation": Port(
        mixer="focalnet_modulation",
        arguments=arguments(
            "dim focal_window focal_level focal_factor normalize_modulator proj_drop",
            renamed={"bias": "qkv_bias", "use_postln_in_modulation": "post_norm"},
        ),
        state=renamed((r"focal_layers\.(\d+)\.0\.", r"focal_layers.\1.")),
    ),
}
