"""Who needs the fewest MACs: true and untrue for chosen numbers. The other statements: `test_findings.py`."""

from __future__ import annotations

from typing import Any

from benchsuite.report.contests import contests
from benchsuite.report.order import among
from benchsuite.report.points import points
from benchsuite.report.ranking import correlation, fewest, front, moved
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from tests.report.synthetic import make_network, make_record


def said(*records: Record) -> str:
    cells = points(to_frame(records))
    return fewest(cells, contests(cells, among(cells)))


def cell(name: str, macs: int, latency: float, **changes: Any) -> Record:
    return make_record(name, macs=macs * 10**9, latency=latency / 1e3, **changes)


def test_the_one_with_the_fewest_macs_is_named_with_its_place_in_speed() -> None:
    assert said(cell("a", 1, 10), cell("b", 2, 20)) == (
        "a needs the fewest MACs at 224 px, 1 G per image, and is the fastest with math."
    )
    assert said(cell("a", 1, 20), cell("b", 2, 10)) == (
        "a needs the fewest MACs at 224 px, 1 G per image, and is slower than b with math."
    )
    assert said(cell("a", 1, 10.01), cell("b", 2, 10)) == (
        "a needs the fewest MACs at 224 px, 1 G per image, and is perhaps the fastest with math."
    )


def test_every_kernel_has_its_say_on_speed() -> None:
    text = said(
        cell("a", 1, 10), cell("b", 2, 20), cell("a", 1, 20, kernel="sdpa"), cell("b", 2, 10, kernel="sdpa")
    )
    assert text.endswith("and is the fastest with math, slower than b with sdpa.")


def test_resolutions_that_agree_share_a_clause_and_others_have_their_own() -> None:
    both = [
        cell("a", 1, 10), cell("b", 2, 20),
        cell("a", 4, 40, resolution=448), cell("b", 8, 80, resolution=448),
    ]  # fmt: skip
    assert said(*both) == "a needs the fewest MACs at 224 and 448 px, and is the fastest with math."
    third = [cell("a", 40, 400, resolution=896), cell("b", 32, 320, resolution=896)]
    assert said(*both, *third).endswith(
        "; b needs the fewest MACs at 896 px, 32 G per image, and is the fastest with math."
    )


def test_equal_counts_have_no_single_winner() -> None:
    assert said(cell("a", 1, 10), cell("b", 1, 20), cell("c", 2, 5)) == (
        "a and b need the fewest MACs at 224 px, 1 G per image."
    )
    assert said(cell("a", 1, 10), cell("b", 1, 20)) == (
        "All 2 mixers need the same number of MACs at 224 px, 1 G per image."
    )


def test_a_lower_bound_counts_only_as_a_doubt_and_only_below_the_least() -> None:
    exact = [cell("a", 2, 10), cell("b", 3, 20)]
    below, above = cell("c", 1, 30, exact=False), cell("c", 4, 30, exact=False)
    assert (
        "a needs the fewest MACs at 224 px, 2 G per image (unless it is c, with a lower bound only)"
        in said(*exact, below)
    )
    assert "unless" not in said(*exact, above)


def test_a_cell_that_was_counted_but_not_timed_may_need_the_fewest() -> None:
    assert said(cell("a", 1, 10, status="oom"), cell("b", 2, 20), cell("c", 3, 30)) == (
        "a needs the fewest MACs at 224 px, 1 G per image."
    )
    assert said(cell("a", 1, 10)) == ""


def test_networks_are_called_networks() -> None:
    cells = points(
        to_frame(
            [
                make_network(n, macs=m, latency=s)
                for n, m, s in zip("abcd", (1, 2, 3, 4), (4, 3, 2, 1), strict=True)
            ]
        )
    )
    fields = contests(cells, among(cells))
    assert correlation(fields).startswith("Networks with more MACs tend to be faster here")
    assert front(fields) == "Certainly on the Pareto front at 224 px with math: all 4 networks."
    close = points(to_frame([make_network(n, macs=i + 1, latency=1.0) for i, n in enumerate("abcd")]))
    assert "no network moves" in moved(contests(close, among(close)))
