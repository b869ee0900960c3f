"""How fast is each mixer on each attention kernel, next to `math`, the authors' own formulation?

    python benchmarks/zoo_kernels.py --grids 14x14 28x28 --dim 192 --heads 6 --batch 4

For every row of MIXERS that has another kernel, `math` and that kernel are timed in turns (ABBA: math,
kernel, kernel, math) in one process, so that a drift of the machine falls on both alike. Each ABBA gives one
ratio of speeds; the table shows their median with its 95 % interval: 2 is twice as fast as `math`, below 1 is
slower. Memory is the peak of one step. A row that cannot run says why; a mixer without another kernel shows
`math` alone. Unless `--kernels` says otherwise, the other kernel is "sdpa", which leaves the choice to torch.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
import warnings
from collections.abc import Iterator

import torch
from _paired import FORMATS, Table, grid_of, measure_pair, one_turn, said

from benchsuite.errors import BenchsuiteError
from benchsuite.format import byte_size, si
from benchsuite.measurement.device import Step, open_device, resolve
from benchsuite.measurement.memory import measure_memory
from benchsuite.mixers import MIXERS
from benchsuite.results.record import Cell, Kernel
from benchsuite.stats.intervals import quantile
from benchsuite.worker.build import build, mixer_class
from benchsuite.worker.steps import step_of

CANNOT_RUN = ("No available kernel", "No viable backend")
"""How torch's errors begin where a forced kernel does not run here; what it warns of says why."""

HEADINGS = (
    ("mixer", 26),
    ("grid", 7),
    ("kernel", 13),
    ("math", 9),
    ("kernel", 9),
    ("speed / math", 22),
    ("peak, math", 11),
    ("peak, kernel", 12),
)


def rows_of(mixer: str, grid: tuple[int, int], args: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """The table's cells for each kernel but `math`, or for `math` alone, or a remark why there are none."""
    device, where = open_device(args.device), f"{grid[0]}x{grid[1]}"
    kernels = tuple(getattr(mixer_class(mixer), "kernels", ("math",)))
    try:
        base, base_bytes = prepare(mixer, grid, "math", args)
    except (BenchsuiteError, ValueError, RuntimeError) as error:
        yield mixer, where, "math", said(error)
        return
    others = [kernel for kernel in kernels if kernel != "math" and matches(kernel, args.kernels)]
    if not others:
        seconds = quantile([one_turn(device, base) for _ in range(args.rounds)], 0.5)
        yield mixer, where, "math", si(seconds, "s", 3), "–", "–", byte_size(base_bytes, 3), "–"
    for kernel in others:
        try:
            step, peak = prepare(mixer, grid, kernel, args)
        except (BenchsuiteError, ValueError, RuntimeError) as error:
            if not str(error).startswith(CANNOT_RUN) or args.all:
                yield mixer, where, kernel, said(error)
            continue
        pair = measure_pair(device, base, step, args.rounds)
        times = (si(pair.base_s, "s", 3), si(pair.other_s, "s", 3))
        memory = (byte_size(base_bytes, 3), byte_size(peak, 3))
        yield mixer, where, kernel, *times, pair.speed, *memory


def matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def prepare(mixer: str, grid: tuple[int, int], kernel: Kernel, args: argparse.Namespace) -> tuple[Step, int]:
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
    step()
    return step, memory.peak_allocated_bytes


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mixers", nargs="*", default=["*"], help="names or patterns of MIXERS")
    parser.add_argument(
        "--kernels", nargs="*", default=["sdpa"], help="names or patterns of those beside math"
    )
    parser.add_argument("--grids", nargs="+", type=grid_of, default=[(14, 14), (28, 28)], metavar="HxW")
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "fp16", "bf16"])
    parser.add_argument("--mode", default="inference", choices=["inference", "forward_backward"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=8, help="ABBA turns a row; an interval takes six")
    parser.add_argument("--all", action="store_true", help="also list kernels that do not run here")
    parser.add_argument("--format", choices=FORMATS, default="text")
    args = parser.parse_args(arguments)
    args.device = resolve(args.device)
    torch.set_num_threads(args.threads)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or torch's profiler tells of each start and stop
    print(
        f"torch {torch.__version__} on {args.device}, {args.threads} threads, dim {args.dim}, "
        f"{args.heads} heads, batch {args.batch}, {args.dtype}, {args.mode}, {args.rounds} rounds\n"
    )
    table = Table(HEADINGS, args.format)
    for mixer in MIXERS:
        if matches(mixer, args.mixers):
            for grid in args.grids:
                for cells in rows_of(mixer, grid, args):
                    table.show(*cells)
    return 0


if __name__ == "__main__":
    sys.exit(main())
