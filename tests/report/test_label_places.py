"""Label placement: nothing covers anything, whatever the points."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from benchsuite.report.label_places import Box, around, place, segment, stack

BOUNDS = Box(0, 0, 300, 200)
POINT = st.tuples(st.floats(0, 300), st.floats(0, 200))


@given(st.lists(POINT, min_size=1, max_size=12), st.floats(10, 120))
def test_labels_cover_neither_markers_nor_each_other_and_stay_inside(
    points: list[tuple[float, float]], width: float
) -> None:
    markers = [around(x, y, 4) for x, y in points]
    found = place([[point] for point in points], [(width, 9.0)] * len(points), BOUNDS, taken=markers)
    boxes = [spot[0] for spot in found if spot is not None]
    assert all(BOUNDS.nearest((x, y)) == (x, y) for box in boxes for x, y in (box[:2], box[2:]))
    assert not any(_overlap(box, marker) for box in boxes for marker in markers)
    assert not any(_overlap(a, b) for a, b in itertools.combinations(boxes, 2))


def test_a_lone_label_stands_to_the_right_of_its_point() -> None:
    (spot,) = place([[(100.0, 100.0)]], [(50.0, 10.0)], BOUNDS)
    assert spot == (Box(106, 95, 156, 105), (100.0, 100.0))


def test_a_label_at_the_right_edge_goes_to_the_left() -> None:
    (spot,) = place([[(290.0, 100.0)]], [(50.0, 10.0)], BOUNDS)
    assert spot is not None
    assert spot[0].right == 284


def test_a_label_goes_to_its_second_point_if_the_first_has_no_room() -> None:
    wall = Box(0, 0, 150, 200)
    (spot,) = place([[(50.0, 100.0), (250.0, 100.0)]], [(40.0, 10.0)], BOUNDS, taken=[wall])
    assert spot is not None
    assert spot[1] == (250.0, 100.0)


def test_lines_are_avoided_if_there_is_another_place_and_crossed_if_not() -> None:
    line = segment((100, 100), (300, 100))
    (spot,) = place([[(100.0, 100.0)]], [(50.0, 10.0)], BOUNDS, avoid=[line])
    assert spot is not None
    assert not _overlap(spot[0], line)
    everywhere = Box(0, 0, 300, 200)
    assert place([[(100.0, 100.0)]], [(50.0, 10.0)], BOUNDS, avoid=[everywhere]) != [None]


def test_a_label_without_room_is_left_out() -> None:
    assert place([[(5.0, 5.0)]], [(500.0, 10.0)], BOUNDS) == [None]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=10))
def test_a_stack_keeps_order_distance_and_limits(positions: list[float]) -> None:
    moved = stack(positions, 9, 0, 100)
    assert moved is not None
    order = sorted(range(len(positions)), key=lambda i: (positions[i], i))
    ordered = [moved[i] for i in order]
    assert all(b - a >= 9 - 1e-6 for a, b in itertools.pairwise(ordered))
    assert ordered[0] >= -1e-6
    assert ordered[-1] <= 100 + 1e-6


def test_positions_that_are_far_apart_do_not_move() -> None:
    assert stack([50.0, 10.0, 90.0], 9, 0, 100) == [50.0, 10.0, 90.0]


def test_two_that_touch_move_apart_by_the_same_amount() -> None:
    assert stack([50.0, 52.0], 10, 0, 100) == [46.0, 56.0]


def test_a_block_at_the_edge_moves_inwards() -> None:
    assert stack([99.0, 100.0], 10, 0, 100) == [90.0, 100.0]


def test_too_many_do_not_fit() -> None:
    assert stack([1.0, 2.0, 3.0], 60, 0, 100) is None


def test_a_place_that_shares_an_edge_with_another_is_free() -> None:
    (spot,) = place([[(100.0, 100.0)]], [(50.0, 10.0)], BOUNDS, taken=[Box(0, 0, 106, 200)])
    assert spot == (Box(106, 95, 156, 105), (100.0, 100.0))


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share more than an edge."""
    across = min(one.right, other.right) > max(one.left, other.left)
    return across and min(one.top, other.top) > max(one.bottom, other.bottom)


def test_no_leader_line_crosses_a_label() -> None:
    points = [(60.0 + 9 * (i % 6), 50.0 + 8 * (i // 6)) for i in range(24)]
    marks = [around(*point, 3) for point in points]
    found = place(
        [[point] for point in points], [(24.0, 6.0)] * len(points), Box(0, 0, 220, 140), taken=marks
    )
    placed = [spot for spot in found if spot is not None]
    lines = 0
    for box, (x, y) in placed:
        end = min(max(x, box.left), box.right), min(max(y, box.bottom), box.top)
        if math.dist(end, (x, y)) <= 9:
            continue
        lines += 1
        for share in (0.25, 0.5, 0.75):
            at = x + share * (end[0] - x), y + share * (end[1] - y)
            for other, _ in placed:
                inside = other.left < at[0] < other.right and other.bottom < at[1] < other.top
                assert other is box or not inside
    assert lines > 2


def test_the_first_labels_get_the_room_there_is() -> None:
    points = [[(20.0, 5.0)], [(22.0, 5.0)]]
    sizes = [(15.0, 6.0)] * 2
    room = Box(0, 0, 45, 10)
    only = place(points, sizes, room, first=1)
    assert only[0] is not None


def test_of_labels_that_may_not_stand_far_one_without_room_beside_its_point_is_left_out() -> None:
    beside = [around(100, 100, 25)]
    anchors, sizes = [[(100.0, 100.0)]], [(40.0, 10.0)]
    assert place(anchors, sizes, BOUNDS, taken=beside) != [None]
    assert place(anchors, sizes, BOUNDS, taken=beside, far=0) == [None]


def test_a_leader_line_goes_around_the_marks_of_others_where_it_can() -> None:
    walls = [Box(90, 104, 96, 121), Box(104, 104, 110, 121)]
    marks = [around(100, 100, 4), around(109, 100, 3)]
    (spot,) = place([[(100.0, 100.0)]], [(20.0, 6.0)], Box(90, 96, 300, 200), taken=[*marks, *walls])
    assert spot == (
        Box(90, 122, 110, 128),
        (100.0, 100.0),
    )  # above, though there is room nearer behind the mark
