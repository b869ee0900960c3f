"""A scenario's cells. Pure: the same scenario and device give the same cells in the same order.

Cells that a report compares stay together: the axes vary in the order of `SETTINGS` (`results/cell.py`),
the device slowest; then the mixer. The values of an axis come in the order of the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from benchsuite.errors import UsageError
from benchsuite.results.cell import SETTINGS, Cell
from benchsuite.results.machine import memory_of
from benchsuite.scenario import filters
from benchsuite.scenario.kernel_table import AUTO, KernelRow, Key, by_setting, kernel_of

if TYPE_CHECKING:
    from benchsuite.scenario.axes import Include, Sweep
    from benchsuite.scenario.model import Document

MAX_CELLS = 100_000
"""A scenario of more would run for days; most likely an axis has too many values."""
_LONG = 10**15
"""A number with more digits is told by its magnitude."""
_OF_A_BACKBONE: Mapping[str, Any] = {"stride": 1, "dim": None, "num_heads": None}
"""It is given pixels, and its stages have widths and heads of their own."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A mixer or a backbone with the parameters it is measured with.

    Attributes:
        entry: position in `Sweep.entries`.
        network: whether it is a backbone.
        config: keyword arguments, without num_heads; of a backbone with the mixers that are put into it.
        num_heads: what the entry says instead of the axis; None if it says nothing.
        forward: how it is called, as far as the entry says it.
    """

    entry: int
    network: bool
    label: str
    target: str
    config: Mapping[str, Any]
    num_heads: int | None
    forward: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlacedCell:
    """A cell, and where in the scenario it comes from.

    Attributes:
        entry: position of its mixer or backbone in `Sweep.entries`.
        include: position of the include that made it; None if the sweep did.
    """

    cell: Cell
    entry: int
    include: int | None


@dataclass(frozen=True, slots=True)
class Expansion:
    """Cells that a scenario measures, and those that it leaves out.

    Attributes:
        excluded: cells with the reason of the first rule that excludes them.
    """

    cells: tuple[Cell, ...]
    excluded: tuple[tuple[Cell, str], ...]


def expand(scenario: Document, *, device: str) -> tuple[Cell, ...]:
    """The cells to measure. A cell that occurs twice is kept once.

    The device "auto" becomes `device`, the kernel "auto" what the scenario's table has.
    """
    return expand_detailed(scenario, device=device).cells


def expand_detailed(scenario: Document, *, device: str) -> Expansion:
    """The cells to measure, and those that a rule excludes."""
    cells: list[Cell] = []
    excluded: list[tuple[Cell, str]] = []
    rules = [(filters.parse(rule.where), rule.reason) for rule in scenario.exclude]
    for placed in placed_cells(scenario, device=device):
        reason = next((reason for selection, reason in rules if selection.matches(placed.cell)), None)
        if reason is None:
            cells.append(placed.cell)
        else:
            excluded.append((placed.cell, reason))
    return Expansion(tuple(cells), tuple(excluded))


def expected(scenario: Document, cell: Cell, status: str, environment: Mapping[str, Any]) -> bool:
    """True if the scenario says that the cell may end with this status on this machine."""
    memory = memory_of(environment, cell.device)
    return any(
        status in rule.status
        and filters.parse(rule.where).matches(cell)
        and (rule.memory_below is None or (memory is not None and memory < rule.memory_below))
        for rule in scenario.expect
    )


def size(document: Document) -> int:
    """Number of cells before exclusion, counted and not made; an include counts with all mixers."""
    sweep = document.sweep
    blocks = [sweep, *document.include]
    return _number_of_variants(sweep) * sum(
        prod(len(getattr(block, axis) or getattr(sweep, axis)) for axis in SETTINGS) for block in blocks
    )


def too_many(cells: int) -> str:
    """Message about more cells than can be run."""
    many = f"{cells:,}" if cells < _LONG else f"some 10^{math.floor(math.log10(cells))}"
    return f"{many} cells before exclusion; at most {MAX_CELLS:,} can be run"


def _number_of_variants(sweep: Sweep) -> int:
    return sum(prod(len(values) for values in entry.vary.values()) for entry in sweep.entries)


def variants(sweep: Sweep) -> tuple[Variant, ...]:
    """The mixers or backbones of a sweep in order, each combination of `vary` one of its own.

    Raises:
        UsageError: there are more than cells can be run.
    """
    if (number := _number_of_variants(sweep)) > MAX_CELLS:
        raise UsageError(too_many(number))
    combinations = []
    for index, entry in enumerate(sweep.entries):
        network = sweep.place(index)[0] == "backbone"
        for label, varied in labelled(entry.label, entry.vary):
            config = entry.arguments(varied)
            heads = None if network else config.pop("num_heads", None)
            arguments = dict(sorted(config.items()))
            combinations.append(Variant(index, network, label, entry.name, arguments, heads, entry.forward))
    return tuple(combinations)


def labelled(label: str, vary: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every combination of `vary` with its label: "HiLo" and {"alpha": [0.5]} give "HiLo alpha=0.5".

    Parameters are taken by name, not in the order of the file, which must not matter for a cell's id.
    """
    names = sorted(vary)
    for values in product(*(vary[name] for name in names)):
        varied = dict(zip(names, values, strict=True))
        yield " ".join([label, *(f"{name}={_short(value)}" for name, value in varied.items())]), varied


