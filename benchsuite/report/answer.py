"""The answer of a page: who is fastest where, whether fewest MACs meant fastest, what a fused kernel changed.

Two or three sentences, computed from the cells. Who is faster is decided by `order`; what is undecided is
said to be so, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchsuite.format import si
from benchsuite.labels import noun
from benchsuite.report.cells import Cells
from benchsuite.report.contests import NEAR, Contest, contests, noun_of, speed
from benchsuite.report.order import Order
from benchsuite.report.over import of_parameter, of_protocols
from benchsuite.report.points import Point, names_of
from benchsuite.report.winners import fastest, leads, range_of
from benchsuite.report.words import STATUS_WORDS, counted, joined, pixels, places, sentence, signed, some
from benchsuite.results.kernels import is_fused
from benchsuite.results.record import STATUSES
from benchsuite.stats.evidence import Decision
from benchsuite.stats.fits import spearman

RANKED = 4
"""Names below which a rank correlation says nothing."""


def answer(cells: Cells) -> list[str]:
    """The sentences about a run: its protocols if it compares them, a parameter if it varies one, else its
    largest group."""
    if not cells.points:
        return ["The run holds no records."]
    found = of_protocols(cells) or of_parameter(cells)
    return found or of_group(main_group(cells), cells.order, cells.asked)


def main_group(cells: Cells) -> Sequence[Point]:
    """The cells of the group in which most were timed; of several such, the first."""
    return max(cells.groups, key=lambda group: sum(p.throughput.known for p in group.cells)).cells


def of_group(cells: Sequence[Point], order: Order, reference: str | None) -> list[str]:
    """The sentences about comparable cells."""
    fields = contests(cells, order)
    whole = [contest for contest in fields if contest.finished]
    found = [] if fields else [_alone(cells)]
    if whole:
        own = [contest for contest in whole if contest.kernel == whole[0].kernel]
        fused = [contest for contest in whole if contest.kernel != whole[0].kernel]
        found += [fastest(own, reference, kernel=bool(fused)), fewest(own), changed(own, fused, cells, order)]
    return [_started(text) for text in (*found, _unfinished(fields)) if text]


def _started(text: str) -> str:
    """The sentence with a capital where it begins with a word of ours and not with a name."""
    return f"{text[0].upper()}{text[1:]}" if text.startswith(("which ", "no ")) else text


@dataclass(frozen=True, slots=True)
class _Least:
    """Who needs the fewest MACs in a contest.

    Attributes:
        verdict: "fastest", "perhaps" or "slower"; "among" where some of them are; "all" where every cell
            needs the same.
        behind: speed as a multiple of the leader's: of the slowest of them where the leader is among them,
            else of the fastest.
        doubt: who may need fewer.
    """

    contest: Contest
    names: tuple[str, ...]
    verdict: str
    behind: float
    doubt: str


def _least(contest: Contest) -> _Least | None:
    known = contest.countable
    if len(known) < 2:
        return None
    least = min(point.macs for point in known)
    cheapest = [point for point in known if point.macs == least]
    # A lower bound above the least cannot be the least; one below it can.
    open_ = names_of(p for p in contest.cells if not p.exact and p.macs < least)
    doubt = f" (unless it is {joined(open_, 'or')}, with a lower bound only)" if open_ else ""
    leaders = contest.leaders
    ahead = [point for point in leaders if point in cheapest]
    if len(cheapest) == len(contest.cells):
        verdict = "all"
    elif not ahead:
        verdict = "slower"
    elif len(ahead) < len(leaders) and contest.open:
        verdict = "perhaps"
    else:
        verdict = "fastest" if len(ahead) == len(cheapest) else "among"
    beside = cheapest[-1] if ahead else cheapest[0]
    behind = 1.0 if beside is leaders[0] else contest.order.between(beside, leaders[0]).ratio
    return _Least(contest, tuple(p.name for p in cheapest), verdict, behind, doubt)


_MEANT: Mapping[str, str] = {
    "fastest": "the fewest MACs meant fastest",
    "among": "the fastest is among those with the fewest MACs",
    "perhaps": "the fewest MACs may have meant fastest",
    "slower": "the fewest MACs did not mean fastest",
    "all": "all need the same number of MACs",
}


def fewest(fields: Sequence[Contest]) -> str:
    """Whether those with the fewest MACs are the fastest, and how well MACs order the others."""
    found = [least for contest in fields if (least := _least(contest)) is not None]
    parts = []
    for verdict, words in _MEANT.items():
        mine = [one for one in found if one.verdict == verdict]
        if not mine:
            continue
        every = (
            "" if len(found) == 1 else " at any resolution" if verdict == "slower" else " at every resolution"
        )
        text = words + (every if len(mine) == len(found) else f" at {_where(mine)}")
        if verdict != "all":
            text += f": {_who(mine)}"
        if verdict == "among" and len(mine) == 1 and mine[0].behind < NEAR:
            text += f", but {mine[0].names[-1]} reaches only {range_of([mine[0].behind])} times the speed of "
            text += mine[0].contest.leaders[0].name
        if verdict == "slower":
            first = {one.contest.leaders[0].name for one in mine}
            ahead = first.pop() if len(first) == 1 else "the fastest"
            reaches = "reaches" if all(len(one.names) == 1 for one in mine) else "reach at most"
            text += f" and {reaches} {range_of([one.behind for one in mine])} times the speed of {ahead}"
        parts.append(text)
    parts += [text for text in [_correlation(fields)] if text]
    text = "; ".join(parts)
    return sentence(f"{text[:1].upper()}{text[1:]}")


def _where(found: Sequence[_Least]) -> str:
    return places([one.contest.resolution for one in found])


def _who(found: Sequence[_Least]) -> str:
    """Who needs the fewest: "HiLo needs the fewest"; "HiLo at 224 px and W-MSA at 448 and 672 px"."""
    alike: dict[tuple[tuple[str, ...], str], list[_Least]] = {}
    for one in found:
        alike.setdefault((one.names, one.doubt), []).append(one)
    if len(alike) == 1:
        one = found[0]
        least = min(point.macs for point in one.contest.countable)
        size = f" ({si(least)} per image)" if len(found) == 1 else ""
        return (
            f"{some(one.names, 3)} {'needs' if len(one.names) == 1 else 'need'} the fewest{size}{one.doubt}"
        )
    return joined(
        [f"{some(names, 3)} at {_where(shared)}{doubt}" for (names, doubt), shared in alike.items()]
    )


def _correlation(fields: Sequence[Contest]) -> str:
    """How well MACs order the names by speed, as a clause with the numbers behind it."""
    found = []
    for contest in fields:
        known = contest.countable
        value = spearman([p.macs for p in known], [p.throughput.value for p in known])
        if len(known) >= RANKED and value is not None:
            found.append((value, len(known)))
    if not found:
        return ""
    low, high = min(found)[0], max(found)[0]
    numbers = dict.fromkeys((signed(low), signed(high)))
    names = noun_of(fields).counted(max(count for _, count in found))
    return f"{_verdict(low, high, f'the {names}')} (rank correlation {' to '.join(numbers)})"


def _verdict(low: float, high: float, names: str) -> str:
    """What correlations between `low` and `high` mean; the thresholds are ours, so the numbers follow."""
    order = f"MACs predict the order of {names} by speed"
    if high < -1 + 1e-9:
        return f"{order} exactly"
    if high <= -0.8:
        return f"{order} well"
    if low <= -0.8:
        return f"{order} well in some settings, worse in others"
    if high <= -0.4:
        return f"{order} only in part"
    if low <= -0.4:
        return f"{order} in part at best"
    return (
        f"among {names} more MACs tend to run faster"
        if low >= 0.4
        else (f"MACs do not predict the order of {names} by speed")
    )


def changed(own: Sequence[Contest], fused: Sequence[Contest], cells: Sequence[Point], order: Order) -> str:
    """What the fused kernels change of the winners, and what they speed up or slow down."""
    before = {contest.resolution: contest.leaders for contest in own}
    alike: dict[str, list[str]] = {}
    for kernel in dict.fromkeys(contest.kernel for contest in fused):
        mine = [contest for contest in fused if contest.kernel == kernel and contest.resolution in before]
        moved = [c for c in mine if names_of(c.leaders) != names_of(before[c.resolution])]
        if mine:
            alike.setdefault("; ".join(leads(moved)), []).append(kernel)
    texts = []
    for winners, kernels in alike.items():
        called = f"the fused kernel{'s' if len(kernels) > 1 else ''} ({joined(kernels)})"
        unmoved = f"{called[:1].upper()}{called[1:]} {'change' if len(kernels) > 1 else 'changes'} no winner"
        texts.append(f"With {called}, {winners}" if winners else unmoved)
    return sentence(". ".join(texts) + _gains(cells, order)) if texts else ""


def _gains(cells: Sequence[Point], order: Order) -> str:
    """The largest gain and the largest loss against the math kernel, as far as the rounds tell."""
    math_of = {(p.name, p.resolution): p for p in cells if p.kernel == "math"}
    pairs = [
        (point, order.between(point, math_of[point.name, point.resolution]))
        for point in cells
        if is_fused(point.kernel, point.backends) and point.rounds_s
        and (point.name, point.resolution) in math_of and math_of[point.name, point.resolution].rounds_s
    ]  # fmt: skip
    if not pairs:
        return ""
    several = len({point.kernel for point, _ in pairs}) > 1
    most = max((pair for pair in pairs if pair[1].side == "above"), key=_ratio, default=None)
    least = min((pair for pair in pairs if pair[1].side == "below"), key=_ratio, default=None)
    parts = [
        f"{verb} {pair[0].name} most ({_gain(*pair, several=several)})"
        for verb, pair in (("speeds up", most), ("slows down", least))
        if pair
    ]
    return f"; fusing {joined(parts)}" if parts else "; no speed differs significantly from that on math"


def _ratio(pair: tuple[Point, Decision]) -> float:
    return pair[1].ratio


def _gain(point: Point, gain: Decision, *, several: bool) -> str:
    on = f" with {point.kernel}" if several else ""
    return f"{gain.ratio:.2f} times at {pixels(point.resolution)}{on}"


def _alone(cells: Sequence[Point]) -> str:
    """A run with nothing to compare."""
    timed = [point for point in cells if point.throughput.known]
    called = noun(point.subject for point in cells)
    if not timed:
        return failures(cells) or "Nothing was timed."
    if len(names_of(timed)) > 1:
        return f"No two {called.plural} were timed in the same setting, so there is nothing to compare."
    return (
        f"A single {called.single} was measured, so there is nothing to compare: {timed[0].name} reaches "
        f"{speed(timed[0])} at {pixels(timed[0].resolution)}."
    )


def failures(cells: Sequence[Point]) -> str:
    """Cells without a number, by status, as a sentence; empty if there are none."""
    failed = [point for point in cells if point.status != "ok"]
    kinds = [
        f"{len(these)} {STATUS_WORDS[status]} ({some(names_of(these))})"
        for status in STATUSES
        if (these := [point for point in failed if point.status == status])
    ]
    return f"{len(failed)} of {counted(len(cells), 'cell')} gave no number: {joined(kinds)}." if kinds else ""


def _unfinished(fields: Sequence[Contest]) -> str:
    left = [contest.setting for contest in fields if not contest.finished]
    return f"No winner is named at {some(left)}: cells of the same setting are not measured." if left else ""


def deciding(cells: Sequence[Point], order: Order) -> list[Point]:
    """The cells that the answer rests on: leaders and runners-up."""
    found: dict[str, Point] = {}
    for contest in contests(cells, order):
        found |= {point.cell: point for point in (*contest.leaders, contest.cells[1])}
    return list(found.values())
