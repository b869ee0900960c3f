"""A cell made real: its module and its input, on any device, "meta" included."""

from __future__ import annotations

import functools
import importlib
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchsuite.errors import Unsupported, UsageError
from benchsuite.measure.device import Step
from benchsuite.mixers import MIXERS
from benchsuite.results.record import Cell

DTYPES: dict[str, torch.dtype] = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: `module(*inputs)`.

    Attributes:
        inputs: the tensor first, then the grid size for a mixer of tokens.
    """

    module: nn.Module
    inputs: tuple[Any, ...]

    @property
    def tensor(self) -> Tensor:
        """The input tensor."""
        tensor: Tensor = self.inputs[0]
        return tensor


@functools.cache
def mixer_class(target: str) -> type[nn.Module]:
    """The class that a name of `MIXERS`, or a "module:Class", stands for."""
    module, _, name = MIXERS.get(target, target).partition(":")
    cls: type[nn.Module] = getattr(importlib.import_module(module), name)
    return cls


def build(cell: Cell, device: torch.device | str, *, batch: int | None = None, seed: int = 0) -> Subject:
    """Build the module and input of a cell, in eval mode.

    Args:
        batch: images in the input; the cell's own number if None.
        seed: of the weights and the input, which are drawn from a normal distribution.

    Raises:
        UsageError: the mixer does not take these arguments.
        Unsupported: the mixer has no such kernel.
    """
    cls = mixer_class(cell.target)
    dtype = DTYPES[cell.dtype]
    arguments = _arguments(cell, cls)
    torch.manual_seed(seed)
    try:
        with torch.device(device):
            module = cls(**arguments).to(dtype=dtype)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{cell.name} ({cell.target}): {error}") from error
    module.train(False)
    shape = _input_shape(cell, getattr(cls, "layout", "BNC"), batch or cell.batch)
    tensor = torch.randn(shape, device=device, dtype=dtype)
    takes_size = getattr(cls, "layout", "BNC") == "BNC"
    return Subject(module, (tensor, cell.grid) if takes_size else (tensor,))


def step_of(subject: Subject, mode: str) -> Step:
    """One step of the cell as a call without arguments.

    "inference" runs the forward pass in inference mode; "forward_backward" runs it with gradients and goes
    back to every parameter and to the input.
    """
    module, inputs = subject.module, subject.inputs
    if mode == "inference":

        def infer() -> object:
            with torch.inference_mode():
                return module(*inputs)

        return infer

    tensor = subject.tensor.requires_grad_()
    given = (tensor, *inputs[1:])
    with torch.no_grad():
        cotangent = torch.randn_like(module(*given))

    def forward_backward() -> object:
        module.zero_grad(set_to_none=True)
        tensor.grad = None
        module(*given).backward(cotangent)
        return None

    return forward_backward


def _arguments(cell: Cell, cls: type[nn.Module]) -> dict[str, Any]:
    """Constructor arguments: the cell's axes as far as the class takes them, then its own parameters."""
    accepted = inspect.signature(cls).parameters
    axes = {"dim": cell.dim, "num_heads": cell.num_heads, "kernel": cell.kernel, "grid": cell.grid}
    arguments = {name: value for name, value in axes.items() if name in accepted} | dict(cell.config)
    kernels = getattr(cls, "kernels", ("math",))
    if cell.kernel not in kernels:
        raise Unsupported(f"{cell.target} has no {cell.kernel} kernel; it runs on {', '.join(kernels)}")
    return arguments


def _input_shape(cell: Cell, layout: str, batch: int) -> tuple[int, ...]:
    height, width = cell.grid
    shapes = {
        "BNC": (batch, height * width, cell.dim),
        "NHWC": (batch, height, width, cell.dim),
        "NCHW": (batch, cell.dim, height, width),
    }
    return shapes[layout]
