"""Operators that a step calls, by torch's profiler: their shares of its time, a trace for TensorBoard and
Perfetto, and which backend its attention runs on.

The profiler slows a step down, the more the smaller its operators are: the shares say where the time goes,
not how long a step takes. Never in the process that times.

torch-tb-profiler, the TensorBoard plugin for such traces, has the parser. Nobody maintains it any more, so it
runs in a process of its own with a time limit, and only its parser does: its loader would start processes
itself. Where it fails, the profiler's own table, `key_averages()`, says the same.

The two differ in one thing on a GPU: what an operator waits for the driver, as in a launch, is its own time
to the parser, and a row apart (left out here) in the table.

Run as `python -m benchsuite.measurement.operator_profile TRACE` it prints the parser's rows as JSON. torch is
imported on use, since a `Reading` is also read where there is none.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchsuite.results.record import AttentionBackend, OpShare

if TYPE_CHECKING:
    from benchsuite.measurement.device import Step

logger = logging.getLogger(__name__)

TRACE_PARSER = "torch-tb-profiler"
PROFILER_TABLE = "torch.profiler key_averages"
LIMIT_S = 60.0
"""Seconds that the parser may take. It reads some hundred thousand events in that time."""
_US = 1e-6  # in which both count
_STEP = "ProfilerStep"
_DEVICE_EVENTS = ("Kernel", "Memcpy", "Memset")
_OF_THE_DRIVER = re.compile(
    r"(cuda|cu|hip)[A-Z]|(Activity Buffer Request|Command Buffer Full|Instrumentation|Lazy Function Loading"
    r"|Runtime Triggered Module Loading)"
)
"""Rows of the table that are calls of the driver and what the profiler itself costs."""

_OPERATORS: Mapping[str, AttentionBackend] = {
    "aten::_scaled_dot_product_flash_attention": "flash",
    "aten::_scaled_dot_product_flash_attention_for_cpu": "flash",
    "aten::_scaled_dot_product_efficient_attention": "efficient",
    "aten::_scaled_dot_product_cudnn_attention": "cudnn",
    "aten::_scaled_dot_product_attention_math": "math",
}
_COMPILED = "Torch-Compiled Region"
"""Name that the profiler gives a call of compiled code."""

Kind = Literal["operator", "kernel"]


@dataclass(frozen=True, slots=True)
class OpTotal:
    """One operator or kernel, over all steps of a trace.

    Attributes:
        seconds: own time, without what it calls.
    """

    name: str
    kind: Kind
    seconds: float
    calls: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Contents of a trace.

    Attributes:
        ops: the largest of each kind, the largest first.
        reader: what read it: `TRACE_PARSER` or `PROFILER_TABLE`.
        trouble: why the trace's parser was not used; empty if it was.
    """

    ops: tuple[OpShare, ...]
    reader: str
    trouble: str = ""


class ParserError(Exception):
    """The trace's parser did not make it."""


def profile_step(step: Step, *, device: str, steps: int, top: int, trace: Path) -> Reading:
    """Profile `steps` calls of a step that is warm, and write their trace.

    One more call before them goes to the profiler, whose start is slow.

    Args:
        device: where the step runs; on a GPU its kernels are in the trace, too.
        top: how many operators, and how many kernels, to return.
        trace: where the trace is written, gzipped if the name ends so; its folder is made if needed.

    Raises:
        OSError: the trace cannot be written.
    """
    from torch.profiler import ProfilerActivity, profile, schedule

    from benchsuite.measurement.device import open_device

    where = open_device(device)
    activities = [ProfilerActivity.CPU]
    if where.activity:
        activities.append(getattr(ProfilerActivity, where.activity))
    plan = schedule(wait=0, warmup=1, active=steps, repeat=1)
    with profile(activities=activities, schedule=plan, acc_events=True) as profiler:
        for _ in range(1 + steps):
            step()
            where.synchronize()  # so that a step's kernels lie within the step
            profiler.step()
    trace.parent.mkdir(parents=True, exist_ok=True)
    profiler.export_chrome_trace(str(trace))
    return top_ops(trace, profiler.key_averages(), steps=steps, top=top)


def attention_backends(step: Step, *, flex: bool = False) -> tuple[AttentionBackend, ...]:
    """Backends that torch chose, or was told to take, in one call of `step`, each once.

    Operators are seen below the choice, so that "math" is seen too: torch falls back to it in silence. Empty
    where no operator of torch's attention runs: a module that forms the matrix itself calls none, and a
    replayed graph hides them.

    Args:
        flex: whether the compiled code that an eager step calls is `flex_attention`.
    """
    from torch.autograd.profiler import profile

    with profile(use_kineto=True) as profiler:
        step()
    results = profiler.kineto_results
    names = {event.name() for event in results.events()} if results else set()
    found = dict.fromkeys(backend for name, backend in _OPERATORS.items() if name in names)
    if flex and any(name.startswith(_COMPILED) for name in names):
        found["flex"] = None
    return tuple(found)


