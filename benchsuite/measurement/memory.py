"""Memory of one step, in a pass of its own: never while anything is timed.

Four numbers that are easily taken for each other: the weights; the largest sum of live tensors; what the
caching allocator held for them; and what the whole process had, libraries and all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from benchsuite.measurement.device import Step, open_device
from benchsuite.results.record import Memory


def tensor_bytes(*tensors: torch.Tensor) -> int:
    """Bytes of the tensors' elements; for whole tensors that is what the allocator was asked for."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def module_bytes(module: nn.Module) -> int:
    """Bytes of a module's parameters and buffers."""
    return tensor_bytes(*module.parameters(), *module.buffers())


def gradient_bytes(module: nn.Module) -> int:
    """Bytes of the gradients that a module's parameters have now."""
    return tensor_bytes(*(one.grad for one in module.parameters() if one.grad is not None))


def optimizer_bytes(optimizer: Optimizer, *kinds: str) -> int:
    """Bytes of an optimizer's state on devices of these types; for a GPU it counts its steps on the CPU."""
    return tensor_bytes(*(one for one in _tensors(optimizer.state) if one.device.type in kinds))


def measure_memory(
    step: Step,
    module: nn.Module,
    inputs: torch.Tensor,
    *,
    others: Sequence[torch.Tensor] = (),
    optimizer: Optimizer | None = None,
    backward: bool = False,
) -> Memory:
    """Memory of one call of `step`, which runs `module` on `inputs` and returns its forward pass's output.

    The peak begins with weights, input and the optimizer's state, which are there before, and ends with no
    gradients of an earlier step. How it is read, and what is not seen, is told by `step_peak` of the class of
    the device.

    Args:
        others: inputs beside the first.
        optimizer: what the step trains with, for its state.
        backward: whether the step goes back from a gradient of its output that is made once and kept, as all
            that comes after the module would give it. It counts; it is as large as the output.
    """
    output = step()  # what is made once and kept (masks, workspaces, autotuned algorithms) is not the peak
    given_back = tensor_bytes(*_tensors(output))
    del output
    gradients, kind = gradient_bytes(module), inputs.device.type
    state = optimizer_bytes(optimizer, kind) if optimizer is not None else 0
    weights, given = module_bytes(module), tensor_bytes(inputs, *others)
    held = weights + given + state + (given_back if backward else 0)
    _drop_gradients(module, inputs)
    device = open_device(inputs.device)
    peak = device.step_peak(step)
    _drop_gradients(module, inputs)
    return Memory(
        peak_allocated_bytes=held + peak.added,
        peak_reserved_bytes=peak.reserved,
        weights_bytes=weights,
        input_bytes=given,
        method=peak.method,
        output_bytes=given_back or None,
        gradient_bytes=gradients,
        optimizer_bytes=state,
        process_bytes=device.process_bytes(step),
    )


def _drop_gradients(module: nn.Module, inputs: torch.Tensor) -> None:
    """A step does so at its beginning; done before it, they are not taken for memory that the step frees."""
    module.zero_grad(set_to_none=True)
    inputs.grad = None


def _tensors(value: Any) -> list[torch.Tensor]:
    values = value.values() if isinstance(value, dict) else [value]
    return [leaf for one in values for leaf in tree_leaves(one) if isinstance(leaf, torch.Tensor)]
