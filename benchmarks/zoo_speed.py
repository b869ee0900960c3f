"""How fast are our mixers next to the same maths in plain PyTorch, forward and in training?

    python benchmarks/zoo_speed.py --format markdown
    python benchmarks/zoo_speed.py --only dat cswin --grids 28x28 --modes inference

`plain/` has mixers in a plain formulation, on the weights of ours. Before a row is timed, output and input
gradient of both are compared in double precision on the smallest grid: there rounding does not pass for a
difference, and a near tie does not choose other regions. A row that differs is refused. Then both are timed
in turns (ABBA) in one process that retains its memory, for each kernel of ours and each grid. The table shows
the speed of ours over that of the plain formulation, a median with its 95 % interval: 2 is twice as fast. On
one thread of a CPU times are CPU time, which a busy machine lengthens least. "of peak" is the share of the
machine's measured peak of multiply–adds that ours reaches, a backward pass taken for two forward ones. Memory
is the peak of one step, weights and input included. Below the table stand geometric means, by grid and of
all: over the cells of "math", and over the faster kernel of each.
"""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import itertools
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import geometric_mean
from typing import Any

import torch
from _paired import FORMATS, Pair, Table, grid_of, measure_pair, said
from plain import Plain
from torch import Tensor

from benchsuite.errors import BenchsuiteError
from benchsuite.format import byte_size, si
from benchsuite.measurement import allocator
from benchsuite.measurement.ceilings import ceilings
from benchsuite.measurement.cpu import CpuDevice
from benchsuite.measurement.device import Device, Step, open_device, resolve
from benchsuite.measurement.macs import count_cost
from benchsuite.measurement.memory import measure_memory
from benchsuite.results.cell import Cell, Kernel, Mode
from benchsuite.stats.intervals import quantile
from benchsuite.worker.build import Subject, build, mixer_class
from benchsuite.worker.steps import step_of

TOLERANCE = 1e-9
"""Largest difference in double precision, over the largest value."""

KERNELS: tuple[Kernel, ...] = ("math", "sdpa", "compiled")
"""What `--kernels` may name; "compiled" takes a minute a cell and is left out by default."""
MODES: tuple[Mode, ...] = ("inference", "forward_backward")
FORWARD_PASSES: Mapping[str, int] = {"inference": 1, "forward_backward": 3}
"""Mode → how many forward passes its multiply–adds amount to."""


@dataclass(frozen=True)
class Row:
    """A mixer of ours at the width of a stage that has it."""

    mixer: str
    config: Mapping[str, Any] = field(default_factory=dict)
    dim: int = 192
    heads: int = 6

    @property
    def name(self) -> str:
        """The mixer and what is not its default."""
        return " ".join((self.mixer, *(f"{key}={value}" for key, value in self.config.items())))

    def kernels(self, wanted: Sequence[Kernel]) -> tuple[Kernel, ...]:
        """Which of these the mixer has; "math" if none."""
        has = getattr(mixer_class(self.mixer), "kernels", ("math",))
        return tuple(kernel for kernel in wanted if kernel in has) or ("math",)

    def cell(self, args: argparse.Namespace, grid: tuple[int, int], kernel: Kernel, mode: Mode) -> Cell:
        return Cell(
            name=self.name,
            target=self.mixer,
            config=dict(self.config),
            resolution=grid,
            stride=1,
            batch=args.batch,
            dim=self.dim,
            num_heads=self.heads,
            kernel=kernel,
            mode=mode,
            device=args.device,
        )


_TREE = {"levels": 2, "topk": 8}
_SAN = {"dim_out": 64, "rel_dim": 16}

