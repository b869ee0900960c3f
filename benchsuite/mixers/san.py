"""Self-attention networks (SAN): pairwise and patchwise attention to a neighbourhood, and their bottleneck.

Paper: Zhao et al., "Exploring Self-attention for Image Recognition", CVPR 2020, arXiv:2004.13621.
Reference: hszhao/SAN @ d88b022, model/san.py, SAM and Bottleneck; the operators, CUDA kernels there, by
    their source in lib/sa.
Differs: patchwise attention has no stride; the authors' class takes one, and fails.
Names: kernel_size is the side of the paper's footprint R(i); rel_dim, the authors' rel_planes; share, their
    share_planes: how many channels a weight is for; conv_w makes the paper's γ(δ).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_kernel, check_odd
from benchsuite.mixers._neighbors import GridEmbedding, aggregate, reflect, unfolded
from benchsuite.mixers._port import Arguments, Port, arguments


class _NeighborhoodAttention(nn.Module, ABC):
    """Values of a neighbourhood, with weights that a small network makes from features of both sides.

    Channel c of the values takes weight channel c mod (dim_out / share): weights are shared in strides. The
    map is padded by reflection.

    MACs: NC(2R + C') + Mk²C' and the network of the weights; R is rel_dim, M and C' of the output.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")
    name: ClassVar[str]
    """Key in `MIXERS`, for messages."""

    def __init__(
        self,
        dim: int,
        *,
        dim_out: int | None,
        rel_dim: int | None,
        share: int,
        kernel_size: int,
        stride: int,
        dilation: int,
        kernel: str,
    ) -> None:
        super().__init__()
        self.kernel = check_kernel(kernel, self.kernels, self.name)
        self.dim = dim
        self.dim_out = dim if dim_out is None else dim_out
        self.rel_dim = max(1, self.dim_out // 4) if rel_dim is None else rel_dim
        if share < 1 or self.dim_out % share:
            raise ValueError(f"share {share} does not divide dim_out {self.dim_out}")
        self.share = share
        self.weight_dim = self.dim_out // share
        self.kernel_size = check_odd("kernel_size", kernel_size)
        self.stride = stride
        self.dilation = dilation
        self.padding = dilation * (kernel_size - 1) // 2
        self.conv1 = nn.Conv2d(dim, self.rel_dim, kernel_size=1)
        self.conv2 = nn.Conv2d(dim, self.rel_dim, kernel_size=1)
        self.conv3 = nn.Conv2d(dim, self.dim_out, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return self._weigh(x, self.conv1(x), self.conv2(x), self.conv3(x))

    def _weigh(self, x: Tensor, center: Tensor, around: Tensor, values: Tensor) -> Tensor:
        """(B, dim_out, H', W') from the three projections of x."""
        weights = self._weights(x, center, around).unsqueeze(1)  # B, 1, weight_dim, k², H', W'
        values = torch.unflatten(reflect(values, self.padding), 1, (self.share, self.weight_dim))
        mixed = aggregate(weights, values, self.kernel_size, stride=self.stride, dilation=self.dilation)
        return mixed.flatten(1, 2)

    @abstractmethod
    def _weights(self, x: Tensor, center: Tensor, around: Tensor) -> Tensor:
        """(B, weight_dim, k², H', W')."""

    def _neighbors(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, k, k, H', W') of the padded map."""
        return unfolded(reflect(x, self.padding), self.kernel_size, self.stride, self.dilation)


class PairwiseAttention(_NeighborhoodAttention):
    """SAN's pairwise attention: mix a (B, dim, H, W) map into (B, dim_out, ⌈H / stride⌉, ⌈W / stride⌉).

    The weight of a neighbour comes from how its features differ from those of the centre, and from where it
    lies; softmax over the neighbours. Batch norms act on all pairs.

    MACs: NC(2R + C') + 4N + Mk²((R + 2)R + RC'/share) + Mk²C', R is rel_dim, M and C' of the output.

        The second term, of the positions, is paid once a batch; this is a batch of one.

    Args:
        dim, kernel: as for `MSA`.
        dim_out: channels of the output, dim by default.
        rel_dim: channels that the weights are made from, dim_out / 4 by default, as in the authors' networks.
        share: channels that share a weight.
        kernel_size: side of the window that a position attends to, odd.
        stride: of the output's positions.
        dilation: distance of neighbouring keys, in tokens.

    Raises:
        ValueError: share does not divide dim_out, kernel_size is not odd, or the kernel is unknown; in
            `forward`, the grid is too small to be reflected.
    """

    name: ClassVar[str] = "san_pairwise"

    def __init__(
        self,
        dim: int,
        *,
        dim_out: int | None = None,
        rel_dim: int | None = None,
        share: int = 8,
        kernel_size: int = 7,
        stride: int = 1,
        dilation: int = 1,
        kernel: str = "math",
    ) -> None:
        super().__init__(
            dim,
            dim_out=dim_out,
            rel_dim=rel_dim,
            share=share,
            kernel_size=kernel_size,
            stride=stride,
            dilation=dilation,
            kernel=kernel,
        )
        self.conv_w = nn.Sequential(
            nn.BatchNorm2d(self.rel_dim + 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(self.rel_dim + 2, self.rel_dim, kernel_size=1, bias=False),
            nn.BatchNorm2d(self.rel_dim),
            nn.ReLU(inplace=True),
            nn.Conv2d(self.rel_dim, self.weight_dim, kernel_size=1),
        )
        self.conv_p = GridEmbedding(2)

    def _weights(self, x: Tensor, center: Tensor, around: Tensor) -> Tensor:
        position = self.conv_p(x)
        apart = self._centers(center) - self._neighbors(around)  # B, rel_dim, k, k, H', W'
        offset = self._centers(position) - self._neighbors(position)
        pairs = torch.cat([apart, offset.expand(x.shape[0], -1, -1, -1, -1, -1)], dim=1)
        weights = self.conv_w(pairs.flatten(4).flatten(2, 3))  # B, weight_dim, k², H'·W'
        out: Tensor = weights.softmax(dim=-2).unflatten(-1, pairs.shape[4:])
        return out

    def _centers(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, 1, 1, H', W')."""
        return x[:, :, None, None, :: self.stride, :: self.stride]


class PatchwiseAttention(_NeighborhoodAttention):
    """SAN's patchwise attention: mix a (B, dim, H, W) map into (B, dim_out, H, W).

    All weights of a position come at once from its features and those of all neighbours, concatenated. There
    is no softmax.

    Args:
        dim, kernel: as for `MSA`.
        dim_out, rel_dim, share: as for PairwiseAttention.
        kernel_size, dilation: as for PairwiseAttention.

    Raises:
        ValueError: as PairwiseAttention.
    """

    name: ClassVar[str] = "san_patchwise"

    def __init__(
        self,
        dim: int,
        *,
        dim_out: int | None = None,
        rel_dim: int | None = None,
        share: int = 8,
        kernel_size: int = 7,
        dilation: int = 1,
        kernel: str = "math",
    ) -> None:
        super().__init__(
            dim,
            dim_out=dim_out,
            rel_dim=rel_dim,
            share=share,
            kernel_size=kernel_size,
            stride=1,
            dilation=dilation,
            kernel=kernel,
        )
        patch_dim = self.rel_dim * (kernel_size**2 + 1)
        self.conv_w = nn.Sequential(
            nn.BatchNorm2d(patch_dim),
            nn.ReLU(inplace=True),
            nn.Conv2d(patch_dim, self.weight_dim, kernel_size=1, bias=False),
            nn.BatchNorm2d(self.weight_dim),
            nn.ReLU(inplace=True),
            nn.Conv2d(self.weight_dim, kernel_size**2 * self.weight_dim, kernel_size=1),
        )

    def _weights(self, x: Tensor, center: Tensor, around: Tensor) -> Tensor:
        # Channels are those of the centre, then each channel's k² neighbours: B, rel_dim · (1 + k²), H, W.
        patch = torch.cat([center, self._neighbors(around).flatten(1, 3)], dim=1)
        return torch.unflatten(self.conv_w(patch), 1, (self.weight_dim, self.kernel_size**2))


class SANBottleneck(nn.Module):
    """The residual block of SAN: norm, ReLU, attention to fewer channels, norm, ReLU, 1 × 1 convolution.

    (B, dim, H, W) → (B, dim, H, W).

    MACs: Those of the attention, plus NCC', C' its output's.

    Args:
        dim, kernel: as for `MSA`.
        patchwise: whether the attention is patchwise or pairwise.
        mid_dim: channels of the attention's output, dim / 4 by default, as in the authors' networks.
        rel_dim: of the attention, dim / 16 by default.
        share, kernel_size: of the attention, as for PairwiseAttention.

    Raises:
        ValueError: as PairwiseAttention.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self,
        dim: int,
        *,
        patchwise: bool = False,
        mid_dim: int | None = None,
        rel_dim: int | None = None,
        share: int = 8,
        kernel_size: int = 7,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        check_kernel(kernel, self.kernels, "san_bottleneck")
        attention = PatchwiseAttention if patchwise else PairwiseAttention
        self.dim = dim
        self.mid_dim = dim // 4 if mid_dim is None else mid_dim
        self.bn1 = nn.BatchNorm2d(dim)
        self.sam = attention(
            dim,
            dim_out=self.mid_dim,
            rel_dim=max(1, dim // 16) if rel_dim is None else rel_dim,
            share=share,
            kernel_size=kernel_size,
        )
        self.bn2 = nn.BatchNorm2d(self.mid_dim)
        self.conv = nn.Conv2d(self.mid_dim, dim, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.bn2(self.sam(self.bn1(x).relu())).relu()
        out: Tensor = x + self.conv(mixed)
        return out


def _attention(sa_type: int, *same: str, **only: int) -> Callable[[Arguments], dict[str, Any]]:
    return arguments(
        *same,
        "kernel_size",
        "dilation",
        renamed={
            "in_planes": "dim",
            "rel_planes": "rel_dim",
            "out_planes": "dim_out",
            "share_planes": "share",
        },
        defaults={"kernel_size": 3},
        only={"sa_type": sa_type} | only,
    )


_BOTTLENECK = arguments(
    "kernel_size",
    renamed={
        "sa_type": "patchwise",
        "in_planes": "dim",
        "rel_planes": "rel_dim",
        "mid_planes": "mid_dim",
        "out_planes": "dim_out",
        "share_planes": "share",
    },
    only={"stride": 1},
)


def _bottleneck_arguments(authors: Arguments) -> dict[str, Any]:
    """The residual needs as many channels out as in; the authors' type is 0 or 1."""
    ours = _BOTTLENECK(authors)
    dim_out = ours.pop("dim_out", ours["dim"])
    if dim_out != ours["dim"]:
        raise ValueError(f"out_planes={dim_out} is not supported; only in_planes={ours['dim']} is")
    return ours | {"patchwise": bool(ours["patchwise"])}


PORTS = {
    "san_pairwise": Port(mixer="san_pairwise", arguments=_attention(0, "stride")),
    "san_patchwise": Port(mixer="san_patchwise", arguments=_attention(1, stride=1)),
    "san_bottleneck": Port(mixer="san_bottleneck", arguments=_bottleneck_arguments),
}
