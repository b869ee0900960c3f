"""A cell timed: built, compared with its reference, sampled. For a process in which nothing else is done."""

from __future__ import annotations

from dataclasses import replace

import torch

from benchsuite.measurement import allocator
from benchsuite.measurement.conditions import StateReader
from benchsuite.measurement.device import Device, Step, open_device
from benchsuite.measurement.precision import precision_of
from benchsuite.measurement.protocols import PROTOCOLS, Sampling, SamplingPlan
from benchsuite.measurement.stopping import Visit, stopping_rule
from benchsuite.measurement.timing import WarmUp, keep_at_work
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Cell, Conditions
from benchsuite.scenario.measure_settings import Measure
from benchsuite.stats.intervals import quantile
from benchsuite.worker.build import build
from benchsuite.worker.ready import Ready, first_call, first_compared, make_ready
from benchsuite.worker.reference import Compared
from benchsuite.worker.reply import Visited
from benchsuite.worker.steps import steps_of

_COLD_INPUTS = 2
"""Inputs that cold steps take in turns: one of them is never the last that was touched."""


class Timer:
    """Times cells, one visit at a time; nothing of a cell is left when the next one comes.

    Attributes:
        limited: whether this process may have so much memory only.
    """

    def __init__(self) -> None:
        self.limited = False
        self._conditions: dict[str, StateReader] = {}
        self._threads = torch.get_num_threads()
        self._allocator = allocator.in_use()

    def visit(self, cell: Cell, measure: Measure, visit: Visit) -> Visited:
        """Build and time one cell in one round; in the first it is compared with its reference before.

        Raises:
            Mismatch: it computes something else than its reference.
            Recompiled: torch compiled something while it was timed.
            Unsupported: it has no such kernel, dtype or size here.
            Exception: whatever the cell itself raises, out of memory among it.
        """
        if cell.allocator == "retain" and kind_of(cell.device).on_host and self._allocator != "retain":
            self._allocator = allocator.retain(limited=self.limited)
        torch.set_num_threads(cell.threads or self._threads)
        try:
            with precision_of(cell.dtype, cell.device):
                visited = self._visit(cell, measure, visit)
        finally:
            torch.set_num_threads(self._threads)
        return replace(visited, timing=replace(visited.timing, allocator=self._allocator))

    def use_threads(self, threads: int) -> None:
        """Threads of cells that name no number of their own."""
        self._threads = threads

    def _visit(self, cell: Cell, measure: Measure, visit: Visit) -> Visited:
        sampling = PROTOCOLS[cell.protocol]
        device = open_device(cell.device)
        if cell.protocol == "hilo_single_layer":
            return self._untouched(cell, measure, visit, sampling, device)
        ready = make_ready(cell, measure, gradients=sampling.gradients, comparing=not visit.round)
        if cell.cache == "cold":
            ready = replace(ready, cold=_cold_steps(cell, ready))
        visited = self._sampled(cell, measure, visit, sampling, device, ready)
        return _with(replace(visited, compilation=ready.compilation), ready.compared)

    def _untouched(
        self, cell: Cell, measure: Measure, visit: Visit, sampling: Sampling, device: Device
    ) -> Visited:
        """A protocol that has no warm-up: nothing may run before it, so the check comes after."""
        subject = build(cell, cell.device, seed=measure.seed)
        steps = steps_of(subject, cell.mode, gradients=sampling.gradients)
        visited = self._sampled(cell, measure, visit, sampling, device, Ready(subject, steps))
        del subject, steps
        subject = build(cell, cell.device, seed=measure.seed)  # as it was before it was timed
        found = first_compared(cell, subject, measure, gradients=sampling.gradients)
        return _with(visited, found)

    def _sampled(
        self,
        cell: Cell,
        measure: Measure,
        visit: Visit,
        sampling: Sampling,
        device: Device,
        ready: Ready,
    ) -> Visited:
        plan = SamplingPlan(
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
            parts={} if ready.cold else ready.steps.parts,
            cold=ready.cold,
        )
        watch = self._watching(cell.device)
        mark = ready.watch.mark() if ready.watch else 0
        before = watch.snapshot()
        timing = sampling.sample(ready.steps.whole, device, plan)
        keep_at_work(
            ready.steps.whole, device, quantile(timing.samples_s, 0.5)
        )  # read it at work, not at rest
        after = watch.snapshot()
        device.synchronize()
        if ready.watch:
            ready.watch.require_unchanged(mark)
        return Visited(timing=timing, conditions=Conditions(before=before, after=after))

    def _watching(self, device: str) -> StateReader:
        if device not in self._conditions:
            opened = open_device(device)
            self._conditions[device] = StateReader(opened.card()[0], elsewhere=opened.elsewhere_bytes)
        return self._conditions[device]


def _with(visited: Visited, compared: Compared) -> Visited:
    return replace(visited, check=compared.check, behaviour=compared.behaviour)


def _cold_steps(cell: Cell, ready: Ready) -> tuple[Step, ...]:
    """The whole step on several inputs of one module."""
    subject, others = ready.subject, []
    for _ in range(_COLD_INPUTS - 1):
        tensor = torch.randn_like(subject.tensor.detach())
        other = replace(subject, inputs=(tensor, *subject.inputs[1:]))
        others.append(steps_of(other, cell.mode).whole)
    for step in others:
        first_call(step)
    return (ready.steps.whole, *others)
