"""Values that are right by themselves and wrong together: repeats, sizes that do not divide, nothing left."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from benchsuite.errors import Problem
from benchsuite.results.record import SETTINGS
from benchsuite.scenario import filters
from benchsuite.scenario.axes import SWEPT
from benchsuite.scenario.expand import MAX_CELLS, Point, points, size, too_many, variants
from benchsuite.scenario.messages import problem_at, shown
from benchsuite.scenario.model import Document
from benchsuite.scenario.subjects import axis_of, named
from benchsuite.scenario.yaml_tree import Node, Path
from benchsuite.stats.evidence import LEAST_ROUNDS

_DIVIDED = frozenset({"resolution", "stride", "dim", "num_heads"})
"""Axes whose values must divide each other; `tokens` of a filter are made of two of them."""


def clashes(
    document: Document, root: Node, known: Mapping[str, Sequence[str]], left_out: Sequence[Path]
) -> Iterator[Problem]:
    """What is wrong with the document as a whole.

    Args:
        root: the tree that `document` was read from, entry by entry.
        left_out: paths of what was wrong by itself and is missing in both; nothing is said of what depends on
            them.
    """
    yield from _repeats(document, root)
    number = size(document)
    if number <= MAX_CELLS:
        yield from _repeated_labels(document, root)
    if ("measure", "min_samples") not in left_out and ("measure", "max_samples") not in left_out:
        yield from _samples(document, root)
    if not any(path[0] == "measure" for path in left_out):
        yield from _budgets(document, root)
    if number > MAX_CELLS:
        yield problem_at(root.deepest(("sweep",))[0], too_many(number), key=True)
    elif not any(path[0] == "exclude" for path in left_out):
        yield from _of_cells(document, root, known, left_out)


def _repeats(document: Document, root: Node) -> Iterator[Problem]:
    lists: list[tuple[Path, BaseModel, tuple[str, ...]]] = [
        (("sweep",), document.sweep, SWEPT),
        *(
            (("include", i), extra, (axis_of(document.subject), *SWEPT))
            for i, extra in enumerate(document.include)
        ),
        *((("expect", i), rule, ("status",)) for i, rule in enumerate(document.expect)),
        (("measure",), document.measure, ("metrics",)),
        (("report",), document.report, ("sections",)),
    ]
    for path, part, keys in lists:
        for key in keys:
            node = root.at((*path, key))
            yield from _repeated(key, getattr(part, key), node.items if node else ())


def _repeated(key: str, values: Sequence[Any], items: Sequence[Node]) -> Iterator[Problem]:
    """Compares values, so that "auto" repeats "sdpa", and quotes what is written."""
    places: dict[Any, int] = {}
    for i, item in enumerate(items):
        first = places.setdefault(values[i], i)
        if first < i:
            words, before = shown(item.plain()), shown(items[first].plain())
            also = "" if words == before else f", first as {before}"
            yield problem_at(item, f"{key} lists {words} twice{also}")


def _repeated_labels(document: Document, root: Node) -> Iterator[Problem]:
    seen: set[str] = set()
    for variant in variants(document.sweep):
        if variant.label in seen:
            axis = axis_of(document.subject)
            entry, _ = root.deepest(("sweep", axis, variant.entry, "label"))
            yield problem_at(
                entry, f'two {axis}s are labelled "{variant.label}"; give one of them another label'
            )
        seen.add(variant.label)


def _samples(document: Document, root: Node) -> Iterator[Problem]:
    least, most = document.measure.min_samples, document.measure.max_samples
    if least > most:
        key = "max_samples" if root.at(("measure", "max_samples")) else "min_samples"
        node, _ = root.deepest(("measure", key))
        yield problem_at(node, f"max_samples {most} is less than min_samples {least}")


def _budgets(document: Document, root: Node) -> Iterator[Problem]:
    """Budgets that leave nothing to measure, and threads said twice."""
    measure = document.measure
    if measure.max_s < measure.warmup_s:
        key = "max_s" if root.at(("measure", "max_s")) else "warmup_s"
        node, _ = root.deepest(("measure", key))
        yield problem_at(
            node,
            f"max_s {measure.max_s:g} is less than warmup_s {measure.warmup_s:g}, the warm-up alone",
        )
    if document.gate.max_s < document.gate.warmup_s:
        key = "max_s" if root.at(("gate", "max_s")) else "warmup_s"
        node, _ = root.deepest(("gate", key))
        least = document.gate.warmup_s
        yield problem_at(
            node, f"max_s {document.gate.max_s:g} is less than warmup_s {least:g}, the warm-up alone"
        )
    if measure.timeout_s < measure.warmup_s:
        node, _ = root.deepest(("measure", "timeout_s"))
        yield problem_at(node, f"timeout_s {measure.timeout_s:g} is less than warmup_s {measure.warmup_s:g}")
    if measure.threads is not None and document.sweep.threads != (None,):
        node, _ = root.deepest(("measure", "threads"))
        yield problem_at(node, "threads is an axis of the sweep already; say it in one of the two places")
    if measure.allocator is not None and document.sweep.allocator != (None,):
        node, _ = root.deepest(("measure", "allocator"))
        yield problem_at(node, "allocator is an axis of the sweep already; say it in one of the two places")
    if isinstance(measure.precision, float) and measure.rounds < LEAST_ROUNDS:
        key = "rounds" if root.at(("measure", "rounds")) else "precision"
        node, _ = root.deepest(("measure", key))
        yield problem_at(
            node,
            f"precision {measure.precision:g} is that of an interval between rounds, which needs at least "
            f"{LEAST_ROUNDS}, not {measure.rounds}; leave precision out, or ask for more rounds",
        )
    if measure.max_rounds is not None and measure.max_rounds < measure.rounds:
        key = "max_rounds" if root.at(("measure", "max_rounds")) else "rounds"
        node, _ = root.deepest(("measure", key))
        yield problem_at(node, f"max_rounds {measure.max_rounds} is less than rounds {measure.rounds}")


def _of_cells(
    document: Document, root: Node, known: Mapping[str, Sequence[str]], left_out: Sequence[Path]
) -> Iterator[Problem]:
    rules = [filters.parse(rule.where) for rule in document.exclude]
    axes = _axes_that_matter(document, rules)
    # "auto" may become either, and an exclusion may speak of one of them.
    kept = [
        point
        for device in (("cpu", "cuda") if "device" in axes else ("cpu",))
        for point in points(document, device=device, only=axes)
        if not any(rule.matches(point.cell) for rule in rules)
    ]
    if not kept and not left_out:
        yield problem_at(
            root.deepest(("exclude",))[0], "every cell is excluded; nothing is left to measure", key=True
        )
    lost = {path[1] for path in left_out if path[0] == "sweep" and len(path) > 1}
    found: dict[Problem, None] = {}
    for point in kept:
        if not lost & {"resolution", "stride"}:
            found.update(dict.fromkeys(_indivisible_sides(point, document, root)))
        if not lost & {"dim", "num_heads"} and _has_heads(point, known):
            found.update(dict.fromkeys(_indivisible_heads(point, document, root)))
    yield from found


def _axes_that_matter(document: Document, rules: Sequence[filters.Selection]) -> Collection[str]:
    """The axes on which it depends whether a cell is wrong or excluded. Large sweeps have few of them."""
    if document.include:  # a cell of one may be a cell of the sweep, and that depends on all axes
        return SETTINGS
    spoken_of = {term.axis for rule in rules for term in rule.terms}
    return _DIVIDED | (spoken_of & set(SETTINGS))


def _indivisible_sides(point: Point, document: Document, root: Node) -> Iterator[Problem]:
    cell = point.cell
    if all(side % cell.stride == 0 for side in cell.resolution):
        return
    height, width = cell.resolution
    size = str(height) if height == width else f"{height}x{width}"
    node = _written(point, document, root, "resolution") or _written(point, document, root, "stride")
    assert node  # the defaults divide each other
    yield problem_at(node, f"resolution {size} is not divisible by stride {cell.stride}")


def _has_heads(point: Point, known: Mapping[str, Sequence[str]]) -> bool:
    """Whether the scenario says how many heads there are, and the mixer or block makes use of it."""
    cell = point.cell
    return cell.num_heads is not None and "num_heads" in named(known, cell.subject).get(cell.target, ())


def _indivisible_heads(point: Point, document: Document, root: Node) -> Iterator[Problem]:
    cell = point.cell
    assert cell.dim is not None
    assert cell.num_heads is not None
    if cell.dim % cell.num_heads == 0:
        return
    own = _own_heads(point, document, root)
    node = own or _written(point, document, root, "num_heads") or _written(point, document, root, "dim")
    assert node  # the defaults divide each other
    whose = f' of mixer "{cell.name}"' if own else ""
    yield problem_at(node, f"num_heads {cell.num_heads}{whose} does not divide dim {cell.dim}")


def _own_heads(point: Point, document: Document, root: Node) -> Node | None:
    """Where the point's mixer sets its heads itself; None if the axis does."""
    entry: Path = ("sweep", "mixer", point.entry)
    varied = document.sweep.entries[point.entry].vary.get("num_heads")
    if varied is None:
        return root.at((*entry, "params", "num_heads"))
    return root.deepest((*entry, "vary", "num_heads", varied.index(point.cell.num_heads)))[0]


def _written(point: Point, document: Document, root: Node, axis: str) -> Node | None:
    """Where the point's value of an axis is written; None if it is the default."""
    path: Path
    values, path = getattr(document.sweep, axis), ("sweep", axis)
    if point.include is not None and (own := getattr(document.include[point.include], axis)):
        values, path = own, ("include", point.include, axis)
    if root.at(path) is None:
        return None
    return root.deepest((*path, values.index(getattr(point.cell, axis))))[0]
