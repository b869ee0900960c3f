"""The answer of runs that vary something else than the mixer: a parameter of one, or the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from benchsuite.report.cells import Cells
from benchsuite.report.points import Point, besides_protocol, kernels_of, names_of
from benchsuite.report.ranking import Order, candidates, relative_speed
from benchsuite.report.sweeps import AxisLine, AxisSweep, Spot, sweeps
from benchsuite.report.words import capitalised, counted, joined, pixels, places, sentence

OURS = "adaptive"
"""The protocol that the others are compared with."""
_TOLD = 2
"""Lines of a parameter that are named; the figure has the others."""


def of_protocols(cells: Cells) -> list[str]:
    """Sentences on how far protocols move throughput, and whether they move the order; empty for one."""
    timed = [point for point in cells.points if point.throughput.known]
    protocols = list(dict.fromkeys(str(point.settings["protocol"]) for point in timed))
    if OURS not in protocols or len(protocols) < 2:
        return []
    ours = {besides_protocol(point): point for point in timed if point.settings["protocol"] == OURS}
    ratios = [
        (relative_speed(point, ours[besides_protocol(point)]), point)
        for point in timed
        if point.settings["protocol"] != OURS and besides_protocol(point) in ours
    ]
    if not ratios:
        return []
    low, high = (pick(ratios, key=lambda pair: pair[0].value) for pick in (min, max))
    bare = sum(not value.bounded for value, _ in ratios)
    one_block = "a protocol that times one block gives one number"
    spread = (
        f"The other protocols report {low[0].value:.2f} times ({_by(low[1])}) to {high[0].value:.2f} times "
        f"({_by(high[1])}) the throughput of {OURS} sampling."
    )
    if bare == len(ratios):
        texts = [
            f"No ratio has a confidence interval ({one_block}), so differences may be chance.",
            spread,
        ]
    elif bare:
        texts = [spread, f"{bare} of the {len(ratios)} ratios have no confidence interval: {one_block}."]
    else:
        texts = [spread]
    orders: dict[tuple[str, ...], list[str]] = {}
    for protocol in protocols:
        mine = [point for point in timed if point.settings["protocol"] == protocol]
        ranked = sorted(mine, key=lambda point: -point.throughput.value)
        orders.setdefault(tuple(names_of(ranked)), []).append(protocol)
    if len(orders) == 1:
        texts.append(f"The order of the mixers by median is the same under all {len(protocols)} protocols.")
    else:
        other = [protocol for one in orders.values() if OURS not in one for protocol in one]
        texts.append(f"The order of the mixers by median differs from that of {OURS} under {joined(other)}.")
    return texts


def _by(point: Point) -> str:
    return f"{point.name} with {point.settings['protocol']}"


def of_parameter(cells: Cells) -> list[str]:
    """Sentences on the fastest value of a parameter, and whether it needs the fewest MACs.

    Empty unless a parameter of one implementation is what the run varies.
    """
    if len({point.target for point in cells.points}) > 1:
        return []
    sweep = max(
        (one for one in sweeps(cells.points) if one.is_parameter),
        key=lambda one: len(one.cells),
        default=None,
    )
    if sweep is None or 2 * len(sweep.cells) < len(cells.points):
        return []
    kernels = kernels_of(sweep.cells)
    judged = [line for line in sweep.lines if len(line.known) > 1 and not _cut(line)]
    own = [line for line in judged if line.kernel == kernels[0]]
    if not own:
        return []
    start = f"With the {kernels[0]} kernel, " if len(kernels) > 1 else ""
    texts = []
    for name in list(dict.fromkeys(line.name for line in own))[:_TOLD]:
        mine = [(line, leaders(line, cells.order)) for line in own if line.name == name]
        clauses = [
            f"{_values(line, first)} at {pixels(line.resolution)}"
            for line, first in mine
            if len(first) < len(line.known)
        ]
        texts += [f"{name} is fastest with {sweep.title} = {joined(clauses)}"] if clauses else []
        open_ = [line.resolution for line, first in mine if len(first) == len(line.known)]
        texts += [f"no {sweep.title} of {name} is significantly the fastest at {places(open_)}"] * bool(open_)
    course = ": ".join(part for part in (_moves(sweep, own, cells.order), "; ".join(texts)) if part)
    return [
        text
        for text in (
            sentence(f"{start}{course}" if start else capitalised(course)),
            _follows(sweep, own, cells.order),
            _fused(sweep, own, judged, cells.order),
        )
        if text
    ]


def _moves(sweep: AxisSweep, own: Sequence[AxisLine], order: Order) -> str:
    """Clause that says of whom the fastest value steadily falls or rises with the image; else empty."""
    ways: dict[str, list[str]] = {}
    for name in dict.fromkeys(line.name for line in own):
        mine = sorted((line for line in own if line.name == name), key=lambda one: one.spots[0].point.size)
        found = [[spot.at for spot in leaders(line, order)] for line in mine]
        first, last = found[0], found[-1]
        if max(last) < min(first) and all(min(b) <= min(a) and max(b) <= max(a) for a, b in pairwise(found)):
            ways.setdefault("falls", []).append(name)
        if max(first) < min(last) and all(min(b) >= min(a) and max(b) >= max(a) for a, b in pairwise(found)):
            ways.setdefault("rises", []).append(name)
    every = len({line.name for line in own})
    clauses = [
        f"{way} as images grow" + (f" ({joined(names)})" if len(names) < every else "")
        for way, names in ways.items()
    ]
    return f"the fastest {sweep.title} {' and '.join(clauses)}" if clauses else ""


def leaders(line: AxisLine, order: Order) -> list[Spot]:
    """The spots that may be fastest (`ranking.candidates`), in the order of the line."""
    first = candidates([spot.point for spot in line.known], order)
    return [spot for spot in line.known if spot.point in first]


def _follows(sweep: AxisSweep, own: Sequence[AxisLine], order: Order) -> str:
    """Sentence on the number of settings where the fastest value is the one with the fewest MACs."""
    counts = {"is": 0, "may be": 0, "is not": 0}
    for line in own:
        spots = [spot for spot in line.known if spot.point.exact and spot.point.metrics["macs"].known]
        if len(spots) < 2:
            continue
        least = min(spot.point.macs for spot in spots)
        cheapest = {spot.at for spot in spots if spot.point.macs == least}
        first = {spot.at for spot in leaders(line, order)}
        counts["is" if first <= cheapest else "may be" if first & cheapest else "is not"] += 1
    total = sum(counts.values())
    if not total:
        return ""
    if total == 1:
        verb = "has" if counts["is"] else "may have" if counts["may be"] else "does not have"
        return f"The fastest {sweep.title} {verb} the fewest MACs."
    text = f"The fastest {sweep.title} has the fewest MACs in {counts['is']} of {counted(total, 'setting')}"
    return f"{text}, and perhaps in {counts['may be']} more." if counts["may be"] else f"{text}."


def _fused(sweep: AxisSweep, own: Sequence[AxisLine], judged: Sequence[AxisLine], order: Order) -> str:
    """Sentences on where another kernel moves the fastest value away from all that may be it on the first."""
    before = {(line.name, line.resolution): {spot.at for spot in leaders(line, order)} for line in own}
    texts = []
    for kernel in kernels_of(sweep.cells)[1:]:
        lines = [one for one in judged if one.kernel == kernel and (one.name, one.resolution) in before]
        moved = [
            f"{_values(line, now)} at {pixels(line.resolution)} ({line.name})"
            for line in lines
            if (now := leaders(line, order))
            and before[line.name, line.resolution].isdisjoint(spot.at for spot in now)
        ]
        if moved:
            rest = "; elsewhere it stays the same" if len(moved) < len(lines) else ""
            texts.append(
                f"With the fused kernel ({kernel}) the fastest {sweep.title} is {joined(moved)}{rest}."
            )
        elif lines:
            texts.append(f"The fused kernel ({kernel}) leaves the fastest {sweep.title} where it is.")
    return " ".join(texts)


def _cut(line: AxisLine) -> bool:
    return any(spot.point.line_unfinished for spot in line.spots)


def _values(line: AxisLine, spots: Sequence[Spot]) -> str:
    """Values of a line in words: "0.9", "0.9 or 1", "0 to 0.7" of three and more that follow each other."""
    numbers = [f"{spot.at:g}" for spot in spots]
    start = line.known.index(spots[0])
    if len(spots) > 2 and list(spots) == line.known[start : start + len(spots)]:
        return f"{numbers[0]} to {numbers[-1]}"
    return joined(numbers, "or")
