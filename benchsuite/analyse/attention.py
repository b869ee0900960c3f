"""Attention of every layer and its numbers, read in one forward pass without a line of it in the mixers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from benchsuite.analyse.data import AttentionLayer
from benchsuite.analyse.geometry import AttentionReading, Grid, Tokens, reader_of


@dataclass(frozen=True, slots=True)
class _Entered:
    """A module whose forward pass is under way."""

    path: str
    module: nn.Module
    tokens: Tokens | None


@dataclass
class AttentionReader:
    """Within the context, softmaxes of the modules of `root` become `layers`, in the order of execution.

    Each is reduced to its numbers as soon as it is formed, so that no attention matrix outlives its layer.

    Attributes:
        image: height and width of the images that a network is given; None for a mixer on its own.
        unread: classes whose softmax has no line in `READERS`.
    """

    root: nn.Module
    image: Grid | None = None
    layers: list[AttentionLayer] = field(default_factory=list)
    unread: dict[str, None] = field(default_factory=dict)
    _entered: list[_Entered] = field(default_factory=list)
    _exits: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> AttentionReader:
        for path, module in self.root.named_modules():
            if not hasattr(module, "layout") and reader_of(module) is None:
                continue
            for handle in (
                module.register_forward_pre_hook(self._entering(path), with_kwargs=True),
                module.register_forward_hook(self._leaving),
            ):
                self._exits.callback(handle.remove)
        self._exits.enter_context(_Softmaxes(self._seen))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()
        self._entered.clear()

    def _entering(self, path: str) -> Callable[[nn.Module, Sequence[Any], dict[str, Any]], None]:
        def enter(module: nn.Module, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
            self._entered.append(_Entered(path, module, _tokens(module, args, kwargs, self.image)))

        return enter

    def _leaving(self, module: nn.Module, args: object, output: object) -> None:
        self._entered.pop()

    def _seen(self, weights: Tensor) -> None:
        if not self._entered:
            return
        inner = self._entered[-1]
        reader = reader_of(inner.module)
        if reader is None:
            self.unread.setdefault(type(inner.module).__name__)
            return
        reading = reader(inner.module, weights.detach(), inner.tokens)
        number = sum(layer.layer == inner.path and layer.branch == reading.branch for layer in self.layers)
        self.layers.append(summarised(reading, inner.path, number))


class _Softmaxes(TorchFunctionMode):
    """Hands on the result of every softmax that is called while it is the mode."""

    def __init__(self, seen: Callable[[Tensor], None]) -> None:
        super().__init__()
        self._seen = seen

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") == "softmax" and isinstance(result, Tensor):
            self._seen(result)
        return result


def summarised(reading: AttentionReading, path: str, number: int = 0) -> AttentionLayer:
    """The numbers of one attention matrix; `number` counts those of the same layer and branch before it."""
    keys = reading.weights.shape[-1]
    nats = entropy(reading.weights)
    branch = reading.branch if not number else f"{reading.branch} {number + 1}".strip()
    return AttentionLayer(
        layer=path,
        branch=branch,
        over=reading.over,
        keys=keys,
        entropy_nats=_numbers(nats),
        entropy=_numbers(nats / math.log(keys)) if keys > 1 else None,
        distance=None if reading.places is None else _numbers(distance(*reading.places)),
    )


def entropy(weights: Tensor) -> Tensor:
    """Mean entropy of each head in nats.

    Args:
        weights: (..., heads, queries, keys), each row sums to 1.

    Returns:
        (heads,): − Σ_j a_ij ln a_ij, mean over queries and all axes in front; a weight of 0 adds 0.
    """
    return _of_heads(torch.special.entr(weights.float()).sum(dim=-1))


def distance(weights: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """Mean distance of each head between a query and where it looks.

    Args:
        weights: (..., heads, queries, keys).
        queries, keys: (number, 2) places. The norm is L1, the sum over both axes.

    Returns:
        (heads,): Σ_j a_ij ‖p_i − p_j‖₁, mean over queries and all axes in front.
    """
    apart = torch.cdist(queries, keys, p=1).to(weights.device)
    return _of_heads((weights.float() * apart).sum(dim=-1))


def _of_heads(values: Tensor) -> Tensor:
    """(..., heads, queries) → (heads,)."""
    return values.movedim(-2, 0).flatten(1).mean(dim=1)


def _numbers(values: Tensor) -> tuple[float, ...]:
    return tuple(round(value, 6) for value in values.tolist())


def _tokens(
    module: nn.Module, args: Sequence[Any], kwargs: dict[str, Any], image: Grid | None
) -> Tokens | None:
    """Tokens that the module is given; None where that cannot be told."""
    x = args[0] if args else None
    layout = getattr(module, "layout", None)
    if not isinstance(x, Tensor) or layout is None:
        return None
    if layout == "BNC":
        size = args[1] if len(args) > 1 else kwargs.get("size")
        return None if size is None else unrolled((int(size[0]), int(size[1])), image)
    height, width = x.shape[-2:] if layout == "NCHW" else x.shape[1:3]
    return Tokens((int(height), int(width)))


def unrolled(size: Grid, image: Grid | None) -> Tokens:
    """The grid of an image behind a row of one class token and all its tokens, as ViT gives it to a mixer."""
    if image is not None and size[0] == 1 and min(image) > 1:
        tokens = size[1] - 1
        height = round(math.sqrt(tokens * image[0] / image[1]))
        width = round(math.sqrt(tokens * image[1] / image[0]))
        if height * width == tokens and height * image[1] == width * image[0]:
            return Tokens((height, width), leading=1)
    return Tokens(size)
