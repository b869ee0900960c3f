"""A verdict for every way in which a check can end."""

from __future__ import annotations

import pytest

from benchsuite.health.verdict import Verdict, agreement, broken, close, equal_count, passed, share, signed


def test_a_known_count_must_be_met_exactly() -> None:
    assert equal_count("n", 42, 42, "MACs", "m").level == "ok"
    for found in (41, 43, None):
        assert equal_count("n", found, 42, "MACs", "m").level == "fail"


@pytest.mark.parametrize(("found", "level"), [(99, "fail"), (100, "ok"), (612, "ok"), (613, "fail")])
def test_what_an_allocator_rounds_up_may_be_more_but_never_less(found: int, level: str) -> None:
    verdict = equal_count("n", found, 100, "B", "m", slack=512)
    assert (verdict.level, verdict.limit) == (level, "100 B + 512")


@pytest.mark.parametrize(("ratio", "level"), [(0.97, "fail"), (0.99, "ok"), (1.01, "ok"), (1.03, "fail")])
def test_a_reading_must_be_close_to_what_it_reads(ratio: float, level: str) -> None:
    assert close("n", [ratio] * 5, 0.02, "m").level == level


def test_single_readings_that_were_interrupted_do_not_count() -> None:
    assert close("n", [1.0, 1.0, 1.0, 3.0, 2.0], 0.02, "m").level == "ok"


STEADY = (0.999, 1.001, 1.0, 1.002)


def times(factor: float) -> list[float]:
    return [factor * one for one in STEADY]


def test_clocks_that_agree_are_fine_and_clocks_that_do_not_are_a_fault() -> None:
    assert agreement("n", times(1.01), 0.02, "m").level == "ok"
    for factor in (1.1, 0.9):
        verdict = agreement("n", times(factor), 0.02, "they read the same")
        assert verdict.level == "fail"
        assert verdict.means == "it does not: they read the same"


def test_on_a_noisy_machine_the_noise_is_the_limit_and_the_verdict_says_so() -> None:
    verdict = agreement("n", times(1.06), 0.02, "m", noise=0.08)
    assert (verdict.level, verdict.limit) == ("ok", "± 8.0%, the noise")
    assert agreement("n", times(1.01), 0.02, "m", noise=0.08).limit == "± 2%"
    assert agreement("n", times(1.2), 0.02, "m", noise=0.08).level == "fail"


def test_clocks_that_differ_by_less_than_they_spread_are_no_fault() -> None:
    verdict = agreement("n", [0.7, 1.9, 1.1, 1.2], 0.02, "m")
    assert verdict.level == "warn"
    assert "idle machine" in verdict.means


def test_so_much_noise_that_anything_would_agree_is_no_agreement() -> None:
    assert agreement("n", times(1.5), 0.02, "m", noise=0.6).level == "warn"
    assert agreement("n", times(1.01), 0.02, "m", noise=0.6).level == "ok"


def test_a_check_that_raises_has_failed_and_says_why() -> None:
    verdict = broken("n", RuntimeError("no such kernel\nand a long story"))
    assert (verdict.level, verdict.means) == ("fail", "RuntimeError: no such kernel")


@pytest.mark.parametrize(
    ("levels", "sound"),
    [(["ok", "warn", "skip"], True), (["ok", "fail", "warn"], False), ([], True)],
)
def test_only_a_fault_of_the_instrument_fails_it(levels: list[str], sound: bool) -> None:
    assert passed([Verdict("n", level, "", "", "") for level in levels]) is sound  # type: ignore[arg-type]


def test_large_shares_are_told_as_factors() -> None:
    assert [share(0.034), share(0.999), share(1.5)] == ["3.4%", "99.9%", "2 times"]
    assert [signed(0.0), signed(2.0), signed(-2.0)] == ["+0.00%", "× 7.39", "× 0.135"]
