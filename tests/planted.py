"""Mixers that go wrong in one way each, for scenarios of the tests: `tests.planted:Raises`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn


class Fine(nn.Module):
    """Works: one linear layer."""

    layout: ClassVar[str] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if not x.is_meta:
            self.misbehave()
        out: Tensor = self.linear(x)
        return out

    def misbehave(self) -> None:
        """What goes wrong on a device, but not on "meta"."""


class Prints(Fine):
    def misbehave(self) -> None:
        print("a mixer that talks")


class Raises(Fine):
    def misbehave(self) -> None:
        raise KeyError("planted")


class RunsOut(Fine):
    def misbehave(self) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


class RunsOutOnHost(Fine):
    def misbehave(self) -> None:
        torch.empty(1 << 60, dtype=torch.uint8)


class SaysItRunsOut(Fine):
    """Words that torch has, too, but its own."""

    def misbehave(self) -> None:
        raise RuntimeError("CUDA out of memory, thinks my cache")


class Refuses(Fine):
    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if size[0] != size[1]:
            raise ValueError(f"the {size[0]} × {size[1]} grid is not square")
        return super().forward(x, size)


class Dies(Fine):
    def misbehave(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Aborts(Fine):
    def misbehave(self) -> None:
        os.abort()


class Hangs(Fine):
    def misbehave(self) -> None:
        time.sleep(3600)


class IsKilledForMemory(Fine):
    """As the kernel does it: counts, and kills."""

    def misbehave(self) -> None:
        Path(os.environ["PLANTED_OOM_COUNTER"]).write_text("oom_kill 5\n")
        os.kill(os.getpid(), signal.SIGKILL)


class TakesEightGiB(Fine):
    def misbehave(self) -> None:
        torch.ones(8 << 30, dtype=torch.uint8)


class LosesItsContext(Fine):
    """Words it as torch does after an assert on the device."""

    def misbehave(self) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")


class LosesItsDevice(LosesItsContext):
    """After it nothing that asks CUDA works in this process: for processes of their own."""

    def misbehave(self) -> None:
        torch.cuda.is_available = lambda: True
        torch.cuda.empty_cache = super().misbehave
        super().misbehave()


class Waits(Fine):
    """Asks the device for a number, so that it cannot be captured as a CUDA graph."""

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out = super().forward(x, size)
        return out if x.is_meta else out * (1.0 + 0.0 * float(out.detach().float().mean().item()))


class FailsOnTheDevice(Fine):
    """Reads beyond the end of a tensor, which a GPU finds out when the host has long gone on."""

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if not x.is_meta:
            beyond = torch.full((1,), 1 << 20, device=x.device)
            x = x + torch.zeros(1, device=x.device)[beyond]
            torch.cuda.synchronize()
        return super().forward(x, size)


class TakesWhatIsNotThere(Fine):
    """Asks for twice the memory of the GPU."""

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if not x.is_meta:
            there = torch.cuda.mem_get_info(x.device)[1]
            x = x + torch.empty(2 * there, dtype=torch.uint8, device=x.device)[0]
        return super().forward(x, size)


class Wrong(Fine):
    """Its fused kernel forgets something."""

    kernels: ClassVar[tuple[str, ...]] = ("math", "sdpa")

    def __init__(self, dim: int, kernel: str = "math") -> None:
        super().__init__(dim)
        self.kernel = kernel

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out = super().forward(x, size)
        return out if self.kernel == "math" else 1.01 * out


class Exits(Fine):
    def misbehave(self) -> None:
        print("the last words", flush=True)
        os._exit(7)


class TakesItsTime(Fine):
    """Slow enough that a test can kill the run in the middle of it."""

    def misbehave(self) -> None:
        time.sleep(0.02)


class Map(nn.Module):
    """Takes maps instead of tokens."""

    layout: ClassVar[str] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out
