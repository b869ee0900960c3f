"""Cost of one call of an operator: a rule for each that works, for whichever counter met the call.

A rule is called with the call's inputs and outputs, in the order of the operator's schema: tensors as
`Shaped`, lists of them as lists, all else as plain values. It returns a count, or {kind: count}. Kinds that
start with "macs" are multiply–adds (one multiply–add is 1); all others are operations that are no
multiply–adds, which are kept apart.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Counts = Mapping[str, int]


@dataclass(slots=True, eq=False)
class Product:
    """Elementwise products that no sum has taken yet.

    Attributes:
        left: how many. A sum over one makes it a multiply–add; a second sum over it is only a sum.
    """

    left: int


@dataclass(frozen=True, slots=True)
class Shaped:
    """A tensor as rules see it.

    Attributes:
        shape: None where the graph does not tell.
        product: what it is a view of, if that is an elementwise product.
    """

    shape: tuple[int, ...] | None
    product: Product | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Its shape. Raises ValueError if nobody knows it."""
        if self.shape is None:
            raise ValueError("the graph does not tell the shape")
        return self.shape

    @property
    def elements(self) -> int:
        """Number of elements; none of a number, which is a tensor without axes."""
        return math.prod(self.sizes) if self.sizes else 0


Rule = Callable[[Sequence[Any], Sequence[Any]], "int | Counts"]


