"""The cells of a run as typed points, made once: what figures, sentences and tables read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import pandas as pd
import yaml

from benchsuite.report.columns import CONDITIONS
from benchsuite.results.metrics import METRICS
from benchsuite.results.record import OpShare
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


@dataclass(frozen=True, slots=True)
class Roof:
    """Place of a cell under the measured roof of its machine (`findings.roof`).

    Attributes:
        intensity: operations per byte that must move; `ridge` is the one from which on multiplying limits.
        achieved: FLOP/s of the median step; `peak`, those of the fastest `kernel` of the machine.
        share: of the roof at this intensity.
        above: why the share exceeds 1, as a word of `findings.roof`; empty where it does not.
    """

    intensity: float
    achieved: float
    ridge: float
    peak: float
    share: float
    limited_by: str
    kernel: str
    above: str


@dataclass(frozen=True, slots=True)
class Point:
    """One cell.

    Attributes:
        target: the implementation, a key of `MIXERS` or `BACKBONES` or "module:Class".
        arguments: its keyword arguments.
        settings: condition → value, for every key of `columns.CONDITIONS`; None where it has none.
        subject: what kind of thing it is of: "mixer", "block" or "backbone".
        size: height × width in pixels, by which resolutions are ordered.
        tokens: of one image, at the stride of the cell; the pixels of a network.
        exact: False where the counter missed operators, so that MACs are a lower bound.
        rounds_s: median seconds per step of each round; round i of two cells of one `session` and `allocator`
            was one process.
        log_speeds: logarithms of the images per second of each round.
        flags: what makes its samples suspicious, as words of `findings.flags`.
        metrics: a value for every key of `METRICS`, `MISSING` where there is none.
        noise, drift: of its machine, as shares (`results.machine`).
        backends: of attention, as `results.kernels` writes them; None where nobody knows.
        standing: to the Pareto front of its group and resolution, all kernels together (`ranking`).
        numbers: a value for every column of `NUMBERS`, NaN where there is none.
        profile: operators and kernels of a profiled step.
        top1: published accuracy in per cent on ImageNet-1K; NaN where none is known. Never measured.
        unfinished, line_unfinished: whether cells of its setting, or of its name and size in other settings,
            are still to be measured (`cells.with_gaps`).
    """

    cell: str
    subject: str
    name: str
    resolution: int | str
    size: tuple[int, int]
    tokens: int
    kernel: str
    status: str
    reason: str | None
    expected: bool
    exact: bool
    rounds_s: tuple[float, ...]
    log_speeds: tuple[float, ...]
    session: int
    allocator: str
    flags: tuple[str, ...]
    noise: float
    drift: float
    metrics: Mapping[str, Value]
    target: str
    arguments: Mapping[str, Any]
    settings: Mapping[str, str | int | None]
    numbers: Mapping[str, float]
    profile: tuple[OpShare, ...] = ()
    roof: Roof | None = None
    top1: float = math.nan
    backends: str | None = None
    standing: Standing | None = None
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


def points(frame: pd.DataFrame) -> list[Point]:
    """The rows of a frame, in order."""
    read = [column for column in frame.columns if column in _READ]  # of many more: most of the time is theirs
    return [_point(row) for row in frame[read].to_dict("records")]


SETTINGS = tuple(CONDITIONS)
"""Columns that tell settings apart, besides resolution and kernel."""

NUMBERS = (
    *("weights_bytes", "input_bytes", "gradient_bytes", "optimizer_bytes", "peak_reserved_bytes"),
    *("forward_s", "backward_s", "optimizer_s", "busy_s", "joules_per_image", "idle_w"),
)
"""Columns of numbers that some figures need and that are no metrics."""

_ROOF = ("intensity", "achieved_flops_per_s", "ceiling_share", "ridge", "roof_share")
_READ = frozenset(
    {
        *("cell", "subject", "name", "resolution", "height", "width", "tokens", "kernel", "status", "reason"),
        *("expected", "macs_exact", "rounds_s", "session", "flags", "noise", "drift", "target", "config"),
        *("standing", "unfinished", "line_unfinished", "profile", "attention_backend"),
        *(*SETTINGS, *NUMBERS, *_ROOF, "limited_by", "roof_kernel", "above"),
        *(column for key, metric in METRICS.items() for column in (key, *(metric.interval or ()))),
    }
)
"""Columns that `_point` reads."""


def resolutions_of(cells: Iterable[Point]) -> list[int | str]:
    """Distinct resolutions by area, then height."""
    sizes = {point.resolution: point.size for point in cells}
    return sorted(sizes, key=lambda key: (math.prod(sizes[key]), sizes[key]))


def kernels_of(cells: Iterable[Point]) -> list[str]:
    """Distinct kernels, math first."""
    order = ("math", "sdpa", "flash", "mem_efficient", "cudnn", "flex")
    kernels = {point.kernel for point in cells}
    return sorted(kernels, key=lambda key: (order.index(key) if key in order else len(order), key))


def grouped(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    """Key → the items that have it, in order of appearance."""
    found: dict[_Key, list[_Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def names_of(cells: Iterable[Point]) -> list[str]:
    """Distinct names in order of appearance."""
    return list(dict.fromkeys(point.name for point in cells))


def noise_of(cells: Iterable[Point]) -> float:
    """Largest noise floor of the machines of these cells, as a share; 0 where none is known."""
    return max((p.noise for p in cells if not math.isnan(p.noise)), default=0.0)


def besides_protocol(point: Point) -> tuple[Any, ...]:
    """All that the same cell has in common under several timing protocols."""
    others = (value for key, value in point.settings.items() if key != "protocol")
    return (point.name, point.resolution, point.kernel, *others)


def counting(cells: Sequence[Point], kernel: str) -> list[Point]:
    """The cells that count under a kernel: its own, and those of names that have nothing to fuse.

    A mixer without attention runs on "math" alone; it is the same layer whatever kernel the others use.
    """
    fused = {point.name for point in cells if point.kernel != "math"}
    return [point for point in cells if point.kernel == kernel or point.name not in fused]


def _point(row: Mapping[Any, Any]) -> Point:
    rounds = row["rounds_s"] if isinstance(row["rounds_s"], tuple) else ()
    arguments = json.loads(row["config"])
    return Point(
        cell=row["cell"],
        subject=row["subject"],
        name=row["name"],
        resolution=row["resolution"],
        size=(row["height"], row["width"]),
        tokens=int(row["tokens"]),
        kernel=row["kernel"],
        status=row["status"],
        reason=_text(row["reason"]),
        expected=bool(row["expected"]),
        exact=bool(pd.isna(row["macs_exact"]) or row["macs_exact"]),
        rounds_s=rounds,
        log_speeds=tuple(math.log(row["batch"] / seconds) for seconds in rounds),
        session=int(row["session"]),
        allocator=row["allocator"],
        flags=tuple(row["flags"].split()),
        noise=row["noise"],
        drift=row["drift"],
        target=row["target"],
        arguments=arguments,
        settings={key: _plain(row[key]) for key in SETTINGS},
        numbers={key: _number(row[key]) for key in NUMBERS},
        profile=tuple(row.get("profile") or ()),
        roof=_roof(row),
        top1=published_top1(row["target"], arguments, row["resolution"]),
        backends=_text(row.get("attention_backend")),
        standing=row.get("standing") or None,
        unfinished=bool(row.get("unfinished", False)),
        line_unfinished=bool(row.get("line_unfinished", False)),
        metrics={
            key: Value(*(_number(row[column]) for column in (key, *(metric.interval or ()))))
            for key, metric in METRICS.items()
        },
    )


def published_top1(target: str, config: Mapping[str, Any], resolution: int | str) -> float:
    """Published ImageNet-1K top-1 accuracy of a network in per cent; NaN where none is known.

    A network with other mixers or arguments than its authors' has none.
    """
    return math.nan if config else _published().get((target, resolution), math.nan)


@cache
def _published() -> Mapping[tuple[str, int | str], float]:
    text = files("benchsuite.report").joinpath("data/published_top1.yaml").read_text(encoding="utf-8")
    rows = yaml.safe_load(text)
    return {(row["backbone"], row["resolution"]): row["top1"] for row in rows if "backbone" in row}


def _roof(row: Mapping[Any, Any]) -> Roof | None:
    share = row.get("roof_share")
    if share is None or pd.isna(share):
        return None
    intensity, achieved, of_peak, ridge, _ = (_number(row[key]) for key in _ROOF)
    return Roof(
        intensity=intensity,
        achieved=achieved,
        ridge=ridge,
        peak=achieved / of_peak,
        share=float(share),
        limited_by=row["limited_by"] or "",
        kernel=row["roof_kernel"] or "",
        above=row["above"] or "",
    )


def _number(value: Any) -> float:
    return math.nan if pd.isna(value) else float(value)


def _plain(value: Any) -> Any:
    """A word, a whole number, or None."""
    return value if isinstance(value, str) else None if pd.isna(value) else int(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
