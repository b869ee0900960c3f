"""A convolution with a batch norm behind it."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNorm(nn.Module):
    """norm(conv(x)) on (B, C, H, W), stride 1, padded so that an odd kernel keeps the grid.

    Args:
        groups: of the convolution; as many as channels is depth-wise.
        bias: of the convolution, which the norm cancels in training.
    """

    def __init__(
        self, in_dim: int, out_dim: int, kernel_size: int = 1, *, groups: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_dim, out_dim, kernel_size, padding=kernel_size // 2, groups=groups, bias=bias
        )
        self.norm = nn.BatchNorm2d(out_dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(x))
        return out