def placed_cells(scenario: Document, *, device: str, only: Collection[str] = SETTINGS) -> list[PlacedCell]:
    """Every cell before exclusion, in order, each once.

    Args:
        only: axes that vary; of the others the first value stands for all.

    Raises:
        UsageError: the scenario has more than can be run; none of them is made.
    """
    if (number := size(scenario)) > MAX_CELLS:
        raise UsageError(too_many(number))
    mixers = variants(scenario.sweep)
    blocks: list[tuple[int | None, Sweep | Include, list[int]]] = [
        (None, scenario.sweep, list(range(len(mixers))))
    ]
    for number, extra in enumerate(scenario.include):
        blocks.append((number, extra, _chosen(extra, mixers)))
    axes = [
        {axis: values if axis in only else values[:1] for axis, values in block_axes.items()}
        for block_axes in (_values(block, scenario, device) for _, block, _ in blocks)
    ]
    rows = by_setting(getattr(scenario, "kernel_rows", ()))  # a document that was not loaded yet has none
    ranks = {axis: _ranks(value for values in axes for value in values[axis]) for axis in SETTINGS}
    ranked: list[tuple[tuple[int, ...], PlacedCell]] = []
    for (include, _, chosen), values in zip(blocks, axes, strict=True):
        for combination in product(*values.values()):
            fields = dict(zip(SETTINGS, combination, strict=True))
            order = tuple(ranks[axis][value] for axis, value in fields.items())
            for position in chosen:
                cell = _cell(scenario, mixers[position], fields, rows)
                ranked.append(((*order, position), PlacedCell(cell, mixers[position].entry, include)))
    ranked.sort(key=lambda pair: pair[0])  # stable: of two equal cells the sweep's comes first
    first: dict[tuple[Any, ...], PlacedCell] = {}
    for (*_, position), placed in ranked:
        first.setdefault((position, *(getattr(placed.cell, axis) for axis in SETTINGS)), placed)
    return list(first.values())


def _values(block: Sweep | Include, scenario: Document, device: str) -> dict[str, tuple[Any, ...]]:
    """The values of every axis but the mixer, the outermost first."""
    values = {axis: getattr(block, axis) or getattr(scenario.sweep, axis) for axis in SETTINGS}
    values["device"] = tuple(device if value == "auto" else value for value in values["device"])
    usual = scenario.measure.allocator or "retain"
    values["allocator"] = tuple(dict.fromkeys(value or usual for value in values["allocator"]))
    return values


def _ranks(values: Iterable[Any]) -> dict[Any, int]:
    """Value → how many different ones came before it."""
    return {value: rank for rank, value in enumerate(dict.fromkeys(values))}


def _chosen(include: Include, mixers: Sequence[Variant]) -> list[int]:
    """Positions of the mixers or backbones that an include picks."""
    names = {*(include.mixer or ()), *(include.backbone or ())}
    return [i for i, mixer in enumerate(mixers) if not names or {mixer.label, mixer.target} & names]


def _cell(
    scenario: Document, mixer: Variant, fields: Mapping[str, Any], rows: Mapping[Key, KernelRow]
) -> Cell:
    heads = fields["num_heads"] if mixer.num_heads is None else mixer.num_heads
    own = _OF_A_BACKBONE if mixer.network else {"num_heads": heads}
    if fields["kernel"] == AUTO:
        fields = {**fields, "kernel": kernel_of(rows, mixer.target, fields)}
    return Cell(
        subject="backbone" if mixer.network else scenario.subject,
        name=mixer.label,
        target=mixer.target,
        config=mixer.config,
        forward=mixer.forward,
        **{**fields, **own},
    )


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
