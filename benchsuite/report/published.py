"""Published accuracies of networks: read from papers, never measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


def top1(target: str, config: Mapping[str, Any], resolution: int | str) -> float:
    """Published ImageNet-1K top-1 accuracy of a network in per cent; NaN where none is known.

    A network with other mixers or arguments than its authors' has none.
    """
    return math.nan if config else _published().get((target, resolution), math.nan)


@cache
def _published() -> Mapping[tuple[str, int | str], float]:
    text = files("benchsuite.report").joinpath("data/published_top1.yaml").read_text(encoding="utf-8")
    rows = yaml.safe_load(text)
    return {(row["backbone"], row["resolution"]): row["top1"] for row in rows if "backbone" in row}
