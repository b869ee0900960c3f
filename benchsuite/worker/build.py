"""A cell made real: its module and its input, on any device, "meta" included."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from benchsuite.backbones import BACKBONES, SizeError
from benchsuite.backbones._call import CallError
from benchsuite.errors import Unsupported, UsageError, did_you_mean
from benchsuite.measurement.precision import FORMATS, require_dtype
from benchsuite.mixers import BLOCKS, MIXERS
from benchsuite.plugins import plugins, search_path
from benchsuite.results.cell import Cell, Layout
from benchsuite.scenario.subjects import LIBRARIES, OBJECT, TIMM, TORCHVISION
from benchsuite.worker import objects, timm, torchvision
from benchsuite.worker.forward import LAYOUTS, inputs_of


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: `module(*inputs)`.

    Attributes:
        inputs: the tensor first, then what else it is called with: the grid size for most mixers of tokens.
        autocast: what `torch.autocast` turns to in a forward pass; None if it is off.
        images: whether the input is images, which nobody wants the gradient of in training.
        layout: of the input; None for inputs that the scenario names.
    """

    module: nn.Module
    inputs: tuple[Any, ...]
    autocast: torch.dtype | None = None
    images: bool = False
    layout: Layout | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The input tensors."""
        return tuple(value for value in tree_leaves(self.inputs) if isinstance(value, Tensor))

    @property
    def tensor(self) -> Tensor:
        """The input tensor, the first of several."""
        return self.tensors[0]

    def renewed(self, images: int | None = None) -> Subject:
        """The same module on a copy of the input, of which it may do what it likes to; of the first images
        only, if so many are named."""
        batch = len(self.tensor) if self.tensor.ndim else 1

        def copy(tensor: Tensor) -> Tensor:
            per_image = tensor.ndim and len(tensor) == batch
            return (tensor.detach()[:images] if per_image else tensor.detach()).clone()

        return self.on(copy)

    def on(self, change: Callable[[Tensor], Tensor]) -> Subject:
        """The same module with each of its input tensors changed."""
        return replace(self, inputs=tree_map_only(Tensor, change, self.inputs))


_BUILDERS = {TIMM: timm.builder, TORCHVISION: torchvision.builder}
"""Beginning of a name → what builds the networks of that library."""


@functools.cache
def mixer_class(target: str) -> type[nn.Module]:
    """The class that a name of `MIXERS`, `BLOCKS` or an installed package, or a "module:Class", stands for.

    Raises:
        LookupError: the name stands for nothing.
        AttributeError, TypeError, ValueError: the module has no such class, it is no `nn.Module`, or its
            layout is none that there is.
        Exception: whatever importing the module raises.
    """
    cls = _found(_dotted(target), "class")
    name = _dotted(target).rpartition(":")[2]
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        what = f"class {name}" if isinstance(cls, type) else type(cls).__name__
        raise TypeError(f"it is a {what}, not a subclass of torch.nn.Module")
    layout = getattr(cls, "layout", None)
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"its layout {layout!r} is none of {', '.join(LAYOUTS)}")
    return cls


def _found(dotted: str, what: str) -> Any:
    """What "module:Name" names; `what` it should be is said where it is not there."""
    module, _, name = dotted.partition(":")
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # something that the module imports
        where = "not in the current folder, --pythonpath, PYTHONPATH or what is installed"
        raise ModuleNotFoundError(f"no module named {error.name!r}: {where}", name=error.name) from error
    value = getattr(home, name, None)
    if value is None:
        hint = did_you_mean(name, vars(home))
        raise AttributeError(f'module {module} has no {what} "{name}"{hint}')
    return value


@functools.cache
def backbone_builder(target: str) -> Callable[..., nn.Module]:
    """The function that a name of `BACKBONES`, of a library ("timm:name"), or a "module:function" stands for.

    Raises:
        LookupError: the name stands for nothing.
        AttributeError, TypeError: the module has no such function, or it cannot be called.
        Exception: whatever importing the module raises.
    """
    if target.startswith(LIBRARIES):
        return _BUILDERS[f"{target.partition(':')[0]}:"](target)
    if target.startswith(OBJECT):
        objects.load(target)  # raises here what would be raised later
        return lambda: objects.load(target).module()
    if target not in BACKBONES and ":" not in target:
        raise LookupError("no network is called so")
    value = _found(BACKBONES.get(target, target), "function")
    if not callable(value):
        raise TypeError(f"it is a {type(value).__name__}, not a function that builds a network")
    builder: Callable[..., nn.Module] = value
    return builder


def build(cell: Cell, device: torch.device | str, *, batch: int | None = None, seed: int = 0) -> Subject:
    """Build the module and input of a cell, in eval mode and not compiled.

    Args:
        device: of weights and input. On "meta", what the cell's own device lacks is refused as well.
        batch: images in the input; the cell's own number if None.
        seed: of the weights and the input, which are drawn from a normal distribution.

    Raises:
        UsageError: the mixer, the network or what is put into it does not take these arguments, or there is
            nothing to train in a training step.
        Unsupported: the mixer or network has no such kernel, the device lacks the dtype, or the memory format
            has no meaning for such an input.
        Exception: whatever building the module raises.
    """
    _require_protocol(cell)
    require_dtype(cell.dtype, cell.device if torch.device(device).type == "meta" else device)
    form = FORMATS[cell.dtype]
    if cell.target.startswith(OBJECT):
        _seed(device, seed)
        module, given = objects.load(cell.target, device).built(
            device, form.tensors, batch=batch, of=cell.batch
        )
        return Subject(module.train(False), given, autocast=form.autocast)
    network = cell.subject == "backbone"
    _seed(device, seed)
    module = (_network if network else _mixer)(cell, device).to(dtype=form.tensors).train(False)
    if cell.mode == "training_step":
        _require_parameters(cell, module)
    inputs, layout = inputs_of(cell, module, batch or cell.batch, device)
    subject = Subject(module, inputs, form.autocast, images=network and layout is not None, layout=layout)
    if cell.memory_format == "channels_last":
        _require_maps(cell, layout)
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return subject.on(lambda tensor: tensor.contiguous(memory_format=torch.channels_last))
    return subject


def _seed(device: torch.device | str, seed: int) -> None:
    """Seed the generator that weights and input are drawn from; that of GPUs, too, only where one is used:
    torch remembers every such call with a stack trace until a GPU is there to hear of it."""
    if torch.device(device).type in ("cpu", "meta"):
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def _on(device: torch.device | str) -> AbstractContextManager[object]:
    """Where what is built within is put. A CPU needs no saying, which spares every factory call a detour."""
    same = torch.device(device).type == "cpu" == torch.get_default_device().type
    return nullcontext() if same else torch.device(device)


def _require_protocol(cell: Cell) -> None:
    """Refuse what a published protocol would not do, so that no record says what was not done."""
    if cell.protocol != "adaptive" and cell.cache == "cold":
        raise Unsupported(f"protocol {cell.protocol} has its own caches; cold ones are for adaptive")
    if cell.protocol == "hilo_single_layer" and (cell.compile != "eager" or cell.kernel == "compiled"):
        raise Unsupported("protocol hilo_single_layer has no warm-up, and compiling is one")


def _require_parameters(cell: Cell, module: nn.Module) -> None:
    if not any(parameter.requires_grad for parameter in module.parameters()):
        what = f"{cell.name} ({cell.target}) has no parameters, so a training_step has nothing to train"
        raise UsageError(f"{what}; measure it with mode forward_backward or inference")


def _require_maps(cell: Cell, layout: Layout | None) -> None:
    if layout != "NCHW":
        already = {"BNC": "tokens (B, N, dim)", "NHWC": "maps (B, H, W, dim), channels last already"}
        what = already[layout] if layout else "named in the scenario"
        raise Unsupported(
            f"channels_last means nothing to {cell.target}: its input is {what}; "
            "it is for mixers of (B, dim, H, W) maps and for backbones"
        )


def _mixer(cell: Cell, device: torch.device | str) -> nn.Module:
    """The mixer or block of a cell.

    Raises:
        UsageError: it does not take these arguments.
        Unsupported: it has no such kernel.
        Exception: whatever its constructor raises.
    """
    cls = mixer_class(cell.target)
    arguments = _arguments(cell, cls)
    _require_taken(cell, cls, arguments)
    with _on(device):
        return cls(**arguments)


def _network(cell: Cell, device: torch.device | str) -> nn.Module:
    """The network of a cell.

    Raises:
        UsageError: it, or a mixer that is put into it, does not take the arguments of the scenario.
        Unsupported: it has no such kernel.
        Exception: whatever building it raises.
    """
    builder = backbone_builder(cell.target)
    arguments = dict(cell.config)
    if swaps := arguments.get("mixer"):
        for name, params in _swapped_in(swaps):
            with suppress(LookupError, AttributeError, ImportError):  # whoever puts it in says what is wrong
                _require_taken(cell, mixer_class(name), params, partly=True)
        arguments["mixer"] = {stage: _resolved(choice) for stage, choice in swaps.items()}
    accepted = inspect.signature(builder).parameters
    _check_kernel(cell, builder, accepted)
    axes = {"resolution": _side(cell.resolution), "kernel": cell.kernel}
    arguments = {name: value for name, value in axes.items() if name in accepted} | arguments
    _require_taken(cell, builder, arguments)
    try:
        with _on(device):
            network: object = builder(**arguments)
    except (SizeError, CallError) as error:
        raise UsageError(f"{cell.name} ({cell.target}): {error}") from error
    if not isinstance(network, nn.Module):
        raise TypeError(f"it builds a {type(network).__name__}, not a torch.nn.Module")
    return network


def _side(resolution: tuple[int, int]) -> int | tuple[int, int]:
    """One number for a square, so that a builder of one's own need not know more."""
    height, width = resolution
    return height if height == width else resolution


