"""Who is fastest in contests, by how much, and where the reference stands, in words."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.format import significant
from benchsuite.report.contests import Contest
from benchsuite.report.points import names_of
from benchsuite.report.words import joined, places, sentence, some
from benchsuite.stats.evidence import DISAGREE, NO_DRIFT, TOO_FEW


def fastest(fields: Sequence[Contest], reference: str | None = None, *, kernel: bool = False) -> str:
    """Who leads these contests of one kernel, and by how much.

    Args:
        kernel: name the kernel.
    """
    start = f"With the {fields[0].kernel} kernel, " if kernel and fields else ""
    return sentence(f"{start}{'; '.join(leads(fields, reference))}") if fields else ""


def leads(fields: Sequence[Contest], reference: str | None = None) -> list[str]:
    """A clause for each set of leaders; resolutions that agree share one."""
    alike: dict[tuple[tuple[str, ...], str], list[Contest]] = {}
    for contest in fields:
        names = tuple(sorted(point.name for point in contest.leaders))
        alike.setdefault((names, contest.open), []).append(contest)
    return [_lead(shared) + _reference(shared, reference) for shared in alike.values()]


def _lead(shared: Sequence[Contest]) -> str:
    """Who leads these contests, which all have the same leaders."""
    first = shared[0]
    where = places([contest.resolution for contest in shared])
    leaders = some([point.name for point in first.leaders])
    if len(first.leaders) == 1:
        seconds = names_of(contest.cells[1] for contest in shared)
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


def _each_at(shared: Sequence[Contest]) -> str:
    """Who comes second where: "SRA at 448 px and W-MSA at 672 px"."""
    sizes: dict[str, list[int | str]] = {}
    for contest in shared:
        sizes.setdefault(contest.cells[1].name, []).append(contest.resolution)
    return joined([f"{name} at {places(mine)}" for name, mine in sizes.items()])


def _lead_by(shared: Sequence[Contest]) -> str:
    """The lead over the runner-up: 1.19 [1.12, 1.26] of one contest, 1.45 to 1.67 of several."""
    found = [contest.order.between(*contest.cells[:2]) for contest in shared]
    if len(found) > 1:
        return range_of([one.ratio for one in found])
    digits = 3 if found[0].lo < 1.005 else 2  # so that an interval that excludes 1 is seen to
    return "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(found[0].ratio, found[0].lo, found[0].hi, d=digits)


def _reference(shared: Sequence[Contest], reference: str | None) -> str:
    """Where the reference stands behind the leaders and a runner-up; if it alone leads, the others."""
    firsts, count = names_of(contest.cells[0] for contest in shared), len(shared[0].leaders)
    first, told = firsts[0], max(2, count)
    if (count > 1 and reference in firsts) or TOO_FEW in shared[0].open:
        return ""
    rest = [
        (contest.order.between(point, contest.cells[0]).ratio, place, point.name)
        for contest in shared
        for place, point in enumerate(contest.cells[told:], start=told + 1)
        if reference in (first, point.name)
    ]
    if not rest:
        return ""
    speeds = f"{range_of([ratio for ratio, *_ in rest])} times the speed of {joined(firsts, 'or')}"
    if reference != first:
        last = max(len(contest.cells) for contest in shared)
        spots = " to ".join(dict.fromkeys(str(pick(place for _, place, _ in rest)) for pick in (min, max)))
        return f", and {reference} is number {spots} of {last} by median, at {speeds}"
    who = "the others reach" if len({name for *_, name in rest}) > 1 else f"{rest[0][2]} reaches"
    return f", and {who} {speeds}"


def range_of(ratios: Sequence[float]) -> str:
    """Ratios in a sentence: 1.19; 1.45 to 1.67."""
    ends = (min(ratios), max(ratios))
    return " to ".join(dict.fromkeys(f"{end:.2f}" if end >= 0.1 else significant(end, 2) for end in ends))
