"""Products and convolutions whose multiply–adds are known: what a roof of multiplication is measured with.

One product is not enough. torch takes matrix products of fp32 on a CPU from MKL, which runs 256-bit code on
CPUs that are not Intel's, and most convolutions from oneDNN, which runs 512-bit code on the same CPU, at more
than twice the rate. Which of them is fastest differs from machine to machine, so all are tried.

The roof's convolutions of 3 × 3 have a stride of 2: Winograd's algorithm, which needs fewer multiplications
than are counted, is of unit stride. That of unit stride is measured beside the roof, to see whether the
machine gains by such an algorithm. No convolution has padding, whose products with zero are counted and left
out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F

Step = Callable[[], object]
_SIDE = 14
"""Side of the maps that are convolved, hence 196 rows an image for a linear layer."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of what is multiplied and copied at most.

    Attributes:
        side: of the factors of the square product.
        images: of 196 tokens, for all other kernels.
        copied_bytes: of the buffer that is copied into another.
        budget_s: so long a kernel is timed in a turn.
        warm_s: so long the device works before the first kernel of a format is timed; 0 for a CPU.
    """

    side: int
    images: int
    copied_bytes: int
    budget_s: float
    warm_s: float = 0.0

    def shrunk(self, parts: int) -> Sizes:
        """One of so many parts, for a format that the device multiplies slowly."""
        return replace(self, side=max(1, self.side // parts), images=max(1, self.images // parts))


@dataclass(frozen=True, slots=True)
class Kernel:
    """A step whose multiply–adds are known.

    Attributes:
        make: (sizes, device, dtype) → multiply–adds of a call, and the step on random numbers: a GPU
            multiplies zeros with less power, hence faster.
        exact: False where there are algorithms that need fewer multiplications than are counted.
    """

    make: Callable[[Sizes, str, torch.dtype], tuple[int, Step]]
    exact: bool = True


def _square(sizes: Sizes, device: str, dtype: torch.dtype) -> tuple[int, Step]:
    left, right = (_random(device, dtype, sizes.side, sizes.side) for _ in range(2))
    out = torch.empty_like(left)
    return sizes.side**3, lambda: torch.mm(left, right, out=out)


def _linear(channels: int, sizes: Sizes, device: str, dtype: torch.dtype) -> tuple[int, Step]:
    rows = sizes.images * _SIDE**2
    x, weight = _random(device, dtype, rows, channels), _random(device, dtype, channels, channels)
    bias, out = _random(device, dtype, channels), torch.empty_like(x)
    return rows * channels**2, lambda: torch.addmm(bias, x, weight.t(), out=out)


def _convolution(
    channels: int,
    kernel: int,
    sizes: Sizes,
    device: str,
    dtype: torch.dtype,
    *,
    stride: int = 1,
    groups: int = 1,
) -> tuple[int, Step]:
    side = (_SIDE - 1) * stride + kernel
    x = _random(device, dtype, sizes.images, channels, side, side)
    weight = _random(device, dtype, channels, channels // groups, kernel, kernel)
    x, weight = (one.contiguous(memory_format=torch.channels_last) for one in (x, weight))
    macs = sizes.images * _SIDE**2 * weight.numel()
    return macs, lambda: F.conv2d(x, weight, stride=stride, groups=groups)


def _random(device: str, dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, device=device).to(dtype)


KERNELS: dict[str, Kernel] = {
    "square product": Kernel(_square),
    **{f"linear layer of {c} channels": Kernel(partial(_linear, c)) for c in (96, 384, 768)},
    **{f"1 × 1 convolution of {c} channels": Kernel(partial(_convolution, c, 1)) for c in (96, 384, 768)},
    "3 × 3 convolution of 128 channels, stride 2": Kernel(partial(_convolution, 128, 3, stride=2)),
    "3 × 3 convolution of 384 channels, stride 2": Kernel(partial(_convolution, 384, 3, stride=2)),
    "7 × 7 depth-wise convolution of 384 channels": Kernel(partial(_convolution, 384, 7, groups=384)),
    "3 × 3 convolution of 128 channels": Kernel(partial(_convolution, 128, 3), exact=False),
}
"""Name → kernel, each tried on a device in each format."""
