"""Wall time beside device time, on a fake GPU that works through what a host launches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch

from benchsuite.measurement.cpu import CpuDevice
from benchsuite.measurement.cuda import covered
from benchsuite.measurement.device import Step
from benchsuite.measurement.stopping import FixedCount
from benchsuite.measurement.timing import SamplingPlan, WarmUp, measure_busy, measure_time
from benchsuite.results.machine import launch_bound
from benchsuite.results.record import Busy
from tests.doubles.fake_device import FakeDevice

LAUNCH_S = 5e-6


class LaunchingDevice(FakeDevice):
    """A host that takes 5 µs to launch a kernel, and a GPU that runs kernels as they arrive; a replay
    launches all at once."""

    def __init__(self) -> None:
        super().__init__(iter(()), kind="cuda")
        self.host = self.gpu = 0.0
        self.replaying = False

    def launch(self, seconds: float) -> None:
        self.host += 0.0 if self.replaying else LAUNCH_S
        self.gpu = max(self.gpu, self.host) + seconds

    def time_calls(self, step: Step, calls: int, *, before: Step | None = None) -> list[float]:
        durations = []
        for _ in range(calls):
            start = self.host = max(self.host, self.gpu)
            step()
            durations.append(self.gpu - start)
        return durations

    def time_busy(self, step: Step, calls: int, *, capture: bool = True) -> tuple[str, list[float]]:
        self.replaying = True
        durations = self.time_calls(step, calls)
        self.replaying = False
        return "cuda_graph", durations

    def now(self) -> float:
        return self.gpu


def wall_and_busy(kernels: Sequence[float]) -> tuple[float, Busy]:
    device = LaunchingDevice()

    def step() -> None:
        for seconds in kernels:
            device.launch(seconds)

    rule = FixedCount(min_samples=5, max_samples=5, max_s=1e9)
    timing = measure_time(step, device, SamplingPlan(WarmUp(2, 0.0), rule, threads=1))
    busy = measure_busy(step, device)
    assert busy is not None
    return timing.samples_s[-1], busy


def test_two_hundred_tiny_kernels_are_launch_bound() -> None:
    wall, busy = wall_and_busy([1e-6] * 200)
    assert busy == Busy(seconds=pytest.approx(200e-6), method="cuda_graph")
    assert wall == pytest.approx(200 * LAUNCH_S + 1e-6)
    assert launch_bound(wall, busy.seconds)


def test_one_large_product_is_not() -> None:
    wall, busy = wall_and_busy([2e-3])
    assert busy.seconds == pytest.approx(2e-3)
    assert wall == pytest.approx(2e-3 + LAUNCH_S)
    assert not launch_bound(wall, busy.seconds)


def test_many_kernels_that_outlast_their_launches_are_not_either() -> None:
    wall, busy = wall_and_busy([50e-6] * 200)
    assert not launch_bound(wall, busy.seconds)


def test_device_time_is_the_median_of_the_replays() -> None:
    times = iter([0.1, 0.1, 9.0] * 10)
    busy = measure_busy(lambda: None, FakeDevice(iter(()), kind="cuda", busy=lambda _: next(times)))
    assert busy == Busy(seconds=0.1, method="fake_replay")


def test_a_cpu_has_no_time_of_its_own() -> None:
    assert measure_busy(lambda: None, CpuDevice()) is None


@pytest.mark.parametrize(
    ("spans", "length"),
    [
        ([], 0),
        ([(0, 2), (5, 6)], 3),
        ([(5, 6), (0, 2)], 3),
        ([(0, 4), (2, 6)], 6),
        ([(0, 10), (2, 3), (4, 5)], 10),
        ([(0, 2), (2, 4)], 4),
    ],
)
def test_kernels_that_overlap_count_once(spans: list[tuple[float, float]], length: float) -> None:
    assert covered(spans) == length


@pytest.mark.gpu
def test_a_module_of_tiny_operators_is_launch_bound_and_a_large_product_is_not() -> None:
    from benchsuite.measurement.cuda import CudaDevice

    device = CudaDevice(0)
    small, large = torch.randn(64, device="cuda"), torch.randn(8192, 8192, device="cuda")

    def tiny() -> None:
        x = small
        for _ in range(200):
            x = x + 1

    steps: Mapping[str, Step] = {"tiny": tiny, "large": lambda: large @ large}
    rule = FixedCount(min_samples=20, max_samples=20, max_s=60)
    flagged = {}
    for name, step in steps.items():
        wall = sorted(measure_time(step, device, SamplingPlan(WarmUp(5, 0.2), rule, threads=1)).samples_s)[10]
        busy = measure_busy(step, device)
        assert busy is not None
        assert busy.method == "cuda_graph"
        flagged[name] = launch_bound(wall, busy.seconds)
    assert flagged == {"tiny": True, "large": False}
