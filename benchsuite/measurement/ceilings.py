"""Ceilings of the machine, measured: the rate of the fastest of several kernels, and that of a copy.

Both are what torch reaches on this machine with this number of threads, and not what a data sheet says. They
are the best of several turns, not a median: a roof is what nothing exceeds. They are measured once a machine
and kept for a week (`measurement/machine_cache.py`).
Source of the idea: Williams, Waterman and Patterson, "Roofline", Communications of the ACM 52 (2009).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from benchsuite.measurement.ceiling_kernels import KERNELS, Kernel, Sizes
from benchsuite.measurement.conditions import StateReader, clock
from benchsuite.measurement.device import Device, Step, open_device
from benchsuite.measurement.machine_cache import OF_A_DTYPE, fingerprint, keep_ceilings, read_ceilings
from benchsuite.measurement.precision import tf32
from benchsuite.measurement.timing import keep_at_work
from benchsuite.measurement.torch_errors import is_unsupported
from benchsuite.results.devices import kind_of

Look = Callable[[], dict[str, Any]]

FORMATS = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
"""Word for a dtype → format of the factors. `tf32` is fp32 that torch may round in products."""

TURNS = 2
"""Each kernel is built anew and timed so often, with all others between: a busy moment spoils one turn."""
FEWEST = 3
"""Calls at least: the first may find a kernel, and the pages of its output."""
PARTS = (16, 8, 4, 2, 1)
"""A kernel is tried at these parts of its size, to see what fits the budget: CPUs emulate some formats."""
ROOM = 8 << 30
"""Bytes of a GPU's memory that the largest kernel takes at full size, in fp64 with what making it takes."""


def ceilings(device: str, dtypes: Sequence[str], *, threads: int | None = None) -> dict[str, Any]:
    """The ceilings of a device that `resolve` has named, as this process would use it now.

    Args:
        dtypes: words of `results.cell.DType`; `autocast_*` stands for the format that it casts to. Those
            that the device lacks are left out of the answer.
        threads: of the CPU; as many as torch is set to if None.

    Returns:
        JSON-able: "device"; "threads" of the CPU; "macs_per_s", dtype → multiply–adds per second of the
        fastest kernel; "kernels", dtype → name → that of each; "counted", the same of kernels that may need
        fewer multiplications than are counted; "clocks", dtype → clock of a GPU at work on the fastest kernel
        and the reasons for it, as in `measurement/conditions.py`; "copy_bytes_per_s", bytes read and written,
        None if nothing could be copied; "failures", what could not be measured → why; "method" in words;
        "measured_at", ISO 8601.
    """
    wanted = tuple(dict.fromkeys(dtype.removeprefix("autocast_") for dtype in dtypes))
    opened = open_device(device)
    with _threads(threads):
        key = fingerprint(device)
        measured = read_ceilings(key)
        missing = [dtype for dtype in wanted if measured is None or dtype not in measured["macs_per_s"]]
        if missing or measured is None:
            host = StateReader() if kind_of(device).on_host else None
            if host:
                host.snapshot()  # from here on others are told from this process
            nvml, _ = opened.card()
            look = None if nvml is None else functools.partial(clock, nvml)
            fresh = measure_ceilings(opened, device, missing, sizes_of(opened), look)
            opened.release()
            others = host.snapshot()["cpu_others"] if host else None
            measured = keep_ceilings(key, fresh, measured, others)
        used = torch.get_num_threads()
    had = [dtype for dtype in wanted if measured["macs_per_s"].get(dtype) is not None]
    own = {key: {dtype: measured[key][dtype] for dtype in had} for key in OF_A_DTYPE}
    return {**measured, **own, "device": device, "threads": used}


