"""A cell looked at without timing it: attention, memory, device time, energy. For a process of its own."""

from __future__ import annotations

from benchsuite.measure.attention_backends import attention_backends
from benchsuite.measure.busy import measure_busy
from benchsuite.measure.device import open_device
from benchsuite.measure.energy import idle_draw, measure_energy
from benchsuite.measure.memory import measure_memory
from benchsuite.measure.nvml import for_device
from benchsuite.results.record import Cell
from benchsuite.run.answer import Inspected
from benchsuite.run.build import build
from benchsuite.run.compiling import compiled, original
from benchsuite.run.precision import precision_of
from benchsuite.run.steps import steps_of
from benchsuite.run.timed import first_call
from benchsuite.scenario.measure import Measure


def inspect(cell: Cell, measure: Measure) -> Inspected:
    """Backends of attention; memory, if the scenario wants it; on a GPU how long it is busy for a step, and
    what it draws."""
    nvml, _ = for_device(cell.device)
    idle_w = idle_draw(nvml) if nvml is not None else None
    with precision_of(cell.dtype, cell.device):
        subject = compiled(build(cell, cell.device, seed=measure.seed), cell.compile)
        steps = steps_of(subject, cell.mode)
        first_call(steps.whole)
        seen = attention_backends(steps.whole, flex=cell.kernel == "flex")
        backends = seen if seen or cell.compile == "eager" else None
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
            busy = measure_busy(steps.whole, device) if measure.busy else None
            energy = measure_energy(steps.whole, device, nvml, idle_w=idle_w) if nvml is not None else None
    return Inspected(memory, busy, energy, backends)
