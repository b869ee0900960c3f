"""Multiply–adds of an einsum, from its equation and the shapes of its factors; imports no torch.

Contracted as torch does it: repeated labels are diagonals, sizes of 1 are broadcast, what only one factor of
a pair has is summed before the product, and that is a matrix product where both have something to sum.
Source: aten/src/ATen/native/Linear.cpp, `einsum` and `sumproduct_pair`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

Sizes = Mapping[str, int]
"""Label → size of one factor. What an ellipsis stands for are numbered labels, from the right."""


def einsum_count(
    equation: str, shapes: Sequence[Sequence[int]], path: Sequence[int] | None = None
) -> Counter[str]:
    """Multiply–adds, elementwise products and summed elements of an einsum.

    Args:
        path: positions of the pairs, as opt_einsum writes them; from the left if None.

    Raises:
        ValueError: the equation does not fit the shapes.
    """
    terms, output = _parsed(equation, shapes)
    if len(terms) == 1:
        (only,) = terms
        return Counter({"reduction": math.prod(only.values())} if set(only) - output else {})
    counts: Counter[str] = Counter()
    order = list(path or ())
    while len(terms) > 1:
        first, second = sorted((order.pop(0), order.pop(0))) if order else (0, 1)
        right, left = terms.pop(second), terms.pop(first)
        product = _pair(left, right, output, terms, counts)
        terms.insert(len(terms) if path else 0, product)
    return counts


def _pair(
    left: Sizes, right: Sizes, output: set[str], others: Sequence[Sizes], counts: Counter[str]
) -> dict[str, int]:
    """Count one product, and give the sizes of its result."""
    needed = output.union(*(_wide(other) for other in others))
    summed = (_wide(left) | _wide(right)) - needed
    contracted = summed & _wide(left) & _wide(right)
    if any(left[label] != right[label] for label in contracted):
        raise ValueError("a label has two sizes")
    sides = []
    for side in (left, right):
        if alone := (_wide(side) & summed) - contracted:
            counts["reduction"] += math.prod(side.values())
        sides.append({label: size for label, size in side.items() if label not in alone})
    result = dict(sides[0])
    for label, size in sides[1].items():
        result[label] = size if result.get(label, 1) == 1 else result[label]
    counts["macs.matmul" if contracted else "elementwise"] += math.prod(result.values())
    return {label: size for label, size in result.items() if label not in contracted}


def _wide(sizes: Sizes) -> set[str]:
    """Labels of more than one element; what has one is broadcast."""
    return {label for label, size in sizes.items() if size != 1}


def _parsed(equation: str, shapes: Sequence[Sequence[int]]) -> tuple[list[dict[str, int]], set[str]]:
    """The sizes of each factor by label, and the labels of the output."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    written = left.split(",")
    labels = [_labels(term, len(shape)) for term, shape in zip(written, shapes, strict=True)]
    terms: list[dict[str, int]] = []
    for names, shape in zip(labels, shapes, strict=True):
        sizes = dict(zip(names, shape, strict=True))
        if any(sizes[name] != size for name, size in zip(names, shape, strict=True)):
            raise ValueError("a diagonal of two sizes")
        terms.append(sizes)
    dots = {name for names in labels for name in names if name.isdigit()}
    if arrow:
        return terms, set(re.findall("[a-zA-Z]", output)) | (dots if "..." in output else set())
    seen = Counter(name for names in labels for name in names if not name.isdigit())
    return terms, dots | {name for name, times in seen.items() if times == 1}


def _labels(term: str, dims: int) -> list[str]:
    before, dots, after = term.partition("...")
    hidden = dims - len(before) - len(after) if dots else 0
    return [*before, *(str(number) for number in reversed(range(hidden))), *after]