def sizes_of(device: Device) -> Sizes:
    """Enough to keep every core busy, and beyond the caches of all but the largest servers; on a GPU less
    where others have left less memory."""
    if kind_of(device.kind).on_host:
        return Sizes(side=2048, images=16 * device.units(), copied_bytes=256 << 20, budget_s=0.1)
    free, parts = device.room_bytes() or 0, 1
    while parts < PARTS[0] and free < ROOM // parts:
        parts *= 2
    return Sizes(
        side=8192 // parts,
        images=max(1, 4 * device.units() // parts),
        copied_bytes=(1 << 30) // parts,
        budget_s=0.2,
        warm_s=0.3,
    )


def measure_ceilings(
    timer: Device, device: str, dtypes: Sequence[str], sizes: Sizes, look: Look | None = None
) -> dict[str, Any]:
    """Time every kernel and the copy, nothing kept. A dtype that the device lacks has the rate None.

    Args:
        look: says what the clock of the device is, asked while it is at work.
    """
    failures: dict[str, str] = {}
    exact: dict[str, dict[str, float]] = {}
    counted: dict[str, dict[str, float]] = {}
    clocks: dict[str, dict[str, Any]] = {}
    for dtype in dtypes:
        at_work: dict[str, dict[str, Any]] = {}
        rates = kernel_rates(
            timer, device, dtype, sizes, KERNELS, failures=failures, look=look, clocks=at_work
        )
        exact[dtype] = {name: rate for name, rate in rates.items() if KERNELS[name].exact}
        counted[dtype] = {name: rate for name, rate in rates.items() if not KERNELS[name].exact}
        best = max(exact[dtype], key=exact[dtype].__getitem__, default="")
        clocks[dtype] = at_work.get(best, {})
    copied = None
    try:
        copied = copy_rate(timer, device, sizes)
    except RuntimeError as error:
        failures["copy"] = _first_line(error)
    return {
        "macs_per_s": {dtype: max(own.values(), default=None) for dtype, own in exact.items()},
        "kernels": exact,
        "counted": counted,
        "clocks": clocks,
        "copy_bytes_per_s": copied,
        "failures": failures,
        "method": (
            f"fastest call of the fastest of {sum(one.exact for one in KERNELS.values())} kernels of known "
            f"cost, on random numbers, in {TURNS} turns of {sizes.budget_s:g} s each"
            f"{f' after {sizes.warm_s:g} s of warm-up' if sizes.warm_s else ''}; "
            f"copy of {sizes.copied_bytes >> 20} MiB, read and written; {timer.method}"
            + "".join(f"; not measured: {what} ({why})" for what, why in failures.items())
        ),
    }


def kernel_rates(
    timer: Device,
    device: str,
    dtype: str,
    sizes: Sizes,
    kernels: Mapping[str, Kernel] = KERNELS,
    *,
    failures: dict[str, str] | None = None,
    look: Look | None = None,
    clocks: dict[str, dict[str, Any]] | None = None,
) -> dict[str, float]:
    """Name → multiply–adds per second of each kernel; those that the device cannot run in this format, or has
    no memory for, are absent.

    Args:
        failures: gets the reason of those that could be run but for something else, as want of memory.
        look, clocks: what `look` says while a kernel runs is put down here under its name.
    """
    if dtype not in FORMATS or (dtype == "tf32" and open_device(device).missing("tf32")):
        return {}
    rates: dict[str, float] = {}
    fitting: dict[str, Sizes] = {}
    warm_s = sizes.warm_s
    with tf32(dtype == "tf32"), torch.inference_mode():
        for name in [*kernels] * TURNS:
            make = kernels[name].make
            try:
                if name not in fitting:
                    fitting[name] = _fitting(timer, kernels[name], sizes, device, dtype)
                macs, step = make(fitting[name], device, FORMATS[dtype])
                if warm_s:  # an idle GPU takes a while to raise its clock
                    fastest(timer, step, warm_s)
                    warm_s = 0.0
                seconds = fastest(timer, step, sizes.budget_s)
                if look is not None and clocks is not None:
                    keep_at_work(step, timer, seconds)
                    clocks[name] = look()
                    timer.synchronize()
            except RuntimeError as error:
                if failures is not None and not is_unsupported(error):
                    failures[f"{name}, {dtype}"] = _first_line(error)
                continue
            rates[name] = max(macs / seconds, rates.get(name, 0.0))
    return rates


def _fitting(timer: Device, kernel: Kernel, sizes: Sizes, device: str, dtype: str) -> Sizes:
    """The largest size of which a call fits the budget; the smallest that is tried if none does."""
    fitting = sizes.shrunk(PARTS[0])
    for parts in PARTS:
        _, step = kernel.make(sizes.shrunk(parts), device, FORMATS[dtype])
        timer.time_calls(step, 1)  # the first call finds a kernel
        if timer.time_calls(step, 1)[0] > sizes.budget_s:
            break
        fitting = sizes.shrunk(parts)
    return fitting


def copy_rate(timer: Device, device: str, sizes: Sizes) -> float:
    """Bytes per second of a copy within the device's memory; a byte that is read and written counts twice."""
    source = torch.empty(sizes.copied_bytes, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    return 2 * sizes.copied_bytes / fastest(timer, lambda: target.copy_(source), TURNS * sizes.budget_s)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]


def fastest(timer: Device, step: Step, budget_s: float) -> float:
    """Seconds of the fastest of as many calls as fill the budget; the first of them warm up."""
    spent, taken, best, calls = 0.0, 0, math.inf, 1
    while spent < budget_s or taken < FEWEST:
        durations = timer.time_calls(step, calls)
        best = min(best, *durations)
        spent += max(sum(durations), 1e-6 * calls)  # a clock that stands still must not hold us
        taken += calls
        calls = max(1, min(2 * calls, int((budget_s - spent) / max(best, 1e-6))))
    return max(best, 1e-9)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
