"""The rule against a stored baseline: worked by hand, and its error rates."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from benchsuite.gate.accept import parse_accepted
from benchsuite.gate.against_baseline import exact_cells, timed_cells
from benchsuite.gate.baseline import Baseline, BaselineCell, cell_of
from benchsuite.gate.decide import decide_unpaired
from benchsuite.scenario.gate_settings import Gate
from tests.builders import make_cell, make_record

RULE = Gate(delta=0.02)
CALM = (-0.001, 0.0, 0.001)


def cell(name: str = "MSA", *logs: float, **changes: object) -> BaselineCell:
    made = make_cell(name=name)
    fields = {"id": made.id, "cell": made, "log_medians": logs, "numbers": {"macs": 1000}}
    return BaselineCell(**(fields | changes))  # type: ignore[arg-type]


def shifted(by: float, logs: tuple[float, ...] = CALM) -> tuple[float, ...]:
    return tuple(log + math.log1p(by) for log in logs)


# Noise 10 %: log 0.09531. Its standard error is that over t(95 %, 4) = 2.7764, and the interval of 99 %
# reaches 4.6041 of them, 0.15805. So slower begins where log ratio - 0.15805 exceeds 0.09531: at 1.2884.
@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (1.295, "slower"),
        (1.28, "inconclusive"),
        (1.09, "not flagged"),
        (0.92, "not flagged"),
        (0.77, "faster"),
    ],
)
def test_one_process_a_side_says_slower_only_beyond_limit_and_interval_of_the_noise(
    ratio: float, verdict: str
) -> None:
    decision = decide_unpaired((0.0,), (math.log(ratio),), RULE, 0.10)
    assert decision.verdict == verdict
    assert decision.delta == pytest.approx(0.10)
    assert math.isnan(decision.p)


def test_one_process_on_a_machine_of_unknown_noise_says_nothing_however_slow() -> None:
    decision = decide_unpaired((0.0,), (math.log(3),), RULE, None)
    assert decision.verdict == "inconclusive"
    assert "nobody knows how far two differ" in decision.reason


def test_three_processes_a_side_make_their_own_interval() -> None:
    # each side's variance is 1e-6, so the error of the difference is 0.000816, and t(99 %, 2) = 9.925
    decision = decide_unpaired(CALM, shifted(0.10), RULE, None)
    assert decision.verdict == "slower"
    assert decision.ratio == pytest.approx(1.10)
    assert math.log(decision.ratio / decision.lo) == pytest.approx(9.925 * 0.000816, rel=1e-3)
    assert decide_unpaired(CALM, CALM, RULE, None).verdict == "same"
    assert decide_unpaired(CALM, shifted(-0.10), RULE, None).verdict == "faster"


def test_two_modes_are_inconclusive_and_not_slower() -> None:
    assert decide_unpaired((0.0, 0.11, 0.0), (0.11, 0.11, 0.11), RULE, None).verdict == "inconclusive"


def test_noise_widens_the_limit_less_for_more_processes() -> None:
    assert decide_unpaired(CALM, CALM, RULE, 0.10).delta == pytest.approx(
        math.expm1(math.log1p(0.10) / math.sqrt(3))
    )
    assert decide_unpaired(CALM, CALM, RULE, 0.001).delta == pytest.approx(0.02)


def test_sides_without_any_spread_have_a_p_value_too() -> None:
    assert decide_unpaired((0.0,) * 3, (1.0,) * 3, RULE, None).p == 0
    assert decide_unpaired((0.0,) * 3, (0.0,) * 3, RULE, None).p == 1


def test_a_side_without_a_process_cannot_be_decided() -> None:
    with pytest.raises(ValueError, match="process on either side"):
        decide_unpaired((), (0.0,), RULE, 0.1)


@pytest.mark.parametrize(("processes", "noise"), [(1, True), (2, True), (3, False), (5, False)])
def test_unchanged_cells_are_called_slower_in_at_most_one_per_cent(processes: int, noise: bool) -> None:
    spread, chance = 0.03, random.Random(processes)
    known = math.expm1(1.96 * math.sqrt(2) * spread) if noise else None  # what 95 % of differences stay below

    def side() -> list[float]:
        return [chance.gauss(0, spread) for _ in range(processes)]

    verdicts = [decide_unpaired(side(), side(), RULE, known).verdict for _ in range(2000)]
    assert verdicts.count("slower") <= 20


def verdicts(old: list[BaselineCell], new: list[BaselineCell], **options: object) -> dict[str, str]:
    rule = options.pop("rule", RULE)
    baseline = Baseline(kind="run", name="tiny", cells=tuple(old), rule=rule)  # type: ignore[arg-type]
    cells, _, _ = timed_cells(baseline, new, None, **options)  # type: ignore[arg-type]
    return {one.cell.name: one.verdict for one in cells}


def test_cells_of_one_side_and_statuses_are_told_apart() -> None:
    oom = {"status": "oom", "numbers": {}, "reason": "no memory"}
    old = [
        cell("both", *CALM),
        cell("gone"),
        cell("breaks", *CALM),
        cell("never", **oom),
        cell("works", **oom),
    ]
    new = [
        cell("both", *CALM),
        cell("new"),
        cell("breaks", **oom),
        cell("never", **oom),
        cell("works", *CALM),
    ]
    assert verdicts(old, new) == {
        "both": "same",
        "gone": "missing",
        "new": "missing",
        "breaks": "broken",
        "never": "equal",
        "works": "failed",
    }


def test_a_number_that_grew_counts_beside_times_and_one_that_shrank_only_where_any_does() -> None:
    old, more = [cell("a", *CALM)], [cell("a", *CALM, numbers={"macs": 1001})]
    assert verdicts(old, more) == {"a": "larger"}
    assert verdicts(old, more, accepted=parse_accepted(["macs"])) == {"a": "same"}
    assert verdicts(more, old) == {"a": "same"}
    assert verdicts(more, old, rule=Gate(exact="any")) == {"a": "smaller"}
    assert [one.verdict for one in exact_cells(more, old)] == ["smaller"]
    both = [cell("a", numbers={"macs": 999, "params": 2})], [cell("a", numbers={"macs": 1000, "params": 1})]
    assert [one.verdict for one in exact_cells(*both)] == ["larger"]
    assert verdicts(old, [replace(more[0], log_medians=shifted(0.5))]) == {"a": "slower"}


def test_a_cell_that_was_timed_once_and_is_not_any_more_does_not_pass_on_its_counts() -> None:
    assert verdicts([cell("a", *CALM)], [cell("a")]) == {"a": "failed"}
    assert verdicts([cell("a")], [cell("a", *CALM)]) == {"a": "equal"}
    assert verdicts([cell("a", *CALM)], [cell("a", numbers={"macs": 1001})]) == {"a": "larger"}


def test_the_noise_of_a_single_cell_counts_instead_of_that_of_the_machine() -> None:
    old, new = [cell("a", 0.0)], [cell("a", math.log(1.5))]
    assert verdicts(old, new) == {"a": "inconclusive"}
    assert verdicts(old, new, own_noise={old[0].id: 0.01}) == {"a": "slower"}


def test_many_cells_are_corrected_for() -> None:
    # three unchanged processes a side with little spread; one cell's p-value is near 1 %, of hundred cells
    quiet = [cell(f"c{i}", *CALM) for i in range(99)]
    edge = cell("edge", *shifted(0.0295))
    alone = verdicts([cell("edge", *CALM)], [edge])
    many = verdicts([*quiet, cell("edge", *CALM)], [*quiet, edge])
    assert alone["edge"] == "slower"
    assert many["edge"] == "inconclusive"


@pytest.mark.parametrize(
    ("old", "new", "verdict", "reason"),
    [
        ({}, {"numbers": {}, "reason": "no"}, "no longer counted", "not counted: no"),
        (
            {"numbers": {}, "reason": "so"},
            {"numbers": {}, "reason": "no"},
            "not counted",
            "on both sides: no",
        ),
        ({"numbers": {}, "reason": "so"}, {}, "failed", "in the baseline not counted: so; now ok"),
        ({}, {"numbers": {}, "status": "error", "reason": "no"}, "broken", "error: no"),
        ({"numbers": {}, "reason": "a"}, {"status": "error", "reason": "b"}, "broken", "error: b"),
        ({}, {}, "equal", ""),
    ],
)
def test_a_cell_that_cannot_be_counted_is_compared_by_what_the_baseline_has(
    old: dict[str, object], new: dict[str, object], verdict: str, reason: str
) -> None:
    (found,) = exact_cells([cell(**old)], [cell(**new)])
    assert (found.verdict, found.reason) == (verdict, reason)


def test_a_missing_count_is_no_matter_where_times_are_compared() -> None:
    record = make_record(cost=None, not_counted="no")
    assert cell_of([record]).outcome == "ok"
    assert cell_of([replace(record, timing=None)]).outcome == "not counted"
