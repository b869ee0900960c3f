"""Headlines that answer a question by Yes, No or Undecided, as far as the rule of evidence carries.

Yes and No are said where every pair of cells that they rest on is decided; each has its number.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.format import joined, multiples
from benchsuite.report.answer_macs import cheapest
from benchsuite.report.ranking import Ranking
from benchsuite.report.reported_cells import ReportedCell, grouped, names_of, resolutions_of
from benchsuite.report.words import places
from benchsuite.stats.evidence import Decision

MOST_WORDS = 14
_LEVEL = {"shared": "No: {} is as fast", "open": "Undecided: {} may be as fast"}
_Pair = tuple[Ranking, ReportedCell, Decision]
"""A ranking, a rival in it, and the decision on the speed over the rival's."""


def is_fastest(name: str, fields: Sequence[Ranking]) -> str:
    """Whether a name is the fastest of every ranking that it is in."""
    mine = [one for one in fields if one.named(name)]
    outcomes = grouped(mine, lambda one: _outcome(one, name))
    if "lost" in outcomes:
        return _not_fastest(name, mine, outcomes.get("won", []), outcomes["lost"])
    for outcome, text in _LEVEL.items():
        if alike := outcomes.get(outcome):
            rivals = [other for other in names_of(p for one in alike for p in one.leaders) if other != name]
            won = len(outcomes.get("won", []))
            return shortest(
                f"{text.format(joined(rivals, 'or'))} {at(alike, mine)}",
                f"{text.partition(' ')[0]} surely the fastest in {won or 'none'} of {len(mine)} settings",
            )
    seconds = names_of(one.cells[1] for one in mine)
    lead = multiple([one.order.between(*one.cells[:2]) for one in mine])
    return f"Yes: {lead} as fast as {seconds[0] if len(seconds) == 1 else 'the runner-up'}"


def _outcome(one: Ranking, name: str) -> str:
    """Whether a name won, surely lost, shares the lead without a difference, or nobody can tell."""
    own, leaders = one.named(name), one.leaders
    if own is not None and one.order.faster(leaders[0], own):
        return "lost"
    if leaders == (own,):
        return "won"
    return "open" if own not in leaders or one.open else "shared"


def _not_fastest(name: str, mine: Sequence[Ranking], won: Sequence[Ranking], lost: Sequence[Ranking]) -> str:
    lead = multiple([one.order.between(one.leaders[0], own) for one in lost if (own := one.named(name))])
    counts = f"No: in {len(won)} of {len(mine)} settings; in {len(lost)} another is faster, {lead}"
    winners = {joined(names_of(one.leaders), "or") for one in lost}
    mixed = {one.resolution for one in won} & {one.resolution for one in lost}
    if len(winners) > 1 or mixed or len(won) + len(lost) < len(mine):
        return counts
    first = winners.pop()
    if not won:
        return shortest(f"No: {first} is, {lead} as fast as {name}", counts)
    return shortest(f"No: only {at(won, mine)}; {at(lost, mine)} {first} is faster ({lead})", counts)


def is_faster(name: str, rivals: Sequence[str], fields: Sequence[Ranking]) -> str:
    """Whether a name is faster than these rivals, or than all others, in every ranking."""
    pairs = [
        (one, other, one.order.between(own, other))
        for one in fields
        if (own := one.named(name))
        for other in one.cells
        if other is not own and (other.name in rivals or not rivals)
    ]
    if not pairs:
        return ""
    by_side = grouped(pairs, lambda pair: pair[2].side)
    above, below = by_side.get("above", []), by_side.get("below", [])
    level = [*by_side.get("same", []), *by_side.get("undecided", [])]
    others = names_of(other for _, other, _ in pairs)
    beside = others[0] if len(others) == 1 else f"the other {len(others)}"
    if below:
        return _slower(name, above, below, len(pairs))
    if not above and "undecided" in by_side:
        return f"Undecided: it does not differ significantly from {beside}"
    if not above:
        return f"No: it is as fast as {beside}, within the noise floor"
    gains = multiple([found for _, _, found in above])
    return _partly(gains, above, level, fields) if level else f"Yes: {gains} as fast as {beside}"


