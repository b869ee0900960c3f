"""A cell looked at without timing it: attention, memory, device time, energy. For a process of its own."""

from __future__ import annotations

from benchsuite.measure.attention_backends import attention_backends
from benchsuite.measure.busy import measure_busy
from benchsuite.measure.device import open_device
from benchsuite.measure.energy import idle_draw_of, measure_energy
from benchsuite.measure.memory import measure_memory
from benchsuite.measure.nvml import for_device
from benchsuite.results.record import Cell
from benchsuite.run.answer import Inspected
from benchsuite.run.compiling import GRAPHED, original
from benchsuite.run.precision import precision_of
from benchsuite.run.ready import make_ready
from benchsuite.scenario.measure import Measure


def inspect(cell: Cell, measure: Measure) -> Inspected:
    """Backends of attention; memory, if the scenario wants it; on a GPU how long it is busy for a step, and
    what it draws."""
    nvml, _ = for_device(cell.device)
    draws = nvml is not None and measure.energy and "latency" in measure.metrics
    idle_w = idle_draw_of(cell.device) if draws else None
    with precision_of(cell.dtype, cell.device):
        ready = make_ready(cell, measure)
        subject, steps = ready.subject, ready.steps
        seen = attention_backends(steps.whole, flex=cell.kernel == "flex")
        backends = seen if seen or cell.compile == "eager" else None
        mark = ready.watch.mark() if ready.watch else 0
        memory = busy = energy = None
        if "memory" in measure.metrics:
            memory = measure_memory(
                steps.whole,
                original(subject.module),
                subject.tensor,
                optimizer=steps.optimizer,
                backward=cell.mode != "inference",
            )
        if "latency" in measure.metrics and cell.device.startswith("cuda"):
            device = open_device(cell.device)
            energy = measure_energy(steps.whole, device, nvml, idle_w=idle_w) if draws else None
            # Last, for a capture that fails leaves less memory. AdamW counts its steps on the host, and
            # graphs that are replayed fit into no other.
            capture = steps.optimizer is None and cell.compile not in GRAPHED
            busy = measure_busy(steps.whole, device, capture=capture) if measure.busy else None
        if ready.watch:
            ready.watch.require_unchanged(mark)
    return Inspected(memory, busy, energy, backends)
