"""Records as one tidy frame: a row a cell, a column a quantity, SI base units, and missing where missing.

Samples are summarised here and nowhere else, so a table, a figure and a script of a reader agree.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchsuite.errors import UsageError, nearest
from benchsuite.results.kernels import backends_of, kernel_ran
from benchsuite.results.machine import drift_of, noise_of
from benchsuite.results.peak_rates import FLOPS_PER_MAC, achieved_flops_per_s, ceilings_of, intensity
from benchsuite.results.record import Record, Timing, Usage
from benchsuite.results.round_timings import latency_of, round_medians
from benchsuite.results.store import Run, read_run
from benchsuite.stats.evidence import confidence_of, half_width
from benchsuite.stats.intervals import quantile
from benchsuite.text import in_markdown, in_spreadsheet

_DTYPES: dict[str, str] = {
    "cell": "object",
    "subject": "object",
    "name": "object",
    "resolution": "object",
    "batch": "int64",
    "dtype": "object",
    "mode": "object",
    "kernel": "object",
    "device": "object",
    "status": "object",
    "reason": "object",
    "params": "Int64",
    "macs": "Int64",
    "latency_s": "float64",
    "latency_lo_s": "float64",
    "latency_hi_s": "float64",
    "samples": "Int64",
    "throughput": "float64",
    "peak_memory_bytes": "Int64",
    "target": "object",
    "config": "object",
    "height": "int64",
    "width": "int64",
    "tokens": "int64",
    "stride": "int64",
    "dim": "Int64",
    "num_heads": "Int64",
    "trainable_params": "Int64",
    "macs_exact": "boolean",
    "dense_3x3_macs": "Int64",
    "flops": "Int64",
    "latency_p5_s": "float64",
    "latency_p95_s": "float64",
    "throughput_lo": "float64",
    "throughput_hi": "float64",
    "peak_reserved_bytes": "Int64",
    "weights_bytes": "Int64",
    "input_bytes": "Int64",
    "activations_bytes": "Int64",
    "stopped_by": "object",
    "expected": "bool",
    "seconds": "float64",
    "session": "int64",
    "started_at": "object",
    "memory_format": "object",
    "compile": "object",
    "cache": "object",
    "protocol": "object",
    "threads": "Int64",
    "precision": "float64",
    "rounds": "Int64",
    "calls_per_sample": "Int64",
    "busy_s": "float64",
    "forward_s": "float64",
    "backward_s": "float64",
    "optimizer_s": "float64",
    "output_bytes": "Int64",
    "gradient_bytes": "Int64",
    "optimizer_bytes": "Int64",
    "process_bytes": "Int64",
    "compile_s": "float64",
    "graphs": "Int64",
    "graph_breaks": "Int64",
    "recompiles": "Int64",
    "check_error": "float64",
    "joules": "float64",
    "joules_per_image": "float64",
    "idle_w": "float64",
    "achieved_flops_per_s": "float64",
    "ceiling_share": "float64",
    "intensity": "float64",
    "attempts": "int64",
    "flags": "object",
    "rounds_s": "object",
    "threads_used": "Int64",
    "allocator": "object",
    "allocator_used": "object",
    "attention_backend": "object",
    "varies_most": "object",
    "page_faults": "float64",
    "system_share": "float64",
    "noise": "float64",
    "drift": "float64",
}

COLUMNS: tuple[str, ...] = tuple(_DTYPES)
"""Columns of the frame, in order. Those up to `peak_memory_bytes` are what most readers want."""


class Results:
    """One run, read: `.run` as it lies in the folder, `.records`, and `.frame()` for analysis."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.records = run.records

    def frame(self) -> pd.DataFrame:
        """One row a cell, in the order of the records; see `to_frame`."""
        return to_frame(self.records, self.run.environments or {1: self.run.environment})

    def __repr__(self) -> str:
        return f"Results({str(self.run.path)!r}, {len(self.records)} records)"


def load(path: str | Path) -> Results:
    """Read a run folder.

    Raises:
        RunFolderError: there is no such folder, or it holds no run.
        RecordVersionError: the records are of a newer benchsuite.
    """
    return Results(read_run(Path(path)))


