"""Which changes of exact numbers fail a gate."""

from __future__ import annotations

import pytest

from benchsuite.errors import UsageError
from benchsuite.findings.count_changes import Change
from benchsuite.gate.accept import Accepted, accepted_of, parse_accepted, regressions, unused
from tests.builders import make_cell

A, B = make_cell(name="A: plain"), make_cell(name="B")
MORE = Change(A, "macs", 100, 120)
LESS = Change(A, "params", 50, 40)
SOFTMAX = Change(B, "other_ops.softmax", 0, 10)
ALL = (MORE, LESS, SOFTMAX)


def test_a_larger_number_is_a_regression_and_a_smaller_one_is_none() -> None:
    assert regressions(ALL, "increase") == (MORE, SOFTMAX)


def test_under_any_every_change_counts_and_under_ignore_none() -> None:
    assert regressions(ALL, "any") == ALL
    assert regressions(ALL, "ignore") == ()


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("macs", [MORE]),
        ("A: plain:macs", [MORE]),
        (f"{A.id}:params", [LESS]),
        ("B:macs", []),
        ("other_ops", [SOFTMAX]),
        ("other_ops.softmax", [SOFTMAX]),
        ("other_ops.gelu", []),
    ],
)
def test_a_change_is_accepted_by_name(text: str, covered: list[Change]) -> None:
    accepted = parse_accepted([text])
    assert list(accepted_of(ALL, accepted)) == covered
    assert list(regressions(ALL, "any", accepted)) == [change for change in ALL if change not in covered]
    assert unused(ALL, accepted) == (() if covered else accepted)


def test_a_metric_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r'--accept B:mac: no exact number is called "mac"; did you mean "macs"'
    ):
        parse_accepted(["B:mac"])


def test_what_is_accepted_reads_as_it_was_written() -> None:
    assert [str(one) for one in parse_accepted(["macs", "B:macs"])] == ["macs", "B:macs"]
    assert parse_accepted(["B:macs"]) == (Accepted("macs", "B"),)
