"""The fastest of a setting is told by how many times, and only as surely as the rounds allow."""

from __future__ import annotations

import math

import pytest

from benchsuite.findings.relative_speed import Relative, in_words, relative
from benchsuite.stats.evidence import Decision, Side
from tests.builders import make_cell, make_record


def record(name: str, rounds: list[float], **axes: object):
    return make_record(make_cell(name=name, target=name, **axes), samples=rounds, rounds=[1] * len(rounds))


SLOW = [0.0200, 0.0206, 0.0198, 0.0202, 0.0200]
FAST = [0.0100, 0.0103, 0.0099, 0.0101, 0.0100]


def test_twice_as_fast_in_each_round_is_told_whatever_the_drift() -> None:
    drifting = [1.0, 1.3, 0.8, 1.1, 1.0]
    slow = record("slow", [2 * 0.01 * by for by in drifting])
    fast = record("fast", [0.01 * by for by in drifting])
    (found,) = relative([slow, fast], {})
    ((other, decision),) = found.others
    assert (found.first.name, other.name, decision.side) == ("fast", "slow", "above")
    assert decision.ratio == pytest.approx(2)


def test_settings_are_apart_and_a_lone_cell_has_no_ratio() -> None:
    found = relative(
        [record("slow", SLOW), record("fast", FAST), record("fast", SLOW, batch=16)],
        {},
    )
    assert [(one.first.name, one.first.batch, len(one.others)) for one in found] == [("fast", 2, 1)]


def test_below_the_noise_of_the_machine_nothing_is_faster() -> None:
    near = [seconds * 1.02 for seconds in FAST]
    for noise, side in ((0.0, "above"), (5.0, "same")):
        environment = {"selftest": {"noise_percent": noise}}
        (found,) = relative([record("near", near), record("fast", FAST)], environment)
        assert found.others[0][1].side == side


def test_two_rounds_are_too_few() -> None:
    (found,) = relative([record("slow", SLOW[:2]), record("fast", FAST[:2])], {})
    assert found.others[0][1].side == "undecided"


def test_a_network_stands_beside_mixers_and_is_told_without_their_axes() -> None:
    network = {"subject": "backbone", "stride": 1, "dim": None, "num_heads": None}
    (found,) = relative(
        [record("layer", FAST, dim=32), record("layer", SLOW, dim=64), record("net", SLOW, **network)], {}
    )
    assert [cell.name for cell, _ in found.others] == ["layer", "net"]
    first, second = in_words([found])
    assert "layer, dim 32" in first
    assert "layer, dim 64" in first
    assert "net" in second
    assert "None" not in second


@pytest.mark.parametrize(
    ("side", "ends", "said"),
    [
        ("above", (1.32, 1.29, 1.35), "a is 1.32 ± 0.03 times as fast as b"),
        ("above", (1.04, 1.01, 1.08), "a is 1.04 [1.01, 1.08] times as fast as b"),
        ("above", (1.044, 1.006, 1.083), "a is 1.04 [1.01, 1.08] times as fast as b"),
        ("above", (1.04, 1.003, 1.08), "a is 1.040 [1.003, 1.080] times as fast as b"),
        ("below", (0.98, 0.96, 0.999), "a is 0.980 [0.960, 0.999] times as fast as b"),
        ("above", (250.4, 240.2, 260.3), "a is 250 ± 10 times as fast as b"),
        ("undecided", (1.04, 0.998, 1.08), "a and b: undecided: why (1.04 ± 0.04 times as fast)"),
        ("undecided", (1.04, math.nan, math.nan), "a and b: undecided: why (1.04 times as fast)"),
    ],
)
def test_the_ends_of_the_interval_are_those_that_are_read(
    side: Side, ends: tuple[float, float, float], said: str
) -> None:
    one = Relative(make_cell(name="a"), ((make_cell(name="b"), Decision(side, *ends, 0.01, "why")),))
    assert [line.strip() for line in in_words([one])] == [said]
