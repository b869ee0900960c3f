"""Memory of this process as the system sees it: interpreter, libraries, allocator caches, and the tensors."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from pathlib import Path

import torch

from benchsuite.measurement import nvml
from benchsuite.measurement.device import Step
from benchsuite.measurement.host import ROOT, read

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
        Where the driver does not list this process, as in most containers: how much more of the card is in
        use than before this process had any, as if nobody else had come or gone since. None if the driver is
        not asked (no nvidia-ml-py), or nobody looked in time.
    """
    card = card or nvml.for_device(str(device))[0]
    if card is None:
        return None
    listed = {one.pid: one.memory_bytes for one in card.processes() or ()}
    if (own := listed.get(os.getpid())) is not None:
        return own
    used, before = card.used_bytes(), card.before_bytes
    return None if used is None or before is None else max(0, used - before)


def elsewhere_on_gpu(device: str) -> int | None:
    """Bytes of a GPU in use that torch has not taken in this process: those of others, and the contexts of
    all, this one's among them. None for another kind of device."""
    if torch.device(device).type != "cuda":
        return None
    try:
        free, total = torch.cuda.mem_get_info(device)
    except RuntimeError:  # a lost context fails the step, not the look at the machine
        return None
    return int(total - free - torch.cuda.memory_reserved(device))
