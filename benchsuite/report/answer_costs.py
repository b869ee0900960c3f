"""Sentences for questions that ask for more than an order: MACs, time and memory, and how they grow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from benchsuite.format import byte_size, joined, si, significant, times
from benchsuite.report.answer_speed import LISTED
from benchsuite.report.ranking import Ranking
from benchsuite.report.words import pixels

_COSTS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "macs": ("MACs per image", lambda value: si(value, digits=3)),
    "latency_s": ("time per step", lambda value: si(value, "s", 3)),
    "peak_memory_bytes": ("peak memory", lambda value: byte_size(value, 3)),
}
"""Metric → what it is called in a sentence, and how a value of it is written."""


def costs(fields: Sequence[Ranking], reference: str | None) -> str:
    """Sentence on what a step costs at the largest resolution that most have: of a few MACs and memory of
    each, of many the least and the most of each cost, and those of the reference."""
    one = max(reversed(fields), key=lambda ranking: len(ranking.cells))
    measured = any(cell.metrics["peak_memory_bytes"].known for cell in one.cells)
    missing = "" if measured else " Peak memory was not measured."
    each = f", {_of_each(one)}" if len(one.cells) <= LISTED else f": {_of_many(one, reference)}"
    return f"at {pixels(one.resolution)}{each}.{missing}"


def _of_each(one: Ranking) -> str:
    """ "a needs 1 G MACs and 3 MiB, b 2 G MACs and 2 GiB", by MACs."""
    told: list[str] = []
    for cell in sorted(one.cells, key=lambda cell: cell.macs):
        memory = cell.metrics["peak_memory_bytes"].value
        words = [f"{si(cell.macs, digits=3)} MACs"] if cell in one.countable else []
        words += [] if math.isnan(memory) else [byte_size(memory, 3)]
        told += [f"{cell.name}{'' if told else ' needs'} {' and '.join(words)}"] if words else []
    return ", ".join(told)


def _of_many(one: Ranking, reference: str | None) -> str:
    texts, own = [], []
    for metric, (label, words) in _COSTS.items():
        cells = [cell for cell in one.countable if cell.macs] if metric == "macs" else one.cells
        known = [(p.metrics[metric].value, p.name) for p in cells if p.metrics[metric].known]
        if known:
            ends = " to ".join(f"{words(value)} ({name})" for value, name in (min(known), max(known)))
            texts.append(f"{label} {ends}")
            own += [words(value) for value, name in known if name == reference]
    base = f"; {reference} needs {joined(own)}" if own else ""
    return f"{', '.join(texts)}{base}"


def growth(fields: Sequence[Ranking], reference: str | None, *, memory: bool = False) -> str:
    """Sentence on how much more the largest resolution takes than the smallest: of those timed at both, the
    least, the most and the reference.

    Args:
        memory: tell that of memory, too.
    """
    texts = []
    for metric in ("latency_s", "peak_memory_bytes")[: 1 + memory]:
        ratios = grown(fields, metric)
        if ratios:
            ends = [pick(ratios, key=lambda name: ratios[name]) for pick in (min, max)]
            told = dict.fromkeys([ends[0], *([reference] if reference in ratios else []), ends[1]])
            each = joined([f"{times(ratios[name])} times for {name}" for name in told if name])
            texts.append(f"{_COSTS[metric][0]} grows {each}")
    if len(fields) < 2 or not texts:
        return ""
    areas = [math.prod(one.cells[0].size) for one in (fields[0], fields[-1])]
    return (
        f"from {pixels(fields[0].resolution)} to {pixels(fields[-1].resolution)}, "
        f"{significant(areas[1] / areas[0], 3)} times the pixels, {'; '.join(texts)}."
    )


def grown(fields: Sequence[Ranking], metric: str) -> dict[str, float]:
    """Name → how many times as much the largest resolution takes as the smallest, of those that have both."""
    small, large = ({cell.name: cell for cell in one.cells} for one in (fields[0], fields[-1]))
    pairs = {
        name: (small[name].metrics[metric], large[name].metrics[metric]) for name in small if name in large
    }
    return {name: b.value / a.value for name, (a, b) in pairs.items() if a.known and b.known}
