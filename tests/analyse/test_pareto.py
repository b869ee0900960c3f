"""The Pareto front against its definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.analyse.pareto import Candidate, Standing, pareto_front, standings

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


# With intervals

CANDIDATES = st.lists(
    st.builds(
        lambda cost, lo, more, exact: Candidate(cost=cost, lo=lo, hi=lo + more, exact=exact),
        st.integers(0, 4).map(float),
        st.integers(0, 4).map(float),
        st.integers(0, 2).map(float),
        st.booleans(),
    ),
    max_size=12,
)


def may_dominate(one: Candidate, by: Candidate) -> bool:
    """For some speeds within the intervals: the slowest of one, the fastest of the other."""
    return dominated((one.cost, one.lo), (by.cost, by.hi))


def must_dominate(one: Candidate, by: Candidate) -> bool:
    """For all speeds within the intervals: the fastest of one, the slowest of the other."""
    return dominated((one.cost, one.hi), (by.cost, by.lo))


@given(CANDIDATES)
def test_standings_follow_their_definition(candidates: list[Candidate]) -> None:
    for i, (one, standing) in enumerate(zip(candidates, standings(candidates), strict=True)):
        others = [other for j, other in enumerate(candidates) if j != i and other.exact]
        expected: Standing | None = "certain"
        if any(must_dominate(one, other) for other in others):
            expected = "dominated"
        elif not one.exact:
            expected = None
        elif any(may_dominate(one, other) for other in others):
            expected = "possible"
        assert standing == expected


def test_a_speed_without_an_interval_leaves_open_what_it_may_beat() -> None:
    unknown = Candidate(cost=2, lo=math.nan, hi=math.nan)
    cheap, dear = Candidate(cost=1, lo=5, hi=6), Candidate(cost=3, lo=8, hi=9)
    assert standings([cheap, unknown, dear]) == ["certain", "possible", "possible"]
    assert standings([cheap, dear]) == ["certain", "certain"]


def test_equal_points_without_width_are_both_certain() -> None:
    assert standings([Candidate(cost=1, lo=5, hi=5)] * 2) == ["certain", "certain"]


def test_a_missing_cost_stands_nowhere() -> None:
    assert standings([Candidate(cost=math.nan, lo=1, hi=2)]) == [None]
