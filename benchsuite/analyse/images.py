"""Images of a folder as the input of a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from benchsuite.errors import UsageError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels, with which the papers' networks were trained."""


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
    return torch.stack([_read(path, size) for path in paths[:number]])


def _read(path: Path, size: tuple[int, int]) -> Tensor:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((size[1], size[0])), dtype=np.float32)
    except (OSError, UnidentifiedImageError) as error:
        raise UsageError(f"{path}: cannot be read as an image: {error}") from error
    normalised = (torch.from_numpy(pixels / 255) - torch.tensor(MEAN)) / torch.tensor(STD)
    return normalised.permute(2, 0, 1)
