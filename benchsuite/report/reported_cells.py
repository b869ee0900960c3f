"""The cells of a run as a report sees them, made once: what figures, sentences and tables read."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from benchsuite.report.columns import CONDITIONS, MEASURES
from benchsuite.results import machine
from benchsuite.results.metrics import QUANTITIES, MeasuredCell, measured_cells
from benchsuite.results.record import Record
from benchsuite.stats.pareto import Standing

_Item = TypeVar("_Item")
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its 95 % interval; NaN ends where none can be stated."""

    value: float
    lo: float = math.nan
    hi: float = math.nan

    @property
    def known(self) -> bool:
        """True if there is a number."""
        return not math.isnan(self.value)

    @property
    def bounded(self) -> bool:
        """True if there is an interval."""
        return not (math.isnan(self.lo) or math.isnan(self.hi))


MISSING = Value(math.nan)


def stated(text: str, values: Iterable[Value]) -> str:
    """The sentence of a caption on intervals, where there is one; else nothing."""
    return text if any(value.bounded for value in values) else ""


class _Quantities(dict[str, Value]):
    """Key of `columns.MEASURES` → value of a cell, each worked out when it is first asked for."""

    def __init__(self, measured: MeasuredCell) -> None:
        super().__init__()
        self._measured = measured

    def __missing__(self, key: str) -> Value:
        row = MEASURES[key]
        ends = [QUANTITIES[end] for end in row.interval or ()]
        numbers = [one.of(self._measured) for one in (row, *ends)]
        value = self[key] = Value(*(math.nan if number is None else float(number) for number in numbers))
        return value


@dataclass(frozen=True, slots=True)
class ReportedCell:
    """One cell.

    Attributes:
        measured: the record and its machine, for all that few readers ask.
        target: the implementation, a key of `MIXERS` or `BACKBONES` or "module:Class".
        arguments: its keyword arguments.
        settings: condition → value, for every key of `columns.CONDITIONS`; None where it has none.
        subject: what kind of thing it is of: "mixer", "block" or "backbone".
        size: height × width in pixels, by which resolutions are ordered.
        exact: False where the counter missed operators, so that MACs are a lower bound.
        rounds_s: median seconds per step of each round; round i of two cells of one `session` and
            allocator was one process.
        log_speeds: logarithms of the images per second of each round.
        flags: what makes its samples suspicious, as words of `findings.flags`.
        metrics: a value for every number in `columns.MEASURES`, `MISSING` where there is none.
        noise, drift: of its machine, as shares (`results.machine`).
        standing: to the Pareto front of its group and resolution, all kernels together (`ranking`).
        relative: speed as a multiple of the reference's in the same setting (`cells`).
        unfinished, line_unfinished: whether cells of its setting, or of its name and size in other settings,
            are still to be measured (`cells`).
    """

    measured: MeasuredCell
    id: str
    subject: str
    name: str
    resolution: int | str
    size: tuple[int, int]
    kernel: str
    status: str
    exact: bool
    rounds_s: tuple[float, ...]
    log_speeds: tuple[float, ...]
    session: int
    flags: tuple[str, ...]
    noise: float
    drift: float
    metrics: Mapping[str, Value]
    target: str
    arguments: Mapping[str, Any]
    settings: Mapping[str, str | int | None]
    standing: Standing | None = None
    relative: Value = MISSING
    unfinished: bool = False
    line_unfinished: bool = False

    @property
    def macs(self) -> float:
        """Multiply–accumulates for one image."""
        return self.metrics["macs"].value

    @property
    def latency(self) -> Value:
        """Median seconds per step."""
        return self.metrics["latency_s"]

    @property
    def throughput(self) -> Value:
        """Images per second at the median."""
        return self.metrics["throughput"]

    @property
    def top1(self) -> float:
        """Published accuracy in per cent on ImageNet-1K; NaN where none is known. Never measured."""
        return self.metrics["published_top1"].value


def reported_cells(
    records: Iterable[Record], environments: Mapping[int, Mapping[str, Any]] | None = None
) -> list[ReportedCell]:
    """The cells of these records, in order; `environments` has the machine of each session."""
    return [_reported(measured) for measured in measured_cells(records, environments)]


def setting_of(cell: ReportedCell) -> tuple[Any, ...]:
    """All that cells of one run have in common that differ in the mixer only."""
    return (cell.resolution, cell.kernel, *cell.settings.values())


def besides_protocol(cell: ReportedCell) -> tuple[Any, ...]:
    """All that the same cell has in common under several timing protocols."""
    others = (value for key, value in cell.settings.items() if key != "protocol")
    return (cell.name, cell.resolution, cell.kernel, *others)


def resolutions_of(cells: Iterable[ReportedCell]) -> list[int | str]:
    """Distinct resolutions by area, then height."""
    sizes = {cell.resolution: cell.size for cell in cells}
    return sorted(sizes, key=lambda key: (math.prod(sizes[key]), sizes[key]))


def kernels_of(cells: Iterable[ReportedCell]) -> list[str]:
    """Distinct kernels, math first."""
    order = ("math", "sdpa", "flash", "mem_efficient", "cudnn", "flex")
    kernels = {cell.kernel for cell in cells}
    return sorted(kernels, key=lambda key: (order.index(key) if key in order else len(order), key))


def grouped(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    """Key → the items that have it, in order of appearance."""
    found: dict[_Key, list[_Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def names_of(cells: Iterable[ReportedCell]) -> list[str]:
    """Distinct names in order of appearance."""
    return list(dict.fromkeys(cell.name for cell in cells))


def noise_of(cells: Iterable[ReportedCell]) -> float:
    """Largest noise floor of the machines of these cells, as a share; 0 where none is known."""
    return max((p.noise for p in cells if not math.isnan(p.noise)), default=0.0)


def counting(cells: Sequence[ReportedCell], kernel: str) -> list[ReportedCell]:
    """The cells that count under a kernel: its own, and those of names that have nothing to fuse.

    A mixer without attention runs on "math" alone; it is the same layer whatever kernel the others use.
    """
    fused = {cell.name for cell in cells if cell.kernel != "math"}
    return [cell for cell in cells if cell.kernel == kernel or cell.name not in fused]


def _reported(measured: MeasuredCell) -> ReportedCell:
    record, cell = measured.record, measured.record.cell
    height, width = cell.resolution
    size = height if height == width else f"{height}x{width}"
    rounds = measured.round_medians
    return ReportedCell(
        measured=measured,
        id=record.id,
        subject=cell.subject,
        name=cell.name,
        resolution=size,
        size=cell.resolution,
        kernel=cell.kernel,
        status=record.status,
        exact=record.cost is None or record.cost.complete,
        rounds_s=rounds,
        log_speeds=tuple(math.log(cell.batch / seconds) for seconds in rounds),
        session=record.session,
        flags=record.flags,
        noise=machine.noise_of(measured.environment),
        drift=machine.drift_of(measured.environment),
        target=cell.target,
        arguments=dict(sorted(cell.config.items())),
        settings={key: QUANTITIES[key].of(measured) for key in CONDITIONS},
        metrics=_Quantities(measured),
    )
