"""What memory, training steps, energy, wall time and operators' time are made of. Points → stacked bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from benchsuite.report.canvas import Drawing
from benchsuite.report.figures.bars import OTHER, WAITS, Bar, stacked
from benchsuite.report.figures.choose import Options, chosen, fullest, setting_labels
from benchsuite.report.figures.layout import Layout
from benchsuite.report.figures.work import kind_of_work
from benchsuite.report.points import Point
from benchsuite.report.theme import Look
from benchsuite.report.words import counted, fixed, joined, pixels, some
from benchsuite.results.launch import LAUNCH_BOUND, launch_bound
from benchsuite.units import byte_size, si

WORKS = "device works"
IDLE, BEYOND, WHOLE = "idle draw", "beyond the idle draw", "idle draw not read"
MOST_KINDS = 6
RESERVED, PROCESS = "reserved by the allocator", "whole process"


def memory(
    cells: Sequence[Point], looks: Mapping[str, Look], layout: Layout, options: Options
) -> Drawing | None:
    """Weights, input, activations, gradients and optimizer's state at the peak; None without memory."""
    bars = _longest(cells, options, _memory)
    if not bars:
        return None
    part = max(bars[0].parts, key=lambda name: bars[0].parts[name])
    caption = (
        f"{_at(bars)}, {_named(bars)[0]} needs most, {byte_size(bars[0].total, 3)}, of which "
        f"{_percent(bars[0].parts[part] / bars[0].total)} are {part}. A bar is the peak of live tensors in a "
        "step; activations are what nothing else accounts for."
    )
    return stacked(
        bars, looks, layout, unit="B", axis="Peak memory of a step", caption=caption,
        formatted=lambda bar: byte_size(bar.total, 3),
    )  # fmt: skip


def training(
    cells: Sequence[Point], looks: Mapping[str, Look], layout: Layout, options: Options
) -> Drawing | None:
    """Forward, backward and optimizer's seconds of a training step; None where they were not timed."""
    bars = _longest(cells, options, _step)
    if not bars:
        return None
    shares = sorted(bar.parts["backward"] / bar.total for bar in bars)
    ends = list(dict.fromkeys(_percent(share) for share in (shares[0], shares[-1])))
    caption = (
        f"{_at(bars)}, backward takes {' to '.join(ends)} of a step. A bar sums the medians of its parts."
    )
    return stacked(
        bars, looks, layout, unit="s", axis="Time of a training step", caption=caption,
        formatted=lambda bar: si(bar.total, "s", 3),
    )  # fmt: skip


def energy(
    cells: Sequence[Point], looks: Mapping[str, Look], layout: Layout, options: Options
) -> Drawing | None:
    """Joules per image, the idle draw apart; None where no counter was read, as on a CPU."""
    bars = _longest(cells, options, _energy)
    if not bars:
        return None
    return stacked(
        bars, looks, layout, unit="J", axis="Energy of an image",
        caption=f"{energy_said(cells)} Read from the counter of the whole card over repeated steps.",
        formatted=lambda bar: si(bar.total, "J", 3),
    )  # fmt: skip


def device(
    cells: Sequence[Point], looks: Mapping[str, Look], layout: Layout, options: Options
) -> Drawing | None:
    """Wall time of a step beside the time that the device works; None where none was watched, as on a CPU."""
    bars = _watched(chosen(cells, options))
    if not bars:
        return None
    return stacked(
        bars, looks, layout, unit="s", axis="Share of the wall time of a step", share=True,
        caption=f"{device_said(cells)} On the right the wall time of a step.",
        formatted=lambda bar: si(bar.point.latency.value, "s", 3) + (", launch-bound" if _bound(bar) else ""),
    )  # fmt: skip


def operators(
    cells: Sequence[Point], looks: Mapping[str, Look], layout: Layout, options: Options
) -> Drawing | None:
    """Own time by kind of work of profiled cells; None where none is profiled.

    Kernels are counted where there are any, on a GPU, and operators elsewhere.
    """
    found = [point for point in chosen(cells, options) if point.profile]
    what = "kernel" if any(op.kind == "kernel" for p in found for op in p.profile) else "operator"
    found = [point for point in found if any(op.kind == what and op.share > 0 for op in point.profile)]
    if not found:
        return None
    members: dict[str, dict[str, float]] = {}
    for point in found:
        for op in point.profile:
            if op.kind == what:
                of_kind = members.setdefault(kind_of_work(op.name), {})
                name = op.name.removeprefix("aten::")
                of_kind[name] = of_kind.get(name, 0.0) + op.share
    kinds = sorted(members, key=lambda kind: -sum(members[kind].values()))
    kinds = [kind for kind in kinds if kind != OTHER][:MOST_KINDS]
    bars = [Bar(point, _shares(point, what, kinds)) for point in found]
    where = "GPU" if what == "kernel" else "CPU"
    caption = (
        f"Own time of the {what}s of a step on the {where} by kind of work, as torch's profiler saw it; on "
        f"the right that of all {what}s, which is no latency."
    )
    if what == "operator":
        largest = {kind: sorted(members[kind], key=lambda name: -members[kind][name])[:3] for kind in kinds}
        spelled = (f"{kind}: {joined(names)}" for kind, names in largest.items())
        caption += f" Here {'; '.join(spelled)}."
    return stacked(
        bars, looks, layout, unit="s", axis=f"Share of the own time of all {what}s", share=True,
        caption=caption, formatted=lambda bar: si(bar.total, "s", 3),
    )  # fmt: skip


