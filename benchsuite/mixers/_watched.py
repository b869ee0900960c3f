"""Whether operators are looked at: who counts or compiles a mixer sees its formula, whatever is fastest."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode


def watched() -> bool:
    """Whether somebody counts, traces or compiles what is called.

    Choices by the tensors at hand (their device, whether there are gradients) are for those who only run it.
    """
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return torch.compiler.is_compiling() or traced or _get_current_dispatch_mode() is not None
