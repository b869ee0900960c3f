"""Who raised an exception: a `raise` statement of somebody's own code, or what runs beneath it."""

from __future__ import annotations

import opcode
from collections.abc import Collection

import torch

from benchsuite.measurement.torch_errors import OUT_OF_MEMORY

_RAISE = opcode.opmap["RAISE_VARARGS"]
_OURS = ("benchsuite.mixers", "benchsuite.backbones", "benchsuite.worker.timm")


def raising_module(error: BaseException) -> str | None:
    """Name of the module with the `raise` statement that raised.

    Returns:
        None if there is no such statement: an operation of Python, or compiled code, raised.
    """
    last = error.__traceback__
    if last is None:
        return None
    while last.tb_next is not None:
        last = last.tb_next
    code = last.tb_frame.f_code.co_code
    if not 0 <= last.tb_lasti < len(code) or code[last.tb_lasti] != _RAISE:
        return None
    return str(last.tb_frame.f_globals.get("__name__", ""))


def is_refusal(error: BaseException, packages: Collection[str] = ()) -> bool:
    """Whether a module says that it cannot do what it is asked: a ValueError that it raises itself.

    Args:
        packages: top-level packages, or single-file modules, that the module is of; the zoo counts in any
            case.
    """
    module = raising_module(error) if isinstance(error, ValueError) else None
    if module is None:
        return False
    return module.partition(".")[0] in packages or f"{module}.".startswith(tuple(f"{one}." for one in _OURS))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocator had nothing left. A text of somebody's own that says so is none."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if not isinstance(error, RuntimeError) or OUT_OF_MEMORY.search(str(error)) is None:
        return False
    module = raising_module(error)
    return module is None or module.partition(".")[0] == "torch"
