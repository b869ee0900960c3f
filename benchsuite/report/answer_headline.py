"""The headline of a page: the answer to its question with its number, in 14 words where the names allow it.

Three questions are answered by Yes, No or Undecided: "Is NAME the fastest …?", "Is NAME faster than OTHER …?"
(all others where it names none), and "Is … with the fewest MACs the fastest?". Otherwise the words "grow",
"cost" and "beat" choose between growth, variants and a count against the reference; else it names the fastest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from benchsuite.labels import noun
from benchsuite.report.answer_costs import grown
from benchsuite.report.answer_speed import variants_of
from benchsuite.report.answer_yes_no import at, between, is_faster, is_fastest, is_fewest, multiple, shortest
from benchsuite.report.points import Point, grouped, names_of
from benchsuite.report.ranking import Ranking
from benchsuite.report.words import joined, places, sentence, times
from benchsuite.stats.evidence import Decision

_FASTEST = re.compile(r"(?:Is|Are) (.+) (?:the )?fastest\b")
_FASTER = re.compile(r"(?:Is|Are) (.+) faster\b(.*)")
_FEWEST = re.compile(r"(?:Is|Are|Does|Do) .*fewest (?:MACs|multiply–adds).* fastest\b")


def headline(fields: Sequence[Ranking], reference: str | None, question: str) -> str:
    """The answer that these rankings give; empty where nothing is ranked.

    Args:
        fields: those of finished settings, of all kernels.
    """
    if not fields:
        return ""
    asked = _names_in(question, fields)
    own = [one for one in fields if one.kernel == fields[0].kernel]
    found = ""
    if (match := _FASTEST.match(question)) and asked and asked[0] in match[1]:
        found = is_fastest(asked[0], fields)
    elif (match := _FASTER.match(question)) and asked:
        found = is_faster(asked[0], asked[1:], fields)
    elif _FEWEST.match(question):
        found = is_fewest(fields)
    elif "grow" in question:
        found = _growth(own)
    elif "cost" in question:
        found = _variants(own, reference) or _beside(own, reference)
    elif "beat" in question:
        found = _beside(own, reference)
    return sentence(found or _fastest(fields, reference))


def _names_in(question: str, fields: Sequence[Ranking]) -> list[str]:
    """Names of cells that a question has, in its order; the longest of those that begin alike."""
    names = sorted(names_of(point for one in fields for point in one.cells), key=len, reverse=True)
    found = re.findall("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in names), question)
    return list(dict.fromkeys(found))


def _growth(fields: Sequence[Ranking]) -> str:
    """Growth of time from the smallest to the largest resolution, of those that grow least and most."""
    found = grown(fields, "latency_s")
    if len(fields) < 2 or not found:
        return ""
    (low, least), (high, most) = (pick((ratio, name) for name, ratio in found.items()) for pick in (min, max))
    first, last = (places([one.resolution]) for one in (fields[0], fields[-1]))
    start = f"From {first.removesuffix(' px')} to {last} time grows"
    if len(found) == 1:
        return f"{start} {times(low)} times"
    return shortest(
        f"{start} {times(low)} times ({least}) to {times(high)} times ({most})",
        f"{start} {times(low)}–{times(high)} times",
    )


def _variants(fields: Sequence[Ranking], reference: str | None) -> str:
    """How many variants are slower and faster than what they vary; empty where there are not two."""
    one = max(reversed(fields), key=lambda ranking: len(variants_of(ranking, reference)))
    pairs = variants_of(one, reference)
    if len(pairs) < 2:
        return ""
    found = grouped((one.order.between(*pair) for pair in pairs), lambda each: each.side)
    told = [(found[side], word) for side, word in (("below", "slower"), ("above", "faster")) if side in found]
    parts = [f"{len(same)} {word} ({between([_more(each.ratio) for each in same])} times)" for same, word in told]
    level = len(pairs) - sum(len(same) for same, _ in told)
    if len(told) == 1 and not level:
        return f"All {len(pairs)} variants are {parts[0].partition(' ')[2]}"
    return f"Of {len(pairs)} variants {joined([*parts, *([f'{level} not significantly different'] if level else [])])}"


def _more(ratio: float) -> float:
    return max(ratio, 1 / ratio)


def _beside(fields: Sequence[Ranking], reference: str | None) -> str:
    """How many are faster and slower than the reference, at the largest resolution of most cells."""
    known = [one for one in fields if one.named(reference)]
    if not known:
        return ""
    one = max(reversed(known), key=lambda ranking: len(ranking.cells))
    others = [point for point in one.cells if point.name != reference]
    sides = _sides(one, others, reference)
    called = noun(point.subject for point in one.cells).plural
    first = joined(names_of(one.leaders), "or")
    of = f"of {len(others)} {called}"
    if not sides["above"]:
        slower = f"{len(sides['below'])} are slower" if sides["below"] else "none is slower"
        return f"None {of} is significantly faster than {reference}; {slower}"
    lead = times(sides["above"][0].ratio)
    return shortest(
        f"{len(sides['above'])} {of} beat {reference}; fastest: {first}, {lead} times {reference}",
        f"{len(sides['above'])} {of} beat {reference}, the fastest by {lead} times",
    )


def _sides(one: Ranking, others: Sequence[Point], reference: str | None) -> Mapping[str, Sequence[Decision]]:
    """Side → decisions on the speeds of these over that of the reference, the fastest first."""
    base = one.named(reference)
    found = grouped((one.order.between(other, base) for other in others if base), lambda each: each.side)
    return {side: found.get(side, []) for side in ("above", "below", "same", "undecided")}


def _fastest(fields: Sequence[Ranking], reference: str | None) -> str:
    """Who is fastest where, on the first kernel; which that is where another kernel has other winners."""
    own = [one for one in fields if one.kernel == fields[0].kernel]
    who = grouped(own, lambda one: (joined(names_of(one.leaders), "or"), bool(one.open)))
    there = {one.resolution: set(names_of(one.leaders)) for one in own}
    moved = any(set(names_of(one.leaders)) != there.get(one.resolution) for one in fields)
    kernel = f" ({own[0].kernel})" if moved else ""
    if len(who) > 1:
        parts = [f"{names}{' (undecided)' if doubt else ''} {at(shared, own)}" for (names, doubt), shared in who.items()]
        return shortest(
            f"Fastest: {', '.join(parts)}{kernel}",
            f"{len(who)} different ones are fastest; {at(own[-1:], own)} {parts[-1].partition(' at ')[0]}",
            f"The fastest differs between {len(own)} resolutions{kernel}",
        )
    ((names, doubt),) = who
    where = f"{at(own, own)}{kernel}"
    leaders = names_of(own[0].leaders)
    if doubt:
        return shortest(
            f"Undecided: {names} may be the fastest {where}",
            f"Undecided: each of {len(leaders)} may be the fastest {where}",
        )
    if len(leaders) > 1:
        return shortest(
            f"{joined(leaders)} are equally fast {where}", f"{len(leaders)} are equally fast {where}"
        )
    held = reference if reference not in leaders and all(one.named(reference) for one in own) else None
    rivals = [one.named(held) or one.cells[1] for one in own]
    lead = multiple([one.order.between(one.cells[0], rival) for one, rival in zip(own, rivals, strict=True)])
    beside = names_of(rivals)
    return shortest(
        f"{names} is the fastest {where}: {lead} {beside[0] if len(beside) == 1 else 'the runner-up'}",
        f"{names} is the fastest: {lead} {beside[0] if len(beside) == 1 else 'the runner-up'}",
        f"{names} is the fastest{kernel}",
    )
