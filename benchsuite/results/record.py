"""The record of one cell, and the cell it is of. Everything is stored in SI base units.

A *cell* is one point of a sweep, a *sample* one timing, a *record* one cell's result. A record keeps every
sample; medians and intervals are derived on reading (`results/summary.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

RECORD_VERSION = 1

Status = Literal["ok", "oom", "unsupported", "error", "crash"]
STATUSES: tuple[Status, ...] = ("ok", "oom", "unsupported", "error", "crash")

Subject = Literal["mixer", "block", "backbone"]
SUBJECTS: tuple[Subject, ...] = ("mixer", "block", "backbone")
DType = Literal["fp32", "fp16", "bf16", "fp64"]
Mode = Literal["inference", "forward_backward"]
Kernel = Literal["math", "sdpa", "flash", "mem_efficient", "cudnn"]
"""`math` is the papers' own matmul, softmax, matmul; `sdpa` lets torch choose among its fused kernels; the
others force one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of a sweep: everything that decides what is measured, and nothing else.

    Attributes:
        name: the label in tables and figures; unique among the subjects of a scenario.
        target: the subject's key in `MIXERS`, `BLOCKS` or `BACKBONES`, or "package.module:Name".
        config: keyword arguments of the subject beyond its axes; a backbone's `mixer` says what mixes in a
            stage in place of what the paper has.
        resolution: image height and width in pixels.
        stride: pixels per token side; the token grid is resolution / stride. 1 for a backbone, which is given
            pixels and makes tokens of them itself.
        batch: images per step.
        dim, num_heads: channels and attention heads; None for a backbone, whose stages have their own.
        device: "cpu", "cuda" or "cuda:1", resolved, never "auto".
    """

    subject: Subject = "mixer"
    name: str
    target: str
    config: Mapping[str, Any] = field(default_factory=dict)
    resolution: tuple[int, int]
    stride: int
    batch: int
    dim: int | None = None
    num_heads: int | None = None
    dtype: DType = "fp32"
    mode: Mode = "inference"
    kernel: Kernel = "math"
    device: str = "cpu"

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

        The same cell has the same id in every process, on every machine and in every order of keys.
        """
        height, width = self.resolution
        size = str(height) if height == width else f"{height}x{width}"
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=list)
        digest = hashlib.sha256(canonical.encode()).hexdigest()[:8]
        readable = f"{self.name}-{size}-b{self.batch}-{self.dtype}-{self.kernel}"
        return f"{re.sub(r'[^a-z0-9]+', '-', readable.lower()).strip('-')}-{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Timed samples of one cell, in order of measurement; none is ever dropped.

    Attributes:
        samples_s: seconds per step (one forward pass, or forward and backward, of the whole batch).
        method: "cuda_events" or "monotonic_clock".
        warmup_calls, warmup_s: what ran before the first sample.
        stopped_by: what ended sampling: "precision", "samples" or "time".
        threads: intra-op CPU threads of torch while timing.
    """

    samples_s: tuple[float, ...]
    method: str
    warmup_calls: int
    warmup_s: float
    stopped_by: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the forward pass of one image costs, counted on the graph and not timed.

    Attributes:
        params: number of learnable parameters.
        macs: multiply–accumulates of convolutions, linear layers, matrix products and attention; a
            multiply–add is 1.
        other_ops: operations that are no multiply–adds (norms, softmax, elementwise, pooling), by kind.
        uncounted: operators that may hold multiply–adds and that the counter has no rule for, with
            their number of calls; if there are any, `macs` is a lower bound.
        counter: what counted, with its version.
    """

    params: int
    macs: int
    other_ops: Mapping[str, int] = field(default_factory=dict)
    uncounted: Mapping[str, int] = field(default_factory=dict)
    counter: str = ""

    @property
    def complete(self) -> bool:
        """Whether `macs` is exact; if not, write "≥" in front of it."""
        return not self.uncounted

    @property
    def flops(self) -> int:
        """Floating-point operations, 2 × macs; derived only."""
        return 2 * self.macs


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of one step of the whole batch, in bytes.

    Attributes:
        peak_allocated_bytes: largest sum of live tensors, weights and input included.
        peak_reserved_bytes: largest amount held by the caching allocator; None on a CPU, which has none.
        weights_bytes, input_bytes: the share of the peak that is there before the step begins.
        method: how the peak was read: "cuda_allocator" or "torch_profiler".
    """

    peak_allocated_bytes: int
    peak_reserved_bytes: int | None = None
    weights_bytes: int
    input_bytes: int
    method: str

    @property
    def activations_bytes(self) -> int:
        """What the step itself adds to weights and input at the peak."""
        return self.peak_allocated_bytes - self.weights_bytes - self.input_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a cell has no timing.

    Attributes:
        stage: where it happened: "build", "time", "memory" or "worker".
        kind: the exception's class, or the signal's name.
        message: what it said.
        traceback: the last frames, trimmed; empty where there is nothing to learn from them.
    """

    stage: str
    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The result of one cell: numbers, or the reason why there are none.

    Attributes:
        id: the cell's id, stored so that a reader needs no code to find a cell.
        expected: for a status other than "ok", whether the scenario said that this would happen.
        started_at: UTC, ISO 8601.
        seconds: wall time that the cell took, set-up and all passes included.
        session: 1 for the first run into the folder, counting up with each resume; its machine is
            described in `environment.json`, or `environment-<session>.json` from the second on.
    """

    version: int = RECORD_VERSION
    id: str
    cell: Cell
    status: Status
    failure: Failure | None = None
    expected: bool = False
    cost: Cost | None = None
    timing: Timing | None = None
    memory: Memory | None = None
    started_at: str
    seconds: float
    session: int = 1

    @property
    def reason(self) -> str | None:
        """Why the cell has no numbers, in a line; None if it has."""
        return self.failure.message if self.failure else None

    @property
    def failed(self) -> bool:
        """Whether the cell failed in a way that the scenario did not expect."""
        return self.status != "ok" and not self.expected
