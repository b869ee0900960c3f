"""Numbers, units, plurals and lists as a reader sees them. Everything stored is in SI base units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_SI = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_BINARY = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def si(value: float, unit: str = "", digits: int = 4) -> str:
    """Format with an SI prefix and `digits` significant digits: `si(521428992, "MACs")` is "521.4 MMACs".

    A value of zero has no prefix; a missing value (NaN) is "–".
    """
    if math.isnan(value):
        return "–"
    if value == 0:
        return f"0 {unit}".rstrip()
    factor, prefix = next(((f, p) for f, p in _SI if abs(value) >= f), _SI[-1])
    # Rounding may reach the next prefix: 999.96e3 with four digits is 1000 k, which reads as 1 M.
    if abs(float(f"{value / factor:.{digits - 1}e}")) >= 1000 and factor < 1e12:
        index = [f for f, _ in _SI].index(factor) - 1
        factor, prefix = _SI[index]
    return f"{significant(value / factor, digits)} {prefix}{unit}".rstrip()


def byte_size(value: float, digits: int = 4) -> str:
    """Format a number of bytes with a binary prefix: `byte_size(3 << 20)` is "3 MiB"."""
    if math.isnan(value):
        return "–"
    factor, unit = next(((f, u) for f, u in _BINARY if abs(value) >= f), _BINARY[-1])
    return f"{significant(value / factor, digits)} {unit}"


def significant(value: float, digits: int) -> str:
    """Format with `digits` significant digits and no exponent: 3.1416, 31.42, 314.2, 3142."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(seconds: float) -> str:
    """Format a time span in two units at most: "45 s", "12 min", "3 h 20 min", "4 d 3 h"."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours + (minutes >= 30), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


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


def scale_of(values: Iterable[float], unit: str) -> tuple[float, str]:
    """One factor and unit for a whole column, from its median: 0.012 s → (1e-3, "ms").

    "B" takes binary prefixes; values that are all missing or zero keep the base unit.
    """
    known = sorted(abs(value) for value in values if not math.isnan(value) and value != 0)
    if not known:
        return 1.0, unit
    middle = known[len(known) // 2]
    if unit == "B":
        return next(((float(factor), name) for factor, name in _BINARY if middle >= factor), (1.0, "B"))
    factor, prefix = next((step for step in _SI if middle >= step[0]), _SI[-1])
    return factor, f"{prefix}{unit}"


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


def sentence(text: str) -> str:
    """The text with a full stop; nothing for nothing."""
    return f"{text}." if text else ""


def capitalised(text: str) -> str:
    """The sentence with a capital where it begins with a word of ours and not with a name."""
    ours = text.startswith(("which ", "no ", "the ", "all ", "more ", "at ", "from ", "medians ", "speeds "))
    return f"{text[0].upper()}{text[1:]}" if ours else text
