"""Which backend of torch's attention a step runs on, from the operators that it calls. Never while timing."""

from __future__ import annotations

from collections.abc import Mapping

from torch.autograd.profiler import profile

from benchsuite.measurement.device import Step
from benchsuite.results.record import AttentionBackend

_OPERATORS: Mapping[str, AttentionBackend] = {
    "aten::_scaled_dot_product_flash_attention": "flash",
    "aten::_scaled_dot_product_flash_attention_for_cpu": "flash",
    "aten::_scaled_dot_product_efficient_attention": "efficient",
    "aten::_scaled_dot_product_cudnn_attention": "cudnn",
    "aten::_scaled_dot_product_attention_math": "math",
}
_COMPILED = "Torch-Compiled Region"
"""How the profiler names a call of compiled code."""


def attention_backends(step: Step, *, flex: bool = False) -> tuple[AttentionBackend, ...]:
    """Backends that torch chose, or was told to take, in one call of `step`, each once.

    Operators are seen below the choice, so that "math" is seen too: torch falls back to it in silence. Empty
    where no operator of torch's attention runs: a module that forms the matrix itself calls none, and a
    replayed graph hides them.

    Args:
        flex: whether the compiled code that an eager step calls is `flex_attention`.
    """
    with profile(use_kineto=True) as profiler:
        step()
    results = profiler.kineto_results
    names = {event.name() for event in results.events()} if results else set()
    found = dict.fromkeys(backend for name, backend in _OPERATORS.items() if name in names)
    if flex and any(name.startswith(_COMPILED) for name in names):
        found["flex"] = None
    return tuple(found)
