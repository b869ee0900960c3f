from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.scenario.yaml_tree import dotted, grown, parts

words = st.text(alphabet="abcxyz_-09α", min_size=1, max_size=5)
paths = st.builds(lambda first, rest: (first, *rest), words, st.lists(words | st.integers(0, 99), max_size=5))
data = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(words, below, max_size=3),
    max_leaves=10,
)


@given(paths.map(tuple))
def test_a_path_survives_being_written_and_read(path: tuple[str | int, ...]) -> None:
    assert parts(dotted(path)) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "[0]", "a[x]", "a[-1]", "a[0", "a b", "a[0]b"])
def test_what_is_no_path_is_none(text: str) -> None:
    assert parts(text) is None


@given(data)
def test_a_tree_is_its_plain_data(value: object) -> None:
    assert grown(value, "f").plain() == value


def test_leaving_out_moves_later_entries_up_and_keeps_their_own_paths() -> None:
    root = grown({"a": [1, {"b": 2, "c": 3}, 4], "d": 5}, "f")
    rest = root.without([("a", 0), ("a", 1, "b"), ("nothing",), ("d", "e")])
    assert rest.plain() == {"a": [{"c": 3}, 4], "d": 5}
    node = rest.at(("a", 0, "c"))
    assert node
    assert node.path == ("a", 1, "c")
    assert root.plain() == {"a": [1, {"b": 2, "c": 3}, 4], "d": 5}


def test_a_scalar_stands_for_a_list_of_one() -> None:
    root = grown({"a": {"b": 4}}, "f")
    node, depth = root.deepest(("a", "b", 0))
    assert (node.value, depth) == (4, 2)
    assert root.at(("a", "b", 0)) is None
    assert root.at(("a", 0)) is None
