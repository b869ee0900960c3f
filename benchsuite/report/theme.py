"""Look of figures: colours, markers, fonts. A mixer looks the same on every figure of a run.

The hues are those of Okabe and Ito ("Color Universal Design", 2008) and three more. Lightness and saturation
were searched so that every pair stays apart for readers with protan, deutan and tritan vision and none is too
pale for white paper; each colour has a twin for dark pages. Colour never stands alone: a mixer has a marker.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from matplotlib import style

from benchsuite.labels import short_names
from benchsuite.report.figures.layout import STYLE_SHEETS

logger = logging.getLogger(__name__)

INK = "#1b1b1f"
MUTED = "#66666e"
GRID = "#e3e3e8"
PAPER = "#fffffe"

SERIES = (
    "#0046ba", "#91301a", "#007856", "#833a7a", "#b1900c",
    "#1d88ff", "#98909d", "#d03f61", "#7a7300", "#7065b8",
)  # fmt: skip
SERIES_DARK = (
    "#537ec9", "#d35643", "#14fb8f", "#b46990", "#ffd011",
    "#99cdff", "#e1e1e1", "#ea8691", "#a6ab29", "#8e79ff",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
# As many colours as markers would repeat the pairs; 10 and 11 have no common factor, so 110 mixers differ.

LIGHT: dict[str, str] = {
    "--ink": INK,
    "--muted": MUTED,
    "--grid": GRID,
    "--paper": PAPER,
    **{f"--series-{number}": color for number, color in enumerate(SERIES, start=1)},
}
"""Variables of the page's style sheet, with the colours that figures are drawn in."""

DARK: dict[str, str] = {
    "--ink": "#ececf1",
    "--muted": "#a3a3ad",
    "--grid": "#36363e",
    "--paper": "#17171b",
    **{f"--series-{number}": color for number, color in enumerate(SERIES_DARK, start=1)},
}

_TWO = re.compile(r"((\S+) = \S+) ((\S+) = \S+)")
"""A label that is two arguments."""
_FILLS = ("full", "left", "top", "bottom", "right")


@dataclass(frozen=True, slots=True)
class Look:
    """Colour and marker of one mixer, the name as figures print it, whether others are held against it."""

    color: str
    marker: str
    label: str
    reference: bool = False


def looks(names: Iterable[str], reference: str | None = None) -> dict[str, Look]:
    """A look for every name, in order; the first 110 all differ.

    Where names are two arguments, colours are the values of one and markers those of the other.

    Args:
        reference: a name that the others are held against.
    """
    names = list(dict.fromkeys(names))
    labels = short_names(names)
    crossed = crossing(list(labels.values()))
    colors = list(dict.fromkeys(color for color, _ in crossed.values()))
    markers = list(dict.fromkeys(marker for _, marker in crossed.values()))
    result: dict[str, Look] = {}
    for number, (name, label) in enumerate(labels.items()):
        color = marker = number
        if crossed:
            color, marker = colors.index(crossed[label][0]), markers.index(crossed[label][1])
        result[name] = Look(
            SERIES[color % len(SERIES)], MARKERS[marker % len(MARKERS)], label, name == reference
        )
    return result


def crossing(labels: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Label → what its colour and its marker say, where two arguments tell all labels apart; else nothing.

    The argument with fewer values has the colours: of "α = 0.5 window = 2" the window.
    """
    found = {label: _TWO.fullmatch(label) for label in labels}
    pairs = {label: (match[1], match[3]) for label, match in found.items() if match}
    keys = {(match[2], match[4]) for match in found.values() if match}
    first, second = (set(values) for values in zip(*pairs.values(), strict=True)) if pairs else (set(), set())
    few, many = sorted((len(first), len(second)))
    if len(pairs) < len(labels) or len(keys) > 1 or few < 2 or few > len(SERIES) or many > len(MARKERS):
        return {}
    return pairs if len(first) < len(second) else {label: (b, a) for label, (a, b) in pairs.items()}


def fills(kernels: Sequence[str]) -> dict[str, str]:
    """Fill of the marker of each kernel: hollow for math, full for the first fused one, then halves."""
    fused = [kernel for kernel in kernels if kernel != "math"]
    return {"math": "none"} | {kernel: _FILLS[number % len(_FILLS)] for number, kernel in enumerate(fused)}


@contextmanager
def applied() -> Iterator[None]:
    """Draw with benchsuite's settings, whatever the user's matplotlibrc says; restores theirs after.

    Logs one line if a name has characters that the figures' font lacks. On the page the reader's own fonts
    show them; in PDF and PNG files they are boxes.
    """
    page = style.context(STYLE_SHEETS / "page.mplstyle", after_reset=True)
    with page, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    missing = [warning for warning in caught if "missing from font" in str(warning.message)]
    for warning in caught:
        if warning not in missing:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if missing:
        logger.warning("a name has characters that are not in the figures' font; PDF and PNG show boxes")
