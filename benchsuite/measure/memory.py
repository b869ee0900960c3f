"""Peak memory of one step, in a pass of its own: never while anything is timed."""

from __future__ import annotations

import torch
from torch import nn

from benchsuite.measure.device import Step
from benchsuite.results.record import Memory


def tensor_bytes(*tensors: torch.Tensor) -> int:
    """Bytes of the tensors' elements; for whole tensors that is what the allocator was asked for."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def module_bytes(module: nn.Module) -> int:
    """Bytes of a module's parameters and buffers."""
    return tensor_bytes(*module.parameters(), *module.buffers())


def measure_memory(step: Step, module: nn.Module, inputs: torch.Tensor) -> Memory:
    """Peak memory of one call of `step`, which runs `module` on `inputs`.

    On CUDA the caching allocator's own peaks, with the peak counter reset first, less what other cells have
    left allocated. On a CPU the largest sum of live tensors that torch's allocator handed out during the
    step, read from the profiler's memory events, plus weights and input, which are there before; scratch
    space that a library allocates past torch (MKL, oneDNN) is not seen.
    """
    weights, given = module_bytes(module), tensor_bytes(inputs)
    step()  # what is made once and kept (masks, workspaces, autotuned algorithms) is not the step's peak
    if inputs.device.type == "cuda":
        return _cuda_peak(step, weights, given, inputs.device)
    return Memory(
        peak_allocated_bytes=weights + given + _cpu_peak(step),
        weights_bytes=weights,
        input_bytes=given,
        method="torch_profiler",
    )


def _cuda_peak(step: Step, weights: int, given: int, device: torch.device) -> Memory:
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    torch.cuda.synchronize(device)
    return Memory(
        peak_allocated_bytes=weights + given + torch.cuda.max_memory_allocated(device) - before,
        peak_reserved_bytes=torch.cuda.max_memory_reserved(device),
        weights_bytes=weights,
        input_bytes=given,
        method="cuda_allocator",
    )


def _cpu_peak(step: Step) -> int:
    """Largest sum of bytes allocated and not yet freed during the step."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    results = profiler.profiler.kineto_results if profiler.profiler else None
    events = [event for event in results.events() if event.name() == "[memory]"] if results else []
    live = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak
