"""How fast are our local mixers next to the same maths written with unfold, roll and gather?

    python benchmarks/zoo_unfold.py --format markdown

Plain PyTorch code of these mixers mostly copies every neighbourhood out of the map; `unfolded/` has each of
them so, on the weights of our mixer. Before a row is timed, output and input gradient of both are compared in
double precision, where rounding does not pass for a difference and a near tie does not choose other regions;
a row that differs is refused. Then both are timed in turns (ABBA) in one process. The table shows what share
of the unfolding time ours takes, a median with its 95 % interval: 0.5 is half the time. Memory is the peak of
one step, weights and input included, by the profiler on a CPU and by the allocator on CUDA. Sizes are those
of a stage of the papers' networks.
"""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from _paired import FORMATS, Table, measure_pair, said
from torch import Tensor
from unfolded import Unfolded

from benchsuite.errors import BenchsuiteError
from benchsuite.format import byte_size, si
from benchsuite.measurement.device import Device, open_device, resolve
from benchsuite.measurement.memory import measure_memory
from benchsuite.results.record import Cell, Kernel, Mode
from benchsuite.worker.build import Subject, build, mixer_class
from benchsuite.worker.steps import step_of

TOLERANCE = 1e-9
"""Largest difference in double precision, over the largest value."""

KERNELS: tuple[Kernel, ...] = ("math", "sdpa")
MODES: tuple[Mode, ...] = ("inference", "forward_backward")


@dataclass(frozen=True)
class Row:
    """A mixer of ours at the size of a stage that has it."""

    name: str
    mixer: str
    grid: tuple[int, int]
    dim: int
    heads: int = 1
    config: Mapping[str, Any] = field(default_factory=dict)

    def kernels(self, wanted: Sequence[Kernel]) -> tuple[Kernel, ...]:
        """Which of these the mixer has; "math" if none."""
        has = getattr(mixer_class(self.mixer), "kernels", ("math",))
        return tuple(kernel for kernel in wanted if kernel in has) or ("math",)

    def cell(self, args: argparse.Namespace, kernel: Kernel, mode: Mode) -> Cell:
        return Cell(
            name=self.name,
            target=self.mixer,
            config=dict(self.config),
            resolution=self.grid,
            stride=1,
            batch=args.batch,
            dim=self.dim,
            num_heads=self.heads,
            kernel=kernel,
            mode=mode,
            device=args.device,
        )


_TREE = {"levels": 4, "topk": 8}

ROWS = (
    Row("QuadTree-A", "quadtree", (56, 56), 64, 1, _TREE | {"variant": "A"}),
    Row("QuadTree-B", "quadtree", (56, 56), 64, 1, _TREE | {"variant": "B"}),
    Row("Focal", "focal", (56, 56), 96, 3, {"focal_window": 7}),
    Row("involution", "involution", (56, 56), 64),
    Row("outlook", "outlook", (28, 28), 192, 6, {"stride": 2}),
    Row("ACmix", "acmix", (28, 28), 128, 4),
    Row("SAN pairwise", "san_pairwise", (28, 28), 256, 1, {"dim_out": 64, "rel_dim": 16}),
    Row("SAN patchwise", "san_patchwise", (28, 28), 256, 1, {"dim_out": 64, "rel_dim": 16}),
    Row("NAT", "nat", (28, 28), 128, 4),
    Row("I-dynamic DW conv", "idynamic_dwconv", (56, 56), 96),
)

HEADINGS = (
    ("mixer", 17),
    ("tokens", 7),
    ("dim", 4),
    ("step", 16),
    ("kernel", 6),
    ("ours", 9),
    ("unfold", 9),
    ("time, ours / unfold", 22),
    ("peak, ours", 10),
    ("peak, unfold", 12),
    ("memory", 6),
)


def cells_of(row: Row, device: Device, args: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """The table's cells for each step and kernel, or a remark why there are none."""
    for mode, kernel in itertools.product(args.modes, row.kernels(args.kernels)):
        cell = row.cell(args, kernel, mode)
        start = (row.name, "x".join(map(str, row.grid)), str(row.dim), mode, cell.kernel)
        try:
            apart = difference(cell, args.device)
            if not apart <= TOLERANCE:
                yield *start, f"refused: they differ by {apart:.1e} of the largest value"
                continue
            yield *start, *measured(cell, device, args)
        except (BenchsuiteError, ValueError, RuntimeError) as error:
            yield *start, said(error)


def both(cell: Cell, device: str) -> tuple[Subject, Subject]:
    """Ours and the unfolding one, of one set of weights and one input."""
    ours = build(cell, device)
    return ours, Subject(Unfolded(ours.module, cell.target), ours.inputs)


def difference(cell: Cell, device: str) -> float:
    """Largest difference of outputs and input gradients in double precision, over the largest value."""
    subjects = both(dataclasses.replace(cell, dtype="fp64"), device)
    (out, grad), (other_out, other_grad) = (_results(subject) for subject in subjects)
    return max(_apart(out, other_out), _apart(grad, other_grad))


def _results(subject: Subject) -> tuple[Tensor, Tensor]:
    """Output, and gradient of its product with fixed random numbers with respect to the input."""
    tensor = subject.tensor.detach().requires_grad_()
    out = subject.module(tensor, *subject.inputs[1:])
    generator = torch.Generator().manual_seed(1)
    cotangent = torch.randn(out.shape, generator=generator, dtype=out.dtype).to(out.device)
    (grad,) = torch.autograd.grad(out, tensor, cotangent)
    return out.detach(), grad


def _apart(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    return float((one - other).abs().max() / other.abs().max())


def measured(cell: Cell, device: Device, args: argparse.Namespace) -> tuple[str, ...]:
    """Latencies, their ratio, and memory of ours and of the unfolding one."""
    ours, unfolding = both(cell, args.device)
    step, other = step_of(ours, cell.mode), step_of(unfolding, cell.mode)
    peak = measure_memory(step, ours.module, ours.tensor).peak_allocated_bytes
    other_peak = measure_memory(other, unfolding.module, unfolding.tensor).peak_allocated_bytes
    pair = measure_pair(device, other, step, args.rounds)
    sizes = (byte_size(peak, 3), byte_size(other_peak, 3), f"{peak / other_peak:.2f}")
    return si(pair.other_s, "s", 3), si(pair.base_s, "s", 3), pair.time, *sizes


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=["*"], help="names of rows or of MIXERS, or patterns")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS), help="of ours")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8, help="ABBA turns a row; an interval takes six")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--format", choices=FORMATS, default="text")
    args = parser.parse_args(arguments)
    args.device = resolve(args.device)
    torch.set_num_threads(args.threads)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or torch's profiler tells of each start and stop
    device = open_device(args.device)
    print(
        f"torch {torch.__version__} on {args.device}, {args.threads} threads, batch {args.batch}, fp32, "
        f"{args.rounds} rounds\n"
    )
    table = Table(HEADINGS, args.format)
    for row in ROWS:
        if any(fnmatch.fnmatch(name, pattern) for name in (row.name, row.mixer) for pattern in args.only):
            for cells in cells_of(row, device, args):
                table.show(*cells)
    return 0


if __name__ == "__main__":
    sys.exit(main())
