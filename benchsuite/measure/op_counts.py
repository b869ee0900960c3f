"""What one operator of a traced graph costs: rules for fvcore where its own are missing or wrong.

A rule is called with the operator's inputs and outputs as traced, and returns a count or {kind: count}.
Kinds that start with "macs" are multiply–adds (one multiply–add is 1); all others are operations that are no
multiply–adds, which are kept apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchsuite.measure.tracing import TRACED_CONVOLUTION

Value = Any  # torch._C.Value has no public type
Handle = Callable[[list[Value], list[Value]], "Counter[str]"]


def _shape(value: Value) -> list[int]:
    sizes = value.type().sizes() if isinstance(value.type(), torch._C.TensorType) else None
    return list(sizes) if sizes is not None else []


def _numel(value: Value) -> int:
    """Number of elements; none for a number, which the graph holds as a tensor without axes."""
    shape = _shape(value)
    return math.prod(shape) if shape else 0


def _matmul(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
    """Every element of the output sums over the last axis of the left factor; broadcasting included."""
    return Counter({"macs.matmul": _numel(outputs[0]) * _shape(inputs[0])[-1]})


def _added_matmul(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
    """addmm, baddbmm, addmv: the matrix product is of the second and third argument."""
    return Counter({"macs.matmul": _numel(outputs[0]) * _shape(inputs[1])[-1]})


def _linear(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
    return Counter({"macs.linear": _numel(outputs[0]) * _shape(inputs[0])[-1]})


def _convolution(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
    """Each weight is used once for every position of the output (of the input, if transposed)."""
    transposed = len(inputs) > 7 and bool(inputs[6].toIValue())
    return _weights_at_positions(inputs[0] if transposed else outputs[0], inputs[1])


def _traced_convolution(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
    """The same for the stand-in of `measure/tracing.py`."""
    return _weights_at_positions(inputs[0] if inputs[3].toIValue() else outputs[0], inputs[1])


def _weights_at_positions(map_: Value, weight: Value) -> Counter[str]:
    shape, axes = _shape(map_), len(_shape(weight)) - 2
    images = math.prod(shape[: -1 - axes])  # 1 of a map without an axis for them
    return Counter({"macs.conv": images * math.prod(shape[-axes:]) * _numel(weight)})


def _attention(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
    """Multiply–adds of q kᵀ and attention times v, as if the whole matrix were formed: what `math` does.

    q is (..., N, E), k (..., M, E), v (..., M, V). fvcore and, on a CPU, torch's own counter count zero.
    """
    q, k, v = (_shape(value) for value in inputs[:3])
    pairs = math.prod(q[:-1]) * k[-2]
    return Counter({"macs.attention": pairs * (q[-1] + v[-1]), "softmax": pairs})


def _einsum(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
    """Pair by pair from the left, as torch contracts without opt_einsum.

    A pair that sums over a label costs the product of all its labels' sizes; any other is elementwise.
    """
    equation = str(inputs[0].toIValue()).replace(" ", "")
    shapes = [_shape(value) for value in inputs[1].node().inputs()]
    return einsum_count(equation, shapes)


def einsum_count(equation: str, shapes: Sequence[Sequence[int]]) -> Counter[str]:
    """Multiply–adds and elementwise products of an einsum with an explicit output and no ellipsis.

    Raises:
        ValueError: the equation leaves its output implicit or uses an ellipsis.
    """
    left, arrow, output = equation.partition("->")
    if not arrow or "." in equation:
        raise ValueError(f"einsum {equation!r}: write the output and no ellipsis, so that it can be counted")
    terms = left.split(",")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        sizes.update(zip(term, shape, strict=True))
    counts: Counter[str] = Counter()
    done = terms[0]
    for index, term in enumerate(terms[1:], start=1):
        needed = set(output).union(*terms[index + 1 :])
        labels = set(done) | set(term)
        kept = "".join(sorted(labels & needed))
        kind = "macs.matmul" if labels - needed else "elementwise"
        counts[kind] += math.prod(sizes[label] for label in labels)
        done = kept
    return counts


def _sum(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
    """A sum straight over a product is a multiply–add for each product, however it was written."""
    source = inputs[0].node()
    if source.kind() in {"aten::mul", "aten::mul_"} and all(_shape(value) for value in source.inputs()):
        return Counter({"macs.multiply_sum": _numel(inputs[0]), "elementwise": -_numel(inputs[0])})
    return Counter({"reduction": _numel(inputs[0])})


def _per_input(kind: str, each: int = 1) -> Handle:
    def count(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
        return Counter({kind: each * _numel(inputs[0])})

    return count


def _per_output(kind: str, each: int = 1) -> Handle:
    def count(inputs: list[Value], outputs: list[Value]) -> Counter[str]:
        return Counter({kind: each * _numel(outputs[0])})

    return count


# fvcore's convention for norms: 5 operations an element with affine weights, which all norms here have.
_NORM = _per_input("norm", 5)

_ELEMENTWISE = (
    "abs add add_ addcmul clamp_min clamp_max cos cumsum div div_ elu erf exp exp_ gelu hardsigmoid "
    "hardswish hardtanh leaky_relu log log_softmax maximum minimum mul mul_ neg pow pow_ reciprocal relu6 "
    "rsqrt rsub sigmoid sigmoid_ sign silu silu_ sin softplus softshrink sqrt square sub sub_ tanh where"
).split()
_REDUCTIONS = (
    "amax amin argmax argmin linalg_vector_norm logsumexp max mean min norm prod std topk var".split()
)
_POOLING = (
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d avg_pool1d avg_pool2d max_pool2d".split()
)

HANDLES: dict[str, Handle] = {
    **{f"aten::{name}": _per_output("elementwise") for name in _ELEMENTWISE},
    **{f"aten::{name}": _per_input("reduction") for name in _REDUCTIONS},
    **{f"aten::{name}": _per_input("pooling") for name in _POOLING},
    **dict.fromkeys(("aten::layer_norm", "aten::group_norm", "aten::instance_norm"), _NORM),
    "aten::batch_norm": _per_input("norm", 2),
    "aten::softmax": _per_output("softmax"),
    "aten::sum": _sum,
    "aten::linear": _linear,
    **dict.fromkeys(("aten::matmul", "aten::mm", "aten::bmm", "aten::mv", "aten::dot"), _matmul),
    **dict.fromkeys(("aten::addmm", "aten::baddbmm", "aten::addmv"), _added_matmul),
    **dict.fromkeys(("aten::_convolution", "aten::_convolution_mode", "aten::convolution"), _convolution),
    TRACED_CONVOLUTION: _traced_convolution,
    "aten::scaled_dot_product_attention": _attention,
    "aten::einsum": _einsum,
    "aten::upsample_nearest2d": _per_output("elementwise"),
    "aten::upsample_bilinear2d": _per_output("elementwise", 4),
    "aten::grid_sampler": _per_output("elementwise", 4),
}

# Moves, views, index arithmetic and constants, beside those that fvcore itself calls free.
FREE = frozenset(
    f"aten::{name}"
    for name in (
        "Bool Float alias argsort clone col2im diagonal empty_like expand_as feature_dropout flip im2col "
        "index_select is_floating_point le lift_fresh lt masked_select meshgrid mod movedim ne new_tensor "
        "numel numpy_T one_hot ones_like pad pixel_shuffle pixel_unshuffle repeat repeat_interleave "
        "scalar_tensor real scatter scatter_ sort swapaxes t take_along_dim tensor tile to tril triu type_as "
        "unbind unflatten unfold view_as_complex view_as_real zero_ zeros_like"
    ).split()
)