def energy_said(cells: Sequence[Point]) -> str:
    """Who takes most and least energy for an image, in a sentence; nothing where none was read."""
    bars = _longest(cells, Options(), _energy)
    if not bars:
        return ""
    most, least = bars[0], bars[-1]
    names = _named(bars)
    if len(bars) == 1:
        said = f"{_at(bars)}, {names[0]} takes {si(most.total, 'J', 3)} per image"
    else:
        said = (
            f"{_at(bars)}, {names[-1]} takes the fewest joules per image, {si(least.total, 'J', 3)}, and "
            f"{names[0]} the most, {si(most.total, 'J', 3)} ({most.total / least.total:.2f} times)"
        )
    known = sorted(bar.parts[IDLE] / bar.total for bar in bars if bar.parts[IDLE])
    ends = list(dict.fromkeys(_percent(share) for share in known[:1] + known[-1:]))
    return f"{said}; the device would draw {' to '.join(ends)} of it idle." if ends else f"{said}."


def device_said(cells: Sequence[Point]) -> str:
    """Which cells are launch-bound, in a sentence; nothing where no device was watched, as on a CPU."""
    bars = _watched(cells)
    if not bars:
        return ""
    bound = [bar for bar in bars if _bound(bar)]
    limit = f"{LAUNCH_BOUND:g} times as long as the device works"
    if not bound:
        return f"No step of {counted(len(bars), 'cell')} is launch-bound, none takes more than {limit}."
    labels = setting_labels([bar.point for bar in bars], [bar.point.name for bar in bars])
    told = [
        f"{label} ({fixed(bar.total / bar.parts[WORKS], 3)} times)"
        for bar, label in zip(bars, labels, strict=True)
        if _bound(bar)
    ]
    return (
        f"{len(bound)} of {counted(len(bars), 'cell')} {'is' if len(bound) == 1 else 'are'} launch-bound: a "
        f"step takes more than {limit}, and its time says more of the host. {some(told)}."
    )


def _watched(cells: Sequence[Point]) -> list[Bar]:
    """Bars of the cells whose device time is known, those that wait longest for their wall time first."""
    bars = [
        Bar(p, {WORKS: busy, WAITS: max(0.0, p.latency.value - busy)})
        for p in cells
        if (busy := p.numbers["busy_s"]) > 0 and p.latency.known
    ]
    return sorted(bars, key=lambda bar: bar.parts[WORKS] / bar.point.latency.value)


def _bound(bar: Bar) -> bool:
    return launch_bound(bar.point.latency.value, bar.parts[WORKS])


def _longest(
    cells: Sequence[Point], options: Options, parts_of: Callable[[Point], Mapping[str, float] | None]
) -> list[Bar]:
    """Bars of the resolution that most cells have one at, the longest first."""
    known = [point for point in chosen(cells, options) if sum((parts_of(point) or {}).values()) > 0]
    marks = {RESERVED: "peak_reserved_bytes"} if parts_of is _memory else {}
    bars = [
        Bar(p, parts_of(p) or {}, {word: p.numbers[key] for word, key in marks.items() if p.numbers[key] > 0})
        for p in fullest(known)
    ]
    return sorted(bars, key=lambda bar: -bar.total)


def _memory(point: Point) -> dict[str, float] | None:
    peak = point.metrics["peak_memory_bytes"].value
    if math.isnan(peak):
        return None
    number = point.numbers
    parts = {
        "weights": number["weights_bytes"],
        "input": number["input_bytes"],
        "optimizer state": number["optimizer_bytes"],
    }
    rest = max(0.0, peak - sum(parts.values()))
    gradients = min(rest, number["gradient_bytes"])
    return {**parts, "gradients": gradients, "activations": rest - gradients}


def _step(point: Point) -> dict[str, float] | None:
    parts = {part: point.numbers[f"{part}_s"] for part in ("forward", "backward", "optimizer")}
    if math.isnan(parts["forward"]) or math.isnan(parts["backward"]):
        return None
    return {part: 0.0 if math.isnan(value) else value for part, value in parts.items()}


def _energy(point: Point) -> dict[str, float] | None:
    total, idle_w = point.numbers["joules_per_image"], point.numbers["idle_w"]
    if math.isnan(total):
        return None
    if math.isnan(idle_w) or not point.latency.known:
        return {IDLE: 0.0, BEYOND: 0.0, WHOLE: total}
    idle = min(total, idle_w / point.throughput.value)
    return {IDLE: idle, BEYOND: total - idle, WHOLE: 0.0}


def _shares(point: Point, what: str, kinds: Sequence[str]) -> dict[str, float]:
    """Seconds by kind of work; what the profile does not name is other work."""
    ops = [op for op in point.profile if op.kind == what and op.share > 0]
    whole = ops[0].seconds / ops[0].share
    seconds = {kind: sum(op.seconds for op in ops if kind_of_work(op.name) == kind) for kind in kinds}
    return {**seconds, OTHER: max(0.0, whole - sum(seconds.values()))}


def _named(bars: Sequence[Bar]) -> list[str]:
    return setting_labels([bar.point for bar in bars], [bar.point.name for bar in bars])


def _at(bars: Sequence[Bar]) -> str:
    return f"At {pixels(bars[0].point.resolution)}"


def _percent(share: float) -> str:
    return f"{fixed(100 * share, 2)} %"
