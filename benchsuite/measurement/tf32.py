"""Whether torch may round the factors of fp32 products and convolutions to TF32: state of the whole process.

torch has two sets of words for it, and to read the older one raises where somebody has set only the newer one
(`fp32_precision`, torch 2.9) to something else. Inductor (flex, max-autotune) and `cudnn.flags` read the
older one, so both are set, to the same, and nothing is relied on when they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_CUDA: Any = torch.backends.cuda
_CUDNN: Any = torch.backends.cudnn  # torch's types do not tell all that it has


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
        _CUDA.matmul.fp32_precision = _newer(word != "highest")
        _CUDNN.conv.fp32_precision = _CUDNN.rnn.fp32_precision = _newer(convolutions)


def _newer(allowed: bool) -> str:
    return "tf32" if allowed else "ieee"
