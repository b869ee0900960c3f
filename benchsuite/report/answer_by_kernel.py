"""Headlines of questions whose answer is Yes with one kernel and not with another, kernel by kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchsuite.format import joined
from benchsuite.report.answer_yes_no import is_faster, is_fastest, is_fewest, multiple, shortest
from benchsuite.report.ranking import Ranking
from benchsuite.report.reported_cells import grouped, names_of

_Told = Callable[[Sequence[Ranking], str], str]
"""Rankings of one kernel and the first word of their answer → the answer in a clause."""


def fastest_by_kernel(name: str, fields: Sequence[Ranking]) -> str:
    """Whether a name is the fastest; empty where it is with every kernel, or with none."""

    def told(own: Sequence[Ranking], word: str) -> str:
        lost = [one for one in own if (mine := one.named(name)) and one.order.faster(one.leaders[0], mine)]
        first = names_of(one.leaders[0] for one in lost)
        leads = [one.order.between(one.leaders[0], mine) for one in lost if (mine := one.named(name))]
        if word == "yes":
            leads = [one.order.between(*one.cells[:2]) for one in own]
            return f"yes ({multiple(leads)} as fast)"
        return f"no ({first[0]} is {multiple(leads)} as fast)" if len(first) == 1 else word

    mine = [one for one in fields if one.named(name)]
    return _by_kernel(mine, lambda own: is_fastest(name, own), told)


def faster_by_kernel(name: str, rivals: Sequence[str], fields: Sequence[Ranking]) -> str:
    """Whether a name is faster than these rivals, or than all others; empty as above."""

    def told(own: Sequence[Ranking], word: str) -> str:
        sides = grouped(
            (
                (other.name, one.order.between(mine, other))
                for one in own
                if (mine := one.named(name))
                for other in one.cells
                if other is not mine and (other.name in rivals or not rivals)
            ),
            lambda pair: pair[1].side,
        )
        above = sides.pop("above", [])
        if word == "yes":
            return f"yes ({multiple([found for _, found in above])} as fast)"
        ahead = list(dict.fromkeys(other for other, _ in above))
        others = {other for pairs in sides.values() for other, _ in pairs}
        return f"only against {joined(ahead)}" if ahead and others.isdisjoint(ahead) else word

    mine = [one for one in fields if one.named(name)]
    return _by_kernel(mine, lambda own: is_faster(name, rivals, own), told)


def fewest_by_kernel(fields: Sequence[Ranking]) -> str:
    """Whether the cell with the fewest MACs is the fastest; empty as above."""
    return _by_kernel(fields, is_fewest, lambda _, word: word)


def _by_kernel(fields: Sequence[Ranking], judge: Callable[[Sequence[Ranking]], str], told: _Told) -> str:
    """The answers of kernels, Yes first: "Yes with sdpa (1.04–1.10 times as fast); with math undecided".

    Where that is long, Yes goes without its number.

    Args:
        judge: rankings of one kernel → their headline, which begins with the answer; empty if there is none.
    """
    kernels = grouped(fields, lambda one: one.kernel)
    heads = {kernel: judge(own) for kernel, own in kernels.items()}
    words = {kernel: head.partition(" ")[0].rstrip(":,").lower() for kernel, head in heads.items() if head}
    if "yes" not in words.values() or set(words.values()) == {"yes"}:
        return ""
    clauses = {kernel: told(kernels[kernel], word) for kernel, word in words.items()}
    others = {kernel: word if word == "yes" else clauses[kernel] for kernel, word in words.items()}
    return shortest(_joined(clauses), _joined(others), _joined(words))


def _joined(clauses: dict[str, str]) -> str:
    """ "Yes with a and b; with c no"."""
    yes_first = sorted(clauses, key=lambda kernel: not clauses[kernel].startswith("yes"))
    alike = grouped(yes_first, lambda kernel: clauses[kernel])
    (first, kernels), *others = alike.items()
    answer = f"Yes with {joined(kernels)}{first.removeprefix('yes')}"
    return "; ".join((answer, *(f"with {joined(kernels)} {clause}" for clause, kernels in others)))
