"""Networks of torchvision, where it is installed: `torchvision:resnet50` with `subject: backbone`."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from benchsuite.errors import Unsupported, UsageError
from benchsuite.scenario.subjects import TORCHVISION
from benchsuite.worker.timm import handed_on

_SIZED = {"vit_": "image_size", "maxvit_": "input_size"}
"""Beginning of the names of networks of a fixed size → their argument for it."""
_WEIGHTS = ("weights", "weights_backbone")
"""Arguments that name trained weights, of which the second would be fetched if it were left out."""
_FUSED = "vit_"
"""Begins the names of those that attend through `nn.MultiheadAttention`, which torch fuses."""


@functools.cache
def builder(target: str) -> Callable[..., nn.Module]:
    """The function that builds `target`, "torchvision:<name>", with random weights.

    Raises:
        ModuleNotFoundError: torchvision is not installed.
        LookupError: torchvision has no such network.
    """
    try:
        models: Any = importlib.import_module("torchvision.models")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"it needs torchvision: pip install torchvision ({error})") from error
    name = target.removeprefix(TORCHVISION)
    if name not in models.list_models():
        raise LookupError(f"torchvision has no network {name!r}")
    sized = next((argument for begin, argument in _SIZED.items() if name.startswith(begin)), None)
    make = models.get_model_builder(name)
    random = {word: None for word in _WEIGHTS if word in inspect.signature(make).parameters}
    runs_on = "sdpa" if name.startswith(_FUSED) else "math"

    def build(
        *,
        resolution: int | tuple[int, int] = 224,
        kernel: str = "math",
        mixer: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> nn.Module:
        if kernel != runs_on:
            raise Unsupported(f"{target} has no {kernel} kernel; it runs on {runs_on}")
        if mixer:
            raise UsageError(f"{target} takes no mixer: only our own networks are built around one")
        size: Any = resolution
        if sized == "image_size" and not isinstance(size, int):
            raise Unsupported(f"{target} takes square images only")
        if sized == "input_size":
            size = (size, size) if isinstance(size, int) else size
        given = ({sized: size} if sized else {}) | arguments
        return handed_on(functools.partial(make, **random), given, target)

    return build
