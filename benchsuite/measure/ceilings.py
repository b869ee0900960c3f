"""What the machine can do at best, measured: the rate of a large matrix product, and that of a copy.

Both are what torch reaches on this machine with this number of threads, and not what a data sheet says. They
are measured once a machine and kept for a week (`measure/ceilings_cache.py`).
Source of the idea: Williams, Waterman and Patterson, "Roofline", Communications of the ACM 52 (2009).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from benchsuite.measure import ceilings_cache
from benchsuite.measure.conditions import Watch
from benchsuite.measure.device import Device, open_device

FORMATS = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
"""Word for a dtype → format of the factors. `tf32` is fp32 that torch may round in products."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is multiplied and copied.

    Attributes:
        side: of the square factors of the product.
        copied_bytes: of the buffer that is copied into another.
        budget_s: so long a product, or the copy, is timed at most; three times at least, nine at most.
    """

    side: int
    copied_bytes: int
    budget_s: float


CPU = Sizes(side=2048, copied_bytes=256 << 20, budget_s=0.3)
"""Beyond every cache but those of the largest servers, and 0.2 s a product on two cores."""
CUDA = Sizes(side=8192, copied_bytes=1 << 30, budget_s=0.5)
FEWEST, MOST = 3, 9
_PILOT = 4
"""A product is first tried at this fraction of the side, a power of 2, to see what fits the budget."""


def ceilings(device: str, dtypes: Sequence[str], *, refresh: bool = False) -> dict[str, Any]:
    """The ceilings of a device that `resolve` has named, as this process would use it now.

    Args:
        dtypes: words of `results.record.DType`; `autocast_*` stands for the format that it casts to. Those
            that the device lacks are left out of the answer.
        refresh: measure anew whatever is kept.

    Returns:
        JSON-able: "device"; "threads" of the CPU; "macs_per_s", dtype → multiply–adds per second;
        "copy_bytes_per_s", bytes read and written; "method" in words; "measured_at", ISO 8601.
    """
    wanted = tuple(dict.fromkeys(dtype.removeprefix("autocast_") for dtype in dtypes))
    where = torch.device(device)
    sizes = CUDA if where.type == "cuda" else CPU

    def measure(missing: Sequence[str]) -> dict[str, Any]:
        found = measure_ceilings(open_device(device), device, missing, sizes)
        if where.type == "cuda":
            torch.cuda.empty_cache()
        return found

    watch = Watch() if where.type == "cpu" else None
    found = ceilings_cache.through(
        ceilings_cache.fingerprint(device),
        wanted,
        measure,
        refresh=refresh,
        others=lambda: watch.snapshot().get("cpu_others") if watch else None,
    )
    rates = {dtype: rate for dtype in wanted if (rate := found["macs_per_s"].get(dtype)) is not None}
    return {**found, "device": device, "threads": torch.get_num_threads(), "macs_per_s": rates}


def measure_ceilings(timer: Device, device: str, dtypes: Sequence[str], sizes: Sizes) -> dict[str, Any]:
    """Time every product and the copy, nothing kept. A dtype that the device lacks has the rate None."""
    rates = {dtype: _rate_if_any(timer, device, dtype, sizes) for dtype in dtypes}
    return {
        "macs_per_s": rates,
        "copy_bytes_per_s": copy_rate(timer, device, sizes),
        "method": (
            f"median of {FEWEST} to {MOST}: product of square matrices of side {sizes.side} at most, random; "
            f"copy of {sizes.copied_bytes >> 20} MiB, read and written; {timer.method}"
        ),
    }


def _rate_if_any(timer: Device, device: str, dtype: str, sizes: Sizes) -> float | None:
    try:
        return matmul_rate(timer, device, dtype, sizes)
    except (RuntimeError, LookupError):  # no such format here, or not enough memory for it
        return None


def matmul_rate(timer: Device, device: str, dtype: str, sizes: Sizes) -> float:
    """Multiply–adds per second of a product of two square matrices.

    Where the fewest products of full size would take far longer than the budget, as on a slow CPU or in a
    format that it emulates, half of the side has to do, or a quarter.

    Raises:
        RuntimeError: the device cannot multiply in this format.
        LookupError: there is no such format, or not on this kind of device.
    """
    if dtype == "tf32" and torch.device(device).type != "cuda":
        raise LookupError("a CPU has no TF32")
    with _precision("high" if dtype == "tf32" else "highest"):
        side = sizes.side // _PILOT
        product = _product(side, device, FORMATS[dtype])
        timer.time_calls(product, 1)  # the first call finds a kernel
        seconds = min(timer.time_calls(product, FEWEST))
        while side < sizes.side and 8 * seconds * (FEWEST + 1) <= FEWEST * sizes.budget_s:
            side, seconds = 2 * side, 8 * seconds
        return float(side**3 / _median(timer, _product(side, device, FORMATS[dtype]), sizes.budget_s))


def copy_rate(timer: Device, device: str, sizes: Sizes) -> float:
    """Bytes per second of a copy within the device's memory; a byte that is read and written counts twice."""
    source = torch.empty(sizes.copied_bytes, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    return 2 * sizes.copied_bytes / _median(timer, lambda: target.copy_(source), sizes.budget_s)


def _product(side: int, device: str, dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    """Of random numbers: a GPU multiplies zeros with less power, hence faster."""
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=out)


def _median(timer: Device, step: Callable[[], object], budget_s: float) -> float:
    """Median seconds of a call, after one that nobody counts."""
    (first,) = timer.time_calls(step, 1)
    calls = min(MOST, max(FEWEST, int(budget_s / first))) if first > 0 else MOST
    return statistics.median(timer.time_calls(step, calls))


@contextmanager
def _precision(word: str) -> Iterator[None]:
    """How products of fp32 are taken: "highest" is fp32, "high" is TF32 where there is such a thing."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(word)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
