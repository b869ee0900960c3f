"""A learned bias for each head and each relative position of two tokens of a fixed grid.

What MaxViT's and CoAtNet's attention share. There are two ways to keep it, under timm's names: "bias", Swin's
table of one row for each (query − key), and "bias_tf", a map for each head over (key − query).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

KINDS = ("bias", "bias_tf")


def offset_index(window: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns by which a pair's key lies after its query, counted from 0: (tokens, tokens) each."""
    height, width = window
    y = torch.arange(height, device=device).repeat_interleave(width)
    x = torch.arange(width, device=device).repeat(height)
    return y[None, :] - y[:, None] + height - 1, x[None, :] - x[:, None] + width - 1


class RelativePositionBias(nn.Module):
    """The bias of all pairs of tokens of an H × W window: (1, heads, H·W, H·W).

    Raises:
        ValueError: an unknown kind.
    """

    def __init__(self, window: tuple[int, int], num_heads: int, *, kind: str = "bias") -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"unknown rel_pos {kind!r}; allowed: {', '.join(KINDS)}")
        self.window = window
        self.num_heads = num_heads
        self.kind = kind
        height, width = 2 * window[0] - 1, 2 * window[1] - 1
        shape = (height * width, num_heads) if kind == "bias" else (num_heads, height, width)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=0.02))
        self._index: Tensor | None = None

    def forward(self) -> Tensor:
        table, tokens = self.relative_position_bias_table, self.window[0] * self.window[1]
        index = self._index_on(table.device)
        if self.kind == "bias":
            return table[index].view(1, tokens, tokens, self.num_heads).permute(0, 3, 1, 2)
        return table.flatten(1)[:, index].view(1, self.num_heads, tokens, tokens)

    def _index_on(self, device: torch.device) -> Tensor:
        """Place in the table of each pair, flattened; made once a device and, as it follows, no buffer."""
        if self._index is None or self._index.device != device:
            with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
                dy, dx = offset_index(self.window, device)
                rows, columns = 2 * self.window[0] - 1, 2 * self.window[1] - 1
                index = (dy * columns + dx).view(-1)
                # Reading the table from its end turns key − query into query − key.
                self._index = rows * columns - 1 - index if self.kind == "bias" else index
        return self._index
