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
from benchsuite.measurement.timing import SamplingPlan, measure_time
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
    """A way to take samples.

    Attributes:
        sample: times a step. A published protocol heeds only `threads` of the plan.
        gradients: True if an inference step is to run with gradients enabled and the module in train mode, as
            it does where nobody has switched them off.
    """

    sample: Callable[[Step, Device, SamplingPlan], Timing]
    gradients: bool = False


def litv2(step: Step, device: Device, plan: SamplingPlan) -> Timing:
    """The throughput loop of LITv2, and of Swin and others before it: 50 calls to warm up, then 30 as one
    block. One sample, the mean of the 30.

    Source: ziplab/LITv2 @ 7501c86, `classification/main.py`.
    """
    warmup_s = device.time_block(step, 50)
    return _one_block(step, device, plan, calls=30, warmup_calls=50, warmup_s=warmup_s)


def hilo_single_layer(step: Step, device: Device, plan: SamplingPlan) -> Timing:
    """The HiLo authors' benchmark of single layers: 30 calls as one block without a warm-up, gradients on.
    One sample, the mean of the 30, so that a slow first call is a thirtieth of it.

    It is faithful only where the step has not run before in this process.

    Source: HubHop/vit-attention-benchmark @ 1283a49, `attentions/utils.py`.
    """
    return _one_block(step, device, plan, calls=30, warmup_calls=0, warmup_s=0.0)


def timm(step: Step, device: Device, plan: SamplingPlan) -> Timing:
    """Timm's benchmark.py: 10 calls to warm up, then 40, the device waited for after each.

    Source: huggingface/pytorch-image-models @ aa4b5850, `benchmark.py`.
    """
    warmup_s = device.time_block(step, 10)
    samples = [device.time_block(step, 1) for _ in range(40)]
    return _timing(samples, HOST_CLOCK, plan, warmup_calls=10, warmup_s=warmup_s)


def do_bench(step: Step, device: Device, plan: SamplingPlan) -> Timing:
    """`triton.testing.do_bench`: one call, five for an estimate, then 25 ms of warm-up and 100 ms of samples
    by that estimate. On a GPU 256 MB are written before each sample, and before each call of the estimate,
    which counts them in; on a CPU nothing is. Its default answer is the mean of the samples, which are kept.

    Source: triton 3.9.0, `triton/testing.py`.
    """
    clear = None if kind_of(device.kind).on_host else device.eraser(DO_BENCH_CLEARED_BYTES)

    def cleared() -> None:
        if clear is not None:
            clear()
        step()

    start = device.now()
    device.time_block(step, 1)
    estimate_s = device.time_block(cleared, DO_BENCH_ESTIMATE_CALLS) / DO_BENCH_ESTIMATE_CALLS
    estimate_s = max(estimate_s, 1e-9)  # a clock may not have moved
    warm, calls = (max(1, int(budget / estimate_s)) for budget in (DO_BENCH_WARMUP_S, DO_BENCH_SAMPLES_S))
    device.time_block(step, warm)
    warmup_s = device.now() - start
    samples = device.time_calls(step, calls, before=clear)
    warmup_calls = 1 + DO_BENCH_ESTIMATE_CALLS + warm
    return _timing(samples, device.method, plan, warmup_calls=warmup_calls, warmup_s=warmup_s)


PROTOCOLS: Mapping[Protocol, Sampling] = {
    "adaptive": Sampling(measure_time),
    "litv2": Sampling(litv2),
    "hilo_single_layer": Sampling(hilo_single_layer, gradients=True),
    "timm": Sampling(timm),
    "do_bench": Sampling(do_bench),
}
"""Word of a scenario's `protocol` axis → how it samples."""
assert tuple(PROTOCOLS) == get_args(Protocol)


def _one_block(
    step: Step, device: Device, plan: SamplingPlan, *, calls: int, warmup_calls: int, warmup_s: float
) -> Timing:
    mean = device.time_block(step, calls) / calls
    return _timing([mean], HOST_CLOCK, plan, warmup_calls=warmup_calls, warmup_s=warmup_s, calls=calls)


def _timing(
    samples: Sequence[float],
    method: str,
    plan: SamplingPlan,
    *,
    warmup_calls: int,
    warmup_s: float,
    calls: int = 1,
) -> Timing:
    return Timing(
        samples_s=tuple(samples),
        method=method,
        warmup_calls=warmup_calls,
        warmup_s=warmup_s,
        stopped_by="protocol",
        threads=plan.threads,
        calls_per_sample=calls,
    )
