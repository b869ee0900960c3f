"""Cost of a cell before it runs: its multiply–adds, and how much memory it will need."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchsuite.errors import Unsupported, UsageError
from benchsuite.measurement.macs import count_cost
from benchsuite.measurement.memory import module_bytes
from benchsuite.measurement.memory_estimate import estimate_memory
from benchsuite.results.cell import Cell
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Cost
from benchsuite.scenario.subjects import OBJECT
from benchsuite.worker.build import Subject, backbone_builder, build, mixer_class
from benchsuite.worker.failures import NotCounted, is_out_of_memory, is_refusal
from benchsuite.worker.forward import NotATensor, output_of
from benchsuite.worker.steps import steps_of
from benchsuite.worker.worker_reply import MemoryEstimate

MOST_BYTES = 2 << 30
"""What counting on real tensors may allocate; where the system can hold a process to it, which Linux can."""
MOST_S = 30.0
"""Seconds that counting on real tensors may take."""
_MESSAGE = 200


def cost_of(cell: Cell) -> Cost:
    """Cost of one image of a cell.

    Raises:
        NotCounted: counting failed. That says nothing of whether the cell can be measured.
        UsageError: the subject does not take the arguments that the cell gives.
        Unsupported: it has no such kernel.
        Exception: whatever importing, building or running the module raises of its own.
    """
    (backbone_builder if cell.subject == "backbone" else mixer_class)(cell.target)
    plain = replace(cell, dtype="fp32", mode="inference", compile="eager", memory_format="contiguous")
    try:
        return _counted(plain, build(plain, "meta", batch=_images(plain)))
    except (Unsupported, UsageError, NotATensor):
        raise
    except Exception as error:  # a module may raise anything, and may do better on real tensors
        if is_refusal(error):  # of the zoo, where what a mixer refuses has nothing to do with the device
            raise
        on_meta = error
    with bounded():
        subject = _real(plain, on_meta)
        try:
            return _counted(plain, subject, MOST_S)
        except NotATensor:
            raise
        except Exception as error:
            same = _said(error) == _said(on_meta) or not is_out_of_memory(error)  # for want of the bound
            if kind_of(cell.device).on_host and same:
                raised = _raised_by(subject)  # of a product counting may say something else
                if raised is not None and type(raised) is type(error):
                    raise raised from None  # counting has nothing to do with it
            raise NotCounted(reason(on_meta, error)) from error


def reason(on_meta: Exception, on_cpu: Exception | None = None) -> str:
    """What failed where, in a line."""
    text = f'on "meta" {_said(on_meta)}'
    return text if on_cpu is None else f"{text}; on the CPU, with one image, {_said(on_cpu)}"


@contextmanager
def bounded(most: int = MOST_BYTES) -> Iterator[None]:
    """Let allocations fail that take this process beyond `most` bytes more of private memory."""
    if sys.platform != "linux" or (now := _private_bytes()) is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    known = [limit for limit in (soft, hard, now + most) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(known), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _real(plain: Cell, on_meta: Exception) -> Subject:
    """The cell with one image on the CPU."""
    try:
        return build(plain, "cpu", batch=_images(plain))
    except Exception as error:
        if kind_of(plain.device).on_host and not is_out_of_memory(error):
            raise  # as it will where it is timed
        raise NotCounted(reason(on_meta, error)) from error


def _images(cell: Cell) -> int:
    """Images to count with: one, unless the inputs are given and perhaps hang together."""
    return cell.batch if cell.target.startswith(OBJECT) else 1


def _counted(plain: Cell, subject: Subject, limit_s: float | None = None) -> Cost:
    _require_tensor(subject.module)
    return count_cost(subject.module, subject.inputs, images=_images(plain), limit_s=limit_s)


def _require_tensor(module: nn.Module) -> None:
    """Let `module` raise NotATensor where it returns no tensor."""

    def check(module: nn.Module, given: object, returned: object) -> None:
        output_of(returned)

    module.register_forward_hook(check)


def _raised_by(subject: Subject) -> Exception | None:
    """What the module raises while nobody counts."""
    try:
        with torch.no_grad():
            subject.module(*subject.inputs)
    except Exception as error:  # noqa: BLE001
        return error
    return None


def _said(error: Exception | None) -> str:
    if error is None:
        return ""
    text = str(error).strip().split("\n", 1)[0]
    text = text if len(text) <= _MESSAGE else f"{text[:_MESSAGE]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _private_bytes() -> int | None:
    """What RLIMIT_DATA is held against now; None if the system does not say."""
    try:
        found = re.search(r"^VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.M)
    except (OSError, UnicodeDecodeError):
        return None
    return int(found[1]) * 1024 if found else None


def memory_of(cell: Cell) -> MemoryEstimate:
    """Estimate peak and weights of one step of the whole batch, if the cell runs on "meta".

    Raises:
        UsageError, Unsupported: of `build`.
    """
    weights = 0
    try:
        subject = build(cell, "meta")
        weights = module_bytes(subject.module)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the timed step may warn of in its time
            return MemoryEstimate(peak_bytes_of(cell, subject), weights)
    except (Unsupported, UsageError):
        raise
    except Exception as error:  # noqa: BLE001  a module may raise anything on "meta", and run on its device
        return MemoryEstimate(None, weights, reason(error))


def peak_bytes_of(cell: Cell, subject: Subject) -> int:
    """Peak of live tensors of one step of the whole batch, weights, input and optimizer's state included.

    Where a training step cannot run on "meta", as with an operator that has no backward pass there, only the
    forward pass counts, and the answer is a lower bound.

    Args:
        subject: the cell on "meta".
    """
    if cell.mode == "inference":
        return _of_forward_pass(cell, subject)
    steps = steps_of(subject, cell.mode)
    try:
        return estimate_memory(
            steps.first,
            subject.module,
            subject.tensor,
            others=subject.tensors[1:],
            optimizer=steps.optimizer,
            autocast=subject.autocast,
            device=cell.device,
        )
    except (RuntimeError, TypeError):
        return _of_forward_pass(cell, build(cell, "meta"))


def _of_forward_pass(cell: Cell, subject: Subject) -> int:
    """In the format of the weights, where "meta" has an operator not in the one that autocast turns to."""

    def forward() -> Tensor:
        with torch.no_grad():
            return output_of(subject.module(*subject.inputs))

    def peak(autocast: torch.dtype | None) -> int:
        return estimate_memory(
            forward,
            subject.module,
            subject.tensor,
            others=subject.tensors[1:],
            autocast=autocast,
            device=cell.device,
        )

    try:
        return peak(subject.autocast)
    except (RuntimeError, TypeError):
        return peak(None)
