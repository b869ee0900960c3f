"""One step of a cell as calls without arguments: what is timed, and nothing around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from benchsuite.errors import UsageError
from benchsuite.measurement.device import Step
from benchsuite.worker.build import Subject
from benchsuite.worker.forward import output_of

LEARNING_RATE = 1e-6
"""Of AdamW in a training step. The loss of a fixed cotangent has no minimum, so the weights must not
wander: ten thousand steps move each by a hundredth at most. The work of a step does not depend on it."""
EPSILON = 1e-2
"""Of AdamW. Squares of gradients below this vanish in fp16; divided by torch's 1e-8, which is zero there, the
weights would be infinite after a step, and by much less than the gradients they would wander."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What one step of a cell calls.

    Attributes:
        whole: one step; returns the output of its forward pass.
        first: a step that returns the same output and leaves the weights as they are, for the check before
            anything is timed: `whole` itself but in a training step, where it is the step without the
            optimizer.
        parts: in a training step "forward", "backward" and "optimizer", to be called in this order and
            together as much as `whole`; empty in other modes.
        optimizer: of a training step, for its state; None in other modes.
    """

    whole: Step
    first: Step
    parts: Mapping[str, Step] = field(default_factory=dict)
    optimizer: Optimizer | None = None


def steps_of(subject: Subject, mode: str, *, gradients: bool = False) -> Steps:
    """The steps of a cell in a mode of `results.cell.Mode`. Autocast covers the forward pass only.

    "inference": the forward pass in inference mode.
    "forward_backward": the forward pass with gradients, then back to every parameter and to the input, from a
    random cotangent in place of a loss. Gradients are made anew each time. The module stays in eval mode.
    "training_step": the same in training mode (dropout drops, batch norm takes the batch's statistics and
    updates its own), then AdamW with weight decay as torch ships it. "forward" begins with `zero_grad`, which
    drops the last step's gradients: so they live while the optimizer runs and are gone before activations
    are made. The input gets a gradient, as in the middle of a network, unless it is images.

    Args:
        gradients: in inference, record gradients and leave the module in training mode, which is what a
            script does that takes no care of either. The graph lives as long as the output that is returned.

    Raises:
        UsageError: a training step of a module without parameters.
    """
    if mode == "inference":
        infer = _recording(subject) if gradients else _inference(subject)
        return Steps(whole=infer, first=infer)
    if mode == "forward_backward":
        forward_backward = _forward_backward(subject)
        return Steps(whole=forward_backward, first=forward_backward)
    return _training(subject)


def step_of(subject: Subject, mode: str) -> Step:
    """`steps_of`, the whole step only."""
    return steps_of(subject, mode).whole


def _inference(subject: Subject) -> Step:
    module, inputs, cast = subject.module, subject.inputs, cast_of(subject)

    def infer() -> Tensor:
        with torch.inference_mode(), cast():
            return output_of(module(*inputs))

    return infer


def _recording(subject: Subject) -> Step:
    module, inputs, cast = subject.module.train(True), subject.inputs, cast_of(subject)

    def run() -> Tensor:
        with cast():
            return output_of(module(*inputs))

    return run


def _forward_backward(subject: Subject) -> Step:
    forward, backward = _forward(subject, needs_input=True), _backward()

    def run() -> Tensor:
        output = forward()
        backward(output)
        return output

    return run


def _training(subject: Subject) -> Steps:
    parameters = [parameter for parameter in subject.module.parameters() if parameter.requires_grad]
    if not parameters:
        raise UsageError(f"{type(subject.module).__name__} has no parameters to train")
    subject.module.train(True)
    optimizer = AdamW(parameters, lr=LEARNING_RATE, eps=EPSILON)
    forward, backward = _forward(subject, needs_input=not subject.images), _backward()
    made: list[Tensor] = []

    def first() -> Tensor:
        output = forward()
        backward(output)
        return output

    def whole() -> Tensor:
        output = first()
        optimizer.step()
        return output

    def forward_part() -> None:
        made.append(forward())

    def backward_part() -> None:
        backward(made.pop())

    parts = {"forward": forward_part, "backward": backward_part, "optimizer": optimizer.step}
    return Steps(whole=whole, first=first, parts=parts, optimizer=optimizer)


def _forward(subject: Subject, *, needs_input: bool) -> Callable[[], Tensor]:
    """Drop the gradients there are, then run the forward pass."""
    module, cast = subject.module, cast_of(subject)
    tensor = subject.tensor
    tensor.requires_grad_(needs_input and tensor.is_floating_point())

    def forward() -> Tensor:
        module.zero_grad(set_to_none=True)
        tensor.grad = None
        with cast():
            return output_of(module(*subject.inputs))

    return forward


def _backward() -> Callable[[Tensor], None]:
    """Go back from a random cotangent, which the first output decides the shape of and which is then kept.

    No forward pass of its own draws it: a compiled module would be compiled once more for that.
    """
    cotangent: Tensor | None = None

    def backward(output: Tensor) -> None:
        nonlocal cotangent
        if cotangent is None:
            cotangent = torch.randn_like(output)
        output.backward(cotangent)  # type: ignore[no-untyped-call]

    return backward


def cast_of(subject: Subject) -> Callable[[], AbstractContextManager[object]]:
    """What to enter around a forward pass: autocast, where the subject has it. Nothing is cast on "meta"."""
    kind, dtype = subject.tensor.device.type, subject.autocast
    if dtype is None or kind == "meta":
        return nullcontext
    return lambda: torch.autocast(kind, dtype=dtype)
