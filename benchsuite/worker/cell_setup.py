"""The setup of a cell: built, compiled if any of it is to be, run until nothing is new to it, compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch

from benchsuite.errors import Unsupported
from benchsuite.measurement.device import Step
from benchsuite.measurement.torch_errors import is_unsupported
from benchsuite.results.cell import Cell
from benchsuite.results.record import Compilation
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.build import Subject, build
from benchsuite.worker.compiling import Watch, compiled
from benchsuite.worker.reference import Compared, compare
from benchsuite.worker.steps import Steps, cast_of, steps_of

T = TypeVar("T")

CHANGES_INPUT = "changes_input"


@dataclass(frozen=True, slots=True)
class CellSetup:
    """A cell that is built, has run, and agrees with its reference where it was compared.

    Attributes:
        cold: the step on several inputs; empty where caches are warm.
        watch: of what torch compiles, if it compiles the cell or a part of it.
    """

    subject: Subject
    steps: Steps
    compared: Compared = field(default_factory=Compared)
    watch: Watch | None = None
    cold: tuple[Step, ...] = ()

    @property
    def compilation(self) -> Compilation | None:
        return self.watch.compilation() if self.watch else None


def set_up_cell(
    cell: Cell, measure: Measure, *, gradients: bool = False, comparing: bool = False
) -> CellSetup:
    """Build a cell and run it; a compiled one until nothing is compiled any more.

    Args:
        gradients: as of `steps_of`.
        comparing: compare its output with that of its reference.

    Raises:
        Mismatch: it computes something else than its reference.
        Recompiled: torch compiles something at every call.
        Unsupported: it has no such kernel, dtype or size here, or there is no compiler.
    """
    subject = build(cell, cell.device, seed=measure.seed)
    watch = None
    if cell.compile != "eager":
        _fill_caches(subject)
    if cell.compile != "eager" or cell.kernel == "compiled":
        watch = Watch(cell.id, cell.device)
        subject = compiled(subject, cell.compile)
    steps = steps_of(subject, cell.mode, gradients=gradients)
    compared, call = Compared(), watch.first_call if watch else first_call
    if comparing:
        compared = first_compared(cell, subject, measure, gradients=gradients, call=call)
    elif watch:
        watch.first_call(steps.first)
    if watch:
        watch.settle(steps.whole)
    else:
        first_call(steps.whole)
    return CellSetup(subject, steps, compared, watch)


def _fill_caches(subject: Subject) -> None:
    """Run one image through the module as it is. What it makes at its first call and keeps (masks, tables of
    neighbors) would else be outputs of its compiled graph, which CUDA graphs overwrite, and compile it anew.

    Not in inference mode: what is made there cannot be used in training.
    """
    one = subject.renewed(1)
    with torch.no_grad(), cast_of(subject)():
        first_call(lambda: one.module(*one.inputs))


def first_call(step: Callable[[], T]) -> T:
    """Run once. If torch has no such kernel, its reasons, which it gives as warnings, are the message."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            return step()
        except Exception as error:
            if not is_unsupported(error):
                raise
            reasons = dict.fromkeys(str(item.message).split(" (Triggered")[0].strip() for item in heard)
            raise Unsupported("; ".join([str(error).split("\n", 1)[0], *reasons])) from error


def first_compared(
    cell: Cell,
    subject: Subject,
    measure: Measure,
    *,
    gradients: bool = False,
    call: Callable[[Step], object] = first_call,
) -> Compared:
    """Run a cell for the first time, on a copy of its input, and compare it with its reference if wanted.

    Args:
        gradients: as of `steps_of`.
        call: calls the step.

    Raises:
        Mismatch: it computes something else than its reference.
    """
    once = subject.renewed()
    output = call(steps_of(once, cell.mode, gradients=gradients).first)
    if not measure.check or not isinstance(output, torch.Tensor):
        return Compared()
    compared = compare(cell, subject, output, seed=measure.seed)
    if torch.equal(once.tensor, subject.tensor):
        return compared
    return replace(compared, flags=(CHANGES_INPUT, *compared.flags))
