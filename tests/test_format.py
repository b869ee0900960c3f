"""Numbers as they are shown."""

from __future__ import annotations

import math

import pytest

from benchsuite.format import (
    byte_size,
    counted,
    duration,
    fixed,
    joined,
    rate,
    scale_of,
    si,
    signed,
    significant,
    some,
    spread,
    tiny,
)

NAN = math.nan


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


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_items_are_joined_as_in_a_sentence(items: list[str], text: str) -> None:
    assert joined(items) == text


def test_a_long_list_is_cut_and_says_by_how_much() -> None:
    assert some(["a", "b", "c", "d"], most=2) == "a, b and 2 more"
    assert some(["a", "b"], most=2) == "a and b"


@pytest.mark.parametrize(
    ("value", "lo", "hi", "text"),
    [
        (0.0123, 0.0121, 0.0126, "12.3 ms [12.1, 12.6]"),
        (0.0123, 0.01228, 0.01232, "12.30 ms [12.28, 12.32]"),
        (0.0123, 0.0123, 0.0123, "12.300 ms [12.300, 12.300]"),  # no more than five digits, however narrow
        (0.0123, 0.002, 0.03, "12.3 ms [2.0, 30.0]"),  # no fewer than three, however wide
        (1.234, 1.2, 1.3, "1234 ms [1200, 1300]"),
        (0.0000123, 0.0000121, 0.0000126, "0.0123 ms [0.0121, 0.0126]"),
        (0.0123456, NAN, NAN, "12.35 ms"),
        (NAN, NAN, NAN, "–"),
    ],
)
def test_an_interval_decides_how_many_digits_are_shown(value: float, lo: float, hi: float, text: str) -> None:
    assert spread(value, lo, hi, 1e-3, "ms") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5104.2, "5,104 images/s"),
        (723712, "723,700 images/s"),
        (12.3456, "12.35 images/s"),
        (66, "66.00 images/s"),
        (NAN, "–"),
    ],
)
def test_a_rate_has_four_digits(value: float, text: str) -> None:
    assert rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(41.3, "41.30"), (0.05, "0.05000"), (12345.6, "12346"), (0, "0")]
)
def test_fixed_digits_keep_their_zeros(value: float, text: str) -> None:
    assert fixed(value, 4) == text


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        ([0.012, 0.013, 2.0], "s", (1e-3, "ms")),
        ([1e9, NAN, 2e9], "", (1e9, "G")),
        ([3 << 20], "B", (1 << 20, "MiB")),
        ([100], "B", (1, "B")),
        ([NAN, 0.0], "s", (1, "s")),
        ([1e-12], "s", (1e-9, "ns")),
    ],
)
def test_a_column_has_one_unit_that_suits_its_median(
    values: list[float], unit: str, expected: tuple[float, str]
) -> None:
    assert scale_of(values, unit) == expected


def test_correlations_have_a_sign_and_a_true_minus() -> None:
    assert (signed(-0.871), signed(0.5)) == ("−0.87", "+0.50")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.006, "0.006"), (1e-4, "0.0001"), (4.6e-7, "4.6 × 10⁻⁷"), (9.96e-6, "1.0 × 10⁻⁵")],
)
def test_very_small_shares_are_written_with_a_power_of_ten(value: float, text: str) -> None:
    assert tiny(value) == text


def test_nouns_are_counted() -> None:
    assert [counted(1, "cell"), counted(2, "cell"), counted(2, "series", "series")] == [
        "1 cell",
        "2 cells",
        "2 series",
    ]
