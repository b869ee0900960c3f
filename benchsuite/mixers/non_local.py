"""Non-local block (embedded Gaussian): one head of attention in a bottleneck, added to its input.

Paper: Wang et al., "Non-local Neural Networks", CVPR 2018, arXiv:1711.07971.
Reference: huggingface/pytorch-image-models @ aa4b585, timm/layers/non_local_attn.py, NonLocalAttn.
Differs: the last norm starts as the identity and not at zero, where the block would pass its input on; the
    default width is the paper's half, not timm's eighth.
Names: t, p, g and z are the paper's θ, φ, g and W_z.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend, attend_maps
from benchsuite.mixers._checks import check_kernel
from benchsuite.mixers._port import Port, arguments, with_batch_counters
from benchsuite.mixers._timm import round_width


class NonLocal(nn.Module):
    """Mix a (B, dim, H, W) map into (B, dim, H, W), the input added.

    MACs: 4NCD + 2N²D, D the width of the bottleneck.

    Args:
        dim, kernel: as for `MSA`.
        rd_ratio: width of the bottleneck as a share of dim, rounded to a multiple of rd_divisor.
        rd_channels: that width itself.
        rd_divisor: multiple that the width is rounded to.
        use_scale: scale the logits by 1 / √dim (of the map, not of the bottleneck), or not at all.

    Raises:
        ValueError: the kernel is unknown.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("dense", ("channels",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        *,
        rd_ratio: float = 0.5,
        rd_channels: int | None = None,
        rd_divisor: int = 8,
        use_scale: bool = True,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.width = rd_channels or round_width(dim * rd_ratio, rd_divisor)
        self.scale = dim**-0.5 if use_scale else 1.0
        self.kernel = check_kernel(kernel, self.kernels, "non_local")
        self.t = nn.Conv2d(dim, self.width, 1)
        self.p = nn.Conv2d(dim, self.width, 1)
        self.g = nn.Conv2d(dim, self.width, 1)
        self.z = nn.Conv2d(self.width, dim, 1)
        self.norm = nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.scale * math.sqrt(self.width)  # attention divides by √width
        if self.kernel == "math":
            maps = self.t(x).mul_(scale), self.p(x), self.g(x)
            t, p, g = (t.flatten(2)[:, None] for t in maps)
            mixed = attend_maps(t, p, g, kernel=self.kernel)  # from B, 1, width, N
        else:
            tokens = _tokens(self.t, x).mul_(scale), _tokens(self.p, x), _tokens(self.g, x)
            t, p, g = (t[:, None] for t in tokens)
            mixed = attend(t, p, g, kernel=self.kernel).transpose(-2, -1)  # from B, 1, N, width
        mixed = mixed.reshape(x.shape[0], self.width, *x.shape[2:])
        if (
            x.is_cpu and x.is_contiguous()
        ):  # of one head they lie as tokens do, which takes a batch norm longer
            mixed = mixed.contiguous()
        out: Tensor = x + self.norm(self.z(mixed))
        return out


def _tokens(project: nn.Conv2d, x: Tensor) -> Tensor:
    """A 1 × 1 convolution of (B, C, H, W) maps as (B, N, width) tokens, as fused kernels take them."""
    assert project.bias is not None
    weight, tokens = project.weight.flatten(1), x.flatten(2).transpose(1, 2)
    if torch.is_grad_enabled():  # one gradient of the weight, not one for each image
        return F.linear(tokens, weight, project.bias)
    return torch.baddbmm(project.bias, tokens, weight.t().expand(x.shape[0], -1, -1))


PORTS = {
    "non_local": Port(
        mixer="non_local",
        arguments=arguments(
            "rd_ratio rd_channels rd_divisor use_scale",
            renamed={"in_channels": "dim"},
            defaults={"rd_ratio": 1 / 8},
        ),
        state=with_batch_counters,
    ),
}