def _matmul(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    """Every element of the output sums over the last axis of the left factor; broadcasting included."""
    return {"macs.matmul": math.prod(outputs[0].sizes) * inputs[0].sizes[-1]}


def _added_matmul(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    """addmm, baddbmm, addmv: the matrix product is of the second and third argument."""
    return _matmul(inputs[1:], outputs)


def _added_batches(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    """addbmm: the products of a batch, (b, n, m) and (b, m, p), are added up."""
    return {"macs.matmul": math.prod(inputs[1].sizes) * inputs[2].sizes[-1]}


def _tensordot(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    left, right, of_left, of_right = inputs[:4]
    pairs = [(left.sizes[i], right.sizes[j]) for i, j in zip(of_left, of_right, strict=True)]
    return {"macs.matmul": math.prod(outputs[0].sizes) * math.prod(a for a, b in pairs if b != 1)}


def _bilinear(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    """X (…, n), y (…, m) and weights (o, n, m): x times the weights, then y times that."""
    _, n, m = inputs[2].sizes
    return {"macs.linear": outputs[0].elements * (n * m + m)}


def _linear(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    return {"macs.linear": math.prod(outputs[0].sizes) * inputs[0].sizes[-1]}


def _convolution(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    """Each weight is used once for every position of the output (of the input, if transposed)."""
    transposed = len(inputs) > 7 and bool(inputs[6])
    return _convolved(inputs, outputs[0], transposed)


def _forward_convolution(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    return _convolved(inputs, outputs[0])


def _transposed_convolution(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    return _convolved(inputs, outputs[0], transposed=True)


def _convolved(inputs: Sequence[Any], output: Shaped, transposed: bool = False) -> Counts:
    x, weight = inputs[:2]
    shape, axes = (x if transposed else output).sizes, len(weight.sizes) - 2
    images = math.prod(shape[: -1 - axes])  # 1 of a map without an axis for them
    kind = "macs.conv" if transposed or not _dense_3x3(x, weight, output) else DENSE_3X3
    return {kind: images * math.prod(shape[-axes:]) * weight.elements}


DENSE_3X3 = "macs.conv_dense_3x3"
"""Kind of the multiply–adds of dense 3 × 3 convolutions of unit stride, which Winograd's algorithm does with
fewer multiplications."""


def _dense_3x3(x: Shaped, weight: Shaped, output: Shaped) -> bool:
    """One group, and more than half as many positions along a side as the input, hence of unit stride."""
    return (
        tuple(weight.sizes[2:]) == (3, 3)
        and weight.sizes[1] == x.sizes[-3]
        and all(2 * out > side + 1 for out, side in zip(output.sizes[-2:], x.sizes[-2:], strict=True))
    )


def _attention(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    """Multiply–adds of q kᵀ and attention times v, as if the whole matrix were formed: what `math` does.

    q is (..., N, E), k (..., M, E), v (..., M, V). On a CPU torch's own counter counts zero. A mask, of
    blocks or of pairs, takes nothing away.
    """
    q, k, v = (value.sizes for value in inputs[:3])
    pairs = math.prod(q[:-1]) * k[-2]
    return {"macs.attention": pairs * (q[-1] + v[-1]), "softmax": pairs}


_Labels = Mapping[str, int]
"""Label of an einsum → size of one factor. What an ellipsis stands for are numbered labels, from the
right."""


def _einsum(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    path = inputs[2] if len(inputs) > 2 else None
    return einsum_count(inputs[0], [value.sizes for value in inputs[1]], path)


def einsum_count(
    equation: str, shapes: Sequence[Sequence[int]], path: Sequence[int] | None = None
) -> Counter[str]:
    """Multiply–adds, elementwise products and summed elements of an einsum.

    Contracted as torch does it: repeated labels are diagonals, sizes of 1 are broadcast, what only one factor
    of a pair has is summed before the product, and that is a matrix product where both have something to sum.
    Source: aten/src/ATen/native/Linear.cpp, `einsum` and `sumproduct_pair`.

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
    left: _Labels, right: _Labels, output: set[str], others: Sequence[_Labels], counts: Counter[str]
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


def _wide(sizes: _Labels) -> set[str]:
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


def _sum(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    """A sum over a product, or over a view of one, is a multiply–add for each, however it was written."""
    elements, product = inputs[0].elements, inputs[0].product
    taken = min(elements, product.left) if product else 0
    if product:
        product.left -= taken
    return {"macs.multiply_sum": taken, "elementwise": -taken, "reduction": elements - taken}


def free(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    """Costs nothing: it moves, looks up, or makes a constant."""
    return {}


def per_input(kind: str, each: int = 1) -> Rule:
    """Rule of so many operations for each element of the first input."""

    def count(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
        return {kind: each * inputs[0].elements}

    return count


def per_output(kind: str, each: int = 1) -> Rule:
    """Rule of so many operations for each element of the first output."""

    def count(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
        return {kind: each * outputs[0].elements}

    return count


# 5 operations an element with affine weights, which all norms here have; no mean is taken off in the second.
_NORM, _RMS_NORM = per_input("norm", 5), per_input("norm", 4)

PRODUCTS = frozenset({"aten::mul", "aten::multiply"})
"""Elementwise products of two tensors: with a sum over them they are multiply–adds."""

# Beside those that torch tags as pointwise or as reductions (`op_table.py`).
_ELEMENTWISE = (
    "abs add addcmul clamp_min clamp_max cos cumsum div elu erf exp gelu hardsigmoid hardswish hardtanh "
    "leaky_relu log log_softmax maximum minimum mul multiply neg pow reciprocal relu6 rsqrt rsub sigmoid "
    "sign silu sin softplus softshrink sqrt square sub tanh where absolute addr cross cummax cummin cumprod "
    "diff divide ger glu index_add index_reduce kron linalg_cross log_sigmoid logcumsumexp negative outer "
    "prelu scatter_add scatter_reduce special_expit subtract upsample_nearest1d upsample_nearest2d "
    "upsample_nearest3d"
).split()
_REDUCTIONS = (
    "amax amin argmax argmin linalg_vector_norm logsumexp max mean min norm prod std topk var all aminmax "
    "any bincount count_nonzero embedding_bag histc kthvalue median mode nanmean nanmedian nanquantile "
    "nansum quantile std_mean trace var_mean"
).split()
_POOLING = (
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d "
    "adaptive_max_pool3d avg_pool1d avg_pool2d avg_pool3d fractional_max_pool2d fractional_max_pool3d "
    "max_pool1d max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d "
    "max_pool3d_with_indices"
).split()
_ATTENTION = (
    "scaled_dot_product_attention _scaled_dot_product_attention_math _scaled_dot_product_flash_attention "
    "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_efficient_attention "
    "_scaled_dot_product_cudnn_attention"
).split()


def _of(names: Sequence[str], rule: Rule) -> dict[str, Rule]:
    return {f"aten::{name}": rule for name in names}


TRACED_CONVOLUTION = "benchsuite::convolution"
"""Operator that stands for a convolution in a graph: input, weight, output shape, transposed."""


def _traced_convolution(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    return _convolved(inputs, outputs[0], bool(inputs[3]))


RULES: dict[str, Rule] = {
    **_of(_ELEMENTWISE, per_output("elementwise")),
    **_of(_REDUCTIONS, per_input("reduction")),
    **_of(_POOLING, per_input("pooling")),
    **_of(("layer_norm", "group_norm", "instance_norm", "native_layer_norm", "native_group_norm"), _NORM),
    **_of(("rms_norm", "_fused_rms_norm"), _RMS_NORM),
    **_of(("batch_norm", "native_batch_norm"), per_input("norm", 2)),
    **_of(("_weight_norm", "_weight_norm_interface"), per_input("norm", 3)),
    **_of(("softmax", "_softmax"), per_output("softmax")),
    "aten::sum": _sum,
    "aten::linear": _linear,
    **_of(("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "linalg_matmul"), _matmul),
    **_of(("addmm", "baddbmm", "addmv"), _added_matmul),
    "aten::addbmm": _added_batches,
    "aten::tensordot": _tensordot,
    "aten::bilinear": _bilinear,
    **_of(("_convolution", "_convolution_mode", "convolution"), _convolution),
    **_of(("conv1d", "conv2d", "conv3d"), _forward_convolution),
    **_of(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed_convolution),
    TRACED_CONVOLUTION: _traced_convolution,
    **_of(_ATTENTION, _attention),
    "higher_order::flex_attention": _attention,
    "aten::einsum": _einsum,
    "aten::upsample_linear1d": per_output("elementwise", 2),
    **_of(("upsample_bilinear2d", "grid_sampler", "grid_sampler_2d"), per_output("elementwise", 4)),
    **_of(("upsample_trilinear3d", "grid_sampler_3d"), per_output("elementwise", 8)),
    "aten::upsample_bicubic2d": per_output("elementwise", 16),
}
"""Operator → its rule. The ones without are looked up in `op_table.py`."""
