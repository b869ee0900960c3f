"""Correct before fast: the output of a cell beside that of a reference, before the cell is timed.

The reference is the same module on the kernel `math`, in fp32, eager and contiguous, with the same weights
and input. Rounding alone sets them apart, and how far depends on the module: a deep network, or a softmax
over a sharp score, loses more than a linear layer. So in a low precision a cell is not held against a
constant, but against what the papers' own arithmetic loses in the same dtype, as tests of fused attention
kernels are written. That leaves no room for a scale that is off by a tenth.

The reference runs twice: a module that differs from itself says nothing of a kernel. Every call that is
compared gets a copy of the input of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchsuite.errors import Mismatch, Unsupported
from benchsuite.measurement.precision import FORMATS, precision_of
from benchsuite.results.record import Cell, Check
from benchsuite.worker.build import Subject, build
from benchsuite.worker.compiling import original
from benchsuite.worker.steps import step_of

IMAGES = 2
"""How many images of the batch are compared: the reference must fit beside the cell, and two tell whether
images mix."""
FACTOR = 2.0
"""How many times the error of eager `math` in the same dtype a cell may have. Measured over the mixers and
twenty networks, each at its kernels, in fp16, bf16 and autocast: at most 1.11 times."""
LEAST = 2.0
"""In unit roundoffs of the dtype: the tolerance where eager `math` loses less, for the result is rounded."""
MOST = 20.0
"""In unit roundoffs of the dtype: the error from which on a result is none, and the tolerance of eager `math`
itself. Measured as above: at most 7.7 (neighbours to choose from left aside, see `routes`)."""
MOST_IN_TRAINING = 100.0
"""The same in training mode, where batch norm divides by what few values differ, once a layer: resnet50 with
two images is off by 24 in bf16, in arithmetic that nothing is wrong with."""
FULL = 1e-4
"""Tolerance of fp32 and fp64, beside a reference in fp32. Measured: at most 1e-6; sums have another order."""
FULL_IN_TRAINING = 1e-3
"""The same in training mode; measured: 8e-5, resnet50 with channels last."""
NAME = "math fp32"
RANDOM, NOT_FINITE = "random_output", "not_finite"

_UNIT_ROUNDOFF = {torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
_TF32_UNIT_ROUNDOFF = 2.0**-11  # its mantissa is as long as that of fp16


@dataclass(frozen=True, slots=True)
class Compared:
    """Result of comparing a cell with its reference.

    Attributes:
        check: None if the cell is its own reference. Where the two cannot be compared, the error is None and
            a reason says why: the cell may be timed all the same.
        flags: words of `findings/flags.py` for what the module does on whatever kernel.
    """

    check: Check | None = None
    flags: tuple[str, ...] = ()


def compare(cell: Cell, subject: Subject, output: Tensor, *, seed: int = 0) -> Compared:
    """Compare the output of a cell's first step with that of the reference, and the reference with itself.

    A module in training mode (a training step) is compared over the whole batch, for batch norm looks at all
    of it.

    Args:
        subject: what made `output`, compiled or not, with the weights that it had then and the input as it
            was before.
        output: of `Steps.first`.
        seed: as for `build`, for what no weight or buffer holds.

    Raises:
        Mismatch: they are further apart than rounding explains.
    """
    flags = () if bool(output.detach().isfinite().all()) else (NOT_FINITE,)
    if _reference_of(cell) == replace(cell, mode="inference"):
        return Compared(None, (*_chance(cell, subject, seed), *flags))
    check, random = _held_against_reference(cell, subject, output, seed)
    return Compared(check, (RANDOM, *flags) if random else flags)


def _chance(cell: Cell, subject: Subject, seed: int) -> tuple[str, ...]:
    """RANDOM, if a cell that is its own reference differs from itself; in training mode it may."""
    if subject.module.training:
        return ()
    try:
        _, apart = _twice(subject, min(IMAGES, cell.batch), seed, cell.mode)
    except Exception:  # noqa: BLE001  it may not take so few images
        return ()
    return (RANDOM,) if apart > FULL else ()


def _held_against_reference(cell: Cell, subject: Subject, output: Tensor, seed: int) -> tuple[Check, bool]:
    """The comparison, and whether the output of the reference is random; raises Mismatch."""
    images = cell.batch if subject.module.training else min(IMAGES, cell.batch)
    reason, random = _not_comparable(cell, subject, output), False
    try:
        if not reason:
            with precision_of("fp32", subject.tensor.device):
                twin = _twin(_reference_of(cell), subject, images, seed)
                reference, apart = _twice(twin, images, seed, "inference")
            random = apart > FULL
            if not random or output.shape[1:] != reference.shape[1:]:
                return _compared(cell, subject, output, reference, seed), random
            reason = f"its output is random: two runs on one input differ by {apart:.2g} of their norm"
    except Mismatch:
        raise
    except Exception as error:  # noqa: BLE001  a module may raise anything where it is not the one that is timed
        what = str(error).strip().split("\n", 1)[0] or type(error).__name__
        reason = f"the reference cannot be run: {what}"
    check = Check(reference=NAME, error=None, tolerance=_most(cell, subject), images=images, reason=reason)
    return check, random


def relative_error(output: Tensor, reference: Tensor) -> float:
    """‖output − reference‖ / ‖reference‖, in double precision; infinite beside a reference of zeros."""
    ours, theirs = output.detach().double(), reference.detach().double()
    apart, size = float((ours - theirs).norm()), float(theirs.norm())
    if size == 0:
        return 0.0 if apart == 0 else math.inf
    return apart / size


def _compared(cell: Cell, subject: Subject, output: Tensor, reference: Tensor, seed: int) -> Check:
    images = len(reference)
    output = output.detach()[:images]
    tolerance = _tolerance(cell, subject, reference, seed)
    failed = ""
    if output.shape != reference.shape:
        failed = f"its output is {tuple(output.shape)}, not {tuple(reference.shape)}"
    elif not reference.isfinite().all():
        reason = "the reference itself is not finite"
        return Check(reference=NAME, error=None, tolerance=tolerance, images=images, reason=reason)
    elif not output.isfinite().all():
        failed = "its output is not finite"
    if failed:
        check = Check(reference=NAME, error=None, tolerance=tolerance, images=images, reason=failed)
        raise Mismatch(f"{_spelled(cell)} differs from {NAME}: {failed}", check)
    error = relative_error(output, reference)
    if subject.module.training and error > tolerance:
        again = _output(_reference_of(cell), subject, images, seed + 1)
        if relative_error(again, reference) > tolerance:
            reason = "chance decides in training (dropout), so no two outputs are alike"
            return Check(reference=NAME, error=None, tolerance=tolerance, images=images, reason=reason)
    if error > tolerance:
        finite = None if math.isinf(error) else error
        reason = "" if finite is not None else "the reference is zero"
        check = Check(reference=NAME, error=finite, tolerance=tolerance, images=images, reason=reason)
        how_far = f"by {error:.2g} of its norm, where rounding explains {tolerance:.2g}"
        raise Mismatch(f"{_spelled(cell)} differs from {NAME} {how_far}", check)
    return Check(reference=NAME, error=error, tolerance=tolerance, images=images)


def _not_comparable(cell: Cell, subject: Subject, output: Tensor) -> str:
    """Why it makes no sense to compare; empty if it does."""
    if output.ndim == 0 or len(output) != cell.batch:
        return f"its output, {tuple(output.shape)}, is not one row an image"
    if _unit_roundoff(cell) and any(
        getattr(type(part), "routes", False) for part in subject.module.modules()
    ):
        return "it chooses what to look at by scores, and in low precision another choice is no mistake"
    return ""


def _tolerance(cell: Cell, subject: Subject, reference: Tensor, seed: int) -> float:
    """What rounding explains; see the constants of this module."""
    unit = _unit_roundoff(cell)
    if not unit:
        return _most(cell, subject)
    plain = replace(_reference_of(cell), dtype=cell.dtype)
    if plain == replace(cell, mode="inference"):
        return _most(cell, subject)
    honest = relative_error(_output(plain, subject, len(reference), seed), reference)
    wanted = max(LEAST * unit, FACTOR * honest) if math.isfinite(honest) else math.inf
    return min(_most(cell, subject), wanted)


def _most(cell: Cell, subject: Subject) -> float:
    """The largest tolerance that the cell may be given."""
    training = subject.module.training
    units, full = (MOST_IN_TRAINING, FULL_IN_TRAINING) if training else (MOST, FULL)
    return units * _unit_roundoff(cell) or full


def _unit_roundoff(cell: Cell) -> float:
    """Of the least precise format in the cell; 0 for fp32 and fp64."""
    form = FORMATS[cell.dtype]
    return _TF32_UNIT_ROUNDOFF if form.tf32 else _UNIT_ROUNDOFF.get(form.autocast or form.tensors, 0.0)


def _reference_of(cell: Cell) -> Cell:
    return replace(
        cell,
        dtype="fp32",
        kernel="math",
        compile="eager",
        memory_format="contiguous",
        mode="inference",
    )


def _output(cell: Cell, subject: Subject, images: int, seed: int) -> Tensor:
    """What a cell makes of the first images of a subject's input, with the subject's weights."""
    with precision_of(cell.dtype, subject.tensor.device):
        return _run(_twin(cell, subject, images, seed), images, seed)


def _twin(cell: Cell, subject: Subject, images: int, seed: int) -> Subject:
    """A cell built anew with the weights of a subject, and the first images of its input."""
    twin = build(cell, subject.tensor.device, batch=images, seed=seed)
    with torch.no_grad():
        _copy_state(original(subject.module), twin.module)
        for theirs, ours in zip(twin.tensors, subject.renewed(images).tensors, strict=True):
            theirs.copy_(ours)
    twin.module.train(subject.module.training)
    return twin


def _twice(subject: Subject, images: int, seed: int, mode: str) -> tuple[Tensor, float]:
    """The output for the first images, and how far a second run is from it; 0 in training mode, where
    dropout may drop, and where it is not finite."""
    first = _run(subject, images, seed, mode)
    if subject.module.training:
        return first, 0.0
    again = _run(subject, images, None, mode)
    if first.shape != again.shape:
        return first, math.inf
    return first, relative_error(again, first) if bool((first.isfinite() & again.isfinite()).all()) else 0.0


def _run(subject: Subject, images: int, seed: int | None, mode: str = "inference") -> Tensor:
    """The output for a copy of the first images, with chance as it comes or begun anew."""
    if seed is not None:
        torch.manual_seed(seed)
    output = step_of(subject.renewed(images), mode)()
    assert isinstance(output, Tensor)  # as the subject's own is
    return output.detach()


def _copy_state(source: nn.Module, target: nn.Module) -> None:
    """Copy parameters, and the buffers that both have: what is drawn once and kept is a buffer, a mask that
    only one kernel needs is none of the other's.

    Raises:
        Unsupported: the two have other parameters, or of another shape.
    """
    ours, theirs = dict(source.named_parameters()), dict(target.named_parameters())
    if {name: p.shape for name, p in ours.items()} != {name: p.shape for name, p in theirs.items()}:
        raise Unsupported("on the math kernel it has other parameters")
    for name, parameter in theirs.items():
        parameter.copy_(ours[name])
    kept = dict(source.named_buffers())
    for name, buffer in target.named_buffers():
        if name in kept and kept[name].shape == buffer.shape:
            buffer.copy_(kept[name])


def _spelled(cell: Cell) -> str:
    """The axes in which a cell differs from its reference."""
    words: list[str] = [cell.kernel, cell.dtype]
    words += [cell.memory_format] if cell.memory_format != "contiguous" else []
    words += [f"compiled ({cell.compile})"] if cell.compile != "eager" else []
    return " ".join(words)
