"""Figures under the question that they answer: cost against speed, growth, where time and memory go.

The order of the page is argued for in `docs/design/0010-order-of-the-report.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from benchsuite.report.canvas import Drawing

SPEED = "MACs against speed"
TIME = "Where the time goes"
_USED = "Memory, training steps and energy"

CHAPTERS: dict[str, str] = {
    **dict.fromkeys(("scatter", "accuracy", "protocols", "ratio", "metrics"), SPEED),
    "scaling": "Scaling",
    **dict.fromkeys(("kernels", "device", "roofline", "operators"), TIME),
    **dict.fromkeys(("memory", "training", "energy"), _USED),
}
"""Kind of figure → the heading that it stands under."""


@dataclass(frozen=True)
class FigurePart:
    """A figure with its words; `drawing` is kept for writing it to a file called `name`.

    `svg` is None where the page has no room for it.
    """

    title: str
    svg: Markup | None
    caption: str
    name: str
    drawing: Drawing
    chapter: str = SPEED


@dataclass(frozen=True)
class Shown:
    """The figures of one group of comparable cells in a chapter."""

    title: str
    conditions: str
    figures: tuple[FigurePart, ...]


@dataclass(frozen=True)
class Chapter:
    """One heading with its figures; `key` is unique within a run."""

    key: str
    title: str
    groups: tuple[Shown, ...]


def chapters(groups: Iterable[tuple[str, str, Sequence[FigurePart]]]) -> list[Chapter]:
    """The figures that the page has room for by chapter, then by group; a chapter without any is absent.

    Args:
        groups: title, conditions and figures of each group. Chapters come in the order of the first figure
            of each within the group that has most of them, so that a scenario's own order holds.
    """
    groups = [
        (title, conditions, [part for part in parts if part.svg]) for title, conditions, parts in groups
    ]
    orders = sorted(([part.chapter for part in parts] for _, _, parts in groups), key=len, reverse=True)
    titles = dict.fromkeys(chapter for order in orders for chapter in order)
    return [
        Chapter(
            key=re.sub(r"[^a-z]+", "-", chapter.lower()),
            title=chapter,
            groups=tuple(
                Shown(title, conditions, tuple(part for part in parts if part.chapter == chapter))
                for title, conditions, parts in groups
                if any(part.chapter == chapter for part in parts)
            ),
        )
        for chapter in titles
    ]
