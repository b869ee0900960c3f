"""Numbers as they are shown."""

from __future__ import annotations

import math

import pytest

from benchsuite.format import byte_size, duration, si, significant


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (521_428_992, "MACs", "521.4 MMACs"),
        (0.00123456, "s", "1.235 ms"),
        (1.5e-7, "s", "150 ns"),
        (2.5e-6, "s", "2.5 µs"),
        (0, "s", "0 s"),
        (1.0, "", "1"),
        (999.96, "", "1 k"),  # rounding reaches the next prefix
        (999_960, "B/s", "1 MB/s"),
        (12_345e12, "", "12345 T"),  # there is no larger prefix
        (-0.002, "s", "-2 ms"),
        (3e-12, "s", "0.003 ns"),  # nor a smaller one
        (math.nan, "s", "–"),
    ],
)
def test_si_prefixes(value: float, unit: str, text: str) -> None:
    assert si(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1 << 20, "1 MiB"), (3.5 * (1 << 30), "3.5 GiB"), (math.nan, "–")],
)
def test_binary_prefixes_of_bytes(value: float, text: str) -> None:
    assert byte_size(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(3.14159, 4, "3.142"), (31.4159, 4, "31.42"), (3141.59, 4, "3142"), (31415.9, 4, "31416"), (0, 3, "0")],
)
def test_significant_digits_without_an_exponent(value: float, digits: int, text: str) -> None:
    assert significant(value, digits) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (45.4, "45 s"),
        (120, "2 min"),
        (99 * 60, "99 min"),
        (3 * 3600 + 1200, "3 h 20 min"),
        (2 * 3600, "2 h"),
        (4 * 86400 + 3 * 3600, "4 d 3 h"),
        (5 * 86400, "5 d"),
    ],
)
def test_spans_of_time(seconds: float, text: str) -> None:
    assert duration(seconds) == text
