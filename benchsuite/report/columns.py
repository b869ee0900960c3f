"""The conditions and the quantities of a cell, one row each: tables, figures and the explorer read no other.

A quantity that is measured is a row of `results.metrics`; here are those that only a page knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from benchsuite.format import counted
from benchsuite.report.words import MODE_WORDS
from benchsuite.results.metrics import QUANTITIES, FrameColumn, MeasuredCell


@dataclass(frozen=True, slots=True)
class Condition:
    """Condition that cells must share to be compared.

    Attributes:
        phrase: a value inside a sentence: "batch 64".
        usual: the value that needs no word; None where each value is said.
    """

    key: str
    label: str
    phrase: Callable[[Any], str] = str
    usual: str | None = None

    @property
    def worded(self) -> bool:
        """True if its values are words, so that a column of them is set flush left."""
        return QUANTITIES[self.key].dtype == "object"


CONDITIONS: Mapping[str, Condition] = {
    row.key: row
    for row in (
        Condition("device", "Device"),
        Condition("dtype", "Dtype"),
        Condition("mode", "Mode", lambda mode: MODE_WORDS.get(mode, mode)),
        Condition("batch", "Batch", lambda batch: f"batch {batch}"),
        Condition("dim", "Channels", lambda dim: f"dim {dim}"),
        Condition("num_heads", "Heads", lambda heads: counted(heads, "head")),
        Condition("stride", "Stride (px)", lambda stride: f"stride {stride}"),
        Condition("memory_format", "Memory format", usual="contiguous"),
        Condition("cache", "Caches", lambda cache: f"{cache} caches", "warm"),
        Condition("protocol", "Protocol", lambda word: f"protocol {word}", "adaptive"),
        Condition("compile", "Compile", lambda w: w if w == "eager" else f"torch.compile {w}", "eager"),
        Condition("threads", "Threads", lambda n: counted(n, "thread") if n else "torch's threads"),
        Condition("allocator", "Allocator", lambda word: f"allocator {word}"),
        Condition("machine", "Machine"),
    )
}

AXES: Mapping[str, str] = {
    "resolution": "Resolution (px)", "tokens": "Tokens", "kernel": "Kernel",
    **{key: row.label for key, row in CONDITIONS.items()},
}  # fmt: skip
"""Axes of a cell that charts can be drawn over, and how they are called."""

SHAPE = ("dim", "num_heads", "stride")
"""Conditions of a layer that a network chooses itself."""


def published_top1(measured: MeasuredCell) -> float | None:
    """Published ImageNet-1K top-1 accuracy of a network in per cent; None where nobody published one.

    A network with other mixers or arguments than its authors' has none.
    """
    cell = measured.record.cell
    height, width = cell.resolution
    return None if cell.config or height != width else _published().get((cell.target, height))


@cache
def _published() -> Mapping[tuple[str, int], float]:
    text = files("benchsuite.report").joinpath("data/published_top1.yaml").read_text(encoding="utf-8")
    rows = yaml.safe_load(text)
    return {(row["backbone"], row["resolution"]): row["top1"] for row in rows if "backbone" in row}


MEASURES: Mapping[str, FrameColumn] = {
    **{key: row for key, row in QUANTITIES.items() if row.label},
    "published_top1": FrameColumn(
        "published_top1", "float64", published_top1, "Published top-1 accuracy (%)", better="higher"
    ),
}
"""Quantities of a cell: whatever `results/metrics.py` has a label for, and what is published."""


def relative(reference: str) -> FrameColumn:
    """The column of speeds as multiples of the reference's in the same setting."""
    ends = ("relative_lo", "relative_hi")
    return FrameColumn("relative", "float64", "", f"× {reference}", better="higher", interval=ends)
