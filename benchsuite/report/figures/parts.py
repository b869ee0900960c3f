"""Parts of memory, training steps, energy, wall time and operators' time. Cells → stacked bars."""

from __future__ import annotations

import math
from collections.abc import Callable

from benchsuite.findings.operator_kinds import OTHER, kind_of_work
from benchsuite.format import joined, si
from benchsuite.report.figures.bars import WAITS, Parts, stacked
from benchsuite.report.figures.choose import Drawn, FigureRequest, fullest
from benchsuite.report.reported_cells import ReportedCell
from benchsuite.report.words import pixels
from benchsuite.results.machine import LAUNCH_BOUND, launch_bound

WORKS = "device works"
IDLE, BEYOND, WHOLE = "idle draw", "beyond the idle draw", "idle draw not read"
MOST_KINDS = 6


def memory(request: FigureRequest) -> Drawn | None:
    """Weights, input, activations, gradients and optimizer's state at the peak; None without memory."""
    caption = "A bar is the peak of live tensors in a step; activations are what nothing else accounts for."
    return _wholes(request, _memory, "B", "Peak memory of a step", caption)


def training(request: FigureRequest) -> Drawn | None:
    """Forward, backward and optimizer's seconds of a training step; None where they were not timed."""
    caption = "A bar sums the medians of the parts of a step."
    return _wholes(request, _step, "s", "Time of a training step", caption)


def energy(request: FigureRequest) -> Drawn | None:
    """Joules per image, the idle draw apart; None where no counter was read, as on a CPU."""
    caption = "Read from the counter of the whole card over repeated steps."
    return _wholes(request, _energy, "J", "Energy of an image", caption)


def device(request: FigureRequest) -> Drawn | None:
    """Wall time of a step beside the time that the device works; None where none was watched, as on a CPU.

    Cells that wait longest for their wall time come first.
    """
    times = [(cell, cell.latency.value, _number(cell, "busy_s")) for cell in request.chosen]
    times = [(cell, wall, works) for cell, wall, works in times if works > 0 and wall > 0]
    times.sort(key=lambda item: item[2] / item[1])
    bars = [(cell, {WORKS: works, WAITS: max(0.0, wall - works)}) for cell, wall, works in times]
    totals = [
        si(wall, "s", 3) + (", launch-bound" if launch_bound(wall, works) else "") for _, wall, works in times
    ]
    caption = (
        "On the right the wall time of a step. It is launch-bound, and says more of the host, where it is "
        f"more than {LAUNCH_BOUND:g} times as long as the device works."
    )
    axis = "Share of the wall time of a step"
    return stacked(request, bars, unit="s", axis=axis, caption=caption, share=True, totals=totals)


def operators(request: FigureRequest) -> Drawn | None:
    """Own time by kind of work of profiled cells; None where none is profiled.

    Kernels are counted where there are any, on a GPU, and operators elsewhere.
    """
    profiled = [(p, p.measured.record.profile) for p in request.chosen if p.measured.record.profile]
    what = "kernel" if any(op.kind == "kernel" for _, profile in profiled for op in profile) else "operator"
    ops = [(p, [op for op in profile if op.kind == what and op.share > 0]) for p, profile in profiled]
    members: dict[str, dict[str, float]] = {}
    for op in (op for _, found in ops for op in found):
        of_kind, name = members.setdefault(kind_of_work(op.name), {}), op.name.removeprefix("aten::")
        of_kind[name] = of_kind.get(name, 0.0) + op.share
    kinds = sorted((kind for kind in members if kind != OTHER), key=lambda kind: -sum(members[kind].values()))
    kinds = kinds[:MOST_KINDS]
    caption = (
        f"Own time of the {what}s of a step on the {'GPU' if what == 'kernel' else 'CPU'} by kind of work, "
        f"as torch's profiler saw it; on the right that of all {what}s, which is no latency."
    )
    if what == "operator":
        largest = {kind: sorted(members[kind], key=lambda name: -members[kind][name])[:3] for kind in kinds}
        caption += f" Here {'; '.join(f'{kind}: {joined(names)}' for kind, names in largest.items())}."
    bars = []
    for cell, found in ops:
        seconds = {kind: sum(op.seconds for op in found if kind_of_work(op.name) == kind) for kind in kinds}
        if found:  # what the profile does not name is other work
            other = max(0.0, found[0].seconds / found[0].share - sum(seconds.values()))
            bars.append((cell, {**seconds, OTHER: other}))
    axis = f"Share of the own time of all {what}s"
    return stacked(request, bars, unit="s", axis=axis, caption=caption, share=True)


def _wholes(
    request: FigureRequest, parts_of: Callable[[ReportedCell], Parts], unit: str, axis: str, caption: str
) -> Drawn | None:
    """Bars of the resolution that most cells have one at, the longest first, each with its total."""
    cells = fullest([cell for cell in request.chosen if sum(parts_of(cell).values()) > 0])
    bars = [(cell, parts_of(cell)) for cell in cells]
    bars.sort(key=lambda bar: -sum(bar[1].values()))
    at = f"At {pixels(cells[0].resolution)}. " if cells else ""
    return stacked(request, bars, unit=unit, axis=axis, caption=f"{at}{caption}")


def _number(cell: ReportedCell, key: str, missing: float = math.nan) -> float:
    value = cell.metrics[key].value
    return missing if math.isnan(value) else value


def _memory(cell: ReportedCell) -> Parts:
    """Bytes at the peak of a step; nothing where they are not known."""
    peak = _number(cell, "peak_memory_bytes")
    if math.isnan(peak):
        return {}
    parts = {
        "weights": _number(cell, "weights_bytes"),
        "input": _number(cell, "input_bytes"),
        "optimizer state": _number(cell, "optimizer_bytes"),
    }
    rest = max(0.0, peak - sum(parts.values()))
    gradients = min(rest, _number(cell, "gradient_bytes"))
    return {**parts, "gradients": gradients, "activations": rest - gradients}


def _step(cell: ReportedCell) -> Parts:
    if math.isnan(_number(cell, "forward_s")) or math.isnan(_number(cell, "backward_s")):
        return {}
    return {part: _number(cell, f"{part}_s", 0.0) for part in ("forward", "backward", "optimizer")}


def _energy(cell: ReportedCell) -> Parts:
    total, idle_w = _number(cell, "joules_per_image"), _number(cell, "idle_w")
    if math.isnan(total):
        return {}
    if math.isnan(idle_w) or not cell.latency.known:
        return {WHOLE: total}
    idle = min(total, idle_w / cell.throughput.value)
    return {IDLE: idle, BEYOND: total - idle}
