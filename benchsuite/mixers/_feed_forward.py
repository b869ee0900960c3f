"""The two-layer networks behind a mixer: plain, and with a depth-wise convolution between the layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers._attention import Layout
from benchsuite.mixers._feature_map import as_map, as_tokens
from benchsuite.mixers._port import Arguments, arguments, renamed


class MLP(nn.Module):
    """fc1, GELU, fc2 on (…, dim).

    Args:
        hidden_dim: channels between the layers.
    """

    def __init__(self, dim: int, *, hidden_dim: int, drop: float = 0.0) -> None:
        super().__init__()
        self.dim = dim
        self.hidden_dim = hidden_dim
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop = nn.Dropout(drop)

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
        self.drop = nn.Dropout(drop)

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
