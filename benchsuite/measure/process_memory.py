"""Memory of this process as the system sees it: interpreter, libraries, allocator caches, and the tensors."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from pathlib import Path

import torch

from benchsuite.measure import nvml
from benchsuite.measure.device import Step
from benchsuite.measure.host import ROOT, read

_RESET_PEAK = "5"
"""What /proc/self/clear_refs takes to let the peak begin anew; see proc(5)."""


def peak_of(step: Step, root: Path = ROOT) -> int | None:
    """Largest resident set of this process during one call of `step`, in bytes.

    None where the system has no such peak or does not let it begin anew, which only Linux does: a peak since
    the process began would be an earlier cell's.
    """
    own = root / "proc/self"
    _return_freed()
    try:
        with (own / "clear_refs").open("w", encoding="ascii") as file:
            file.write(_RESET_PEAK)
    except OSError:
        return None
    step()
    return _peak(read(own / "status"))


def _peak(status: str) -> int | None:
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024  # in kB, which are KiB
    return None


def _return_freed() -> None:
    """Hand what earlier cells have freed back to the system, where the C library knows how to (glibc)."""
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def on_gpu(device: torch.device, card: nvml.Nvml | None = None) -> int | None:
    """Bytes of a GPU that the driver has given this process now: context, libraries and what torch reserved.

    Right after a step that is the step's peak too, since torch keeps what it has once reserved.

    Args:
        card: asked in place of the GPU's own.

    Returns:
        None if the driver is not asked (no nvidia-ml-py), does not say, or lists this process by the pid of
        another namespace, as in most containers.
    """
    card = card or nvml.for_device(str(device))[0]
    processes = (card.processes() if card is not None else None) or ()
    return next((one.memory_bytes for one in processes if one.pid == os.getpid()), None)
