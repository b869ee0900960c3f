"""Meaning of a word for a dtype: the format of the tensors, and what torch may do with them.

TF32 is process-wide state of torch, so it is set where a cell begins and put back where it ends. torch has
two sets of words for it, and to read the older one raises where somebody has set only the newer one
(`fp32_precision`, torch 2.9) to something else. Inductor (flex, max-autotune) and `cudnn.flags` read the
older one, so both are set, to the same, and nothing is relied on when they are read.

Autocast is entered in every step (`worker/steps.py`), as a training loop does: held open around many steps it
would keep its copies of the weights from one step to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from benchsuite.errors import Unsupported
from benchsuite.measurement.device import open_device
from benchsuite.results.cell import DType

_CUDA: Any = torch.backends.cuda
_CUDNN: Any = torch.backends.cudnn  # torch's types do not tell all that it has
_NEWER = {True: "tf32", False: "ieee"}
"""Whether TF32 is allowed → torch's newer word (`fp32_precision`)."""


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
    if torch.device(device).type == "meta":
        return
    missing = open_device(device).missing(dtype)
    if missing:
        raise Unsupported(missing)


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Allow TF32 within, or forbid it; afterwards all is as it was."""
    before = tf32_settings()
    set_tf32(allowed)
    try:
        yield
    finally:
        _set(*before)


def set_tf32(allowed: bool) -> None:
    """Allow or forbid TF32 from now on."""
    _set("high" if allowed else "highest", allowed)


def tf32_settings() -> tuple[str, bool]:
    """Read torch's word for the precision of fp32 products, and whether convolutions may take TF32."""
    try:
        word = torch.get_float32_matmul_precision()
    except RuntimeError:  # only the newer word was set
        word = "high" if _CUDA.matmul.fp32_precision == "tf32" else "highest"
    try:
        return word, bool(_CUDNN.allow_tf32)
    except RuntimeError:
        return word, _CUDNN.conv.fp32_precision == "tf32"


def _set(word: str, convolutions: bool) -> None:
    torch.set_float32_matmul_precision(word)
    _CUDNN.allow_tf32 = convolutions
    if hasattr(torch.backends, "fp32_precision"):
        _CUDA.matmul.fp32_precision = _NEWER[word != "highest"]
        _CUDNN.conv.fp32_precision = _CUDNN.rnn.fp32_precision = _NEWER[convolutions]
