"""The instrument held against things of known cost, and against other people's clocks. In this process."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite.health.verdict import Effort, Verdict, agreement, broken, close, equal_count
from benchsuite.measurement.cuda import kernel_seconds
from benchsuite.measurement.device import Device, Step, open_device
from benchsuite.measurement.macs import count_cost
from benchsuite.measurement.memory import measure_memory
from benchsuite.measurement.precision import precision_of
from benchsuite.measurement.stopping import FixedCount
from benchsuite.measurement.timing import SamplingPlan, WarmUp, measure_time
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Memory
from benchsuite.stats.intervals import quantile

CLOCKS, REPLAY = 0.02, 0.1
"""Share by which two clocks may be apart on the same work, and a replay from what a profiler adds up: the
profiler leaves out what lies between kernels."""
WAIT_S = 0.005
ROUNDING = 512
"""Bytes that torch's caching allocator rounds every tensor up to."""
MOST_CALLS = 64
"""Most calls in one go, as in a measurement."""
SIDE, HOST_SIDE = 4096, 512
"""Side of the square product that clocks are compared on: some milliseconds, so that no clock's own time
shows."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Device that the checks run on.

    Attributes:
        name: of the device, as torch takes it.
        noise: share by which identical cells differ here.
    """

    name: str
    timer: Device
    noise: float
    effort: Effort

    @property
    def on_host(self) -> bool:
        return kind_of(self.timer.kind).on_host


class KnownFusedAttention(nn.Module):
    """Attention of x (B, heads, N, head_dim) with itself by torch's fused operator, which many counters take
    to be free."""

    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)


