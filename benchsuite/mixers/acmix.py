"""ACmix: local self-attention and a convolution that share their 1 × 1 projections; and its bottleneck.

Paper: Pan et al., "On the Integration of Self-Attention and Convolution", CVPR 2022, arXiv:2111.14556.
Reference: LeapLabTHU/ACmix @ 81dddb6, ResNet/test_bottleneck.py, ACmix; Bottleneck of ResNet_ImageNet.py.
Differs: one convolution makes queries, keys and values; a query's own position embedding, which softmax
    cancels, is not added to its logits; the padding of the group convolution follows its kernel (the authors'
    is 1, which fits theirs of 3); shift "tensor" is the paper's, and not in the released code.
Names: kernel_size is the paper's k_a, conv_kernel_size its k_c; rate1 and rate2, its α and β;
    M = N / stride².
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout
from benchsuite.mixers._checks import check_kernel, check_odd, check_one_of, head_dim_of
from benchsuite.mixers._compiled import by_kernel
from benchsuite.mixers._neighbors import GridEmbedding, aggregate, check_stride, correlate, reflect
from benchsuite.mixers._port import Arguments, Port, State, arguments, renamed
from benchsuite.mixers._tiles import Tiles, Windows

SHIFTS = ("group_conv", "tensor")


class ACmix(nn.Module):
    """Mix a (B, dim, H, W) map into (B, dim_out, H / stride, W / stride).

    The channels of the attention path are in the order of heads first, those of the convolution path in the
    order of head_dim first; they are summed as they stand.

    MACs: 3NCC' + 2Nd + 2Mk_a²C' + 3Nk_c²C' + Mk_c⁴C', C' of the output, d the head_dim.

        The second term, of the positions, is paid once a batch; this is a batch of one. The last term is that
        of shift "group_conv". On kernels but "math" the tiles' pairs stand for Mk_a².

    Args:
        dim, num_heads: as for `MSA`.
        dim_out: channels of the output, dim by default; the heads divide these.
        kernel_size: side of the window that a position attends to; the map is padded by reflection.
        conv_kernel_size: side of the convolution.
        stride: of the output's positions, for both paths.
        shift: how the convolution path shifts, "group_conv" or "tensor".
        kernel: "math" multiplies exactly the pairs of the windows; so does "compiled", in loops that torch
            compiles; the others attend by tiles.

    Raises:
        ValueError: num_heads does not divide dim_out, a kernel size is not odd, or shift or kernel is
            unknown; in `forward`, the stride does not divide the grid, or the grid is too small to be
            reflected.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = (*ATTENTION_KERNELS, "compiled")
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 4,
        *,
        dim_out: int | None = None,
        kernel_size: int = 7,
        conv_kernel_size: int = 3,
        stride: int = 1,
        shift: str = "group_conv",
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.dim_out = dim if dim_out is None else dim_out
        self.num_heads = num_heads
        self.head_dim = head_dim_of(self.dim_out, num_heads)
        self.kernel_size = check_odd("kernel_size", kernel_size)
        self.stride = stride
        self.kernel = check_kernel(kernel, self.kernels, "acmix")
        self.qkv = nn.Conv2d(dim, 3 * self.dim_out, kernel_size=1)
        self.conv_p = GridEmbedding(self.head_dim)
        self.conv = ShiftedConvolution(
            3 * num_heads,
            self.head_dim,
            self.dim_out,
            kernel_size=conv_kernel_size,
            stride=stride,
            shift=shift,
        )
        self.rate1 = nn.Parameter(torch.full((1,), 0.5))
        self.rate2 = nn.Parameter(torch.full((1,), 0.5))
        self._made_for: tuple[object, ...] | None = None
        self._tiles: Tiles | None = None

    def forward(self, x: Tensor) -> Tensor:
        check_stride(self.stride, (x.shape[2], x.shape[3]))
        qkv = self.qkv(x)
        conv = self.conv(qkv.unflatten(1, (3 * self.num_heads, self.head_dim)))
        q, k, v = qkv.unflatten(1, (3, self.num_heads, self.head_dim)).unbind(1)  # B, heads, head_dim, H, W
        padding = self.kernel_size // 2
        k, v = reflect(k - self.conv_p(x), padding), reflect(v, padding)
        attended = self._attend(q[..., :: self.stride, :: self.stride], k, v)
        out: Tensor = self.rate1 * attended.flatten(1, 2) + self.rate2 * conv
        return out

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Each query with the window of padded keys and values around it: (B, heads, head_dim, H', W')."""
        if self.kernel in ("math", "compiled"):
            return by_kernel(self.kernel, _attend_windows, q, k, v, self.kernel_size, self.stride)
        made_for = (q.shape[-2:], q.device, q.dtype)
        if made_for != self._made_for:
            rows, columns = self._windows((int(q.shape[3]), int(q.shape[4])))
            with torch.inference_mode(False):  # what inference mode makes, a later backward may not save
                self._tiles = Tiles(rows, columns, 1, q)
            self._made_for = made_for
        assert self._tiles is not None
        q, k, v = (t.permute(0, 1, 3, 4, 2) for t in (q, k, v))
        out = self._tiles.attend(q, k, v, kernel=self.kernel, bias=self._tiles.mask, dropout=0.0)
        return out.permute(0, 1, 4, 2, 3)

    def _windows(self, size: tuple[int, int]) -> tuple[Windows, Windows]:
        """Rows and columns of the padded map for each row and column of the output."""
        rows, columns = (
            [range(first * self.stride, first * self.stride + self.kernel_size) for first in range(side)]
            for side in size
        )
        return rows, columns


def _attend_windows(q: Tensor, k: Tensor, v: Tensor, kernel_size: int, stride: int) -> Tensor:
    """(B, heads, head_dim, H', W') queries with the windows of padded keys and values; the same shape."""
    q = q * q.shape[2] ** -0.5
    weights = correlate(q, k, kernel_size, stride=stride).softmax(dim=-3)
    return aggregate(weights.unsqueeze(2), v, kernel_size, stride=stride)


class ShiftedConvolution(nn.Module):
    """(B, in_heads, head_dim, H, W) → (B, dim, H / stride, W / stride), like a k × k convolution.

    A fully connected layer mixes the heads to k² maps for each of the head_dim channels; each channel's maps
    are shifted by the k² offsets and summed to dim / head_dim maps. Output channels are in the order of
    head_dim first: the maps of a channel stand together. Without a bias but that of the first layer.

    Args:
        shift: "group_conv" shifts and sums by a convolution of head_dim groups, whose kernels are shifts to
            begin with. "tensor" shifts tensors and has no weights of its own; the dim / head_dim maps of a
            channel are then the same, as they are from "group_conv" before it has learned anything.

    Raises:
        ValueError: kernel_size is not odd, head_dim does not divide dim, or shift is unknown.
    """

    def __init__(
        self,
        in_heads: int,
        head_dim: int,
        dim: int,
        *,
        kernel_size: int,
        stride: int = 1,
        bias: bool = False,
        shift: str = "group_conv",
    ) -> None:
        super().__init__()
        check_one_of("shift", shift, SHIFTS)
        if dim % head_dim:
            raise ValueError(f"head_dim {head_dim} does not divide dim {dim}")
        self.in_heads = in_heads
        self.head_dim = head_dim
        self.dim = dim
        self.kernel_size = check_odd("conv_kernel_size", kernel_size)
        self.stride = stride
        self.shift = shift
        self.fc = nn.Conv2d(in_heads, kernel_size**2, kernel_size=1, bias=bias)
        if shift == "group_conv":
            self.dep_conv = nn.Conv2d(
                kernel_size**2 * head_dim,
                dim,
                kernel_size,
                stride=stride,
                padding=kernel_size // 2,
                groups=head_dim,
                bias=False,
            )
            with torch.no_grad():
                one_hot = torch.eye(kernel_size**2).reshape(1, kernel_size**2, kernel_size, kernel_size)
                self.dep_conv.weight.copy_(one_hot.expand_as(self.dep_conv.weight))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = x.flatten(3)
        if x.stride(2) == 1:  # channels innermost: there are fewer of them to be moved behind the layer
            maps = self.fc(x.transpose(2, 3)).permute(0, 3, 1, 2)
        else:
            maps = self.fc(x).transpose(1, 2)  # B, head_dim, k², H·W
        if self.shift == "group_conv":
            out: Tensor = self.dep_conv(maps.flatten(1, 2).unflatten(2, (height, width)))
            return out
        out = self._shifted_sum(maps.unflatten(3, (height, width)))
        return out.repeat_interleave(self.dim // self.head_dim, dim=1)

    def _shifted_sum(self, maps: Tensor) -> Tensor:
        """(B, head_dim, k², H, W) → (B, head_dim, H / stride, W / stride); zeros come in from outside."""
        (height, width), k, stride = maps.shape[-2:], self.kernel_size, self.stride
        maps = nn.functional.pad(maps, (k // 2,) * 4)
        total: Tensor | None = None
        for offset in range(k**2):
            y, x = divmod(offset, k)
            part = maps[:, :, offset, y : y + height : stride, x : x + width : stride]
            total = part if total is None else total + part
        assert total is not None
        return total


class ACmixBottleneck(nn.Module):
    """ResNet's bottleneck with ACmix for its 3 × 3 convolution: (B, dim, H, W) → (B, 4 width, H', W').

    The shortcut is a strided 1 × 1 convolution and a norm where the shape changes.

    MACs: NCC' + ACmix of C' + 4MC'², C' the width; 4MCC' more for a shortcut that changes the shape.

    Args:
        dim, num_heads, kernel: as for `MSA`.
        width: channels of ACmix; dim / 4 by default, which keeps the shape.
        kernel_size, conv_kernel_size, stride, shift: as for `ACmix`.

    Raises:
        ValueError: as ACmix with dim `width`.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS

    def __init__(
        self,
        dim: int,
        num_heads: int = 4,
        *,
        width: int | None = None,
        kernel_size: int = 7,
        conv_kernel_size: int = 3,
        stride: int = 1,
        shift: str = "group_conv",
        kernel: str = "math",
    ) -> None:
        super().__init__()
        check_kernel(kernel, self.kernels, "acmix_bottleneck")
        if width is None:
            head_dim_of(dim, num_heads)  # named before the quarter of it is
        self.dim = dim
        self.width = dim // 4 if width is None else width
        self.conv1 = nn.Conv2d(dim, self.width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(self.width)
        self.conv2 = ACmix(
            self.width,
            num_heads,
            kernel_size=kernel_size,
            conv_kernel_size=conv_kernel_size,
            stride=stride,
            shift=shift,
            kernel=kernel,
        )
        self.bn2 = nn.BatchNorm2d(self.width)
        self.conv3 = nn.Conv2d(self.width, 4 * self.width, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * self.width)
        self.stride = stride
        self.downsample = None
        if stride != 1 or dim != 4 * self.width:
            self.downsample = nn.Sequential(
                nn.Conv2d(dim, 4 * self.width, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(4 * self.width),
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        out: Tensor = (self.bn3(self.conv3(x)) + shortcut).relu()
        return out


_ARGUMENTS = arguments(
    "stride",
    renamed={
        "in_planes": "dim",
        "out_planes": "dim_out",
        "head": "num_heads",
        "kernel_att": "kernel_size",
        "kernel_conv": "conv_kernel_size",
    },
    only={"dilation": 1},
)
_BOTTLENECK = arguments(
    "stride",
    renamed={
        "inplanes": "dim",
        "planes": "width",
        "k_att": "kernel_size",
        "head": "num_heads",
        "k_conv": "conv_kernel_size",
    },
    only={"groups": 1, "base_width": 64, "dilation": 1},
    ignored=("downsample", "norm_layer"),  # built where the shape asks for it; batch norm
)


def _state(prefix: str) -> Callable[[State], dict[str, Tensor]]:
    """Stack the authors' conv1, conv2 and conv3, which are q, k and v; move fc and dep_conv to their path."""
    rename = renamed((rf"{prefix}(fc|dep_conv)\.", rf"{prefix}conv.\1."))

    def convert(state: State) -> dict[str, Tensor]:
        ours = rename(state)
        for kind in ("weight", "bias"):
            parts = [ours.pop(f"{prefix}conv{number}.{kind}") for number in (1, 2, 3)]
            ours[f"{prefix}qkv.{kind}"] = torch.cat(parts)
        return ours

    return convert


def _acmix_arguments(authors: Arguments) -> dict[str, Any]:
    return {"num_heads": 4} | _ARGUMENTS(authors)


PORTS = {
    "acmix": Port(mixer="acmix", arguments=_acmix_arguments, state=_state("")),
    "acmix_bottleneck": Port(mixer="acmix_bottleneck", arguments=_BOTTLENECK, state=_state("conv2.")),
}
