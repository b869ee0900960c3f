"""The time that a GPU works on a step, apart from the time that it waits for the host to launch kernels."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from benchsuite.measurement.device import Step
from benchsuite.measurement.torch_errors import loses_context

WARM_CALLS = 3
"""Calls on a side stream before a capture, as torch's notes on CUDA graphs have it: what a library allocates
or chooses on its first call must not happen during a capture."""


_failures: list[str] = []


def capture_failed() -> bool:
    """Whether a capture has failed in this process. torch's allocator may take it for one that goes on, and
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
