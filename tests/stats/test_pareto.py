"""The Pareto front against its definition."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.stats.evidence import Side
from benchsuite.stats.pareto import Candidate, Standing, pareto_front, standings

# Small integers, so that ties in one or both coordinates are common.
POINTS = st.lists(st.tuples(st.integers(0, 6).map(float), st.integers(0, 6).map(float)), max_size=25)


def dominated(point: tuple[float, float], by: tuple[float, float]) -> bool:
    return by[0] <= point[0] and by[1] >= point[1] and by != point


@given(POINTS)
def test_the_front_holds_exactly_the_points_that_none_dominates(points: list[tuple[float, float]]) -> None:
    expected = {i for i, point in enumerate(points) if not any(dominated(point, other) for other in points)}
    assert set(pareto_front(points)) == expected


@given(POINTS)
def test_the_front_comes_by_rising_cost_and_speed(points: list[tuple[float, float]]) -> None:
    front = [points[i] for i in pareto_front(points)]
    assert front == sorted(front)


def test_a_front_worked_by_hand() -> None:
    points = [(3.0, 50.0), (1.0, 10.0), (2.0, 40.0), (2.5, 30.0), (4.0, 50.0)]
    assert pareto_front(points) == [1, 2, 0]


def test_equal_points_are_on_the_front_together() -> None:
    assert pareto_front([(1.0, 5.0), (1.0, 5.0), (2.0, 5.0)]) == [0, 1]


@pytest.mark.parametrize("missing", [(math.nan, 9.0), (0.0, math.nan), (math.nan, math.nan)])
def test_points_with_a_missing_number_are_ignored(missing: tuple[float, float]) -> None:
    assert pareto_front([missing, (1.0, 1.0)]) == [1]


def test_no_points_have_no_front() -> None:
    assert pareto_front([]) == []


# With decisions

SIDES: list[Side] = ["above", "below", "same", "undecided"]
CANDIDATES = st.lists(
    st.builds(Candidate, cost=st.integers(0, 4).map(float), exact=st.booleans()), max_size=8
)
OPPOSITE: dict[Side, Side] = {"above": "below", "below": "above"}


@given(CANDIDATES, st.data())
def test_standings_follow_their_definition(candidates: list[Candidate], data: st.DataObject) -> None:
    sides: dict[tuple[int, int], Side] = {}
    for i, j in itertools.combinations(range(len(candidates)), 2):
        side = data.draw(st.sampled_from(SIDES))
        sides |= {(i, j): side, (j, i): OPPOSITE.get(side, side)}
    found = standings(candidates, lambda i, j: sides[i, j])
    for i, (one, standing) in enumerate(zip(candidates, found, strict=True)):
        rivals = [
            j for j, other in enumerate(candidates) if j != i and other.exact and other.cost <= one.cost
        ]
        worse = [j for j in rivals if sides[j, i] == "below"]
        equal = [j for j in rivals if sides[j, i] == "same"]
        expected: Standing | None = "possible"
        if any(sides[j, i] == "above" or (j in equal and candidates[j].cost < one.cost) for j in rivals):
            expected = "dominated"
        elif not one.exact:
            expected = None
        elif len(worse) + len(equal) == len(rivals):
            expected = "certain"
        assert standing == expected


def test_an_undecided_speed_leaves_open_what_it_may_beat() -> None:
    cheap, dear = Candidate(cost=1), Candidate(cost=2)
    assert standings([cheap, dear], lambda i, j: "undecided") == ["certain", "possible"]


def test_equal_costs_and_speeds_are_both_certain() -> None:
    assert standings([Candidate(cost=1)] * 2, lambda i, j: "same") == ["certain", "certain"]


def test_what_costs_more_without_a_difference_in_speed_is_dominated() -> None:
    assert standings([Candidate(cost=1), Candidate(cost=2)], lambda i, j: "same") == ["certain", "dominated"]


def test_a_missing_cost_stands_nowhere() -> None:
    assert standings([Candidate(cost=math.nan)], lambda i, j: "same") == [None]
