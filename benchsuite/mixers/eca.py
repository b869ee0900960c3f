"""Efficient channel attention: gate each channel by a convolution over its neighbours' means.

Paper: Wang et al., "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks", CVPR 2020,
    arXiv:1910.03151.
Reference: huggingface/pytorch-image-models @ aa4b585, timm/layers/eca.py, EcaModule.
Names: kernel_size is the paper's k, by default its ψ(C) = |log₂(C) / gamma + beta / gamma| made odd.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_odd
from benchsuite.mixers._port import Arguments, Port, arguments


class EfficientChannelAttention(nn.Module):
    """Gate (B, dim, H, W) maps channel by channel; a position knows of others by the gate alone.

    MACs: Ck, for any grid.

    Args:
        dim: channels of input and output.
        kernel_size: neighbouring channels that a gate sees; by default chosen by dim, and at least 3.
        gamma, beta: by which kernel_size follows from dim: |log₂ dim + beta| / gamma, made odd.

    Raises:
        ValueError: kernel_size is not odd and positive.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("low rank", ("positions",), "dynamic per image")

    def __init__(self, dim: int, *, kernel_size: int | None = None, gamma: int = 2, beta: int = 1) -> None:
        super().__init__()
        self.dim = dim
        if kernel_size is None:
            nearest = int(abs(math.log2(dim) + beta) / gamma)
            kernel_size = max(nearest if nearest % 2 else nearest + 1, 3)
        self.kernel_size = check_odd("kernel_size", kernel_size)
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.conv(x.mean(dim=(2, 3)).unsqueeze(1)).sigmoid()  # B, 1, dim
        out: Tensor = x * gate.reshape(x.shape[0], -1, 1, 1)
        return out


_read = arguments("kernel_size gamma beta", renamed={"channels": "dim"}, only={"use_mlp": False})


def _arguments(authors: Arguments) -> dict[str, Any]:
    """Their kernel_size counts only where they do not give the channels."""
    ours = _read(authors)
    if ours.get("dim") is None:
        # Theirs then takes maps of any width, and so does ours: dim is for the choice of the kernel.
        return {"kernel_size": 3} | ours | {"dim": 1}
    return {name: value for name, value in ours.items() if name != "kernel_size"}


PORTS = {"eca": Port(mixer="eca", arguments=_arguments)}
