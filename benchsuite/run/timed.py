"""A cell timed: built, compared with its reference, sampled. For a process in which nothing else is done."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from benchsuite.errors import Unsupported
from benchsuite.measure import allocator, process_memory
from benchsuite.measure.blocks import keep_at_work
from benchsuite.measure.conditions import Watch as Conditioned
from benchsuite.measure.device import Device, Step, open_device
from benchsuite.measure.nvml import for_device
from benchsuite.measure.protocols import PROTOCOLS, Plan, Sampling
from benchsuite.measure.stopping import RULES, Visit
from benchsuite.measure.warmup import WarmUp
from benchsuite.results.record import Cell, Check, Compilation, Conditions
from benchsuite.run.answer import Visited
from benchsuite.run.build import Subject, build
from benchsuite.run.compiling import Watch, compiled
from benchsuite.run.precision import precision_of
from benchsuite.run.reference import check
from benchsuite.run.steps import Steps, steps_of
from benchsuite.scenario.measure import Measure
from benchsuite.stats.summary import quantile

T = TypeVar("T")

# How torch words that a kernel or a dtype does not exist here; it has no exception class for that.
UNSUPPORTED = re.compile(
    r"No (viable backend|available kernel)|not implemented for '|not supported on this|"
    r"is not (currently )?(implemented|supported|available)"
)
_COLD_INPUTS = 2
"""Inputs that cold steps take in turns: one of them is never the last that was touched."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A cell that is built, has run and agrees with its reference.

    Attributes:
        cold: the step on several inputs; empty where caches are warm.
        watch: of what torch compiles, if the cell is compiled.
    """

    steps: Steps
    cold: tuple[Step, ...]
    check: Check | None
    watch: Watch | None

    @property
    def compilation(self) -> Compilation | None:
        return self.watch.compilation() if self.watch else None


class Timer:
    """Times cells, one visit at a time; nothing of a cell is left when the next one comes.

    Attributes:
        limited: whether this process may have so much memory only.
    """

    def __init__(self) -> None:
        self.limited = False
        self._conditions: dict[str, Conditioned] = {}
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
        if cell.allocator == "retain" and cell.device == "cpu" and self._allocator != "retain":
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
        ready = _made_ready(cell, measure, sampling, compare=not visit.round)
        visited = self._sampled(cell, measure, visit, sampling, device, ready)
        return replace(visited, check=ready.check, compilation=ready.compilation)

    def _untouched(
        self, cell: Cell, measure: Measure, visit: Visit, sampling: Sampling, device: Device
    ) -> Visited:
        """A protocol that has no warm-up: nothing may run before it, so the check comes after."""
        subject = build(cell, cell.device, seed=measure.seed)
        steps = steps_of(subject, cell.mode, gradients=sampling.gradients)
        ready = Ready(steps, cold=(), check=None, watch=None)
        visited = self._sampled(cell, measure, visit, sampling, device, ready)
        found = _checked(cell, subject, steps.first(), measure)
        return replace(visited, check=found)

    def _sampled(
        self,
        cell: Cell,
        measure: Measure,
        visit: Visit,
        sampling: Sampling,
        device: Device,
        ready: Ready,
    ) -> Visited:
        plan = Plan(
            threads=torch.get_num_threads(),
            warm_up=WarmUp(calls=measure.warmup_calls, seconds=measure.warmup_s),
            stopping=RULES[measure.rule](measure, cell.device),
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

    def _watching(self, device: str) -> Conditioned:
        if device not in self._conditions:
            self._conditions[device] = Conditioned(
                for_device(device)[0], elsewhere=lambda: process_memory.elsewhere_on_gpu(device)
            )
        return self._conditions[device]


def _made_ready(cell: Cell, measure: Measure, sampling: Sampling, *, compare: bool) -> Ready:
    """Build a cell, run it once and compare it."""
    subject = build(cell, cell.device, seed=measure.seed)
    watch = Watch(cell.id, cell.device) if cell.compile != "eager" else None
    subject = compiled(subject, cell.compile)
    steps = steps_of(subject, cell.mode, gradients=sampling.gradients)
    found = None
    if watch or compare:
        output = (watch.first_call if watch else first_call)(steps.first)
        found = _checked(cell, subject, output, measure) if compare else None
        del output
    if watch:
        watch.settle(steps.whole)
    else:
        first_call(steps.whole)
    cold = _cold_steps(cell, subject, steps) if cell.cache == "cold" else ()
    return Ready(steps, cold, found, watch)


def _checked(cell: Cell, subject: Subject, output: object, measure: Measure) -> Check | None:
    """The comparison with the reference; None where there is nothing to compare, or it is not wanted."""
    if not measure.check or not isinstance(output, torch.Tensor):
        return None
    return check(cell, subject, output, seed=measure.seed)


def _cold_steps(cell: Cell, subject: Subject, steps: Steps) -> tuple[Step, ...]:
    """The whole step on several inputs of one module."""
    others = []
    for _ in range(_COLD_INPUTS - 1):
        tensor = torch.randn_like(subject.tensor.detach())
        other = replace(subject, inputs=(tensor, *subject.inputs[1:]))
        others.append(steps_of(other, cell.mode).whole)
    for step in others:
        first_call(step)
    return (steps.whole, *others)


def first_call(step: Callable[[], T]) -> T:
    """Run once. If torch has no such kernel, its reasons, which it gives as warnings, are the message."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            return step()
        except RuntimeError as error:
            if not UNSUPPORTED.search(str(error)):
                raise
            reasons = dict.fromkeys(str(item.message).split(" (Triggered")[0].strip() for item in heard)
            raise Unsupported("; ".join([str(error).split("\n", 1)[0], *reasons])) from error
