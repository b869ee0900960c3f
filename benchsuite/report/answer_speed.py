"""Sentences on who is fastest: a few are each held against the reference, of many the first are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchsuite.format import capitalised, joined, multiples, sentence, some, times
from benchsuite.labels import noun
from benchsuite.report.ranking import Ranking
from benchsuite.report.reported_cells import ReportedCell, grouped, names_of
from benchsuite.report.words import places
from benchsuite.stats.evidence import DISAGREE, NO_DRIFT, TOO_FEW, Decision, Side

LISTED = 5
"""Cells of a setting up to which the reference is held against each other one."""
MOST = 6
"""Variants that are named."""
MANY = 0.25
"""Share of the names from which on variants are what a run is about."""
UNTOLD = (TOO_FEW, NO_DRIFT)
"""Reasons for which a pair has no interval."""


def fastest(fields: Sequence[Ranking], reference: str | None = None) -> str:
    """Sentences on the order in these rankings of one kernel; the first may go on from other words."""
    first, *rest = clauses(fields, reference)
    return sentence(". ".join([first, *map(capitalised, rest)]))


def changed(own: Sequence[Ranking], fused: Sequence[Ranking], reference: str | None = None) -> str:
    """Sentence on the winners that fused kernels change."""
    before = {ranking.resolution: set(names_of(ranking.leaders)) for ranking in own}
    alike: dict[str, list[str]] = {}
    for kernel, mine in grouped(fused, lambda ranking: ranking.kernel).items():
        judged = [ranking for ranking in mine if ranking.resolution in before]
        moved = [one for one in judged if set(names_of(one.leaders)) != before[one.resolution]]
        if judged:
            alike.setdefault("; ".join(clauses(moved, reference)), []).append(kernel)
    texts = []
    for winners, kernels in alike.items():
        called = f"the fused kernel{'s' if len(kernels) > 1 else ''} ({joined(kernels)})"
        texts.append(
            f"With {called}, {winners}" if winners else f"{_same(own)} with {called} as with {own[0].kernel}"
        )
    return sentence(". ".join(texts))


def _same(own: Sequence[Ranking]) -> str:
    """Clause: "The same mixers win"."""
    leaders = [cell for one in own for cell in one.leaders]
    called = noun(cell.subject for cell in leaders)
    one = len(names_of(leaders)) == 1
    return f"The same {called.single} wins" if one else f"The same {called.plural} win"


def variants(fields: Sequence[Ranking], reference: str | None) -> str:
    """Sentence on names that vary another one, beside that, where many do: at the largest resolution of most.

    "Swin-T + ACmix" varies Swin-T, "+ ConvFFN" the reference; of "DW (static)" and "DW (dynamic)" the slower
    varies the faster. What is true of most comes first.
    """
    one = max(reversed(fields), key=lambda ranking: len(variants_of(ranking, reference)))
    found = sorted(variants_of(one, reference), key=lambda pair: one.order.between(*pair).ratio)
    if len(found) < max(2, MANY * len(one.cells)):
        return ""
    told: dict[str, list[str]] = {}
    level: dict[str, list[tuple[str, float]]] = {}
    for cell, base in found:
        decision = one.order.between(cell, base)
        if decision.side in ("above", "below"):
            slower = decision.side == "below"
            ratio = times(1 / decision.ratio if slower else decision.ratio)
            first = f"takes {ratio} times as long as" if slower else f"is {ratio} times as fast as"
            verb = f"{ratio} times" if decision.side in told else first
            told.setdefault(decision.side, []).append(f"{cell.name} {verb} {base.name}")
        else:
            level.setdefault(base.name, []).append((cell.name, decision.ratio))
    parts = [(len(texts), some(texts, MOST)) for texts in told.values()]
    parts += [
        (
            len(alike),
            f"{some([name for name, _ in alike])} {'does' if len(alike) == 1 else 'do'} not differ "
            f"significantly from {base} ({multiples([ratio for _, ratio in alike])} times as fast)",
        )
        for base, alike in level.items()
    ]
    return sentence(". ".join(text for _, text in sorted(parts, key=lambda part: -part[0])))


def variants_of(one: Ranking, reference: str | None) -> list[tuple[ReportedCell, ReportedCell]]:
    """The cells whose names vary another's, each with that one; without those of too few rounds to tell."""
    named = {cell.name: cell for cell in reversed(one.cells)}
    stems = {name.partition(" (")[0]: name for name in named if " (" in name}  # the fastest comes last
    pairs = []
    for name, cell in named.items():
        words = name.split(" ")
        begun = (" ".join(words[:count]) for count in range(len(words) - 1, 0, -1))  # the longest first
        base = next((one for one in begun if one in named), stems.get(name.partition(" (")[0], ""))
        base = reference or "" if name.startswith(("+ ", "− ")) else base
        if base in named and base != name and one.order.between(cell, named[base]).reason not in UNTOLD:
            pairs.append((cell, named[base]))
    return pairs


