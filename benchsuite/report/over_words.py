"""What lines over an axis say: where the optimum lies, how they grow, who passes whom. Only what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

from benchsuite.analyse.growth import Growth, growth
from benchsuite.report.findings import Finding
from benchsuite.report.growing import FEW, FITTED, interval
from benchsuite.report.order import Order, doubt, of_pairs
from benchsuite.report.points import kernels_of, resolutions_of
from benchsuite.report.sweeps import Line, Spot, Sweep
from benchsuite.report.tables import Header, Row, Table, TableCell
from benchsuite.report.words import counted, joined, lowered, pixels, places, sentence
from benchsuite.results.metrics import METRICS
from benchsuite.results.nouns import noun

NO_DIFFERENCE = "no difference that means anything on this machine"

WORDS: Mapping[str, str] = {
    "batch": "batch", "dim": "width", "num_heads": "number of heads", "threads": "number of threads",
}  # fmt: skip
"""Axis of a cell → the word for it inside a sentence."""

MOST_LINES = 400
"""Lines beyond which nothing is said in words or a table: nobody reads it, and pairs are many."""

_GROWING = ("batch", "dim", "threads")
"""Axes over which a power law is a fair question."""


def findings_over(sweep: Sweep, most: int = 4) -> list[Finding]:
    """Statements about one sweep; `most` names are told, the first of the scenario."""
    if len(sweep.lines) > MOST_LINES:
        return []
    order = order_over(sweep)
    found = [
        Finding("Fastest", fastest(sweep, order, most)),
        Finding("Fewest MACs", fewest(sweep, most)),
        Finding("Growth", grows(sweep)),
        Finding("Crossings", crossed(sweep, order)),
    ]
    return [finding for finding in found if finding.text]


def called(sweep: Sweep) -> str:
    """The axis inside a sentence."""
    return WORDS.get(sweep.axis, sweep.title)


def valued(sweep: Sweep, ats: Sequence[float]) -> str:
    """Values with their axis: "alpha = 0.5 and 0.9", "batch 64", "8 heads"."""
    text = joined([number(at) for at in ats])
    if sweep.is_parameter:
        return f"{sweep.title} = {text}"
    units = {"num_heads": "head", "threads": "thread"}
    if sweep.axis in units:
        return f"{text} {units[sweep.axis]}{'' if list(ats) == [1] else 's'}"
    return f"{sweep.axis} {text}"


def order_over(sweep: Sweep) -> Order:
    """Which spots are faster, of those on one line and of those at one value: one family."""
    pairs = [pair for line in sweep.lines for pair in combinations(line.known, 2)]
    for one, other in _rivals(sweep):
        theirs = {spot.at: spot for spot in other.known}
        pairs += [(spot, theirs[spot.at]) for spot in one.known if spot.at in theirs]
    return of_pairs((one.point, other.point) for one, other in pairs)


def _rivals(sweep: Sweep) -> Iterator[tuple[Line, Line]]:
    """Every two lines of one kernel and resolution."""
    for kernel in kernels_of(sweep.cells):
        for resolution in resolutions_of(sweep.cells):
            here = [line for line in sweep.lines if (line.kernel, line.resolution) == (kernel, resolution)]
            yield from combinations(here, 2)


def leaders(line: Line, order: Order) -> list[Spot]:
    """The spot with the highest median throughput and all that are not surely slower, along the axis."""
    top = max(line.known, key=lambda spot: spot.point.throughput.value)
    return [spot for spot in line.known if not order.faster(top.point, spot.point)]


def fastest(sweep: Sweep, order: Order, most: int = 4) -> str:
    """Where each line is fastest, as far as the rounds tell.

    Nothing for width, which always slows, nor of lines on which values are still to be measured.
    """
    if sweep.axis == "dim":
        return ""
    verb = "gives most images per second" if sweep.axis == "batch" else "is fastest"
    return _told(sweep, most, lambda line: _fastest(sweep, line, order, verb))


def _fastest(sweep: Sweep, line: Line, order: Order, verb: str) -> tuple[str, str] | None:
    """Words before and after the places that share them."""
    if len(line.known) < 2 or any(spot.point.line_unfinished for spot in line.spots):
        return None
    first_ones = leaders(line, order)
    ats, values = [spot.at for spot in first_ones], [spot.at for spot in line.known]
    if len(ats) == 1:
        return f"{valued(sweep, ats)} {verb} at", ""
    why = doubt(order.between(a.point, b.point) for a, b in combinations(first_ones, 2))
    if len(ats) == len(values):
        return "at", f" which {called(sweep)} is fastest is undecided ({why})" if why else f" {NO_DIFFERENCE}"
    first = values.index(ats[0])
    run = values[first : first + len(ats)] == ats and len(ats) > 2
    text = (
        valued(sweep, ats).replace(joined([number(at) for at in ats]), _span(ats))
        if run
        else valued(sweep, ats)
    )
    said = (
        f"which of {text} is fastest is undecided ({why})"
        if why
        else f"{text} are fastest, with {NO_DIFFERENCE}"
    )
    return "at", f" {said}"


def _span(ats: Sequence[float]) -> str:
    return f"{number(ats[0])} to {number(ats[-1])}"


def fewest(sweep: Sweep, most: int = 4) -> str:
    """Which value of a parameter needs the fewest MACs; nothing for other axes, and for lower bounds."""
    if not sweep.is_parameter:
        return ""
    return _told(sweep, most, lambda line: _fewest(sweep, line))


def _fewest(sweep: Sweep, line: Line) -> tuple[str, str] | None:
    spots = [spot for spot in line.spots if spot.point.metrics["macs"].known]
    if len(spots) < 2 or not all(spot.point.exact for spot in spots):
        return None
    least = min(spot.point.macs for spot in spots)
    ats = [spot.at for spot in spots if spot.point.macs == least]
    if len(ats) == len(spots):
        return "at", f" MACs are the same for every {called(sweep)}"
    return f"{valued(sweep, ats)} {'needs' if len(ats) == 1 else 'need'} the fewest MACs at", ""


def _told(sweep: Sweep, most: int, say: Callable[[Line], tuple[str, str] | None]) -> str:
    """A sentence a name; kernels that agree share it, places that agree share a clause."""
    sentences = []
    names = list(dict.fromkeys(line.name for line in sweep.lines))
    for name in names[:most]:
        told: dict[str, list[str]] = {}
        for kernel in kernels_of(sweep.cells):
            clauses: dict[tuple[str, str], list[int | str]] = {}
            mine = [line for line in sweep.lines if (line.name, line.kernel) == (name, kernel)]
            order = resolutions_of(sweep.cells)
            for line in sorted(mine, key=lambda line: order.index(line.resolution)):
                said = say(line)
                if said:
                    clauses.setdefault(said, []).append(line.resolution)
            text = "; ".join(f"{begin} {places(where)}{end}" for (begin, end), where in clauses.items())
            if text:
                told.setdefault(text, []).append(kernel)
        sentences += [f"{name} with {joined(on)}: {text}." for text, on in told.items()]
    if sentences and len(names) > most:
        sentences.append(
            f"{counted(len(names) - most, 'more name is', 'more names are')} in the figure or the table of "
            "all numbers."
        )
    return " ".join(sentences)


def laws(sweep: Sweep, metric: str) -> list[tuple[Line, Growth]]:
    """The power law of every line that has one."""
    found = []
    for line in sweep.lines:
        law = growth([s.at for s in line.spots], [s.point.metrics[metric].value for s in line.spots])
        if law is not None:
            found.append((line, law))
    return found


def grows(sweep: Sweep) -> str:
    """What surely grows faster and what surely slower, at the smallest and the largest resolution."""
    if sweep.axis not in _GROWING:
        return ""
    sentences = []
    ends = dict.fromkeys([resolutions_of(sweep.cells)[0], resolutions_of(sweep.cells)[-1]])
    for metric in FITTED:
        found = laws(sweep, metric)
        for kernel in kernels_of(sweep.cells):
            for resolution in ends:
                here = [
                    (line, law)
                    for line, law in found
                    if (line.kernel, line.resolution) == (kernel, resolution)
                ]
                text = _contrast(here, sweep, metric)
                if text:
                    sentences.append(f"With the {kernel} kernel at {pixels(resolution)}, {text}.")
    return " ".join(sentences)


def _contrast(here: Sequence[tuple[Line, Growth]], sweep: Sweep, metric: str) -> str:
    """Two are held against each other only over the same values, and where the intervals of both tell."""
    if not here:
        return ""
    spans = [(law.sizes, law.first, law.last) for _, law in here]
    usual = max(spans, key=spans.count)
    mine = [one for one, span in zip(here, spans, strict=True) if span == usual]
    fast, slow = max(mine, key=lambda one: one[1].lo), min(mine, key=lambda one: one[1].hi)
    if len(mine) > 1 and fast[1].lo <= slow[1].hi:
        return ""
    text = f"{lowered(METRICS[metric].label)} of {_law(sweep, *fast)}"
    if fast is not slow:
        text += f", that of {_law(sweep, *slow)}"
    return f"{text}, between {number(fast[1].first)} and {number(fast[1].last)}"


def _law(sweep: Sweep, line: Line, law: Growth) -> str:
    few = f" ({law.sizes} values, at most {100 * law.residual:.1f} % off)" if law.sizes < FEW else ""
    return f"{line.name} grows as {sweep.axis}^{interval(law)}{few}"


def law_table(sweep: Sweep) -> Table | None:
    """Every exponent with its interval; None for a parameter, and where no line has three values."""
    found = {metric: {id(line): law for line, law in laws(sweep, metric)} for metric in FITTED}
    shown = [metric for metric in FITTED if found[metric]]
    if sweep.axis not in _GROWING or not shown or len(sweep.lines) > MOST_LINES:
        return None
    headers = [
        Header(noun(p.subject for p in sweep.cells).heading),
        Header("Kernel"),
        Header("Resolution", numeric=True),
    ]
    for metric in shown:
        headers += [
            Header(f"{METRICS[metric].label} (exponent)", numeric=True),
            Header("Largest residual", numeric=True),
        ]
    headers += [Header(f"Values of {called(sweep)}", numeric=True)]
    rows = []
    for line in sweep.lines:
        mine = {metric: found[metric].get(id(line)) for metric in shown}
        known = [law for law in mine.values() if law is not None]
        if not known:
            continue
        texts = [TableCell(line.name), TableCell(line.kernel), TableCell(pixels(line.resolution))]
        for law in mine.values():
            texts.append(TableCell(interval(law), law.exponent) if law else TableCell("–"))
            texts.append(TableCell(f"{100 * law.residual:.1f} %", law.residual) if law else TableCell("–"))
        widest = max(known, key=lambda law: law.sizes)
        span = f"{widest.sizes}: {number(widest.first)} to {number(widest.last)}"
        rows.append(Row((*texts, TableCell(span, widest.sizes))))
    return Table(
        f"{' and '.join(METRICS[metric].label for metric in shown)} as a power of the {called(sweep)}: least "
        "squares in logarithms, with the 95 % interval of the exponent by Student's t, and how far the worst "
        "point is from the power law.",
        tuple(headers),
        tuple(rows),
    )


def crossed(sweep: Sweep, order: Order, most: int = 3) -> str:
    """Who is surely faster at one value and surely slower at another, the largest swings first."""
    found: list[tuple[float, str]] = []
    compared = False
    for one, other in _rivals(sweep):
        compared = True
        told = _crossing(sweep, order, one, other)
        if told:
            found.append((told[0], f"{told[1]} ({one.kernel}, {pixels(one.resolution)})"))
    if not compared:
        return ""
    if not found:
        return f"Over {axis_named(sweep)} no two lines change places beyond what the rounds leave open."
    texts = [text for _, text in sorted(found, key=lambda item: -item[0])[:most]]
    rest = len(found) - len(texts)
    if rest:
        texts.append(f"{counted(rest, 'more pair')} {'changes' if rest == 1 else 'change'} places")
    return sentence("; ".join(texts))


def _crossing(sweep: Sweep, order: Order, one: Line, other: Line) -> tuple[float, str] | None:
    theirs = {spot.at: spot.point for spot in other.known}
    both = [(spot.at, order.between(spot.point, theirs[spot.at])) for spot in one.known if spot.at in theirs]
    up, down = ([at for at, found in both if found.side == side] for side in ("above", "below"))
    if not up or not down:
        return None
    first, second, faster, slower = (one, other, up, down) if up[0] < down[0] else (other, one, down, up)
    ratios = [found.ratio for _, found in both]
    if faster[-1] < slower[0]:
        text = f"{second.name} passes {first.name} between {valued(sweep, [faster[-1], slower[0]])}"
    else:
        text = (
            f"{first.name} is faster than {second.name} with {valued(sweep, faster)}, slower with "
            f"{valued(sweep, slower)}"
        )
    return max(ratios) / min(ratios), text


def number(at: float) -> str:
    """A value of the axis as a reader writes it: 0.5, 64."""
    return f"{at:g}"


def axis_named(sweep: Sweep) -> str:
    """The axis inside a sentence: "the width", "alpha"."""
    return sweep.title if sweep.is_parameter else f"the {WORDS[sweep.axis]}"
