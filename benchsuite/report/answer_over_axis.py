"""The answer of runs that vary something else than the mixer: a parameter of one, or the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from benchsuite.labels import argument, noun
from benchsuite.report.cells import Cells
from benchsuite.report.points import Point, besides_protocol, grouped, kernels_of, names_of
from benchsuite.report.ranking import Order, candidates, relative_speed
from benchsuite.report.sweeps import AxisLine, Spot, sweeps
from benchsuite.report.words import counted, joined, multiples, pixels, places

OURS = "adaptive"
"""The protocol that the others are compared with."""


def of_protocols(cells: Cells) -> list[str]:
    """Sentences on how far protocols move throughput, and whether they move the order; empty for one."""
    timed = [point for point in cells.points if point.throughput.known]
    protocols = list(dict.fromkeys(str(point.settings["protocol"]) for point in timed))
    ours = {besides_protocol(point): point for point in timed if point.settings["protocol"] == OURS}
    ratios = [
        (relative_speed(point, ours[besides_protocol(point)]), point)
        for point in timed
        if point.settings["protocol"] != OURS and besides_protocol(point) in ours
    ]
    if not ratios:
        return []
    low, high = (pick(ratios, key=lambda pair: pair[0].value) for pick in (min, max))
    texts = [
        f"The other protocols report {low[0].value:.2f} times ({_by(low[1])}) to {high[0].value:.2f} times "
        f"({_by(high[1])}) the throughput of {OURS} sampling."
    ]
    orders: dict[tuple[str, ...], list[str]] = {}
    for protocol in protocols:
        mine = [point for point in timed if point.settings["protocol"] == protocol]
        ranked = sorted(mine, key=lambda point: -point.throughput.value)
        orders.setdefault(tuple(names_of(ranked)), []).append(protocol)
    called = noun(point.subject for point in timed).plural
    if len(orders) == 1:
        texts.append(f"The order of the {called} by median is the same under all {len(protocols)} protocols.")
    else:
        other = [protocol for one in orders.values() if OURS not in one for protocol in one]
        texts.append(
            f"The order of the {called} by median differs from that of {OURS} under {joined(other)}."
        )
    if bare := sum(not value.bounded for value, _ in ratios):
        texts.append(
            f"For {bare} of {counted(len(ratios), 'ratio')} there is no confidence interval (a protocol that "
            "times one block gives one number), so they may be chance."
        )
    return texts


def _by(point: Point) -> str:
    return f"{point.name} with {point.settings['protocol']}"


def of_parameter(cells: Cells) -> list[str]:
    """Sentences on the fastest value of a parameter, and whether it needs the fewest MACs.

    Empty unless a parameter of one implementation is what the run varies.
    """
    if len({point.target for point in cells.points}) > 1:
        return []
    over = grouped((one for one in sweeps(cells.points) if one.is_parameter), lambda one: one.axis)
    axis = max(over, key=lambda axis: sum(len(one.cells) for one in over[axis]), default="")
    lines = [line for sweep in over.get(axis, ()) for line in sweep.lines]
    swept = [spot.point for line in lines for spot in line.spots]
    judged = [line for line in lines if len(line.known) > 1 and not _cut(line)]
    kernels = kernels_of(swept)
    own = [line for line in judged if line.kernel == kernels[0]] if kernels else []
    if not own or 2 * len(swept) < len(cells.points):
        return []
    own.sort(key=lambda line: line.spots[0].point.size)
    title, order = argument(axis), cells.order
    fused = _fused(title, own, judged, order)
    start = f"With the {kernels[0]} kernel, " if fused.startswith("With") else ""
    texts = [
        _fastest(title, own, order, start),
        _of_others(title, own, order),
        _follows(title, own, order),
        fused,
    ]
    return [text for text in texts if text]


def _fastest(title: str, own: Sequence[AxisLine], order: Order, start: str) -> str:
    """Sentence on the fastest value at every resolution, and which way it goes as images grow."""
    apart, course = _apart(own), _course(title, own, order)
    clauses = []
    for name, mine in grouped(own, lambda line: line.name).items():
        found = [(line, leaders(line, order)) for line in mine]
        told = [
            f"{_values(line, first)} at {_place(line, mine)}"
            for line, first in found
            if len(first) < len(line.known)
        ]
        none = [line.resolution for line, first in found if len(first) == len(line.known)]
        where = f" with {apart[name]}" if apart[name] else ""
        clause = [f"{_of(title, apart[name], bool(course))} {joined(told)}"] if told else []
        clause += [f"no {title}{where} is significantly the fastest at {places(none)}"] if none else []
        clauses.append("; ".join(clause))
    text = f"{start}{course}{'; '.join(clauses)}."
    return f"{text[0].upper()}{text[1:]}"


def _of(title: str, apart: str, short: bool) -> str:
    """What a list of fastest values begins with: "the fastest α with window size 2 is", or shorter after a
    sentence that has said so."""
    if short:
        return f"with {apart}, {title} =" if apart else f"{title} ="
    return f"the fastest {title}{f' with {apart}' if apart else ''} is"


def _place(line: AxisLine, mine: Sequence[AxisLine]) -> str:
    """The resolution of a line, and its batch where two of one size differ in it."""
    same = [one for one in mine if one.resolution == line.resolution]
    batch = f", batch {line.spots[0].point.settings['batch']}" if len(same) > 1 else ""
    return f"{pixels(line.resolution)}{batch}"


def _course(title: str, own: Sequence[AxisLine], order: Order) -> str:
    """Start of the sentence where the fastest value of all steadily falls, or rises, with the image."""
    ways = {_way(mine, order) for mine in grouped(own, lambda line: line.name).values()}
    way = ways.pop() if len(ways) == 1 else ""
    other = {"large": "small", "small": "large"}.get(way)
    return f"a {way} {title} is fastest on small images, a {other} one on large images: " if way else ""


def _way(mine: Sequence[AxisLine], order: Order) -> str:
    """Which values are fastest on small images, where that moves steadily as they grow; else empty."""
    found = [[spot.at for spot in leaders(line, order)] for line in mine]
    steps = list(pairwise(found))
    if max(found[-1]) < min(found[0]) and all(min(b) <= min(a) and max(b) <= max(a) for a, b in steps):
        return "large"
    if max(found[0]) < min(found[-1]) and all(min(b) >= min(a) and max(b) >= max(a) for a, b in steps):
        return "small"
    return ""


def _apart(own: Sequence[AxisLine]) -> dict[str, str]:
    """Name of a line → what tells it from the others, in words: "window size 2"; empty for the only one."""
    words = {line.name: line.name.split() for line in own}
    shared = set.intersection(*map(set, words.values()))
    return {
        name: ", ".join(word for word in mine if word not in shared).replace("_", " ").replace("=", " ")
        for name, mine in words.items()
    }


def _of_others(title: str, own: Sequence[AxisLine], order: Order) -> str:
    """Sentence on what a larger value of the one other parameter that varies does to the fastest one."""
    apart = {name: words.rpartition(" ") for name, words in _apart(own).items()}
    keys = {key for key, _, _ in apart.values()}
    values = {name: value for name, (_, _, text) in apart.items() if (value := _number(text)) is not None}
    if len(keys) > 1 or len(values) < max(2, len(apart)):
        return ""
    fastest = {_setting(line): [spot.at for spot in leaders(line, order)] for line in own}
    ways = set()
    for low, high in pairwise(sorted(values, key=lambda name: values[name])):
        pairs = [
            (first, fastest[(high, *rest)])
            for (name, *rest), first in fastest.items()
            if name == low and (high, *rest) in fastest
        ]
        rises = bool(pairs) and all(max(before) < min(after) for before, after in pairs)
        falls = bool(pairs) and all(max(after) < min(before) for before, after in pairs)
        ways.add("larger" if rises else "smaller" if falls else "")
    way = ways.pop() if len(ways) == 1 else ""
    if way == "larger" and _course(title, own, order).startswith("a large"):
        return f"A larger {keys.pop()} shifts that to larger images."
    return f"At one resolution, a larger {keys.pop()} goes with a {way} fastest {title}." if way else ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _setting(line: AxisLine) -> tuple[Any, ...]:
    """Its name, and all that its cells share but the kernel."""
    return (line.name, line.resolution, *line.spots[0].point.settings.values())


def leaders(line: AxisLine, order: Order) -> list[Spot]:
    """The spots that may be fastest (`ranking.candidates`), in the order of the line."""
    first = candidates([spot.point for spot in line.known], order)
    return [spot for spot in line.known if spot.point in first]


def _follows(title: str, own: Sequence[AxisLine], order: Order) -> str:
    """Sentence on the settings in which the value with the fewest MACs may be fastest, and on the range."""
    outcomes, macs, speeds = [], [], []
    for line in own:
        spots = [spot for spot in line.known if spot.point.exact and spot.point.metrics["macs"].known]
        if len(spots) < 2:
            continue
        counts = [spot.point.macs for spot in spots]
        cheapest = {spot.at for spot in spots if spot.point.macs == min(counts)}
        first = {spot.at for spot in leaders(line, order)}
        outcomes.append("is" if first <= cheapest else "ties" if first & cheapest else "is not")
        ranked = sorted(spot.point.throughput.value for spot in spots)
        macs.append(max(counts) / min(counts) if min(counts) else 1.0)
        speeds.append(ranked[-1] / ranked[0])
    if not outcomes:
        return ""
    total, good = len(outcomes), sum(one != "is not" for one in outcomes)
    if total == 1:
        verb = {"is": "is the fastest", "ties": "ties with the fastest", "is not": "is not the fastest"}[
            outcomes[0]
        ]
    else:
        verb = "is the fastest" + (", or ties with it," if "ties" in outcomes else "")
        verb += f" in all {total} settings" if good == total else f" in {good} of {total} settings"
    at_stake = (
        f"MACs differ by up to {multiples([max(macs)])} times, speed by up to {multiples([max(speeds)])}"
    )
    return f"The {title} with the fewest MACs {verb}; from one {title} to another {at_stake}."


def _fused(title: str, own: Sequence[AxisLine], judged: Sequence[AxisLine], order: Order) -> str:
    """Sentences on where another kernel moves the fastest value away from all that may be it on the first."""
    before = {_setting(line): {spot.at for spot in leaders(line, order)} for line in own}
    texts = []
    for kernel in kernels_of(spot.point for line in judged for spot in line.spots)[1:]:
        lines = [one for one in judged if one.kernel == kernel and _setting(one) in before]
        moved = [
            f"{_values(line, now)} at {pixels(line.resolution)} ({line.name})"
            for line in lines
            if (now := leaders(line, order)) and before[_setting(line)].isdisjoint(spot.at for spot in now)
        ]
        if moved:
            rest = "; elsewhere it stays the same" if len(moved) < len(lines) else ""
            texts.append(f"With the fused kernel ({kernel}) the fastest {title} is {joined(moved)}{rest}.")
        elif lines:
            texts.append(f"The fused kernel ({kernel}) leaves the fastest {title} where it is.")
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
