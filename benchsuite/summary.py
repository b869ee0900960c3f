"""Tables of cells for a person: what was measured, and what would be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchsuite.findings.disputed_macs import disputed_macs
from benchsuite.findings.flags import BEHAVIOUR
from benchsuite.findings.wall_time import shares
from benchsuite.format import byte_size, duration, si, significant
from benchsuite.labels import USUAL, noun, pixels, unusual_axes
from benchsuite.results.cell import Cell
from benchsuite.results.kernels import backends_of, kernel_ran
from benchsuite.results.record import Record
from benchsuite.results.round_timings import latency_of
from benchsuite.terminal import console, print_table


def print_summary(records: Sequence[Record], environments: Mapping[int, Mapping[str, Any]]) -> None:
    """Table of all cells: cost, latency with its interval, throughput, memory, or why there is none.

    Args:
        environments: session → its machine.
    """
    axes = [
        axes_of(record.cell) | {"kernel": kernel_ran(record.cell.kernel, backends_of(record))}
        for record in records
    ]
    busy = [record.timing.busy if record.timing else None for record in records]
    device = ["device"] if any(busy) else []
    rows = []
    for record, works in zip(records, busy, strict=True):
        numbers = _numbers(record, environments.get(record.session, {}))
        if device:
            numbers.insert(3, si(works.seconds, "s") if works else "–")
        style = "red" if record.failed else "dim" if record.status != "ok" else None
        rows.append((numbers, style))
    headings = ("MACs/image", "latency", "95 %", *device, "images/s", "memory")
    print_cells([record.cell for record in records], axes, headings, rows)
    for name, why in {record.cell.name: record.not_counted for record in records}.items():
        if why:
            print(f"not counted  {name}: {why}")
    for text in disputed_macs(records):
        print(f"counters differ  {text}")
    for word, meaning in BEHAVIOUR.items():
        if names := dict.fromkeys(record.cell.name for record in records if word in record.flags):
            print(f"{word.replace('_', ' ')}  {', '.join(names)}: {meaning}")


def wall_time(records: Sequence[Record], wall_s: float) -> str:
    """What a sweep of so many seconds was spent on: "126 s: 88 % measured steps, 6 % memory pass, …"."""
    parts = (
        f"{100 * share:.0f} % {part}"
        for part, share in shares(records, wall_s).items()
        if share >= 0.005  # which is 0 % otherwise
    )
    return f"{duration(wall_s)}: {', '.join(parts)}"


def print_cells(
    cells: Sequence[Cell],
    axes: Sequence[Mapping[str, str]],
    headings: Sequence[str],
    rows: Sequence[tuple[Sequence[str], str | None]],
) -> None:
    """Print a row a cell. An axis with one value is said once above the table, which then fits 80 columns.

    Args:
        axes: of each cell, by name.
        rows: numbers of each cell, under the headings, and its style.
    """
    every = dict.fromkeys(name for axis in axes for name in axis)
    varied = [name for name in every if len({axis.get(name) for axis in axes}) > 1]
    if fixed := [f"{name} {value}" for name, value in axes[0].items() if name not in varied]:
        console().print(" · ".join(fixed), markup=False)
    lines = [
        ([cell.name, *(axis.get(name, USUAL.get(name, "–")) for name in varied), *numbers], style)
        for cell, axis, (numbers, style) in zip(cells, axes, rows, strict=True)
    ]
    print_table((noun(cell.subject for cell in cells).single, *varied), headings, lines)


def axes_of(cell: Cell) -> dict[str, str]:
    """The axes of a cell as words, in the order of the table; a network has no width of its own."""
    layer = {} if cell.dim is None else {"dim": str(cell.dim), "heads": str(cell.num_heads)}
    return {
        "px": pixels(cell.resolution),
        "batch": str(cell.batch),
        **layer,
        "dtype": cell.dtype,
        "mode": cell.mode,
        "kernel": cell.kernel,
        "device": cell.device,
        **unusual_axes(cell),
    }


def _numbers(record: Record, environment: Mapping[str, Any]) -> list[str]:
    macs = si(record.cost.macs) if record.cost else "–"
    if record.cost and not record.cost.complete:
        macs = f"≥ {macs}"
    if record.status != "ok":
        mark = f"{record.status} (expected)" if record.expected else record.status
        return [macs, mark, "–", "–", "–"]
    latency = interval = throughput = "–"
    if record.timing:
        estimate = latency_of(record.timing, environment)
        latency, throughput = si(estimate.value, "s"), significant(record.cell.batch / estimate.value, 4)
        if not math.isnan(estimate.lo):
            interval = f"±{significant(50 * (estimate.hi - estimate.lo) / estimate.value, 2)} %"
    memory = byte_size(record.memory.peak_allocated_bytes) if record.memory else "–"
    return [macs, latency, interval, throughput, memory]
