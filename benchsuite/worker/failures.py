"""What a cell raises, out of memory among it, and what becomes of it: a status and a `Failure` in the reply.

Nowhere else is an exception of a cell caught; the parent makes a record of it (`runner/cell_rounds.py`).
"""

from __future__ import annotations

import opcode
import traceback
from collections.abc import Collection
from dataclasses import replace
from types import TracebackType
from typing import Generic, Self, TypeVar

import torch

from benchsuite.errors import Mismatch, Unsupported, UsageError
from benchsuite.measurement.device import release_memory
from benchsuite.measurement.torch_errors import OUT_OF_MEMORY, is_unsupported, loses_context
from benchsuite.results.cell import Cell
from benchsuite.results.record import Failure, Status
from benchsuite.worker.build import plugin_packages
from benchsuite.worker.worker_reply import WorkerReply

T = TypeVar("T")

_TRACEBACK_LINES = 12
_RAISE = opcode.opmap["RAISE_VARARGS"]
_OURS = ("benchsuite.mixers", "benchsuite.backbones", "benchsuite.worker.timm")


class NotCounted(Exception):  # noqa: N818  no fault of the cell, which may be measured all the same
    """A cell cannot be counted, on "meta" or on real tensors; says why."""


class Attempt(Generic[T]):
    """Work on a cell, as the body of a `with`: whatever it raises is the reply, but for mistakes in the
    scenario.

    Attributes:
        value: what the work brought; set in the body.
    """

    def __init__(self, stage: str, cell: Cell) -> None:
        self.value: T | None = None
        self._stage, self._cell = stage, cell
        self._failed: WorkerReply[T] = WorkerReply()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, UsageError):
            release_memory()
        if isinstance(error, UsageError) or not isinstance(error, Exception | SystemExit):
            return False  # a cell may raise anything else, and the sweep goes on
        if isinstance(error, Unsupported):
            failure = Failure(stage=self._stage, kind="Unsupported", message=str(error))
            self._failed = WorkerReply(status="unsupported", failure=failure)
            return True
        status = _status_of(error, self._cell)
        self._failed = WorkerReply(
            status=status,
            failure=failure_of(self._stage, status, error),
            check=error.check if isinstance(error, Mismatch) else None,
            poisoned=status == "error" and loses_context(error),
        )
        traceback.clear_frames(trace)  # they hold the cell's tensors
        return True

    def reply(self) -> WorkerReply[T]:
        """The reply, after the body: only then nothing holds what the cell has raised, and its memory."""
        lost = not release_memory() or self._failed.poisoned
        return replace(self._failed, value=self.value, poisoned=lost)


def _status_of(error: BaseException, cell: Cell) -> Status:
    if isinstance(error, Mismatch):
        return "mismatch"
    if isinstance(error, SystemExit):
        return "crash"
    if is_out_of_memory(error):
        return "oom"
    if is_refusal(error, plugin_packages(cell)) or is_unsupported(error):
        return "unsupported"
    return "error"


def failure_of(stage: str, status: Status, error: BaseException) -> Failure:
    """A failure in words; of an error that nobody foresaw with the end of its traceback."""
    frames = traceback.format_exception(error)
    lines = "".join(frames).strip().splitlines() if status == "error" else []
    return Failure(
        stage=stage,
        kind=type(error).__name__,
        message=str(error).strip().split("\n", 1)[0] or type(error).__name__,
        traceback="\n".join(lines[-_TRACEBACK_LINES:]),
    )


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
