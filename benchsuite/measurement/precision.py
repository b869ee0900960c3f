"""What a word for a dtype means: the format of the tensors, and what torch may do with them.

TF32 is process-wide state of torch, so it is set where a cell begins and put back where it ends. Autocast is
entered in every step (`worker/steps.py`), as a training loop does: held open around many steps it would keep
its copies of the weights from one step to the next.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from benchsuite.errors import Unsupported
from benchsuite.measurement.tf32 import tf32
from benchsuite.results.record import DType

_AMPERE = (8, 0)
"""Compute capability from which on NVIDIA's GPUs have TF32."""


@dataclass(frozen=True, slots=True)
class Format:
    """A dtype of the sweep, spelled out.

    Attributes:
        tensors: format of weights and input.
        autocast: format that `torch.autocast` turns to, operator by operator; None leaves autocast off.
        tf32: whether matrix products and convolutions of fp32 tensors may be taken in TF32.
    """

    tensors: torch.dtype
    autocast: torch.dtype | None = None
    tf32: bool = False


FORMATS: Mapping[DType, Format] = {
    "fp64": Format(torch.float64),
    "fp32": Format(torch.float32),
    "tf32": Format(torch.float32, tf32=True),
    "fp16": Format(torch.float16),
    "bf16": Format(torch.bfloat16),
    "autocast_fp16": Format(torch.float32, autocast=torch.float16),
    "autocast_bf16": Format(torch.float32, autocast=torch.bfloat16),
}


@contextmanager
def precision_of(dtype: DType, device: torch.device | str) -> Iterator[None]:
    """Let torch use TF32 within if the dtype is `tf32`, and only then; afterwards all is as it was.

    Raises:
        Unsupported: the device lacks the dtype.
    """
    require_dtype(dtype, device)
    with tf32(FORMATS[dtype].tf32):
        yield


def require_dtype(dtype: DType, device: torch.device | str) -> None:
    """Raise Unsupported if torch says that the device lacks the dtype; "meta" and an absent GPU lack none."""
    device = torch.device(device)
    if device.type == "cpu" and FORMATS[dtype].tf32:
        raise Unsupported("a CPU has no TF32: it is a format of NVIDIA's tensor cores")
    index = device.index or 0
    if device.type == "cuda" and index < torch.cuda.device_count():
        missing = _missing_on_gpu(dtype, index)
        if missing:
            raise Unsupported(missing)


@functools.cache
def _missing_on_gpu(dtype: DType, index: int) -> str:
    """Why the GPU lacks the dtype; empty if it has it. Formats that torch emulates count as lacking."""
    form = FORMATS[dtype]
    capability = torch.cuda.get_device_capability(index)
    what = f"{torch.cuda.get_device_name(index)} (compute capability {capability[0]}.{capability[1]})"
    if form.tf32 and (getattr(torch.version, "hip", None) or capability < _AMPERE):
        return f"{what} has no TF32, which begins with compute capability 8.0"
    if torch.bfloat16 in (form.tensors, form.autocast):
        with torch.cuda.device(index):
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                return f"{what} has no bf16 of its own"
    return ""
