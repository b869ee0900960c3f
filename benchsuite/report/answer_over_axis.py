"""The answer of runs that vary something else than the mixer: a parameter of one, or the protocol."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchsuite.format import counted, joined, times
from benchsuite.labels import argument, equations, noun
from benchsuite.report.cells import Cells
from benchsuite.report.ranking import Order, candidates, relative_speed
from benchsuite.report.reported_cells import (
    ReportedCell,
    Value,
    besides_protocol,
    grouped,
    kernels_of,
    names_of,
)
from benchsuite.report.sweeps import AxisLine, Spot, sweeps
from benchsuite.report.words import pixels, places
from benchsuite.stats.evidence import LEAST_ROUNDS

OURS = "adaptive"
"""The protocol that the others are compared with."""
_LARGE = re.compile(r"(?:Is|Does) a large ")


def of_protocols(cells: Cells) -> list[str]:
    """Headline and sentences on how far protocols move throughput, and whether they move the order; empty for
    one."""
    timed = [cell for cell in cells.reported if cell.throughput.known]
    ours = {besides_protocol(cell): cell for cell in timed if cell.settings["protocol"] == OURS}
    ratios = [
        (relative_speed(cell, ours[besides_protocol(cell)]), cell)
        for cell in timed
        if cell.settings["protocol"] != OURS and besides_protocol(cell) in ours
    ]
    if not ratios:
        return []
    compared = grouped((cell for _, cell in ratios), lambda cell: str(cell.settings["protocol"]))
    other = [
        protocol
        for protocol, mine in compared.items()
        if _ranked(mine) != _ranked([ours[besides_protocol(cell)] for cell in mine])
    ]
    others = counted(len(compared), "protocol")
    low, high = (pick(ratios, key=lambda pair: pair[0].value) for pick in (min, max))
    called = noun(cell.subject for cell in timed).plural
    kept = f"{len(other)} of {others} {_verb(len(other))} the ranking" if other else "the ranking stays"
    texts = [
        f"By medians, {kept}; throughput {_moves([value for value, _ in ratios])}.",
        f"Against {OURS} sampling, medians lie between {_percent(low[0].value)} ({_by(low[1])}) and "
        f"{_percent(high[0].value)} ({_by(high[1])})"
        f"; by them, the {called} rank {f'otherwise under {joined(other)}' if other else 'the same'}.",
    ]
    if bare := sum(not value.bounded for value, _ in ratios):
        which = f"{bare} of the {len(ratios)} ratios" if bare < len(ratios) else "No ratio"
        has = "have no" if bare < len(ratios) else "has an"
        few = sum(len(cell.rounds_s) < LEAST_ROUNDS for cell in timed)
        why = (
            f"; {few} of {len(timed)} cells {'has' if few == 1 else 'have'} fewer than {LEAST_ROUNDS} rounds"
            if few
            else ""
        )
        texts.append(f"{which} between protocols {has} interval, so their differences are undecided{why}.")
    return texts


def _ranked(cells: Sequence[ReportedCell]) -> list[str]:
    """Their names, the fastest first."""
    return names_of(sorted(cells, key=lambda cell: -cell.throughput.value))


def _verb(number: int) -> str:
    return "changes" if number == 1 else "change"


def _moves(ratios: Sequence[Value]) -> str:
    """By how much at most: "moves" of ratios that are known to differ from 1, "may move" where none is."""
    decided = [value for value in ratios if value.bounded and not value.lo <= 1 <= value.hi]
    most = round(100 * max(abs(value.value - 1) for value in decided or ratios))
    return f"{'moves' if decided else 'may move'} by {f'up to {most}' if most else 'less than 1'} %"


def _percent(ratio: float) -> str:
    """A ratio as a change: "8 % lower"."""
    change = round(100 * (ratio - 1))
    return f"{abs(change)} %{' lower' if change < 0 else ' higher' if change else ''}"


def _by(cell: ReportedCell) -> str:
    return f"{cell.name} with {cell.settings['protocol']}"


@dataclass(frozen=True, slots=True)
class _Best:
    """A line over the parameter, with those of its spots that may be fastest (`ranking.candidates`)."""

    line: AxisLine
    spots: tuple[Spot, ...]

    @property
    def values(self) -> list[float]:
        """The fastest values, rising."""
        return [spot.at for spot in self.spots]

    @property
    def open(self) -> bool:
        """True if any value of the line may be fastest."""
        return len(self.spots) == len(self.line.known)

    @property
    def setting(self) -> tuple[Any, ...]:
        """All that its cells share but the kernel; the name comes first."""
        return (self.line.name, self.line.resolution, *self.line.spots[0].cell.settings.values())

    @property
    def words(self) -> str:
        """The fastest values: "0.9", "0.9 or 1", "0 to 0.7" of three and more that follow each other."""
        known = self.line.known
        numbers = [f"{spot.at:g}" for spot in self.spots]
        start = known.index(self.spots[0])
        if len(self.spots) > 2 and list(self.spots) == known[start : start + len(self.spots)]:
            return f"{numbers[0]} to {numbers[-1]}"
        return joined(numbers, "or")


def of_parameter(cells: Cells, question: str = "") -> list[str]:
    """Headline and sentences on the fastest value of a parameter, and whether it needs the fewest MACs.

    Empty unless a parameter of one implementation is what the run varies.
    """
    if len({cell.target for cell in cells.reported}) > 1:
        return []
    over = grouped((one for one in sweeps(cells.reported) if one.is_parameter), lambda one: one.axis)
    axis = max(over, key=lambda axis: sum(len(one.cells) for one in over[axis]), default="")
    lines = [line for sweep in over.get(axis, ()) for line in sweep.lines]
    swept = [spot.cell for line in lines for spot in line.spots]
    if not swept or 2 * len(swept) < len(cells.reported):
        return []
    judged = [
        _best(line, cells.order)
        for line in sorted(lines, key=lambda line: line.spots[0].cell.size)
        if len(line.known) > 1 and not any(spot.cell.line_unfinished for spot in line.spots)
    ]
    first, *others = kernels_of(swept)
    own = [best for best in judged if best.line.kernel == first]
    if not own:
        return []
    title = argument(axis)
    fused = " ".join(text for kernel in others if (text := _fused(title, kernel, own, judged)))
    start = f"With the {first} kernel, " if fused.startswith("With") else ""
    texts = [start + _fastest(title, own), _of_others(title, own), _follows(title, own), fused]
    told = [f"{text[0].upper()}{text[1:]}" for text in texts if text]
    return [_headline(title, own, question), *told]


def _headline(title: str, own: Sequence[_Best], question: str) -> str:
    """The fastest values of the name with most resolutions, at the smallest and the largest that have any.

    "Is a large α still the fastest …?" is answered by Yes, No or Undecided.
    """
    mine = max(grouped(own, lambda best: best.line.name).values(), key=len)
    told = [best for best in mine if not best.open]
    verdict = _stays_large(mine) if _LARGE.match(question) else ""
    apart = _apart(own)[mine[0].line.name]
    beside = f" ({apart})" if apart else ""
    if not told or (verdict == "Undecided: " and mine[-1].open):
        where = pixels(mine[-1].line.resolution)
        return f"Undecided: no {title} is significantly the fastest at {where}{beside}."
    first, *rest = (f"{title} = {best.words} {{}} {_place(best, mine)}" for best in told)
    last = f", {rest[-1].format('at')}" if rest else ""
    return f"{verdict}{first.format('wins at')}{last}{beside}."


def _stays_large(mine: Sequence[_Best]) -> str:
    """No where the fastest value falls as images grow, Yes where all of them are in the upper half."""
    if _way([best.values for best in mine]) == "large":
        return "No: "
    known = [spot.at for best in mine for spot in best.line.known]
    middle = (min(known) + max(known)) / 2
    return "Yes: " if all(min(best.values) > middle for best in mine) else "Undecided: "


def _best(line: AxisLine, order: Order) -> _Best:
    first = candidates([spot.cell for spot in line.known], order)
    return _Best(line, tuple(spot for spot in line.known if spot.cell in first))


def _fastest(title: str, own: Sequence[_Best]) -> str:
    """Sentence on the fastest value at every resolution, and which way it goes as images grow."""
    apart, course = _apart(own), _course(title, own)
    clauses = []
    for name, mine in grouped(own, lambda best: best.line.name).items():
        told = [f"{best.words} at {_place(best, mine)}" for best in mine if not best.open]
        none = [best.line.resolution for best in mine if best.open]
        of = f"{title} with {apart[name]}" if apart[name] else title
        if told and course:
            clauses.append(f"with {apart[name]}, {title} =" if apart[name] else f"{title} =")
        elif told:
            clauses.append(f"the fastest {of} is")
        if told:
            clauses[-1] += f" {joined(told)}"
        clauses += [f"no {of} is significantly the fastest at {places(none)}"] if none else []
    return f"{course}{'; '.join(clauses)}."


def _place(best: _Best, mine: Sequence[_Best]) -> str:
    """The resolution of a line, and its batch where two of one size differ in it."""
    same = [one for one in mine if one.line.resolution == best.line.resolution]
    batch = f", batch {best.line.spots[0].cell.settings['batch']}" if len(same) > 1 else ""
    return f"{pixels(best.line.resolution)}{batch}"


def _course(title: str, own: Sequence[_Best]) -> str:
    """Start of the sentence where the fastest value of all steadily falls, or rises, with the image."""
    ways = {
        _way([best.values for best in mine]) for mine in grouped(own, lambda best: best.line.name).values()
    }
    small = ways.pop() if len(ways) == 1 else ""
    large = {"large": "small", "small": "large"}.get(small)
    return f"a {small} {title} is fastest on small images, a {large} one on large images: " if small else ""


def _way(found: Sequence[Sequence[float]]) -> str:
    """Which values are fastest on small images, where that moves steadily as they grow; else empty."""
    steps = list(pairwise(found))
    if max(found[-1]) < min(found[0]) and all(min(b) <= min(a) and max(b) <= max(a) for a, b in steps):
        return "large"
    if max(found[0]) < min(found[-1]) and all(min(b) >= min(a) and max(b) >= max(a) for a, b in steps):
        return "small"
    return ""


def _apart(own: Sequence[_Best]) -> dict[str, str]:
    """Name of a line → what tells it from the others, in words: "window 2"; empty for the only one."""
    words = {best.line.name: best.line.name.split() for best in own}
    shared = set.intersection(*map(set, words.values()))
    return {
        name: ", ".join(equations(word).replace(" = ", " ") for word in mine if word not in shared)
        for name, mine in words.items()
    }


def _of_others(title: str, own: Sequence[_Best]) -> str:
    """Sentence on what a larger value of the one other parameter that varies does to the fastest one."""
    apart = {name: words.rpartition(" ") for name, words in _apart(own).items()}
    keys = {key for key, _, _ in apart.values()}
    if len(apart) < 2 or len(keys) > 1 or not all(_is_number(value) for _, _, value in apart.values()):
        return ""
    fastest = {best.setting: best.values for best in own}
    ways = set()
    for low, high in pairwise(sorted(apart, key=lambda name: float(apart[name][2]))):
        pairs = [
            (first, fastest[(high, *rest)])
            for (name, *rest), first in fastest.items()
            if name == low and (high, *rest) in fastest
        ]
        rises = bool(pairs) and all(max(before) < min(after) for before, after in pairs)
        falls = bool(pairs) and all(max(after) < min(before) for before, after in pairs)
        ways.add("larger" if rises else "smaller" if falls else "")
    way = ways.pop() if len(ways) == 1 else ""
    if way == "larger" and _course(title, own).startswith("a large"):
        return f"A larger {keys.pop()} shifts that to larger images."
    return f"At one resolution, a larger {keys.pop()} goes with a {way} fastest {title}." if way else ""


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _follows(title: str, own: Sequence[_Best]) -> str:
    """Sentence on the settings in which the value with the fewest MACs may be fastest, and on the range."""
    outcomes, macs, speeds = [], [], []
    for best in own:
        spots = [spot for spot in best.line.known if spot.cell.exact and spot.cell.metrics["macs"].known]
        if len(spots) < 2:
            continue
        counts, rates = zip(*((spot.cell.macs, spot.cell.throughput.value) for spot in spots), strict=True)
        cheapest = {spot.at for spot in spots if spot.cell.macs == min(counts)}
        first = set(best.values)
        outcomes.append("is" if first <= cheapest else "ties" if first & cheapest else "is not")
        macs.append(max(counts) / min(counts) if min(counts) else 1.0)
        speeds.append(max(rates) / min(rates))
    if not outcomes:
        return ""
    total, good = len(outcomes), sum(one != "is not" for one in outcomes)
    if total == 1:
        verb = {"is": "is the", "ties": "ties with the", "is not": "is not the"}[outcomes[0]] + " fastest"
    else:
        verb = "is the fastest" + (", or ties with it," if "ties" in outcomes else "")
        verb += f" in all {total} settings" if good == total else f" in {good} of {total} settings"
    at_stake = f"MACs differ by up to {times(max(macs))} times, speed by up to {times(max(speeds))}"
    return f"The {title} with the fewest MACs {verb}; from one {title} to another {at_stake}."


def _fused(title: str, kernel: str, own: Sequence[_Best], judged: Sequence[_Best]) -> str:
    """Sentence on where a kernel moves the fastest value away from all that may be it on the first."""
    before = {best.setting: set(best.values) for best in own}
    there = [best for best in judged if best.line.kernel == kernel and best.setting in before]
    moved = [
        f"{best.words} at {pixels(best.line.resolution)} ({equations(best.line.name)})"
        for best in there
        if before[best.setting].isdisjoint(best.values)
    ]
    if moved:
        rest = "; elsewhere it stays the same" if len(moved) < len(there) else ""
        return f"With the fused kernel ({kernel}) the fastest {title} is {joined(moved)}{rest}."
    return f"The fused kernel ({kernel}) leaves the fastest {title} where it is." if there else ""
