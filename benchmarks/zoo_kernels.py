"""How fast is each mixer on each attention kernel, next to `math`, the authors' own formulation?

    python benchmarks/zoo_kernels.py --grids 14x14 28x28 --dim 192 --heads 6 --batch 4

For every row of MIXERS that has another kernel, `math` and that kernel are timed in turns (ABBA: math,
kernel, kernel, math) in one process, so that a drift of the machine falls on both alike. Each ABBA gives one
ratio of speeds; the table shows their median with its 95 % interval: 2 is twice as fast as `math`, below 1 is
slower. Memory is the peak of one step. A row that cannot run says why; a mixer without another kernel shows
`math` alone.
"""

from __future__ import annotations

import argparse
import fnmatch
import math
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from benchsuite.errors import BenchsuiteError
from benchsuite.measure.device import Device, Step, open_device, resolve
from benchsuite.measure.memory import measure_memory
from benchsuite.mixers import MIXERS
from benchsuite.results.record import Cell
from benchsuite.results.summary import median_interval, quantile
from benchsuite.run.build import build, mixer_class, step_of
from benchsuite.units import byte_size, si

BLOCK_S = 0.02
"""Aim of one turn: long enough to time, short enough that the next turn meets the same machine."""
BLOCK_CALLS = 50

CANNOT_RUN = ("No available kernel", "No viable backend")
"""How torch's errors begin where a forced kernel does not run here; what it warns of says why."""


@dataclass(frozen=True)
class Line:
    """One row of the table, as far as it could be filled in."""

    mixer: str
    grid: str
    kernel: str
    math_s: float = math.nan
    kernel_s: float = math.nan
    ratio: float = math.nan
    interval: tuple[float, float] | None = None
    math_bytes: float = math.nan
    kernel_bytes: float = math.nan
    reason: str = ""

    def cells(self) -> tuple[str, ...]:
        if self.reason:
            return self.mixer, self.grid, self.kernel, self.reason
        ends = f" [{self.interval[0]:.3f}, {self.interval[1]:.3f}]" if self.interval else ""
        ratio = "–" if math.isnan(self.ratio) else f"{self.ratio:.3f}{ends}"
        times = (si(self.math_s, "s", 3), si(self.kernel_s, "s", 3))
        memory = (byte_size(self.math_bytes, 3), byte_size(self.kernel_bytes, 3))
        return self.mixer, self.grid, self.kernel, *times, ratio, *memory


HEADINGS = ("mixer", "grid", "kernel", "math", "kernel", "speed / math", "peak, math", "peak, kernel")
WIDTHS = (26, 7, 13, 9, 9, 22, 11, 12)


def lines_of(mixer: str, grid: tuple[int, int], args: argparse.Namespace) -> Iterator[Line]:
    """A line for each kernel but `math`, or one for `math` alone."""
    device, where = open_device(args.device), f"{grid[0]}x{grid[1]}"
    kernels = tuple(getattr(mixer_class(mixer), "kernels", ("math",)))
    try:
        base, base_bytes = prepare(mixer, grid, "math", args)
    except (BenchsuiteError, ValueError, RuntimeError) as error:
        yield Line(mixer, where, "math", reason=said(error))
        return
    others = [kernel for kernel in kernels if kernel != "math"]
    if args.kernels:
        others = [kernel for kernel in others if kernel in args.kernels]
    if not others:
        seconds = quantile([one_turn(device, base) for _ in range(args.rounds)], 0.5)
        yield Line(mixer, where, "math", math_s=seconds, math_bytes=base_bytes)
    for kernel in others:
        try:
            step, peak = prepare(mixer, grid, kernel, args)
        except (BenchsuiteError, ValueError, RuntimeError) as error:
            if not str(error).startswith(CANNOT_RUN) or args.all:
                yield Line(mixer, where, kernel, reason=said(error))
            continue
        rounds = [turns(device, base, step) for _ in range(args.rounds)]
        ratios = [base_s / kernel_s for base_s, kernel_s in rounds]
        yield Line(
            mixer,
            where,
            kernel,
            math_s=quantile([base_s for base_s, _ in rounds], 0.5),
            kernel_s=quantile([kernel_s for _, kernel_s in rounds], 0.5),
            ratio=quantile(ratios, 0.5),
            interval=median_interval(ratios),
            math_bytes=base_bytes,
            kernel_bytes=peak,
        )


def prepare(mixer: str, grid: tuple[int, int], kernel: str, args: argparse.Namespace) -> tuple[Step, int]:
    """A step that has run before, and the peak of its memory in bytes."""
    cell = Cell(
        name=mixer,
        target=mixer,
        resolution=grid,
        stride=1,
        batch=args.batch,
        dim=args.dim,
        num_heads=args.heads,
        dtype=args.dtype,
        mode=args.mode,
        kernel=kernel,
        device=args.device,
    )
    subject = build(cell, args.device)
    step = step_of(subject, args.mode)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of each reason why a kernel cannot run
        memory = measure_memory(step, subject.module, subject.tensor)
    for _ in range(3):
        step()
    return step, memory.peak_allocated_bytes


def turns(device: Device, base: Step, other: Step) -> tuple[float, float]:
    """Seconds a call of each, from one ABBA."""
    first, second, third, fourth = (one_turn(device, step) for step in (base, other, other, base))
    return (first + fourth) / 2, (second + third) / 2


def one_turn(device: Device, step: Step) -> float:
    """Median seconds of a call, from about BLOCK_S of calls."""
    (probe,) = device.time_calls(step, 1)
    calls = max(1, min(BLOCK_CALLS, int(BLOCK_S / probe)))
    return quantile(device.time_calls(step, calls), 0.5)


def said(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"


def show(cells: tuple[str, ...]) -> None:
    padded = (cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=False))
    print("  ".join(padded).rstrip(), flush=True)


def grid_of(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width or height)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mixers", nargs="*", default=["*"], help="names or patterns of MIXERS")
    parser.add_argument("--kernels", nargs="*", default=[], help="kernels beside math; all if left out")
    parser.add_argument("--grids", nargs="+", type=grid_of, default=[(14, 14), (28, 28)], metavar="HxW")
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "fp16", "bf16"])
    parser.add_argument("--mode", default="inference", choices=["inference", "forward_backward"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=12, help="ABBA turns a row; an interval takes six")
    parser.add_argument("--all", action="store_true", help="also list kernels that do not run here")
    args = parser.parse_args()
    args.device = resolve(args.device)
    torch.set_num_threads(args.threads)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or torch's profiler tells of each start and stop
    print(
        f"torch {torch.__version__} on {args.device}, {args.threads} threads, dim {args.dim}, "
        f"{args.heads} heads, batch {args.batch}, {args.dtype}, {args.mode}, {args.rounds} rounds\n"
    )
    show(HEADINGS)
    for mixer in MIXERS:
        if any(fnmatch.fnmatch(mixer, pattern) for pattern in args.mixers):
            for grid in args.grids:
                for line in lines_of(mixer, grid, args):
                    show(line.cells())
    return 0


if __name__ == "__main__":
    sys.exit(main())
