"""From the records of pairs of processes to verdicts, worked by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from benchsuite.errors import UsageError
from benchsuite.gate.accept import parse_accepted
from benchsuite.gate.result import GateCell
from benchsuite.gate.verdicts import (
    ProcessPair,
    judge_pairs,
    log_ratios_of,
    require_enough,
    to_decide,
)
from benchsuite.results.record import Cost, Failure, Record
from benchsuite.scenario.gate_settings import Gate
from tests.builders import make_cell, make_record

CELL = make_cell()
OTHER = make_cell(name="Other")
RULE = Gate(delta=0.02, screen=3, pairs=4)
NEARLY = (1.0, 1.001, 0.999, 1.0)
"""Ratios that four calm pairs may have."""


def of(*records: Record) -> Mapping[str, Record]:
    return {record.id: record for record in records}


def pair(
    base_s: float | None, candidate_s: float | None, *, fresh: bool = False, **changes: Any
) -> ProcessPair:
    """One cell in two processes; None where it crashed."""

    def record(seconds: float | None, **more: Any) -> Record:
        if seconds is None:
            return make_record(CELL, status="crash")
        return make_record(CELL, (0.5 * seconds, seconds, 9 * seconds), **more)  # the median counts

    return ProcessPair(base=of(record(base_s)), candidate=of(record(candidate_s, **changes)), fresh=fresh)


def pairs(ratios: Sequence[float], *, fresh: bool = False) -> list[ProcessPair]:
    return [pair(0.01, 0.01 * ratio, fresh=fresh) for ratio in ratios]


def one(found: tuple[GateCell, ...]) -> GateCell:
    (cell,) = found
    return cell


def test_a_process_counts_by_the_median_of_its_samples_and_a_pair_by_its_log_ratio() -> None:
    (ratio,) = log_ratios_of(CELL.id, [pair(0.010, 0.012)])
    assert ratio == pytest.approx(math.log(1.2))


def test_only_cells_whose_median_ratio_is_above_the_limit_get_fresh_pairs() -> None:
    calm = [make_record(OTHER, (0.01,)) for _ in range(2)]
    screen = [
        ProcessPair(
            base={**both.base, **of(calm[0])}, candidate={**both.candidate, **of(calm[1])}, fresh=False
        )
        for both in pairs((1.03, 1.5, 0.9))  # the median is 1.03
    ]
    assert to_decide([CELL, OTHER], screen, RULE, {}) == [CELL]
    assert to_decide([CELL, OTHER], screen, RULE, {CELL.id: 0.04}) == []
    assert to_decide([CELL, OTHER], [], Gate(screen=0), {}) == [CELL, OTHER]


def test_a_cell_without_a_time_on_both_sides_gets_no_fresh_pairs() -> None:
    assert to_decide([CELL], [pair(0.01, None)], RULE, {}) == []


def test_fresh_pairs_alone_decide() -> None:
    screen = pairs((1.3, 1.3, 1.3))
    slower = judge_pairs([CELL], [*screen, *pairs([1.1 * r for r in NEARLY], fresh=True)], RULE)
    same = judge_pairs([CELL], [*screen, *pairs(NEARLY, fresh=True)], RULE)
    assert (one(slower).verdict, one(same).verdict) == ("slower", "same")
    assert one(slower).base_s == pytest.approx(0.010)
    assert one(slower).candidate_s == pytest.approx(0.011, rel=1e-3)
    assert (len(one(slower).pairs_s), one(slower).screen_pairs) == (7, 3)


def test_a_cell_that_passes_its_screen_is_not_flagged() -> None:
    found = judge_pairs([CELL], pairs((1.0, 1.01, 0.99)), RULE)
    assert one(found).verdict == "not flagged"


def test_exact_numbers_come_from_the_first_pair_and_a_larger_one_is_told() -> None:
    grown = pair(0.01, 0.01, cost=Cost(params=4224, macs=1200, counter="test"))
    later = pair(0.01, 0.01)
    cell = one(judge_pairs([CELL], [grown, later, later], RULE))
    assert [(change.metric, change.old, change.new) for change in cell.changes] == [("macs", 1000, 1200)]
    assert cell.verdict == "larger"


def test_an_accepted_change_is_kept_and_fails_nothing() -> None:
    grown = pair(0.01, 0.01, cost=Cost(params=4224, macs=1200, counter="test"))
    cell = one(judge_pairs([CELL], [grown], RULE, accepted=parse_accepted(["macs"])))
    assert cell.verdict == "not flagged"
    assert cell.accepted == cell.changes != ()


def test_a_smaller_number_fails_only_where_any_change_does() -> None:
    shrunk = pair(0.01, 0.01, cost=Cost(params=4224, macs=800, counter="test"))
    assert one(judge_pairs([CELL], [shrunk], RULE)).verdict == "not flagged"
    assert one(judge_pairs([CELL], [shrunk], RULE.model_copy(update={"exact": "any"}))).verdict == "smaller"


def test_slower_is_graver_than_larger() -> None:
    grown = pair(0.01, 0.015, cost=Cost(params=4224, macs=1200, counter="test"))
    fresh = pairs([1.5 * r for r in NEARLY], fresh=True)
    cell = one(judge_pairs([CELL], [grown, *fresh], RULE))
    assert (cell.verdict, len(cell.changes)) == ("slower", 1)


def test_what_only_the_candidate_cannot_measure_is_broken() -> None:
    cell = one(judge_pairs([CELL], [pair(0.01, None), pair(0.01, None)], RULE))
    assert (cell.verdict, cell.base, cell.candidate) == ("broken", "ok", "crash")
    assert cell.reason == "crash: a planted crash"
    assert cell.decision is None


def test_a_candidate_that_fails_now_and_then_does_not_pass() -> None:
    cell = one(judge_pairs([CELL], [pair(0.01, None), *pairs((1.0, 1.0))], RULE))
    assert cell.verdict == "inconclusive"
    assert cell.reason == "the candidate failed in 1 of 3 processes: crash: a planted crash"


def test_what_the_base_cannot_measure_is_a_failure_of_the_gate_and_no_regression() -> None:
    cell = one(judge_pairs([CELL], [pair(None, 0.01)], RULE))
    assert cell.verdict == "failed"
    assert "on the base" in cell.reason


def test_a_failure_that_the_scenario_expects_on_both_sides_is_none() -> None:
    oom = make_record(CELL, status="oom", expected=True)
    cell = one(judge_pairs([CELL], [ProcessPair(base=of(oom), candidate=of(oom), fresh=False)], RULE))
    assert cell.verdict == "neither measured"
    assert cell.reason == "oom: a planted oom, as the scenario expects, on both sides"


@pytest.mark.parametrize(
    "message",
    [
        "a.b:C cannot be loaded: no module named 'a': not in the current folder, --pythonpath, PYTHONPATH or "
        "what is installed",
        'a.b:C cannot be loaded: module a.b has no class "C"; did you mean "D"?',
    ],
)
def test_a_side_that_does_not_have_the_subject_does_not_have_the_cell(message: str) -> None:
    gone = make_record(
        CELL, status="error", failure=Failure(stage="build", kind="AttributeError", message=message)
    )
    there = make_record(CELL)
    removed = one(judge_pairs([CELL], [ProcessPair(base=of(there), candidate=of(gone), fresh=False)], RULE))
    added = one(judge_pairs([CELL], [ProcessPair(base=of(gone), candidate=of(there), fresh=False)], RULE))
    assert (removed.verdict, removed.reason) == ("removed", "only the base has it")
    assert (added.verdict, added.reason) == ("new", "only the candidate has it")
    fails = make_record(CELL, status="oom")
    both = one(judge_pairs([CELL], [ProcessPair(base=of(gone), candidate=of(fails), fresh=False)], RULE))
    assert (both.verdict, both.reason) == ("failed", "only the candidate has it: oom: a planted oom")


def test_a_module_that_cannot_import_what_it_needs_is_broken_and_not_removed() -> None:
    failure = Failure(
        stage="build", kind="ModuleNotFoundError", message="a.b:C cannot be loaded: No module named 'einops'"
    )
    gone = make_record(CELL, status="error", failure=failure)
    found = judge_pairs(
        [CELL], [ProcessPair(base=of(make_record(CELL)), candidate=of(gone), fresh=False)], RULE
    )
    assert one(found).verdict == "broken"


def test_a_cell_that_no_process_was_asked_for_is_a_failure() -> None:
    assert (
        one(judge_pairs([CELL], [ProcessPair(base={}, candidate={}, fresh=False)], RULE)).verdict == "failed"
    )


def test_a_cell_of_the_candidate_is_new_even_where_the_other_was_never_asked() -> None:
    alone = make_record(CELL, (0.5,) * 3)
    found = judge_pairs([CELL], [ProcessPair(base={}, candidate=of(alone), fresh=False)], RULE)
    assert one(found).verdict == "new"
    assert (one(found).base_s, one(found).candidate_s) == (None, pytest.approx(0.5))
    assert one(found).counts["macs"] == 1000


def test_two_pairs_are_too_few_for_99_per_cent_and_three_are_enough() -> None:
    # t of 1 degree at 99 % is 63.66, and the noise of a ratio √2 · 1 %: 63.66 · √2 · 1 % / √2 = 64 %.
    with pytest.raises(UsageError, match=r"2 pairs .* reach ±64 %(.|\n)*ask for 3 pairs or more"):
        require_enough(Gate(pairs=2))
    require_enough(Gate(pairs=3))
    require_enough(Gate(pairs=2, confidence=0.8))
