"""Networks of timm, where it is installed: `timm:convnext_tiny` in a scenario with `subject: backbone`.

timm decides at construction whether a layer attends through fused kernels; here the cell decides.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

PREFIX = "timm:"
KERNELS = ("math", "sdpa")


def builder(target: str) -> Callable[..., nn.Module]:
    """The function that builds `target`, "timm:<name>", with the arguments that ours take.

    Raises:
        ModuleNotFoundError: timm is not installed.
        LookupError: timm has no such network.
    """
    try:
        timm: Any = importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"it needs timm: pip install timm ({error})") from error
    name = target.removeprefix(PREFIX)
    if not timm.is_model(name):
        raise LookupError(f"timm {timm.__version__} has no network {name!r}")

    def build(
        *,
        num_classes: int = 1000,
        resolution: int | tuple[int, int] | None = None,
        kernel: str = "math",
        mixer: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> nn.Module:
        if kernel not in KERNELS:
            raise ValueError(f"{target} has no {kernel} kernel; it runs on {', '.join(KERNELS)}")
        if mixer:
            raise ValueError(f"{target} takes no mixer: only our own networks are built around one")
        before = timm.layers.use_fused_attn()
        timm.layers.set_fused_attn(kernel == "sdpa")
        try:
            network: Any = timm.create_model(name, num_classes=num_classes, **arguments)
            if resolution is not None and hasattr(network, "set_input_size"):
                network.set_input_size(img_size=resolution)
        finally:
            timm.layers.set_fused_attn(before)
        module: nn.Module = network
        return module

    return build
