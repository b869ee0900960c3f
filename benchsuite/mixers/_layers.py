"""Layers that papers put around and inside of their mixers: feed-forward networks, norms, convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_odd, check_positive
from benchsuite.mixers._grid import Size, as_map, as_tokens
from benchsuite.mixers._port import Arguments, arguments, renamed


def dropout(p: float) -> nn.Module:
    """Dropout with probability p. Without one an identity, which is less than half the work of a call."""
    return nn.Dropout(p) if p else nn.Identity()


class MLP(nn.Module):
    """fc2(GELU(fc1(x))) over the last axis, the GELU exact; each token or image by itself.

    Args:
        hidden_dim: channels between the layers.
        out_dim: channels of the output, dim by default.
        drop: dropout behind both layers.
    """

    def __init__(self, dim: int, *, hidden_dim: int, out_dim: int | None = None, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim if out_dim is None else out_dim)
        self.drop = dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.drop(self.fc2(self.drop(F.gelu(self.fc1(x)))))
        return out


class ConvFFN(nn.Module):
    """fc1, 3 × 3 depth-wise convolution, GELU, fc2: (B, N, dim) tokens of an H × W grid → (B, N, out_dim).

    Nothing stands between fc1 and the convolution, unless a subclass's `_before_conv` puts it there, and no
    residual is added.

    MACs: ND(C + 9 + C'), D the channels between the layers, C' those of the output.

    Args:
        hidden_dim: channels between the layers, 4 × dim by default.
        out_dim: channels of the output, dim by default.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self,
        dim: int,
        *,
        hidden_dim: int | None = None,
        out_dim: int | None = None,
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.hidden_dim = 4 * dim if hidden_dim is None else hidden_dim
        self.out_dim = dim if out_dim is None else out_dim
        self.fc1 = nn.Linear(dim, self.hidden_dim)
        self.dwconv = nn.Conv2d(self.hidden_dim, self.hidden_dim, 3, padding=1, groups=self.hidden_dim)
        self.fc2 = nn.Linear(self.hidden_dim, self.out_dim)
        self.drop = dropout(drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = self._before_conv(self.fc1(x))
        x = as_tokens(self.dwconv(as_map(x, size)))
        x = self.drop(F.gelu(x))  # the convolution's output is gone before fc2 makes its own
        out: Tensor = self.drop(self.fc2(x))
        return out

    def _before_conv(self, x: Tensor) -> Tensor:
        return x


def conv_ffn_arguments(*same: str, ignored: tuple[str, ...] = ()) -> Callable[[Arguments], dict[str, Any]]:
    """The authors' arguments → ours. Where theirs do not say how wide, the hidden layer is as the input.

    Args:
        same, ignored: as for `arguments`, beside what every version has.
    """
    read = arguments(
        *same,
        "drop",
        renamed={"in_features": "dim", "hidden_features": "hidden_dim", "out_features": "out_dim"},
        ignored=ignored,
    )

    def convert(authors: Arguments) -> dict[str, Any]:
        ours = read(authors)
        ours["hidden_dim"] = ours.get("hidden_dim") or ours["dim"]
        return ours

    return convert


conv_ffn_state = renamed((r"((?:.*\.)?)dwconv\.dwconv\.", r"\1dwconv."))
"""The authors wrap the convolution once more."""


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a (B, C, H, W) map, at each position."""

    def __init__(self, dim: int, *, eps: float) -> None:
        super().__init__(dim, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


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


class TokenLinear(nn.Linear):
    """(B, N, C) → (B, M, C): an M × N matrix and a bias for each of the M tokens, the same for every channel.

    Parameters are those of `nn.Linear(N, M)`. The matrix multiplies from the left, so that channels stay
    where they are: the authors transpose, multiply, and transpose back. So it is with gradients: from the
    left, each image would have a gradient of the whole matrix, and only then would they be summed.
    """

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return super().forward(x.transpose(1, 2)).transpose(1, 2)
        weight = self.weight.expand(x.shape[0], -1, -1)
        return torch.baddbmm(self.bias[None, :, None], weight, x)


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
        check_odd("kernel_size", kernel_size)
        check_positive("stride", stride)
        self.dim = dim
        self.kernel_size = kernel_size
        self.stride = stride
        self.proj = nn.Conv2d(
            dim, dim, kernel_size, stride=stride, padding=kernel_size // 2, groups=dim, bias=True
        )

    def forward(self, x: Tensor, size: Size) -> Tensor:
        moved = as_tokens(self.proj(as_map(x, size)))
        return x + moved if self.stride == 1 else moved
