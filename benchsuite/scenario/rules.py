"""Values that are right by themselves and wrong together: repeats, sizes that do not divide, nothing left,
and claims that no run of the scenario can test.

A profile may take away what a claim of the file speaks of; the claim is then not testable in such a run, and
that is no mistake. So a claim is held against the cells of the form it is written in: the file as it stands,
or the profile or option that brings it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from benchsuite.errors import Problem
from benchsuite.results.cell import SETTINGS, SWEPT, Cell
from benchsuite.scenario import filters
from benchsuite.scenario.claim_model import Claim, Pairing, distinct, pairing
from benchsuite.scenario.expand import MAX_CELLS, PlacedCell, expand, placed_cells, size, too_many, variants
from benchsuite.scenario.messages import problem_at, shown
from benchsuite.scenario.model import Document
from benchsuite.scenario.subjects import named
from benchsuite.scenario.yaml_tree import Node, Path
from benchsuite.stats.evidence import LEAST_ROUNDS

_DIVIDED = frozenset({"resolution", "stride", "dim", "num_heads"})
"""Axes whose values must divide each other; `tokens` of a filter are made of two of them."""
_GROUP: Mapping[str, str] = {
    "params": "cost",
    "macs": "cost",
    "latency_s": "latency",
    "throughput": "latency",
    "peak_memory_bytes": "memory",
}
"""Metric → the group of `measure.metrics` that takes it."""


def clashes(
    document: Document, root: Node, known: Mapping[str, Sequence[str]], left_out: Sequence[Path]
) -> Iterator[Problem]:
    """Mistakes of the document as a whole.

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
        *((("include", i), extra, ("mixer", "backbone", *SWEPT)) for i, extra in enumerate(document.include)),
        *((("expect", i), rule, ("status",)) for i, rule in enumerate(document.expect)),
        (("measure",), document.measure, ("metrics",)),
        (("report",), document.report, ("sections",)),
    ]
    for path, part, keys in lists:
        for key in keys:
            node = root.at((*path, key))
            yield from _repeated(key, getattr(part, key), node.items if node else ())


def _repeated(key: str, values: Sequence[Any], items: Sequence[Node]) -> Iterator[Problem]:
    """Compares values, so that [448, 448] repeats 448, and quotes what is written."""
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
            axis, number = document.sweep.place(variant.entry)
            entry, _ = root.deepest(("sweep", axis, number, "label"))
            yield problem_at(
                entry, f'two {axis}s are labelled "{variant.label}"; give one of them another label'
            )
        seen.add(variant.label)


def _samples(document: Document, root: Node) -> Iterator[Problem]:
    least, most = document.measure.min_samples, document.measure.max_samples
    if least > most:
        node = _said(root, "measure", "max_samples", "min_samples")
        yield problem_at(node, f"max_samples {most} is less than min_samples {least}")


def _said(root: Node, section: str, *keys: str) -> Node:
    """Node of the first of these keys that a section has; where it has none, that of the last, or above."""
    key = next((key for key in keys if root.at((section, key))), keys[-1])
    return root.deepest((section, key))[0]


def _budgets(document: Document, root: Node) -> Iterator[Problem]:
    """Budgets that leave nothing to measure, and threads said twice."""
    measure = document.measure
    for name, part in (("measure", measure), ("gate", document.gate)):
        if part.max_s < part.warmup_s:
            yield problem_at(
                _said(root, name, "max_s", "warmup_s"),
                f"max_s {part.max_s:g} is less than warmup_s {part.warmup_s:g}, the warm-up alone; "
                f"set {name}.warmup_s too",
            )
    if measure.timeout_s < measure.warmup_s:
        message = f"timeout_s {measure.timeout_s:g} is less than warmup_s {measure.warmup_s:g}"
        yield problem_at(_said(root, "measure", "timeout_s"), message)
    for axis in ("threads", "allocator"):
        if getattr(measure, axis) is not None and getattr(document.sweep, axis) != (None,):
            message = f"{axis} is an axis of the sweep already; say it in one of the two places"
            yield problem_at(_said(root, "measure", axis), message)
    if isinstance(measure.precision, float) and measure.rounds < LEAST_ROUNDS:
        yield problem_at(
            _said(root, "measure", "rounds", "precision"),
            f"precision {measure.precision:g} is that of an interval between rounds, which needs at least "
            f"{LEAST_ROUNDS}, not {measure.rounds}; leave precision out, or ask for more rounds",
        )
    if measure.max_rounds is not None and measure.max_rounds < measure.rounds:
        node = _said(root, "measure", "max_rounds", "rounds")
        yield problem_at(node, f"max_rounds {measure.max_rounds} is less than rounds {measure.rounds}")


def _of_cells(
    document: Document, root: Node, known: Mapping[str, Sequence[str]], left_out: Sequence[Path]
) -> Iterator[Problem]:
    rules = [filters.parse(rule.where) for rule in document.exclude]
    axes = _axes_that_matter(document, rules)
    # "auto" may become either, and an exclusion may speak of one of them.
    kept = [
        placed
        for device in (("cpu", "cuda") if "device" in axes else ("cpu",))
        for placed in placed_cells(document, device=device, only=axes)
        if not any(rule.matches(placed.cell) for rule in rules)
    ]
    if not kept and not left_out:
        yield problem_at(
            root.deepest(("exclude",))[0], "every cell is excluded; nothing is left to measure", key=True
        )
    lost = {path[1] for path in left_out if path[0] == "sweep" and len(path) > 1}
    problems: dict[Problem, None] = {}
    for placed in kept:
        if not lost & {"resolution", "stride"}:
            problems.update(dict.fromkeys(_indivisible_sides(placed, document, root)))
        if not lost & {"dim", "num_heads"} and _has_heads(placed, known):
            problems.update(dict.fromkeys(_indivisible_heads(placed, document, root)))
        if not lost & {"kernel", "compile"}:
            problems.update(dict.fromkeys(_compiled_twice(placed, document, root)))
    yield from problems


def _axes_that_matter(document: Document, rules: Sequence[filters.Selection]) -> Collection[str]:
    """The axes on which it depends whether a cell is wrong or excluded. Large sweeps have few of them."""
    if document.include:  # a cell of one may be a cell of the sweep, and that depends on all axes
        return SETTINGS
    spoken_of = {term.axis for rule in rules for term in rule.terms}
    compiled = {"kernel", "compile"} if "compiled" in document.sweep.kernel else set()
    return _DIVIDED | compiled | (spoken_of & set(SETTINGS))


def _indivisible_sides(placed: PlacedCell, document: Document, root: Node) -> Iterator[Problem]:
    cell = placed.cell
    if all(side % cell.stride == 0 for side in cell.resolution):
        return
    height, width = cell.resolution
    size = str(height) if height == width else f"{height}x{width}"
    node = _written(placed, document, root, "resolution") or _written(placed, document, root, "stride")
    assert node  # the defaults divide each other
    yield problem_at(node, f"resolution {size} is not divisible by stride {cell.stride}")


def _compiled_twice(placed: PlacedCell, document: Document, root: Node) -> Iterator[Problem]:
    cell = placed.cell
    if cell.kernel != "compiled" or cell.compile == "eager":
        return
    node = _written(placed, document, root, "compile")
    assert node  # eager is the default
    message = (
        f'compile "{cell.compile}" compiles a whole module, kernel "compiled" a part of it: one of the two'
    )
    yield problem_at(node, f"{message}; exclude these cells, or measure the kernel with compile: eager")


def _has_heads(placed: PlacedCell, known: Mapping[str, Sequence[str]]) -> bool:
    """True if the scenario says how many heads there are, and the mixer or block makes use of it."""
    cell = placed.cell
    return cell.num_heads is not None and "num_heads" in named(known, cell.subject).get(cell.target, ())


def _indivisible_heads(placed: PlacedCell, document: Document, root: Node) -> Iterator[Problem]:
    cell = placed.cell
    assert cell.dim is not None
    assert cell.num_heads is not None
    if cell.dim % cell.num_heads == 0:
        return
    own = _own_heads(placed, document, root)
    node = own or _written(placed, document, root, "num_heads") or _written(placed, document, root, "dim")
    assert node  # the defaults divide each other
    whose = f' of mixer "{cell.name}"' if own else ""
    yield problem_at(node, f"num_heads {cell.num_heads}{whose} does not divide dim {cell.dim}")


def _own_heads(placed: PlacedCell, document: Document, root: Node) -> Node | None:
    """Node in which the cell's mixer sets its heads itself; None if the axis does."""
    entry: Path = ("sweep", "mixer", placed.entry)
    varied = document.sweep.entries[placed.entry].vary.get("num_heads")
    if varied is None:
        return root.at((*entry, "params", "num_heads"))
    return root.deepest((*entry, "vary", "num_heads", varied.index(placed.cell.num_heads)))[0]


def _written(placed: PlacedCell, document: Document, root: Node, axis: str) -> Node | None:
    """Node that holds the cell's value of an axis; None if it is the default."""
    path: Path
    values, path = getattr(document.sweep, axis), ("sweep", axis)
    if placed.include is not None and (own := getattr(document.include[placed.include], axis)):
        values, path = own, ("include", placed.include, axis)
    if root.at(path) is None:
        return None
    return root.deepest((*path, values.index(getattr(placed.cell, axis))))[0]


