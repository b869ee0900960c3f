"""The timing loop on a device with a scripted clock: exact counts, no waiting."""

from __future__ import annotations

from itertools import repeat

import pytest

from benchsuite.measurement.accelerator import LEAST_S
from benchsuite.measurement.cpu import CpuDevice
from benchsuite.measurement.cuda import CudaDevice
from benchsuite.measurement.device import Step
from benchsuite.measurement.stopping import FixedCount, RelativeInterval, Visit
from benchsuite.measurement.timing import (
    BLOCK_CALLS,
    BLOCK_S,
    MOST_QUEUED,
    VISIT_S,
    SamplingPlan,
    WarmUp,
    calls_per_sample,
    keep_at_work,
    measure_time,
)
from tests.doubles.fake_device import FakeDevice

NO_WARM_UP = WarmUp(calls=0, seconds=0.0)


def fixed(count: int) -> RelativeInterval:
    return RelativeInterval(min_samples=count, max_samples=count, max_s=1e9)


def nothing() -> None:
    """The step; the fake device decides how long it took."""


def test_samples_are_the_durations_after_the_warm_up_in_order() -> None:
    device = FakeDevice(iter([9.0, 8.0, 7.0, 0.5, 0.6, 0.7]))
    timing = measure_time(nothing, device, SamplingPlan(WarmUp(calls=3, seconds=0.0), fixed(3), threads=2))
    assert timing.samples_s == (0.5, 0.6, 0.7)
    assert timing.warmup_calls == 3
    assert timing.warmup_s == 24.0
    assert timing.stopped_by == "samples"
    assert timing.method == "fake_clock"
    assert timing.threads == 2


def test_every_sample_is_kept_however_far_out() -> None:
    script = [1.0, 1.0, 1000.0, 1.0]
    timing = measure_time(nothing, FakeDevice(iter(script)), SamplingPlan(NO_WARM_UP, fixed(4), threads=1))
    assert list(timing.samples_s) == script


def test_the_device_is_waited_for_before_and_after_the_warm_up() -> None:
    device = FakeDevice(repeat(1.0))
    measure_time(nothing, device, SamplingPlan(WarmUp(calls=1, seconds=0.0), fixed(1), threads=1))
    assert device.synchronized == 2


def test_short_calls_are_timed_in_blocks_that_never_exceed_the_budget_of_samples() -> None:
    device = FakeDevice(repeat(1e-5))
    timing = measure_time(nothing, device, SamplingPlan(WarmUp(calls=1, seconds=0.0), fixed(100), threads=1))
    assert len(timing.samples_s) == 100
    assert device.blocks == [1, BLOCK_CALLS, 100 - BLOCK_CALLS]


def test_a_block_of_longer_calls_holds_about_its_aim_of_seconds() -> None:
    device = FakeDevice(repeat(0.02))
    measure_time(nothing, device, SamplingPlan(WarmUp(calls=1, seconds=0.0), fixed(10), threads=1))
    assert device.blocks == [1, int(BLOCK_S / 0.02), int(BLOCK_S / 0.02)]


def test_the_first_block_after_no_warm_up_is_one_call_since_nothing_is_known() -> None:
    device = FakeDevice(repeat(1e-5))
    measure_time(nothing, device, SamplingPlan(NO_WARM_UP, fixed(5), threads=1))
    assert device.blocks == [1, 4]


def test_the_budget_of_time_is_read_on_the_host_and_not_summed_from_the_samples() -> None:
    """On a GPU the host waits longer than the kernels run; the budget is what the user waits."""
    device = FakeDevice(repeat(0.1), host_seconds_per_call=1.0)
    rule = RelativeInterval(min_samples=1, max_samples=1000, max_s=3.0)
    timing = measure_time(nothing, device, SamplingPlan(WarmUp(calls=1, seconds=0.0), rule, threads=1))
    assert timing.stopped_by == "time"
    assert len(timing.samples_s) == 3


def test_sampling_stops_when_the_interval_is_narrow_enough() -> None:
    device = FakeDevice(repeat(0.5))
    rule = RelativeInterval(min_samples=2, max_samples=100, max_s=1e9, precision=0.01)
    timing = measure_time(nothing, device, SamplingPlan(NO_WARM_UP, rule, threads=1))
    assert timing.stopped_by == "precision"
    assert len(timing.samples_s) == 6  # below six samples there is no interval of the median
    assert timing.precision is None  # which is a matter of rounds


