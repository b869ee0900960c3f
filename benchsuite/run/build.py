"""A cell made real: its module and its input, on any device, "meta" included."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchsuite.errors import Unsupported, UsageError, nearest
from benchsuite.measure.device import Step
from benchsuite.mixers import BLOCKS, MIXERS
from benchsuite.results.record import Cell
from benchsuite.run.own import plugins, search_path

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


LAYOUTS = ("BNC", "NCHW", "NHWC")


@functools.cache
def mixer_class(target: str) -> type[nn.Module]:
    """The class that a name of `MIXERS`, `BLOCKS` or an installed package, or a "module:Class", stands for.

    Raises:
        LookupError: the name stands for nothing.
        AttributeError, TypeError, ValueError: the module has no such class, it is no `nn.Module`, or its
            layout is none that there is.
        Exception: whatever importing the module raises.
    """
    module, _, name = _dotted(target).partition(":")
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # something that the module imports
        where = "not in the current folder, --pythonpath, PYTHONPATH or what is installed"
        raise ModuleNotFoundError(f"no module named {error.name!r}: {where}", name=error.name) from error
    found = getattr(home, name, None)
    if found is None:
        near = nearest(name, vars(home))
        hint = f'; did you mean "{near}"?' if near else ""
        raise AttributeError(f'module {module} has no class "{name}"{hint}')
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        what = f"class {name}" if isinstance(found, type) else type(found).__name__
        raise TypeError(f"it is a {what}, not a subclass of torch.nn.Module")
    layout = _layout(found)
    if layout not in LAYOUTS:
        raise ValueError(f"its layout {layout!r} is none of {', '.join(LAYOUTS)}")
    return found


def require_tensor(module: nn.Module) -> None:
    """Let `module` raise TypeError where its forward pass returns something that is no tensor."""

    def check(module: nn.Module, inputs: object, output: object) -> None:
        if not isinstance(output, Tensor):
            raise TypeError(f"forward returned a {type(output).__name__}, not a tensor")

    module.register_forward_hook(check)


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
    layout = _layout(cls)
    tensor = torch.randn(_input_shape(cell, layout, batch or cell.batch), device=device, dtype=dtype)
    return Subject(module, (tensor, cell.grid) if layout == "BNC" else (tensor,))


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
    _check_kernel(cell, cls, accepted)
    return {name: value for name, value in axes.items() if name in accepted} | dict(cell.config)


def _check_kernel(cell: Cell, cls: type[nn.Module], accepted: Mapping[str, object]) -> None:
    """Raise Unsupported unless the class runs on the cell's kernel, or takes whatever kernel it is given."""
    kernels = getattr(cls, "kernels", None)
    if kernels is not None and cell.kernel not in kernels:
        raise Unsupported(f"{cell.target} has no {cell.kernel} kernel; it runs on {', '.join(kernels)}")
    if kernels is None and "kernel" not in accepted and cell.kernel != "math":
        raise Unsupported(
            f"{cell.target} has no {cell.kernel} kernel: it names no `kernels` and its __init__ takes no "
            "`kernel`, so it runs as it is, which counts as math"
        )


def _layout(cls: type[nn.Module]) -> str:
    """What kind of input the class takes; tokens if it does not say."""
    return str(getattr(cls, "layout", "BNC"))


def _dotted(target: str) -> str:
    """ "module:Class" of a name. Names of ours come before those of packages."""
    ours = MIXERS.get(target) or BLOCKS.get(target)
    if ours or ":" in target:
        return ours or target
    found = plugins(search_path()).mixers.get(target)
    if found is None:
        raise LookupError("no mixer and no installed package's mixer is called so")
    return found.target


def _input_shape(cell: Cell, layout: str, batch: int) -> tuple[int, ...]:
    height, width = cell.grid
    shapes = {
        "BNC": (batch, height * width, cell.dim),
        "NHWC": (batch, height, width, cell.dim),
        "NCHW": (batch, cell.dim, height, width),
    }
    return shapes[layout]
