"""The rounds of a cell as a small strip: a dot each, in order, above or below the cell's own median."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

REACH = "a tenth"
"""How far a strip goes to either side, in words; all of a page have this scale, so that they compare."""
_REACH = math.log(1.1)
_STEP, _HEIGHT, _EDGE = 7, 16, 2.5


def strip(medians: Sequence[float], centre: float, text: str) -> Markup:
    """The strip as an `<svg>` element. A round beyond its reach is a hollow dot at its edge.

    Args:
        centre: the estimate of the cell.
        text: the same in words, for those who do not see it and as a tooltip.
    """
    width = _STEP * len(medians)
    inside: list[str] = []
    beyond: list[str] = []
    for i, median in enumerate(medians):
        share = math.log(median / centre) / _REACH
        y = _HEIGHT / 2 - max(-1.0, min(1.0, share)) * (_HEIGHT / 2 - _EDGE)
        (inside if abs(share) <= 1 else beyond).append(f"M{_STEP * (i + 0.5):g} {y:.3g}h0")
    rings = Markup('<path class="beyond" d="{}"/>').format("".join(beyond)) if beyond else ""
    return Markup(
        '<svg class="strip" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{text}">'
        '<title>{text}</title><path class="middle" d="M0 {m}H{w}"/><path d="{inside}"/>{rings}</svg>'
    ).format(w=width, h=_HEIGHT, m=_HEIGHT // 2, text=text, inside="".join(inside), rings=rings)
