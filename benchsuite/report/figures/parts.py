"""Parts of memory, training steps, energy, wall time and operators' time. Points → stacked bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from benchsuite.findings.operator_kinds import OTHER, kind_of_work
from benchsuite.format import byte_size, si
from benchsuite.report.figures.bars import WAITS, Bar, stacked
from benchsuite.report.figures.choose import Drawn, FigureRequest, chosen, fullest
from benchsuite.report.points import Point
from benchsuite.report.words import joined, pixels
from benchsuite.results.machine import LAUNCH_BOUND, launch_bound

WORKS = "device works"
IDLE, BEYOND, WHOLE = "idle draw", "beyond the idle draw", "idle draw not read"
MOST_KINDS = 6
RESERVED = "reserved by the allocator"

Parts = Mapping[str, float]


def memory(request: FigureRequest) -> Drawn | None:
    """Weights, input, activations, gradients and optimizer's state at the peak; None without memory."""
    caption = "A bar is the peak of live tensors in a step; activations are what nothing else accounts for."
    return _wholes(request, _memory, "B", "Peak memory of a step", caption)


def training(request: FigureRequest) -> Drawn | None:
    """Forward, backward and optimizer's seconds of a training step; None where they were not timed."""
    return _wholes(
        request, _step, "s", "Time of a training step", "A bar sums the medians of the parts of a step."
    )


def energy(request: FigureRequest) -> Drawn | None:
    """Joules per image, the idle draw apart; None where no counter was read, as on a CPU."""
    caption = "Read from the counter of the whole card over repeated steps."
    return _wholes(request, _energy, "J", "Energy of an image", caption)


def device(request: FigureRequest) -> Drawn | None:
    """Wall time of a step beside the time that the device works; None where none was watched, as on a CPU."""
    cells, looks, layout, options = request
    bars = _watched(chosen(cells, options))
    if not bars:
        return None

    def formatted(bar: Bar) -> str:
        return si(bar.point.latency.value, "s", 3) + (", launch-bound" if _bound(bar) else "")

    caption = (
        "On the right the wall time of a step. It is launch-bound, and says more of the host, where it is "
        f"more than {LAUNCH_BOUND:g} times as long as the device works."
    )
    return stacked(
        bars, looks, layout, unit="s", axis="Share of the wall time of a step", caption=caption,
        formatted=formatted, share=True,
    )  # fmt: skip


def operators(request: FigureRequest) -> Drawn | None:
    """Own time by kind of work of profiled cells; None where none is profiled.

    Kernels are counted where there are any, on a GPU, and operators elsewhere.
    """
    cells, looks, layout, options = request
    profiled = [point for point in chosen(cells, options) if point.profile]
    what = "kernel" if any(op.kind == "kernel" for p in profiled for op in p.profile) else "operator"
    profiled = [point for point in profiled if any(op.kind == what and op.share > 0 for op in point.profile)]
    if not profiled:
        return None
    members: dict[str, dict[str, float]] = {}
    for op in (op for point in profiled for op in point.profile if op.kind == what):
        of_kind = members.setdefault(kind_of_work(op.name), {})
        name = op.name.removeprefix("aten::")
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
    return stacked(
        [Bar(point, _shares(point, what, kinds)) for point in profiled], looks, layout, unit="s",
        axis=f"Share of the own time of all {what}s", caption=caption,
        formatted=lambda bar: si(bar.total, "s", 3), share=True,
    )  # fmt: skip


def _wholes(
    request: FigureRequest,
    parts_of: Callable[[Point], Parts],
    unit: str,
    axis: str,
    caption: str,
) -> Drawn | None:
    """Bars of the resolution that most cells have one at, the longest first, each with its total."""
    cells, looks, layout, options = request
    bars = [
        Bar(p, parts_of(p), _marks(p) if parts_of is _memory else {})
        for p in fullest([point for point in chosen(cells, options) if sum(parts_of(point).values()) > 0])
    ]
    if not bars:
        return None
    bars.sort(key=lambda bar: -bar.total)
    text = f"At {pixels(bars[0].point.resolution)}. {caption}"

    def formatted(bar: Bar) -> str:
        return byte_size(bar.total, 3) if unit == "B" else si(bar.total, unit, 3)

    return stacked(bars, looks, layout, unit=unit, axis=axis, caption=text, formatted=formatted)


def _number(point: Point, key: str) -> float:
    return point.metrics[key].value


def _marks(point: Point) -> dict[str, float]:
    """Memory that the allocator reserved, which is no part of the peak."""
    reserved = _number(point, "peak_reserved_bytes")
    return {RESERVED: reserved} if reserved > 0 else {}


def _memory(point: Point) -> Parts:
    """Bytes at the peak of a step; nothing where they are not known."""
    peak = _number(point, "peak_memory_bytes")
    if math.isnan(peak):
        return {}
    parts = {
        "weights": _number(point, "weights_bytes"),
        "input": _number(point, "input_bytes"),
        "optimizer state": _number(point, "optimizer_bytes"),
    }
    rest = max(0.0, peak - sum(parts.values()))
    gradients = min(rest, _number(point, "gradient_bytes"))
    return {**parts, "gradients": gradients, "activations": rest - gradients}


def _step(point: Point) -> Parts:
    parts = {part: _number(point, f"{part}_s") for part in ("forward", "backward", "optimizer")}
    known = not (math.isnan(parts["forward"]) or math.isnan(parts["backward"]))
    return {part: 0.0 if math.isnan(value) else value for part, value in parts.items()} if known else {}


def _energy(point: Point) -> Parts:
    total, idle_w = _number(point, "joules_per_image"), _number(point, "idle_w")
    if math.isnan(total):
        return {}
    if math.isnan(idle_w) or not point.latency.known:
        return {WHOLE: total}
    idle = min(total, idle_w / point.throughput.value)
    return {IDLE: idle, BEYOND: total - idle}


def _watched(cells: Sequence[Point]) -> list[Bar]:
    """Bars of the cells whose device time is known, those that wait longest for their wall time first."""
    bars = [
        Bar(p, {WORKS: works, WAITS: max(0.0, p.latency.value - works)})
        for p in cells
        if (works := _number(p, "busy_s")) > 0 and p.latency.known
    ]
    return sorted(bars, key=lambda bar: bar.parts[WORKS] / bar.point.latency.value)


def _shares(point: Point, what: str, kinds: Sequence[str]) -> Parts:
    """Seconds by kind of work; what the profile does not name is other work."""
    ops = [op for op in point.profile if op.kind == what and op.share > 0]
    seconds = {kind: sum(op.seconds for op in ops if kind_of_work(op.name) == kind) for kind in kinds}
    return {**seconds, OTHER: max(0.0, ops[0].seconds / ops[0].share - sum(seconds.values()))}


def _bound(bar: Bar) -> bool:
    return launch_bound(bar.point.latency.value, bar.parts[WORKS])