def test_every_round_has_an_equal_part_of_the_samples_the_seconds_and_the_warm_up() -> None:
    for number in range(3):
        rule = FixedCount(min_samples=4, max_samples=10, max_s=1e9)
        visit = Visit(number, 3)
        warm_up = WarmUp(calls=2, seconds=30.0)
        timing = measure_time(
            nothing, FakeDevice(repeat(1.0)), SamplingPlan(warm_up, rule, threads=1, visit=visit)
        )
        assert len(timing.samples_s) == 4
        assert timing.warmup_calls == 10
        rule = FixedCount(min_samples=1, max_samples=100, max_s=12.0)
        timing = measure_time(
            nothing, FakeDevice(repeat(1.0)), SamplingPlan(NO_WARM_UP, rule, threads=1, visit=visit)
        )
        assert timing.stopped_by == "time"
        assert len(timing.samples_s) == 4


def test_what_sampling_takes_of_the_system_is_kept_and_none_of_the_warm_up() -> None:
    """Each call touches 256 new pages of the system's, which are faults; the warm-up's are not counted."""
    import mmap

    def touch() -> None:
        with mmap.mmap(-1, 256 * mmap.PAGESIZE) as pages:
            for page in range(256):
                pages[page * mmap.PAGESIZE] = 1

    rule = FixedCount(min_samples=8, max_samples=8, max_s=1e9)
    timing = measure_time(touch, CpuDevice(), SamplingPlan(WarmUp(50, 0.0), rule, threads=1))
    (usage,) = timing.usage
    assert usage.calls == 8
    assert 8 * 256 <= usage.minor_faults < 16 * 256 + 500
    assert usage.wall_s >= sum(timing.samples_s)
    assert usage.user_s + usage.system_s > 0


def test_a_sample_of_a_training_step_is_the_sum_of_its_parts() -> None:
    device = FakeDevice(iter([9.0, 1.0, 2.0, 4.0, 10.0, 20.0, 40.0]))
    done: list[str] = []
    parts = {name: (lambda name=name: done.append(name)) for name in ("forward", "backward", "optimizer")}
    plan = SamplingPlan(WarmUp(calls=1, seconds=0.0), fixed(2), threads=1, parts=parts)
    timing = measure_time(lambda: done.append("whole"), device, plan)
    assert timing.samples_s == (7.0, 70.0)
    assert timing.parts_s == {"forward": (1.0, 10.0), "backward": (2.0, 20.0), "optimizer": (4.0, 40.0)}
    assert done == ["whole", *["forward", "backward", "optimizer"] * 2]


def test_cold_samples_come_after_a_flush_and_on_inputs_in_turns_over_all_blocks() -> None:
    device = FakeDevice(repeat(1 / 32))  # after the first, three calls a block
    done: list[int] = []
    steps = [lambda i=i: done.append(i) for i in range(2)]
    timing = measure_time(nothing, device, SamplingPlan(NO_WARM_UP, fixed(7), threads=1, cold=steps))
    assert len(timing.samples_s) == 7
    assert done == [0, 1, 0, 1, 0, 1, 0]
    assert device.blocks == [1, 3, 3]
    assert [word for word in device.log if word != "wait"] == ["flush", "call"] * 7


def test_the_first_block_of_a_cold_cell_is_one_call_since_the_flush_may_take_long() -> None:
    device = FakeDevice(repeat(1e-5), host_seconds_per_call=0.5)
    rule = FixedCount(min_samples=1, max_samples=100, max_s=2.0)
    plan = SamplingPlan(WarmUp(calls=1, seconds=0.0), rule, threads=1, cold=[nothing, nothing])
    timing = measure_time(nothing, device, plan)
    assert device.blocks == [1, 1, 1, 1, 1]  # the first is the warm-up
    assert timing.stopped_by == "time"


def test_all_inputs_of_a_cold_cell_are_warmed_up() -> None:
    done: list[int] = []
    steps = [lambda i=i: done.append(i) for i in range(2)]
    measure_time(
        nothing, FakeDevice(repeat(1.0)), SamplingPlan(WarmUp(4, 0.0), fixed(1), threads=1, cold=steps)
    )
    assert done == [0, 1, 0, 1, 0]


def test_a_block_is_sized_by_the_host_where_that_is_slower_than_the_device() -> None:
    """As with a cold step, whose flush takes longer than the step."""
    device = FakeDevice(repeat(1e-5), host_seconds_per_call=1 / 32)
    measure_time(nothing, device, SamplingPlan(NO_WARM_UP, fixed(5), threads=1))
    assert device.blocks == [1, int(BLOCK_S * 32), 1]


