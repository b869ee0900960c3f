"""How many calls are timed in one go."""

from __future__ import annotations

BLOCK_S = 0.1
"""Aim of one block: short enough that a budget is kept, long enough that the wait at its end is nothing."""
BLOCK_CALLS = 64
"""Most calls in one block, so that the host never runs far ahead of a GPU."""


def block_size(call_s: float, *, left: int) -> int:
    """About BLOCK_S worth of calls that take `call_s` seconds each, at least one, at most `left`."""
    wanted = int(BLOCK_S / call_s) if call_s > 0 else 1
    return max(1, min(wanted, BLOCK_CALLS, left))
