"""Networks of timm, where it is installed: `timm:convnext_tiny` in a scenario with `subject: backbone`.

timm decides at construction whether a layer attends through fused kernels; here the cell decides. A network
of a fixed size, as timm calls it, is built for the cell's images (`img_size`). That leaves the windows of
most as they are, which `set_input_size` would scale; of the others the cell's name says so (`other_windows`).
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from benchsuite.errors import Unsupported, UsageError
from benchsuite.scenario.subjects import TIMM

KERNELS = ("math", "sdpa")
_WINDOW = re.compile(r"(window|partition|block)_(size|resolution)")
"""What timm's modules call the side of a window."""
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


@functools.cache
def builder(target: str) -> Callable[..., nn.Module]:
    """The function that builds `target`, "timm:<name>", with the arguments that ours take.

    On "meta", where cells are planned, it raises Unsupported for images that the network does not take.

    Raises:
        ModuleNotFoundError: timm is not installed.
        LookupError: timm has no such network, or no such weights of it.
    """
    timm, name, listed = _listed(target)
    own = tuple(listed["input_size"][-2:])
    fitting: set[str] = set()

    def build(
        *,
        num_classes: int = 1000,
        resolution: int | tuple[int, int] | None = None,
        kernel: str = "math",
        mixer: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> nn.Module:
        if kernel not in KERNELS:
            raise Unsupported(f"{target} has no {kernel} kernel; it runs on {', '.join(KERNELS)}")
        if mixer:
            raise UsageError(f"{target} takes no mixer: only our own networks are built around one")
        images = own if resolution is None else _sides(resolution)

        def create(images: Sequence[int]) -> nn.Module:
            size = {"img_size": tuple(images)} if listed["fixed_input_size"] and images != own else {}
            make = functools.partial(timm.create_model, name, num_classes=num_classes)
            return handed_on(make, size | arguments, target)

        before = timm.layers.use_fused_attn()
        timm.layers.set_fused_attn(kernel == "sdpa")
        try:
            planned = f"{images} {arguments}" if torch.empty(0).is_meta else ""
            if images == own or not planned or planned in fitting:
                return create(images)
            network = _that_takes(images, own, create, target)
            fitting.add(planned)
            return network
        finally:
            timm.layers.set_fused_attn(before)

    return build


def handed_on(make: Callable[..., nn.Module], arguments: Mapping[str, Any], target: str) -> nn.Module:
    """The network of a library, which hands arguments on, so that no signature says which it takes.

    Raises:
        UsageError: it does not take one of the arguments.
    """
    try:
        return make(**arguments)
    except TypeError as error:
        wrong = _UNEXPECTED.search(str(error))
        if wrong and wrong[1] in arguments:
            raise UsageError(f"{target}: {error}") from error
        raise


def other_windows(target: str, config: Mapping[str, Any], resolution: tuple[int, int]) -> str:
    """The windows that a network has for such images, and not for those of its own size: "14×14"; empty if
    they are the same. With other windows it has other weights: it is another network.

    Args:
        config: arguments of the network.
    """
    _, _, listed = _listed(target)
    if not listed["fixed_input_size"] or tuple(listed["input_size"][-2:]) == resolution:
        return ""
    build = builder(target)
    with torch.device("meta"):
        own, here = _windows(build(**config)), _windows(build(**config, resolution=resolution))
    changed = dict.fromkeys(sides for place, sides in here.items() if own.get(place) != sides)
    return ", ".join("×".join(map(str, sides)) for sides in changed)


def _listed(target: str) -> tuple[Any, str, Mapping[str, Any]]:
    """timm, what it calls the network, and what it says of its input."""
    try:
        timm: Any = importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"it needs timm: pip install timm ({error})") from error
    name = target.removeprefix(TIMM)
    if not timm.is_model(name):
        raise LookupError(f"timm {timm.__version__} has no network {name!r}")
    try:
        listed = timm.get_pretrained_cfg(name)
    except RuntimeError as error:  # which is its word for a tag that is not there
        raise LookupError(f"timm {timm.__version__}: {error}") from error
    if listed is not None:
        return timm, name, listed.to_dict()
    with torch.device("meta"):  # an old name, of which only the network itself says what it is
        return timm, name, timm.create_model(name).pretrained_cfg


def _that_takes(
    images: tuple[int, ...], own: tuple[int, ...], create: Callable[[Sequence[int]], nn.Module], target: str
) -> nn.Module:
    """The network for images of this size, on "meta".

    Raises:
        Unsupported: it takes those of its own size, but not these.
        Exception: it does not run on those of its own size either.
    """
    try:
        network = create(images)
        _run(network, images)
        return network
    except Exception as error:
        _run(create(own), own)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        sizes = [" × ".join(map(str, size)) for size in (images, own)]
        raise Unsupported(
            f"{target} takes no images of {sizes[0]} pixels; its own are {sizes[1]} ({reason})"
        ) from error


def _run(network: nn.Module, images: Sequence[int]) -> None:
    with torch.no_grad():
        network.eval()(torch.empty(1, 3, *images, device="meta"))


def _sides(resolution: int | tuple[int, int]) -> tuple[int, ...]:
    return (resolution, resolution) if isinstance(resolution, int) else tuple(resolution)


def _windows(network: nn.Module) -> dict[tuple[str, str], tuple[int, ...]]:
    """(Module, attribute) → height and width. What spans all tokens, as a table of positions, is none."""
    whole = getattr(getattr(network, "patch_embed", None), "grid_size", None)
    windows = {
        (path, word): tuple(value) if isinstance(value, Sequence) else (value, value)
        for path, module in network.named_modules()
        for word, value in vars(module).items()
        if _WINDOW.fullmatch(word) and not type(module).__name__.startswith("Rel")
    }
    return {place: sides for place, sides in windows.items() if sides != whole}
