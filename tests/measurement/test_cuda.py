"""The CUDA path on a machine without one: scripted calls stand in for torch's, and their order is noted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from benchsuite.measurement import cuda as cuda_module
from benchsuite.measurement import memory
from benchsuite.measurement.cuda import LEAST_DELAY_S, MOST_DELAY_S, CudaDevice

LOG: list[str] = []


class Event:
    """A CUDA event on a clock that the steps advance, in milliseconds."""

    clock = 0.0
    made = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        Event.made += 1
        self.at = -1.0

    def record(self, stream: object) -> None:
        LOG.append("record")
        self.at = Event.clock

    def elapsed_time(self, end: Event) -> float:
        LOG.append("read")
        return end.at - self.at


class Stream:
    def synchronize(self) -> None:
        LOG.append("wait")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[CudaDevice]:
    LOG.clear()
    Event.clock, Event.made = 0.0, 0
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    yield CudaDevice(0)
    LOG.clear()


def step_of(*milliseconds: float) -> Any:
    script = iter(milliseconds)

    def step() -> None:
        LOG.append("step")
        Event.clock += next(script)

    return step


def test_each_call_stands_between_two_events_and_one_wait_ends_the_block(cuda: CudaDevice) -> None:
    durations = cuda.time_calls(step_of(1.0, 2.0, 4.0), 3)
    assert durations == pytest.approx([0.001, 0.002, 0.004])
    assert LOG == ["record", "step", "record"] * 3 + ["wait"] + ["read"] * 3


def test_events_are_made_once_and_used_again(cuda: CudaDevice) -> None:
    cuda.time_calls(step_of(1.0, 1.0), 2)
    cuda.time_calls(step_of(*[1.0] * 3), 3)
    cuda.time_calls(step_of(1.0), 1)
    assert Event.made == 2 * 3


def test_time_between_calls_is_not_theirs(cuda: CudaDevice) -> None:
    def step() -> None:
        Event.clock += 1.0

    first = cuda.time_calls(step, 1)
    Event.clock += 50.0  # the host was busy with something else
    assert first + cuda.time_calls(step, 1) == pytest.approx([0.001, 0.001])


def test_what_comes_before_a_call_is_not_between_its_events(cuda: CudaDevice) -> None:
    def before() -> None:
        LOG.append("before")
        Event.clock += 50.0

    assert cuda.time_calls(step_of(1.0, 2.0), 2, before=before) == pytest.approx([0.001, 0.002])
    assert LOG == ["before", "record", "step", "record"] * 2 + ["wait"] + ["read"] * 2


def test_a_block_on_the_hosts_clock_waits_before_and_after_and_never_between(
    cuda: CudaDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: LOG.append("wait"))
    monkeypatch.setattr(time, "perf_counter_ns", lambda: Event.clock * 1e6)
    assert cuda.time_block(step_of(1.0, 2.0, 4.0), 3) == pytest.approx(0.007)
    assert ["wait", *["step"] * 3, "wait"] == LOG


def test_parts_share_the_events_between_them(cuda: CudaDevice) -> None:
    parts = {"forward": step_of(1.0, 10.0), "backward": step_of(2.0, 20.0)}
    found = cuda.time_parts(parts, 2)
    assert found == {"forward": pytest.approx([0.001, 0.01]), "backward": pytest.approx([0.002, 0.02])}
    assert LOG[: LOG.index("wait")] == ["record", "step", "record", "step", "record"] * 2
    assert Event.made == 2 * 3


@pytest.fixture
def cold(cuda: CudaDevice, monkeypatch: pytest.MonkeyPatch) -> CudaDevice:
    """A device whose flush and delay are noted, with 50 MB of cache and a clock of 2 GHz."""

    def slow(word: str) -> None:
        LOG.append(word)
        Event.clock += 50.0

    properties = SimpleNamespace(L2_cache_size=50 << 20, clock_rate=2_000_000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: slow(f"sleep {cycles}"))
    monkeypatch.setattr(
        "benchsuite.measurement.accelerator.flusher",
        lambda size, device: lambda: slow(f"flush {size >> 20} MiB"),
    )
    return cuda


def test_cold_calls_come_after_a_flush_and_a_delay_each_waited_for(cold: CudaDevice) -> None:
    first, second = step_of(9.0, 1.0, 3.0), step_of(9.0, 2.0)
    assert cold.time_cold([first, second], 3) == pytest.approx([0.001, 0.002, 0.003])
    words = [word.split(" ")[0] for word in LOG]
    assert words == ["step", "step", *["flush", "sleep", "record", "step", "record", "wait", "read"] * 3]
    assert "flush 100 MiB" in LOG


def test_the_delay_outlasts_the_slowest_launch_within_limits(
    cold: CudaDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "perf_counter_ns", lambda: Event.clock * 1e6)
    cold.time_cold([step_of(0.0, 0.0), step_of(8.0, 0.0)], 2)  # one takes the host 8 ms
    assert LOG.count(f"sleep {int(1.5 * 8e-3 * 2e9)}") == 2
    LOG.clear()
    cold.time_cold([step_of(0.0, 0.0)] * 1, 1)
    assert f"sleep {int(LEAST_DELAY_S * 2e9)}" in LOG
    LOG.clear()
    cold.time_cold([step_of(9000.0, 0.0)], 1)
    assert f"sleep {int(MOST_DELAY_S * 2e9)}" in LOG


def test_device_time_is_that_of_a_replay_whose_launch_hides_behind_a_delay(
    cold: CudaDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = step_of(5.0, 1.0, 1.0)
    monkeypatch.setattr(cuda_module, "captured", lambda _: replay)
    assert cold.time_busy(step_of(), 2) == ("cuda_graph", pytest.approx([0.001, 0.001]))
    assert [word.split(" ")[0] for word in LOG[:5]] == ["step", "sleep", "record", "step", "record"]


@pytest.mark.parametrize(("seen", "expected"), [(0.25, ("profiler", [0.25])), (None, None)])
def test_a_step_that_cannot_be_captured_is_profiled(
    cold: CudaDevice, monkeypatch: pytest.MonkeyPatch, seen: float | None, expected: object
) -> None:
    monkeypatch.setattr(cuda_module, "captured", lambda _: None)
    monkeypatch.setattr(cuda_module, "kernel_seconds", lambda step, calls: seen)
    assert cold.time_busy(step_of(), 20) == expected


class Capturing:
    """Streams and captures as torch has them up to 2.11, where a capture that failed is never over.

    Attributes:
        current: the stream that work goes to.
        mode: of torch's watch over calls that wait.
        capturing: whether a capture is under way.
        refuses: whether ending a capture raises.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.default = SimpleNamespace(wait_stream=lambda other: None)
        self.current: object = self.default
        self.mode: int | str = 0
        self.captures = 0
        self.capturing = self.refuses = False
        stand_ins = {
            "Stream": lambda: SimpleNamespace(wait_stream=lambda other: None),
            "current_stream": lambda: self.current,
            "set_stream": lambda stream: setattr(self, "current", stream),
            "stream": lambda stream: Entered(self, stream),
            "synchronize": lambda *_: None,
            "empty_cache": lambda: None,
            "get_sync_debug_mode": lambda: self.mode,
            "set_sync_debug_mode": lambda mode: setattr(self, "mode", mode),
            "CUDAGraph": lambda: SimpleNamespace(
                capture_begin=self._begin, capture_end=self._end, replay=lambda: LOG.append("replay")
            ),
        }
        for name, stand_in in stand_ins.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)
        monkeypatch.setattr(torch._C, "_host_emptyCache", lambda: None, raising=False)
        monkeypatch.setattr(cuda_module, "_failures", [])

    def _begin(self, **_: object) -> None:
        self.capturing = True
        self.captures += 1

    def _end(self) -> None:
        self.capturing = False
        if self.refuses:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    def wait(self) -> None:
        """A call that makes the host wait."""
        if self.mode == "error":
            raise RuntimeError("called a synchronizing CUDA operation")
        if self.capturing:
            self.refuses = True
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")


