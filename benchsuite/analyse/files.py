"""Files that a user brings: weights, which fill a module whatever their names, and images for a network."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchsuite.analyse.data import Weights
from benchsuite.errors import UsageError
from benchsuite.parity.ports import ports_of, ports_of_file

State = Mapping[str, Tensor]
WRAPPERS = ("model", "state_dict", "model_state", "net")
"""Keys under which training scripts keep the state dict in a checkpoint."""
NAMED = 5
"""Most names of one kind that a message gives."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's channels, with which the papers' networks were trained."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Reasons why a state dict does not fill a module."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[str, ...]

    @property
    def count(self) -> int:
        """Names that do not fit."""
        return len(self.missing) + len(self.unexpected) + len(self.misshapen)

    def __str__(self) -> str:
        kinds = {"missing": self.missing, "left over": self.unexpected, "of another shape": self.misshapen}
        return "\n".join(f"  {kind}: {_some(names)}" for kind, names in kinds.items() if names)


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a .safetensors file, or in a checkpoint of torch, which is read without running code.

    Raises:
        UsageError: there is no such file, it cannot be read, or it holds no state dict.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file of weights")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise UsageError(f"{path}: cannot be read: {error}") from error
    try:
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path}: holds more than tensors, or is no checkpoint of torch. Only tensors are read, as a "
            "pickle can run code; save the state dict alone, or as .safetensors"
        ) from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise UsageError(f"{path}: is no checkpoint of torch, or is cut off") from error
    state = _unwrapped(loaded)
    if state is None:
        raise UsageError(f"{path}: holds no state dict, be it alone or under {', '.join(WRAPPERS)}")
    return state


def _unwrapped(loaded: object) -> dict[str, Tensor] | None:
    if not isinstance(loaded, Mapping):
        return None
    for key in WRAPPERS:
        if isinstance(loaded.get(key), Mapping):
            return _unwrapped(loaded[key])
    if not loaded or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in loaded.items()):
        return None
    return {key.removeprefix("module."): tensor for key, tensor in loaded.items()}


def fill(module: nn.Module, target: str, kind: str, path: Path) -> Weights:
    """Fill a module with the weights in a file, which must fit exactly under some known naming.

    Tried are our own names, then those of each authors' version that is known to map on `target`.

    Args:
        target: key in `MIXERS`, `BLOCKS` or `BACKBONES`.
        kind: "mixer" or "network".

    Raises:
        UsageError: the file cannot be read, or no naming fits. Names what is missing, left over or of another
            shape under the naming that comes nearest.
    """
    state = read_state(path)
    misfits: dict[str, Misfit] = {}
    for name, convert in _namings(target, kind):
        try:
            ours = convert(state)
        except (KeyError, ValueError, RuntimeError, IndexError, TypeError):  # names of another code
            continue
        misfit = misfit_of(module, ours)
        if not misfit.count:
            module.load_state_dict(dict(ours), strict=True)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            return Weights(kind="file", file=path.name, sha256=digest, mapping=name)
        misfits[name] = misfit
    nearest, misfit = min(misfits.items(), key=lambda item: item[1].count)
    raise UsageError(
        f"{path}: does not fit {target}; tried the names of {', '.join(misfits)}. "
        f"Under those of {nearest}:\n{misfit}"
    )


def misfit_of(module: nn.Module, state: State) -> Misfit:
    """Names and shapes that keep a state dict from filling a module."""
    wanted = module.state_dict()
    return Misfit(
        missing=tuple(name for name in wanted if name not in state),
        unexpected=tuple(name for name in state if name not in wanted),
        misshapen=tuple(
            f"{name} {_shape(tensor)}, wanted {_shape(wanted[name])}"
            for name, tensor in state.items()
            if name in wanted and tensor.shape != wanted[name].shape
        ),
    )


def _namings(target: str, kind: str) -> Iterator[tuple[str, Callable[[State], Mapping[str, Tensor]]]]:
    """Namings that are tried, each with the function that makes ours of it."""
    yield "benchsuite", dict
    ports: Mapping[Any, Any] = ports_of(target) if kind == "mixer" else ports_of_file(target)
    for name, port in ports.items():
        yield (name if isinstance(name, str) else ":".join(name)), port.state


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def read_images(folder: Path, number: int, size: tuple[int, int]) -> Tensor:
    """The first images of a folder by name, resized to (number, 3, H, W) and normalised as for ImageNet.

    Raises:
        UsageError: there is no such folder, it holds fewer images, or one of them cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of images")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if len(paths) < number:
        raise UsageError(
            f"{folder}: holds {len(paths)} images ({', '.join(SUFFIXES)}), and {number} are asked for"
        )
    return torch.stack([_read_image(path, size) for path in paths[:number]])


def _read_image(path: Path, size: tuple[int, int]) -> Tensor:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((size[1], size[0])), dtype=np.float32)
    except (OSError, UnidentifiedImageError) as error:
        raise UsageError(f"{path}: cannot be read as an image: {error}") from error
    normalised = (torch.from_numpy(pixels / 255) - torch.tensor(MEAN)) / torch.tensor(STD)
    return normalised.permute(2, 0, 1)
