"""The record of one cell: what was measured, or why there is nothing. Everything is in SI base units.

A *cell* is one point of a sweep (`results/cell.py`), a *sample* one timing, a *record* one cell's result. A
record keeps every sample; medians and intervals are derived on reading (`results/round_timings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal, get_args

from benchsuite.results.cell import Cell
from benchsuite.text import bounded, storable

RECORD_VERSION = 3
INTERRUPTED = "interrupted"
"""What ended the sampling of a cell whose run was asked to stop; going on with the run measures it anew."""

Status = Literal["ok", "oom", "timeout", "unsupported", "mismatch", "error", "crash", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)
"""`timeout`: took longer than it was given. `mismatch`: computed something else than the reference, so it was
not timed. `crash`: its process died. `skipped`: a rule of the scenario excludes it."""
AttentionBackend = Literal["flash", "efficient", "cudnn", "math", "flex"]
"""What torch's attention ran on. `efficient` is the memory-efficient kernel; `math` forms the matrix of all
pairs, which is what torch falls back to."""
_MOST_CHARACTERS = {"stage": 200, "kind": 200, "message": 2_000, "traceback": 10_000}
"""Of the texts of a failure."""


def _told(text: str, most: int) -> str:
    """What somebody's code said, as valid Unicode and bounded."""
    return bounded(storable(bounded(text, most)), most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """How long the device works on one step, gaps between kernels left out.

    Attributes:
        seconds: per step.
        method: "cuda_graph" (replay of the captured step) or "profiler" (sum of the kernels' times).
    """

    seconds: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the sampling of one round took of the system, summed over its blocks; read between them, never
    inside.

    Attributes:
        calls: steps that were sampled.
        wall_s: on the host's clock.
        user_s, system_s: CPU time of the process, in itself and in the kernel.
        minor_faults, major_faults: pages that were mapped, without and with reading a disk.
        voluntary_switches, involuntary_switches: how often the process gave its core up, or lost it.
    """

    calls: int
    wall_s: float
    user_s: float
    system_s: float
    minor_faults: int
    major_faults: int
    voluntary_switches: int
    involuntary_switches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Timed samples of one cell, in order of measurement; none is ever dropped.

    Attributes:
        samples_s: seconds per step (one forward pass, or forward and backward, of the whole batch).
        method: "cuda_events", "monotonic_clock", or "host_clock" of protocols that wait for the device.
        warmup_calls, warmup_s: what ran before the first sample, over all rounds.
        warmup_stable: whether the samples had stopped drifting when warm-up ended; None if nobody looked.
        stopped_by: what ended it: "precision", "entropy", "samples", "time", "rounds" or "protocol".
        precision: half width of the 95 % interval between rounds as a share of the median; None below three
            rounds.
        threads: intra-op CPU threads of torch while timing.
        allocator: how the process kept its memory: "retain", "system", or the name of a preloaded allocator.
        calls_per_sample: steps that one sample is the mean of; 1 but for protocols that time a block, and for
            steps that are short beside what the events of a GPU cost (`measurement/timing.py`).
        rounds: number of samples of each round, in order; empty where there was one round only. Every round
            is a process of its own (in records before version 3 all were in one); those with the same place
            in two records of one session are the same process.
        usage: of each round; empty where the system does not say, and before version 3.
        varies_most: which level has the larger share in the variance of the estimate, "rounds" or "samples";
            empty where nobody can tell.
        parts_s: part of a training step ("forward", "backward", "optimizer") → seconds of each sample.
        busy: None where it cannot be told, as on a CPU.
    """

    samples_s: tuple[float, ...]
    method: str
    warmup_calls: int
    warmup_s: float
    stopped_by: str
    threads: int
    warmup_stable: bool | None = None
    precision: float | None = None
    calls_per_sample: int = 1
    rounds: tuple[int, ...] = ()
    parts_s: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    busy: Busy | None = None
    allocator: str = "system"
    usage: tuple[Usage, ...] = ()
    varies_most: Literal["rounds", "samples", ""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the forward pass of one image costs, counted on the graph and not timed.

    Attributes:
        params: number of parameters, those that do not learn included.
        trainable_params: of those that learn; None in records that counted no others.
        macs: multiply–accumulates of convolutions, linear layers, matrix products and attention; a
            multiply–add is 1.
        other_ops: operations that are no multiply–adds (norms, softmax, elementwise, pooling), by kind.
        uncounted: operators that may hold multiply–adds and that the counter has no rule for, with
            their number of calls; if there are any, `macs` is a lower bound.
        counter: what counted, with its version.
        dense_3x3_macs: of `macs`, those of dense 3 × 3 convolutions of unit stride, which may be done with
            fewer multiplications; None in records that did not tell them apart.
        cross_check_macs: what another counter found, where both are exact; None if there is no such number.
    """

    params: int
    macs: int
    other_ops: Mapping[str, int] = field(default_factory=dict)
    uncounted: Mapping[str, int] = field(default_factory=dict)
    counter: str = ""
    trainable_params: int | None = None
    cross_check_macs: int | None = None
    dense_3x3_macs: int | None = None

    @property
    def complete(self) -> bool:
        """Whether `macs` is exact; if not, write "≥" in front of it."""
        return not self.uncounted

    @property
    def flops(self) -> int:
        """Floating-point operations, 2 × macs; derived only."""
        return 2 * self.macs


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of one step of the whole batch, in bytes.

    Attributes:
        peak_allocated_bytes: largest sum of live tensors, weights and input included.
        peak_reserved_bytes: largest amount held by the caching allocator; None on a CPU, which has none.
        weights_bytes, input_bytes: the share of the peak that is there before the step begins.
        output_bytes: what the forward pass returns; None in records that did not look.
        gradient_bytes, optimizer_bytes: gradients of the weights, and the optimiser's state, after a step; 0
            in inference.
        process_bytes: largest memory of the whole process as the system sees it: resident set on a CPU, what
            the driver has given it on a GPU. None if nobody says.
        method: how the peak was read: "cuda_allocator", "torch_profiler", or "cuda_graph_pool" where part of
            it is what a replayed graph holds, in whole segments.
    """

    peak_allocated_bytes: int
    peak_reserved_bytes: int | None = None
    weights_bytes: int
    input_bytes: int
    method: str
    output_bytes: int | None = None
    gradient_bytes: int = 0
    optimizer_bytes: int = 0
    process_bytes: int | None = None

    @property
    def activations_bytes(self) -> int:
        """What the step itself adds at the peak to weights, input and optimiser's state; gradients count."""
        return self.peak_allocated_bytes - self.weights_bytes - self.input_bytes - self.optimizer_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """What `torch.compile` did to a cell, all of it outside the timed region.

    Attributes:
        seconds: from the first call to the first result, compiling included.
        graphs: graphs that were compiled.
        graph_breaks: places where a graph had to end.
        recompiles: compilations after the first call; one inside the timed region makes the cell fail.
    """

    seconds: float
    graphs: int
    graph_breaks: int
    recompiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The cell's output beside that of a reference, on the same weights and input, before it was timed.

    Attributes:
        reference: what it was compared with: "math fp32".
        error: ‖output − reference‖ / ‖reference‖; None if it could not be compared.
        tolerance: the largest error that is no mismatch.
        images: how many images of the batch were compared.
        reason: why it could not be compared; empty if it was.
    """

    reference: str
    error: float | None
    tolerance: float
    images: int
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", _told(self.reason, _MOST_CHARACTERS["message"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of one step of the whole batch, where the device has a counter.

    Attributes:
        joules: per step, the idle draw included.
        idle_w: watts drawn before the cell ran; None if not read.
        seconds: how long the counter was watched.
        method: "nvml_energy_counter".
    """

    joules: float
    idle_w: float | None
    seconds: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """State of the machine right before and right after the timed region, never inside of it.

    Attributes:
        before, after: name → value as in `measurement/conditions.py`; what could not be read is absent.
    """

    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpShare:
    """One operator or kernel of a profiled step.

    Attributes:
        kind: "operator" (on the CPU) or "kernel" (on the GPU).
        seconds: own time per step, without what it calls.
        share: of the own time of all of its kind.
        calls: per step.
    """

    name: str
    kind: Literal["operator", "kernel"]
    seconds: float
    share: float
    calls: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a cell has no timing.

    Attributes:
        stage: where it happened: "plan", "build", "check", "time", "memory", "profile" or "worker".
        kind: the exception's class, or the signal's name.
        message: what it said.
        traceback: the last frames, trimmed; empty where there is nothing to learn from them.

    Texts are valid Unicode and bounded, whatever was raised: a record is a line that people read.
    """

    stage: str
    kind: str
    message: str
    traceback: str = ""

    def __post_init__(self) -> None:
        for name, most in _MOST_CHARACTERS.items():
            object.__setattr__(self, name, _told(getattr(self, name), most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Wall time that a cell took beside its warm-up and its samples, over all rounds, in seconds.

    Attributes:
        start_s: until the process that was asked began with it: the start of a process, and messages.
        build_s: building, compiling, and the comparison with the reference.
        inspection_s: the pass that times nothing, for memory, busy time and energy; it builds the cell anew.
    """

    start_s: float = 0.0
    build_s: float = 0.0
    inspection_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The result of one cell: numbers, or the reason why there are none.

    Attributes:
        id: the cell's id, stored so that a reader needs no code to find a cell.
        expected: for a status other than "ok", whether the scenario said that this would happen.
        started_at: UTC, ISO 8601.
        seconds: wall time that the cell took, set-up and all passes included.
        session: 1 for the first run into the folder, counting up with each resume; its machine is
            described in `environment.json`, or `environment-<session>.json` from the second on.
        attempts: how often it was tried; more than 1 where a retry rule applied.
        not_counted: why there is no `cost`, where counting was tried; the cell may be measured all the same.
        flags: what makes its samples suspicious, as words of `findings/flags.py`; none is dropped for them.
        profile: operators and kernels of a profiled step, the largest first.
        attention_backend: what the attention operators of torch that a step calls ran on, each once; empty if
            it calls none, None where nobody looked or compiled code hides them.
        spent: what else than warm-up and samples `seconds` holds; None where nobody looked.
    """

    version: int = RECORD_VERSION
    id: str
    cell: Cell
    status: Status
    failure: Failure | None = None
    expected: bool = False
    cost: Cost | None = None
    timing: Timing | None = None
    memory: Memory | None = None
    started_at: str
    seconds: float
    session: int = 1
    attempts: int = 1
    compilation: Compilation | None = None
    check: Check | None = None
    energy: Energy | None = None
    conditions: Conditions | None = None
    flags: tuple[str, ...] = ()
    profile: tuple[OpShare, ...] = ()
    not_counted: str = ""
    attention_backend: tuple[AttentionBackend, ...] | None = None
    spent: Spent | None = None

    @property
    def interrupted(self) -> bool:
        """Whether its sampling ended because the run was asked to stop."""
        return self.timing is not None and self.timing.stopped_by == INTERRUPTED

    @property
    def reason(self) -> str | None:
        """Why the cell has no numbers, in a line; None if it has."""
        return self.failure.message if self.failure else None

    @property
    def failed(self) -> bool:
        """Whether the cell failed in a way that the scenario did not expect."""
        return self.status not in ("ok", "skipped") and not self.expected


def now() -> str:
    """The moment as records write it: UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
