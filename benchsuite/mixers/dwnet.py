"""DWNet's blocks: a depth-wise convolution between 1 × 1 convolutions, and an MLP behind.

Paper: Han et al., "On the Connection between Local Attention and Dynamic Depth-wise Convolution",
    ICLR 2022, arXiv:2106.04263.
Reference: Atten4Vis/DemystifyLocalViT @ ce7c0b7, models/dwnet.py, DWBlock and SpatialBlock.
Differs: the blocks of the homogeneous dynamic network are dynamic, as the paper defines them; in that
    revision a later line overwrites them with a static convolution. No stochastic depth.
Names: as in `depthwise.py`; kernel_size is the authors' window_size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_kernel, check_one_of
from benchsuite.mixers._grid import Size, as_map, as_tokens
from benchsuite.mixers._layers import MLP
from benchsuite.mixers._port import Arguments, Port, State, arguments, renamed
from benchsuite.mixers.depthwise import (
    DepthwiseConv,
    DynamicDepthwiseConv,
    InhomogeneousDepthwiseConv,
    groups_of,
    inhomogeneous_state,
)

WEIGHTS = ("static", "dynamic", "idynamic")


class _DWBlock(nn.Module):
    """1 × 1 convolution, depth-wise convolution, 1 × 1 convolution, each with a batch norm, ReLU between.

    MACs: 2NC², and those of the convolution between.
    """

    layout: ClassVar[Layout] = "NHWC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, conv: DepthwiseConv | DynamicDepthwiseConv | InhomogeneousDepthwiseConv) -> None:
        super().__init__()
        self.dim = dim = conv.dim
        self.conv0 = nn.Conv2d(dim, dim, 1, bias=False)
        self.bn0 = nn.BatchNorm2d(dim, eps=1e-5)
        self.conv = conv
        self.bn = nn.BatchNorm2d(dim, eps=1e-5)
        self.conv2 = nn.Conv2d(dim, dim, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(dim, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn0(self.conv0(x.permute(0, 3, 1, 2))))  # B, dim, H, W
        x = F.relu(self.bn(self.conv(x)))
        x = self.bn2(self.conv2(x))
        return x.permute(0, 2, 3, 1)


class DWBlock(_DWBlock):
    """Mix (B, H, W, dim) maps: a static depth-wise convolution between 1 × 1 convolutions with batch norms.

    What DWNet puts in the place of window attention and its projections.

    Args:
        dim: channels of input and output.
        kernel_size: side of the kernel, odd.
        groups: kernels, as for `DepthwiseConv`.

    Raises:
        ValueError: as `DepthwiseConv` does.
    """

    relation: ClassVar[Relation] = DepthwiseConv.relation

    def __init__(self, dim: int, *, kernel_size: int = 7, groups: int | None = None) -> None:
        super().__init__(DepthwiseConv(dim, kernel_size=kernel_size, groups=groups))


class DynamicDWBlock(_DWBlock):
    """`DWBlock` with kernels predicted once an image.

    Args:
        dim: channels of input and output.
        kernel_size: side of the kernel, odd.
        reduction: as for `DynamicDepthwiseConv`.

    Raises:
        ValueError: as `DynamicDepthwiseConv` does.
    """

    relation: ClassVar[Relation] = DynamicDepthwiseConv.relation

    def __init__(self, dim: int, *, kernel_size: int = 7, reduction: int = 4) -> None:
        super().__init__(DynamicDepthwiseConv(dim, kernel_size=kernel_size, reduction=reduction))


class InhomogeneousDWBlock(_DWBlock):
    """`DWBlock` with kernels predicted for each position.

    Args:
        dim: channels of input and output.
        kernel_size: side of the kernel, odd.
        groups, reduction, kernel: as for `InhomogeneousDepthwiseConv`.

    Raises:
        ValueError: as `InhomogeneousDepthwiseConv` does.
    """

    kernels: ClassVar[tuple[str, ...]] = InhomogeneousDepthwiseConv.kernels
    relation: ClassVar[Relation] = InhomogeneousDepthwiseConv.relation

    def __init__(
        self,
        dim: int,
        *,
        kernel_size: int = 7,
        groups: int = 32,
        reduction: int = 4,
        kernel: str = "math",
    ) -> None:
        check_kernel(kernel, self.kernels, "idynamic_dw_block")
        super().__init__(
            InhomogeneousDepthwiseConv(
                dim, kernel_size=kernel_size, groups=groups, reduction=reduction, kernel=kernel
            )
        )


class DWNetBlock(nn.Module):
    """DWNet's block on (B, N, dim) tokens of an H × W grid: x + mixer(x), then x + MLP(batch norm(x)).

    There is no norm before the mixer.

    MACs: The mixer's, and 2NCD of the MLP.

    Args:
        dim: channels of input and output.
        weights: of the mixer, "static", "dynamic" (per image) or "idynamic" (per position).
        kernel_size: side of the kernel, odd.
        groups: of the mixer, where it is "static" or "idynamic"; by default that mixer's own.
        mlp_ratio: hidden channels of the MLP over dim.
        drop: dropout in the feed-forward network.

    Raises:
        ValueError: weights is unknown, groups is given for "dynamic", or as the mixer does.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self,
        dim: int,
        *,
        weights: str = "static",
        kernel_size: int = 7,
        groups: int | None = None,
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        check_one_of("weights", weights, WEIGHTS)
        if weights == "dynamic" and groups is not None:
            raise ValueError(f'groups {groups} has no meaning where weights is "dynamic"')
        self.dim = dim
        self.mixer: _DWBlock
        if weights == "static":
            self.mixer = DWBlock(dim, kernel_size=kernel_size, groups=groups)
        elif weights == "dynamic":
            self.mixer = DynamicDWBlock(dim, kernel_size=kernel_size)
        else:
            groups = 32 if groups is None else groups
            self.mixer = InhomogeneousDWBlock(dim, kernel_size=kernel_size, groups=groups)
        self.norm = nn.BatchNorm2d(dim, eps=1e-5)
        self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio), drop=drop)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        batch, tokens, _ = x.shape
        mixed = self.mixer(x.reshape(batch, *size, self.dim))
        x = x + mixed.reshape(batch, tokens, self.dim)
        out: Tensor = x + self.mlp(as_tokens(self.norm(as_map(x, size))))
        return out


