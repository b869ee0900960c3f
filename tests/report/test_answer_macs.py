"""Whether the fewest MACs meant fastest, and how well they order the others."""

from __future__ import annotations

import pytest

from tests.report.answers import cell, race, said
from tests.report.synthetic import make_record


def test_the_fewest_macs_are_the_fastest_or_not_or_perhaps() -> None:
    assert "The mixer with the fewest MACs was the fastest: a needs the fewest (1 G per image)." in said(
        [cell("a", 1, 10), cell("b", 2, 20)]
    )
    assert (
        "The mixer with the fewest MACs was not the fastest: a needs the fewest (1 G per image), but b is "
        "2.00 times as fast."
    ) in said([cell("a", 1, 20), cell("b", 2, 10)])
    assert "The mixer with the fewest MACs was among the fastest: a needs the fewest" in said(
        [cell("a", 1, 10.01), cell("b", 2, 10)]
    )
    sizes = [cell("a", 1, 10), cell("b", 2, 20)]
    sizes += [cell("a", 5, 40.01, resolution=448), cell("b", 4, 40, resolution=448)]
    assert (
        "At every resolution the mixer with the fewest MACs was the fastest or tied with it: a at 224 px and "
        "b at 448 px."
    ) in said(sizes)


def test_resolutions_that_agree_share_a_clause_and_others_have_their_own() -> None:
    both = [
        cell("a", 1, 10), cell("b", 2, 20),
        cell("a", 4, 40, resolution=448), cell("b", 8, 80, resolution=448),
    ]  # fmt: skip
    every = "At every resolution the mixer with the fewest MACs was the fastest: "
    assert f"{every}a needs the fewest." in said(both)
    other = [cell("a", 40, 400, resolution=896), cell("b", 32, 320, resolution=896)]
    assert f"{every}a at 224 and 448 px and b at 896 px." in said([*both, *other])
    slow = [cell("a", 32, 400, resolution=896), cell("b", 40, 320, resolution=896)]
    assert (
        "At 224 and 448 px the mixer with the fewest MACs was the fastest: a needs the fewest; at 896 px the "
        "mixer with the fewest MACs was not the fastest: a needs the fewest (32 G per image), but b is 1.25 "
        "times as fast."
    ) in said([*both, *slow])
    never = [cell("a", 1, 20), cell("b", 2, 10), *slow]
    assert (
        "At no resolution was the mixer with the fewest MACs the fastest: a needs the fewest, but b"
        in said(never)
    )


def test_equal_counts_have_no_single_winner() -> None:
    among = "The fastest was among the mixers with the fewest MACs: a and b need the fewest (1 G per image)."
    assert among in said([cell("a", 1, 10), cell("b", 1, 20), cell("c", 2, 50)])
    slower = [cell("a", 1, 20), cell("b", 1, 30), cell("c", 2, 10)]
    assert "The mixers with the fewest MACs were not the fastest: a and b need the fewest" in said(slower)
    assert "All need the same number of MACs." in said([cell("a", 1, 10), cell("b", 1, 20)])


def test_the_count_is_that_of_the_kernel_that_the_sentence_names() -> None:
    """ACmix has another number of MACs on a fused kernel, which is no count of the one on math."""
    records = [
        cell("acmix", 1, 10), cell("sra", 2, 5),
        cell("acmix", 3, 10, kernel="sdpa"), cell("sra", 2, 5, kernel="sdpa"),
    ]  # fmt: skip
    assert "The mixer with the fewest MACs was not the fastest: acmix needs the fewest (1 G" in said(records)


def test_a_lower_bound_counts_only_as_a_doubt_and_only_below_the_least() -> None:
    exact = [cell("a", 2, 10), cell("b", 3, 20)]
    below, above = cell("c", 1, 30, exact=False), cell("c", 4, 30, exact=False)
    assert "a needs the fewest (2 G per image) (c, of lower bounds, may need fewer)" in said([*exact, below])
    assert "may need" not in said([*exact, above])


@pytest.mark.parametrize(
    ("latencies", "words", "value"),
    [
        ((10, 20, 30, 40), "speeds follow the MAC order exactly", "−1.00"),
        ((40, 30, 20, 10), "more MACs tend to run faster", "+1.00"),
        # By hand: ranks of throughput against 1 2 3 4, and 1 − 6 Σd² / (4 · 15).
        (
            (10, 30, 20, 40),
            "speeds follow the MAC order well",
            "−0.80",
        ),  # 4 2 3 1, Σd² = 18
        (
            (20, 10, 40, 30),
            "speeds follow the MAC order only in part",
            "−0.60",
        ),  # 3 4 1 2, Σd² = 16
        (
            (20, 40, 10, 30),
            "speeds do not follow the MAC order",
            "+0.00",
        ),  # 3 1 4 2, Σd² = 10
    ],
)
def test_the_correlation_is_put_into_words_and_given(
    latencies: tuple[float, ...], words: str, value: str
) -> None:
    assert f"{words} (rank correlation {value})." in said(race(*latencies))


def test_several_settings_give_a_range_of_correlations() -> None:
    mixed = [*race(10, 20, 30, 40), *race(20, 10, 40, 30, resolution=448)]
    text = said(mixed)
    assert "speeds follow the MAC order only in part (rank correlation −1.00 to −0.60)" in text
    poor = [*race(20, 10, 40, 30), *race(20, 40, 10, 30, resolution=448)]
    assert "speeds do not follow the MAC order everywhere" in said(poor)
    same = [*race(10, 20, 30, 40), *race(10, 20, 30, 40, resolution=448)]
    assert "(rank correlation −1.00)" in said(same)


def test_lower_bounds_are_left_out_of_the_correlation_and_named() -> None:
    bound = make_record("z", macs=10, exact=False)
    assert "(rank correlation −1.00, excluding z, whose MACs are known only as lower bounds)" in said(
        [bound, *race(10, 20, 30, 40)]
    )


def test_a_tie_for_the_fastest_is_an_order_of_medians() -> None:
    assert "medians follow the MAC order exactly" in said(race(10, 10.02, 30, 40))


def test_few_mixers_and_equal_macs_have_no_correlation() -> None:
    assert "correlation" not in said(race(10, 20, 30))
    equal = [make_record(name, macs=5, latency=(i + 1) / 1e3) for i, name in enumerate("abcd")]
    assert "correlation" not in said(equal)
