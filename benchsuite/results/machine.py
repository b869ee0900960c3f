"""Facts that an environment states of its machine: noise, drift, memory and ceilings, and what cells come to
beside them.

Ceilings are measured (`measurement/ceilings.py`) and lie in an environment under "ceilings": those of one
device, or a list with one for each of several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchsuite.results.cell import Cell
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Cost, Memory

FLOPS_PER_MAC = 2
LAUNCH_BOUND = 1.2
"""A step is launch-bound from here on: wall time as a multiple of the time that the device works. Events, the
start of a stream and kernels that cannot overlap account for some per cent of gaps on any device; a fifth is
more than they explain, and then it is the host's speed that the measurement tells."""


def launch_bound(wall_s: float, busy_s: float) -> bool:
    """Tell if a step takes longer than its kernels by more than events and clocks can explain.

    Args:
        wall_s: seconds per step as it runs.
        busy_s: seconds per step in which the device works.
    """
    return busy_s > 0 and wall_s > LAUNCH_BOUND * busy_s


def noise_of(environment: Mapping[str, Any]) -> float:
    """The share that a paired ratio of two cells of one run must exceed to mean something here: 95 % of
    comparisons of a cell with itself stay below. 0 where no self-test says."""
    found = _share(environment, "noise_percent")
    return 0.0 if math.isnan(found) else found


def drift_of(environment: Mapping[str, Any]) -> float:
    """Half width, as a share, of the 95 % interval of what varies between runs minutes apart, and which no
    interval from within one run can know. NaN where no self-test says."""
    return _share(environment, "drift_percent")


def _share(environment: Mapping[str, Any], key: str) -> float:
    found = environment.get("selftest")
    percent = found.get(key) if isinstance(found, Mapping) else None
    return percent / 100 if isinstance(percent, int | float) else math.nan


def memory_of(environment: Mapping[str, Any], device: str) -> int | None:
    """Bytes of memory that the device has, used or free; None if nobody says."""
    part = environment.get("cpu" if kind_of(device).on_host else "gpu") or {}
    found = part.get("memory_bytes")
    return found if isinstance(found, int) else None


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Ceilings of one device in one dtype; None where one was not measured.

    Attributes:
        macs_per_s: multiply–adds per second of the fastest kernel of known cost.
        copy_bytes_per_s: bytes read and written per second of a large copy.
        kernel: name of that kernel; empty in old runs, which tried one matrix product only.
        counted_per_s: the highest rate by counted multiply–adds of a dense 3 × 3 convolution, which an
            algorithm may do with fewer.
    """

    macs_per_s: float | None = None
    copy_bytes_per_s: float | None = None
    kernel: str = ""
    counted_per_s: float | None = None


def ceilings_of(environment: Mapping[str, Any], device: str, dtype: str, threads: int | None) -> Ceilings:
    """The ceilings that a cell is to be held against.

    Args:
        device, dtype: the cell's. `autocast_*` is held against the format that it casts to.
        threads: that the cell really used (`Timing.threads`). A number of CPU threads other than that of the
            ceilings has none; None, where nobody knows, stands for the same.
    """
    stored = environment.get("ceilings") or ()
    for one in [stored] if isinstance(stored, Mapping) else stored:
        same_threads = threads is None or not kind_of(device).on_host or threads == one.get("threads")
        if one.get("device") == device and same_threads:
            return _in_format(one, dtype.removeprefix("autocast_"))
    return Ceilings()


def _in_format(stored: Mapping[str, Any], dtype: str) -> Ceilings:
    kernels, counted, rates = (
        (stored.get(key) or {}).get(dtype) for key in ("kernels", "counted", "macs_per_s")
    )
    return Ceilings(
        macs_per_s=rates,
        copy_bytes_per_s=stored.get("copy_bytes_per_s"),
        kernel=max(kernels, key=kernels.get) if kernels else "",
        counted_per_s=max(counted.values()) if counted else None,
    )


def achieved_flops_per_s(cell: Cell, cost: Cost, latency_s: float) -> float | None:
    """Floating-point operations per second of a forward pass, 2 for each multiply–add that is counted.

    None in training: what a backward pass multiplies is not counted, and is not forward times a number.
    """
    if cell.mode != "inference" or not latency_s > 0:
        return None
    return FLOPS_PER_MAC * cost.macs * cell.batch / latency_s


def intensity(cell: Cell, cost: Cost, memory: Memory) -> float | None:
    """Floating-point operations per byte of a forward pass that reads weights and input and writes its output
    once each, and moves nothing else. None in training, or where the output's bytes are not known."""
    if cell.mode != "inference" or memory.output_bytes is None:
        return None
    moved = memory.weights_bytes + memory.input_bytes + memory.output_bytes
    return FLOPS_PER_MAC * cost.macs * cell.batch / moved if moved else None


def machine_name(environment: Mapping[str, Any]) -> str:
    """Name of a machine by its hardware: "NVIDIA H200"; "AMD EPYC 7B13, AVX2, 2 cores".

    Times of one name may be put into one series. Threads are no part of it, as they are a setting of a cell;
    nor are versions of software, as a series is there to show what these do.
    """
    gpu, cpu = environment.get("gpu") or {}, environment.get("cpu") or {}
    cores = cpu.get("logical_cores")
    words = (
        (gpu["name"],)
        if gpu.get("name")
        else (
            cpu.get("model"),
            cpu.get("instructions"),
            f"{cores} core{'' if cores == 1 else 's'}" if cores else None,
        )
    )
    return ", ".join(str(word) for word in words if word) or "a machine that is not described"


def machine_words(environment: Mapping[str, Any]) -> str:
    """Name and version of PyTorch: "NVIDIA H200, torch 2.11.0"."""
    return f"{machine_name(environment)}, torch {environment.get('torch') or 'unknown'}"


def device_identity(environment: Mapping[str, Any]) -> str:
    """Stable name of the physical device that an environment describes; sets of as many cores of one
    machine are alike."""
    gpu = environment.get("gpu") or {}
    machine = str(environment.get("machine", ""))
    if gpu.get("uuid"):
        return f"{machine} {gpu['uuid']}"
    cores = environment.get("core_set")
    return f"{machine} {len(cores)} cores" if cores else machine
