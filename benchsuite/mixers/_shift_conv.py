"""ACmix's convolution path: features of the shared projections, mixed to k² maps, each shifted, all summed.

The paper's two ways of shifting are here: a group convolution, whose kernels start as shifts and are learned
(what the authors release), and shifts of the tensor, which it is compared with.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchsuite.mixers._neighbors import check_odd

SHIFTS = ("group_conv", "tensor")


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
        if shift not in SHIFTS:
            raise ValueError(f"unknown shift {shift!r}; allowed: {', '.join(SHIFTS)}")
        if dim % head_dim:
            raise ValueError(f"head_dim {head_dim} does not divide dim {dim}")
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
        maps = self.fc(x.flatten(3)).transpose(1, 2)  # B, head_dim, k², H·W
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
