"""Depth-wise convolutions in the place of local attention: static, dynamic per image, dynamic per position.

Paper: Han et al., "On the Connection between Local Attention and Dynamic Depth-wise Convolution",
    ICLR 2022, arXiv:2106.04263.
Reference: Atten4Vis/DemystifyLocalViT @ ce7c0b7, models/dwnet.py (DynamicDWConv) and
    models/idynamic.py. The blocks around are in `dwnet.py`.
Differs: the inhomogeneous convolution is in plain torch, where the authors' runs on CUDA only.
Names: kernel_size is the paper's window K; groups, its M, the sets of channels that share a kernel, as the
    channels of a head do in attention (the authors' inhomo_heads and group_channels are dim / groups).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_kernel, check_odd, check_positive
from benchsuite.mixers._compiled import by_kernel
from benchsuite.mixers._neighbors import position_wise_conv
from benchsuite.mixers._port import Arguments, Port, arguments, renamed


class DepthwiseConv(nn.Module):
    """Mix (B, dim, H, W) maps by one learned kernel for each channel, or for each group of channels.

    MACs: Nk²C.

    Args:
        dim: channels of input and output.
        kernel_size: side of the kernel, odd.
        groups: kernels; each serves dim / groups consecutive channels. dim by default: nothing is shared.
        bias: whether the convolution adds a bias.

    Raises:
        ValueError: kernel_size is not odd and positive, or groups does not divide dim.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("local", ("positions",), "static")

    def __init__(
        self, dim: int, *, kernel_size: int = 7, groups: int | None = None, bias: bool = True
    ) -> None:
        super().__init__()
        self.dim = dim
        self.kernel_size = check_odd("kernel_size", kernel_size)
        self.groups = _check_groups(dim if groups is None else groups, dim)
        self.weight = nn.Parameter(torch.empty(self.groups, 1, kernel_size, kernel_size))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as nn.Conv2d's
        self.bias = nn.Parameter(torch.zeros(dim)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.weight
        if self.groups != self.dim:
            weight = weight.repeat_interleave(self.dim // self.groups, dim=0)  # dim, 1, k, k
        return F.conv2d(x, weight, self.bias, padding=self.kernel_size // 2, groups=self.dim)


class DynamicDepthwiseConv(nn.Module):
    """Mix (B, dim, H, W) maps by kernels that two layers predict from each image's mean: homogeneous.

    The kernels are as they are predicted, with no softmax or norm. In training the batch norm between the
    layers sees one value for each image and channel, so a batch of one image raises.

    MACs: N'k²C + CD + DCk², N' positions of the output, D channels between the layers.

    Args:
        dim: channels of input and output.
        kernel_size: side of the kernel, odd.
        stride, padding: of the convolution; padding is kernel_size // 2 by default.
        reduction: dim / reduction channels lie between the two layers.
        bias: whether the convolution adds a bias.

    Raises:
        ValueError: kernel_size is not odd and positive, stride is not positive, or reduction is not between
            1 and dim; in training, the batch is one image.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("local", ("positions",), "dynamic per image")

    def __init__(
        self,
        dim: int,
        *,
        kernel_size: int = 7,
        stride: int = 1,
        padding: int | None = None,
        reduction: int = 4,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_positive("stride", stride)
        self.dim = dim
        self.kernel_size = check_odd("kernel_size", kernel_size)
        self.stride = stride
        self.padding = kernel_size // 2 if padding is None else padding
        hidden = _reduced(dim, reduction)
        self.conv1 = nn.Conv2d(dim, hidden, 1, bias=False)
        self.bn = nn.BatchNorm2d(hidden, eps=1e-5)
        self.conv2 = nn.Conv2d(hidden, dim * kernel_size**2, 1)
        self.bias = nn.Parameter(torch.zeros(dim)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        weight = self.conv2(F.relu(self.bn(self.conv1(x.mean(dim=(2, 3), keepdim=True)))))
        weight = weight.reshape(batch * self.dim, 1, self.kernel_size, self.kernel_size)
        # The images of the batch become groups of one convolution: 1, B × dim, H, W.
        out = F.conv2d(
            x.reshape(1, -1, *x.shape[2:]),
            weight,
            None if self.bias is None else self.bias.repeat(batch),
            stride=self.stride,
            padding=self.padding,
            groups=batch * self.dim,
        )
        return out.reshape(batch, self.dim, *out.shape[2:])


class InhomogeneousDepthwiseConv(nn.Module):
    """Mix (B, dim, H, W) maps by kernels that two 1 × 1 convolutions predict for each position.

    A kernel serves the dim / groups consecutive channels of its group. There is no softmax and no bias.

    MACs: NCD + NDk²G + Nk²C, D channels between the layers, G groups.

    Args:
        dim: channels of input and output.
        kernel_size: side of the kernel, odd.
        groups: kernels at a position; the networks of the paper have 32 in every stage.
        reduction: dim / reduction channels lie between the two layers.
        kernel: "math", or "compiled": padding, products and sums as one loop that torch compiles.

    Raises:
        ValueError: kernel_size is not odd and positive, groups does not divide dim, or reduction is not
            between 1 and dim.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math", "compiled")
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        *,
        kernel_size: int = 7,
        groups: int = 32,
        reduction: int = 4,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.kernel = check_kernel(kernel, self.kernels, "idynamic_dwconv")
        self.dim = dim
        self.kernel_size = check_odd("kernel_size", kernel_size)
        self.groups = _check_groups(groups, dim)
        hidden = _reduced(dim, reduction)
        self.conv1 = nn.Conv2d(dim, hidden, 1)
        self.bn = nn.BatchNorm2d(hidden, eps=1e-5)
        self.conv2 = nn.Conv2d(hidden, self.groups * kernel_size**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.conv2(F.relu(self.bn(self.conv1(x)))).unflatten(1, (self.groups, -1))
        return by_kernel(self.kernel, position_wise_conv, x, weight, self.kernel_size)


def _check_groups(groups: int, dim: int) -> int:
    if groups < 1 or dim % groups:
        raise ValueError(f"groups {groups} does not divide dim {dim}")
    return groups


def _reduced(dim: int, reduction: int) -> int:
    if not 1 <= reduction <= dim:
        raise ValueError(f"reduction {reduction} is not between 1 and dim {dim}")
    return dim // reduction


_read_dynamic = arguments("dim kernel_size bias stride padding reduction", renamed={"groups": "groups"})


def _dynamic_arguments(authors: Arguments) -> dict[str, Any]:
    ours = {"padding": 1} | _read_dynamic(authors)
    groups = ours.pop("groups", ours["dim"])
    if groups != ours["dim"]:
        raise ValueError(f"groups={groups} is not supported; only a depth-wise convolution is")
    return ours


_read_inhomogeneous = arguments("kernel_size", renamed={"channels": "dim", "group_channels": "groups"})


def _inhomogeneous_arguments(authors: Arguments) -> dict[str, Any]:
    ours = _read_inhomogeneous(authors)
    return ours | {"groups": groups_of(ours["dim"], ours["groups"])}


def groups_of(dim: int, channels: int) -> int:
    """Groups of so many channels; raises ValueError if they do not make up dim."""
    if channels < 1 or dim % channels:
        raise ValueError(f"groups of {channels} channels do not make up dim {dim}")
    return dim // channels


inhomogeneous_state = renamed(
    (r"((?:.*\.)?)conv1\.0\.", r"\1conv1."),
    (r"((?:.*\.)?)conv1\.1\.", r"\1bn."),
    (r"((?:.*\.)?)conv2\.0\.", r"\1conv2."),
)
"""The authors' names of `InhomogeneousDepthwiseConv`'s weights, wherever it stands → ours."""

PORTS = {
    "dynamic_dwconv": Port(mixer="dynamic_dwconv", arguments=_dynamic_arguments),
    "idynamic_dwconv": Port(
        mixer="idynamic_dwconv", arguments=_inhomogeneous_arguments, state=inhomogeneous_state
    ),
}
