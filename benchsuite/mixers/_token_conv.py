"""Convolutions over the grid of tokens: their windows, and position by convolution."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from benchsuite.mixers._attention import Layout
from benchsuite.mixers._feature_map import as_map, as_tokens

Size = tuple[int, int]


def check_kernel_size(kernel_size: int) -> int:
    """Return `kernel_size`, or raise ValueError unless a window of that side has a centre."""
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size {kernel_size} is not odd and positive")
    return kernel_size


class ConvolutionalPosition(nn.Module):
    """Add to (B, N, dim) tokens of an H × W grid a depth-wise convolution of them: x + conv(x).

    The zeros around the grid tell a token where it stands. With a stride there is nothing to add to, and the
    result is the convolution alone, of ⌈H / stride⌉ × ⌈W / stride⌉ tokens.

    MACs: Nk²C, N of the output.

    Raises:
        ValueError: kernel_size is not odd and positive, or stride is not positive.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, dim: int, *, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        check_kernel_size(kernel_size)
        if stride < 1:
            raise ValueError(f"stride {stride} is not positive")
        self.dim = dim
        self.kernel_size = kernel_size
        self.stride = stride
        self.proj = nn.Conv2d(
            dim, dim, kernel_size, stride=stride, padding=kernel_size // 2, groups=dim, bias=True
        )

    def forward(self, x: Tensor, size: Size) -> Tensor:
        moved = as_tokens(self.proj(as_map(x, size)))
        return x + moved if self.stride == 1 else moved
