"""The kernel that a cell asked for and the backend of torch's attention that ran, as one label. Pure."""

from __future__ import annotations

from benchsuite.results.record import Record

NONE = "none"
"""Stands for the backends of a step that calls no operator of torch's attention."""


def backends_of(record: Record) -> str | None:
    """Backends that attention ran on: "flash", "flash math", or "none"; None where nobody knows."""
    seen = record.attention_backend
    return None if seen is None else " ".join(seen) or NONE


def kernel_ran(kernel: str, backends: object) -> str:
    """The kernel, with the backends where they say more: "sdpa (flash)", "sdpa (math)"; "flash" alone.

    Args:
        backends: as `backends_of` and the column `attention_backend` have them; anything but text is unknown.
    """
    if not isinstance(backends, str) or backends in (NONE, kernel.removeprefix("mem_")):
        return kernel
    return f"{kernel} ({', '.join(backends.split())})"


def is_fused(kernel: str, backends: object) -> bool:
    """Tell if all attention of a cell ran as one kernel that forms no matrix, as far as anybody knows."""
    return kernel != "math" and not (isinstance(backends, str) and "math" in backends.split())
