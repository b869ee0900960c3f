"""The headline of a page: the answer to its question with its number, in 14 words where names allow it.

Three questions are answered by Yes, No or Undecided: "Is NAME the fastest …?", "Is NAME faster than …?" (all
others where it names none), "Is … with the fewest MACs the fastest?". Otherwise "grow", "cost" and "beat" ask
for growth, variants and a count against the reference; else the headline names the fastest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from benchsuite.format import joined, sentence, times
from benchsuite.labels import noun
from benchsuite.report.answer_costs import grown
from benchsuite.report.answer_speed import variants_of
from benchsuite.report.answer_yes_no import at, between, is_faster, is_fastest, is_fewest, multiple, shortest
from benchsuite.report.ranking import Ranking
from benchsuite.report.reported_cells import grouped, names_of
from benchsuite.report.words import places
from benchsuite.stats.evidence import Decision, Side

_FASTEST = re.compile(r"(?:Is|Are) (.+) (?:the )?fastest\b")
_FASTER = re.compile(r"(?:Is|Are) (.+) faster\b(.*)")
_MULTIPLES: Mapping[Side, tuple[str, str, str]] = {
    "below": ("slower", "take", "long"),
    "above": ("faster", "are", "fast"),
}
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
        found = _growth(own, memory="memory" in question)
    elif "cost" in question:
        found = _cost(own, reference)
    elif "beat" in question:
        found = _beside(own, reference)
    return sentence(found or _fastest(fields, reference))


def _names_in(question: str, fields: Sequence[Ranking]) -> list[str]:
    """Names of cells that a question has, in its order; the longest of those that begin alike."""
    names = sorted(names_of(cell for one in fields for cell in one.cells), key=len, reverse=True)
    found = re.findall("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in names), question)
    return list(dict.fromkeys(found))


def _growth(fields: Sequence[Ranking], *, memory: bool) -> str:
    """Growth from the smallest to the largest resolution: of time, of those that grow least and most, or of
    time and memory."""
    found = grown(fields, "latency_s")
    if len(fields) < 2 or not found:
        return ""
    (low, least), (high, most) = (pick((ratio, name) for name, ratio in found.items()) for pick in (min, max))
    first, last = (places([one.resolution]) for one in (fields[0], fields[-1]))
    span = f"rom {first.removesuffix(' px')} to {last}"
    bytes_ = grown(fields, "peak_memory_bytes") if memory else {}
    also = f", peak memory {between(list(bytes_.values()))} times" if bytes_ else ""
    whole = f"Time grows {between([low, high])} times f{span}{also}"
    if also or len(found) == 1:
        return whole
    return shortest(f"F{span} time grows {times(low)} times ({least}) to {times(high)} times ({most})", whole)


def _cost(fields: Sequence[Ranking], reference: str | None) -> str:
    """How many variants are slower and faster than what they vary; without two, all beside the reference."""
    one = max(reversed(fields), key=lambda ranking: len(variants_of(ranking, reference)))
    pairs = variants_of(one, reference)
    if len(pairs) > 1:
        return _slower_and_faster([one.order.between(*pair) for pair in pairs], "variants", "")
    one = max(reversed(fields), key=lambda ranking: len(ranking.cells))
    if (base := one.named(reference)) is None or len(one.cells) < 3:
        return ""
    found = [one.order.between(cell, base) for cell in one.cells if cell is not base]
    return _slower_and_faster(found, noun(cell.subject for cell in one.cells).plural, base.name)


def _slower_and_faster(found: Sequence[Decision], called: str, base: str) -> str:
    """Counts of these speeds over those of `base`, or each over its own where that is empty."""
    sides = grouped(found, lambda each: each.side)
    level = len(found) - sum(len(sides.get(side, ())) for side in _MULTIPLES)
    parts = []
    for side, (word, verb, adverb) in _MULTIPLES.items():
        gain = between([max(each.ratio, 1 / each.ratio) for each in sides.get(side, ())] or [1.0])
        if len(sides.get(side, ())) == len(found):
            who = "Both" if len(found) == 2 else f"All {len(found)}"
            return f"{who} {called} {verb} {gain} times as {adverb}{f' as {base}' if base else ''}"
        parts += [f"{len(sides[side])} {word} ({gain} times)"] if side in sides else []
    start = f"Of {len(found)} {called} "
    return shortest(
        *(
            start + joined([*parts, *([f"{level} {text}"] if level else [])])
            for text in (f"not significantly different{f' from {base}' if base else ''}", "neither")
        )
    )


def _beside(fields: Sequence[Ranking], reference: str | None) -> str:
    """How many beat the reference, at the largest resolution of those with most cells."""
    known = [one for one in fields if one.named(reference)]
    if not known:
        return ""
    one = max(reversed(known), key=lambda ranking: len(ranking.cells))
    found = [
        one.order.between(p, base) for p in one.cells if (base := one.named(reference)) and p is not base
    ]
    faster, slower = (sum(each.side == side for each in found) for side in ("above", "below"))
    of = f"of {len(found)} {noun(cell.subject for cell in one.cells).plural}"
    if not faster:
        return f"None {of} is significantly faster than {reference}, {slower or 'none'} slower"
    start = f"{faster} {of} {'beats' if faster == 1 else 'beat'} {reference}"
    lead = f"{times(found[0].ratio)} times {reference}"
    return shortest(
        f"{start}; fastest: {joined(names_of(one.leaders), 'or')}, {lead}", f"{start}, at most {lead}"
    )


def _fastest(fields: Sequence[Ranking], reference: str | None) -> str:
    """Who is fastest where, on the first kernel; that is named where another kernel has other winners."""
    own = [one for one in fields if one.kernel == fields[0].kernel]
    there = {one.resolution: set(names_of(one.leaders)) for one in own}
    moved = any(set(names_of(one.leaders)) != there.get(one.resolution) for one in fields)
    kernel = f" ({own[0].kernel})" if moved else ""
    who = grouped(
        own, lambda one: f"{joined(names_of(one.leaders), 'or')}{' (undecided)' if one.open else ''}"
    )
    if len(who) == 1:
        return _one_outcome(own, kernel, reference)
    parts = [f"{names} {at(shared, own)}" for names, shared in who.items()]
    last = next(names for names, shared in who.items() if own[-1] in shared)
    return shortest(
        f"Fastest: {', '.join(parts)}{kernel}",
        f"The fastest changes with resolution: {last} {at(own[-1:], own)}{kernel}",
        f"The fastest changes over {len(own)} resolutions{kernel}",
    )


def _one_outcome(own: Sequence[Ranking], kernel: str, reference: str | None) -> str:
    """The same leaders at every resolution: one, several that are equally fast, or undecided ones."""
    leaders = names_of(own[0].leaders)
    where = f"{at(own, own)}{kernel}"
    if own[0].open:
        told = f"may be the fastest {where}"
        return shortest(
            f"Undecided: {joined(leaders, 'or')} {told}", f"Undecided: each of {len(leaders)} {told}"
        )
    if len(leaders) > 1:
        told = f"are equally fast {where}"
        return shortest(f"{joined(leaders)} {told}", f"{len(leaders)} {told}")
    held = reference if reference not in leaders and all(one.named(reference) for one in own) else None
    rivals = [one.named(held) or one.cells[1] for one in own]
    lead = multiple([one.order.between(one.cells[0], rival) for one, rival in zip(own, rivals, strict=True)])
    beside = names_of(rivals)
    told = f"{lead} {beside[0] if len(beside) == 1 else 'the runner-up'}"
    return shortest(
        f"{leaders[0]} is the fastest {where}: {told}",
        f"{leaders[0]} is the fastest{kernel}: {told}",
        f"{leaders[0]} is the fastest{kernel}",
    )
