"""Verdicts on claims, from frames whose every number is chosen here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from benchsuite.analyse.claims import Judgement, judge
from benchsuite.results.frame import to_frame
from benchsuite.scenario.claim import Claim
from tests.report.synthetic import make_record

Interval = tuple[float, float, float]
"""Median, and the ends of its 95 % interval."""


def make_claim(**changes: Any) -> Claim:
    fields = {
        "id": "c",
        "says": "HiLo is faster.",
        "source": "a table",
        "metric": "throughput",
        "subject": "HiLo",
        "against": "MSA",
        "expect": "higher",
    }
    return Claim.model_validate(fields | changes)


def verdict(frame: pd.DataFrame, **claim: Any) -> Judgement:
    (judgement,) = judge([make_claim(**claim)], frame)
    return judgement


def timed(throughputs: Mapping[tuple[str, int], Interval], **cell: Any) -> pd.DataFrame:
    """One cell for every name and resolution, with this throughput and interval."""
    frame = to_frame([make_record(name, resolution=size, **cell) for name, size in throughputs])
    return frame.assign(
        throughput=[value for value, _, _ in throughputs.values()],
        throughput_lo=[lo for _, lo, _ in throughputs.values()],
        throughput_hi=[hi for _, _, hi in throughputs.values()],
    )


def two(hilo: Interval, msa: Interval) -> pd.DataFrame:
    return timed({("HiLo", 224): hilo, ("MSA", 224): msa})


MSA = (100.0, 98.0, 102.0)


def test_the_interval_of_the_ratio_divides_the_ends() -> None:
    (outcome,) = verdict(two((120.0, 110.0, 130.0), (100.0, 80.0, 125.0))).outcomes
    assert (outcome.ratio, outcome.lo, outcome.hi) == (1.2, 110 / 125, 130 / 80)
    assert (outcome.subject, outcome.against) == (120.0, 100.0)


@pytest.mark.parametrize(
    ("hilo", "expect", "expected"),
    [
        ((120.0, 119.0, 121.0), "higher", "holds"),
        ((120.0, 119.0, 121.0), "lower", "does not hold"),
        ((80.0, 79.0, 81.0), "higher", "does not hold"),
        ((80.0, 79.0, 81.0), "lower", "holds"),
        ((101.0, 99.0, 103.0), "higher", "undecided"),
        ((101.0, 99.0, 103.0), "lower", "undecided"),
        ((120.0, 119.0, 121.0), {"ratio_above": 1.1}, "holds"),
        ((120.0, 119.0, 121.0), {"ratio_above": 1.2}, "undecided"),
        ((120.0, 119.0, 121.0), {"ratio_above": 1.3}, "does not hold"),
        ((80.0, 79.0, 81.0), {"ratio_below": 0.9}, "holds"),
        ((80.0, 79.0, 81.0), {"ratio_below": 0.8}, "undecided"),
        ((80.0, 79.0, 81.0), {"ratio_below": 0.7}, "does not hold"),
        ((100.0, 99.0, 101.0), {"ratio_above": 0.9, "ratio_below": 1.1}, "holds"),
        ((100.0, 99.0, 101.0), {"ratio_above": 0.99, "ratio_below": 1.1}, "undecided"),
        ((150.0, 149.0, 151.0), {"ratio_above": 0.9, "ratio_below": 1.1}, "does not hold"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(hilo: Interval, expect: Any, expected: str) -> None:
    found = verdict(two(hilo, MSA), expect=expect)
    assert found.verdict == expected
    assert [outcome.verdict for outcome in found.outcomes] == [expected]


def test_an_interval_that_touches_the_threshold_decides_nothing() -> None:
    # 102 / 102 = 1: the lower end of the ratio is the threshold itself.
    assert verdict(two((110.0, 102.0, 120.0), MSA), expect="higher").verdict == "undecided"
    assert verdict(two((95.0, 90.0, 98.0), MSA), expect="higher").verdict == "undecided"


def test_latency_claims_use_the_interval_of_latency() -> None:
    records = [make_record("HiLo", latency=0.010), make_record("MSA", latency=0.020)]
    found = verdict(to_frame(records), metric="latency_s", expect={"ratio_below": 0.6})
    assert (found.verdict, found.outcomes[0].ratio) == ("holds", 0.5)
    assert found.outcomes[0].lo < 0.5 < found.outcomes[0].hi


def test_a_median_without_an_interval_decides_nothing() -> None:
    records = [make_record("HiLo", latency=0.001, samples=5), make_record("MSA", latency=0.1, samples=5)]
    found = verdict(to_frame(records))
    assert (found.verdict, found.outcomes[0].reason) == ("undecided", "too few samples for an interval")
    assert math.isclose(found.outcomes[0].ratio, 100)
    assert math.isnan(found.outcomes[0].lo)


@pytest.mark.parametrize(
    ("macs", "expect", "expected"),
    [
        (99, "lower", "holds"),
        (100, "lower", "does not hold"),
        (100, "higher", "does not hold"),
        (101, "higher", "holds"),
        (110, {"ratio_above": 1.1}, "does not hold"),
        (111, {"ratio_above": 1.1}, "holds"),
    ],
)
def test_what_is_counted_is_compared_as_it_is(macs: int, expect: Any, expected: str) -> None:
    frame = to_frame([make_record("HiLo", macs=macs), make_record("MSA", macs=100)])
    found = verdict(frame, metric="macs", expect=expect)
    assert found.verdict == expected
    assert math.isnan(found.outcomes[0].lo)


def test_macs_that_are_a_lower_bound_decide_nothing() -> None:
    frame = to_frame([make_record("HiLo", macs=1), make_record("MSA", macs=100, exact=False)])
    found = verdict(frame, metric="macs", expect="lower")
    reason = "MACs of MSA are a lower bound: the counter has no rule for some operators"
    assert (found.verdict, found.outcomes[0].reason) == ("undecided", reason)


def test_what_is_counted_does_not_depend_on_kernel_and_batch() -> None:
    records = [
        make_record(name, macs=macs, kernel=kernel, batch=batch)
        for name, macs in (("HiLo", 50), ("MSA", 100))
        for kernel in ("math", "sdpa")
        for batch in (1, 64)
    ]
    (outcome,) = verdict(to_frame(records), metric="macs", expect="lower").outcomes
    assert outcome.verdict == "holds"
    assert outcome.setting == {"resolution": 224, "stride": 16, "dim": 256}


def test_a_count_is_taken_from_the_cell_that_has_one() -> None:
    records = [
        make_record("HiLo", macs=50),
        make_record("MSA", macs=None, status="unsupported", reason="no such kernel", kernel="flash"),
        make_record("MSA", macs=100),
    ]
    assert verdict(to_frame(records), metric="macs", expect="lower").verdict == "holds"


def test_memory_is_compared_as_it_is() -> None:
    frame = to_frame([make_record("HiLo", memory=10), make_record("MSA", memory=11)])
    assert verdict(frame, metric="peak_memory_bytes", expect="lower").verdict == "holds"


def test_a_cell_that_failed_makes_its_setting_untestable_and_says_why() -> None:
    frame = to_frame([make_record("HiLo"), make_record("MSA", status="oom", reason="out of\nmemory")])
    found = verdict(frame)
    assert found.verdict == "not testable here"
    assert found.outcomes[0].reason == "MSA ended as oom: out of memory"
    # Its multiply–adds were counted all the same.
    assert verdict(frame, metric="macs", expect={"ratio_below": 2}).verdict == "holds"


def test_a_metric_that_was_not_measured_is_not_testable() -> None:
    frame = to_frame([make_record("HiLo", memory=None), make_record("MSA")])
    found = verdict(frame, metric="peak_memory_bytes")
    assert (found.verdict, found.outcomes[0].reason) == (
        "not testable here",
        "peak memory of HiLo was not measured",
    )


def test_a_ratio_to_nothing_is_not_testable() -> None:
    frame = to_frame([make_record("HiLo", macs=3), make_record("MSA", macs=0)])
    found = verdict(frame, metric="macs")
    assert found.outcomes[0].reason == "MACs per image of MSA is 0, so there is no ratio"
    assert verdict(frame, metric="macs", subject="MSA", against="HiLo", expect="lower").verdict == "holds"


@pytest.mark.parametrize(
    ("device", "ran_on", "expected"),
    [
        ("cuda", "cuda", "holds"),
        ("cuda", "cuda:1", "holds"),
        ("cpu", "cpu", "holds"),
        ("cpu", "cuda:1", "the claim is about cpu; this run measured on cuda:1"),
        ("cuda", "cpu", "the claim is about cuda; this run measured on cpu"),
    ],
)
def test_a_claim_about_one_class_of_devices_is_tested_there_alone(
    device: str, ran_on: str, expected: str
) -> None:
    frame = timed({("HiLo", 224): (120.0, 119.0, 121.0), ("MSA", 224): MSA}, device=ran_on)
    found = verdict(frame, device=device)
    assert expected == (found.reason or found.verdict)


def test_cells_that_the_run_does_not_have_are_named() -> None:
    frame = to_frame([make_record("HiLo")])
    found = verdict(frame, where="resolution<=448")
    assert (found.verdict, found.outcomes) == ("not testable here", ())
    assert found.reason == "the run has no cell of MSA where resolution<=448"
    both = verdict(frame, subject="W-MSA")
    assert both.reason == "the run has no cell of W-MSA and none of MSA"


def test_sides_of_different_sizes_are_not_compared() -> None:
    frame = to_frame([make_record("HiLo", resolution=448), make_record("MSA", resolution=224)])
    assert verdict(frame).reason == (
        "HiLo and MSA were measured in different settings: resolution 448x448 against 224x224"
    )
    wider = to_frame([make_record("HiLo", dim=512), make_record("MSA", dim=256)])
    assert verdict(wider).reason == "HiLo and MSA were measured in different settings: dim 512 against 256"


def test_sides_that_never_meet_although_they_share_every_value() -> None:
    frame = to_frame(
        [
            make_record("HiLo", resolution=224, kernel="math"),
            make_record("HiLo", resolution=448, kernel="sdpa"),
            make_record("MSA", resolution=224, kernel="sdpa"),
            make_record("MSA", resolution=448, kernel="math"),
        ]
    )
    assert verdict(frame).reason == "HiLo and MSA were never measured in the same setting"


def test_a_run_without_records_tests_nothing() -> None:
    found = verdict(to_frame([]))
    assert (found.verdict, found.reason) == ("not testable here", "the run holds no records")


def test_several_cells_on_one_side_are_no_comparison() -> None:
    records = [make_record("HiLo"), make_record("MSA"), make_record("W-MSA")]
    found = verdict(to_frame(records), against="mixer=MSA,W-MSA")
    assert found.outcomes[0].reason == "against is 2 cells: MSA and W-MSA"
    assert found.verdict == "not testable here"


FAST, EVEN, SLOW = (120.0, 119.0, 121.0), (100.0, 98.0, 102.0), (80.0, 79.0, 81.0)


@pytest.mark.parametrize(
    ("hilo", "expected"),
    [
        ((FAST, FAST), "holds"),
        ((SLOW, SLOW), "does not hold"),
        ((EVEN, EVEN), "undecided"),
        ((FAST, SLOW), "differs"),
        ((FAST, EVEN), "undecided"),
        ((SLOW, EVEN), "undecided"),
        ((FAST, None), "holds"),
        ((SLOW, None), "does not hold"),
        ((None, None), "not testable here"),
    ],
)
def test_the_verdict_on_a_claim_follows_from_its_settings(
    hilo: tuple[Interval | None, ...], expected: str
) -> None:
    missing = (math.nan, math.nan, math.nan)
    frame = timed(
        {("HiLo", 224): hilo[0] or missing, ("HiLo", 448): hilo[1] or missing}
        | {("MSA", 224): MSA, ("MSA", 448): MSA}
    )
    found = verdict(frame)
    assert found.verdict == expected
    assert [outcome.setting["resolution"] for outcome in found.outcomes] == [224, 448]


def test_differing_contradicts_even_beside_an_undecided_setting() -> None:
    frame = timed(
        {("HiLo", 224): FAST, ("HiLo", 448): SLOW, ("HiLo", 672): EVEN}
        | {("MSA", size): MSA for size in (224, 448, 672)}
    )
    found = verdict(frame)
    assert found.verdict == "differs"
    assert [outcome.verdict for outcome in found.outcomes] == ["holds", "does not hold", "undecided"]


def test_where_restricts_the_settings() -> None:
    frame = timed({("HiLo", 224): FAST, ("HiLo", 448): SLOW} | {("MSA", size): MSA for size in (224, 448)})
    assert verdict(frame, where="tokens=196").verdict == "holds"
    assert verdict(frame, where="resolution>224").verdict == "does not hold"


def test_an_axis_that_the_sides_name_differently_is_what_is_compared() -> None:
    records = [
        make_record("HiLo", resolution=size, kernel=kernel, latency=latency)
        for size in (224, 448)
        for kernel, latency in (("math", 0.02), ("sdpa", 0.01))
    ]
    found = verdict(to_frame(records), subject="mixer=HiLo kernel=sdpa", against="mixer=HiLo kernel=math")
    assert found.verdict == "holds"
    assert [outcome.setting["resolution"] for outcome in found.outcomes] == [224, 448]
    assert all("kernel" not in outcome.setting for outcome in found.outcomes)


def test_tokens_stand_for_resolution_and_stride() -> None:
    records = [make_record("HiLo", resolution=224, macs=1), make_record("HiLo", resolution=448, macs=4)]
    found = verdict(
        to_frame(records), metric="macs", subject="mixer=HiLo tokens=784", against="mixer=HiLo tokens=196",
        expect={"ratio_above": 3.9, "ratio_below": 4.1},
    )  # fmt: skip
    assert (found.verdict, found.outcomes[0].ratio) == ("holds", 4.0)
    assert found.outcomes[0].setting == {"dim": 256}


def test_heads_that_each_mixer_has_of_its_own_are_part_of_the_mixer() -> None:
    own = to_frame(
        [make_record("HiLo", num_heads=8, latency=0.01), make_record("MSA", num_heads=4, latency=0.02)]
    )
    assert verdict(own).verdict == "holds"
    swept = to_frame([make_record(name, num_heads=heads) for name in ("HiLo", "MSA") for heads in (4, 8)])
    assert [o.setting["num_heads"] for o in verdict(swept).outcomes] == [4, 8]


def test_a_rectangle_is_said_as_in_the_frame() -> None:
    frame = to_frame([make_record(name, resolution=(480, 640)) for name in ("HiLo", "MSA")])
    assert verdict(frame).outcomes[0].setting["resolution"] == "480x640"


def test_parameters_of_a_mixer_select_cells() -> None:
    records = [
        make_record("HiLo", config={"alpha": 0.5}, latency=0.01),
        make_record("MSA", latency=0.02),
    ]
    assert verdict(to_frame(records), subject="params.alpha=0.5").verdict == "holds"


def test_claims_keep_their_order() -> None:
    frame = two(FAST, MSA)
    found = judge([make_claim(id="b"), make_claim(id="a", expect="lower")], frame)
    assert [(one.claim.id, one.verdict) for one in found] == [("b", "holds"), ("a", "does not hold")]
