"""Pooling as a mixer: the mean of a token's neighbours less the token itself.

Paper: Yu et al., "MetaFormer Is Actually What You Need for Vision", CVPR 2022, arXiv:2111.11418.
Reference: sail-sg/poolformer @ a075575, models/poolformer.py, Pooling.
Names: pool_size is the paper's K.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._port import Port, arguments


class Pooling(nn.Module):
    """Mix (B, dim, H, W) maps into (B, dim, H, W), without parameters.

    The mean at a border is over the tokens that are there; the token is subtracted because the block adds it.

    MACs: None: pooling is no multiply–add.

    Args:
        dim: channels of input and output.
        pool_size: side of the square that is averaged, odd.

    Raises:
        ValueError: pool_size is not odd.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("local", ("positions", "channels"), "static")

    def __init__(self, dim: int, *, pool_size: int = 3) -> None:
        super().__init__()
        if pool_size < 1 or pool_size % 2 == 0:
            raise ValueError(f"pool_size {pool_size} is not odd, so the grid would not keep its size")
        self.dim = dim
        self.pool_size = pool_size

    def forward(self, x: Tensor) -> Tensor:
        mean = F.avg_pool2d(x, self.pool_size, 1, self.pool_size // 2, count_include_pad=False)
        return mean - x


PORTS = {
    # Parameters would tell the channels; there are none, and any number does.
    "pooling": Port(mixer="pooling", arguments=arguments("pool_size", "dim", defaults={"dim": 1})),
}
