"""The C library's allocator in a process that times on a CPU: kept as it is, or made to retain its memory.

glibc maps a large block anew in every call and unmaps it afterwards, and moves the size from which it does so
with the history of the process. The kernel then clears every page again: half of the time of some cells, by
chance. Retaining is what torch's caching allocator does on a GPU.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from pathlib import Path

RETAIN, SYSTEM = "retain", "system"
_PRELOADED = ("jemalloc", "tcmalloc", "mimalloc")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Numbers of `mallopt`, malloc.h."""
_NEVER = -1
"""Trim threshold, which is unsigned: the top of the heap is never handed back."""
_TOP_PAD = 256 << 20
"""Bytes by which the heap grows at least, so that it seldom grows while it is timed."""
_SMALL_PAD = 1 << 20
"""Top pad where memory is limited: room that nobody uses counts against the limit."""


def library() -> str:
    """The allocator of this process: a preloaded one by its name, else "glibc 2.36", "musl" or the system."""
    mapped = _mapped()
    for name in _PRELOADED:
        if name in mapped:
            return name
    if sys.platform != "linux":
        return platform.system()
    libc, version = platform.libc_ver()
    return f"{libc} {version}".strip() or "musl"


def can_retain() -> bool:
    """Tell if this process can be made to retain its memory."""
    return library().startswith("glibc")


def retain(*, limited: bool = False) -> str:
    """Make the allocator retain what it is given, from now on.

    Args:
        limited: whether the process may have so much memory only.

    Returns:
        What is in force: "retain", the name of a preloaded allocator, or "system" where neither can be had.
    """
    if can_retain():
        options = (
            (_M_MMAP_MAX, 0),
            (_M_TRIM_THRESHOLD, _NEVER),
            (_M_TOP_PAD, _SMALL_PAD if limited else _TOP_PAD),
        )
        libc = ctypes.CDLL(None)
        if all(libc.mallopt(option, value) for option, value in options):
            return RETAIN
    return in_use()


def in_use() -> str:
    """The allocator of a process that was left as it is: "system", or the name of a preloaded one."""
    name = library()
    return name if name in _PRELOADED else SYSTEM


def trim() -> None:
    """Hand back what is free, so that a cell does not begin with the memory of the one before it."""
    if can_retain():
        ctypes.CDLL(None).malloc_trim(0)


def _mapped() -> str:
    """Names of the libraries in this process, where Linux tells them."""
    try:
        return Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