class Gpu(FakeDevice):
    """A GPU whose calls take equally long, and a microsecond more for the two events around a sample."""

    def __init__(self, call_s: float, event_s: float = 0.0) -> None:
        super().__init__(repeat(call_s), kind="cuda", least_s=LEAST_S)
        self.call_s, self.event_s, self.ran = call_s, event_s, 0

    def step(self) -> None:
        self.ran += 1

    def time_calls(self, step: Step, calls: int, *, before: Step | None = None) -> list[float]:
        durations = []
        for _ in range(calls):
            ran = self.ran
            step()
            durations.append((self.ran - ran) * self.call_s + self.event_s)
            self._now += durations[-1]
        return durations


@pytest.mark.parametrize("call_s", [3e-6, 50e-6, 190e-6])
def test_calls_that_are_short_beside_the_events_of_a_gpu_make_a_sample_together(call_s: float) -> None:
    device = Gpu(call_s, event_s=1e-6)
    rule = RelativeInterval(min_samples=10, max_samples=40, max_s=1.0, precision=0.01)
    timing = measure_time(device.step, device, SamplingPlan(WarmUp(3, 0.0), rule, threads=1))
    assert timing.calls_per_sample * call_s >= LEAST_S
    assert timing.samples_s == pytest.approx([call_s] * len(timing.samples_s), rel=0.01, abs=1e-6 / 25)
    assert sum(timing.samples_s) * timing.calls_per_sample >= VISIT_S * 0.98
    assert timing.usage[0].calls == len(timing.samples_s) * timing.calls_per_sample


def test_a_call_that_is_long_enough_is_a_sample() -> None:
    device = Gpu(200e-6)
    timing = measure_time(device.step, device, SamplingPlan(WarmUp(3, 0.0), fixed(20), threads=1))
    assert (timing.calls_per_sample, len(timing.samples_s)) == (1, 20)
    assert CudaDevice(0).least_s == LEAST_S
    assert (
        calls_per_sample(nothing, CpuDevice(), 1e-6, most_samples=40) == 1
    )  # its clock costs nothing beside it


def test_a_gpu_is_sampled_for_a_tenth_of_a_second_however_alike_its_samples_are() -> None:
    rule = RelativeInterval(min_samples=5, max_samples=1000, max_s=1.0, precision=0.5)
    device = Gpu(1e-3)
    timing = measure_time(device.step, device, SamplingPlan(WarmUp(3, 0.0), rule, threads=1))
    assert len(timing.samples_s) >= VISIT_S / 1e-3
    assert timing.stopped_by == "precision"
    few = RelativeInterval(min_samples=5, max_samples=8, max_s=1.0, precision=0.5)
    assert len(measure_time(device.step, device, SamplingPlan(WarmUp(3, 0.0), few, threads=1)).samples_s) == 8


def test_a_later_round_takes_as_many_calls_for_a_sample_as_the_first() -> None:
    device = Gpu(50e-6)
    timing = measure_time(
        device.step, device, SamplingPlan(NO_WARM_UP, fixed(4), threads=1, visit=Visit(1, 1, calls=7))
    )
    assert timing.calls_per_sample == 7
    assert timing.samples_s == pytest.approx([50e-6] * 4)


def test_cold_calls_and_parts_stay_on_their_own() -> None:
    steps = [lambda: None] * 2
    device = FakeDevice(repeat(1e-5), kind="cuda", least_s=LEAST_S)
    plan = SamplingPlan(WarmUp(3, 0.0), fixed(4), threads=1, cold=steps)
    assert measure_time(nothing, device, plan).calls_per_sample == 1
    parts = {"forward": nothing, "backward": nothing}
    plan = SamplingPlan(WarmUp(3, 0.0), fixed(4), threads=1, parts=parts)
    assert measure_time(nothing, device, plan).calls_per_sample == 1


@pytest.mark.parametrize(("call_s", "calls"), [(1.0, 1), (0.01, 5), (1e-6, MOST_QUEUED), (0.0, 1)])
def test_a_gpu_is_kept_at_work_while_it_is_looked_at_and_not_waited_for(call_s: float, calls: int) -> None:
    device = Gpu(call_s)
    keep_at_work(device.step, device, call_s)
    assert (device.ran, device.synchronized) == (calls, 0)
    keep_at_work(lambda: pytest.fail("a CPU is done before it is looked at"), CpuDevice(), call_s)
