"""Scaled dot-product attention by an explicitly named kernel. The one place where mixers attend."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.profiler import record_function
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchsuite.mixers._watched import watched

Layout = Literal["BNC", "NCHW", "NHWC"]
"""B batch, N tokens in row-major order of the grid, C channels, H and W of the grid."""

ATTENTION_KERNELS = ("math", "sdpa", "flash", "mem_efficient", "cudnn")
"""Kernels of `attend`."""
FLEX_KERNELS = ("math", "sdpa", "flash", "mem_efficient", "cudnn", "flex")
"""Those of the mixers that also attend by `flex_attend` of `_flex.py`."""
ALL_KERNELS = ("math", "sdpa", "flash", "mem_efficient", "cudnn", "flex", "compiled")
"""All that a mixer may have; "compiled" is of `_compiled.py`."""

_BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "mem_efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
}


_FORMED = "aten::_scaled_dot_product_attention_math"


def split_heads(x: Tensor, num_heads: int, parts: int) -> tuple[Tensor, ...]:
    """(B, N, parts × C), one projection behind the other, as `parts` of (B, heads, N, head_dim); views."""
    return torch.unflatten(x, 2, (parts, num_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


class Axial(NamedTuple):
    """A bias that is the sum of one for the key's row and one for its column, keys on an H × W grid.

    Attributes:
        rows: (..., N, H).
        columns: (..., N, W).
    """

    rows: Tensor
    columns: Tensor

    def summed(self) -> Tensor:
        """(..., N, H · W)."""
        return (self.rows.unsqueeze(-1) + self.columns.unsqueeze(-2)).flatten(-2)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    kernel: str,
    bias: Tensor | Axial | None = None,
    dropout: float = 0.0,
    scale_q: bool = False,
) -> Tensor:
    """softmax(q kᵀ / sqrt(head_dim) + bias) v.

    Args:
        q: (..., heads, N, head_dim); k, v: (..., heads, M, head_dim).
        kernel: "math" forms the (N, M) attention matrix as the papers' code does; "sdpa" lets torch choose
            among its fused kernels, and where a CPU has none, or one that only costs, forms the matrix in
            fewer passes than torch would; "flash", "mem_efficient" and "cudnn" force one of them.
        bias: added to the logits; broadcastable to (..., heads, N, M), or the two parts of such a one.
        dropout: probability of dropping an attention weight; pass 0 outside training.
        scale_q: "math" scales q (as Swin's code does) and not the logits (as ViT's, PVT's and HiLo's do). The
            result is the same, the passes over memory are not.

    Returns:
        (..., heads, N, head_dim).

    Raises:
        RuntimeError: torch cannot run the forced kernel on these tensors.
    """
    if kernel == "math":
        return _weights(q, k, bias, dropout, scale_q) @ v
    if kernel == "sdpa" and _better_formed(q, k, v, bias, dropout):
        # Who profiles sees the word of torch's own operator for it, so that records say which kernel ran.
        with record_function(_FORMED) if _profiled() else nullcontext():
            return _weights(q, k, bias, dropout, scale_q) @ v
    mask = bias.summed() if isinstance(bias, Axial) else bias
    if mask is not None:
        mask = mask.to(q.dtype)
    # A fused kernel takes channels that are beside each other in memory; for others torch forms the matrix.
    q, k, v = (t if t.stride(-1) == 1 else t.contiguous() for t in (q, k, v))
    if kernel == "sdpa" or q.is_meta:  # nothing runs on "meta", so there is no backend to force
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
    with sdpa_kernel(_BACKENDS[kernel]):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)


def _profiled() -> bool:
    """Whether torch's profiler is on; a label costs microseconds otherwise."""
    profiled: bool = torch.autograd._profiler_enabled()  # type: ignore[attr-defined]
    return profiled


