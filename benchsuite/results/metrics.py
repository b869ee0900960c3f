"""Every quantity of a record, one row each: its column in the frame, where it lies, and how it is shown and
judged.

The frame (`results/frame.py`), the tables and the explorer of a report (`report/columns.py`), the metrics of
claims and those of figures are made from these rows. To add a metric, write what measures it
(`measurement/`), its field in `results/record.py`, and its row here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from benchsuite.results.kernels import backends_of
from benchsuite.results.machine import drift_of, noise_of
from benchsuite.results.peak_rates import FLOPS_PER_MAC, achieved_flops_per_s, ceilings_of, intensity
from benchsuite.results.record import Record, Timing
from benchsuite.results.round_timings import latency_of, round_medians
from benchsuite.stats.evidence import Estimate, confidence_of, half_width
from benchsuite.stats.intervals import quantile


@dataclass(frozen=True)
class Measured:
    """A record with the machine that it was measured on, as the rows of the table read it."""

    record: Record
    environment: Mapping[str, Any]

    @cached_property
    def timing(self) -> Timing | None:
        """The timing, if it has samples."""
        timing = self.record.timing
        return timing if timing is not None and timing.samples_s else None

    @cached_property
    def latency(self) -> Estimate | None:
        """Seconds per step, with the drift of the machine where that is known."""
        drift = drift_of(self.environment)
        return latency_of(self.timing, 0.0 if math.isnan(drift) else drift) if self.timing else None

    @cached_property
    def sorted_samples(self) -> list[float]:
        """What quantiles are taken of."""
        return sorted(self.timing.samples_s) if self.timing else []

    @cached_property
    def achieved_flops_per_s(self) -> float | None:
        """Operations per second of the forward pass; None in training."""
        cost = self.record.cost
        if cost is None or self.latency is None:
            return None
        return achieved_flops_per_s(self.record.cell, cost, self.latency.value)


Source = str | Callable[[Measured], Any]
"""Where a quantity lies: the path in the record ("cost.params"), or what it is made by; None where it is
missing."""


@dataclass(frozen=True, slots=True)
class Column:
    """A quantity of a cell, and its column in the frame.

    Attributes:
        key: name of the column.
        dtype: of pandas.
        label: empty where no table shows it under a name of its own.
        unit: SI base unit; "B" is shown with binary prefixes.
    """

    key: str
    dtype: str
    source: Source
    label: str = ""
    unit: str = ""

    def of(self, measured: Measured) -> Any:
        """The value; None where it is missing."""
        if callable(self.source):
            return self.source(measured)
        value: Any = measured.record
        for name in self.source.split("."):
            value = measured.timing if name == "timing" else getattr(value, name)
            if value is None:
                return None
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Column):
    """A quantity that cells are ranked by, in claims, figures and the explorer.

    Attributes:
        better: which direction is better.
        interval: the columns that hold the ends of the 95 % interval, if there is one.
    """

    better: Literal["lower", "higher"] = "lower"
    interval: tuple[str, str] | None = None


def _resolution(measured: Measured) -> int | str:
    height, width = measured.record.cell.resolution
    return height if height == width else f"{height}x{width}"


def _config(measured: Measured) -> str:
    return json.dumps(dict(measured.record.cell.config), sort_keys=True, ensure_ascii=False)


def _latency(name: str) -> Callable[[Measured], float | None]:
    """An attribute of the estimate of seconds per step."""
    return lambda measured: getattr(measured.latency, name) if measured.latency else None


def _throughput(name: str) -> Callable[[Measured], float | None]:
    """Images per second from an attribute of the estimate of seconds per step."""
    return lambda m: m.record.cell.batch / getattr(m.latency, name) if m.latency else None


def _percentile(p: float) -> Callable[[Measured], float | None]:
    return lambda measured: quantile(measured.sorted_samples, p) if measured.timing else None


def _part(name: str) -> Callable[[Measured], float | None]:
    """Median seconds of a part of a training step."""

    def median(measured: Measured) -> float | None:
        samples = measured.timing.parts_s.get(name) if measured.timing else None
        return quantile(samples, 0.5) if samples else None

    return median


def _of_timing(value: Callable[[Timing], Any]) -> Callable[[Measured], Any]:
    return lambda measured: value(measured.timing) if measured.timing else None


def _precision(timing: Timing) -> float | None:
    return half_width(round_medians(timing), confidence_of(timing.stopped_by))


def _page_faults(timing: Timing) -> float | None:
    """Of all rounds, for a step; None where nobody looked."""
    calls = sum(one.calls for one in timing.usage)
    faults = sum(one.minor_faults + one.major_faults for one in timing.usage)
    return faults / calls if calls and sum(one.wall_s for one in timing.usage) else None


def _system_share(timing: Timing) -> float | None:
    """CPU time in the kernel, of the time that sampling took; None where nobody looked."""
    wall_s = sum(one.wall_s for one in timing.usage)
    system_s = sum(one.system_s for one in timing.usage)
    return system_s / wall_s if wall_s and sum(one.calls for one in timing.usage) else None


def _ceiling_share(measured: Measured) -> float | None:
    cell, timing, achieved = measured.record.cell, measured.timing, measured.achieved_flops_per_s
    if timing is None or achieved is None:
        return None
    top = ceilings_of(measured.environment, cell.device, cell.dtype, timing.threads).macs_per_s
    return achieved / (FLOPS_PER_MAC * top) if top else None


def _intensity(measured: Measured) -> float | None:
    record = measured.record
    if record.cost is None or record.memory is None:
        return None
    return intensity(record.cell, record.cost, record.memory)


def _joules_per_image(measured: Measured) -> float | None:
    energy = measured.record.energy
    return energy.joules / measured.record.cell.batch if energy else None


COLUMNS: Mapping[str, Column] = {
    column.key: column
    for column in (
        Column("cell", "object", "id"),
        Column("subject", "object", "cell.subject"),
        Column("name", "object", "cell.name"),
        Column("resolution", "object", _resolution),
        Column("batch", "int64", "cell.batch"),
        Column("dtype", "object", "cell.dtype"),
        Column("mode", "object", "cell.mode"),
        Column("kernel", "object", "cell.kernel"),
        Column("device", "object", "cell.device"),
        Column("status", "object", "status"),
        Column("reason", "object", "reason"),
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
        Column("latency_lo_s", "float64", _latency("lo")),
        Column("latency_hi_s", "float64", _latency("hi")),
        Column("samples", "Int64", _of_timing(lambda timing: len(timing.samples_s)), "Samples"),
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
        Column("target", "object", "cell.target"),
        Column("config", "object", _config),
        Column("height", "int64", lambda measured: measured.record.cell.resolution[0]),
        Column("width", "int64", lambda measured: measured.record.cell.resolution[1]),
        Column("tokens", "int64", "cell.tokens"),
        Column("stride", "int64", "cell.stride"),
        Column("dim", "Int64", "cell.dim"),
        Column("num_heads", "Int64", "cell.num_heads"),
        Column("trainable_params", "Int64", "cost.trainable_params"),
        Column("macs_exact", "boolean", "cost.complete"),
        Column("dense_3x3_macs", "Int64", "cost.dense_3x3_macs"),
        Column("flops", "Int64", "cost.flops", "FLOPs per image (2 × MACs)", "FLOP"),
        Column("latency_p5_s", "float64", _percentile(0.05), "Latency, 5th percentile", "s"),
        Column("latency_p95_s", "float64", _percentile(0.95), "Latency, 95th percentile", "s"),
        Column("throughput_lo", "float64", _throughput("hi")),
        Column("throughput_hi", "float64", _throughput("lo")),
        Column("peak_reserved_bytes", "Int64", "memory.peak_reserved_bytes", "Peak memory reserved", "B"),
        Column("weights_bytes", "Int64", "memory.weights_bytes", "Memory of weights", "B"),
        Column("input_bytes", "Int64", "memory.input_bytes", "Memory of the input", "B"),
        Column(
            "activations_bytes",
            "Int64",
            "memory.activations_bytes",
            "Memory of activations at the peak",
            "B",
        ),
        Column("stopped_by", "object", "timing.stopped_by"),
        Column("expected", "bool", "expected"),
        Column("seconds", "float64", "seconds", "Wall time of the cell", "s"),
        Column("session", "int64", "session"),
        Column("started_at", "object", "started_at"),
        Column("memory_format", "object", "cell.memory_format"),
        Column("compile", "object", "cell.compile"),
        Column("cache", "object", "cell.cache"),
        Column("protocol", "object", "cell.protocol"),
        Column("threads", "Int64", "cell.threads"),
        Column("precision", "float64", _of_timing(_precision), "Precision reached (half interval ÷ median)"),
        Column("rounds", "Int64", _of_timing(lambda timing: len(round_medians(timing))), "Rounds"),
        Column("calls_per_sample", "Int64", "timing.calls_per_sample"),
        Column("busy_s", "float64", "timing.busy.seconds", "Device busy per step", "s"),
        Column("forward_s", "float64", _part("forward"), "Forward part of a step", "s"),
        Column("backward_s", "float64", _part("backward"), "Backward part of a step", "s"),
        Column("optimizer_s", "float64", _part("optimizer"), "Optimiser's part of a step", "s"),
        Column("output_bytes", "Int64", "memory.output_bytes", "Memory of the output", "B"),
        Column("gradient_bytes", "Int64", "memory.gradient_bytes", "Memory of gradients", "B"),
        Column("optimizer_bytes", "Int64", "memory.optimizer_bytes", "Memory of the optimiser", "B"),
        Metric("process_bytes", "Int64", "memory.process_bytes", "Memory of the process", "B"),
        Column("compile_s", "float64", "compilation.seconds", "Time to compile", "s"),
        Column("graphs", "Int64", "compilation.graphs", "Compiled graphs"),
        Column("graph_breaks", "Int64", "compilation.graph_breaks", "Graph breaks"),
        Column("recompiles", "Int64", "compilation.recompiles"),
        Column("check_error", "float64", "check.error", "Error against math in fp32"),
        Column("joules", "float64", "energy.joules", "Energy per step", "J"),
        Column("joules_per_image", "float64", _joules_per_image, "Energy per image", "J"),
        Column("idle_w", "float64", "energy.idle_w", "Idle power", "W"),
        Column(
            "achieved_flops_per_s",
            "float64",
            lambda measured: measured.achieved_flops_per_s,
            "Achieved FLOP/s",
            "FLOP/s",
        ),
        Column("ceiling_share", "float64", _ceiling_share, "Share of the measured ceiling"),
        Column("intensity", "float64", _intensity, "Operations per byte", "FLOP/B"),
        Column("attempts", "int64", "attempts"),
        Column("flags", "object", lambda measured: " ".join(measured.record.flags)),
        Column("rounds_s", "object", _of_timing(round_medians)),
        Column("threads_used", "Int64", "timing.threads"),
        Column("allocator", "object", "cell.allocator"),
        Column("allocator_used", "object", "timing.allocator"),
        Column("attention_backend", "object", lambda measured: backends_of(measured.record)),
        Column("varies_most", "object", "timing.varies_most"),
        Column("page_faults", "float64", _of_timing(_page_faults), "Page faults per step"),
        Column("system_share", "float64", _of_timing(_system_share), "Share of time in the operating system"),
        Column("noise", "float64", lambda measured: noise_of(measured.environment)),
        Column("drift", "float64", lambda measured: drift_of(measured.environment)),
    )
}
"""Name → column, in the order of the frame. Those up to `peak_memory_bytes` are what most readers want."""

METRICS: Mapping[str, Metric] = {key: row for key, row in COLUMNS.items() if isinstance(row, Metric)}
"""Name → metric."""
