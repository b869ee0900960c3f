"""Stand-ins on "meta" for what a device does: fused attention and autocast, as far as memory is concerned.
And compiled code, which runs as it was written while somebody watches its operators."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter
from torch.overrides import TorchFunctionMode

from benchsuite.results.devices import kind_of


def uncompiled() -> AbstractContextManager[object]:
    """Compiled parts run as they were written. Where nothing was compiled, the compiler is not imported."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


class FusedAttention(TorchFunctionMode):
    """Puts an empty output in place of fused attention, and empty gradients in its backward pass.

    On "meta" torch runs the definition, which forms the matrix of every query with every key. A fused kernel
    allocates its output and one number a query, keeps both with its arguments for the backward pass, and
    there makes gradients and nothing else. Where no fused kernel takes the arguments the definition runs, as
    on the device: other than four dimensions, or channels that are not beside each other in memory; on a CPU
    also dropout, a mask that wants a gradient, or values of another width than the keys.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self._cpu = kind_of(device).on_host

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention and self._fuses(*args, **kwargs):
            mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
            return _Fused.apply(*args[:3], mask)  # type: ignore[no-untyped-call]
        return func(*args, **kwargs)

    def _fuses(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        **_: Any,
    ) -> bool:
        if q.dim() != 4 or any(one.stride(-1) != 1 for one in (q, k, v)):
            return False
        wanted = attn_mask is not None and attn_mask.requires_grad
        return not (self._cpu and (wanted or dropout_p or q.shape[-1] != v.shape[-1]))


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        out = q.new_empty((*q.shape[:-1], v.shape[-1]))
        normalizers = q.new_empty(q.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(q, k, v, mask, out, normalizers)
        return out

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, mask = ctx.saved_tensors[:4]
        of_mask = None
        if ctx.needs_input_grad[3]:  # a kernel makes it for every pair, whatever the mask was broadcast from
            of_mask = q.new_empty((*q.shape[:-1], k.shape[-2])).sum_to_size(mask.shape)
        return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v), of_mask


class Autocast(TorchFunctionMode):
    """Casts as `torch.autocast` does on a device: products to the lower format, on a GPU some others to fp32.

    Weights are cast once, and their copies kept until the backward pass begins, or to the end.
    Source: "Autocast Op Reference" of torch.amp. It knows the operators that mixers call and not all of them.
    """

    def __init__(self, dtype: torch.dtype, device: str) -> None:
        super().__init__()
        self._dtype = dtype
        self._raises = not kind_of(device).on_host
        self._weights: dict[Tensor, Tensor] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name == "backward":
            self._weights.clear()
        elif name in _LOWERED:
            args, kwargs = self._cast((args, kwargs or {}), self._dtype)
        elif name.startswith("fft_") or (name in _RAISED and self._raises):
            args, kwargs = self._cast((args, kwargs or {}), torch.float32)
        return func(*args, **(kwargs or {}))

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
        """Tensors of fp32, fp16 and bf16 in the format, through lists, tuples and dictionaries."""
        if isinstance(value, Tensor):
            return self._cast_tensor(value, dtype)
        if isinstance(value, tuple | list):
            return type(value)(self._cast(one, dtype) for one in value)
        if isinstance(value, dict):
            return {key: self._cast(one, dtype) for key, one in value.items()}
        return value

    def _cast_tensor(self, value: Tensor, dtype: torch.dtype) -> Tensor:
        if not value.is_floating_point() or value.dtype in (torch.float64, dtype):
            return value
        if value not in self._weights:
            copy = value.to(dtype)
            if not isinstance(value, Parameter):
                return copy
            self._weights[value] = copy
        return self._weights[value]


_LOWERED = frozenset(
    "linear matmul __matmul__ __rmatmul__ mm bmm mv addmm baddbmm addbmm einsum conv1d conv2d conv3d "
    "conv_transpose2d scaled_dot_product_attention".split()
)
_RAISED = frozenset(
    "softmax log_softmax layer_norm group_norm norm normalize exp pow __pow__ sum cumsum prod rsqrt "
    "softplus cosine_similarity".split()
)
