"""Verdicts on claims, from cells whose every number is chosen here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchsuite.findings.claims import Judgement, judge
from benchsuite.results.metrics import MeasuredCell, measured_cells
from benchsuite.results.record import Busy, Record
from benchsuite.scenario.claim_model import Claim
from tests.report.synthetic import make_record

Speed = tuple[float, float]
"""Images per second, and by how much the 95 % interval of five rounds reaches beyond, as a share."""
OFFSETS = (1.0, -2.0, 0.0, 2.0, -1.0)
REACH = 2.776445 * math.sqrt(10 / 4 / 5)
"""Of the interval of five rounds that are `OFFSETS` away from their mean."""


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


def verdict(measured: Sequence[MeasuredCell], **claim: Any) -> Judgement:
    (judgement,) = judge([make_claim(**claim)], measured)
    return judgement


def in_rounds(name: str, speed: Speed, rounds: int = 5, session: int = 1, **cell: Any) -> Record:
    """A cell of this speed, one sample a round."""
    record = make_record(name, latency=1.0, **cell)
    assert record.timing is not None
    step = math.log1p(speed[1]) / REACH
    samples = tuple(record.cell.batch / speed[0] * math.exp(step * away) for away in OFFSETS[:rounds])
    timing = replace(record.timing, samples_s=samples, rounds=(1,) * rounds)
    return replace(record, timing=timing, session=session)


def timed(speeds: Mapping[tuple[str, int], Speed | None], **cell: Any) -> list[MeasuredCell]:
    """One cell for every name and resolution, with this speed; out of memory where it has none."""
    return measured_cells(
        make_record(name, resolution=size, status="oom", **cell)
        if speed is None
        else in_rounds(name, speed, resolution=size, **cell)
        for (name, size), speed in speeds.items()
    )


def two(hilo: Speed, msa: Speed) -> list[MeasuredCell]:
    return timed({("HiLo", 224): hilo, ("MSA", 224): msa})


MSA = (100.0, 0.0)


def test_the_ratio_is_taken_within_each_round() -> None:
    """What moves both sides of a round moves no ratio."""
    (outcome,) = verdict(two((120.0, 0.3), (100.0, 0.3))).outcomes
    assert (outcome.verdict, outcome.ratio) == ("holds", pytest.approx(1.2))
    assert outcome.lo == pytest.approx(outcome.hi)
    assert (outcome.subject, outcome.against) == pytest.approx((120.0, 100.0))


def test_the_interval_of_the_ratio_is_that_of_its_rounds() -> None:
    (outcome,) = verdict(two((120.0, 0.05), MSA)).outcomes
    assert (outcome.lo, outcome.hi) == pytest.approx((120 / 105, 1.2 * 1.05), rel=1e-5)


@pytest.mark.parametrize(
    ("hilo", "expect", "expected"),
    [
        ((120.0, 0.01), "higher", "holds"),
        ((120.0, 0.01), "lower", "does not hold"),
        ((80.0, 0.01), "higher", "does not hold"),
        ((80.0, 0.01), "lower", "holds"),
        ((101.0, 0.02), "higher", "undecided"),
        ((101.0, 0.02), "lower", "undecided"),
        ((120.0, 0.01), {"ratio_above": 1.1}, "holds"),
        ((120.0, 0.01), {"ratio_above": 1.2}, "undecided"),
        ((120.0, 0.01), {"ratio_above": 1.3}, "does not hold"),
        ((80.0, 0.01), {"ratio_below": 0.9}, "holds"),
        ((80.0, 0.01), {"ratio_below": 0.8}, "undecided"),
        ((80.0, 0.01), {"ratio_below": 0.7}, "does not hold"),
        ((100.0, 0.01), {"ratio_above": 0.9, "ratio_below": 1.1}, "holds"),
        ((100.0, 0.01), {"ratio_above": 0.995, "ratio_below": 1.1}, "undecided"),
        ((150.0, 0.01), {"ratio_above": 0.9, "ratio_below": 1.1}, "does not hold"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(hilo: Speed, expect: Any, expected: str) -> None:
    found = verdict(two(hilo, MSA), expect=expect)
    assert found.verdict == expected
    assert [outcome.verdict for outcome in found.outcomes] == [expected]


def test_latency_is_compared_as_it_is_and_throughput_by_image() -> None:
    records = [in_rounds("HiLo", (200.0, 0.01), batch=64), in_rounds("MSA", (100.0, 0.01), batch=64)]
    found = verdict(measured_cells(records), metric="latency_s", expect={"ratio_below": 0.6})
    assert (found.verdict, found.outcomes[0].ratio) == ("holds", pytest.approx(0.5))
    larger = measured_cells(
        [in_rounds("HiLo", (200.0, 0.01), batch=128), in_rounds("HiLo", (100.0, 0.01), batch=64)]
    )
    sides = {"subject": "batch=128", "against": "batch=64"}
    assert verdict(larger, **sides).outcomes[0].ratio == pytest.approx(2.0)
    assert verdict(larger, metric="latency_s", **sides).outcomes[0].ratio == pytest.approx(1.0)


@pytest.mark.parametrize("rounds", [1, 2])
def test_fewer_than_three_rounds_decide_nothing(rounds: int) -> None:
    records = [in_rounds(name, speed, rounds) for name, speed in (("HiLo", (1000.0, 0.01)), ("MSA", MSA))]
    found = verdict(measured_cells(records))
    assert (found.verdict, found.outcomes[0].reason) == ("undecided", "too few rounds")
    assert found.outcomes[0].ratio == pytest.approx(10, rel=0.01)
    assert math.isnan(found.outcomes[0].lo)


def test_rounds_that_disagree_say_so() -> None:
    found = verdict(two((101.0, 0.02), MSA))
    assert (found.verdict, found.outcomes[0].reason) == ("undecided", "the rounds disagree")


def test_a_difference_below_the_noise_of_the_machine_decides_nothing() -> None:
    records = [in_rounds("HiLo", (101.5, 0.001)), in_rounds("MSA", MSA)]
    quiet, noisy = (
        measured_cells(records, {1: {"selftest": {"noise_percent": percent}}}) for percent in (1.0, 1.8)
    )
    assert verdict(quiet).verdict == "holds"
    (outcome,) = verdict(noisy).outcomes
    assert (outcome.verdict, outcome.reason) == ("undecided", "below the noise of this machine (1.8 %)")
    # The ends of any band count so: 1.015 is more than 1 % beyond 1, and not 1.8 %.
    assert verdict(noisy, expect={"ratio_above": 0.99, "ratio_below": 1.04}).verdict == "holds"
    assert verdict(noisy, expect={"ratio_above": 1.04}).verdict == "does not hold"


def test_one_claim_among_many_has_to_be_surer_than_one_alone() -> None:
    speeds = {("HiLo", 224): (102.1, 0.02), ("MSA", 224): MSA}
    assert verdict(timed(speeds)).verdict == "holds"
    for size in range(256, 1024, 32):
        speeds |= {("HiLo", size): (100.0, 0.02), ("MSA", size): MSA}
    first = verdict(timed(speeds)).outcomes[0]
    assert (first.verdict, first.reason) == ("undecided", "the evidence is too weak for 25 comparisons")


def test_rounds_of_two_sessions_are_no_pairs_and_need_the_drift_of_the_machine() -> None:
    records = [in_rounds("HiLo", (120.0, 0.02)), in_rounds("MSA", (100.0, 0.02), session=2)]
    (unknown,) = verdict(measured_cells(records)).outcomes
    assert (unknown.verdict, unknown.reason) == (
        "undecided",
        "no self-test says how far two runs of this machine differ",
    )
    steady, drifting = (
        {session: {"selftest": {"drift_percent": percent}} for session in (1, 2)} for percent in (1.0, 20.0)
    )
    assert verdict(measured_cells(records, steady)).verdict == "holds"
    (outcome,) = verdict(measured_cells(records, drifting)).outcomes
    assert (outcome.verdict, outcome.ratio) == ("undecided", pytest.approx(1.2))


def test_a_verdict_names_the_flags_of_its_cells() -> None:
    hilo, msa = in_rounds("HiLo", (120.0, 0.01)), in_rounds("MSA", MSA)
    flagged = [replace(hilo, flags=("drift", "bimodal")), replace(msa, flags=("drift", "busy_host"))]
    assert verdict(measured_cells(flagged)).outcomes[0].flags == ("drift", "bimodal", "busy_host")
    assert verdict(measured_cells([hilo, msa])).outcomes[0].flags == ()
    assert verdict(measured_cells(flagged), metric="macs").outcomes[0].flags == ()


def test_cells_of_other_threads_or_allocator_are_no_comparison_unless_it_is_about_them() -> None:
    def on(threads: int, allocator: str, name: str, speed: float) -> Record:
        record = in_rounds(name, (speed, 0.01), device="cpu", threads=threads if name == "swept" else None)
        assert record.timing is not None
        return replace(record, timing=replace(record.timing, threads=threads, allocator=allocator))

    mixed = measured_cells([on(1, "retain", "HiLo", 120.0), on(2, "system", "MSA", 100.0)])
    found = verdict(mixed)
    assert found.verdict == "not testable here"
    assert found.outcomes[0].reason.startswith(
        "measured in ways that do not compare: 1 thread and 2 threads; "
    )
    swept = measured_cells([on(1, "retain", "swept", 100.0), on(2, "retain", "swept", 120.0)])
    assert verdict(swept, subject="threads=2", against="threads=1").verdict == "holds"


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
    measured = measured_cells([make_record("HiLo", macs=macs), make_record("MSA", macs=100)])
    found = verdict(measured, metric="macs", expect=expect)
    assert found.verdict == expected
    assert math.isnan(found.outcomes[0].lo)


def test_macs_that_are_a_lower_bound_decide_nothing() -> None:
    measured = measured_cells([make_record("HiLo", macs=1), make_record("MSA", macs=100, exact=False)])
    found = verdict(measured, metric="macs", expect="lower")
    reason = "MACs of MSA are a lower bound: the counter has no rule for some operators"
    assert (found.verdict, found.outcomes[0].reason) == ("undecided", reason)


def test_what_is_counted_does_not_depend_on_kernel_and_batch() -> None:
    records = [
        make_record(name, macs=macs, kernel=kernel, batch=batch)
        for name, macs in (("HiLo", 50), ("MSA", 100))
        for kernel in ("math", "sdpa")
        for batch in (1, 64)
    ]
    (outcome,) = verdict(measured_cells(records), metric="macs", expect="lower").outcomes
    assert outcome.verdict == "holds"
    assert outcome.setting == {"resolution": 224, "stride": 16, "dim": 256}


def test_a_count_is_taken_from_the_cell_that_has_one() -> None:
    records = [
        make_record("HiLo", macs=50),
        make_record("MSA", macs=None, status="unsupported", reason="no such kernel", kernel="flash"),
        make_record("MSA", macs=100),
    ]
    assert verdict(measured_cells(records), metric="macs", expect="lower").verdict == "holds"


def test_memory_is_compared_as_it_is() -> None:
    measured = measured_cells([make_record("HiLo", memory=10), make_record("MSA", memory=11)])
    assert verdict(measured, metric="peak_memory_bytes", expect="lower").verdict == "holds"


def test_a_cell_that_failed_makes_its_setting_untestable_and_says_why() -> None:
    measured = measured_cells(
        [make_record("HiLo"), make_record("MSA", status="oom", reason="out of\nmemory")]
    )
    found = verdict(measured)
    assert found.verdict == "not testable here"
    assert found.outcomes[0].reason == "MSA ended as oom: out of memory"
    # Its multiply–adds were counted all the same.
    assert verdict(measured, metric="macs", expect={"ratio_below": 2}).verdict == "holds"


def test_a_metric_that_was_not_measured_is_not_testable() -> None:
    measured = measured_cells([make_record("HiLo", memory=None), make_record("MSA")])
    found = verdict(measured, metric="peak_memory_bytes")
    assert (found.verdict, found.outcomes[0].reason) == (
        "not testable here",
        "peak memory of HiLo was not measured",
    )


def test_a_ratio_to_nothing_is_not_testable() -> None:
    measured = measured_cells([make_record("HiLo", macs=3), make_record("MSA", macs=0)])
    found = verdict(measured, metric="macs")
    assert found.outcomes[0].reason == "MACs per image of MSA is 0, so there is no ratio"
    assert verdict(measured, metric="macs", subject="MSA", against="HiLo", expect="lower").verdict == "holds"


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
    measured = timed({("HiLo", 224): (120.0, 0.01), ("MSA", 224): MSA}, device=ran_on)
    found = verdict(measured, device=device)
    assert expected == (found.reason or found.verdict)


def test_cells_that_the_run_does_not_have_are_named() -> None:
    measured = measured_cells([make_record("HiLo")])
    found = verdict(measured, where="resolution<=448")
    assert (found.verdict, found.outcomes) == ("not testable here", ())
    assert found.reason == "the run has no cell of MSA where resolution<=448"
    both = verdict(measured, subject="W-MSA")
    assert both.reason == "the run has no cell of W-MSA and none of MSA"


def test_sides_of_different_sizes_are_not_compared() -> None:
    measured = measured_cells([make_record("HiLo", resolution=448), make_record("MSA", resolution=224)])
    assert verdict(measured).reason == (
        "HiLo and MSA were measured in different settings: resolution 448x448 against 224x224"
    )
    wider = measured_cells([make_record("HiLo", dim=512), make_record("MSA", dim=256)])
    assert verdict(wider).reason == "HiLo and MSA were measured in different settings: dim 512 against 256"


def test_sides_that_never_meet_although_they_share_every_value() -> None:
    measured = measured_cells(
        [
            make_record("HiLo", resolution=224, kernel="math"),
            make_record("HiLo", resolution=448, kernel="sdpa"),
            make_record("MSA", resolution=224, kernel="sdpa"),
            make_record("MSA", resolution=448, kernel="math"),
        ]
    )
    assert verdict(measured).reason == "HiLo and MSA were never measured in the same setting"


def test_a_run_without_records_tests_nothing() -> None:
    found = verdict(measured_cells([]))
    assert (found.verdict, found.reason) == ("not testable here", "the run holds no records")


def test_several_cells_on_one_side_are_no_comparison() -> None:
    records = [make_record("HiLo"), make_record("MSA"), make_record("W-MSA")]
    found = verdict(measured_cells(records), against="mixer=MSA,W-MSA")
    assert found.outcomes[0].reason == "against is 2 cells: MSA and W-MSA"
    assert found.verdict == "not testable here"


FAST, EVEN, SLOW = (120.0, 0.01), (100.0, 0.02), (80.0, 0.01)


@pytest.mark.parametrize(
    ("hilo", "expected"),
    [
        ((FAST, FAST), "holds"),
        ((SLOW, SLOW), "does not hold"),
        ((EVEN, EVEN), "undecided"),
        ((FAST, SLOW), "mixed"),
        ((FAST, EVEN), "undecided"),
        ((SLOW, EVEN), "undecided"),
        ((FAST, None), "holds"),
        ((SLOW, None), "does not hold"),
        ((None, None), "not testable here"),
    ],
)
def test_the_verdict_on_a_claim_follows_from_its_settings(
    hilo: tuple[Speed | None, ...], expected: str
) -> None:
    measured = timed(
        {("HiLo", 224): hilo[0], ("HiLo", 448): hilo[1]} | {("MSA", 224): MSA, ("MSA", 448): MSA}
    )
    found = verdict(measured)
    assert found.verdict == expected
    assert [outcome.setting["resolution"] for outcome in found.outcomes] == [224, 448]


def test_differing_contradicts_even_beside_an_undecided_setting() -> None:
    measured = timed(
        {("HiLo", 224): FAST, ("HiLo", 448): SLOW, ("HiLo", 672): EVEN}
        | {("MSA", size): MSA for size in (224, 448, 672)}
    )
    found = verdict(measured)
    assert found.verdict == "mixed"
    assert [outcome.verdict for outcome in found.outcomes] == ["holds", "does not hold", "undecided"]


def test_where_restricts_the_settings() -> None:
    measured = timed({("HiLo", 224): FAST, ("HiLo", 448): SLOW} | {("MSA", size): MSA for size in (224, 448)})
    assert verdict(measured, where="tokens=196").verdict == "holds"
    assert verdict(measured, where="resolution>224").verdict == "does not hold"


def test_an_axis_that_the_sides_name_differently_is_what_is_compared() -> None:
    records = [
        make_record("HiLo", resolution=size, kernel=kernel, latency=latency)
        for size in (224, 448)
        for kernel, latency in (("math", 0.02), ("sdpa", 0.01))
    ]
    found = verdict(
        measured_cells(records), subject="mixer=HiLo kernel=sdpa", against="mixer=HiLo kernel=math"
    )
    assert found.verdict == "holds"
    assert [outcome.setting["resolution"] for outcome in found.outcomes] == [224, 448]
    assert all("kernel" not in outcome.setting for outcome in found.outcomes)


def test_tokens_stand_for_resolution_and_stride() -> None:
    records = [make_record("HiLo", resolution=224, macs=1), make_record("HiLo", resolution=448, macs=4)]
    found = verdict(
        measured_cells(records), metric="macs", subject="mixer=HiLo tokens=784",
        against="mixer=HiLo tokens=196", expect={"ratio_above": 3.9, "ratio_below": 4.1},
    )  # fmt: skip
    assert (found.verdict, found.outcomes[0].ratio) == ("holds", 4.0)
    assert found.outcomes[0].setting == {"dim": 256}


def test_heads_that_each_mixer_has_of_its_own_are_part_of_the_mixer() -> None:
    own = measured_cells(
        [make_record("HiLo", num_heads=8, latency=0.01), make_record("MSA", num_heads=4, latency=0.02)]
    )
    assert verdict(own).verdict == "holds"
    swept = measured_cells(
        [make_record(name, num_heads=heads) for name in ("HiLo", "MSA") for heads in (4, 8)]
    )
    assert [o.setting["num_heads"] for o in verdict(swept).outcomes] == [4, 8]


def test_a_rectangle_is_said_as_in_the_frame() -> None:
    measured = measured_cells([make_record(name, resolution=(480, 640)) for name in ("HiLo", "MSA")])
    assert verdict(measured).outcomes[0].setting["resolution"] == "480x640"


def test_parameters_of_a_mixer_select_cells() -> None:
    records = [
        make_record("HiLo", config={"alpha": 0.5}, latency=0.01),
        make_record("MSA", latency=0.02),
    ]
    assert verdict(measured_cells(records), subject="params.alpha=0.5").verdict == "holds"


def test_claims_keep_their_order() -> None:
    measured = two(FAST, MSA)
    found = judge([make_claim(id="b"), make_claim(id="a", expect="lower")], measured)
    assert [(one.claim.id, one.verdict) for one in found] == [("b", "holds"), ("a", "does not hold")]


def on_gpu(name: str, speed: float, busy_ms: float | None, bound: bool, **cell: Any) -> Record:
    """A cell of this speed whose device works for so long a step of 64 images."""
    record = in_rounds(name, (speed, 0.001), **cell)
    assert record.timing is not None
    busy = None if busy_ms is None else Busy(seconds=busy_ms / 1000, method="cuda_graph")
    flags = ("launch_bound",) if bound else ()
    return replace(record, timing=replace(record.timing, busy=busy), flags=flags)


@pytest.mark.parametrize(
    ("metric", "expect", "busy", "expected", "ratio"),
    [
        ("throughput", "higher", (0.4, 0.2), "does not hold", 0.5),
        ("throughput", "higher", (0.1, 0.2), "holds", 2.0),
        ("latency_s", "higher", (0.4, 0.2), "holds", 2.0),
        ("throughput", "higher", (0.2, 0.201), "undecided", 1.005),
        ("throughput", {"ratio_above": 0.4, "ratio_below": 0.6}, (0.4, 0.2), "holds", 0.5),
        ("throughput", {"ratio_above": 1.9, "ratio_below": 2.0}, (0.1, 0.2), "undecided", 2.0),
        ("throughput", "higher", (None, 0.2), "not testable here", math.nan),
    ],
)
def test_a_launch_bound_claim_on_speed_has_a_second_verdict_on_device_time(
    metric: str, expect: Any, busy: tuple[float | None, float], expected: str, ratio: float
) -> None:
    measured = measured_cells([on_gpu("HiLo", 120.0, busy[0], True), on_gpu("MSA", 100.0, busy[1], False)])
    judgement = verdict(measured, metric=metric, expect=expect)
    (outcome,) = judgement.outcomes
    assert (outcome.on_device, judgement.on_device) == (expected, expected)
    assert outcome.device_ratio == pytest.approx(ratio, nan_ok=True)


def test_device_time_is_compared_by_image() -> None:
    records = [on_gpu("HiLo", 120.0, 0.4, True, batch=64), on_gpu("MSA", 100.0, 0.4, False, batch=32)]
    (outcome,) = verdict(
        measured_cells(records), subject="mixer=HiLo batch=64", against="mixer=MSA batch=32"
    ).outcomes
    assert outcome.device_ratio == pytest.approx(2.0)


def test_where_no_side_is_launch_bound_there_is_one_verdict() -> None:
    measured = measured_cells([on_gpu("HiLo", 120.0, 0.4, False), on_gpu("MSA", 100.0, 0.2, False)])
    judgement = verdict(measured)
    assert (judgement.verdict, judgement.on_device) == ("holds", None)


def test_the_second_verdict_takes_wall_time_where_the_device_sets_the_pace() -> None:
    small = [on_gpu("HiLo", 120.0, 0.4, True), on_gpu("MSA", 100.0, 0.2, True)]
    large = [on_gpu(name, s, 0.4, False, resolution=448) for name, s in (("HiLo", 120.0), ("MSA", 100.0))]
    judgement = verdict(measured_cells([*small, *large]))
    assert (judgement.verdict, judgement.on_device) == ("holds", "mixed")


def ran(record: Record, *backends: Any) -> Record:
    return replace(record, attention_backend=backends)


def test_attention_that_ran_as_math_is_named_beside_the_verdict() -> None:
    hilo, msa = (
        ran(in_rounds(n, s, kernel="sdpa"), "flash") for n, s in (("HiLo", (120.0, 0.01)), ("MSA", MSA))
    )
    assert verdict(measured_cells([hilo, msa])).outcomes[0].unfused == ()
    assert verdict(measured_cells([ran(hilo, "flash", "math"), msa])).outcomes[0].unfused == ("HiLo",)
    on_math = in_rounds("HiLo", (120.0, 0.01)), in_rounds("MSA", MSA)
    assert verdict(measured_cells([ran(record) for record in on_math])).outcomes[0].unfused == ()


def test_a_claim_on_a_fused_kernel_is_not_testable_where_torch_ran_math() -> None:
    math_cell, asked = in_rounds("MSA", MSA), in_rounds("MSA", (120.0, 0.01), kernel="sdpa")
    sides = {"subject": "mixer=MSA kernel=sdpa", "against": "mixer=MSA kernel=math"}
    assert verdict(measured_cells([math_cell, ran(asked, "flash")]), **sides).verdict == "holds"
    (outcome,) = verdict(measured_cells([math_cell, ran(asked, "math")]), **sides).outcomes
    assert outcome.verdict == "not testable here"
    assert outcome.reason == "torch ran the attention of MSA as math, not fused"
