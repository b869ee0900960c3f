"""The mixer of a stage as an argument: a name of the zoo or a class of one's own, made to fit and tried out.

What cannot be put in is an error when the network is built, and not when it first runs: a mixer is tried on
the "meta" device, at the size that the stage has.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from benchsuite.backbones import _call
from benchsuite.backbones._call import CallError, adapted, first_tensor
from benchsuite.mixers import MIXERS
from benchsuite.mixers._attention import ALL_KERNELS
from benchsuite.mixers._grid import as_map, as_tokens

MixerChoice = str | Mapping[str, Any]
"""A name of `MIXERS` or "module:Class"; or {"name": …, "params": {…}}, with "call" and "layout" where those
cannot be found from its signature and its layers."""
Choices = Mapping[str, MixerChoice]
"""Stage ("stage1", …, or "all") → what mixes there."""
Size = tuple[int, int]
Layout = Literal["BNC", "NCHW"]

GRIDLESS = frozenset(
    "msa performer linformer xca davit_channel uniform_msa cb cbs cb_msa token_mlp gmlp resmlp fnet".split()
)
"""Mixers of tokens that do not ask where a token stands; only these know what to do with a class token."""

_SAID: Mapping[str, tuple[str, ...]] = {"call": get_args(_call.Call), "layout": get_args(_call.Layout)}
"""What a choice may say of how its mixer is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixerSlot:
    """Where a mixer goes in a network.

    Attributes:
        stage: named in errors.
        dim, num_heads, grid: of the stage. A mixer is given what it takes of them; its `params` come first.
        layout: of the stage's own tensors, on which `mix_tokens` or `mix_map` will call the mixer.
        stride: of the mixer. One that knows no stride is followed by a 2 × 2 average, as stride 2 asks for.
        kernel: given to a mixer that runs on it; one that does not runs on its own.
        class_token: whether the tokens are one row with a class token in front, and no grid.
    """

    stage: str
    dim: int
    grid: Size
    layout: Layout
    num_heads: int | None = None
    stride: int = 1
    kernel: str = "math"
    class_token: bool = False


def choice_of(mixer: Choices | None, stage: str, stages: tuple[str, ...]) -> MixerChoice | None:
    """Mixer that is chosen for one stage, or None. A stage's own entry comes before "all".

    Raises:
        ValueError: `mixer` names a stage that the network does not have; says which it has.
    """
    mixer = mixer or {}
    for name in mixer:
        _known("", "stage", name, ("all", *(other for other in stages if other != "all")))
    return mixer.get(stage, mixer.get("all"))


def _refuse_grid(choice: MixerChoice, stage: str) -> None:
    """Raise ValueError for a mixer of the zoo that mixes over a grid."""
    name = choice if isinstance(choice, str) else choice.get("name")
    if name in MIXERS and name not in GRIDLESS:
        raise ValueError(
            f"{stage}: mixer {name!r} mixes over a grid, in which the class token has no place. "
            f"Allowed: {', '.join(sorted(GRIDLESS))}"
        )


def chosen(choice: MixerChoice, slot: MixerSlot) -> Callable[[], nn.Module]:
    """A function that makes one mixer of the chosen kind, after having tried that it fits.

    Raises:
        ValueError: there is no such mixer, or it takes no such arguments, or does not fit the slot.
        CallError: the forward pass of a mixer of one's own takes more than an input and its size.
    """
    stage, stride = slot.stage, slot.stride
    if slot.class_token:
        _refuse_grid(choice, stage)
    name, params, said = (choice, {}, {}) if isinstance(choice, str) else _parts(choice, stage)
    cls = _class_of(name, stage)
    accepted = inspect.signature(cls).parameters
    given: dict[str, Any] = {"dim": slot.dim, "grid": slot.grid}
    if slot.num_heads is not None:
        given["num_heads"] = slot.num_heads
    if stride != 1:
        given["stride"] = stride
    if slot.kernel in getattr(cls, "kernels", ALL_KERNELS):
        given["kernel"] = slot.kernel
    options = {key: value for key, value in given.items() if key in accepted} | params
    pooled = stride != 1 and "stride" not in accepted

    def make() -> nn.Module:
        mixer = cls(**options)
        if said or name not in MIXERS:
            mixer = adapted(mixer, **said)
        return Pooled(mixer, stride) if pooled else mixer

    _try(make, f"{stage}: mixer {name!r}", slot, ours=name in MIXERS)
    return make


