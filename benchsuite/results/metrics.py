"""Every quantity of a record, one row each: its column in the frame, where it lies, and how it is shown and
judged.

The frame (`results/frame.py`), the tables and the explorer of a report (`report/columns.py`), the metrics of
claims and those of figures are made from these rows. To add a metric, write what measures it
(`measurement/`), its field in `results/record.py`, and its row here.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from benchsuite.results.kernels import backends_of
from benchsuite.results.machine import (
    FLOPS_PER_MAC,
    achieved_flops_per_s,
    ceilings_of,
    drift_of,
    intensity,
    machine_name,
    noise_of,
)
from benchsuite.results.record import Record, Timing
from benchsuite.results.round_timings import latency_of, round_medians
from benchsuite.stats.evidence import Estimate, confidence_of, half_width
from benchsuite.stats.intervals import quantile


@dataclass(frozen=True)
class MeasuredCell:
    """A record with the machine that it was measured on, as the rows of the table read it."""

    record: Record
    environment: Mapping[str, Any]

    @cached_property
    def timing(self) -> Timing | None:
        """The timing, if it has samples."""
        timing = self.record.timing
        return timing if timing is not None and timing.samples_s else None

    @cached_property
    def round_medians(self) -> tuple[float, ...]:
        """The median of each round, in seconds; empty without samples."""
        return round_medians(self.timing) if self.timing else ()

    @cached_property
    def latency(self) -> Estimate | None:
        """Seconds per step, with the drift of the machine where that is known."""
        return latency_of(self.timing, self.environment, self.round_medians) if self.timing else None

    @cached_property
    def sorted_samples(self) -> list[float]:
        """Samples in order, for quantiles."""
        return sorted(self.timing.samples_s) if self.timing else []

    @cached_property
    def achieved_flops_per_s(self) -> float | None:
        """Operations per second of the forward pass; None in training."""
        cost = self.record.cost
        if cost is None or self.latency is None:
            return None
        return achieved_flops_per_s(self.record.cell, cost, self.latency.value)


def measured_cells(
    records: Iterable[Record], environments: Mapping[int, Mapping[str, Any]] | None = None
) -> list[MeasuredCell]:
    """These records with their machines; `environments` has that of each session."""
    known = environments or {}
    return [MeasuredCell(record, known.get(record.session, {})) for record in records]


Source = str | Callable[[MeasuredCell], Any]
"""Source of a quantity: the path in the record ("cost.params"), or what it is made by; None where it is
missing."""


Better = Literal["lower", "higher", ""]


@dataclass(frozen=True, slots=True)
class FrameColumn:
    """A quantity of a cell, and its column in the frame.

    Attributes:
        key: name of the column.
        dtype: of pandas.
        label: empty where no table shows it under a name of its own.
        unit: SI base unit; "B" is shown with binary prefixes.
        better: which direction is better; empty where neither is.
        interval: the columns that hold the ends of the 95 % interval, if there is one.
    """

    key: str
    dtype: str
    source: Source
    label: str = ""
    unit: str = ""
    better: Better = ""
    interval: tuple[str, str] | None = None

    @property
    def called(self) -> str:
        """The label inside a sentence: "latency per step", but "MACs per image"."""
        return self.label if self.label[1].isupper() else f"{self.label[0].lower()}{self.label[1:]}"

    def of(self, measured: MeasuredCell) -> Any:
        """The value; None where it is missing."""
        if callable(self.source):
            return self.source(measured)
        value: Any = measured.record
        for name in _path(self.source):
            value = measured.timing if name == "timing" else getattr(value, name)
            if value is None:
                return None
        return value


@functools.cache
def _path(source: str) -> tuple[str, ...]:
    return tuple(source.split("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(FrameColumn):
    """A quantity that cells are ranked by, in claims, figures and the explorer: fewer is better, mostly."""

    better: Better = "lower"


def _resolution(measured: MeasuredCell) -> int | str:
    height, width = measured.record.cell.resolution
    return height if height == width else f"{height}x{width}"


def _config(measured: MeasuredCell) -> str:
    return json.dumps(dict(measured.record.cell.config), sort_keys=True, ensure_ascii=False)


def _latency(name: str) -> Callable[[MeasuredCell], float | None]:
    """An attribute of the estimate of seconds per step."""
    return lambda measured: getattr(measured.latency, name) if measured.latency else None


def _throughput(name: str) -> Callable[[MeasuredCell], float | None]:
    """Images per second from an attribute of the estimate of seconds per step."""
    return lambda m: m.record.cell.batch / getattr(m.latency, name) if m.latency else None


def _percentile(p: float) -> Callable[[MeasuredCell], float | None]:
    return lambda measured: quantile(measured.sorted_samples, p) if measured.timing else None


def _part(name: str) -> Callable[[MeasuredCell], float | None]:
    """Median seconds of a part of a training step."""

    def median(measured: MeasuredCell) -> float | None:
        samples = measured.timing.parts_s.get(name) if measured.timing else None
        return quantile(samples, 0.5) if samples else None

    return median


def _of_timing(value: Callable[[Timing], Any]) -> Callable[[MeasuredCell], Any]:
    return lambda measured: value(measured.timing) if measured.timing else None


def _precision(measured: MeasuredCell) -> float | None:
    timing = measured.timing
    return half_width(measured.round_medians, confidence_of(timing.stopped_by)) if timing else None


def _page_faults(timing: Timing) -> float | None:
    """Page faults of all rounds, for a step; None where nobody looked."""
    calls, wall_s = sum(one.calls for one in timing.usage), sum(one.wall_s for one in timing.usage)
    faults = sum(one.minor_faults + one.major_faults for one in timing.usage)
    return faults / calls if calls and wall_s else None


def _system_share(timing: Timing) -> float | None:
    """CPU time in the kernel, of the time that sampling took; None where nobody looked."""
    calls, wall_s = sum(one.calls for one in timing.usage), sum(one.wall_s for one in timing.usage)
    system_s = sum(one.system_s for one in timing.usage)
    return system_s / wall_s if calls and wall_s else None


def _ceiling_share(measured: MeasuredCell) -> float | None:
    cell, timing, achieved = measured.record.cell, measured.timing, measured.achieved_flops_per_s
    if timing is None or achieved is None:
        return None
    top = ceilings_of(measured.environment, cell.device, cell.dtype, timing.threads).macs_per_s
    return achieved / (FLOPS_PER_MAC * top) if top else None


def _intensity(measured: MeasuredCell) -> float | None:
    record = measured.record
    if record.cost is None or record.memory is None:
        return None
    return intensity(record.cell, record.cost, record.memory)


def _joules_per_image(measured: MeasuredCell) -> float | None:
    energy = measured.record.energy
    return energy.joules / measured.record.cell.batch if energy else None


QUANTITIES: Mapping[str, FrameColumn] = {
    column.key: column
    for column in (
        FrameColumn("cell", "object", "id"),
        FrameColumn("subject", "object", "cell.subject"),
        FrameColumn("name", "object", "cell.name"),
        FrameColumn("resolution", "object", _resolution),
        FrameColumn("batch", "int64", "cell.batch"),
        FrameColumn("dtype", "object", "cell.dtype"),
        FrameColumn("mode", "object", "cell.mode"),
        FrameColumn("kernel", "object", "cell.kernel"),
        FrameColumn("device", "object", "cell.device"),
        FrameColumn("status", "object", "status"),
        FrameColumn("reason", "object", "reason"),
        Metric("params", "Int64", "cost.params", "Parameters"),
        Metric("macs", "Int64", "cost.macs", "MACs per image", "MAC"),
        Metric(
            "latency_s",
            "float64",
            _latency("value"),
            "Latency per step",
            "s",
            interval=("latency_lo_s", "latency_hi_s"),
        ),
        FrameColumn("latency_lo_s", "float64", _latency("lo")),
        FrameColumn("latency_hi_s", "float64", _latency("hi")),
        FrameColumn("samples", "Int64", _of_timing(lambda timing: len(timing.samples_s)), "Samples"),
        Metric(
            "throughput",
            "float64",
            _throughput("value"),
            "Throughput",
            "images/s",
            better="higher",
            interval=("throughput_lo", "throughput_hi"),
        ),
        Metric("peak_memory_bytes", "Int64", "memory.peak_allocated_bytes", "Peak memory", "B"),
        FrameColumn("target", "object", "cell.target"),
        FrameColumn("config", "object", _config),
        FrameColumn("height", "int64", lambda measured: measured.record.cell.resolution[0]),
        FrameColumn("width", "int64", lambda measured: measured.record.cell.resolution[1]),
        FrameColumn("tokens", "int64", "cell.tokens"),
        FrameColumn("stride", "int64", "cell.stride"),
        FrameColumn("dim", "Int64", "cell.dim"),
        FrameColumn("num_heads", "Int64", "cell.num_heads"),
        FrameColumn("trainable_params", "Int64", "cost.trainable_params", "Trainable parameters"),
        FrameColumn("macs_exact", "boolean", "cost.complete"),
        FrameColumn("dense_3x3_macs", "Int64", "cost.dense_3x3_macs"),
        FrameColumn("flops", "Int64", "cost.flops", "FLOPs per image (2 × MACs)", "FLOP"),
        FrameColumn("latency_p5_s", "float64", _percentile(0.05), "Latency, 5th percentile", "s"),
        FrameColumn("latency_p95_s", "float64", _percentile(0.95), "Latency, 95th percentile", "s"),
        FrameColumn("throughput_lo", "float64", _throughput("hi")),
        FrameColumn("throughput_hi", "float64", _throughput("lo")),
        FrameColumn(
            "peak_reserved_bytes", "Int64", "memory.peak_reserved_bytes", "Peak memory reserved", "B"
        ),
        FrameColumn("weights_bytes", "Int64", "memory.weights_bytes", "Memory of weights", "B"),
        FrameColumn("input_bytes", "Int64", "memory.input_bytes", "Memory of the input", "B"),
        FrameColumn(
            "activations_bytes",
            "Int64",
            "memory.activations_bytes",
            "Memory of activations at the peak",
            "B",
        ),
        FrameColumn("stopped_by", "object", "timing.stopped_by"),
        FrameColumn("expected", "bool", "expected"),
        FrameColumn("seconds", "float64", "seconds", "Wall time of the cell", "s"),
        FrameColumn("session", "int64", "session"),
        FrameColumn("started_at", "object", "started_at"),
        FrameColumn("memory_format", "object", "cell.memory_format"),
        FrameColumn("compile", "object", "cell.compile"),
        FrameColumn("cache", "object", "cell.cache"),
        FrameColumn("protocol", "object", "cell.protocol"),
        FrameColumn("threads", "Int64", "cell.threads"),
        FrameColumn("precision", "float64", _precision, "Precision reached (half interval ÷ median)"),
        FrameColumn("rounds", "Int64", lambda measured: len(measured.round_medians) or None, "Rounds"),
        FrameColumn("calls_per_sample", "Int64", "timing.calls_per_sample"),
        FrameColumn("busy_s", "float64", "timing.busy.seconds", "Device busy per step", "s"),
        FrameColumn("forward_s", "float64", _part("forward"), "Forward part of a step", "s"),
        FrameColumn("backward_s", "float64", _part("backward"), "Backward part of a step", "s"),
        FrameColumn("optimizer_s", "float64", _part("optimizer"), "Optimiser's part of a step", "s"),
        FrameColumn("output_bytes", "Int64", "memory.output_bytes", "Memory of the output", "B"),
        FrameColumn("gradient_bytes", "Int64", "memory.gradient_bytes", "Memory of gradients", "B"),
        FrameColumn("optimizer_bytes", "Int64", "memory.optimizer_bytes", "Memory of the optimiser", "B"),
        Metric("process_bytes", "Int64", "memory.process_bytes", "Memory of the process", "B"),
        FrameColumn("compile_s", "float64", "compilation.seconds", "Time to compile", "s"),
        FrameColumn("graphs", "Int64", "compilation.graphs", "Compiled graphs"),
        FrameColumn("graph_breaks", "Int64", "compilation.graph_breaks", "Graph breaks"),
        FrameColumn("recompiles", "Int64", "compilation.recompiles"),
        FrameColumn("check_error", "float64", "check.error", "Error against math in fp32"),
        FrameColumn("joules", "float64", "energy.joules", "Energy per step", "J"),
        FrameColumn("joules_per_image", "float64", _joules_per_image, "Energy per image", "J"),
        FrameColumn("idle_w", "float64", "energy.idle_w", "Idle power", "W"),
        FrameColumn(
            "achieved_flops_per_s",
            "float64",
            lambda measured: measured.achieved_flops_per_s,
            "Achieved FLOP/s",
            "FLOP/s",
        ),
        FrameColumn("ceiling_share", "float64", _ceiling_share, "Share of the measured ceiling"),
        FrameColumn("intensity", "float64", _intensity, "Operations per byte", "FLOP/B"),
        FrameColumn("attempts", "int64", "attempts"),
        FrameColumn("flags", "object", lambda measured: " ".join(measured.record.flags)),
        FrameColumn("rounds_s", "object", lambda measured: measured.round_medians or None),
        FrameColumn("threads_used", "Int64", "timing.threads"),
        FrameColumn("allocator", "object", "cell.allocator"),
        FrameColumn("allocator_used", "object", "timing.allocator"),
        FrameColumn("attention_backend", "object", lambda measured: backends_of(measured.record)),
        FrameColumn("varies_most", "object", "timing.varies_most"),
        FrameColumn("page_faults", "float64", _of_timing(_page_faults), "Page faults per step"),
        FrameColumn(
            "system_share", "float64", _of_timing(_system_share), "Share of time in the operating system"
        ),
        FrameColumn("noise", "float64", lambda measured: noise_of(measured.environment)),
        FrameColumn("drift", "float64", lambda measured: drift_of(measured.environment)),
        FrameColumn(
            "machine", "object", lambda one: one.record.cell.machine or machine_name(one.environment)
        ),
    )
}
"""Name → quantity, in the order of the columns of the frame. Those up to `peak_memory_bytes` are what most
readers want."""

METRICS: Mapping[str, Metric] = {key: row for key, row in QUANTITIES.items() if isinstance(row, Metric)}
"""Name → metric."""
