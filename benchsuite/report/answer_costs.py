"""Sentences for questions that ask for more than an order: MACs, time and memory, and how they grow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from benchsuite.format import byte_size, si, significant
from benchsuite.report.ranking import Ranking
from benchsuite.report.words import joined, pixels, times

_COSTS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "macs": ("MACs per image", lambda value: si(value, digits=3)),
    "latency_s": ("time per step", lambda value: si(value, "s", 3)),
    "peak_memory_bytes": ("peak memory", lambda value: byte_size(value, 3)),
}
"""Metric → what it is called in a sentence, and how a value of it is written."""


def costs(fields: Sequence[Ranking], reference: str | None) -> str:
    """Sentence on the least and the most of each cost, and those of the reference, at the largest resolution
    that most have."""
    one = _fullest(fields)
    texts, own = [], []
    for metric, (noun, words) in _COSTS.items():
        cells = one.countable if metric == "macs" else one.cells
        known = sorted(
            (p for p in cells if p.metrics[metric].known), key=lambda point: point.metrics[metric].value
        )
        if known:
            each = " to ".join(f"{words(p.metrics[metric].value)} ({p.name})" for p in (known[0], known[-1]))
            texts.append(f"{noun} from {each}")
            own += [words(p.metrics[metric].value) for p in known if p.name == reference]
    missing = (
        ""
        if any(p.metrics["peak_memory_bytes"].known for p in one.cells)
        else " Peak memory was not measured."
    )
    base = f"; {reference} needs {joined(own)}" if own else ""
    return f"at {pixels(one.resolution)} they need {', '.join(texts)}{base}.{missing}"


def memory_of(fields: Sequence[Ranking]) -> str:
    """Sentence on the peak memory of each, where few are compared."""
    one = _fullest(fields)
    known = [(p.metrics["peak_memory_bytes"].value, p.name) for p in one.cells]
    each = [f"{name} {byte_size(value, 3)}" for value, name in sorted(known) if not math.isnan(value)]
    return (
        f"Peak memory at {pixels(one.resolution)}: {joined(each)}."
        if each
        else "Peak memory was not measured."
    )


def growth(fields: Sequence[Ranking], reference: str | None, *, memory: bool = False) -> str:
    """Sentence on how much more the largest resolution takes than the smallest: of those timed at both, the
    least, the most and the reference.

    Args:
        memory: tell that of memory, too.
    """
    small, large = ({point.name: point for point in one.cells} for one in (fields[0], fields[-1]))
    texts = []
    for metric in ("latency_s", "peak_memory_bytes")[: 1 + memory]:
        pairs = {
            name: (small[name].metrics[metric], large[name].metrics[metric])
            for name in small
            if name in large
        }
        grown = {name: b.value / a.value for name, (a, b) in pairs.items() if a.known and b.known}
        if grown:
            ends = [pick(grown, key=lambda name: grown[name]) for pick in (min, max)]
            told = dict.fromkeys([ends[0], *([reference] if reference in grown else []), ends[1]])
            each = joined([f"{times(grown[name])} times for {name}" for name in told if name])
            texts.append(f"{_COSTS[metric][0]} grows {each}")
    if len(fields) < 2 or not texts:
        return ""
    areas = [math.prod(one.cells[0].size) for one in (fields[0], fields[-1])]
    return (
        f"From {pixels(fields[0].resolution)} to {pixels(fields[-1].resolution)}, "
        f"{significant(areas[1] / areas[0], 3)} times the pixels, {'; '.join(texts)}."
    )


def _fullest(fields: Sequence[Ranking]) -> Ranking:
    """The ranking of most cells; of several such, that of the largest resolution."""
    return max(reversed(fields), key=lambda ranking: len(ranking.cells))
