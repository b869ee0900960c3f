"""Recursive gated convolution (gnConv): gates of growing width, multiplied by parts of a large convolution.

Paper: Rao et al., "HorNet: Efficient High-Order Spatial Interactions with Recursive Gated Convolutions",
    NeurIPS 2022, arXiv:2207.14284.
Reference: raoyongming/HorNet @ ac9e210, hornet.py, gnconv, GlobalLocalFilter and Block.
Differs: the Fourier transform runs in the precision of the map, and in float32 for half precision.
Names: order is the paper's n; scale, its 1/α, the authors' s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_positive
from benchsuite.mixers._layers import MLP, ChannelNorm
from benchsuite.mixers._port import Port, arguments, renamed

_EPS = 1e-6


class GlobalLocalFilter(nn.Module):
    """Half of the channels through a 3 × 3 depth-wise convolution, half through a filter of frequencies.

    On (B, dim, H, W). The halves come out interleaved: channels 0, 2, … are local, 1, 3, … global.

    MACs: 9N of half the channels. The Fourier transforms and the product of spectra are not counted.

    Args:
        filter_size: rows and columns of the filter, in the half spectrum of real input: (H, W // 2 + 1) fits
            an H × W map; for others it is interpolated.

    Raises:
        ValueError: dim is odd.
    """

    def __init__(self, dim: int, *, filter_size: tuple[int, int]) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"the {dim} channels of the global filter do not split into two halves")
        self.pre_norm = ChannelNorm(dim, eps=_EPS)
        self.dw = nn.Conv2d(dim // 2, dim // 2, 3, padding=1, bias=False, groups=dim // 2)
        self.complex_weight = nn.Parameter(0.02 * torch.randn(dim // 2, *filter_size, 2))
        self.post_norm = ChannelNorm(dim, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:
        local, spread = self.pre_norm(x).chunk(2, dim=1)
        x = torch.stack((self.dw(local), self._filter(spread)), dim=2).flatten(1, 2)
        out: Tensor = self.post_norm(x)
        return out

    def _filter(self, x: Tensor) -> Tensor:
        size = (x.shape[-2], x.shape[-1])
        # There is no transform of bfloat16, and none of float16 on a CPU.
        wide = x.float() if x.dtype in {torch.bfloat16, torch.float16} else x
        spectrum = torch.fft.rfft2(wide, norm="ortho")
        weight = self.complex_weight.to(wide.dtype)
        if weight.shape[1:3] != spectrum.shape[2:]:
            planes = weight.permute(3, 0, 1, 2)  # real and imaginary, dim / 2, rows, columns
            planes = F.interpolate(planes, size=spectrum.shape[2:], mode="bilinear", align_corners=True)
            weight = planes.permute(1, 2, 3, 0).contiguous()
        spectrum = spectrum * torch.view_as_complex(weight)
        filtered: Tensor = torch.fft.irfft2(spectrum, s=size, norm="ortho")
        return filtered.to(x.dtype)


class GnConv(nn.Module):
    """Mix a (B, dim, H, W) map into one of the same shape. No activation, no softmax.

    MACs: 3NC² + Nk²D + N Σ dᵢdᵢ₊₁, D = Σ dᵢ the width of all gates; 9ND/2 for Nk²D with a global filter.

    Args:
        dim: channels of input and output.
        order: of the interactions; the gates have dim / 2^(order − 1), …, dim / 2, dim channels.
        scale: constant factor of the convolution (1/3 in HorNet).
        kernel_size: of the depth-wise convolution.
        global_filter: a `GlobalLocalFilter` instead of that convolution.
        filter_size: of the global filter: rows and columns of the half spectrum; (14, 8) is for 14 × 14.

    Raises:
        ValueError: order is not positive, 2^(order − 1) does not divide dim, kernel_size is even, or the
            gates have an odd number of channels, which the global filter halves.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("local", ("positions",), "static")

    def __init__(
        self,
        dim: int,
        *,
        order: int = 5,
        scale: float = 1.0,
        kernel_size: int = 7,
        global_filter: bool = False,
        filter_size: tuple[int, int] = (14, 8),
    ) -> None:
        super().__init__()
        check_positive("order", order)
        if dim % 2 ** (order - 1):
            raise ValueError(f"order {order} needs a dim that {2 ** (order - 1)} divides, not {dim}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size} is not odd")
        self.dim = dim
        self.dims = [dim >> i for i in reversed(range(order))]
        self.scale = scale
        width = sum(self.dims)
        self.proj_in = nn.Conv2d(dim, 2 * dim, 1)
        self.dwconv: nn.Module = (
            GlobalLocalFilter(width, filter_size=filter_size)
            if global_filter
            else nn.Conv2d(width, width, kernel_size, padding=kernel_size // 2, groups=width)
        )
        self.pws = nn.ModuleList(
            nn.Conv2d(narrow, wide, 1) for narrow, wide in zip(self.dims, self.dims[1:], strict=False)
        )
        self.proj_out = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        # dim / 2^(order − 1) and the widths of all gates add up to 2 dim.
        x, gates = self.proj_in(x).split((self.dims[0], sum(self.dims)), dim=1)
        gates = self.dwconv(gates) * self.scale  # the same name, so that the layer's output is freed
        first, *others = gates.split(self.dims, dim=1)
        x = x * first
        for widen, gate in zip(self.pws, others, strict=True):
            x = widen(x) * gate
        out: Tensor = self.proj_out(x)
        return out


class HorNetBlock(nn.Module):
    """A block of HorNet on (B, dim, H, W): norm, gnConv; norm, MLP.

    MACs: That of gnConv, and 2NCD for the MLP of width D.

    Args:
        dim: channels of input and output.
        order, scale, kernel_size, global_filter, filter_size: of `GnConv`.
        mlp_ratio: width of the MLP over dim.
        layer_scale: where the factors of the two branches, one a channel, start; none if it is not positive.

    Raises:
        ValueError: as for `GnConv`.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self,
        dim: int,
        *,
        order: int = 5,
        scale: float = 1.0,
        kernel_size: int = 7,
        global_filter: bool = False,
        filter_size: tuple[int, int] = (14, 8),
        mlp_ratio: float = 4.0,
        layer_scale: float = 1e-6,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.norm1 = ChannelNorm(dim, eps=_EPS)
        self.gnconv = GnConv(
            dim,
            order=order,
            scale=scale,
            kernel_size=kernel_size,
            global_filter=global_filter,
            filter_size=filter_size,
        )
        self.norm2 = nn.LayerNorm(dim, eps=_EPS)
        self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio))
        self.gamma1, self.gamma2 = (
            nn.Parameter(torch.full((dim,), layer_scale)) if layer_scale > 0 else None for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.gnconv(self.norm1(x))
        x = x + (mixed if self.gamma1 is None else self.gamma1[:, None, None] * mixed)
        hidden = self.mlp(self.norm2(x.permute(0, 2, 3, 1)))
        if self.gamma2 is not None:
            hidden = self.gamma2 * hidden
        out: Tensor = x + hidden.permute(0, 3, 1, 2)
        return out


_GNCONV = arguments("dim order gflayer h w", renamed={"s": "scale"})
_BLOCK = arguments("dim", "gnconv", renamed={"layer_scale_init_value": "layer_scale"}, ignored=("drop_path",))


def _gnconv_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """The layer of the filter is a flag here; h and w are of the filter."""
    ours = _GNCONV(authors)
    filter_size = (ours.pop("h", 14), ours.pop("w", 8))
    gflayer = ours.pop("gflayer", None)
    if gflayer not in {None, "GlobalLocalFilter"}:
        raise ValueError(f"gflayer={gflayer!r} is not supported; only None and 'GlobalLocalFilter' are")
    return ours if gflayer is None else ours | {"global_filter": True, "filter_size": filter_size}


def _block_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """The block's arguments and, beside them, those of its gnConv."""
    ours = _BLOCK(authors)
    return ours | _gnconv_arguments(ours.pop("gnconv", None) or {})


PORTS = {
    "hornet_gnconv": Port(mixer="gnconv", arguments=_gnconv_arguments),
    "hornet_gnconv_gf": Port(mixer="gnconv", arguments=_gnconv_arguments),
    "hornet_block": Port(
        mixer="hornet_block", arguments=_block_arguments, state=renamed((r"pwconv", "mlp.fc"))
    ),
}
