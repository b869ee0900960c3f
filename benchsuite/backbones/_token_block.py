"""The block of networks that keep one grid of tokens, and the image size that their weights are made for."""

from __future__ import annotations

from torch import Tensor, nn

from benchsuite.backbones._choice import Size, mix_tokens
from benchsuite.mixers._layers import MLP


class TokenBlock(nn.Module):
    """x + mixer(norm(x)), then x + mlp(norm(x)), on (B, N, dim) tokens of a grid.

    Args:
        mixer: of any layout; outside of it are the norm and the residual.
        mlp: an `MLP`, or something that is called with the size of the grid as well.
        eps: of both LayerNorms.
    """

    def __init__(self, dim: int, mixer: nn.Module, mlp: nn.Module, *, eps: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = mixer
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = mlp

    def forward(self, x: Tensor, size: Size) -> Tensor:
        x = x + mix_tokens(self.attn, self.norm1(x), size)
        y = self.norm2(x)
        out: Tensor = x + (self.mlp(y) if isinstance(self.mlp, MLP) else self.mlp(y, size))
        return out


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
