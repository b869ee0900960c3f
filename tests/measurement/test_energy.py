"""Energy from a counter that moves in jumps, on a fake device and a fake GPU."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from benchsuite.measurement import energy
from benchsuite.measurement.energy import WINDOW_S, idle_draw, measure_energy
from tests.doubles.fake_device import FakeDevice
from tests.doubles.fake_nvml import FakeNvml


def counter(device: FakeDevice, watts: float, every_s: float) -> Iterator[float]:
    """Joules at a constant power, as a counter shows them that moves every so many seconds."""
    while True:
        yield 1000.0 + watts * every_s * int(device.now() / every_s + 1e-9)


def fake(step_s: float, watts: float = 400.0, every_s: float = 0.02) -> tuple[FakeDevice, FakeNvml]:
    device = FakeDevice(itertools.repeat(step_s))
    return device, FakeNvml(joules=counter(device, watts, every_s))


@pytest.mark.parametrize("step_s", [20e-6, 1e-3, 0.3, 2.5])
@pytest.mark.parametrize("every_s", [0.02, 0.1])
def test_joules_are_power_times_the_time_of_a_step(step_s: float, every_s: float) -> None:
    device, nvml = fake(step_s, every_s=every_s)
    found = measure_energy(lambda: None, device, nvml)
    assert found is not None
    assert found.joules == pytest.approx(400.0 * step_s, rel=0.06)
    assert found.method == "nvml_energy_counter"


def test_the_counter_is_watched_for_a_second_and_no_more_than_needed() -> None:
    device, nvml = fake(1e-3)
    found = measure_energy(lambda: None, device, nvml)
    assert found is not None
    assert WINDOW_S <= found.seconds < WINDOW_S + 0.2


def test_every_step_that_is_counted_has_run() -> None:
    ran = 0

    def step() -> None:
        nonlocal ran
        ran += 1

    device, nvml = fake(0.01)
    found = measure_energy(step, device, nvml)
    assert found is not None
    assert ran == device.calls
    assert found.seconds / 0.01 <= ran < found.seconds / 0.01 + 20  # those before the first move


def test_a_cpu_has_no_energy() -> None:
    device = FakeDevice(iter(()))
    assert measure_energy(lambda: None, device, None) is None
    assert device.calls == 0


def test_a_gpu_without_a_counter_has_none_and_runs_nothing() -> None:
    device = FakeDevice(iter(()))
    assert measure_energy(lambda: None, device, FakeNvml(joules=iter(()))) is None
    assert device.calls == 0


def test_a_counter_that_stands_still_is_given_up() -> None:
    device = FakeDevice(itertools.repeat(0.01))
    assert measure_energy(lambda: None, device, FakeNvml(joules=itertools.repeat(5.0))) is None
    assert device.now() < 10


def test_a_counter_that_goes_away_is_no_number() -> None:
    device = FakeDevice(itertools.repeat(0.01))
    joules = itertools.chain([1.0, 1.0, 2.0], itertools.repeat(None))
    assert measure_energy(lambda: None, device, FakeNvml(joules=joules)) is None


def test_the_idle_draw_is_what_was_read_before_the_cell() -> None:
    device, nvml = fake(0.01)
    found = measure_energy(lambda: None, device, nvml, idle_w=75.0)
    assert found is not None
    assert found.idle_w == 75.0


@pytest.mark.parametrize(
    ("reasons", "watts", "expected"), [(0x1, 76.5, 76.5), (0x4, 700.0, None), (None, 120.0, None)]
)
def test_only_an_idle_gpu_has_an_idle_draw_after_two_seconds_without_work(
    reasons: int | None, watts: float, expected: float | None
) -> None:
    card, rested = FakeNvml(reasons=reasons, watts=watts), []
    assert idle_draw(card, rested.append) == expected
    assert rested == [2.0]


def test_without_a_gpu_nothing_rests() -> None:
    assert idle_draw(None, lambda _: pytest.fail("waited for nothing")) is None


def test_the_idle_draw_is_read_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(energy, "open_device", lambda _: FakeDevice(iter(()), card=FakeNvml()))
    monkeypatch.setattr(energy, "idle_draw", lambda card: asked.append(card) or 75.0)
    try:
        assert [energy.idle_draw_of("cuda:0") for _ in range(3)] == [75.0] * 3
    finally:
        energy.idle_draw_of.cache_clear()
    assert len(asked) == 1