def _slower(name: str, above: Sequence[_Pair], below: Sequence[_Pair], number: int) -> str:
    losses = multiple([one.order.between(other, own) for one, other, _ in below if (own := one.named(name))])
    first = names_of(other for _, other, _ in below)
    counts = f"No: faster in {len(above)} of {number} comparisons, slower in {len(below)} ({losses})"
    only = len(first) == 1 and not above
    return shortest(f"No: {first[0]} is {losses} as fast as {name}", counts) if only else counts


def _partly(gains: str, above: Sequence[_Pair], level: Sequence[_Pair], fields: Sequence[Ranking]) -> str:
    """Faster than some, and of others not surely: those of one kernel, or everywhere the same."""
    kernels = {one.kernel for one, _, _ in level}
    ahead, near = (names_of(other for _, other, _ in pairs) for pairs in (above, level))
    share = f"{len(above)} of {len(above) + len(level)} comparisons ({gains})"
    counts = f"Partly: in {share}; no significant difference elsewhere"
    if not set(ahead) & set(near):
        told = f"Partly: {gains} as fast as {joined(ahead)}; no significant difference from {joined(near)}"
        return shortest(told, counts)
    if len(kernels) == 1 < len({one.kernel for one in fields}):
        doubt = "undecided" if all(found.side == "undecided" for _, _, found in level) else "level"
        told = f"Yes, {gains} as fast; {doubt} with {kernels.pop()} against {joined(near)}"
        return shortest(told, counts)
    return counts


def is_fewest(fields: Sequence[Ranking]) -> str:
    """Whether the cell with the fewest MACs is the fastest, setting by setting; empty where all are equal."""
    judged = [one for one in fields if len({cell.macs for cell in one.countable}) > 1]
    outcomes = grouped(judged, _fewest)
    yes, no = outcomes.get("yes", []), outcomes.get("no", [])
    number, good = len(judged), len(yes)
    if number == 1 and no:
        least = cheapest(judged[0])
        lead = multiple([judged[0].order.between(judged[0].leaders[0], cell) for cell in least])
        first = joined(names_of(judged[0].leaders), "or")
        return shortest(
            f"No: {first} is, {lead} as fast as {joined(names_of(least), 'or')}", f"No: another is, {lead}"
        )
    if no:
        only = " only" if good else ""
        return f"No: the fewest MACs were fastest in {good or 'none'} of {number} settings{only}"
    if not judged or good < number:
        told = f"Undecided: the fewest MACs were surely fastest in {good or 'none'} of {number} settings"
        return told if judged else ""
    if number == 1:
        return f"Yes: {joined(names_of(judged[0].leaders), 'or')} is both"
    return f"Yes: the fewest MACs were fastest in all {number} settings"


def _fewest(one: Ranking) -> str:
    least, leaders = cheapest(one), one.leaders
    if all(one.order.faster(leaders[0], cell) for cell in least):
        return "no"
    return "yes" if all(cell in least for cell in leaders) else "open"


def shortest(*texts: str) -> str:
    """The first of these that has few words, else the last."""
    return next((text for text in texts if len(text.split()) <= MOST_WORDS), texts[-1])


def multiple(decisions: Sequence[Decision]) -> str:
    """Ratios as a multiple: "1.28 times", "1.04–1.12 times"."""
    return f"{between([one.ratio for one in decisions])} times"


def between(ratios: Sequence[float]) -> str:
    """The least and the largest of these: "1.28", "1.04–1.12"."""
    return multiples(ratios).replace(" to ", "–")


def at(shared: Sequence[Ranking], fields: Sequence[Ranking]) -> str:
    """Where some of these rankings are: "at 224 px", "from 448 px" of several that reach to the largest."""
    sizes, every = (resolutions_of(cell for one in some for cell in one.cells) for some in (shared, fields))
    rising = 1 < len(sizes) < len(every) and sizes == every[-len(sizes) :]
    return f"from {places(sizes[:1])}" if rising else f"at {places(sizes)}"
