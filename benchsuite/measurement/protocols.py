"""Protocols of taking samples: benchsuite's own way, and those that published numbers were taken in.

A published protocol has its own counts and knows no rounds: it is run once, and has no interval. What it
leaves out (spread, warm-up, a wait between the calls) is left out here, too, so that the difference to
`adaptive` is what the protocol contributes to a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from benchsuite.measurement.device import Device, Step
from benchsuite.measurement.timing import SamplingPlan, Warmed, WarmUp, sample, warm
from benchsuite.results.cell import Protocol
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Timing

HOST_CLOCK = "host_clock"
"""Method of a timing whose samples were read on the host, the device idle before and after."""
DO_BENCH_WARMUP_S, DO_BENCH_SAMPLES_S = 0.025, 0.1
"""Seconds of warm-up and of samples of `do_bench`."""
DO_BENCH_CLEARED_BYTES = 256 << 20
"""What `do_bench` writes on a GPU before each sample."""
DO_BENCH_ESTIMATE_CALLS = 5


@dataclass(frozen=True, slots=True)
class Sampling:
    """A way to take samples: a warm-up, then samples.

    Attributes:
        warm: runs a step before it is sampled. A published protocol heeds nothing of the warm-up asked for.
        sample: times a step that is warm. A published protocol heeds only `threads` of the plan.
        gradients: True if an inference step is to run with gradients enabled and the module in train mode, as
            it does where nobody has switched them off.
    """

    warm: Callable[[Step, Device, WarmUp], Warmed]
    sample: Callable[[Step, Device, SamplingPlan, Warmed], Timing]
    gradients: bool = False


def unwarmed(step: Step, device: Device, warm_up: WarmUp) -> Warmed:
    """No warm-up, so that a slow first call is among the samples."""
    return Warmed(calls=0, seconds=0.0, call_s=0.0, stable=None)


def ten_calls(step: Step, device: Device, warm_up: WarmUp) -> Warmed:
    """The warm-up of timm."""
    return Warmed(calls=10, seconds=device.time_block(step, 10), call_s=0.0, stable=None)


def fifty_calls(step: Step, device: Device, warm_up: WarmUp) -> Warmed:
    """The warm-up of LITv2."""
    return Warmed(calls=50, seconds=device.time_block(step, 50), call_s=0.0, stable=None)


def block_of_thirty(step: Step, device: Device, plan: SamplingPlan, warmed: Warmed) -> Timing:
    """One sample, the mean of 30 calls as one block.

    After 50 calls it is the throughput loop of LITv2, and of Swin and others before it. Source: ziplab/LITv2
    @ 7501c86, `classification/main.py`.

    Without a warm-up and with gradients it is the HiLo authors' benchmark of single layers, faithful only
    where the step has not run before in this process. Source: HubHop/vit-attention-benchmark @ 1283a49,
    `attentions/utils.py`.
    """
    return _timing([device.time_block(step, 30) / 30], HOST_CLOCK, plan, warmed, calls=30)


def timm(step: Step, device: Device, plan: SamplingPlan, warmed: Warmed) -> Timing:
    """Timm's benchmark.py: 10 calls to warm up, then 40, the device waited for after each.

    Source: huggingface/pytorch-image-models @ aa4b5850, `benchmark.py`.
    """
    return _timing([device.time_block(step, 1) for _ in range(40)], HOST_CLOCK, plan, warmed)


def warm_do_bench(step: Step, device: Device, warm_up: WarmUp) -> Warmed:
    """The warm-up of `do_bench`: one call, five for an estimate, then 25 ms by that estimate."""
    clear = _clearing(device)

    def cleared() -> None:
        if clear is not None:
            clear()
        step()

    start = device.now()
    device.time_block(step, 1)
    estimate_s = device.time_block(cleared, DO_BENCH_ESTIMATE_CALLS) / DO_BENCH_ESTIMATE_CALLS
    estimate_s = max(estimate_s, 1e-9)  # a clock may not have moved
    calls = max(1, int(DO_BENCH_WARMUP_S / estimate_s))
    device.time_block(step, calls)
    return Warmed(1 + DO_BENCH_ESTIMATE_CALLS + calls, device.now() - start, estimate_s, stable=None)


def do_bench(step: Step, device: Device, plan: SamplingPlan, warmed: Warmed) -> Timing:
    """`triton.testing.do_bench`: after its warm-up 100 ms of samples by the estimate. On a GPU 256 MB are
    written before each sample, and before each call of the estimate, which counts them in; on a CPU nothing
    is. Its default answer is the mean of the samples, which are kept.

    Source: triton 3.9.0, `triton/testing.py`.
    """
    calls = max(1, int(DO_BENCH_SAMPLES_S / warmed.call_s))
    samples = device.time_calls(step, calls, before=_clearing(device))
    return _timing(samples, device.method, plan, warmed)


def _clearing(device: Device) -> Step | None:
    """Overwrites the cache of a GPU; None on a CPU."""
    return None if kind_of(device.kind).on_host else device.eraser(DO_BENCH_CLEARED_BYTES)


PROTOCOLS: Mapping[Protocol, Sampling] = {
    "adaptive": Sampling(warm, sample),
    "litv2": Sampling(fifty_calls, block_of_thirty),
    "hilo_single_layer": Sampling(unwarmed, block_of_thirty, gradients=True),
    "timm": Sampling(ten_calls, timm),
    "do_bench": Sampling(warm_do_bench, do_bench),
}
"""Word of a scenario's `protocol` axis → how it samples."""
assert tuple(PROTOCOLS) == get_args(Protocol)


def _timing(
    samples: Sequence[float], method: str, plan: SamplingPlan, warmed: Warmed, *, calls: int = 1
) -> Timing:
    return Timing(
        samples_s=tuple(samples),
        method=method,
        warmup_calls=warmed.calls,
        warmup_s=warmed.seconds,
        stopped_by="protocol",
        threads=plan.threads,
        calls_per_sample=calls,
    )