def clauses(fields: Sequence[Ranking], reference: str | None) -> list[str]:
    """A clause for each outcome; resolutions that agree share one."""
    if reference and are_listed(fields, reference):
        sides = grouped(fields, lambda one: tuple(sorted(_sides(one, reference).items())))
        where = len({ranking.resolution for ranking in fields}) > 1
        return [_beside(shared, reference, where=where) for shared in sides.values()]
    alike = grouped(fields, lambda one: (tuple(sorted(p.name for p in one.leaders)), one.open))
    return [_lead(shared, reference, fields) for shared in alike.values()]


def are_listed(fields: Sequence[Ranking], reference: str | None) -> bool:
    """True if there are a few cells in each, which the reference is held against, all with an interval."""
    return bool(fields) and all(
        len(one.cells) <= LISTED
        and (base := one.named(reference)) is not None
        and not any(
            one.order.between(base, other).reason in UNTOLD for other in one.cells if other is not base
        )
        for one in fields
    )


def _sides(one: Ranking, reference: str) -> Mapping[str, Side]:
    """Name of each rival → the side on which the speed of the reference over its own lies."""
    base = one.named(reference)
    return {cell.name: one.order.side(base, cell) for cell in one.cells if base and cell is not base}


def _beside(shared: Sequence[Ranking], reference: str, *, where: bool) -> str:
    """Clause on the reference and each of a few others, the nearest first."""
    sides = _sides(shared[0], reference)

    def found(name: str, *, turned: bool = False) -> list[Decision]:
        """The speed of the reference over that of another, or turned round."""
        pairs = ((one, one.named(reference), one.named(name)) for one in shared)
        turns = ((one, *((other, base) if turned else (base, other))) for one, base, other in pairs)
        return [one.order.between(first, second) for one, first, second in turns if first and second]

    near = sorted(sides, key=lambda name: abs(found(name)[0].ratio - 1))
    ahead = [
        f"{name} is {_multiple(found(name, turned=True))} as fast as {reference}"
        for name in near
        if sides[name] == "below"
    ]
    behind = joined(
        [f"{_multiple(found(name))} as fast as {name}" for name in near if sides[name] == "above"]
    )
    level = joined(
        [f"{name} ({_multiple(found(name))})" for name in near if sides[name] in ("same", "undecided")], "or"
    )
    own = [f"is {behind}"] if behind else []
    own += [f"does not differ significantly from {level}"] if level else []
    text = "; ".join([*([f"{reference} {', and '.join(own)}"] if own else []), *ahead])
    return f"at {places([one.resolution for one in shared])}, {text}" if where else text


