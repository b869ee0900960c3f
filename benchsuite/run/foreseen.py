"""How much memory a cell will need, told on "meta" before it runs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from benchsuite.errors import Unsupported, UsageError
from benchsuite.measure.estimate import estimate_memory
from benchsuite.measure.memory import module_bytes
from benchsuite.results.record import Cell
from benchsuite.run.build import Subject, build
from benchsuite.run.counted import reason
from benchsuite.run.steps import steps_of


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Memory of a cell before it runs.

    Attributes:
        peak_bytes: None if it cannot be told, for a reason.
        weights_bytes: parameters and buffers; 0 if they cannot be told either.
    """

    peak_bytes: int | None
    weights_bytes: int = 0
    reason: str = ""


def foresee(cell: Cell) -> Foreseen:
    """Peak and weights of one step of the whole batch, if the cell runs on "meta".

    Raises:
        UsageError, Unsupported: of `build`.
    """
    weights = 0
    try:
        subject = build(cell, "meta")
        weights = module_bytes(subject.module)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the timed step may warn of in its time
            return Foreseen(foreseen_bytes(cell, subject), weights)
    except (Unsupported, UsageError):
        raise
    except Exception as error:  # noqa: BLE001  a module may raise anything on "meta", and run on its device
        return Foreseen(None, weights, reason(error))


def foreseen_bytes(cell: Cell, subject: Subject) -> int:
    """Peak of live tensors of one step of the whole batch, weights, input and optimizer's state included.

    Where a training step cannot run on "meta", as with an operator that has no backward pass there, only the
    forward pass counts, and the answer is a lower bound.

    Args:
        subject: the cell on "meta".
    """
    if cell.mode == "inference":
        return _of_forward_pass(cell, subject)
    steps = steps_of(subject, cell.mode)
    try:
        return estimate_memory(
            steps.first,
            subject.module,
            subject.tensor,
            optimizer=steps.optimizer,
            autocast=subject.autocast,
            device=cell.device,
        )
    except (RuntimeError, TypeError):
        return _of_forward_pass(cell, build(cell, "meta"))


def _of_forward_pass(cell: Cell, subject: Subject) -> int:
    """In the format of the weights, where "meta" has an operator not in the one that autocast turns to."""

    def forward() -> Tensor:
        with torch.no_grad():
            output: Tensor = subject.module(*subject.inputs)
        return output

    def peak(autocast: torch.dtype | None) -> int:
        return estimate_memory(forward, subject.module, subject.tensor, autocast=autocast, device=cell.device)

    try:
        return peak(subject.autocast)
    except (RuntimeError, TypeError):
        return peak(None)
