"""CUDA devices: CUDA events, graphs, what the allocator counts, and what NVIDIA's tools say of a GPU."""

from __future__ import annotations

import functools
import gc
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from benchsuite.measurement import host, nvml
from benchsuite.measurement.accelerator import AcceleratorDevice
from benchsuite.measurement.cpu import FLUSH_FACTOR
from benchsuite.measurement.device import Step, StepPeak
from benchsuite.measurement.torch_errors import loses_context
from benchsuite.results.cell import DType

LEAST_DELAY_S, MOST_DELAY_S = 1e-4, 0.05
"""Bounds of the time that the GPU is kept waiting while the host hands it a step. Beyond about a thousand
kernels the launch queue is full, and the host waits for the GPU, however long the delay."""
DELAY_FACTOR = 1.5
"""Delay per second that handing over a step has taken before."""
CYCLES_PER_S = 2e9
"""Taken for the clock where torch does not tell it: faster than most, so that a delay is not too short."""
WARM_CALLS = 3
"""Calls on a side stream before a capture, as torch's notes on CUDA graphs have it: what a library allocates
or chooses on its first call must not happen during a capture."""
_AMPERE = (8, 0)
"""Compute capability from which on NVIDIA's GPUs have TF32."""


class CudaDevice(AcceleratorDevice):
    """One CUDA device."""

    kind = "cuda"
    method = "cuda_events"
    activity = "CUDA"
    captures = True

    @classmethod
    def count(cls) -> int:
        return torch.cuda.device_count()

    @classmethod
    def release(cls) -> bool:
        """Hand back cached memory; false after a CUDA error, and after a capture that failed."""
        if not torch.cuda.is_available():
            return True
        gc.collect()
        try:
            torch.cuda.empty_cache()
        except RuntimeError:
            return False
        return not capture_failed()

    def time_busy(self, step: Step, calls: int, *, capture: bool = True) -> tuple[str, list[float]] | None:
        with self._current():
            replay = captured(step) if capture else None
            if replay is not None:
                replay()  # the first replay uploads the graph
                # One launch is left, that of the graph, and it hides behind the delay.
                return "cuda_graph", self.time_calls(replay, calls, before=self._delay(LEAST_DELAY_S))
            seconds = kernel_seconds(step, calls)
            return None if seconds is None else ("profiler", [seconds])

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)

    def step_peak(self, step: Step) -> StepPeak:
        """The caching allocator's own peaks. A CUDA graph that is replayed allocates nothing: its memory is
        what its own pool holds, which is all that it ever had, in whole segments."""
        peak = super().step_peak(step)
        graphs = _graph_bytes(self.device)
        return replace(peak, added=peak.added + graphs, method="cuda_graph_pool") if graphs else peak

    def process_bytes(self, step: Step) -> int | None:
        """Bytes that the driver has given this process now: context, libraries and what torch reserved. Right
        after a step that is the step's peak too, since torch keeps what it has once reserved."""
        card, _ = self.card()
        return None if card is None else bytes_on_card(card)

    def units(self) -> int:
        return torch.cuda.get_device_properties(self.device).multi_processor_count

    def missing(self, dtype: DType) -> str:
        """Reason why the GPU lacks a dtype; formats that torch emulates count as missing."""
        present = self.device.index < torch.cuda.device_count()
        return _missing(dtype, self.device.index) if present else ""

    def describe(self, *, ask_tools: bool = False) -> dict[str, Any] | None:
        properties = torch.cuda.get_device_properties(self.device)
        uuid = str(getattr(properties, "uuid", ""))
        return {
            "name": properties.name,
            "index": self.device.index,
            "uuid": uuid or None,
            "memory_bytes": properties.total_memory,
            "multiprocessors": properties.multi_processor_count,
            "compute_capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]  # torch gives it no types
            "nvidia_smi": nvml.ask_nvidia_smi(uuid) if ask_tools else None,
        }

    def driver(self) -> str | None:
        """By NVML, else as the kernel tells it."""
        card, _ = self.card()
        told = card.about().get("driver") if card is not None else None
        return told or host.read(host.ROOT / "proc/driver/nvidia/version").partition("\n")[0] or None

    def card(self) -> tuple[nvml.Nvml | None, str]:
        return nvml.for_device(str(self.device))

    def _stream(self) -> Any:
        return torch.cuda.current_stream()

    def _event(self) -> Any:
        return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch gives it no types

    def _flush_bytes(self) -> int:
        return FLUSH_FACTOR * int(torch.cuda.get_device_properties(self.device).L2_cache_size)

    def _before_cold(self, steps: Sequence[Step], flush: Step) -> Step:
        """The flush, then a delay: the GPU spins until the host has handed over the whole step, so that the
        gaps of launching are not in it. How long that takes is learnt from an untimed call of each step."""
        delay = self._delay(DELAY_FACTOR * max(self._launch_seconds(step) for step in steps))

        def before() -> None:
            flush()
            delay()

        return before

    def _launch_seconds(self, step: Step) -> float:
        """Seconds that the host takes to hand over a step."""
        self.synchronize()
        start = time.perf_counter_ns()
        step()
        launched = (time.perf_counter_ns() - start) * 1e-9
        self.synchronize()
        return launched

    def _delay(self, seconds: float) -> Step:
        """A step that keeps the GPU, not the host, waiting for about so long, within limits."""
        rate = getattr(torch.cuda.get_device_properties(self.device), "clock_rate", 0) * 1e3 or CYCLES_PER_S
        cycles = int(min(max(seconds, LEAST_DELAY_S), MOST_DELAY_S) * rate)

        def delay() -> object:
            return torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]  # torch gives it no types

        return delay


