"""Parameters and multiply–adds of a module, counted on the graph of one forward pass by fvcore.

Nothing is computed: the module and its input may live on the "meta" device.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import warnings
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from benchsuite.measure.op_counts import FREE, HANDLES
from benchsuite.measure.tracing import tracing_on_meta
from benchsuite.results.record import Cost


def count_cost(module: nn.Module, inputs: tuple[object, ...], *, images: int = 1) -> Cost:
    """Count the forward pass of `module(*inputs)`.

    Args:
        inputs: tensors, and plain values such as the grid size, which are held constant.
        images: how many images the input holds; all counts are divided by it.

    Returns:
        The cost of one image. Operators without a rule are listed in `uncounted` with their number of calls.
    """
    tensors = tuple(value for value in inputs if isinstance(value, Tensor))
    analysis = _analysis()(_Constant(module, inputs), tensors)
    analysis.clear_op_handles()
    for name, handle in HANDLES.items():
        analysis.set_op_handle(name, handle)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    training, fastpath = module.training, torch.backends.mha.get_fastpath_enabled()
    module.eval()
    torch.backends.mha.set_fastpath_enabled(False)  # its one fused operator hides what it computes
    try:
        with torch.no_grad(), tracing_on_meta() if tensors[0].is_meta else contextlib.nullcontext():
            counts: Counter[str] = Counter(analysis.by_operator())
            unknown: Counter[str] = Counter(analysis.unsupported_ops())
    finally:
        module.train(training)
        torch.backends.mha.set_fastpath_enabled(fastpath)
    macs = sum(count for kind, count in counts.items() if kind.startswith("macs"))
    others = {
        kind: int(count) // images for kind, count in sorted(counts.items()) if not kind.startswith("macs")
    }
    return Cost(
        params=sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad),
        macs=int(macs) // images,
        other_ops={kind: count for kind, count in others.items() if count},
        uncounted={name: calls for name, calls in sorted(unknown.items()) if name not in FREE},
        counter=f"fvcore {importlib.metadata.version('fvcore')} with benchsuite's rules",
    )


def _analysis() -> Any:  # fvcore has no types
    """The class of fvcore. Importing it scripts a loss function on the way, of which recent torch warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from fvcore.nn import FlopCountAnalysis
    return FlopCountAnalysis


class _Constant(nn.Module):
    """`module` with every argument but the tensors fixed, since a graph takes tensors only.

    It owns the weights, which a graph takes too, but not the modules: fvcore would keep a scope of the graph
    for each, which takes a fifth of the time, and only the sum over all of them is asked for.
    """

    def __init__(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        super().__init__()
        self.hidden = (module,)  # in a tuple it is not registered
        self.inputs = inputs
        for number, parameter in enumerate(module.parameters()):
            self.register_parameter(f"parameter{number}", parameter)
        for number, buffer in enumerate(module.buffers()):
            self.register_buffer(f"buffer{number}", buffer)

    def forward(self, *tensors: Tensor) -> Tensor:
        given = iter(tensors)
        (module,) = self.hidden
        out: Tensor = module(*(next(given) if isinstance(value, Tensor) else value for value in self.inputs))
        return out
