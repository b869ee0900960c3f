"""Statuses, modes, kernels and resolutions in words, as the page, its tables and its figures say them."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.format import joined
from benchsuite.results.record import STATUSES

STATUS_WORDS: dict[str, str] = {str(status): status for status in STATUSES} | {"oom": "OOM"}
"""Status of a record → how it is written in tables and figures."""

MODE_WORDS: dict[str, str] = {
    "inference": "inference",
    "forward_backward": "forward and backward",
    "training_step": "training step",
}


def the_kernels(kernels: Sequence[str]) -> str:
    """Kernels inside a sentence: "the math kernel", "the math and flash kernels"."""
    return f"the {joined(kernels)} {'kernel' if len(kernels) == 1 else 'kernels'}"


def pixels(resolution: int | str) -> str:
    """224 px; 480×640 px."""
    return f"{str(resolution).replace('x', '×')} px"


def places(resolutions: Sequence[int | str]) -> str:
    """224, 448 and 896 px."""
    return joined([pixels(resolution).removesuffix(" px") for resolution in resolutions]) + " px"
