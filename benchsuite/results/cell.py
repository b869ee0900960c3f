"""A cell: one point of a sweep, with the axes it lies on and the id it is known by."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Subject = Literal["mixer", "block", "backbone"]
SUBJECTS: tuple[Subject, ...] = ("mixer", "block", "backbone")
DType = Literal["fp32", "tf32", "fp16", "bf16", "fp64", "autocast_fp16", "autocast_bf16"]
"""Format of weights and input. `tf32` is fp32 with matrix products and convolutions in TF32; `autocast_*`
keeps fp32 weights and lets `torch.autocast` choose the format of each operator."""
Mode = Literal["inference", "forward_backward", "training_step"]
MemoryFormat = Literal["contiguous", "channels_last"]
Compile = Literal["eager", "default", "reduce-overhead", "max-autotune"]
"""`eager`, or the mode that `torch.compile` is given."""
Cache = Literal["warm", "cold"]
"""`warm`: back-to-back steps on resident data, as inside a network. `cold`: isolated steps, each after the
caches were flushed and on another input."""
Protocol = Literal["adaptive", "litv2", "hilo_single_layer", "timm", "do_bench"]
"""Way in which samples are taken: benchsuite's own way, or one that published numbers were taken in."""
Allocator = Literal["retain", "system"]
"""Way in which a process that times CPU cells keeps memory: `retain` hands nothing back to the system between
calls, as torch's caching allocator does on a GPU; `system` leaves it to the C library, which maps large
tensors anew."""
Kernel = Literal["math", "sdpa", "flash", "mem_efficient", "cudnn", "flex", "compiled"]
"""`math` is the papers' own matmul, softmax, matmul; `sdpa` lets torch choose among its fused kernels; `flex`
is one that torch compiles around the mixer's own bias and mask; `compiled` is what `math` computes, the
mixer's own part compiled by torch; the others force one of the fused ones."""
Call = Literal["forward(x)", "forward(x, size)", "forward(x, H, W)"]
"""Arguments that a module is called with: its input, and for most mixers of tokens the height and width of
their grid, as a pair or one by one."""
Layout = Literal["BNC", "NCHW", "NHWC"]
"""Layout of the input `x`: tokens (B, N, dim), or maps with the channels first or last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of a sweep: everything that decides what is measured, and nothing else.

    Attributes:
        name: the label in tables and figures; unique among the subjects of a scenario.
        target: the subject's key in `MIXERS`, `BLOCKS` or `BACKBONES`, or "package.module:Name".
        config: keyword arguments of the subject beyond its axes; a backbone's `mixer` says what mixes in a
            stage in place of what the paper has.
        forward: how it is called, as far as its entry says so: `call` (a `Call`), `layout` (a `Layout`), or
            `inputs`, argument → shape and dtype.
        resolution: image height and width in pixels.
        stride: pixels per token side; the token grid is resolution / stride. 1 for a backbone, which is given
            pixels and makes tokens of them itself.
        batch: images per step.
        dim, num_heads: channels and attention heads; None for a backbone, whose stages have their own.
        device: "cpu", "cuda" or "cuda:1", resolved, never "auto".
        threads: intra-op CPU threads of torch; None leaves it to the scenario.
        allocator: what the timing process is asked for; what it had is in `Timing.allocator`.
        machine: name of the machine in a run folder that holds several (`benchsuite merge`); else empty.
    """

    subject: Subject = "mixer"
    name: str
    target: str
    config: Mapping[str, Any] = field(default_factory=dict)
    forward: Mapping[str, Any] = field(default_factory=dict)
    resolution: tuple[int, int]
    stride: int
    batch: int
    dim: int | None = None
    num_heads: int | None = None
    dtype: DType = "fp32"
    mode: Mode = "inference"
    kernel: Kernel = "math"
    device: str = "cpu"
    memory_format: MemoryFormat = "contiguous"
    compile: Compile = "eager"
    cache: Cache = "warm"
    protocol: Protocol = "adaptive"
    threads: int | None = None
    allocator: Allocator = "retain"
    machine: str = ""

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the token grid."""
        return self.resolution[0] // self.stride, self.resolution[1] // self.stride

    @property
    def tokens(self) -> int:
        """Number of tokens, N = H × W of the grid."""
        height, width = self.grid
        return height * width

    @property
    def id(self) -> str:
        """Stable name of the cell: readable in front, a digest of every field behind.

        The same cell has the same id in every process, on every machine and in every order of keys. An axis
        that is younger than the first records counts only where it is not at its default.
        """
        height, width = self.resolution
        size = str(height) if height == width else f"{height}x{width}"
        values = ((key, getattr(self, key)) for key in _FIELDS)  # not `asdict`, which copies everything
        kept = {key: value for key, value in values if _LATER.get(key, _NEVER) != value}
        canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"), default=list)
        digest = hashlib.sha256(canonical.encode()).hexdigest()[:8]
        readable = f"{self.name}-{size}-b{self.batch}-{self.dtype}-{self.kernel}"
        return f"{re.sub(r'[^a-z0-9]+', '-', readable.lower()).strip('-')}-{digest}"


_FIELDS: tuple[str, ...] = tuple(one.name for one in fields(Cell))
_NEVER = object()
_LATER: Mapping[str, Any] = {
    "forward": {},
    "memory_format": "contiguous",
    "compile": "eager",
    "cache": "warm",
    "protocol": "adaptive",
    "threads": None,
    "allocator": "retain",
    "machine": "",
}
"""Fields that the first records did not have → the value that does not show in an id."""

SETTINGS: tuple[str, ...] = (
    "device",
    "dtype",
    "mode",
    "batch",
    "resolution",
    "stride",
    "dim",
    "num_heads",
    "memory_format",
    "cache",
    "protocol",
    "threads",
    "allocator",
    "compile",
    "kernel",
)
"""The axes of a cell but for its subject, the slowest to vary first."""
OF_LAYERS: tuple[str, ...] = ("stride", "dim", "num_heads")
"""Those of a mixer and of a block that the stages of a backbone fix."""
TOLD_APART: tuple[str, ...] = (*SETTINGS, "machine")
"""The same with the machine, which no scenario sweeps: in what two cells of one subject may differ."""
SWEPT: tuple[str, ...] = (
    "resolution",
    "stride",
    "batch",
    "dim",
    "num_heads",
    "dtype",
    "mode",
    "kernel",
    "device",
    "memory_format",
    "compile",
    "cache",
    "protocol",
    "threads",
    "allocator",
)
"""The same axes in the order in which a scenario is written."""
