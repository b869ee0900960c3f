"""Replies of a worker about a cell. Plain data without torch, so that the parent of workers needs none.

What a round brought is a `Record` of that round alone, as the journal of rounds holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from benchsuite.results.record import (
    AttentionBackend,
    Busy,
    Check,
    Cost,
    Energy,
    Failure,
    Memory,
    Status,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkerReply(Generic[T]):
    """Reply to a pass over a cell: a value, or the status and the reason why there is none.

    A plan may be both: counted, and too large to try.

    Attributes:
        check: of a mismatch, how far it is from its reference.
        poisoned: the process that answered can do no more, as after a CUDA error, and must be replaced.
    """

    value: T | None = None
    status: Status = "ok"
    failure: Failure | None = None
    check: Check | None = None
    poisoned: bool = False


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Memory of a cell, estimated before it runs.

    Attributes:
        peak_bytes: None if it cannot be told, for a reason.
        weights_bytes: parameters and buffers; 0 if they cannot be told either.
    """

    peak_bytes: int | None
    weights_bytes: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Cost and memory of a cell, known before it runs.

    Attributes:
        cost: None if it could not be counted, for the reason in `not_counted`.
        memory_bytes: estimated peak of live tensors of one step of the whole batch; None if it could not be
            estimated, for the reason in `not_estimated`.
        weights_bytes: parameters and buffers, which are there in any case; 0 if nobody knows.
        windows: those that a network of timm has at this size and not at its own; empty if they are the same.
    """

    cost: Cost | None
    memory_bytes: int | None
    weights_bytes: int = 0
    not_counted: str = ""
    not_estimated: str = ""
    windows: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Memory, device time and energy of a step, from the pass that times nothing."""

    memory: Memory | None = None
    busy: Busy | None = None
    energy: Energy | None = None
    attention_backend: tuple[AttentionBackend, ...] | None = None