def _better_formed(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | Axial | None, dropout: float) -> bool:
    """Whether torch has no fused kernel for these tensors on a CPU, or one whose backward pass is slower.

    It has none for a bias that gets a gradient, dropout, or keys that are not as wide as values. On the way
    back a fused kernel computes the weights anew, which takes longer than to keep them for few keys: mixers
    with 49 keys of 32 channels each were slower by it, those with 196 faster.
    """
    if not _chosen(q):
        return False
    learned = any(t.requires_grad for t in (bias if isinstance(bias, Axial) else [bias]) if t is not None)
    none = dropout > 0 or k.shape[-1] != v.shape[-1] or learned
    return none or (q.requires_grad and k.shape[-2] <= 2 * k.shape[-1])


def _chosen(q: Tensor) -> bool:
    """Whether the fastest way is chosen here: on a CPU, unless somebody looks at operators.

    Half precision is left to torch, which sums in single.
    """
    return q.is_cpu and q.dtype in (torch.float32, torch.float64) and not watched()


def _weights(q: Tensor, k: Tensor, bias: Tensor | Axial | None, dropout: float, scale_q: bool) -> Tensor:
    """The attention matrix: (..., heads, N, M)."""
    if isinstance(bias, Axial) and _chosen(q):
        weights = _added_product(q, k, bias.summed())
    else:
        weights = _logits(q, k, bias.summed() if isinstance(bias, Axial) else bias, scale_q)
    weights = weights.softmax(dim=-1)  # the same name, so that the logits' memory is free for the output
    return F.dropout(weights, dropout)


def _logits(q: Tensor, k: Tensor, bias: Tensor | None, scale_q: bool) -> Tensor:
    """Q kᵀ / sqrt(head_dim) + bias, as it is written."""
    scale, kt = q.shape[-1] ** -0.5, k.transpose(-2, -1)
    # In place where that is the same: the backward pass of a product does not need what it has put out.
    logits = (q * scale) @ kt if scale_q else (q @ kt).mul_(scale)
    if bias is None:
        return logits
    return logits.add_(bias) if bias.dtype == logits.dtype else logits + bias


def _added_product(q: Tensor, k: Tensor, bias: Tensor) -> Tensor:
    """The same in the memory of the bias, of which nobody else has use: the product scales and adds.

    Args:
        bias: (..., heads, N, M), with no axis to be repeated.
    """
    shape, as_shape = bias.shape, torch.ops.aten._unsafe_view  # as torch's products name what they put out
    logits = as_shape(bias, (-1, *shape[-2:]))
    del bias
    kt = k.flatten(0, -3).transpose(-2, -1)
    out: Tensor = as_shape(logits.baddbmm_(q.flatten(0, -3), kt, alpha=q.shape[-1] ** -0.5), shape)
    return out


def attend_maps(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    kernel: str,
    bias: Tensor | Axial | None = None,
    dropout: float = 0.0,
    scale_q: bool = False,
) -> Tensor:
    """Attention over positions of tensors whose last axis they are, as they come out of 1 × 1 convolutions.

    Args:
        q, k: (B, heads, head_dim, N); v: (B, heads, width, N).
        bias, kernel, dropout, scale_q: as for `attend`.

    Returns:
        (B, heads × width, N).
    """
    q, k = q.transpose(-2, -1), k.transpose(-2, -1)
    if kernel == "math" and not torch.is_grad_enabled():
        # Maps into maps, so that none is copied; on the way back it would be the attention matrix that is.
        return (v @ _weights(q, k, bias, dropout, scale_q).transpose(-2, -1)).flatten(1, 2)
    out = attend(q, k, v.transpose(-2, -1), kernel=kernel, bias=bias, dropout=dropout, scale_q=scale_q)
    return out.transpose(-2, -1).flatten(1, 2)


def as_heads(x: Tensor, num_heads: int) -> Tensor:
    """(B, C, …) maps as (B, heads, head_dim, N), as `attend_maps` takes them."""
    return x.reshape(x.shape[0], num_heads, x.shape[1] // num_heads, -1)
