"""Memory of one step, in a pass of its own: never while anything is timed.

Four numbers that are easily taken for each other: the weights; the largest sum of live tensors; what the
caching allocator held for them; and what the whole process had, libraries and all.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from benchsuite.measurement import process_memory
from benchsuite.measurement.device import Step
from benchsuite.results.record import Memory


def tensor_bytes(*tensors: torch.Tensor) -> int:
    """Bytes of the tensors' elements; for whole tensors that is what the allocator was asked for."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def module_bytes(module: nn.Module) -> int:
    """Bytes of a module's parameters and buffers."""
    return tensor_bytes(*module.parameters(), *module.buffers())


def gradient_bytes(module: nn.Module) -> int:
    """Bytes of the gradients that a module's parameters have now."""
    return tensor_bytes(*(one.grad for one in module.parameters() if one.grad is not None))


def optimizer_bytes(optimizer: Optimizer, *kinds: str) -> int:
    """Bytes of an optimizer's state on devices of these types; for a GPU it counts its steps on the CPU."""
    return tensor_bytes(*(one for one in _tensors(optimizer.state) if one.device.type in kinds))


def measure_memory(
    step: Step,
    module: nn.Module,
    inputs: torch.Tensor,
    *,
    optimizer: Optimizer | None = None,
    backward: bool = False,
) -> Memory:
    """Memory of one call of `step`, which runs `module` on `inputs` and returns its forward pass's output.

    The peak begins with weights, input and the optimizer's state, which are there before, and ends with no
    gradients of an earlier step. On CUDA the caching allocator's own peaks, with the peak counter reset
    first, less what other cells have left allocated. A CUDA graph that is replayed allocates nothing: its
    memory is what its own pool holds, which is all that it ever had, in whole segments. On a CPU the largest
    sum of live tensors that torch's allocator handed out during the step, read from the profiler's memory
    events; scratch space that a library allocates past torch (MKL, oneDNN) is not seen. The process is looked
    at in a step of its own, which no profiler watches.

    Args:
        optimizer: what the step trains with, for its state.
        backward: whether the step goes back from a gradient of its output that is made once and kept, as all
            that comes after the module would give it. It counts; it is as large as the output.
    """
    output = step()  # what is made once and kept (masks, workspaces, autotuned algorithms) is not the peak
    given_back = tensor_bytes(*_tensors(output))
    del output
    gradients, kind = gradient_bytes(module), inputs.device.type
    state = optimizer_bytes(optimizer, kind) if optimizer is not None else 0
    weights, given = module_bytes(module), tensor_bytes(inputs)
    held = weights + given + state + (given_back if backward else 0)
    _drop_gradients(module, inputs)
    reserved, process = None, None
    method = "torch_profiler"
    if kind == "cuda":
        peak, reserved = _cuda_peak(step, inputs.device)
        graphs = _graph_bytes(inputs.device)
        peak, method = peak + graphs, "cuda_graph_pool" if graphs else "cuda_allocator"
        process = process_memory.on_gpu(inputs.device)
    else:
        peak = _cpu_peak(step)
        _drop_gradients(module, inputs)
        process = process_memory.peak_of(step)
    return Memory(
        peak_allocated_bytes=held + peak,
        peak_reserved_bytes=reserved,
        weights_bytes=weights,
        input_bytes=given,
        method=method,
        output_bytes=given_back or None,
        gradient_bytes=gradients,
        optimizer_bytes=state,
        process_bytes=process,
    )


def _drop_gradients(module: nn.Module, inputs: torch.Tensor) -> None:
    """A step does so at its beginning; done before it, they are not taken for memory that the step frees."""
    module.zero_grad(set_to_none=True)
    inputs.grad = None


def _tensors(value: Any) -> list[torch.Tensor]:
    values = value.values() if isinstance(value, dict) else [value]
    return [leaf for one in values for leaf in tree_leaves(one) if isinstance(leaf, torch.Tensor)]


def _cuda_peak(step: Step, device: torch.device) -> tuple[int, int]:
    """Largest number of bytes that the step adds to what is allocated, and the largest that is reserved."""
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before, torch.cuda.max_memory_reserved(device)


def _graph_bytes(device: torch.device) -> int:
    """Bytes that CUDA graphs hold for themselves, in pools apart from that of all other tensors."""
    segments = torch.cuda.memory_snapshot()  # type: ignore[no-untyped-call]  # torch gives it no types
    return sum(
        int(one["total_size"])
        for one in segments
        if one["device"] == device.index and tuple(one["segment_pool_id"]) != (0, 0)
    )


def _cpu_peak(step: Step) -> int:
    """Largest sum of bytes allocated and not yet freed during the step."""
    from torch.autograd.profiler import profile

    with profile(use_kineto=True, profile_memory=True) as profiler:  # the one inside of `torch.profiler`'s
        step()
    results = profiler.kineto_results
    events = [event for event in results.events() if event.name() == "[memory]"] if results else []
    live = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak
