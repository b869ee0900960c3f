"""Claims that no run of the scenario can test, and claims that contradict themselves.

A profile may take away what a claim of the file speaks of; the claim is then not testable in such a run, and
that is no mistake. So a claim is held against the cells of the form it is written in: the file as it stands,
or the profile or option that brings it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from benchsuite.errors import Problem
from benchsuite.results.record import Cell
from benchsuite.scenario import filters
from benchsuite.scenario.claim_model import Claim
from benchsuite.scenario.claim_pairs import Pairing, distinct, pairing
from benchsuite.scenario.expand import MAX_CELLS, expand, size, variants
from benchsuite.scenario.messages import problem_at
from benchsuite.scenario.model import Document
from benchsuite.scenario.yaml_tree import Node, Path

_GROUP: Mapping[str, str] = {
    "params": "cost",
    "macs": "cost",
    "latency_s": "latency",
    "throughput": "latency",
    "peak_memory_bytes": "memory",
}
"""Metric → the group of `measure.metrics` that takes it."""


def untestable(
    document: Document, root: Node, left_out: Sequence[Path], *, as_it_stands: bool
) -> Iterator[Problem]:
    """What is wrong with the claims of a document.

    Args:
        root: the tree that `document` was read from, entry by entry.
        left_out: paths of what was wrong by itself; where cells depend on it, nothing is said of cells.
        as_it_stands: whether this is the file without profiles and options.
    """
    yield from _repeated(document, root)
    for i, claim in enumerate(document.claims):
        yield from _published(claim, root, ("claims", i))
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
            yield from _of_cells(claim, node, cells)
        if _GROUP[claim.metric] not in document.measure.metrics and ("measure", "metrics") not in left_out:
            message = f"{claim.metric} is not measured: measure.metrics leaves out {_GROUP[claim.metric]}"
            yield problem_at(node.deepest(("metric",))[0], message)


def _repeated(document: Document, root: Node) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, claim in enumerate(document.claims):
        if claim.id in seen:
            yield problem_at(root.deepest(("claims", i, "id"))[0], f'two claims have the id "{claim.id}"')
        seen.add(claim.id)


def _published(claim: Claim, root: Node, path: Path) -> Iterator[Problem]:
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
    """The mixers that a claim names; `references.py` speaks of those that no form of the scenario has."""
    for selection in (
        filters.side(claim.subject),
        filters.side(claim.against),
        filters.parse(claim.where or ""),
    ):
        yield from selection.mixers


def _of_cells(claim: Claim, node: Node, cells: Mapping[str, Sequence[Cell]]) -> Iterator[Problem]:
    # "auto" may become either device, and a claim may be about one of them.
    found = [(pairing(claim, there), there) for there in cells.values()]
    unused = [key for key in ("subject", "against") if not any(getattr(one, key) for one, _ in found)]
    for key in unused:
        where = " together with where" if claim.where else ""
        yield problem_at(node.deepest((key,))[0], f"{key} selects no cell of the scenario{where}")
    if unused:
        return
    paired = [(one, there) for one, there in found if one.pairs]
    if not paired:
        apart = ", ".join(f"{axis} differs" for axis in found[0][0].apart)
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
