"""What stays built between rounds."""

from __future__ import annotations

from benchsuite.run.held import Held


def test_what_is_held_is_made_once() -> None:
    held: Held[list[int]] = Held(10)
    first, made = held.get("a", lambda: ([1], 4))
    again, remade = held.get("a", lambda: ([2], 4))
    assert again is first
    assert (made, remade) == (True, False)


def test_the_one_used_longest_ago_goes_first() -> None:
    held: Held[str] = Held(10)
    for key in "ab":
        held.get(key, lambda: ("", 4))
    held.get("a", lambda: ("", 4))
    held.get("c", lambda: ("", 4))
    assert [held.get(key, lambda: ("", 0))[1] for key in "acb"] == [False, False, True]


def test_what_is_larger_than_the_room_is_used_and_not_held() -> None:
    held: Held[str] = Held(10)
    assert held.get("a", lambda: ("large", 11)) == ("large", True)
    assert len(held) == 0
    assert Held[str](None).get("a", lambda: ("any", 1)) == ("any", True)


def test_things_can_be_let_go_of_one_by_one_or_all_at_once() -> None:
    held: Held[str] = Held(10)
    held.get("a", lambda: ("", 1))
    held.drop("a")
    held.drop("never there")
    assert not held.clear()
    held.get("a", lambda: ("", 1))
    assert held.clear()
    assert len(held) == 0