def to_frame(
    records: Iterable[Record], environments: Mapping[int, Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """One row a record, with the columns of `COLUMNS`, also if there are none.

    Times are in seconds per step, throughput in images per second, memory in bytes, MACs for one image.
    `latency_s` is the median over rounds of their medians (`rounds_s`); `_lo` and `_hi` are the ends of its
    95 % interval, missing below three rounds. It includes the `drift` of the machine where that is known.
    `noise` is the share by which a ratio must differ from 1 to mean something on the machine.
    `attention_backend` is what attention ran on ("flash", "flash math"), "none" where torch's was not called.
    `resolution` is the side in pixels where the image is square and "HxW" where it is not. What was not
    measured is missing (NaN, NA), never 0; so are `dim` and `num_heads` of a backbone.

    `achieved_flops_per_s` and `intensity` (operations per byte) are of the forward pass, and missing in
    training; `ceiling_share` is the share of the rate of the fastest kernel of known cost, on as many
    threads, missing where there is none.

    Args:
        environments: session → its machine, for what is held against the machine.
    """
    machines = environments or {}
    rows = [_row(record, machines.get(record.session, {})) for record in records]
    return pd.DataFrame(
        {key: pd.Series([row.get(key) for row in rows], dtype=dtype) for key, dtype in _DTYPES.items()}
    )


def _row(record: Record, environment: Mapping[str, Any]) -> dict[str, Any]:
    cell = record.cell
    height, width = cell.resolution
    row: dict[str, Any] = {
        "cell": record.id,
        "subject": cell.subject,
        "name": cell.name,
        "resolution": height if height == width else f"{height}x{width}",
        "batch": cell.batch,
        "dtype": cell.dtype,
        "mode": cell.mode,
        "kernel": cell.kernel,
        "device": cell.device,
        "status": record.status,
        "reason": record.reason,
        "target": cell.target,
        "config": json.dumps(dict(cell.config), sort_keys=True, ensure_ascii=False),
        "height": height,
        "width": width,
        "tokens": cell.tokens,
        "stride": cell.stride,
        "dim": cell.dim,
        "num_heads": cell.num_heads,
        "expected": record.expected,
        "seconds": record.seconds,
        "session": record.session,
        "started_at": record.started_at,
        "memory_format": cell.memory_format,
        "compile": cell.compile,
        "cache": cell.cache,
        "protocol": cell.protocol,
        "threads": cell.threads,
        "allocator": cell.allocator,
        "attempts": record.attempts,
        "flags": " ".join(record.flags),
        "noise": noise_of(environment),
        "drift": drift_of(environment),
        "attention_backend": backends_of(record),
    }
    if (cost := record.cost) is not None:
        row |= {
            "params": cost.params,
            "trainable_params": cost.trainable_params,
            "macs": cost.macs,
            "macs_exact": cost.complete,
            "dense_3x3_macs": cost.dense_3x3_macs,
            "flops": cost.flops,
        }
    if (timing := record.timing) is not None and timing.samples_s:
        row |= _timed(timing, cell.batch, drift_of(environment))
    if (memory := record.memory) is not None:
        row |= {
            "peak_memory_bytes": memory.peak_allocated_bytes,
            "peak_reserved_bytes": memory.peak_reserved_bytes,
            "weights_bytes": memory.weights_bytes,
            "input_bytes": memory.input_bytes,
            "activations_bytes": memory.activations_bytes,
            "output_bytes": memory.output_bytes,
            "gradient_bytes": memory.gradient_bytes,
            "optimizer_bytes": memory.optimizer_bytes,
            "process_bytes": memory.process_bytes,
        }
    if (compilation := record.compilation) is not None:
        row |= {
            "compile_s": compilation.seconds,
            "graphs": compilation.graphs,
            "graph_breaks": compilation.graph_breaks,
            "recompiles": compilation.recompiles,
        }
    if (check := record.check) is not None:
        row["check_error"] = check.error
    if (energy := record.energy) is not None:
        row |= {
            "joules": energy.joules,
            "joules_per_image": energy.joules / cell.batch,
            "idle_w": energy.idle_w,
        }
    return row | _held_against(record, environment, row.get("latency_s"))


def _held_against(record: Record, environment: Mapping[str, Any], latency_s: float | None) -> dict[str, Any]:
    cell, cost = record.cell, record.cost
    if cost is None:
        return {}
    found: dict[str, Any] = {}
    if record.memory is not None:
        found["intensity"] = intensity(cell, cost, record.memory)
    if latency_s is not None and record.timing is not None:
        achieved = achieved_flops_per_s(cell, cost, latency_s)
        top = ceilings_of(environment, cell.device, cell.dtype, record.timing.threads).macs_per_s
        found["achieved_flops_per_s"] = achieved
        if achieved is not None and top:
            found["ceiling_share"] = achieved / (FLOPS_PER_MAC * top)
    return found


def _timed(timing: Timing, batch: int, drift: float) -> dict[str, Any]:
    ordered = sorted(timing.samples_s)  # once: what follows sorts again, and sorted samples take no time
    rounds, latency = round_medians(timing), latency_of(timing, 0.0 if math.isnan(drift) else drift)
    return {
        "latency_s": latency.value,
        "latency_lo_s": latency.lo,
        "latency_hi_s": latency.hi,
        "latency_p5_s": quantile(ordered, 0.05),
        "latency_p95_s": quantile(ordered, 0.95),
        "samples": len(timing.samples_s),
        "throughput": batch / latency.value,
        "throughput_lo": batch / latency.hi,
        "throughput_hi": batch / latency.lo,
        "stopped_by": timing.stopped_by,
        "precision": half_width(rounds, confidence_of(timing.stopped_by)),
        "rounds": len(rounds),
        "rounds_s": rounds,
        "threads_used": timing.threads,
        "allocator_used": timing.allocator,
        "varies_most": timing.varies_most,
        **_used(timing.usage),
        "calls_per_sample": timing.calls_per_sample,
        "busy_s": timing.busy.seconds if timing.busy else math.nan,
        **{f"{part}_s": quantile(samples, 0.5) for part, samples in timing.parts_s.items() if samples},
    }


def _used(usage: Sequence[Usage]) -> dict[str, float]:
    """What the system did for the steps of all rounds; nothing where nobody looked."""
    calls, wall = sum(one.calls for one in usage), sum(one.wall_s for one in usage)
    if not calls or not wall:
        return {}
    return {
        "page_faults": sum(one.minor_faults + one.major_faults for one in usage) / calls,
        "system_share": sum(one.system_s for one in usage) / wall,
    }


def export(results: Results, format: str) -> str | bytes:
    """The frame in a format that other programs read: "csv", "markdown" or "parquet".

    All are in SI base units. CSV and Parquet hold every column; Markdown is a GitHub table of the main ones.

    Returns:
        Text, or bytes for Parquet.

    Raises:
        UsageError: the format is unknown, or it is Parquet and pyarrow is not installed.
    """
    formats: dict[str, Callable[[pd.DataFrame], str | bytes]] = {
        "csv": _csv,
        "markdown": _markdown,
        "parquet": _parquet,
    }
    if format not in formats:
        guess = nearest(format, formats)
        hint = f'; did you mean "{guess}"?' if guess else ""
        raise UsageError(f'unknown format "{format}"{hint}\n  allowed: {", ".join(formats)}')
    return formats[format](results.frame())


def _csv(frame: pd.DataFrame) -> str:
    spelled = _spelled(frame)
    texts = [key for key, dtype in _DTYPES.items() if dtype == "object"]
    inert = {key: [in_spreadsheet(v) if isinstance(v, str) else v for v in spelled[key]] for key in texts}
    return spelled.assign(**inert).to_csv(index=False, lineterminator="\n")


def _spelled(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its tuples as texts: "0.0101 0.0102 0.0099"."""
    spelled = [None if one is None else " ".join(map(repr, one)) for one in frame["rounds_s"]]
    return frame.assign(rounds_s=pd.Series(spelled, index=frame.index, dtype="object"))


def _parquet(frame: pd.DataFrame) -> bytes:
    # A column of Parquet has one type: resolutions may be numbers and texts, and a column may be all missing.
    texts = [key for key, dtype in _DTYPES.items() if dtype == "object"]
    frame = (
        _spelled(frame).assign(resolution=frame["resolution"].map(str)).astype(dict.fromkeys(texts, "string"))
    )
    try:
        return bytes(frame.to_parquet(index=False, engine="pyarrow"))
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install 'benchsuite[parquet]'") from error


def _markdown(frame: pd.DataFrame) -> str:
    columns = list(COLUMNS[: COLUMNS.index("peak_memory_bytes") + 1])
    if frame["busy_s"].notna().any():
        columns.insert(columns.index("latency_hi_s") + 1, "busy_s")
    rules = ("---" if _DTYPES[column] == "object" else "---:" for column in columns)
    lines = [f"| {' | '.join(columns)} |", f"| {' | '.join(rules)} |"]
    for row in frame.to_dict("records"):
        cells = [_shown(row[column]) for column in columns]
        cells[columns.index("kernel")] = kernel_ran(row["kernel"], row["attention_backend"])
        if not pd.isna(row["macs_exact"]) and not row["macs_exact"]:
            cells[columns.index("macs")] = f"≥ {cells[columns.index('macs')]}"
        lines.append(f"| {' | '.join(in_markdown(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    """Counts as they are, measured numbers at the four digits that intervals allow, nothing for none."""
    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
