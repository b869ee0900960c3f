"""Resolutions and kernels as the page words them."""

from __future__ import annotations

from benchsuite.report.words import places, the_kernels


def test_resolutions_are_listed_with_one_unit() -> None:
    assert places([224, "480x640"]) == "224 and 480×640 px"


def test_kernels_are_listed_with_their_noun() -> None:
    assert the_kernels(["math"]) == "the math kernel"
    assert the_kernels(["math", "flash"]) == "the math and flash kernels"