def untestable_claims(
    document: Document, root: Node, left_out: Sequence[Path], *, as_it_stands: bool
) -> Iterator[Problem]:
    """Mistakes in the claims of a document.

    Args:
        root: the tree that `document` was read from, entry by entry.
        left_out: paths of what was wrong by itself; where cells depend on it, nothing is said of cells.
        as_it_stands: whether this is the file without profiles and options.
    """
    yield from _repeated_ids(document, root)
    for i, claim in enumerate(document.claims):
        yield from _misprinted(claim, root, ("claims", i))
    section = root.child("claims")
    if section is None or not (as_it_stands or section.path[:1] == ("profiles",) or not section.place[0]):
        return
    if any(path[0] in ("sweep", "include", "exclude") for path in left_out) or size(document) > MAX_CELLS:
        return
    cells = {device: expand(document, device=device) for device in ("cpu", "cuda")}
    words = {word for variant in variants(document.sweep) for word in (variant.label, variant.target)}
    for i, claim in enumerate(document.claims):
        node = section.items[i]
        if set(_mixers(claim)) <= words:
            yield from _untestable(claim, node, cells)
        if _GROUP[claim.metric] not in document.measure.metrics and ("measure", "metrics") not in left_out:
            message = f"{claim.metric} is not measured: measure.metrics leaves out {_GROUP[claim.metric]}"
            yield problem_at(node.deepest(("metric",))[0], message)


def _repeated_ids(document: Document, root: Node) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, claim in enumerate(document.claims):
        if claim.id in seen:
            yield problem_at(root.deepest(("claims", i, "id"))[0], f'two claims have the id "{claim.id}"')
        seen.add(claim.id)


def _misprinted(claim: Claim, root: Node, path: Path) -> Iterator[Problem]:
    """A printed ratio that is not that of the printed values, beyond rounding to three digits."""
    for i, printed in enumerate(claim.published or ()):
        if printed.ratio is None or printed.subject is None or printed.against is None:
            continue
        size = printed.subject / printed.against
        if not math.isclose(printed.ratio, size, rel_tol=0.01):
            single = isinstance(root.deepest((*path, "published"))[0].value, Mapping)
            node, _ = root.deepest((*path, "published", *(() if single else (i,)), "ratio"))
            values = f"{printed.subject:g} / {printed.against:g} = {size:.3g}"
            yield problem_at(node, f"ratio {printed.ratio:g} is not subject / against, {values}")


def _mixers(claim: Claim) -> Iterator[str]:
    """The mixers that a claim names; `subjects.py` speaks of those that no form of the scenario has."""
    for selection in (
        filters.side(claim.subject),
        filters.side(claim.against),
        filters.parse(claim.where or ""),
    ):
        yield from selection.mixers


def _untestable(claim: Claim, node: Node, cells: Mapping[str, Sequence[Cell]]) -> Iterator[Problem]:
    # "auto" may become either device, and a claim may be about one of them.
    pairings = [(pairing(claim, there), there) for there in cells.values()]
    unused = [
        key for key in ("subject", "against") if not any(getattr(result, key) for result, _ in pairings)
    ]
    for key in unused:
        where = " together with where" if claim.where else ""
        yield problem_at(node.deepest((key,))[0], f"{key} selects no cell of the scenario{where}")
    if unused:
        return
    paired = [(result, there) for result, there in pairings if result.pairs]
    if not paired:
        apart = ", ".join(f"{axis} differs" for axis in pairings[0][0].apart)
        message = f"subject and against are never measured in the same setting: {apart or 'none has both'}"
        yield problem_at(node.deepest(("against",))[0], message)
        return
    yield from _ambiguous(claim, node, *paired[0])


def _ambiguous(claim: Claim, node: Node, found: Pairing, cells: Sequence[Cell]) -> Iterator[Problem]:
    """Sides that are several cells in one setting, or the same cell."""
    for key in ("subject", "against"):
        sides = (distinct(claim, getattr(pair, key), cells) for pair in found.pairs)
        chosen = next((side for side in sides if len(side) > 1), None)
        if chosen:
            names = " and ".join(dict.fromkeys(cells[i].name for i in chosen))
            message = f"{key} selects {len(chosen)} cells in one setting, {names}; it must select one"
            yield problem_at(node.deepest((key,))[0], message)
    if any(set(pair.subject) & set(pair.against) for pair in found.pairs):
        yield problem_at(node.deepest(("against",))[0], "subject and against select the same cell")