class Entered:
    """A stream that is the current one until it is left; no generator, which would leave it by itself."""

    def __init__(self, torch_cuda: Capturing, stream: object) -> None:
        self.torch_cuda, self.stream = torch_cuda, stream

    def __enter__(self) -> None:
        self.before, self.torch_cuda.current = self.torch_cuda.current, self.stream

    def __exit__(self, *_: object) -> None:
        self.torch_cuda.current = self.before


@pytest.fixture
def capturing(monkeypatch: pytest.MonkeyPatch) -> Capturing:
    return Capturing(monkeypatch)


def test_a_step_is_captured_on_a_stream_of_its_own_and_all_is_as_before(capturing: Capturing) -> None:
    streams: list[object] = []
    replay = cuda_module.captured(lambda: streams.append(capturing.current))
    assert replay is not None
    assert len(streams) == cuda_module.WARM_CALLS + 1
    assert capturing.default not in streams
    assert (capturing.current, capturing.mode) == (capturing.default, 0)
    assert not cuda_module.capture_failed()


def test_a_step_that_waits_is_not_captured_at_all(capturing: Capturing) -> None:
    assert cuda_module.captured(capturing.wait) is None
    assert capturing.captures == 0
    assert (capturing.current, capturing.mode) == (capturing.default, 0)
    assert not cuda_module.capture_failed()


