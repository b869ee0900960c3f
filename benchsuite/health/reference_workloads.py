"""Things of known cost, to hold the instrument against: products, copies, and a wait of known length."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Product(nn.Module):
    """(rows, inner) × (inner, outer): rows · inner · outer multiply–adds."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inner, outer))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight

    def macs(self, rows: int) -> int:
        inner, outer = self.weight.shape
        return rows * inner * outer


class FusedAttention(nn.Module):
    """Attention of x with itself by torch's fused operator, which many counters take to be free.

    x is (B, heads, N, head_dim); scores and their product with the values are 2 · heads · N² · head_dim
    multiply–adds an image.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)

    @staticmethod
    def macs(heads: int, tokens: int, head_dim: int) -> int:
        return 2 * heads * tokens**2 * head_dim


class Copy(nn.Module):
    """Reads every byte of its input once and writes as many."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


class Wait:
    """A step that keeps the host busy for `seconds`, by its own clock.

    Attributes:
        took_s: what each call took by that clock; an interrupted one took longer.
    """

    def __init__(self, seconds: float) -> None:
        self._ns = round(seconds * 1e9)
        self.took_s: list[float] = []

    def __call__(self) -> None:
        start = time.perf_counter_ns()
        while (now := time.perf_counter_ns()) - start < self._ns:
            pass
        self.took_s.append((now - start) * 1e-9)
