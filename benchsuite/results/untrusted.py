"""JSON that comes in from a file: what no writer of ours can have written is refused, and costs nothing."""

from __future__ import annotations

import json
import math
from typing import Any

from benchsuite.text import all_storable

MAX_DEPTH = 60
"""Of lists and mappings in each other; ours go down to about ten."""
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


def parse(text: str) -> Any:
    """The data of a JSON text. Texts in it are valid Unicode, numbers are finite, whole ones fit 64 bits.

    Raises:
        ValueError: it is no JSON, or holds something else.
    """
    try:
        data = json.loads(
            text.removeprefix(_BYTE_ORDER_MARK),
            parse_constant=_refused,
            parse_float=_finite,
            parse_int=_whole,
        )
        _require_shallow(data, MAX_DEPTH)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return all_storable(data) if "\\u" in text else data


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _whole(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else 1 << 64
    if abs(number) >> 63:
        raise ValueError(f"a whole number of {len(digits)} digits is too large")
    return number


def _require_shallow(data: Any, depth: int) -> None:
    if not isinstance(data, dict | list):
        return
    if depth == 0:
        raise ValueError("nested too deeply")
    for below in data.values() if isinstance(data, dict) else data:
        _require_shallow(below, depth - 1)
