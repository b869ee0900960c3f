"""The rounds of a cell as a small strip: a dot each, in order, above or below the cell's own median."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

REACH = "5 %"
"""Reach of a strip to either side, in words; all of a page have this scale, so that they compare."""
_REACH = math.log(1.05)
_STEP, _MIDDLE, _ROOM = 8, 8, 6


def strip(medians: Sequence[float], centre: float, text: str) -> Markup:
    """The strip as an `<svg>` element. A round beyond its reach is a larger dot at its edge.

    Args:
        centre: the estimate of the cell.
        text: the same in words, as a tooltip and for those who do not see it.
    """
    within: list[str] = []
    beyond: list[str] = []
    for i, median in enumerate(medians):
        share = math.log(median / centre) / _REACH
        y = _MIDDLE - round(max(-1.0, min(1.0, share)) * _ROOM)
        (within if abs(share) <= 1 else beyond).append(f"M{_STEP * i + _STEP // 2} {y}h0")
    paths = [Markup('<path d="{}"/>').format("".join(within))] if within else []
    paths += [Markup('<path class="beyond" d="{}"/>').format("".join(beyond))] if beyond else []
    return Markup('<svg class="strip" width="{}" role="img"><title>{}</title>{}</svg>').format(
        _STEP * len(medians), text, Markup("").join(paths)
    )
