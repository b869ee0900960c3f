"""What a cell achieved beside what its machine can do: pure arithmetic on a record and on an environment.

Ceilings are measured (`measure/ceilings.py`) and lie in an environment under "ceilings": those of one device,
or a list with one for each of several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchsuite.results.record import Cell, Cost, Memory

FLOPS_PER_MAC = 2


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Of one device in one dtype; None where it was not measured.

    Attributes:
        macs_per_s: multiply–adds per second of a large matrix product.
        copy_bytes_per_s: bytes read and written per second of a large copy.
    """

    macs_per_s: float | None = None
    copy_bytes_per_s: float | None = None


def ceilings_of(environment: Mapping[str, Any], device: str, dtype: str, threads: int | None) -> Ceilings:
    """The ceilings that a cell is to be held against.

    Args:
        device, dtype, threads: the cell's. `autocast_*` is held against the format that it casts to. A number
            of CPU threads other than that of the ceilings has none; None stands for the same.
    """
    stored = environment.get("ceilings") or ()
    for one in [stored] if isinstance(stored, Mapping) else stored:
        same_threads = threads is None or not device.startswith("cpu") or threads == one.get("threads")
        if one.get("device") == device and same_threads:
            rates = one.get("macs_per_s") or {}
            return Ceilings(rates.get(dtype.removeprefix("autocast_")), one.get("copy_bytes_per_s"))
    return Ceilings()


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
