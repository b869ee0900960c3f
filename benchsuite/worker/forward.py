"""The forward pass of a cell: how its module is called, with what, and which tensor of its output counts.

A module is called as its entry says (`call`, `layout`, `inputs`), and else as its class says (`layout`), its
signature and its layers: a module that has to be told the grid names the arguments for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn

from benchsuite.backbones import BACKBONES, _call
from benchsuite.backbones._call import CallError
from benchsuite.errors import UsageError
from benchsuite.measurement.precision import FORMATS
from benchsuite.measurement.tracing import tensors_in
from benchsuite.results.cell import Call, Cell, Layout
from benchsuite.scenario.subjects import LIBRARIES, OBJECT

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
CALLS: tuple[Call, ...] = get_args(Call)
AXES: Mapping[Layout, str] = {"BNC": "(B, N, dim)", "NCHW": "(B, dim, H, W)", "NHWC": "(B, H, W, dim)"}
_OTHERWISE = f"call: {' | '.join(CALLS)}, layout: {' | '.join(LAYOUTS)}, or inputs: "
_INDICES = ("ids", "tokens", "idx", "indices")
"""How arguments end that hold whole numbers."""


def layout_of(cell: Cell, module: nn.Module) -> Layout:
    """Layout of the input: what the entry says, or the class; else images for a network, and for a mixer what
    its layers say."""
    said: Layout | None = cell.forward.get("layout")
    if said is not None:
        return said
    return "NCHW" if cell.subject == "backbone" else _call.layout_of(module, cell.forward.get("call"))


def call_of(cell: Cell, module: nn.Module) -> Call:
    """Arguments of the call: what the entry says, or the signature of `forward`.

    Raises:
        UsageError: it takes more than an input and its size.
    """
    said: Call | None = cell.forward.get("call")
    if said is not None:
        return said
    try:
        return _call.call_of(module, images=cell.subject == "backbone")
    except CallError as error:
        advice = f"say in its entry of a scenario: inputs: {_example(cell, error.taken)}"
        raise UsageError(f"{cell.name} ({cell.target}): {error}; {advice}") from error


def inputs_of(
    cell: Cell, module: nn.Module, batch: int, device: torch.device | str
) -> tuple[tuple[Any, ...], Layout | None]:
    """Arguments of `module(...)`, tensors drawn from torch's generator, and the layout of the first.

    Raises:
        UsageError: `forward` does not take the inputs that the entry names.
    """
    dtype = FORMATS[cell.dtype].tensors
    sizes = _sizes(cell, batch)
    if "inputs" in cell.forward:
        given = {
            name: _tensor([sizes.get(size, size) for size in one["shape"]], dtype, one, device)
            for name, one in cell.forward["inputs"].items()
        }
        return _in_order(cell, module, given), None
    layout = layout_of(cell, module)
    letters = {"BNC": "BNC", "NCHW": "BCHW", "NHWC": "BHWC"}[layout]
    tensor = torch.randn([sizes[letter] for letter in letters], device=device, dtype=dtype)
    height, width = sizes["H"], sizes["W"]
    size: tuple[Any, ...] = {
        "forward(x)": (),
        "forward(x, size)": ((height, width),),
        "forward(x, H, W)": (height, width),
    }[call_of(cell, module)]
    return (tensor, *size), layout


def _sizes(cell: Cell, batch: int) -> dict[str, int]:
    """Letter of a shape → size; of a network's image, and of a mixer's grid."""
    height, width = cell.grid
    channels = 3 if cell.dim is None else cell.dim
    return {"B": batch, "H": height, "W": width, "N": height * width, "C": channels}


def _tensor(
    shape: list[int], dtype: torch.dtype, one: Mapping[str, Any], device: torch.device | str
) -> Tensor:
    if one.get("dtype") == "bool":
        return torch.ones(shape, dtype=torch.bool, device=device)  # a mask that masks nothing
    if "dtype" in one:
        return torch.randint(one["high"], shape, dtype=getattr(torch, one["dtype"]), device=device)
    return torch.randn(shape, dtype=dtype, device=device)


def _in_order(cell: Cell, module: nn.Module, given: Mapping[str, Tensor]) -> tuple[Any, ...]:
    """The inputs as positional arguments, which is what counters and compilers want."""
    signature = inspect.signature(module.forward)
    what = f"{cell.name} ({cell.target}): inputs do not fit forward({', '.join(signature.parameters)})"
    try:
        bound = signature.bind(**given)
    except TypeError as error:
        raise UsageError(f"{what}: {error}") from error
    bound.apply_defaults()
    if any(isinstance(value, Tensor) for value in bound.kwargs.values()):
        raise UsageError(f"{what}: it takes one of them by keyword only")
    return bound.args


def how_called(cell: Cell, module: nn.Module, inputs: tuple[Any, ...]) -> str:
    """How a module of one's own is called and how to say otherwise; empty where the zoo, a library or its
    class says it."""
    if cell.target.startswith(OBJECT):
        given = ", ".join(str(tuple(one.shape)) if isinstance(one, Tensor) else repr(one) for one in inputs)
        return f"benchsuite calls it with {given}; for inputs of its own, against={{name: (module, inputs)}}"
    if cell.target in BACKBONES or cell.target.startswith(LIBRARIES):
        return ""
    if "inputs" in cell.forward:
        return f"benchsuite calls it with the inputs of its entry: {', '.join(cell.forward['inputs'])}"
    if not cell.forward and getattr(type(module), "layout", None) is not None:
        return ""
    network = cell.subject == "backbone"
    axes = AXES[layout_of(cell, module)]
    x = f"images {axes.replace('dim', '3')}" if network else axes
    how = f"benchsuite calls {call_of(cell, module)} with x {x}"
    if cell.forward:
        return f"{how}, as its entry says"
    otherwise = f"{_OTHERWISE}{_example(cell, _call.arguments_of(module))}"
    advice = f"{how}; if that is wrong, say {otherwise}, in its entry of a scenario (time: --write-scenario)"
    return advice if network else f"{advice}; a whole network is subject: backbone (time: --network)"


def _example(cell: Cell, names: Sequence[str]) -> str:
    """What `inputs` could be: arguments with a shape each, and a format by what they are called."""
    network = cell.subject == "backbone"
    length = "64" if network else "N"

    def one(name: str) -> str:
        if "mask" in name.lower():
            return f"{{shape: [B, {length}], dtype: bool}}"
        if name.lower().endswith(_INDICES):
            return f"{{shape: [B, {length}], dtype: int64, high: 1000}}"
        return "[B, 3, 64]" if network else "[B, N, C]"

    return f"{{{', '.join(f'{name}: {one(name)}' for name in names)}}}"


class NotATensor(TypeError):  # noqa: N818  no fault of whoever calls it
    """A forward pass returned something that holds no tensor."""


def output_of(returned: object) -> Tensor:
    """What a forward pass returned, or the first tensor in its tuple, list or dictionary.

    Raises:
        NotATensor: it holds none.
    """
    tensor = next(tensors_in(returned), None)
    if tensor is None:
        raise NotATensor(f"forward returned a {type(returned).__name__}, and no tensor in it")
    return tensor
