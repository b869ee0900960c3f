"""Costs of networks beside what was published of them: `benchsuite count backbones`. Counted, not timed.

Published numbers are data (`published.json`): network → rows of metric, value and unit as printed, resolution
and source, with a note where something is known of how they were counted.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any, Literal

from benchsuite.backbones import BACKBONES
from benchsuite.errors import UsageError, did_you_mean
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost

Metric = Literal["params", "macs"]

DATA = "published.json"
_UNITS = {"M": 10**6, "G": 10**9}
_SIDE = 224
_A_PROCESS = 10
"""Networks that make it worth while to start a process, which imports torch first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCount:
    """One published number beside ours.

    Attributes:
        value: as printed, which says how it was rounded.
        unit: "M" (10⁶) or "G" (10⁹); MACs are what most papers print as FLOPs.
        source: repository and file, or table.
        difference: ours minus the published one, in units of 1.
        agrees: whether ours, rounded as the value was, is the value.
        why: why it does not agree; empty if it does, or if nothing is known.
    """

    metric: Metric
    value: str
    unit: str
    source: str
    difference: int
    agrees: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One network.

    Attributes:
        macs: of one image; a lower bound if not `complete`.
        resolution: height and width of the image, which is square.
    """

    name: str
    params: int
    macs: int
    complete: bool
    resolution: int
    published: tuple[PublishedCount, ...]


def count_backbones(names: Sequence[str] = (), resolution: int = _SIDE) -> Iterator[Count]:
    """Count networks on "meta": no memory is allocated for weights or for activations.

    Args:
        names: keys of `BACKBONES` or "package.module:function"; all of `BACKBONES` if empty.
        resolution: side of the image in pixels. Numbers published for another one are left out.

    Returns:
        One a network, in their order, each counted when it is asked for.

    Raises:
        UsageError: there is no such network; when its turn comes, that it does not take such images.
    """
    for name in names:
        if name not in BACKBONES and ":" not in name:
            hint = did_you_mean(name, BACKBONES)
            raise UsageError(f'unknown backbone "{name}"{hint}\n  allowed: {", ".join(BACKBONES)}')
    return _counts(names or tuple(BACKBONES), resolution)


def _counts(names: Sequence[str], resolution: int) -> Iterator[Count]:
    count = functools.partial(_counted, resolution=resolution)
    processes = min(os.cpu_count() or 1, len(names) // _A_PROCESS)
    if processes < 2:
        yield from map(count, names)
        return
    # Tracing is Python, one thread of it; what networks of a family have in common is counted once a process.
    with ExitStack() as stack:
        spawn = multiprocessing.get_context("spawn")
        pools = [stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn)) for _ in range(processes)]
        counted = [pools[number].submit(count, name) for name, number in _shared(names, processes)]
        try:
            yield from (future.result() for future in counted)
        finally:  # else they are waited for, whatever happened to one of them
            for future in counted:
                future.cancel()


def _shared(names: Sequence[str], processes: int) -> list[tuple[str, int]]:
    """Each network and the process that counts it: the same for a family, so that all have about as many."""
    load, of_family = [0] * processes, dict[str, int]()
    family = {name: BACKBONES.get(name, name).partition(":")[0] for name in names}
    for one, members in Counter(family.values()).items():
        of_family[one] = load.index(min(load))
        load[of_family[one]] += members
    return [(name, of_family[family[name]]) for name in names]


def rows(counts: Iterable[Count]) -> Iterator[dict[str, str]]:
    """A table for people: one row for each published number, one for a network without any."""
    return (row for count in counts for row in _rows(count))


def columns(names: Sequence[str], resolution: int) -> dict[str, int]:
    """Columns of `rows` and how wide they become, which is known before anything is counted."""
    printed = [row for name in names for row in published(name, resolution)]
    return {
        "name": max(map(len, names)),
        "px": 4,
        "params": len("999,999,999"),
        "MACs": len("≥ 999,999,999,999"),
        "published": max((len(row["value"]) + len(" M params") for row in printed), default=1),
        "difference": len("difference"),
        "source": max((len(row["source"]) for row in printed), default=len("source")),
        "why": 0,
    }


def as_data(counts: Sequence[Count]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [asdict(count) for count in counts]


def _counted(name: str, resolution: int) -> Count:
    cost = _cost(name, resolution)
    listed = published(name, resolution)
    return Count(
        name=name,
        params=cost.params,
        macs=cost.macs,
        complete=cost.complete,
        resolution=resolution,
        published=tuple(_compared(cost, row) for row in listed),
    )


def _cost(name: str, resolution: int) -> Cost:
    from benchsuite.worker import calls  # which imports torch, for which who starts processes need not wait

    cell = Cell(
        subject="backbone", name=name, target=name, resolution=(resolution, resolution), stride=1, batch=1
    )
    answer = calls.count(cell)
    if answer.value is None:
        assert answer.failure
        raise UsageError(f"{name} at {resolution} pixels: {answer.failure.message}")
    return answer.value


def _compared(cost: Cost, row: dict[str, Any]) -> PublishedCount:
    ours = cost.params if row["metric"] == "params" else cost.macs
    printed, scale = Decimal(row["value"]), _UNITS[row["unit"]]
    agrees = _rounds(ours, printed, scale, ROUND_HALF_UP)
    return PublishedCount(
        metric=row["metric"],
        value=row["value"],
        unit=row["unit"],
        source=row["source"],
        difference=ours - int(printed * scale),
        agrees=agrees,
        why="" if agrees else _why(cost, row, ours),
    )


def _why(cost: Cost, row: dict[str, Any], ours: int) -> str:
    """Change that turns our number into the printed one, or else what is known of the count, or nothing."""
    printed, scale = Decimal(row["value"]), _UNITS[row["unit"]]
    counted = {"": ours}
    if row["metric"] == "macs" and (norms := cost.other_ops.get("norm")):
        counted["norms counted as MACs"] = ours + norms
    roundings = {"": ROUND_HALF_UP, "cut off instead of rounded": ROUND_FLOOR, "rounded up": ROUND_CEILING}
    for how, rounding in roundings.items():
        for what, number in counted.items():
            if _rounds(number, printed, scale, rounding):
                return ", ".join(filter(None, (what, how)))
    return str(row.get("note", ""))


def _rounds(ours: int, printed: Decimal, scale: int, rounding: str) -> bool:
    """True if our number, rounded in this way to the digits of the printed one, is the printed one."""
    digit = Decimal(1).scaleb(int(printed.as_tuple().exponent))
    return (Decimal(ours) / scale).quantize(digit, rounding=rounding) == printed


def published(name: str, resolution: int) -> list[dict[str, Any]]:
    """Published numbers of a network at this side of the image: rows of metric, value, unit and source."""
    return [row for row in _published().get(name, ()) if row["resolution"] == resolution]


@functools.cache
def _published() -> dict[str, list[dict[str, Any]]]:
    text = (importlib.resources.files("benchsuite.zoo") / DATA).read_text(encoding="utf-8")
    table: dict[str, list[dict[str, Any]]] = json.loads(text)
    return table


def _rows(count: Count) -> Iterator[dict[str, str]]:
    ours = {
        "name": count.name,
        "px": str(count.resolution),
        "params": f"{count.params:,}",
        "MACs": f"{'' if count.complete else '≥ '}{count.macs:,}",
    }
    nothing = {"published": "–", "difference": "–", "source": "–", "why": ""}
    if not count.published:
        yield {**ours, **nothing}
    for number, printed in enumerate(count.published):
        relative = 100 * printed.difference / float(Decimal(printed.value) * _UNITS[printed.unit])
        yield {
            **(ours if number == 0 else dict.fromkeys(ours, "")),
            "published": f"{printed.value} {printed.unit} {'MACs' if printed.metric == 'macs' else 'params'}",
            "difference": "rounding" if printed.agrees else f"{relative:+.1f} %",
            "source": printed.source,
            "why": "" if printed.agrees else printed.why or "not known",
        }
