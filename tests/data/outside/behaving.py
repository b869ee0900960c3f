"""Mixers that behave in ways of their own, where neither a kernel nor the scenario is at fault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from beneath import refuse
from torch import Tensor, nn

Size = tuple[int, int]


def misbehave(how: str) -> None:
    """What a constructor or a forward pass does at one size."""
    if how == "refuses":
        raise ValueError("the window does not fit")
    if how == "refuses for a reason":
        try:
            int("seven")
        except ValueError as error:
            raise ValueError("the window is no number") from error
    if how == "refuses within":
        with torch.no_grad():
            raise ValueError("the window does not fit")
    if how == "converts":
        with torch.no_grad():
            int("seven")
    if how == "converts and raises again":
        try:
            int("seven")
        except ValueError:
            raise
    if how == "unpacks":
        _, _ = torch.zeros(1, 2, 3).shape
    if how == "torch":
        F.batch_norm(torch.zeros(1, 2), None, None, training=True)
    if how == "library":
        refuse("not here")
    if how == "type":
        len(3)  # type: ignore[arg-type]
    if how == "assert":
        raise AssertionError
    if how == "says it ran out":
        raise RuntimeError("my cache is out of memory")
    if how == "exits":
        sys.exit("enough")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hangs":
        time.sleep(3600)


class Constructed(nn.Module):
    """Misbehaves where 7 does not divide the grid."""

    def __init__(self, dim: int, grid: Size, how: str) -> None:
        super().__init__()
        if grid[0] % 7:
            misbehave(how)
        self.p = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.p(x)


class Called(nn.Module):
    """The same in its forward pass."""

    def __init__(self, dim: int, how: str) -> None:
        super().__init__()
        self.p, self.how = nn.Linear(dim, dim), how

    def forward(self, x: Tensor, size: Size) -> Tensor:
        if size[0] % 7:
            misbehave(self.how)
        return self.p(x)


class Forwards(Constructed):
    """Its signature takes everything, and hands it on."""

    def __init__(self, dim: int, grid: Size, **options: Any) -> None:
        super().__init__(dim, grid, **options)


class Attends(nn.Module):
    """Right on both kernels, but for what `how` says."""

    def __init__(self, dim: int, num_heads: int, how: str = "", kernel: str = "math") -> None:
        super().__init__()
        self.h, self.how, self.kernel = num_heads, how, kernel
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        if self.how == "halves its input":
            x.mul_(0.5)
        q, k, v = self.qkv(x).unflatten(-1, (3, self.h, -1)).permute(2, 0, 3, 1, 4)
        if self.kernel == "math":
            y = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v)
        y = self.proj(y.transpose(1, 2).flatten(2))
        if self.how == "drops":
            return F.dropout(y, 0.5)
        if self.how == "takes a logarithm":
            return y.log()
        if self.how == "changes its output":
            x.copy_(y)
            return x
        return y


class Linear(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.p = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        if not x.is_meta:
            self.before()
        return self.p(x)

    def before(self) -> None:
        """What happens first on real tensors."""


class Forks(Linear):
    """Its copy returns, and would answer in its place."""

    def before(self) -> None:
        os.fork()


class ForksAndRaises(Linear):
    def before(self) -> None:
        if os.fork() == 0:
            sys.exit(3)


class Sleeps(Linear):
    def before(self) -> None:
        time.sleep(0.005)


class Reads(Linear):
    """From the input of its process, which is not the calls that come in there."""

    def before(self) -> None:
        assert sys.stdin.read() == ""


class LeavesChildren(Linear):
    """One of its own program, one copy of itself in a session of its own; writes down which."""

    def before(self) -> None:
        file = Path(os.environ["BEHAVING_CHILDREN"])
        if file.exists():
            return
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        copy = os.fork()
        if copy == 0:
            os.setsid()
            time.sleep(3600)
        file.write_text(f"{other.pid} {copy}", encoding="ascii")
