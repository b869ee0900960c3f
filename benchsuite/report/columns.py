"""The quantities of a cell, one row each: how it is called, its unit, and which way is better.

Tables of the page, their CSV, Markdown and LaTeX, and the explorer read this list and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchsuite.report.words import MODE_WORDS, counted
from benchsuite.results.metrics import METRICS

Better = Literal["lower", "higher", ""]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the frame.

    Attributes:
        unit: SI base unit; "B" is shown with binary prefixes.
        better: empty where neither way is.
        interval: the columns of the ends of its 95 % interval.
    """

    key: str
    label: str
    unit: str = ""
    better: Better = ""
    interval: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What cells must share to be compared.

    Attributes:
        said: a value inside a sentence: "batch 64".
        usual: the value that needs no word; None where each value is said.
        worded: whether values are words, so that a column of them is set flush left.
    """

    key: str
    label: str
    said: Callable[[Any], str] = str
    usual: str | None = None
    worded: bool = False


def _threads(value: Any) -> str:
    return "torch's threads" if value is None else counted(int(value), "thread")


CONDITIONS: Mapping[str, Condition] = {
    row.key: row
    for row in (
        Condition("device", "Device", worded=True),
        Condition("dtype", "Dtype", worded=True),
        Condition("mode", "Mode", lambda mode: MODE_WORDS.get(mode, mode), worded=True),
        Condition("batch", "Batch", lambda batch: f"batch {batch}"),
        Condition("dim", "Channels", lambda dim: f"dim {dim}"),
        Condition("num_heads", "Heads", lambda heads: counted(heads, "head")),
        Condition("stride", "Stride (px)", lambda stride: f"stride {stride}"),
        Condition("memory_format", "Memory format", usual="contiguous", worded=True),
        Condition("cache", "Caches", lambda cache: f"{cache} caches", "warm", worded=True),
        Condition("protocol", "Protocol", lambda word: f"protocol {word}", "adaptive", worded=True),
        Condition(
            "compile",
            "Compile",
            lambda mode: "eager" if mode == "eager" else f"torch.compile {mode}",
            "eager",
            worded=True,
        ),
        Condition("threads", "Threads", _threads),
        Condition("allocator", "Allocator", lambda word: f"allocator {word}", worded=True),
    )
}

FACTORS: Mapping[str, str] = {key: row.label for key, row in CONDITIONS.items()}
"""Condition → heading of its column."""

AXES: Mapping[str, str] = {
    "resolution": "Resolution (px)", "tokens": "Tokens", "kernel": "Kernel", **FACTORS,
}  # fmt: skip
"""Axes of a cell that charts can be drawn over, and how they are called."""

MEASURES: Mapping[str, Column] = {
    **{m.key: Column(m.key, m.label, m.unit, m.better, m.interval) for m in METRICS.values()},
    **{
        row.key: row
        for row in (
            Column("flops", "FLOPs per image (2 × MACs)", "FLOP"),
            Column("latency_p5_s", "Latency, 5th percentile", "s"),
            Column("latency_p95_s", "Latency, 95th percentile", "s"),
            Column("busy_s", "Device busy per step", "s"),
            Column("forward_s", "Forward part of a step", "s"),
            Column("backward_s", "Backward part of a step", "s"),
            Column("optimizer_s", "Optimiser's part of a step", "s"),
            Column("compile_s", "Time to compile", "s"),
            Column("seconds", "Wall time of the cell", "s"),
            Column("peak_reserved_bytes", "Peak memory reserved", "B"),
            Column("weights_bytes", "Memory of weights", "B"),
            Column("input_bytes", "Memory of the input", "B"),
            Column("output_bytes", "Memory of the output", "B"),
            Column("activations_bytes", "Memory of activations at the peak", "B"),
            Column("gradient_bytes", "Memory of gradients", "B"),
            Column("optimizer_bytes", "Memory of the optimiser", "B"),
            Column("achieved_flops_per_s", "Achieved FLOP/s", "FLOP/s"),
            Column("ceiling_share", "Share of the measured ceiling"),
            Column("intensity", "Operations per byte", "FLOP/B"),
            Column("precision", "Precision reached (half interval ÷ median)"),
            Column("samples", "Samples"),
            Column("rounds", "Rounds"),
            Column("page_faults", "Page faults per step"),
            Column("system_share", "Share of time in the operating system"),
            Column("check_error", "Error against math in fp32"),
            Column("joules", "Energy per step", "J"),
            Column("joules_per_image", "Energy per image", "J"),
            Column("idle_w", "Idle power", "W"),
            Column("graphs", "Compiled graphs"),
            Column("graph_breaks", "Graph breaks"),
            Column("published_top1", "Published top-1 accuracy (%)", "", "higher"),
        )
    },
}
"""What can be shown of a cell: the metrics, then everything else that a record knows."""


def relative(reference: str) -> Column:
    """The column of speeds as multiples of the reference's in the same setting."""
    return Column("relative", f"× {reference}", "", "higher", ("relative_lo", "relative_hi"))
