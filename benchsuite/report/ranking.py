"""What MACs say of speed, in sentences: who needs the fewest, who is on the front, whether orders agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchsuite.analyse.correlation import ranks, spearman
from benchsuite.report.contests import Contest, front_of, noun_of
from benchsuite.report.points import Point, names_of, resolutions_of
from benchsuite.report.words import joined, ordinal, places, sentence, signed, some
from benchsuite.results.nouns import Noun, noun
from benchsuite.units import si

FEWEST = 4
"""Names below which a rank correlation says nothing."""


def fewest(cells: Sequence[Point], fields: Sequence[Contest]) -> str:
    """Who needs the fewest MACs, and whether it is the fastest; resolutions that agree share a clause."""
    clauses: dict[tuple[str, str], list[tuple[int | str, float]]] = {}
    for resolution in resolutions_of(cells):
        here = [p for p in cells if p.resolution == resolution and not math.isnan(p.macs)]
        known = {p.name: p.macs for p in here if p.exact}
        if len(known) < 2:
            continue
        least = min(known.values())
        names = [name for name, macs in known.items() if macs == least]
        if len(names) == len(names_of(here)):
            said = f"All {noun(p.subject for p in here).counted(len(names))} need the same number of MACs", ""
        else:
            # A lower bound above the least cannot be the least; one below it can.
            open_ = names_of(p for p in here if not p.exact and p.name not in known and p.macs < least)
            doubt = f" (unless it is {joined(open_, 'or')}, with a lower bound only)" if open_ else ""
            speeds = _speeds(names[0], resolution, fields) if len(names) == 1 else ""
            verb = "needs" if len(names) == 1 else "need"
            said = f"{joined(names)} {verb} the fewest MACs", doubt + speeds
        clauses.setdefault(said, []).append((resolution, least))
    texts = []
    for (begin, end), settings in clauses.items():
        size = f", {si(settings[0][1])} per image" if len(settings) == 1 else ""
        texts.append(f"{begin} at {places([resolution for resolution, _ in settings])}{size}{end}")
    return sentence("; ".join(texts))


def _speeds(name: str, resolution: int | str, fields: Sequence[Contest]) -> str:
    """How fast it is beside the others: ", and is the fastest with math, slower than MSA with sdpa"."""
    said: dict[str, list[str]] = {}
    for contest in (contest for contest in fields if contest.resolution == resolution):
        mine = next((p for p in contest.cells if p.name == name), None)
        if mine is None:
            continue
        if mine not in contest.leaders:
            text = f"slower than {contest.cells[0].name}"
        else:
            among = "perhaps" if contest.open else "among"
            text = "the fastest" if len(contest.leaders) == 1 else f"{among} the fastest"
        said.setdefault(text, []).append(contest.kernel)
    if not said:
        return ""
    return f", and is {', '.join(f'{text} with {joined(on)}' for text, on in said.items())}"


def front(fields: Sequence[Contest]) -> str:
    """Who is on the front whatever the rounds leave open, and who may be."""
    found: dict[tuple[str, str, str], list[int | str]] = {}
    for contest in fields:
        known = sorted(contest.countable, key=lambda p: p.macs)
        if len(known) < 2:
            continue
        stands = front_of(known, contest.order)
        certain, possible = (
            [p.name for p, stand in stands if stand == wanted] for wanted in ("certain", "possible")
        )
        every = len(certain) == len(known) > 3
        names = f"all {noun_of([contest]).counted(len(certain))}" if every else some(certain)
        found.setdefault((contest.kernel, names, some(possible)), []).append(contest.resolution)
    return " ".join(
        _front_text(f"on the Pareto front at {places(where)} with {kernel}", certain, possible)
        for (kernel, certain, possible), where in found.items()
    )


def _front_text(where: str, certain: str, possible: str) -> str:
    if not certain:
        return f"Possibly {where}, and none for certain: {possible}."
    return f"Certainly {where}: {certain}{f'; possibly: {possible}' if possible else ''}."


def correlation(fields: Sequence[Contest]) -> str:
    """Whether more MACs go with less speed: the verdict, then the numbers behind it."""
    found: list[tuple[float, Contest]] = []
    for contest in fields:
        known = contest.countable
        value = spearman([p.macs for p in known], [p.throughput.value for p in known])
        if len(known) >= FEWEST and value is not None:
            found.append((value, contest))
    if not found:
        return ""
    called = noun_of(fields)
    low, high = min(found, key=lambda item: item[0]), max(found, key=lambda item: item[0])
    if len(found) == 1:
        number = f"is {signed(low[0])} over {called.counted(len(low[1].countable))} ({low[1].setting})"
    elif signed(low[0]) == signed(high[0]):
        number = f"is {signed(low[0])} in all {len(found)} settings"
    else:
        number = f"lies between {signed(low[0])} ({low[1].setting}) and {signed(high[0])} ({high[1].setting})"
    return (
        f"{_verdict(low[0], high[0], called)}: the rank correlation of MACs with throughput {number}; "
        "at −1 fewer MACs would always run faster, at 0 there is no relation."
    )


def _verdict(low: float, high: float, called: Noun) -> str:
    """What correlations between `low` and `high` mean; the thresholds are ours, so the numbers follow."""
    order = f"MACs order these {called.plural} by speed"
    if high <= -0.8:
        return f"{order} well"
    if low <= -0.8:
        return f"{order} well in some settings, worse in others"
    if high <= -0.4:
        return f"{order} only in part"
    if low <= -0.4:
        return f"{order} in part at best"
    if low >= 0.4:
        return f"{called.plural[:1].upper()}{called.plural[1:]} with more MACs tend to be faster here"
    return f"MACs do not order these {called.plural} by speed"


def moved(fields: Sequence[Contest], most: int = 3) -> str:
    """Whose place by throughput is farthest from that by MACs, whatever the rounds leave open."""
    biggest: dict[str, tuple[float, str]] = {}
    ranked = [contest for contest in fields if len(contest.countable) >= FEWEST]
    for contest in ranked:
        known = contest.countable
        for point, place in zip(known, ranks([p.macs for p in known]), strict=True):
            best = 1 + sum(contest.order.faster(other, point) for other in known)
            worst = len(known) - sum(contest.order.faster(point, other) for other in known)
            shift = max(best - place, place - worst)
            if shift >= 2 and shift > biggest.get(point.name, (0.0, ""))[0]:
                by_speed = ordinal(best) if best == worst else f"{ordinal(best)} to {ordinal(worst)}"
                text = f"{point.name} is {ordinal(place)} of {len(known)} by fewest MACs"
                biggest[point.name] = (shift, f"{text} but {by_speed} by throughput ({contest.setting})")
    if biggest:
        top = sorted(biggest.values(), key=lambda item: -item[0])[:most]
        return sentence("; ".join(text for _, text in top))
    if ranked:
        return (
            f"Beyond what the rounds leave open, no {noun_of(fields).single} moves by two or more places "
            "from MACs to speed."
        )
    return ""
