"""Numbers and conditions in words, as the page, its tables and its figures say them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from benchsuite.format import significant
from benchsuite.results.record import STATUSES

STATUS_WORDS: dict[str, str] = {str(status): status for status in STATUSES} | {"oom": "OOM"}
"""Status of a record → how it is written in tables and figures."""

MODE_WORDS: dict[str, str] = {
    "inference": "inference",
    "forward_backward": "forward and backward",
    "training_step": "training step",
}


def joined(items: Sequence[str], last: str = "and") -> str:
    """a; a and b; a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def some(items: Sequence[str], most: int = 5) -> str:
    """All of the items, or the first few and how many more."""
    if len(items) <= most:
        return joined(items)
    return joined([*items[:most], f"{len(items) - most} more"])


def counted(number: int, noun: str, plural: str = "") -> str:
    """1 cell; 3 cells."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def capitalised(text: str) -> str:
    """The sentence with a capital where it begins with a word of ours and not with a name."""
    ours = text.startswith(("which ", "no ", "the ", "all ", "more ", "at ", "from ", "medians ", "speeds "))
    return f"{text[0].upper()}{text[1:]}" if ours else text


def sentence(text: str) -> str:
    """The text with a full stop; nothing for nothing."""
    return f"{text}." if text else ""


def the_kernels(kernels: Sequence[str]) -> str:
    """Kernels inside a sentence: "the math kernel", "the math and flash kernels"."""
    return f"the {joined(kernels)} {'kernel' if len(kernels) == 1 else 'kernels'}"


def pixels(resolution: int | str) -> str:
    """224 px; 480×640 px."""
    return f"{str(resolution).replace('x', '×')} px"


def places(resolutions: Sequence[int | str]) -> str:
    """224, 448 and 896 px."""
    return joined([pixels(resolution).removesuffix(" px") for resolution in resolutions]) + " px"


def times(ratio: float) -> str:
    """A ratio in a sentence, with no more digits than are read: "1.19", "12", "270", "1,200"."""
    if ratio < 10:
        return f"{ratio:.2f}" if ratio >= 0.1 else significant(ratio, 2)
    return f"{round(ratio, 1 - math.floor(math.log10(ratio))):,.0f}"


def multiples(ratios: Sequence[float]) -> str:
    """Ratios in a sentence: "1.19"; "1.45 to 1.67"."""
    return " to ".join(dict.fromkeys(times(end) for end in (min(ratios), max(ratios))))


def signed(value: float) -> str:
    """A correlation: "−0.87", with a true minus sign."""
    return f"{value:+.2f}".replace("-", "−")


def spread(value: float, lo: float, hi: float, factor: float = 1.0, unit: str = "") -> str:
    """Value and interval over `factor` with as many digits as the interval bears out: "12.3 ms [12.1, 12.6]".

    The half-width of the interval decides the digits, within 3 and 5 significant ones. Without an interval
    (NaN) there are four digits and no brackets; a missing value is "–".
    """
    if math.isnan(value):
        return "–"
    unit = f" {unit}" if unit else ""
    value, lo, hi = value / factor, lo / factor, hi / factor
    if math.isnan(lo) or math.isnan(hi):
        return f"{fixed(value, 4)}{unit}"
    leading = math.floor(math.log10(abs(value))) if value else 0
    half = (hi - lo) / 2
    wanted = -math.floor(math.log10(half)) if half > 0 else 4 - leading
    decimals = max(0, min(max(wanted, 2 - leading), 4 - leading))
    return f"{value:.{decimals}f}{unit} [{lo:.{decimals}f}, {hi:.{decimals}f}]"


def fixed(value: float, digits: int) -> str:
    """A number with `digits` significant digits, trailing zeros kept, so that a column lines up."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def percentage(share: float) -> str:
    """A share with two digits: "7.8 %"."""
    return f"{fixed(100 * share, 2)} %"


def rate(value: float) -> str:
    """Images per second to read in a sentence, with four digits at most: "5,104 images/s"."""
    if math.isnan(value):
        return "–"
    if value < 1000:
        return f"{fixed(value, 4)} images/s"
    return f"{round(value, 3 - math.floor(math.log10(value))):,.0f} images/s"


def tiny(value: float) -> str:
    """A share that may be very small, with two digits: 0.006, 4.6 × 10⁻⁷."""
    if value == 0 or abs(value) >= 1e-4:
        return significant(value, 2)
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits} × 10{str(int(exponent)).translate(_RAISED)}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_STEPS = (
    (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"),
)  # fmt: skip


def scale_of(values: Iterable[float], unit: str) -> tuple[float, str]:
    """One factor and unit for a whole column, from its median: 0.012 s → (1e-3, "ms").

    "B" takes binary prefixes; values that are all missing or zero keep the base unit.
    """
    known = sorted(abs(value) for value in values if not math.isnan(value) and value != 0)
    if not known:
        return 1.0, unit
    middle = known[len(known) // 2]
    if unit == "B":
        steps = ((float(1 << 30), "GiB"), (float(1 << 20), "MiB"), (float(1 << 10), "KiB"))
        return next(((factor, name) for factor, name in steps if middle >= factor), (1.0, "B"))
    factor, prefix = next((step for step in _STEPS if middle >= step[0]), _STEPS[-1])
    return factor, f"{prefix}{unit}"
