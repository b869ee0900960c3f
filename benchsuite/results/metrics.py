"""The metrics of a record: key, label, unit, and which way is better. One row a metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """How one column of the frame is named, scaled and judged.

    Attributes:
        key: column of the frame (`results/frame.py`); `<key>_lo` and `<key>_hi` where there is an interval.
        unit: SI base unit; "B" is shown with binary prefixes.
        better: which direction is better.
        interval: the columns that hold the ends of the 95 % interval, if the metric has one.
    """

    key: str
    label: str
    unit: str
    better: Literal["lower", "higher"]
    interval: tuple[str, str] | None = None


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("params", "Parameters", "", "lower"),
        Metric("macs", "MACs per image", "MAC", "lower"),
        Metric("latency_s", "Latency per step", "s", "lower", ("latency_lo_s", "latency_hi_s")),
        Metric("throughput", "Throughput", "images/s", "higher", ("throughput_lo", "throughput_hi")),
        Metric("peak_memory_bytes", "Peak memory", "B", "lower"),
        Metric("process_bytes", "Memory of the process", "B", "lower"),
    )
}
