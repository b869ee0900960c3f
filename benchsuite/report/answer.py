"""The answer of a page: who is fastest where, whether fewest MACs meant fastest, what a fused kernel changed.

Two or three sentences, computed from the cells. `ranking` decides who is faster; what is undecided is said to
be so, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchsuite.format import si, significant
from benchsuite.labels import noun
from benchsuite.report.answer_over_axis import of_parameter, of_protocols
from benchsuite.report.cells import Cells
from benchsuite.report.points import Point, grouped, names_of
from benchsuite.report.ranking import Order, Ranking, noun_of, rankings, speed
from benchsuite.report.words import (
    STATUS_WORDS,
    capitalised,
    counted,
    joined,
    pixels,
    places,
    sentence,
    signed,
    some,
)
from benchsuite.results.record import STATUSES
from benchsuite.stats.evidence import DISAGREE, NO_DRIFT, TOO_FEW
from benchsuite.stats.fits import spearman

RANKED = 4
"""Names below which a rank correlation says nothing."""


def answer(cells: Cells) -> list[str]:
    """The sentences about a run: its protocols if it compares them, a parameter if it varies one, else its
    largest group."""
    if not cells.points:
        return ["The run holds no records."]
    machines = {point.settings["machine"] for point in cells.points}
    if len(machines) > 1:
        return _on_one_machine(cells)
    found = of_protocols(cells) or of_parameter(cells)
    return found or of_group(main_group(cells), cells.order, cells.named_reference)


def _on_one_machine(cells: Cells) -> list[str]:
    """The answer of the machine that most cells were timed on, which it names."""
    name = main_group(cells)[0].settings["machine"]
    points = tuple(point for point in cells.points if point.settings["machine"] == name)
    groups = tuple(group for group in cells.groups if group.cells[0].settings["machine"] == name)
    own = answer(replace(cells, points=points, groups=groups))
    return [f"This is of {name}; the other machines stand under More figures.", *own]


def main_group(cells: Cells) -> Sequence[Point]:
    """The cells of the group in which most were timed; of several such, the first."""
    return max(cells.groups, key=lambda group: sum(p.throughput.known for p in group.cells)).cells


def of_group(cells: Sequence[Point], order: Order, reference: str | None) -> list[str]:
    """The sentences about comparable cells."""
    fields = rankings(cells, order)
    whole = [ranking for ranking in fields if ranking.finished]
    texts = [] if fields else [_alone(cells)]
    if whole:
        own = [ranking for ranking in whole if ranking.kernel == whole[0].kernel]
        fused = [ranking for ranking in whole if ranking.kernel != whole[0].kernel]
        texts += [
            fastest(own, reference, kernel=bool(fused)),
            fewest(own),
            changed(own, fused),
        ]
    return [capitalised(text) for text in (*texts, _unfinished(fields)) if text]


def fastest(fields: Sequence[Ranking], reference: str | None = None, *, kernel: bool = False) -> str:
    """Sentence on who leads these rankings of one kernel, and by how much.

    Args:
        kernel: name the kernel.
    """
    start = f"With the {fields[0].kernel} kernel, " if kernel and fields else ""
    return sentence(f"{start}{'; '.join(leads(fields, reference))}") if fields else ""


def leads(fields: Sequence[Ranking], reference: str | None = None) -> list[str]:
    """A clause for each set of leaders; resolutions that agree share one."""
    alike = grouped(fields, lambda one: (tuple(sorted(p.name for p in one.leaders)), one.open))
    return [_lead(shared) + _reference(shared, reference) for shared in alike.values()]


def _lead(shared: Sequence[Ranking]) -> str:
    """Clause on the leaders of these rankings, which all have the same."""
    first = shared[0]
    where = places([ranking.resolution for ranking in shared])
    leaders = some([point.name for point in first.leaders])
    if len(first.leaders) == 1:
        seconds = names_of(ranking.cells[1] for ranking in shared)
        runner_up = seconds[0] if len(seconds) == 1 else f"the runner-up ({_each_at(shared)})"
        return f"{leaders} is the fastest at {where}, {_lead_by(shared)} times as fast as {runner_up}"
    if TOO_FEW in first.open:
        return (
            f"{first.cells[0].name} has the highest median at {where}, from too few rounds to state an order"
        )
    if NO_DRIFT in first.open:
        return f"which of {leaders} is the fastest at {where} is open ({first.open})"
    if first.open:
        why = first.open.replace(DISAGREE, "the interval of the ratio includes 1")
        return f"{leaders} tie for the fastest at {where} ({why})"
    return f"{leaders} are equally fast at {where}, within the noise floor"


def _each_at(shared: Sequence[Ranking]) -> str:
    """Runners-up and where they are second: "SRA at 448 px and W-MSA at 672 px"."""
    by_name = grouped(shared, lambda ranking: ranking.cells[1].name)
    return joined([f"{name} at {places([one.resolution for one in mine])}" for name, mine in by_name.items()])


def _lead_by(shared: Sequence[Ranking]) -> str:
    """The lead over the runner-up: 1.19 [1.12, 1.26] of one ranking, 1.45 to 1.67 of several."""
    found = [ranking.order.between(*ranking.cells[:2]) for ranking in shared]
    if len(found) > 1:
        return range_of([one.ratio for one in found])
    digits = 3 if found[0].lo < 1.005 else 2  # so that an interval that excludes 1 is seen to
    return "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(found[0].ratio, found[0].lo, found[0].hi, d=digits)


def _reference(shared: Sequence[Ranking], reference: str | None) -> str:
    """Clause on the rank of the reference, where it is behind leaders and runner-up."""
    if TOO_FEW in shared[0].open:
        return ""
    ahead = max(2, len(shared[0].leaders))
    rest = [
        (place, ranking.order.between(point, ranking.cells[0]).ratio)
        for ranking in shared
        for place, point in enumerate(ranking.cells[ahead:], start=ahead + 1)
        if point.name == reference
    ]
    if not rest:
        return ""
    spots = " to ".join(dict.fromkeys(str(pick(place for place, _ in rest)) for pick in (min, max)))
    firsts = joined(names_of(ranking.cells[0] for ranking in shared), "or")
    speeds = f"{range_of([ratio for _, ratio in rest])} times the speed of {firsts}"
    last = max(len(ranking.cells) for ranking in shared)
    return f", and {reference} is number {spots} of {last} by median, at {speeds}"


def range_of(ratios: Sequence[float]) -> str:
    """Ratios in a sentence: 1.19; 1.45 to 1.67."""
    ends = (min(ratios), max(ratios))
    return " to ".join(dict.fromkeys(f"{end:.2f}" if end >= 0.1 else significant(end, 2) for end in ends))


_MEANT: Mapping[str, str] = {
    "fastest": "the fewest MACs meant fastest",
    "among": "the fastest is among those with the fewest MACs",
    "perhaps": "the fewest MACs may have meant fastest",
    "slower": "the fewest MACs did not mean fastest",
    "all": "all need the same number of MACs",
}


def _meaning(ranking: Ranking) -> str:
    """Whether those with the fewest MACs are fastest, as a key of `_MEANT`."""
    cheapest, leaders = _cheapest(ranking), ranking.leaders
    ahead = [point for point in leaders if point in cheapest]
    if len(cheapest) == len(ranking.cells):
        return "all"
    if not ahead:
        return "slower"
    if len(ahead) < len(leaders) and ranking.open:
        return "perhaps"
    return "fastest" if len(cheapest) == 1 else "among"


def _cheapest(ranking: Ranking) -> list[Point]:
    """The cells with the fewest MACs of those with an exact count."""
    least = min(point.macs for point in ranking.countable)
    return [point for point in ranking.countable if point.macs == least]


def fewest(fields: Sequence[Ranking]) -> str:
    """Sentence on whether those with the fewest MACs are fastest, and how well MACs order the others."""
    judged = [ranking for ranking in fields if len(ranking.countable) > 1]
    alike = grouped(judged, _meaning)
    parts = []
    for meaning in (key for key in _MEANT if key in alike):
        same = alike[meaning]
        text = _MEANT[meaning]
        if len(judged) > 1:
            every = "any" if meaning == "slower" else "every"
            text += f" at {every} resolution" if len(alike) == 1 else f" at {_where(same)}"
        text += "" if meaning == "all" else f": {_who(same)}"
        parts.append(text + (_behind(same) if meaning == "slower" else ""))
    parts += [text for text in [_correlation(fields)] if text]
    text = "; ".join(parts)
    return sentence(f"{text[:1].upper()}{text[1:]}")


def _where(shared: Sequence[Ranking]) -> str:
    return places([ranking.resolution for ranking in shared])


def _who(shared: Sequence[Ranking]) -> str:
    """Clause: "HiLo needs the fewest"; "HiLo at 224 px and W-MSA at 448 and 672 px"."""
    alike = grouped(shared, lambda one: (tuple(p.name for p in _cheapest(one)), _doubt(one)))
    if len(alike) == 1:
        ((names, doubt),) = alike
        size = f" ({si(_cheapest(shared[0])[0].macs)} per image)" if len(shared) == 1 else ""
        return f"{some(names, 3)} {'needs' if len(names) == 1 else 'need'} the fewest{size}{doubt}"
    return joined([f"{some(names, 3)} at {_where(same)}{doubt}" for (names, doubt), same in alike.items()])


def _doubt(ranking: Ranking) -> str:
    """Who may need fewer: a lower bound above the least cannot be the least, one below it can."""
    least = _cheapest(ranking)[0].macs
    may_be = names_of(point for point in ranking.cells if not point.exact and point.macs < least)
    return f" (unless it is {joined(may_be, 'or')}, with a lower bound only)" if may_be else ""


def _behind(shared: Sequence[Ranking]) -> str:
    """Clause on the speed of those with the fewest MACs: " and reaches 0.50 times the speed of b"."""
    ratios = [one.order.between(_cheapest(one)[0], one.leaders[0]).ratio for one in shared]
    first = names_of(one.leaders[0] for one in shared)
    reaches = "reaches" if all(len(_cheapest(one)) == 1 for one in shared) else "reach at most"
    ahead = first[0] if len(first) == 1 else "the fastest"
    return f" and {reaches} {range_of(ratios)} times the speed of {ahead}"


def _correlation(fields: Sequence[Ranking]) -> str:
    """Clause on how well MACs order the names by speed, with the numbers behind it."""
    values = []
    for ranking in fields:
        known = ranking.countable
        value = spearman([p.macs for p in known], [p.throughput.value for p in known])
        if len(known) >= RANKED and value is not None:
            values.append((value, len(known)))
    if not values:
        return ""
    low, high = min(values)[0], max(values)[0]
    numbers = dict.fromkeys((signed(low), signed(high)))
    names = noun_of(fields).counted(max(count for _, count in values))
    return f"{_verdict(low, high, f'the {names}')} (rank correlation {' to '.join(numbers)})"


def _verdict(low: float, high: float, names: str) -> str:
    """Meaning of correlations between `low` and `high`; the thresholds are ours, so the numbers follow."""
    if low >= 0.4:
        return f"among {names} more MACs tend to run faster"
    if high > -0.4:
        return f"MACs do not predict the order of {names} by speed" + (" everywhere" if low <= -0.4 else "")
    degree = "exactly" if high < -1 + 1e-9 else "well" if high <= -0.8 else "only in part"
    return f"MACs predict the order of {names} by speed {degree}"


def changed(own: Sequence[Ranking], fused: Sequence[Ranking]) -> str:
    """Sentence on the winners that fused kernels change."""
    before = {ranking.resolution: names_of(ranking.leaders) for ranking in own}
    alike: dict[str, list[str]] = {}
    for kernel, mine in grouped(fused, lambda ranking: ranking.kernel).items():
        judged = [ranking for ranking in mine if ranking.resolution in before]
        moved = [one for one in judged if names_of(one.leaders) != before[one.resolution]]
        if judged:
            alike.setdefault("; ".join(leads(moved)), []).append(kernel)
    texts = []
    for winners, kernels in alike.items():
        called = f"the fused kernel{'s' if len(kernels) > 1 else ''} ({joined(kernels)})"
        unmoved = f"T{called[1:]} {'change' if len(kernels) > 1 else 'changes'} no winner"
        texts.append(f"With {called}, {winners}" if winners else unmoved)
    return sentence(". ".join(texts))


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


def _unfinished(fields: Sequence[Ranking]) -> str:
    left = [ranking.setting for ranking in fields if not ranking.finished]
    return f"No winner is named at {some(left)}: cells of the same setting are not measured." if left else ""


def deciding(cells: Sequence[Point], order: Order) -> list[Point]:
    """The cells that the answer rests on: leaders and runners-up."""
    found: dict[str, Point] = {}
    for ranking in rankings(cells, order):
        found |= {point.cell: point for point in (*ranking.leaders, ranking.cells[1])}
    return list(found.values())
