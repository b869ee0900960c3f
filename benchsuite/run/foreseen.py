"""How much memory a cell will need, told on "meta" before it runs."""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite.measure.estimate import estimate_memory
from benchsuite.results.record import Cell
from benchsuite.run.build import Subject, build
from benchsuite.run.steps import steps_of


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