_read = arguments(
    "dim mlp_ratio drop dynamic inhomogeneous",
    renamed={"window_size": "kernel_size", "heads": "heads", "inhomo_head": "heads"},
    ignored=("input_resolution", "drop_path"),
)


def _arguments(weights: str, *, block: bool) -> Callable[[Arguments], dict[str, Any]]:
    """For a mixer or block whose kind the case's name says; its flags must not contradict.

    The flag `dynamic` alone says nothing: the released code builds a static convolution from it.
    """

    def convert(authors: Arguments) -> dict[str, Any]:
        ours = _read(authors)
        dynamic, inhomogeneous = ours.pop("dynamic", True), ours.pop("inhomogeneous", weights == "idynamic")
        heads = ours.pop("heads", None)
        if (dynamic and inhomogeneous) != (weights == "idynamic"):
            raise ValueError(f"dynamic={dynamic!r} and inhomogeneous={inhomogeneous!r} are not {weights}")
        if weights == "idynamic":
            ours["groups"] = groups_of(ours["dim"], heads)
        return ours | {"weights": weights} if block else ours

    return convert


def _block_state(weights: str) -> Callable[[State], dict[str, Tensor]]:
    rename = renamed((r"attn2conv\.", "mixer."), (r"bn\.", "norm."))
    return lambda state: inhomogeneous_state(rename(state)) if weights == "idynamic" else rename(state)


_KEYS = {"static": "dw_block", "dynamic": "dynamic_dw_block", "idynamic": "idynamic_dw_block"}

PORTS = {
    f"dwnet_{weights}_block": Port(
        mixer=key,
        arguments=_arguments(weights, block=False),
        state=inhomogeneous_state if weights == "idynamic" else dict,
    )
    for weights, key in _KEYS.items()
} | {
    f"dwnet_spatial_block_{weights}": Port(
        mixer="dwnet_block", arguments=_arguments(weights, block=True), state=_block_state(weights)
    )
    for weights in WEIGHTS
}