def test_a_capture_that_fails_leaves_the_stream_as_it_was_and_is_remembered(capturing: Capturing) -> None:
    def unseen() -> None:  # waits, and torch's watch does not know it
        if capturing.capturing:
            capturing.wait()

    assert cuda_module.captured(unseen) is None
    assert capturing.captures == 1
    assert (capturing.current, capturing.mode) == (capturing.default, 0)
    assert cuda_module.capture_failed()


def test_whatever_a_capture_raises_means_that_there_is_none(
    capturing: Capturing, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RefusalError(Exception):
        """No kind of exception that torch documents."""

    def refuse() -> None:
        raise RefusalError

    monkeypatch.setattr(torch.cuda, "Stream", refuse)
    assert cuda_module.captured(lambda: None) is None


def test_a_step_that_cannot_be_captured_is_not_tried_to(
    cold: CudaDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_module, "captured", lambda _: pytest.fail("captured"))
    monkeypatch.setattr(cuda_module, "kernel_seconds", lambda step, calls: 0.25)
    assert cold.time_busy(step_of(), 20, capture=False) == ("profiler", [0.25])


def test_what_a_module_names_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """An optimizer's step is drawn from its first to its last kernel: 10 µs, of which 3 are work."""
    from torch._C._autograd import DeviceType

    def event(start: float, end: float, *, named: bool, device: object = DeviceType.CUDA) -> object:
        span = SimpleNamespace(start=start, end=end)
        return SimpleNamespace(time_range=span, device_type=device, is_user_annotation=named)

    events = [
        event(0, 1, named=False),
        event(8, 10, named=False),
        event(0, 10, named=True),
        event(0, 99, named=False, device=DeviceType.CPU),
    ]
    profiler = contextlib.nullcontext(SimpleNamespace(events=lambda: events))
    monkeypatch.setattr(torch.profiler, "profile", lambda activities: profiler)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert cuda_module.kernel_seconds(lambda: None, 1) == pytest.approx(3e-6)


@pytest.mark.parametrize(
    ("error", "raises"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"), False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
    ],
)
def test_want_of_memory_costs_the_device_time_alone_and_a_lost_context_is_told(
    error: RuntimeError, raises: bool
) -> None:
    def step() -> None:
        raise error

    with pytest.raises(RuntimeError, match="illegal") if raises else contextlib.nullcontext():
        assert cuda_module.kernel_seconds(step, 1) is None


class Elsewhere(torch.Tensor):
    """A tensor of the host that says it is on a GPU."""

    device = torch.device("cuda", 0)  # type: ignore[assignment]


class Allocator:
    """What torch.cuda says of its memory: 1000 bytes of other cells, and a step that needs 300 more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.live = self.peak = 1000
        for name in ("synchronize", "empty_cache"):
            monkeypatch.setattr(torch.cuda, name, lambda *_, name=name: self.calls.append(name))
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", self._reset)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: self.live)
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: self.peak)
        monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda _: 4096)
        self.segments: list[dict[str, object]] = []
        monkeypatch.setattr(torch.cuda, "memory_snapshot", lambda: self.segments)

    def _reset(self, _: object) -> None:
        self.calls.append("reset")
        self.peak = self.live

    def step(self) -> None:
        self.calls.append("step")
        self.peak = max(self.peak, self.live + 300)


def test_the_peak_on_cuda_is_what_the_step_adds_to_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator = Allocator(monkeypatch)
    peak = CudaDevice(0).step_peak(allocator.step)
    assert peak.added == 300  # and not the 1000 of other cells
    assert peak.reserved == 4096
    assert allocator.calls == ["synchronize", "empty_cache", "reset", "step", "synchronize"]


def test_what_cuda_graphs_hold_is_counted_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator = Allocator(monkeypatch)
    assert cuda_module._graph_bytes(torch.device("cuda", 0)) == 0
    allocator.segments = [
        {"device": 0, "segment_pool_id": (0, 0), "total_size": 1},
        {"device": 0, "segment_pool_id": (0, 7), "total_size": 10},
        {"device": 0, "segment_pool_id": (0, 7), "total_size": 100},
        {"device": 1, "segment_pool_id": (0, 8), "total_size": 1000},
    ]
    assert cuda_module._graph_bytes(torch.device("cuda", 0)) == 110


def test_a_step_that_replays_a_graph_has_the_memory_of_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counters of a replay do not move, and its peak must not be weights and input alone."""
    allocator = Allocator(monkeypatch)
    allocator.segments = [{"device": 0, "segment_pool_id": (0, 1), "total_size": 5000}]
    monkeypatch.setattr(CudaDevice, "card", lambda self: (None, ""))
    layer, x = nn.Linear(4, 4, bias=False), Elsewhere(torch.zeros(2, 4))
    found = memory.measure_memory(lambda: None, layer, x)
    assert found.method == "cuda_graph_pool"
    assert found.activations_bytes == 5000
    allocator.segments = []
    found = memory.measure_memory(lambda: None, layer, x)
    assert (found.method, found.activations_bytes) == ("cuda_allocator", 0)


def test_what_a_library_takes_from_the_allocator_during_a_step_is_part_of_its_peak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As cuBLASLt's workspace is on torch 2.6 and 2.7, in each call of a linear layer with a bias."""
    allocator, workspace = Allocator(monkeypatch), 32 << 20

    def step() -> None:
        allocator.step()
        allocator.peak = max(allocator.peak, allocator.live + 300 + workspace)

    assert CudaDevice(0).step_peak(step).added == 300 + workspace


@pytest.mark.gpu
def test_a_linear_layer_without_a_bias_on_cuda_adds_its_output_and_nothing_else() -> None:
    """One with a bias takes cuBLASLt's workspace from torch's allocator in each call before torch 2.8."""
    layer, x = nn.Linear(1024, 2048, bias=False, device="cuda"), torch.randn(512, 1024, device="cuda")

    def step() -> torch.Tensor:
        with torch.inference_mode():
            out: torch.Tensor = layer(x)
            return out

    found = memory.measure_memory(step, layer, x)
    assert found.activations_bytes == 512 * 2048 * 4
    assert found.peak_reserved_bytes is not None
    assert found.peak_reserved_bytes >= found.peak_allocated_bytes
