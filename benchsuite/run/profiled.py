"""A cell under torch's profiler. For a process that times nothing."""

from __future__ import annotations

from pathlib import Path

import torch

from benchsuite.measure.device import open_device
from benchsuite.measure.profile import profile_step
from benchsuite.measure.protocols import PROTOCOLS
from benchsuite.measure.trace_reader import Reading
from benchsuite.measure.warmup import WarmUp, warm
from benchsuite.results.record import Cell
from benchsuite.run.precision import precision_of
from benchsuite.run.ready import make_ready
from benchsuite.scenario.measure import Measure


def profile(cell: Cell, measure: Measure, trace: Path, steps: int, top: int) -> Reading:
    """Build a cell, warm it up and profile `steps` steps of it. See `measure.profile.profile_step`.

    Caches are warm whatever the cell says, and a protocol decides on gradients alone: both are about when
    samples are taken, and here none are.

    Raises:
        Unsupported: it has no such kernel, dtype or size here.
        Exception: whatever the cell itself raises, out of memory among it.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(cell.threads or threads)
    try:
        with precision_of(cell.dtype, cell.device):
            whole = make_ready(cell, measure, gradients=PROTOCOLS[cell.protocol].gradients).steps.whole
            warm(whole, open_device(cell.device), WarmUp(measure.warmup_calls, measure.warmup_s))
            return profile_step(whole, device=cell.device, steps=steps, top=top, trace=trace)
    finally:
        torch.set_num_threads(threads)
