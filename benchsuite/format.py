"""Scaling of SI base units, for display only. Everything stored is in base units."""

from __future__ import annotations

import math

_SI = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_BINARY = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


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
