"""FlexAttention: torch compiles an attention kernel around a mixer's own bias and mask.

A bias or a mask is a function of a logit's place, which the kernel calls: no (N, M) matrix is formed, and
blocks of pairs that a mask leaves out are not multiplied. The kernel is compiled at the first call for each
shape, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers._compiled import run_compiled, unavailable

T = TypeVar("T")
Modify = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""score, batch, head, query, key → score, for a single pair, as torch's `score_mod`."""
Inside = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""batch, head, query, key → whether the query sees the key, for a single pair, as torch's `mask_mod`."""

BLOCK = 128  # torch's default


def flex_attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    modify: Modify | None = None,
    block_mask: Any = None,
    dropout: float = 0.0,
) -> Tensor:
    """softmax(modify(q kᵀ / sqrt(head_dim))) v, over the pairs that the mask leaves.

    Args:
        q: (B, heads, N, head_dim); k, v: (B, heads, M, head_dim).
        block_mask: what `block_mask_of` makes; None if every query sees every key.
        dropout: as for `attend`; anything but 0 is unavailable.

    Returns:
        (B, heads, N, head_dim). On "meta", where only shapes count, as if there were no mask.

    Raises:
        RuntimeError: begins with "No available kernel", as torch's own for a forced kernel: torch can compile
            none for this device, dtype or head_dim, or none that drops weights or has gradients.
    """
    if q.is_meta:
        return F.scaled_dot_product_attention(q, k, v)
    if dropout:
        raise unavailable("flex_attention drops no attention weights")
    if q.device.type == "cpu" and torch.is_grad_enabled() and any(t.requires_grad for t in (q, k, v)):
        raise unavailable("flex_attention has no backward pass on a CPU")
    return untraced(_run, q, k, v, modify, block_mask)


def untraced(function: Callable[..., T], *args: Any) -> T:
    """Call a function as it is, within `torch.compile` too, whose graph breaks there.

    On a CPU, torch 2.13 does not compile the kernel together with what makes its bias, nor what makes a mask.
    """
    if torch.compiler.is_compiling():
        # Not as a decorator, which would take seconds when this file is imported.
        function = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
    return function(*args)


def _run(q: Tensor, k: Tensor, v: Tensor, modify: Modify | None, block_mask: Any) -> Tensor:
    from torch.nn.attention.flex_attention import flex_attention  # takes long, and few need it

    return run_compiled(flex_attention, "flex_attention", q, k, v, modify, block_mask)


def block_mask_of(keys: Tensor, inside: Inside) -> Any:
    """A BlockMask of torch for queries that see a few keys each, without forming the (N, N) mask.

    Args:
        keys: (N, keys a query), the places of the keys, each once. There are N of them.
        inside: the same mask as a function.
    """
    from torch.nn.attention.flex_attention import BlockMask

    length, device = len(keys), keys.device
    blocks = -(-length // BLOCK)
    query_block = torch.arange(length, device=device).div(BLOCK, rounding_mode="floor")
    key_block = keys.div(BLOCK, rounding_mode="floor")
    pairs = torch.zeros(blocks, blocks, dtype=torch.long, device=device)
    pairs.index_put_((query_block[:, None], key_block), torch.ones_like(keys), accumulate=True)
    pairs = pairs[None, None]
    full = pairs == BLOCK**2  # the last block, if it is shorter, is never full
    return BlockMask.from_kv_blocks(
        *_listed((pairs > 0) & ~full),
        *_listed(full),
        BLOCK_SIZE=BLOCK,
        mask_mod=inside,
        seq_lengths=(length, length),
    )


def _listed(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """For each row, how many blocks are chosen, and all of them in the order chosen first."""
    order = chosen.int().argsort(dim=-1, descending=True, stable=True)
    return chosen.sum(-1, dtype=torch.int32), order.int()
