"""Numbers and lists as the page words them."""

from __future__ import annotations

import math

import pytest

from benchsuite.report import words

NAN = math.nan


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_items_are_joined_as_in_a_sentence(items: list[str], text: str) -> None:
    assert words.joined(items) == text


def test_a_long_list_is_cut_and_says_by_how_much() -> None:
    assert words.some(["a", "b", "c", "d"], most=2) == "a, b and 2 more"
    assert words.some(["a", "b"], most=2) == "a and b"


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
    assert words.spread(value, lo, hi, 1e-3, "ms") == text


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
    assert words.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(41.3, "41.30"), (0.05, "0.05000"), (12345.6, "12346"), (0, "0")]
)
def test_fixed_digits_keep_their_zeros(value: float, text: str) -> None:
    assert words.fixed(value, 4) == text


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
    assert words.scale_of(values, unit) == expected


def test_correlations_have_a_sign_and_a_true_minus() -> None:
    assert (words.signed(-0.871), words.signed(0.5)) == ("−0.87", "+0.50")


def test_resolutions_are_listed_with_one_unit() -> None:
    assert words.places([224, "480x640"]) == "224 and 480×640 px"


def test_kernels_are_counted() -> None:
    assert words.the_kernels(["math"]) == "the math kernel"
    assert words.the_kernels(["math", "flash"]) == "the math and flash kernels"
    assert words.counted(1, "cell") == "1 cell"
    assert words.counted(2, "cell") == "2 cells"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.006, "0.006"), (1e-4, "0.0001"), (4.6e-7, "4.6 × 10⁻⁷"), (9.96e-6, "1.0 × 10⁻⁵")],
)
def test_very_small_shares_are_written_with_a_power_of_ten(value: float, text: str) -> None:
    assert words.tiny(value) == text