def _lead(shared: Sequence[Ranking], reference: str | None, fields: Sequence[Ranking]) -> str:
    """Clause on the leaders of these rankings, which all have the same; `fields` are those of all."""
    first = shared[0]
    where = places([ranking.resolution for ranking in shared])
    leaders = some([cell.name for cell in first.leaders])
    if len(first.leaders) == 1:
        seconds, behind = names_of(one.cells[1] for one in shared), _behind(shared, reference)
        rare = 2 * len(shared) < len(fields) and leaders not in names_of(
            cell for one in fields if one not in shared for cell in one.leaders
        )
        start = f"{leaders} is the fastest {'only at' if rare else 'at'}"
        if len(shared) > 1 and len(seconds) > 1 and not behind:
            return f"{start} {_each_runner_up(shared)}"
        ahead = joined(behind if behind and len(seconds) > 1 else [_runner_up(shared), *behind])
        return f"{start} {where}, {ahead}"
    if TOO_FEW in first.open:
        return (
            f"{first.cells[0].name} has the highest median at {where}, from too few rounds to state an order"
        )
    if NO_DRIFT in first.open:
        text = f"which of {leaders} is the fastest at {where} is open ({first.open})"
    elif first.open:
        why = first.open.replace(DISAGREE, "the interval of the ratio includes 1")
        text = f"{leaders} tie for the fastest at {where} ({why})"
    else:
        text = f"{leaders} are equally fast at {where}, within the noise floor"
    return text + _ahead_of_others(shared, reference)


def _runner_up(shared: Sequence[Ranking]) -> str:
    """The lead over the second, of which there is one: "1.19 [1.12, 1.26] times as fast as b"."""
    found = [ranking.order.between(*ranking.cells[:2]) for ranking in shared]
    return f"{_multiple(found)} as fast as {shared[0].cells[1].name}"


def _each_runner_up(shared: Sequence[Ranking]) -> str:
    """The lead over each second: "448 px (1.4 times as fast as a) and 672 px (1.6 times as fast as b)"."""
    seconds = grouped(shared, lambda ranking: ranking.cells[1].name)
    each = [f"{places([one.resolution for one in mine])} ({_runner_up(mine)})" for mine in seconds.values()]
    return joined(each)


def _multiple(found: Sequence[Decision]) -> str:
    """Ratios in a sentence, a single one with its interval: "1.19 [1.12, 1.26] times", "1.4 to 1.6 times"."""
    if len(found) > 1:
        return f"{multiples([one.ratio for one in found])} times"
    one = found[0]
    # Three digits where an interval that excludes 1 would not be seen to.
    near = one.side in ("above", "below") and min(abs(one.lo - 1), abs(one.hi - 1)) < 0.005
    digits = 3 if near else 2 if one.ratio < 10 else 0
    return "{:.{d}f} [{:.{d}f}, {:.{d}f}] times".format(one.ratio, one.lo, one.hi, d=digits)


def _behind(shared: Sequence[Ranking], reference: str | None) -> list[str]:
    """The lead over the reference and its place, where it is behind leaders and runner-up."""
    ahead = max(2, len(shared[0].leaders))
    rest = [
        (place, ranking.order.between(ranking.cells[0], cell).ratio)
        for ranking in shared
        for place, cell in enumerate(ranking.cells[ahead:], start=ahead + 1)
        if cell.name == reference
    ]
    if not rest:
        return []
    spots = " to ".join(dict.fromkeys(str(pick(place for place, _ in rest)) for pick in (min, max)))
    last = max(len(ranking.cells) for ranking in shared)
    sides = _sides(shared[0], reference or "").values() if len(shared) == 1 else ()
    near = sum(side in ("same", "undecided") for side in sides)
    alike = f"; {near} others do not differ significantly from {reference}" if near > 1 else ""
    return [
        f"{multiples([ratio for _, ratio in rest])} times as fast as {reference} "
        f"(number {spots} of {last} by median{alike})"
    ]


def _ahead_of_others(shared: Sequence[Ranking], reference: str | None) -> str:
    """Clause on the lead of those that tie: over the reference, or else over all that do not."""
    first = joined(names_of(ranking.cells[0] for ranking in shared), "or")
    if told := _behind(shared, reference):
        return f"; {first} is {told[0]}"
    others = names_of(cell for one in shared for cell in one.cells[len(one.leaders) :])
    if not others:
        return ""
    leads = reference in names_of(shared[0].leaders)
    ratios = [
        one.order.between((one.named(reference) if leads else None) or one.cells[0], other).ratio
        for one in shared
        for other in one.cells[len(one.leaders) :]
    ]
    who = others[0] if len(others) == 1 else f"the other {len(others)}"
    return f"; {reference if leads else first} is {multiples(ratios)} times as fast as {who}"
