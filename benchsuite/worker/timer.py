"""Times a cell: builds it, compares it with its reference, samples. For a process that does nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from benchsuite.measurement import allocator
from benchsuite.measurement.conditions import StateReader
from benchsuite.measurement.device import Step, open_device
from benchsuite.measurement.precision import precision_of
from benchsuite.measurement.protocols import PROTOCOLS, Sampling
from benchsuite.measurement.stopping import Visit, stopping_rule
from benchsuite.measurement.timing import SamplingPlan, WarmUp, keep_at_work
from benchsuite.results.cell import Cell
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Conditions, Record, Spent
from benchsuite.scenario.measure_settings import Measure
from benchsuite.stats.intervals import quantile
from benchsuite.worker.build import build
from benchsuite.worker.cell_setup import CellSetup, first_call, first_compared, set_up_cell
from benchsuite.worker.steps import steps_of

_COLD_INPUTS = 2
"""Inputs that cold steps take in turns: one of them is never the last that was touched."""
_UNTOUCHED = ("hilo_single_layer",)
"""Protocols without a warm-up: nothing of the cell may run before it is timed."""


class Timer:
    """Times cells, one visit at a time; nothing of a cell is left when the next one comes.

    Attributes:
        limited: whether this process may have so much memory only.
        threads: of cells that name no number of their own.
    """

    def __init__(self) -> None:
        self.limited = False
        self._conditions: dict[str, StateReader] = {}
        self.threads = torch.get_num_threads()
        self._allocator = allocator.in_use()

    def visit(self, cell: Cell, measure: Measure, visit: Visit) -> Record:
        """Build and time one cell in one round; in the first it is compared with its reference before.

        Returns:
            The record of this round alone, with the seconds that it took here; when it began is for whoever
            asked.

        Raises:
            Mismatch: it computes something else than its reference.
            Recompiled: torch compiled something while it was timed.
            Unsupported: it has no such kernel, dtype or size here.
            Exception: whatever the cell itself raises, out of memory among it.
        """
        began = time.monotonic()
        with self._as_asked(cell), precision_of(cell.dtype, cell.device):
            device, sampling = open_device(cell.device), PROTOCOLS[cell.protocol]
            setup = _setup(cell, measure, visit, sampling)
            build_s = time.monotonic() - began
            plan = _plan(cell, measure, visit, setup)
            mark = setup.watch.mark() if setup.watch else 0
            state = self._state_of(cell.device)
            before = state.snapshot()
            warm_up = plan.warm_up.share(visit.rounds)
            warmed = sampling.warm(plan.warming(setup.steps.whole), device, warm_up)
            timing = sampling.sample(setup.steps.whole, device, plan, warmed)
            # Read while it is at work, and not at rest.
            keep_at_work(setup.steps.whole, device, quantile(timing.samples_s, 0.5))
            after = state.snapshot()
            device.synchronize()
            if setup.watch:
                setup.watch.require_unchanged(mark)
            compared, compilation = setup.compared, setup.compilation
            if cell.protocol in _UNTOUCHED:
                del setup, plan
                subject = build(cell, cell.device, seed=measure.seed)  # as it was before it was timed
                compared = first_compared(cell, subject, measure, gradients=sampling.gradients)
        return Record(
            id=cell.id,
            cell=cell,
            status="ok",
            timing=replace(timing, allocator=self._allocator),
            check=compared.check,
            flags=compared.flags,
            compilation=compilation,
            conditions=Conditions(before=before, after=after),
            started_at="",
            seconds=time.monotonic() - began,
            spent=Spent(build_s=build_s),
        )

    @contextmanager
    def _as_asked(self, cell: Cell) -> Iterator[None]:
        """Within, the process has the threads of a cell; from now on memory is retained, if the cell asks."""
        if cell.allocator == "retain" and kind_of(cell.device).on_host and self._allocator != "retain":
            self._allocator = allocator.retain(limited=self.limited)
        torch.set_num_threads(cell.threads or self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(self.threads)

    def _state_of(self, device: str) -> StateReader:
        """Reads the state of the machine that this device is in."""
        if device not in self._conditions:
            opened = open_device(device)
            self._conditions[device] = StateReader(opened.card()[0], elsewhere=opened.elsewhere_bytes)
        return self._conditions[device]


def _setup(cell: Cell, measure: Measure, visit: Visit, sampling: Sampling) -> CellSetup:
    """A cell that has run, and was compared if this is its first round; one that nothing may run before is
    only built, and compared when it was timed."""
    if cell.protocol in _UNTOUCHED:
        subject = build(cell, cell.device, seed=measure.seed)
        return CellSetup(subject, steps_of(subject, cell.mode, gradients=sampling.gradients))
    setup = set_up_cell(cell, measure, gradients=sampling.gradients, comparing=not visit.round)
    return replace(setup, cold=_cold_steps(cell, setup)) if cell.cache == "cold" else setup


def _plan(cell: Cell, measure: Measure, visit: Visit, setup: CellSetup) -> SamplingPlan:
    """The scenario's settings of sampling, for one round of a cell."""
    return SamplingPlan(
        threads=torch.get_num_threads(),
        warm_up=WarmUp(calls=measure.warmup_calls, seconds=measure.warmup_s),
        stopping=stopping_rule(
            measure.rule,
            min_samples=measure.min_samples,
            max_samples=measure.max_samples,
            max_s=measure.max_s,
            precision=measure.precision_on(cell.device),
        ),
        visit=visit,
        parts={} if setup.cold else setup.steps.parts,
        cold=setup.cold,
    )


def _cold_steps(cell: Cell, setup: CellSetup) -> tuple[Step, ...]:
    """The whole step on several inputs of one module."""
    subject = setup.subject
    others = [steps_of(subject.on(_another), cell.mode).whole for _ in range(_COLD_INPUTS - 1)]
    for step in others:
        first_call(step)
    return (setup.steps.whole, *others)


def _another(tensor: torch.Tensor) -> torch.Tensor:
    """Another input of the same kind; of whole numbers the same ones elsewhere in memory."""
    tensor = tensor.detach()
    return torch.randn_like(tensor) if tensor.is_floating_point() else tensor.clone()
