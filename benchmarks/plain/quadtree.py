"""QuadTree attention: maps of each level in row-major order, keys and values gathered token by token."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers._grid import as_map
from benchsuite.mixers.quadtree import QuadTreeAttention

Size = tuple[int, int]


def quadtree(mixer: QuadTreeAttention, x: Tensor, size: Size) -> Tensor:
    """Full attention at the coarsest level; below, each parent's children look into gathered regions."""
    x = as_map(x, size)
    queries, keys = (_pyramid(mixer, proj(x)) for proj in (mixer.q_proj, mixer.k_proj))
    values = _pyramid(mixer, mixer.v_proj(x))
    share: Tensor | None = None
    if mixer.variant == "B":
        values = [mixer.v_proj(x)]
        for branch in mixer.value_branches:
            values.insert(0, branch(values[0]))
        share = mixer.level_weight.softmax(dim=0)
    attn = _scores(mixer, _tokens(mixer, queries[0]), _tokens(mixer, keys[0])).softmax(dim=-1)
    score, region = attn.topk(mixer.topk)  # B, heads, N, topk
    weights = attn.scatter(-1, region, 0.0) if share is None else attn
    message = weights @ _tokens(mixer, values[0])
    if share is not None:
        message = (message + _tokens(mixer, mixer.lepe[0](values[0]))) * share[0]
    for level in range(1, mixer.levels):
        parents = queries[level - 1].shape[2], queries[level - 1].shape[3]
        children = _children(region, parents)  # B, heads, P, topk · 4
        q = _by_parent(_tokens(mixer, queries[level]), parents)
        logits = _scores(mixer, q, _gathered(_tokens(mixer, keys[level]), children))
        if share is None:
            attn = (
                torch.unflatten(logits, -1, (mixer.topk, 4)).softmax(dim=-1) * score[:, :, :, None, :, None]
            )
            attn = attn.flatten(-2)
        else:
            attn = logits.softmax(dim=-1)
        last = level == mixer.levels - 1
        weights = attn
        if not last:
            best, place = attn.topk(mixer.topk)  # B, heads, P, 4, topk
            weights = attn.scatter(-1, place, 0.0) if share is None else attn
            region = children.unsqueeze(3).expand(-1, -1, -1, 4, -1).gather(-1, place)
            score, region = _to_grid(best, parents), _to_grid(region, parents)
        fine = _to_grid(weights @ _gathered(_tokens(mixer, values[level]), children), parents)
        if share is not None:
            fine = (fine + _tokens(mixer, mixer.lepe[level](values[level]))) * share[level]
        message = _to_grid(message.unsqueeze(3).expand(-1, -1, -1, 4, -1), parents) + fine
    out: Tensor = mixer.proj(message.transpose(1, 2).flatten(2))
    return out


def _pyramid(mixer: QuadTreeAttention, x: Tensor) -> list[Tensor]:
    """Averages of a (B, dim, H, W) map, coarsest first, the map itself last."""
    levels = [x]
    for _ in range(mixer.levels - 1):
        levels.insert(0, F.avg_pool2d(levels[0], 2))
    return levels


def _tokens(mixer: QuadTreeAttention, x: Tensor) -> Tensor:
    """(B, dim, H, W) → (B, heads, N, head_dim)."""
    return torch.unflatten(x.flatten(2), 1, (mixer.num_heads, mixer.head_dim)).transpose(2, 3)


def _scores(mixer: QuadTreeAttention, q: Tensor, k: Tensor) -> Tensor:
    scores: Tensor = (q @ k.transpose(-2, -1)) * mixer.head_dim**-0.5
    return scores


def _children(region: Tensor, parents: Size) -> Tensor:
    """(B, heads, P, topk) tokens of a grid → (B, heads, P, topk · 4) tokens of the next finer one."""
    width = parents[1]
    y, x = torch.div(region, width, rounding_mode="floor"), region % width
    first = 4 * width * y + 2 * x
    return torch.stack((first, first + 1, first + 2 * width, first + 2 * width + 1), dim=-1).flatten(-2)


def _gathered(x: Tensor, index: Tensor) -> Tensor:
    """(B, heads, N, head_dim) at (B, heads, P, K) → (B, heads, P, K, head_dim): a copy of each candidate."""
    of_channels = index.flatten(2).unsqueeze(-1).expand(-1, -1, -1, x.shape[-1])
    return x.gather(2, of_channels).view(*index.shape, -1)


def _by_parent(x: Tensor, parents: Size) -> Tensor:
    """(B, heads, 4P, …) in row-major order → (B, heads, P, 4, …)."""
    x = torch.unflatten(x, 2, (parents[0], 2, parents[1], 2))
    return x.transpose(3, 4).flatten(4, 5).flatten(2, 3)


def _to_grid(x: Tensor, parents: Size) -> Tensor:
    """The inverse of `_by_parent`."""
    x = torch.unflatten(torch.unflatten(x, 3, (2, 2)), 2, parents)
    return x.transpose(3, 4).flatten(2, 5)
