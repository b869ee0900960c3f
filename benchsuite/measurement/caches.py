"""How many bytes must be written so that nothing of an earlier step is left in the caches."""

from __future__ import annotations

import functools
from pathlib import Path

MIB = 1 << 20
FLUSH_FACTOR = 2
"""Bytes written per byte of cache: with an associative cache that is not strictly least recently used, a
single pass over its own size leaves some lines behind."""
UNKNOWN_CACHE_BYTES = 32 * MIB
"""Taken for the last level where the system does not tell it: no desktop CPU has much more, so 64 MiB are
written."""
MOST_FLUSH_BYTES = 512 * MIB
"""A virtual machine may report the caches of its whole host; more than this is never written."""

CPU0 = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": MIB, "G": 1 << 30}


@functools.cache
def cpu_flush_bytes(caches: Path = CPU0) -> int:
    """Bytes to write on a CPU before a cold call: twice the last-level cache, within limits."""
    return min(FLUSH_FACTOR * (last_level_bytes(caches) or UNKNOWN_CACHE_BYTES), MOST_FLUSH_BYTES)


def last_level_bytes(caches: Path = CPU0) -> int | None:
    """Size of the last-level cache that the first core uses, as Linux tells it; None if it does not."""
    sizes: dict[int, int] = {}
    for index in sorted(caches.glob("index*")):
        try:
            level = int((index / "level").read_text())
            size = _bytes((index / "size").read_text().strip())
        except (OSError, ValueError):
            continue
        sizes[level] = max(size, sizes.get(level, 0))
    return sizes[max(sizes)] if sizes else None


def _bytes(text: str) -> int:
    """ "2048K" in bytes. Raises ValueError if it is no size."""
    return int(text[:-1]) * _UNITS[text[-1]] if text[-1:] in _UNITS else int(text)