def top_ops(
    trace: Path, averages: Iterable[Any], *, steps: int, top: int, limit_s: float = LIMIT_S
) -> Reading:
    """The largest operators and kernels of a trace, by own time.

    Args:
        trace: Chrome trace as torch's profiler exports it, `.json` or `.json.gz`.
        averages: the same profiler's `key_averages()`, for where the trace cannot be read.
        steps: how many steps it holds.
        top: how many of each kind to return.
    """
    try:
        return Reading(shares(parsed_apart(trace, limit_s), steps=steps, top=top), TRACE_PARSER)
    except ParserError as error:
        logger.info("%s: %s; read from %s instead", trace, error, PROFILER_TABLE)
        return Reading(shares(of_averages(averages), steps=steps, top=top), PROFILER_TABLE, str(error))


def shares(totals: Sequence[OpTotal], *, steps: int, top: int) -> tuple[OpShare, ...]:
    """The largest `top` of each kind as shares of the own time of all of that kind, the largest first."""
    largest: list[OpShare] = []
    for kind in ("operator", "kernel"):
        alike = sorted(
            (total for total in totals if total.kind == kind), key=lambda total: (-total.seconds, total.name)
        )
        whole = sum(total.seconds for total in alike)
        largest += [
            OpShare(
                name=total.name,
                kind=total.kind,
                seconds=total.seconds / steps,
                share=total.seconds / whole,
                calls=total.calls / steps,
            )
            for total in alike[:top]
            if total.seconds > 0
        ]
    return tuple(sorted(largest, key=lambda share: -share.seconds))


def parsed_apart(trace: Path, limit_s: float = LIMIT_S) -> list[OpTotal]:
    """Run `parsed` in a process of its own.

    Raises:
        ParserError: it failed, or took longer than `limit_s`.
    """
    command = [sys.executable, "-m", "benchsuite.measurement.operator_profile", str(trace), str(limit_s)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise ParserError(f"{TRACE_PARSER} took longer than {limit_s:g} s") from None
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ParserError(f"{TRACE_PARSER} failed: {words[-1]}")
    try:
        return [OpTotal(*row) for row in json.loads(done.stdout.splitlines()[-1])]
    except (ValueError, TypeError, IndexError) as error:
        raise ParserError(f"{TRACE_PARSER} gave no answer: {error}") from error


def parsed(trace: Path) -> list[OpTotal]:
    """Read a trace with torch-tb-profiler's parser; raises whatever that raises.

    Of its stages only those that events and operators come from: that of kernels uses what pandas deprecates.
    """
    from torch_tb_profiler.profiler.data import RunProfileData
    from torch_tb_profiler.profiler.event_parser import EventParser
    from torch_tb_profiler.profiler.op_agg import ModuleAggregator

    text = gzip.decompress(trace.read_bytes()) if trace.suffix == ".gz" else trace.read_bytes()
    data = RunProfileData("benchsuite", None, json.loads(text))
    trees, _ = EventParser().parse(data.events, data.forward_backward_events)
    aggregator = ModuleAggregator()
    aggregator.aggregate(trees)
    totals = [
        OpTotal(one.name, "operator", max(0.0, one.self_host_duration * _US), one.calls)
        for one in aggregator.op_list_groupby_name
    ]
    on_device: dict[str, list[float]] = {}
    for event in data.events:
        if event.type in _DEVICE_EVENTS:
            on_device.setdefault(event.name, []).append(event.duration * _US)
    return totals + [OpTotal(name, "kernel", sum(took), len(took)) for name, took in on_device.items()]


def of_averages(averages: Iterable[Any]) -> list[OpTotal]:
    """Read a profiler's `key_averages()`, annotations and calls of the driver left out."""
    totals = []
    for row in averages:
        if row.is_user_annotation or row.key.startswith(_STEP):
            continue
        if row.device_type.name != "CPU":
            totals.append(OpTotal(row.key, "kernel", row.self_device_time_total * _US, row.count))
        elif not _OF_THE_DRIVER.match(row.key):
            totals.append(OpTotal(row.key, "operator", max(0.0, row.self_cpu_time_total * _US), row.count))
    return totals


def _main(trace: str, limit_s: str) -> None:
    if hasattr(signal, "setitimer"):  # ends this process also where the one that waits for it was killed
        signal.setitimer(signal.ITIMER_REAL, float(limit_s) + 1)
    rows = [(one.name, one.kind, one.seconds, one.calls) for one in parsed(Path(trace))]
    sys.stdout.write(f"\n{json.dumps(rows)}\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