class KnownCopy(nn.Module):
    """Reads every byte of its input once and writes as many."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


class KnownWait:
    """A step that keeps the host busy for `seconds`, by its own clock.

    Attributes:
        took_s: what each call took by that clock; an interrupted one took longer.
    """

    def __init__(self, seconds: float) -> None:
        self._ns = round(seconds * 1e9)
        self.took_s: list[float] = []

    def __call__(self) -> None:
        start = time.perf_counter_ns()
        while (now := time.perf_counter_ns()) - start < self._ns:
            pass
        self.took_s.append((now - start) * 1e-9)


Check = Callable[[str, Bench], Verdict]
Clock = Callable[[], float]
"""Reads the seconds of a step."""


def examine(device: str, noise: float, effort: Effort) -> Iterator[Verdict]:
    """Make all checks on a device that `resolve` has named; one that raises has failed."""
    bench = Bench(device, open_device(device), noise, effort)
    with precision_of("fp32", device):
        for name, check in CHECKS.items():
            yield _made(name, check, bench)
        if not bench.on_host:
            for name, check in ON_GPU.items():
                yield _made(name, check, bench)


def _made(name: str, check: Check, bench: Bench) -> Verdict:
    try:
        return check(name, bench)
    except Exception as error:  # noqa: BLE001  whatever it raises, the check has failed and the others go on
        return broken(name, error)


def _product_macs(name: str, bench: Bench) -> Verdict:
    rows, inner, outer = 49, 192, 320
    counted = count_cost(nn.Linear(inner, outer, bias=False), (torch.randn(rows, inner),))
    means = "the counter counts a product exactly"
    return equal_count(name, counted.macs, rows * inner * outer, "MACs", means)


def _attention_macs(name: str, bench: Bench) -> Verdict:
    heads, tokens, head_dim = 3, 49, 32
    counted = count_cost(KnownFusedAttention(), (torch.randn(1, heads, tokens, head_dim),))
    known = 2 * heads * tokens**2 * head_dim  # scores, and their product with the values
    found = counted.macs if counted.complete else None
    return equal_count(name, found, known, "MACs", "the counter sees into fused attention")


def _known_wait(name: str, bench: Bench) -> Verdict:
    wait, count = KnownWait(WAIT_S), bench.effort.waits
    rule = FixedCount(min_samples=count, max_samples=count, max_s=60.0)
    plan = SamplingPlan(WarmUp(2, 0.0), rule, threads=torch.get_num_threads())
    timing = measure_time(wait, bench.timer, plan)
    true = wait.took_s[-count:]  # what came before was warm-up
    ratios = [read / took for read, took in zip(timing.samples_s, true, strict=True)]
    return close(name, ratios, CLOCKS, f"a wait of {WAIT_S * 1e3:g} ms is read as what it is")


def _copied_bytes(name: str, bench: Bench) -> Verdict:
    size = 4 << 20
    memory = _memory(KnownCopy(), torch.zeros(size, dtype=torch.uint8, device=bench.name))
    moved = memory.weights_bytes + memory.input_bytes + (memory.output_bytes or 0)
    return equal_count(
        name, moved, 2 * size, "B", "the least that a copy must move is what it reads and writes"
    )


def _linear_memory(name: str, bench: Bench) -> Verdict:
    rows, inner, outer = 64, 256, 512
    layer = nn.Linear(inner, outer, bias=False, device=bench.name)
    memory = _memory(layer, torch.zeros(rows, inner, device=bench.name))
    known = 4 * (inner * outer + rows * inner + rows * outer)
    slack = 0 if bench.on_host else ROUNDING
    means = "the peak of a linear layer is weights, input and output"
    return equal_count(name, memory.peak_allocated_bytes, known, "B", means, slack=slack)


def _memory(module: nn.Module, x: Tensor) -> Memory:
    def step() -> Tensor:
        with torch.inference_mode():
            out: Tensor = module(x)
        return out

    return measure_memory(step, module, x)


def _torch_timer(name: str, bench: Bench) -> Verdict:
    from torch.utils.benchmark import Timer

    def theirs(step: Step) -> Clock:
        # Timer would otherwise take one thread.
        timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
        return lambda: float(timer.blocked_autorange(min_run_time=bench.effort.turn_s).median)

    return _clocks_agree(name, bench, theirs, "torch.utils.benchmark reads the same time")


def _do_bench(name: str, bench: Bench) -> Verdict:
    if importlib.util.find_spec("triton") is None:
        return Verdict(name, "skip", "–", "–", "triton is not installed")
    do_bench = importlib.import_module("triton.testing").do_bench

    def theirs(step: Step) -> Clock:
        rep = round(bench.effort.turn_s * 1e3)
        return lambda: float(do_bench(step, rep=rep, return_mode="median")) * 1e-3

    return _clocks_agree(name, bench, theirs, "triton's do_bench reads the same time")


def _events_and_wall(name: str, bench: Bench) -> Verdict:
    def theirs(step: Step) -> Clock:
        calls = _calls(step, bench)
        return lambda: bench.timer.time_block(step, calls) / calls

    return _clocks_agree(name, bench, theirs, "events and the host's clock agree on long kernels")


def _clocks_agree(name: str, bench: Bench, theirs: Callable[[Step], Clock], means: str) -> Verdict:
    """Verdict on a product of matrices that our clock and another read in turns."""
    step = _square(bench)
    ratios = _in_turns(_ours(step, bench), theirs(step), bench.effort.turns)
    return agreement(name, ratios, CLOCKS, means, noise=bench.noise)


def _replay_and_profiler(name: str, bench: Bench) -> Verdict:
    if not bench.timer.captures:
        return Verdict(name, "skip", "–", "–", "no step can be captured on this kind of device")
    step = _square(bench)
    replayed = bench.timer.time_busy(step, MOST_CALLS)
    if replayed is None or replayed[0] != "cuda_graph":
        means = "a single product could not be captured as a CUDA graph"
        return Verdict(name, "fail", "–", "–", means)
    profiled = kernel_seconds(step, MOST_CALLS)
    if profiled is None:
        means = (
            "the profiler sees no kernels: no right to, or another profiler at work; busy time is unchecked"
        )
        return Verdict(name, "warn", "–", "–", means)

    def replay() -> float:
        found = bench.timer.time_busy(step, MOST_CALLS)
        assert found is not None
        return quantile(found[1], 0.5)

    def profile() -> float:
        return kernel_seconds(step, MOST_CALLS) or profiled

    ratios = _in_turns(replay, profile, min(bench.effort.turns, 4))
    means = "the replay of a graph takes as long as its kernels"
    return agreement(name, ratios, REPLAY, means, noise=bench.noise)


CHECKS: Mapping[str, Check] = {
    "MACs of a product": _product_macs,
    "MACs of fused attention": _attention_macs,
    "bytes of a copy": _copied_bytes,
    "memory of a linear layer": _linear_memory,
    "a wait of known length": _known_wait,
    "torch.utils.benchmark": _torch_timer,
}
"""Name → check, on any device."""

ON_GPU: Mapping[str, Check] = {
    "triton do_bench": _do_bench,
    "events and wall clock": _events_and_wall,
    "replay and profiler": _replay_and_profiler,
}


def _square(bench: Bench) -> Step:
    """A step that multiplies two square matrices of random numbers."""
    side = HOST_SIDE if bench.on_host else SIDE
    left, right = (torch.randn(side, side, device=bench.name) for _ in range(2))
    out = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=out)


def _calls(step: Step, bench: Bench) -> int:
    """Calls that take about as long as a turn."""
    bench.timer.time_calls(step, 1)  # the first one finds a kernel
    seconds = min(bench.timer.time_calls(step, 3))
    return max(3, min(MOST_CALLS, int(bench.effort.turn_s / seconds) if seconds else MOST_CALLS))


def _ours(step: Step, bench: Bench) -> Clock:
    """Median seconds of a call, the way that cells are timed."""
    calls = _calls(step, bench)
    return lambda: quantile(bench.timer.time_calls(step, calls), 0.5)


def _in_turns(ours: Clock, theirs: Clock, turns: int) -> list[float]:
    """Ours ÷ theirs, turn by turn; who begins changes, so that a drift of the machine cancels."""
    ours(), theirs()
    ratios: list[float] = []
    for turn in range(turns):
        if turn % 2:
            their_s, our_s = theirs(), ours()
        else:
            our_s, their_s = ours(), theirs()
        ratios.append(our_s / their_s)
    return ratios
