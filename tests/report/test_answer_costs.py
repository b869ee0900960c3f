"""What a step costs and how that grows, where the question asks."""

from __future__ import annotations

from tests.report.answers import asked, cell, race


def test_memory_is_told_where_the_question_asks_for_it() -> None:
    few = [cell("a", 1, 10, memory=3 << 20), cell("b", 2, 20, memory=2 << 30)]
    told = "At 224 px, a needs 1 G MACs and 3 MiB, b 2 G MACs and 2 GiB."
    assert told in asked("What does it cost in memory?", few)
    assert "emory" not in asked("What does it cost in time?", few)
    none = [cell("a", 1, 10, memory=None), cell("b", 2, 20, memory=None)]
    unmeasured = "At 224 px, a needs 1 G MACs, b 2 G MACs. Peak memory was not measured."
    assert unmeasured in asked("time and memory", none)


def test_of_many_the_least_and_the_most_of_each_cost_are_told() -> None:
    sizes = (6, 3, 2, 5, 4, 7)
    records = [cell(n, i + 1, 10 * (i + 1), memory=sizes[i] << 20) for i, n in enumerate("abcdef")]
    text = asked("time and memory", records, "b")
    assert (
        "times as fast as b. At 224 px: MACs per image 1 G (a) to 6 G (f), time per step 10 ms (a) to 60 ms "
        "(f), peak memory 2 MiB (c) to 7 MiB (f); b needs 2 G, 20 ms and 3 MiB."
    ) in text
    assert "needs the fewest" not in text  # it was said
    assert "Speeds follow the MAC order exactly" in text
    bare = [cell(n, i + 1, 10 * (i + 1), memory=None) for i, n in enumerate("abcdef")]
    assert "Peak memory was not measured." in asked("time and memory", bare)


def test_growth_is_told_of_those_that_were_timed_at_both_ends() -> None:
    small, large = race(10, 12, 15), race(40, 60, resolution=448)
    text = asked("Does time grow with the tokens?", [*small, *large])
    told = "From 224 px to 448 px, 4 times the pixels, time per step grows 4.00 times for a and 5.00 times"
    assert told in text
    assert "grows" not in asked("Does time grow?", small)
    assert "grows" not in asked("Which is the fastest?", [*small, *large])
    both_costs = asked("Do time and memory grow?", [*small, *large])
    assert "5.00 times for b; peak memory grows 1.00 times for a." in both_costs