_failures: list[str] = []


def capture_failed() -> bool:
    """Tell if a capture has failed in this process. torch's allocator may take it for one that goes on, and
    then hands no memory back (up to 2.11 `empty_cache` raises): answer, and end the process."""
    return bool(_failures)


def captured(step: Step) -> Step | None:
    """A step that replays the kernels of `step` as one CUDA graph; None if they cannot be captured.

    A step cannot be captured if it waits for the device, copies to the host, or allocates outside of torch's
    allocator, and torch says so with many kinds of exceptions. Most such steps are found out before by
    torch's watch over calls that wait, since a capture that fails cannot be undone.
    """
    before = torch.cuda.current_stream()
    try:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch gives it no types
        side.wait_stream(before)
        with torch.cuda.stream(side), _no_waiting():
            for _ in range(WARM_CALLS):
                step()
        before.wait_stream(side)
        torch.cuda.synchronize()
        return _capture(step, side)
    except Exception:  # noqa: BLE001  whatever it was, the profiler is asked instead
        return None
    finally:
        torch.cuda.set_stream(before)  # a capture that fails leaves its own stream as the current one


def _capture(step: Step, stream: torch.cuda.Stream) -> Step:
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, stream=stream):
            step()
        torch.cuda.synchronize()
    except Exception as error:
        _failures.append(str(error))
        raise
    return graph.replay


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Let calls of torch that make the host wait for the device raise."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it does not find all of them
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def kernel_seconds(step: Step, calls: int) -> float | None:
    """Mean seconds per call in which at least one kernel ran, as the profiler saw it; None if it saw none.

    What a module names (an optimizer its step) is drawn among the kernels too, gaps included; it is left out.
    """
    from torch._C._autograd import DeviceType  # what an event names its device by; exported nowhere else
    from torch.profiler import ProfilerActivity, profile

    try:
        step()
        torch.cuda.synchronize()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with profile(activities=[ProfilerActivity.CUDA]) as profiler:
                for _ in range(calls):
                    step()
                torch.cuda.synchronize()
        spans = [
            (event.time_range.start, event.time_range.end)
            for event in profiler.events() or ()
            if event.device_type == DeviceType.CUDA and not getattr(event, "is_user_annotation", False)
        ]
    except RuntimeError as error:
        if loses_context(error):
            raise
        # No right to read the GPU's counters, another profiler at work, or no memory after a failed capture.
        return None
    return covered(spans) * 1e-6 / calls or None  # in microseconds


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals: kernels of two streams that overlap count once."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def bytes_on_card(card: nvml.Nvml) -> int | None:
    """Bytes of a GPU that the driver has given this process.

    Where the driver does not list it, as in most containers: how much more of the card is in use than before
    this process had any, as if nobody else had come or gone since. None if nobody looked in time.
    """
    listed = {one.pid: one.memory_bytes for one in card.processes() or ()}
    if (own := listed.get(os.getpid())) is not None:
        return own
    used, before = card.used_bytes(), card.before_bytes
    return None if used is None or before is None else max(0, used - before)


def _graph_bytes(device: torch.device) -> int:
    """Bytes that CUDA graphs hold for themselves, in pools apart from that of all other tensors."""
    segments = torch.cuda.memory_snapshot()  # type: ignore[no-untyped-call]  # torch gives it no types
    return sum(
        int(one["total_size"])
        for one in segments
        if one["device"] == device.index and tuple(one["segment_pool_id"]) != (0, 0)
    )


@functools.cache
def _missing(dtype: DType, index: int) -> str:
    """Reason why a GPU lacks the dtype; empty if it has it."""
    capability = torch.cuda.get_device_capability(index)
    what = f"{torch.cuda.get_device_name(index)} (compute capability {capability[0]}.{capability[1]})"
    if dtype == "tf32" and (getattr(torch.version, "hip", None) or capability < _AMPERE):
        return f"{what} has no TF32, which begins with compute capability 8.0"
    if dtype in ("bf16", "autocast_bf16"):
        with torch.cuda.device(index):
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                return f"{what} has no bf16 of its own"
    return ""
