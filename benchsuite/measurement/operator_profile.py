"""A few steps under torch's profiler: a trace for TensorBoard and Perfetto, and what took the time.

The profiler slows a step down, the more the smaller its operators are: the shares say where the time goes,
not how long a step takes. Never in the process that times.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from benchsuite.measurement.device import Step
from benchsuite.measurement.trace_events import Reading, top_ops


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
    on_gpu = torch.device(device).type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    plan = schedule(wait=0, warmup=1, active=steps, repeat=1)
    with profile(activities=activities, schedule=plan, acc_events=True) as profiler:
        for _ in range(1 + steps):
            step()
            if on_gpu:
                torch.cuda.synchronize(device)  # so that a step's kernels lie within the step
            profiler.step()
    trace.parent.mkdir(parents=True, exist_ok=True)
    profiler.export_chrome_trace(str(trace))
    return top_ops(trace, profiler.key_averages(), steps=steps, top=top)
