"""How a module of one's own is called, by its signature and layers, and one that is called as ours are.

Of a module that has to be told the grid the arguments are named for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from benchsuite.mixers._grid import Size

Call = Literal["forward(x)", "forward(x, size)", "forward(x, H, W)"]
Layout = Literal["BNC", "NCHW", "NHWC"]

_SIDES = (("h", "w"), ("height", "width"))
_SIZES = ("size", "hw", "grid", "grid_size", "feat_size", "input_size", "hw_shape", "x_size")
"""What an argument for height and width is called, where it has a default."""


class CallError(ValueError):
    """`forward` takes more than an input and its size.

    Attributes:
        taken: the arguments that it requires.
    """

    def __init__(self, taken: Sequence[str], where: str = "") -> None:
        self.taken = taken
        super().__init__(f"{where}forward takes {', '.join(taken)}, and benchsuite knows of x and its size")


def call_of(module: nn.Module, *, images: bool = False) -> Call:
    """Arguments of the call, by the signature of `forward`.

    Args:
        images: it is a whole network, which is not told a size that it can do without.

    Raises:
        CallError: it takes more than an input and its size.
    """
    parameters = inspect.signature(module.forward).parameters.values()
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        layout = getattr(type(module), "layout", "BNC")
        return "forward(x, size)" if layout == "BNC" and not images else "forward(x)"
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    names = [one.name.lower() for one in positional[1:]]
    required = sum(one.default is one.empty for one in positional)
    if images and required < 2:
        return "forward(x)"
    if tuple(names[:2]) in _SIDES and required <= 3:
        return "forward(x, H, W)"
    if required == 2 or (required < 2 and names and names[0] in _SIZES):
        return "forward(x, size)"
    if required < 2:
        return "forward(x)"
    raise CallError([one.name for one in positional[:required]])


def arguments_of(module: nn.Module) -> list[str]:
    """Names of the arguments that are tensors by all that can be seen: the first, and what `forward` requires
    beside it and is called like no size."""
    parameters = inspect.signature(module.forward).parameters.values()
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    sizes = {*_SIZES, *(side for pair in _SIDES for side in pair)}
    names = [one.name for one in positional[1:] if one.default is one.empty and one.name.lower() not in sizes]
    return [*(one.name for one in positional[:1]), *names] or ["x"]


def layout_of(module: nn.Module, call: Call | None = None) -> Layout:
    """Layout of a mixer's input: what its class says, or else maps if it has two-dimensional layers
    (`Conv2d`, `BatchNorm2d`, …) and is not told the grid, or tokens.

    Args:
        call: its arguments, where they are known otherwise than by its signature.

    Raises:
        CallError: its signature is asked, and takes more than an input and its size.
    """
    said: Layout | None = getattr(type(module), "layout", None)
    if said is not None:
        return said
    flat = not any(type(part).__name__.endswith("2d") for part in module.modules())
    return "BNC" if flat or (call or call_of(module)) != "forward(x)" else "NCHW"


def first_tensor(returned: Any) -> Tensor:
    """What a forward pass returned, or the first tensor in its tuple, list or dictionary.

    Raises:
        TypeError: it holds none.
    """
    if isinstance(returned, Tensor):
        return returned
    found = next((leaf for leaf in tree_leaves(returned) if isinstance(leaf, Tensor)), None)
    if found is None:
        raise TypeError(f"forward returned a {type(returned).__name__}, and no tensor in it")
    return found


def adapted(mixer: nn.Module, call: Call | None = None, layout: Layout | None = None) -> nn.Module:
    """A mixer of one's own as `mix_tokens` and `mix_map` call those of the zoo: itself, if it can be.

    Args:
        call, layout: what is said of it; None: found.

    Raises:
        CallError: it takes more than an input and its size.
    """
    called = call or call_of(mixer)
    laid = layout or layout_of(mixer, called)
    as_ours: Call = "forward(x, size)" if laid == "BNC" else "forward(x)"
    return (
        mixer
        if (called, laid) == (as_ours, getattr(mixer, "layout", "BNC"))
        else Adapted(mixer, called, laid)
    )


class Adapted(nn.Module):
    """A mixer that is called in another way, or on another layout, than it says itself."""

    def __init__(self, mixer: nn.Module, call: Call, layout: Layout) -> None:
        super().__init__()
        self.mixer = mixer
        self.call = call
        self.layout = layout

    def forward(self, x: Tensor, size: Size | None = None) -> Any:
        """Args: size: of the grid, for tokens; that of a map is seen."""
        if self.call == "forward(x)":
            return self.mixer(x)
        height, width = size or (x.shape[2:] if self.layout == "NCHW" else x.shape[1:3])
        if self.call == "forward(x, H, W)":
            return self.mixer(x, height, width)
        return self.mixer(x, (height, width))
