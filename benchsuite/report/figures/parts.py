"""Parts of memory, training steps, energy, wall time and operators' time. Points → stacked bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchsuite.findings.operator_kinds import OTHER, kind_of_work
from benchsuite.format import byte_size, si
from benchsuite.report.figures.bars import WAITS, Bar, stacked
from benchsuite.report.figures.choose import Drawn, FigureRequest, chosen, fullest, setting_labels
from benchsuite.report.points import Point
from benchsuite.report.words import counted, fixed, joined, percentage, pixels, some
from benchsuite.results.machine import LAUNCH_BOUND, launch_bound

WORKS = "device works"
IDLE, BEYOND, WHOLE = "idle draw", "beyond the idle draw", "idle draw not read"
MOST_KINDS = 6
RESERVED = "reserved by the allocator"

Parts = Mapping[str, float]


def memory(request: FigureRequest) -> Drawn | None:
    """Weights, input, activations, gradients and optimizer's state at the peak; None without memory."""

    def caption(bars: Sequence[Bar]) -> str:
        part = max(bars[0].parts, key=lambda name: bars[0].parts[name])
        return (
            f"{_named(bars)[0]} needs most, {byte_size(bars[0].total, 3)}, of which "
            f"{percentage(bars[0].parts[part] / bars[0].total)} are {part}. A bar is the peak of live "
            "tensors in a step; activations are what nothing else accounts for."
        )

    return _wholes(request, _memory, "B", "Peak memory of a step", caption)


def training(request: FigureRequest) -> Drawn | None:
    """Forward, backward and optimizer's seconds of a training step; None where they were not timed."""

    def caption(bars: Sequence[Bar]) -> str:
        ends = _ends(bar.parts["backward"] / bar.total for bar in bars)
        return f"backward takes {ends} of a step. A bar sums the medians of its parts."

    return _wholes(request, _step, "s", "Time of a training step", caption)


def energy(request: FigureRequest) -> Drawn | None:
    """Joules per image, the idle draw apart; None where no counter was read, as on a CPU."""

    def caption(bars: Sequence[Bar]) -> str:
        return f"{_most_and_least(bars)} Read from the counter of the whole card over repeated steps."

    return _wholes(request, _energy, "J", "Energy of an image", caption)


def device(request: FigureRequest) -> Drawn | None:
    """Wall time of a step beside the time that the device works; None where none was watched, as on a CPU."""
    cells, looks, layout, options = request
    bars = _watched(chosen(cells, options))
    if not bars:
        return None

    def formatted(bar: Bar) -> str:
        return si(bar.point.latency.value, "s", 3) + (", launch-bound" if _bound(bar) else "")

    caption = f"{launch_bound_sentence(cells)} On the right the wall time of a step."
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


def launch_bound_sentence(cells: Sequence[Point]) -> str:
    """Sentence on the cells that are launch-bound; empty where no device was watched, as on a CPU."""
    bars = _watched(cells)
    bound = [bar for bar in bars if _bound(bar)]
    limit = f"{LAUNCH_BOUND:g} times as long as the device works"
    if not bound:
        none = f"No step of {counted(len(bars), 'cell')} is launch-bound, none takes more than {limit}."
        return none if bars else ""
    listed = [
        f"{name} ({fixed(bar.total / bar.parts[WORKS], 3)} times)"
        for name, bar in zip(_named(bars), bars, strict=True)
        if _bound(bar)
    ]
    return (
        f"{len(bound)} of {counted(len(bars), 'cell')} {'is' if len(bound) == 1 else 'are'} launch-bound: a "
        f"step takes more than {limit}, and its time says more of the host. {some(listed)}."
    )


def _wholes(
    request: FigureRequest,
    parts_of: Callable[[Point], Parts],
    unit: str,
    axis: str,
    caption: Callable[[Sequence[Bar]], str],
) -> Drawn | None:
    """Bars of the resolution that most cells have one at, the longest first, each with its total."""
    cells, looks, layout, options = request
    reserved = "peak_reserved_bytes" if parts_of is _memory else ""
    bars = [
        Bar(p, parts_of(p), {RESERVED: p.numbers[reserved]} if p.numbers.get(reserved, 0) > 0 else {})
        for p in fullest([point for point in chosen(cells, options) if sum(parts_of(point).values()) > 0])
    ]
    if not bars:
        return None
    bars.sort(key=lambda bar: -bar.total)
    text = f"At {pixels(bars[0].point.resolution)}, {caption(bars)}"

    def formatted(bar: Bar) -> str:
        return byte_size(bar.total, 3) if unit == "B" else si(bar.total, unit, 3)

    return stacked(bars, looks, layout, unit=unit, axis=axis, caption=text, formatted=formatted)


def _memory(point: Point) -> Parts:
    """Bytes at the peak of a step; nothing where they are not known."""
    peak, number = point.metrics["peak_memory_bytes"].value, point.numbers
    if math.isnan(peak):
        return {}
    parts = {
        "weights": number["weights_bytes"],
        "input": number["input_bytes"],
        "optimizer state": number["optimizer_bytes"],
    }
    rest = max(0.0, peak - sum(parts.values()))
    gradients = min(rest, number["gradient_bytes"])
    return {**parts, "gradients": gradients, "activations": rest - gradients}


def _step(point: Point) -> Parts:
    parts = {part: point.numbers[f"{part}_s"] for part in ("forward", "backward", "optimizer")}
    known = not (math.isnan(parts["forward"]) or math.isnan(parts["backward"]))
    return {part: 0.0 if math.isnan(value) else value for part, value in parts.items()} if known else {}


def _energy(point: Point) -> Parts:
    total, idle_w = point.numbers["joules_per_image"], point.numbers["idle_w"]
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
        if (works := p.numbers["busy_s"]) > 0 and p.latency.known
    ]
    return sorted(bars, key=lambda bar: bar.parts[WORKS] / bar.point.latency.value)


def _shares(point: Point, what: str, kinds: Sequence[str]) -> Parts:
    """Seconds by kind of work; what the profile does not name is other work."""
    ops = [op for op in point.profile if op.kind == what and op.share > 0]
    seconds = {kind: sum(op.seconds for op in ops if kind_of_work(op.name) == kind) for kind in kinds}
    return {**seconds, OTHER: max(0.0, ops[0].seconds / ops[0].share - sum(seconds.values()))}


def _most_and_least(bars: Sequence[Bar]) -> str:
    most, least, names = bars[0], bars[-1], _named(bars)
    if len(bars) == 1:
        text = f"{names[0]} takes {si(most.total, 'J', 3)} per image"
    else:
        text = (
            f"{names[-1]} takes the fewest joules per image, {si(least.total, 'J', 3)}, and {names[0]} the "
            f"most, {si(most.total, 'J', 3)} ({most.total / least.total:.2f} times)"
        )
    idle = _ends(bar.parts[IDLE] / bar.total for bar in bars if bar.parts.get(IDLE))
    return f"{text}; the device would draw {idle} of it idle." if idle else f"{text}."


def _bound(bar: Bar) -> bool:
    return launch_bound(bar.point.latency.value, bar.parts[WORKS])


def _named(bars: Sequence[Bar]) -> list[str]:
    return setting_labels([bar.point for bar in bars], [bar.point.name for bar in bars])


def _ends(shares: Iterable[float]) -> str:
    """The least and the largest share: "7.8 % to 31 %"; one where they read alike, nothing for none."""
    ordered = sorted(shares)
    return " to ".join(dict.fromkeys(percentage(share) for share in (*ordered[:1], *ordered[-1:])))
