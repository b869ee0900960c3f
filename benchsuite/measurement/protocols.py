"""Protocols of taking samples: benchsuite's own way, and those that published numbers were taken in.

A published protocol has its own counts and knows no rounds: it is run once, and has no interval. What it
leaves out (spread, warm-up, a wait between the calls) is left out here, too, so that the difference to
`adaptive` is what the protocol contributes to a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, get_args

from benchsuite.measurement.device import Device, Step
from benchsuite.measurement.stopping import StoppingRule, Visit
from benchsuite.measurement.timing import ALONE, WarmUp, measure_time
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Protocol as Word
from benchsuite.results.record import Timing

HOST_CLOCK = "host_clock"
"""Method of a timing whose samples were read on the host, the device idle before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingPlan:
    """Settings of sampling; all but `threads` is for `adaptive` alone. See `measure_time`."""

    threads: int
    warm_up: WarmUp
    stopping: StoppingRule
    visit: Visit = ALONE
    parts: Mapping[str, Step] = field(default_factory=dict)
    cold: Sequence[Step] = ()


class Sampling(Protocol):
    """A way to take samples."""

    name: ClassVar[Word]
    gradients: ClassVar[bool]
    """True if an inference step is to run with gradients enabled and the module in train mode, as it does
    where nobody has switched them off."""

    def sample(self, step: Step, device: Device, plan: SamplingPlan) -> Timing:
        """Time `step`."""
        ...


class Adaptive:
    """Warm up until nothing drifts, then sample until the stopping rule is satisfied, over several rounds."""

    name: ClassVar[Word] = "adaptive"
    gradients: ClassVar[bool] = False

    def sample(self, step: Step, device: Device, plan: SamplingPlan) -> Timing:
        return measure_time(
            step,
            device,
            plan.warm_up,
            plan.stopping,
            threads=plan.threads,
            visit=plan.visit,
            parts=plan.parts,
            cold=plan.cold,
        )


class LITv2:
    """The throughput loop of LITv2, and of Swin and others before it: 50 calls to warm up, then 30 as one
    block. One sample, the mean of the 30.

    Source: ziplab/LITv2 @ 7501c86, `classification/main.py`.
    """

    name: ClassVar[Word] = "litv2"
    gradients: ClassVar[bool] = False

    def sample(self, step: Step, device: Device, plan: SamplingPlan) -> Timing:
        warmup_s = device.time_block(step, 50)
        return _one_block(step, device, plan, calls=30, warmup_calls=50, warmup_s=warmup_s)


class HiLoSingleLayer:
    """The HiLo authors' benchmark of single layers: 30 calls as one block without a warm-up, gradients on.
    One sample, the mean of the 30, so that a slow first call is a thirtieth of it.

    It is faithful only where the step has not run before in this process.

    Source: HubHop/vit-attention-benchmark @ 1283a49, `attentions/utils.py`.
    """

    name: ClassVar[Word] = "hilo_single_layer"
    gradients: ClassVar[bool] = True

    def sample(self, step: Step, device: Device, plan: SamplingPlan) -> Timing:
        return _one_block(step, device, plan, calls=30, warmup_calls=0, warmup_s=0.0)


class Timm:
    """timm's benchmark.py: 10 calls to warm up, then 40, the device waited for after each.

    Source: huggingface/pytorch-image-models @ aa4b5850, `benchmark.py`.
    """

    name: ClassVar[Word] = "timm"
    gradients: ClassVar[bool] = False

    def sample(self, step: Step, device: Device, plan: SamplingPlan) -> Timing:
        warmup_s = device.time_block(step, 10)
        samples = [device.time_block(step, 1) for _ in range(40)]
        return _timing(samples, HOST_CLOCK, plan, warmup_calls=10, warmup_s=warmup_s)


class DoBench:
    """`triton.testing.do_bench`: one call, five for an estimate, then 25 ms of warm-up and 100 ms of samples
    by that estimate. On a GPU 256 MB are written before each sample, and before each call of the estimate,
    which counts them in; on a CPU nothing is. Its default answer is the mean of the samples, which are kept.

    Source: triton 3.9.0, `triton/testing.py`.
    """

    name: ClassVar[Word] = "do_bench"
    gradients: ClassVar[bool] = False
    WARMUP_S, SAMPLES_S, CLEARED_BYTES, ESTIMATE_CALLS = 0.025, 0.1, 256 << 20, 5

    def sample(self, step: Step, device: Device, plan: SamplingPlan) -> Timing:
        clear = None if kind_of(device.kind).on_host else device.eraser(self.CLEARED_BYTES)

        def cleared() -> None:
            if clear is not None:
                clear()
            step()

        start = device.now()
        device.time_block(step, 1)
        estimate_s = device.time_block(cleared, self.ESTIMATE_CALLS) / self.ESTIMATE_CALLS
        estimate_s = max(estimate_s, 1e-9)  # a clock may not have moved
        warm, calls = (max(1, int(budget / estimate_s)) for budget in (self.WARMUP_S, self.SAMPLES_S))
        device.time_block(step, warm)
        warmup_s = device.now() - start
        samples = device.time_calls(step, calls, before=clear)
        warmup_calls = 1 + self.ESTIMATE_CALLS + warm
        return _timing(samples, device.method, plan, warmup_calls=warmup_calls, warmup_s=warmup_s)


PROTOCOLS: Mapping[Word, Sampling] = {
    one.name: one for one in (Adaptive(), LITv2(), HiLoSingleLayer(), Timm(), DoBench())
}
"""Word of a scenario's `protocol` axis → how it samples."""
assert tuple(PROTOCOLS) == get_args(Word)


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