class Pooled(nn.Module):
    """A mixer of maps with the mean of each stride × stride square behind it, in place of a stride."""

    layout = "NCHW"

    def __init__(self, mixer: nn.Module, stride: int) -> None:
        super().__init__()
        self.mixer = mixer
        self.pool = nn.AvgPool2d(stride, stride, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pool(mix_map(self.mixer, x))
        return out


def check_runs_on(network: nn.Module, kernel: str, name: str) -> None:
    """Raise ValueError for a kernel other than "math" that no mixer of the network has."""
    if kernel not in ALL_KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}. Allowed: {', '.join(ALL_KERNELS)}")
    if kernel != "math" and not any(kernel in getattr(part, "kernels", ()) for part in network.modules()):
        raise ValueError(f"{name} has no mixer that runs on kernel {kernel!r}; it runs on math")


def mix_tokens(mixer: nn.Module, x: Tensor, size: Size) -> Tensor:
    """Run a mixer of any layout on (B, N, C) tokens of a grid; → (B, N, C)."""
    layout = layout_of(mixer)
    if layout == "BNC":
        return first_tensor(mixer(x, size))
    if layout == "NHWC":
        return first_tensor(mixer(torch.unflatten(x, 1, size))).flatten(1, 2)
    return as_tokens(first_tensor(mixer(as_map(x, size))))


def mix_map(mixer: nn.Module, x: Tensor) -> Tensor:
    """Run a mixer of any layout on a (B, C, H, W) map; → (B, C, H, W)."""
    layout, size = layout_of(mixer), (int(x.shape[2]), int(x.shape[3]))
    if layout == "NCHW":
        return first_tensor(mixer(x))
    if layout == "NHWC":
        return first_tensor(mixer(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
    return as_map(first_tensor(mixer(as_tokens(x), size)), size)


def mixed_shape(make: Callable[[], nn.Module], dim: int, grid: Size, layout: Layout) -> tuple[int, ...]:
    """Shape that a mixer makes of one image in the layout of its stage; it is built and run on "meta"."""
    height, width = grid
    with torch.device("meta"), torch.no_grad():
        mixer = make().eval()
        if layout == "BNC":
            return tuple(mix_tokens(mixer, torch.empty(1, height * width, dim), grid).shape)
        return tuple(mix_map(mixer, torch.empty(1, dim, height, width)).shape)


def layout_of(mixer: nn.Module) -> str:
    """The layout that a mixer says it works on; tokens if it does not say."""
    return str(getattr(mixer, "layout", "BNC"))


def _parts(choice: Mapping[str, Any], stage: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Name, parameters, and what is said of how it is called."""
    for key in choice:
        _known(f"{stage}: ", "key", key, ("name", "params", *_SAID))
    if "name" not in choice:
        raise ValueError(f"{stage}: a mixer needs a name")
    said = {key: choice[key] for key in _SAID if choice.get(key)}
    for key, word in said.items():
        _known(f"{stage}: ", key, word, _SAID[key])
    return str(choice["name"]), dict(choice.get("params") or {}), said


def _class_of(name: str, stage: str) -> type[nn.Module]:
    if ":" not in name:
        _known(f"{stage}: ", "mixer", name, tuple(MIXERS))
    module, _, attribute = MIXERS.get(name, name).partition(":")
    try:
        cls: type[nn.Module] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{stage}: mixer {name!r}: {error}") from error
    return cls


def _known(where: str, what: str, word: str, allowed: tuple[str, ...]) -> None:
    if word in allowed:
        return
    near = difflib.get_close_matches(word, allowed, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else "."
    raise ValueError(f'{where}no {what} "{word}"{hint} Allowed: {", ".join(allowed)}')


def _try(make: Callable[[], nn.Module], what: str, slot: MixerSlot, *, ours: bool) -> None:
    """Run one on "meta"; raise ValueError if it changes the shape, or is ours and cannot be built or run."""
    dim, stride, (height, width) = slot.dim, slot.stride, slot.grid
    try:
        shape = mixed_shape(make, dim, slot.grid, slot.layout)
    except CallError as error:
        raise CallError(error.taken, f"{what}: ") from error
    except Exception as error:
        if not ours:
            return  # it may do without "meta", or else says itself what it refuses
        if not isinstance(error, ValueError | TypeError | RuntimeError):
            raise
        raise ValueError(f"{what} cannot mix {dim} channels of a {height} × {width} grid: {error}") from error
    strided = (1, dim, -(-height // stride), -(-width // stride))
    expected = (1, height * width, dim) if slot.layout == "BNC" else strided
    if shape != expected:
        raise ValueError(f"{what} makes {shape} of what should become {expected}")
