"""The sentence on whether those with the fewest MACs are fastest, and how well MACs order the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchsuite.format import joined, multiples, sentence, si, signed, some
from benchsuite.labels import noun
from benchsuite.report.ranking import Ranking
from benchsuite.report.reported_cells import ReportedCell, grouped, names_of
from benchsuite.report.words import places
from benchsuite.stats.rank_correlation import spearman

RANKED = 4
"""Names below which a rank correlation says nothing."""
_MEANT: Mapping[str, str] = {
    "fastest": "the {those} with the fewest MACs {was} the fastest",
    "among": "the fastest was among the {those} with the fewest MACs",
    "either": "the {those} with the fewest MACs {was} the fastest or tied with it",
    "perhaps": "the {those} with the fewest MACs {was} among the fastest",
    "slower": "the {those} with the fewest MACs {was} not the fastest",
    "all": "all need the same number of MACs",
}


def fewest(fields: Sequence[Ranking]) -> str:
    """Sentence on whether those with the fewest MACs are fastest, and how well MACs order the others."""
    judged = [ranking for ranking in fields if len(ranking.countable) > 1]
    alike = grouped(judged, _meaning)
    if set(alike) == {"fastest", "perhaps"}:
        alike = {"either": judged}
    called = noun(cell.subject for one in judged for cell in one.cells)
    parts = []
    for meaning in (key for key in _MEANT if key in alike):
        same = alike[meaning]
        one = all(len(cheapest(ranking)) == 1 for ranking in same)
        those, was = (called.single, "was") if one else (called.plural, "were")
        text = _MEANT[meaning].format(those=those, was=was)
        if len(judged) > 1 and len(alike) == 1 and meaning == "slower":
            text = f"at no resolution {was} the {those} with the fewest MACs the fastest"
        elif len(judged) > 1:
            text = f"at {'every resolution' if len(alike) == 1 else _where(same)} {text}"
        text += "" if meaning == "all" else f": {_who(same)}"
        parts.append(text + (_behind(same) if meaning == "slower" else ""))
    parts += [text for text in [_correlation(fields)] if text]
    return sentence("; ".join(parts))


def predicted(fields: Sequence[Ranking]) -> str:
    """Sentence on how well MACs order all, without who needs the fewest."""
    return sentence(_correlation(fields))


def _meaning(ranking: Ranking) -> str:
    """Whether those with the fewest MACs are fastest, as a key of `_MEANT`."""
    least, leaders = cheapest(ranking), ranking.leaders
    ahead = [cell for cell in leaders if cell in least]
    if len(least) == len(ranking.cells):
        return "all"
    if not ahead:
        return "slower"
    if len(ahead) < len(leaders) and ranking.open:
        return "perhaps"
    return "fastest" if len(least) == 1 else "among"


def cheapest(ranking: Ranking) -> list[ReportedCell]:
    """The cells with the fewest MACs of those with an exact count."""
    least = min(cell.macs for cell in ranking.countable)
    return [cell for cell in ranking.countable if cell.macs == least]


def _where(shared: Sequence[Ranking]) -> str:
    return places([ranking.resolution for ranking in shared])


def _who(shared: Sequence[Ranking]) -> str:
    """Clause: "HiLo needs the fewest"; "HiLo at 224 px and W-MSA at 448 and 672 px"."""
    alike = grouped(shared, lambda one: (tuple(p.name for p in cheapest(one)), _doubt(one)))
    if len(alike) == 1:
        ((names, doubt),) = alike
        size = f" ({si(cheapest(shared[0])[0].macs)} per image)" if len(shared) == 1 else ""
        return f"{some(names, 3)} {'needs' if len(names) == 1 else 'need'} the fewest{size}{doubt}"
    return joined([f"{some(names, 3)} at {_where(same)}{doubt}" for (names, doubt), same in alike.items()])


def _doubt(ranking: Ranking) -> str:
    """Who may need fewer: a lower bound above the least cannot be the least, one below it can."""
    least = cheapest(ranking)[0].macs
    may_be = names_of(cell for cell in ranking.cells if not cell.exact and cell.macs < least)
    return f" ({joined(may_be, 'or')}, of lower bounds, may need fewer)" if may_be else ""


def _behind(shared: Sequence[Ranking]) -> str:
    """Clause on who is faster than those with the fewest MACs: ", but b is 2.00 times as fast"."""
    ratios = [one.order.between(one.leaders[0], cheapest(one)[0]).ratio for one in shared]
    first = names_of(one.leaders[0] for one in shared)
    least = "" if all(len(cheapest(one)) == 1 for one in shared) else "at least "
    return (
        f", but {first[0] if len(first) == 1 else 'the fastest'} is {least}{multiples(ratios)} times as fast"
    )


def _correlation(fields: Sequence[Ranking]) -> str:
    """Clause on how well MACs order the names by speed, with the numbers behind it."""
    values = []
    for ranking in fields:
        known = [cell for cell in ranking.countable if cell.macs]
        value = spearman([p.macs for p in known], [p.throughput.value for p in known])
        if len(known) >= RANKED and value is not None:
            values.append(round(value, 9))
    if not values:
        return ""
    numbers = dict.fromkeys((signed(min(values)), signed(max(values))))
    without = f", excluding {_excluded(fields)}" if _excluded(fields) else ""
    told = "medians" if any(len(one.leaders) > 1 for one in fields) else "speeds"
    return f"{_verdict(min(values), max(values), told)} (rank correlation {' to '.join(numbers)}{without})"


def _excluded(fields: Sequence[Ranking]) -> str:
    """Those that are not ranked by MACs, and why."""
    cells = [cell for ranking in fields for cell in ranking.cells]
    bounds = names_of(cell for cell in cells if not cell.exact)
    idle = names_of(cell for cell in cells if cell.exact and cell.macs == 0)
    texts = [f"{some(bounds)}, whose MACs are known only as lower bounds"] if bounds else []
    texts += [f"{some(idle)}, which {'needs' if len(idle) == 1 else 'need'} none"] if idle else []
    return ", and ".join(texts)


def _verdict(low: float, high: float, told: str) -> str:
    """Meaning of correlations between `low` and `high`; the thresholds are ours, so the numbers follow."""
    if low >= 0.4:
        return "more MACs tend to run faster"
    if high > -0.4:
        return f"{told} do not follow the MAC order" + (" everywhere" if low <= -0.4 else "")
    degree = "exactly" if high == -1 else "well" if high <= -0.8 else "only in part"
    return f"{told} follow the MAC order {degree}"