ROWS = (
    Row("msa"),
    Row("relpos_msa"),
    Row("coatnet_attention"),
    Row("bottleneck_attention"),
    Row("gpsa"),
    Row("cascaded_group"),
    Row("cb_msa"),
    Row("uniform_msa"),
    Row("sra"),
    Row("gsa"),
    Row("linear_sra"),
    Row("acmix_sra"),
    Row("dat_pyramid", {"sr_ratio": 2}),
    Row("non_local"),
    Row("dat"),
    Row("hilo"),
    Row("hilo", {"alpha": 0.0}),
    Row("window"),
    Row("davit_window"),
    Row("lsa"),
    Row("t_msa"),
    Row("cswin"),
    Row("swinv2_window_attention"),
    Row("maxvit_block_attention"),
    Row("maxvit_grid_attention"),
    Row("biformer_bra"),
    Row("biformer_bra_nchw"),
    Row("halo", {"block_size": 7}),
    Row("acmix_swin"),
    Row("acmix", dim=128, heads=4),
    Row("nat", dim=128, heads=4),
    Row("focal", {"focal_window": 7}, dim=96, heads=3),
    Row("quadtree", _TREE | {"variant": "A"}, dim=64, heads=1),
    Row("quadtree", _TREE | {"variant": "B"}, dim=64, heads=1),
    Row("san_pairwise", _SAN, dim=256),
    Row("san_patchwise", _SAN, dim=256),
    Row("acmix_san", _SAN, dim=256),
    Row("performer"),
    Row("linformer"),
    Row("relu_linear"),
    Row("separable"),
    Row("lambda_layer"),
    Row("involution", dim=64),
    Row("outlook"),
    Row("outlook", {"stride": 2}),
    Row("idynamic_dwconv", dim=96),
    Row("idynamic_dw_block", dim=96),
    Row("dynamic_dwconv", dim=96),
    Row("dynamic_dw_block", dim=96),
    Row("dwconv", dim=96),
    Row("dw_block", dim=96),
    Row("convnext"),
    Row("lka"),
    Row("van"),
    Row("gnconv"),
    Row("focalnet_modulation"),
    Row("pooling"),
    Row("cb"),
    Row("cbs"),
    Row("se"),
    Row("ge"),
    Row("eca"),
    Row("davit_channel"),
    Row("xca"),
    Row("token_mlp"),
    Row("smlp"),
    Row("gmlp"),
    Row("resmlp"),
    Row("vip"),
    Row("gfnet"),
    Row("fnet"),
    Row("afno"),
    Row("davit_cpe"),
    Row("convffn"),
)

HEADINGS = (
    ("mixer", 26),
    ("grid", 7),
    ("step", 16),
    ("kernel", 6),
    ("plain", 8),
    ("ours", 8),
    ("speed, ours / plain", 22),
    ("of peak", 7),
    ("memory, plain", 13),
    ("ours", 8),
    ("ratio", 5),
)


class CpuClock(CpuDevice):
    """The host, on the clock of the CPU time that this process takes."""

    method = "cpu_time"

    def time_calls(self, step: Step, calls: int, *, before: Step | None = None) -> list[float]:
        durations = []
        for _ in range(calls):
            start = time.process_time_ns()
            step()
            durations.append((time.process_time_ns() - start) * 1e-9)
        return durations


@dataclass(frozen=True)
class Measured:
    """Ours and the plain formulation, one cell.

    Attributes:
        pair: the plain formulation is its base.
        macs: of one step of ours, all images; None where they cannot be told.
        peak, plain_peak: bytes.
    """

    pair: Pair
    macs: int | None
    peak: int
    plain_peak: int


def rows_of(
    row: Row, grid: tuple[int, int], device: Device, args: argparse.Namespace
) -> Iterator[tuple[Cell, Measured | str]]:
    """Each step and kernel with what was measured, or with the reason why nothing was."""
    for mode, kernel in itertools.product(args.modes, row.kernels(args.kernels)):
        cell = row.cell(args, grid, kernel, mode)
        try:
            apart = difference(dataclasses.replace(cell, resolution=min(args.grids)), args.device)
            if apart <= TOLERANCE:
                yield cell, measured(cell, device, args)
            else:
                yield cell, f"refused: they differ by {apart:.1e} of the largest value"
        except (BenchsuiteError, ValueError, RuntimeError) as error:
            yield cell, said(error)


def both(cell: Cell, device: str) -> tuple[Subject, Subject]:
    """Ours and the plain one, of one set of weights and one input."""
    ours = build(cell, device)
    return ours, Subject(Plain(ours.module, cell.target), ours.inputs)


