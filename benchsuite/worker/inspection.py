"""Passes over a cell that time nothing: memory, device time, energy, a trace. For a process of their own."""

from __future__ import annotations

from pathlib import Path

import torch

from benchsuite.measurement.device import open_device
from benchsuite.measurement.energy import idle_draw_of, measure_energy
from benchsuite.measurement.memory import measure_memory
from benchsuite.measurement.operator_profile import Reading, attention_backends, profile_step
from benchsuite.measurement.precision import precision_of
from benchsuite.measurement.protocols import PROTOCOLS
from benchsuite.measurement.timing import WarmUp, measure_busy, warm
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Cell
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.cell_setup import set_up_cell
from benchsuite.worker.compiling import GRAPHED, original
from benchsuite.worker.worker_reply import Inspection


def inspect(cell: Cell, measure: Measure) -> Inspection:
    """Backends of attention; memory, if the scenario wants it; on a GPU how long it is busy for a step, and
    what it draws."""
    device = open_device(cell.device)
    nvml, _ = device.card()
    draws = nvml is not None and measure.energy and "latency" in measure.metrics
    idle_w = idle_draw_of(cell.device) if draws else None
    with precision_of(cell.dtype, cell.device):
        setup = set_up_cell(cell, measure)
        subject, steps = setup.subject, setup.steps
        seen = attention_backends(steps.whole, flex=cell.kernel == "flex")
        backends = seen if seen or cell.compile == "eager" else None
        mark = setup.watch.mark() if setup.watch else 0
        memory = busy = energy = None
        if "memory" in measure.metrics:
            memory = measure_memory(
                steps.whole,
                original(subject.module),
                subject.tensor,
                others=subject.tensors[1:],
                optimizer=steps.optimizer,
                backward=cell.mode != "inference",
            )
        if "latency" in measure.metrics and not kind_of(cell.device).on_host:
            energy = measure_energy(steps.whole, device, nvml, idle_w=idle_w) if draws else None
            # Last, for a capture that fails leaves less memory. AdamW counts its steps on the host, and
            # graphs that are replayed fit into no other.
            capture = steps.optimizer is None and cell.compile not in GRAPHED
            busy = measure_busy(steps.whole, device, capture=capture) if measure.busy else None
        if setup.watch:
            setup.watch.require_unchanged(mark)
    return Inspection(memory, busy, energy, backends)


def profile(cell: Cell, measure: Measure, trace: Path, steps: int, top: int) -> Reading:
    """Build a cell, warm it up and profile `steps` steps of it. See `measurement/operator_profile.py`.

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
            whole = set_up_cell(cell, measure, gradients=PROTOCOLS[cell.protocol].gradients).steps.whole
            warm(whole, open_device(cell.device), WarmUp(measure.warmup_calls, measure.warmup_s))
            return profile_step(whole, device=cell.device, steps=steps, top=top, trace=trace)
    finally:
        torch.set_num_threads(threads)
