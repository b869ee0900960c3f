"""Ways into a stage: patches of the image, and merging of the tokens of the stage before.

Each takes a (B, channels, H, W) map and returns a (B, dim, H', W') map, tokens in rows and columns; `grid`
says which H' and W'. Maps made of tokens are views, channels last in memory. At the end, the size of images.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import lit
from benchsuite.mixers._grid import as_map, as_tokens

Size = tuple[int, int]


def size_of(x: Tensor) -> Size:
    """Height and width of a (B, C, H, W) map, as plain numbers where a tracer would make tensors of them."""
    return int(x.shape[2]), int(x.shape[3])


class Embedding(nn.Module, ABC):
    """A way into a stage."""

    @abstractmethod
    def grid(self, size: Size) -> Size:
        """Height and width of the output; raises ValueError for an input that has none."""


class PatchEmbedding(Embedding):
    """A strided convolution and a LayerNorm over the channels of what it makes.

    Args:
        kernel_size: of the convolution; as the stride by default, so that patches do not overlap. Overlapping
            patches have ⌊kernel_size / 2⌋ rows and columns of zeros around the map.
    """

    def __init__(
        self, channels: int, dim: int, *, stride: int, kernel_size: int | None = None, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.stride = stride
        self.kernel_size = stride if kernel_size is None else kernel_size
        self.padding = 0 if self.kernel_size == stride else self.kernel_size // 2
        self.proj = nn.Conv2d(channels, dim, self.kernel_size, stride=stride, padding=self.padding)
        self.norm = nn.LayerNorm(dim, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        x = self.proj(x)
        return as_map(self.norm(as_tokens(x)), size_of(x))

    def grid(self, size: Size) -> Size:
        return convolved(size, self.kernel_size, self.stride, self.padding)


class NormedMerging(Embedding):
    """A LayerNorm over the channels and then a strided convolution, as DaViT merges.

    The map is padded with zeros, right and bottom, to a multiple of the stride.

    Args:
        kernel_size: as for `PatchEmbedding`.
    """

    def __init__(
        self, channels: int, dim: int, *, stride: int, kernel_size: int | None = None, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.stride = stride
        self.kernel_size = stride if kernel_size is None else kernel_size
        padding = 0 if self.kernel_size == stride else self.kernel_size // 2
        self.norm = nn.LayerNorm(channels, eps=eps)
        self.proj = nn.Conv2d(channels, dim, self.kernel_size, stride=stride, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        height, width = size_of(x)
        x = as_map(self.norm(as_tokens(x)), (height, width))
        if height % self.stride or width % self.stride:
            x = F.pad(x, (0, -width % self.stride, 0, -height % self.stride))
        out: Tensor = self.proj(x)
        return out

    def grid(self, size: Size) -> Size:
        return -(-size[0] // self.stride), -(-size[1] // self.stride)


class PatchMerging(Embedding):
    """The channels of 2 × 2 tokens side by side, a LayerNorm over them, and a linear layer, as Swin merges.

    The four come in the order of columns: (0, 0), (1, 0), (0, 1), (1, 1), each (row, column).
    """

    def __init__(self, channels: int, dim: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels, eps=eps)
        self.reduction = nn.Linear(4 * channels, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        x = torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], dim=-1)  # B, H / 2, W / 2, 4C
        out: Tensor = self.reduction(self.norm(x))
        return out.permute(0, 3, 1, 2)

    def grid(self, size: Size) -> Size:
        if size[0] % 2 or size[1] % 2:
            raise ValueError(f"a {size[0]} × {size[1]} grid cannot be merged 2 × 2 by 2 × 2")
        return size[0] // 2, size[1] // 2


class DeformableEmbedding(lit.DeformableMerging, Embedding):
    """LIT's merging of 2 × 2 tokens by a deformable convolution, to any number of channels."""

    def forward(self, x: Tensor) -> Tensor:
        return self.merge(x, size_of(x))


def convolved(size: Size, kernel_size: int, stride: int, padding: int) -> Size:
    """Height and width after a convolution; raises ValueError if nothing is left."""
    height, width = ((side + 2 * padding - kernel_size) // stride + 1 for side in size)
    if height < 1 or width < 1:
        raise ValueError(f"{size[0]} × {size[1]} is too small for {kernel_size} × {kernel_size} patches")
    return height, width


def image_size(resolution: int | Size, multiple: int, network: str) -> Size:
    """Height and width of the images; a single number is both.

    Raises:
        ValueError: a side is not a positive multiple of `multiple`.
    """
    height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
    if min(height, width) < 1 or height % multiple or width % multiple:
        raise ValueError(
            f"{network} cuts images into {multiple} × {multiple} patches, not {height} × {width}"
        )
    return height, width


def check_image(x: Tensor, size: Size, network: str) -> None:
    """Raise ValueError unless the (B, 3, H, W) images have the size that the network was built for."""
    height, width = int(x.shape[2]), int(x.shape[3])
    if (height, width) != size:
        raise ValueError(
            f"this {network} was built for images of {size[0]} × {size[1]}, not of {height} × {width}; "
            "give it another resolution"
        )