def _require_taken(
    cell: Cell, function: Callable[..., object], given: Mapping[str, Any], *, partly: bool = False
) -> None:
    """Raise UsageError unless the signature takes these arguments, `partly` as some of all it needs."""
    signature = inspect.signature(function)
    try:
        (signature.bind_partial if partly else signature.bind)(**given)
    except TypeError as error:
        advice = _how_given(cell, signature, given) if str(error).startswith("missing") else ""
        raise UsageError(f"{cell.name} ({cell.target}): {error}{advice}") from error


def _how_given(cell: Cell, signature: inspect.Signature, given: Mapping[str, Any]) -> str:
    """How to give what a class or builder of one's own requires and is not given; empty for one of ours."""
    lacking = [
        one.name
        for one in signature.parameters.values()
        if one.default is one.empty
        and one.name not in given
        and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if ":" not in cell.target:
        return ""
    params = f"say params: {{{', '.join(f'{name}: …' for name in lacking)}}} in its entry (time: --params)"
    if cell.subject == "backbone":
        return f"; {params}, or name a factory: a function that needs none and makes the network"
    return f"; {params}, or name a subclass whose constructor makes what YAML cannot say"


def plugin_packages(cell: Cell) -> frozenset[str]:
    """Top-level packages, or single-file modules, that the subject of a cell and what is put into it are of.

    Imports nothing. The zoo's own are not listed.
    """
    packages = set()
    for target in (cell.target, *(name for name, _ in _swapped_in(cell.config.get("mixer") or {}))):
        if target.startswith(LIBRARIES):
            packages.add(target.partition(":")[0])
        elif target not in BACKBONES and target not in MIXERS and target not in BLOCKS:
            plugin = plugins(search_path()).mixers.get(target)
            module, _, name = (plugin.target if plugin else target).partition(":")
            home = getattr(getattr(sys.modules.get(module), name, None), "__module__", module)
            packages |= {module.partition(".")[0], str(home).partition(".")[0]}
    return frozenset(packages)


def _swapped_in(swaps: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and parameters of each mixer that is put into a network."""
    for choice in swaps.values():
        for one in [choice] if isinstance(choice, str) else choice.get("alternate", [choice]):
            yield (one, {}) if isinstance(one, str) else (one["name"], one.get("params") or {})


def _resolved(choice: Any) -> Any:
    """A choice of a mixer with names of blocks and of packages spelled out, which a network does not know."""
    if isinstance(choice, str):
        return choice if choice in MIXERS else _dotted(choice)
    if "alternate" in choice:
        return {"alternate": [_resolved(one) for one in choice["alternate"]]}
    return {**choice, "name": _resolved(choice["name"])}


def _arguments(cell: Cell, cls: type[nn.Module]) -> dict[str, Any]:
    """Constructor arguments: the cell's axes as far as the class takes them, then its own parameters."""
    accepted = inspect.signature(cls).parameters
    axes = {"dim": cell.dim, "num_heads": cell.num_heads, "kernel": cell.kernel, "grid": cell.grid}
    _check_kernel(cell, cls, accepted)
    return {name: value for name, value in axes.items() if name in accepted} | dict(cell.config)


def _check_kernel(cell: Cell, made: Callable[..., nn.Module], accepted: Mapping[str, object]) -> None:
    """Raise Unsupported unless the class or network runs on the cell's kernel, or takes any."""
    kernels = getattr(made, "kernels", None)
    if kernels is not None and cell.kernel not in kernels:
        raise Unsupported(f"{cell.target} has no {cell.kernel} kernel; it runs on {', '.join(kernels)}")
    if kernels is None and "kernel" not in accepted and cell.kernel != "math":
        raise Unsupported(
            f"{cell.target} has no {cell.kernel} kernel: it names no `kernels` and takes no argument "
            "`kernel`, so it runs as it is, which counts as math"
        )


def _dotted(target: str) -> str:
    """ "module:Class" of a name. Names of ours come before those of packages."""
    ours = MIXERS.get(target) or BLOCKS.get(target)
    if ours or ":" in target:
        return ours or target
    plugin = plugins(search_path()).mixers.get(target)
    if plugin is None:
        raise LookupError("no mixer and no installed package's mixer is called so")
    return plugin.target
