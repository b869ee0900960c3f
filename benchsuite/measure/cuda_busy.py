"""The time that a GPU works on a step, apart from the time that it waits for the host to launch kernels."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import torch

from benchsuite.measure.device import Step

WARM_CALLS = 3
"""Calls on a side stream before a capture, as torch's notes on CUDA graphs have it: what a library allocates
or chooses on its first call must not happen during a capture."""


def captured(step: Step) -> Step | None:
    """A step that replays the kernels of `step` as one CUDA graph; None if they cannot be captured.

    A step cannot be captured if it waits for the device, copies to the host, or allocates outside of torch's
    allocator, and torch says so with many kinds of exceptions.
    """
    try:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch gives it no types
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_CALLS):
                step()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            step()
        torch.cuda.synchronize()
    except Exception:  # noqa: BLE001  whatever it was, the profiler is asked instead
        return None
    return graph.replay


def kernel_seconds(step: Step, calls: int) -> float | None:
    """Mean seconds per call in which at least one kernel ran, as the profiler saw it; None if it saw none."""
    from torch._C._autograd import DeviceType  # what an event names its device by; exported nowhere else
    from torch.profiler import ProfilerActivity, profile

    step()
    torch.cuda.synchronize()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with profile(activities=[ProfilerActivity.CUDA]) as profiler:
                for _ in range(calls):
                    step()
                torch.cuda.synchronize()
        spans = [
            (event.time_range.start, event.time_range.end)
            for event in profiler.events() or ()
            if event.device_type == DeviceType.CUDA
        ]
    except RuntimeError:  # no right to read the GPU's counters, or another profiler at work
        return None
    return covered(spans) * 1e-6 / calls or None  # in microseconds


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals: kernels of two streams that overlap count once."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