def difference(cell: Cell, device: str) -> float:
    """Largest difference of outputs and input gradients in double precision, over the largest value."""
    subjects = both(dataclasses.replace(cell, dtype="fp64", batch=1), device)
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


def measured(cell: Cell, device: Device, args: argparse.Namespace) -> Measured:
    """Times in turns, memory and multiply–adds of ours and of the plain one."""
    ours, plain = both(cell, args.device)
    step, other = step_of(ours, cell.mode), step_of(plain, cell.mode)
    cost = count_cost(ours.module, ours.inputs)
    return Measured(
        peak=measure_memory(step, ours.module, ours.tensor).peak_allocated_bytes,
        plain_peak=measure_memory(other, plain.module, plain.tensor).peak_allocated_bytes,
        macs=None if cost.uncounted else cost.macs * FORWARD_PASSES[cell.mode],
        pair=measure_pair(device, other, step, args.rounds),
    )


def cells_of(cell: Cell, found: Measured | str, peak: float | None) -> tuple[str, ...]:
    """A line of the table.

    Args:
        peak: multiply–adds a second that the machine reaches; None if it was not measured.
    """
    start = (cell.name, "x".join(map(str, cell.grid)), cell.mode, cell.kernel)
    if isinstance(found, str):
        return *start, found
    pair, share = found.pair, "–"
    if peak and found.macs is not None:
        share = f"{found.macs / pair.other_s / peak:.0%}"
    times = (si(pair.base_s, "s", 3), si(pair.other_s, "s", 3), pair.speed, share)
    sizes = (byte_size(found.plain_peak, 3), byte_size(found.peak, 3), f"{found.peak / found.plain_peak:.2f}")
    return *start, *times, *sizes


def summary(found: Sequence[tuple[Cell, Measured]]) -> Iterator[str]:
    """Geometric means of the speed, by mode and grid, on "math" and on the faster kernel of each cell."""
    speeds: dict[tuple[str, str], dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for cell, one in found:
        for grid in ("x".join(map(str, cell.grid)), "all grids"):
            speed = quantile(one.pair.ratios, 0.5)
            speeds[cell.mode, grid][f"{cell.name} {cell.grid}"][cell.kernel] = speed
    for (mode, grid), cells in speeds.items():
        math = [one["math"] for one in cells.values() if "math" in one]
        best = [max(one.values()) for one in cells.values()]
        means = [f"{geometric_mean(math):.2f} on math"] if math else []
        means.append(f"{geometric_mean(best):.2f} on the best")
        yield f"{mode}, {grid}: {', '.join(means)}, over {len(best)} cells; slowest best {min(best):.2f}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=["*"], help="names of rows or of MIXERS, or patterns")
    parser.add_argument("--grids", nargs="+", type=grid_of, default=[(14, 14), (28, 28), (56, 56)])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS[:2]), help="of ours")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=8, help="ABBA turns a row; an interval takes six")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-peak", action="store_true", help="do not measure the peak of the machine")
    parser.add_argument("--format", choices=FORMATS, default="text")
    args = parser.parse_args(arguments)
    args.device = resolve(args.device)
    torch.set_num_threads(args.threads)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or torch's profiler tells of each start and stop
    device: Device = CpuClock() if (args.device, args.threads) == ("cpu", 1) else open_device(args.device)
    peak = None if args.no_peak else ceilings(args.device, ["fp32"])["macs_per_s"]["fp32"]
    print(
        f"torch {torch.__version__} on {args.device}, {args.threads} threads, batch {args.batch}, fp32, "
        f"{args.rounds} rounds, {device.method}" + (f", peak {si(peak, 'MAC/s', 3)}\n" if peak else "\n")
    )
    table, done = Table(HEADINGS, args.format), []
    for row, grid in itertools.product(ROWS, args.grids):
        if any(fnmatch.fnmatch(name, pattern) for name in (row.name, row.mixer) for pattern in args.only):
            for cell, found in rows_of(row, grid, device, args):
                table.show(*cells_of(cell, found, peak))
                if isinstance(found, Measured):
                    done.append((cell, found))
    print()
    for line in summary(done):
        print(line)
    return 0


if __name__ == "__main__":
    allocator.retain()
    sys.exit(main())
