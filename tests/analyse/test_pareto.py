"""The Pareto front against its definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.analyse.pareto import pareto_front

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
