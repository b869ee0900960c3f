"""Layouts of figures, for a place and a style: the page, half of it, a column of a paper, two of them.

Light, since the command line reads it before anything is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchsuite.errors import UsageError, require_word

DEFAULT, LITV2 = "default", "litv2"
STYLES = (DEFAULT, LITV2)
"""As on the page; and after the plots of LITv2."""
STYLE_SHEETS = Path(__file__).parents[1] / "data"
"""Folder of matplotlib's style sheets: of the page, of a paper, of LITv2."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Width of a figure in points and its style, one of `STYLES`."""

    width: float
    style: str = DEFAULT

    @property
    def narrow(self) -> bool:
        """True for one column of a paper, where letters are small and names stand over their bars."""
        return self.width < 320

    @property
    def wide(self) -> bool:
        """True if there is room for three panels with letters of eight points."""
        return self.width >= 600

    def panels(self, count: int) -> int:
        """Number of panels that stand side by side; on top of each other where there is room for one."""
        return min(count, 3) if self.width >= 480 else 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Draw and write with these settings."""
        from matplotlib import style

        sheets = ["page"]
        sheets += ["paper", "litv2"] if self.style == LITV2 else ["paper"] if self.narrow else []
        with style.context([STYLE_SHEETS / f"{name}.mplstyle" for name in sheets]):
            yield


PAGE = Layout(720.0)
HALF = Layout(465.0)
"""Beside the answer: 620 pixels where the page enlarges a point to 4/3 of a pixel."""
COLUMN, TWO_COLUMNS = 3.25, 6.75
"""Widths in inches of a column of a paper in two columns, as of CVPR and ICCV, and of both."""


def column(inches: float, style: str = DEFAULT) -> Layout:
    """The layout of a figure of a paper."""
    return Layout(inches * 72, style)


def parse(width: str) -> float:
    """Points of a width in words: "3.25in", "85mm", "8.5cm" or "234pt".

    Raises:
        UsageError: it is no width between 2 and 20 inches.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(in|cm|mm|pt)", width.strip())
    points = float(found[1]) * {"in": 72, "cm": 72 / 2.54, "mm": 72 / 25.4, "pt": 1}[found[2]] if found else 0
    if not 144 <= points <= 1440:
        raise UsageError(
            f'--width: "{width}" is no width between 2in and 20in, such as 3.25in, 85mm or 234pt'
        )
    return points


def require_style(word: str | None, files: object) -> str:
    """The style of that name; that of the page for None.

    Args:
        files: where figures are written to, or None.

    Raises:
        UsageError: there is no such style, or no file that could have it.
    """
    require_word("--style", word, STYLES)
    if word is not None and files is None:
        raise UsageError("--style is of the files that --figures DIR writes; name a folder")
    return word or DEFAULT
