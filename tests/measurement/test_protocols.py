"""What each protocol does, call by call, on a device with a scripted clock."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, groupby, repeat
from typing import get_args

import pytest

from benchsuite.measurement.cpu import MIB
from benchsuite.measurement.protocols import HOST_CLOCK, PROTOCOLS
from benchsuite.measurement.stopping import FixedCount, Visit
from benchsuite.measurement.timing import SamplingPlan, WarmUp
from benchsuite.results.cell import Protocol
from benchsuite.results.record import Timing
from tests.doubles.fake_device import FakeDevice

PLAN = SamplingPlan(
    threads=2,
    warm_up=WarmUp(calls=3, seconds=0.0),
    stopping=FixedCount(min_samples=4, max_samples=4, max_s=1e9),
)


def nothing() -> None:
    """The step; the fake device decides how long it took."""


def sampled(word: Protocol, durations: Iterator[float], kind: str = "cpu") -> tuple[Timing, FakeDevice]:
    device = FakeDevice(durations, kind=kind)
    return timed(word, device, PLAN), device


def timed(word: Protocol, device: FakeDevice, plan: SamplingPlan) -> Timing:
    """What a protocol makes of a plan: warmed up, then sampled."""
    sampling = PROTOCOLS[word]
    return sampling.sample(nothing, device, plan, sampling.warm(nothing, device, plan.warm_up))


def runs(log: list[str]) -> list[tuple[str, int]]:
    """The log with repetitions counted."""
    return [(word, len(list(same))) for word, same in groupby(log)]


def test_every_word_of_a_record_has_its_protocol() -> None:
    assert tuple(PROTOCOLS) == get_args(Protocol)
    assert {word for word, one in PROTOCOLS.items() if one.gradients} == {"hilo_single_layer"}


def test_adaptive_is_the_timing_loop_with_the_scenarios_wishes() -> None:
    timing, device = sampled("adaptive", repeat(1.0))
    assert timing.samples_s == (1.0,) * 4
    assert timing.warmup_calls == 3
    assert timing.stopped_by == "samples"
    assert timing.method == "fake_clock"
    assert runs(device.log) == [("wait", 1), ("call", 3), ("wait", 1), ("call", 4)]


def test_litv2_times_thirty_calls_as_one_block_after_fifty() -> None:
    timing, device = sampled("litv2", chain(repeat(5.0, 50), (0.1 * i for i in range(30))))
    assert timing.samples_s == (pytest.approx(0.1 * 14.5),)  # the mean: one slow call moves it
    assert timing.calls_per_sample == 30
    assert (timing.warmup_calls, timing.warmup_s) == (50, 250.0)
    assert runs(device.log) == [("wait", 1), ("call", 50), ("wait", 2), ("call", 30), ("wait", 1)]


def test_the_single_layer_benchmark_of_hilo_counts_its_first_call_in() -> None:
    timing, device = sampled("hilo_single_layer", chain([31.0], repeat(1.0, 29)))
    assert timing.samples_s == (2.0,)
    assert timing.calls_per_sample == 30
    assert (timing.warmup_calls, timing.warmup_s) == (0, 0.0)
    assert runs(device.log) == [("wait", 1), ("call", 30), ("wait", 1)]


def test_timm_waits_for_the_device_after_each_of_forty_steps() -> None:
    timing, device = sampled("timm", chain(repeat(9.0, 10), (float(i) for i in range(1, 41))))
    assert timing.samples_s == tuple(range(1, 41))
    assert timing.calls_per_sample == 1
    assert (timing.warmup_calls, timing.warmup_s) == (10, 90.0)
    assert timing.precision is None  # which is of rounds
    assert runs(device.log)[:3] == [("wait", 1), ("call", 10), ("wait", 2)]
    assert runs(device.log)[3:] == [("call", 1), ("wait", 2)] * 39 + [("call", 1), ("wait", 1)]


def test_do_bench_takes_a_hundred_milliseconds_of_samples_by_an_estimate_of_five() -> None:
    step_s = 1 / 256  # exact in binary, so that the counts are
    timing, _ = sampled("do_bench", repeat(step_s))
    assert len(timing.samples_s) == int(0.1 * 256) == 25
    assert timing.warmup_calls == 1 + 5 + int(0.025 * 256) == 12
    assert timing.method == "fake_clock"


def test_do_bench_takes_five_samples_after_one_call_of_a_network_of_twenty_milliseconds() -> None:
    timing, _ = sampled("do_bench", repeat(0.0199))
    assert len(timing.samples_s) == 5
    assert timing.warmup_calls == 1 + 5 + 1


def test_do_bench_takes_one_sample_of_a_step_longer_than_its_budget() -> None:
    timing, _ = sampled("do_bench", repeat(3.0))
    assert timing.samples_s == (3.0,)


def test_do_bench_clears_the_cache_of_a_gpu_before_each_sample_and_in_its_estimate() -> None:
    _, device = sampled("do_bench", repeat(1 / 16), kind="cuda")
    erase = f"erase {256 * MIB}"
    assert runs(device.log) == [
        ("wait", 1),
        ("call", 1),
        ("wait", 2),
        *[(erase, 1), ("call", 1)] * 5,
        ("wait", 2),
        ("call", 1),
        ("wait", 1),
        (erase, 1),
        ("call", 1),
    ]


def test_do_bench_clears_nothing_on_a_cpu() -> None:
    _, device = sampled("do_bench", repeat(1 / 16))
    assert set(device.log) == {"wait", "call"}


@pytest.mark.parametrize("word", [word for word in PROTOCOLS if word != "adaptive"])
def test_a_published_protocol_takes_nothing_from_the_scenario_but_threads(word: Protocol) -> None:
    other = SamplingPlan(
        threads=2, warm_up=WarmUp(99, 9.0), stopping=FixedCount(50, 60, 1.0), visit=Visit(1, 3)
    )
    plain, _ = sampled(word, repeat(1 / 64))
    assert timed(word, FakeDevice(repeat(1 / 64)), other) == plain
    assert plain.stopped_by == "protocol"
    assert plain.threads == 2
    assert plain.warmup_stable is None


@pytest.mark.parametrize(("word", "method"), [("litv2", HOST_CLOCK), ("timm", HOST_CLOCK)])
def test_a_host_clock_is_recorded_as_one(word: Protocol, method: str) -> None:
    assert sampled(word, repeat(1.0), kind="cuda")[0].method == method
