"""Bi-level routing attention: keys and values of the chosen regions gathered, and then cut into heads."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.biformer import BiLevelRoutingAttention, BiLevelRoutingAttention2d
from plain.windows import cut, merged

Mixer = BiLevelRoutingAttention | BiLevelRoutingAttention2d


def routing(mixer: BiLevelRoutingAttention, x: Tensor) -> Tensor:
    """Regions are chosen by scaled products of mean queries and keys."""
    batch, height, width, _ = x.shape
    size, region = (height, width), (height // mixer.n_win, width // mixer.n_win)
    q, k, v = mixer.qkv(x).split((mixer.qk_dim, mixer.qk_dim, mixer.dim), dim=-1)
    local = mixer.lepe(v.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    q, k, v = (cut(t, region).unflatten(0, (batch, -1)) for t in (q, k, v))
    with torch.no_grad():
        logits = (q.mean(dim=2) * mixer.scale) @ k.mean(dim=2).transpose(1, 2)
    mixed = _to_chosen(mixer, q, k, v, logits.topk(mixer.topk, dim=-1).indices)
    out: Tensor = mixer.wo(merged(mixed, size, region) + local)
    return out


def routing_of_maps(mixer: BiLevelRoutingAttention2d, x: Tensor) -> Tensor:
    """The same on maps with channels first; products between regions are not scaled."""
    batch, _, height, width = x.shape
    size, region = (height, width), (height // mixer.n_win, width // mixer.n_win)
    q, k, v = mixer.qkv_linear(x).chunk(3, dim=1)
    local = mixer.lepe(v)
    with torch.no_grad():
        mean_q, mean_k = (F.avg_pool2d(t, region).flatten(2) for t in (q, k))
        logits = mean_q.transpose(1, 2) @ mean_k
    q, k, v = (cut(t.permute(0, 2, 3, 1), region).unflatten(0, (batch, -1)) for t in (q, k, v))
    mixed = _to_chosen(mixer, q, k, v, logits.topk(mixer.topk, dim=-1).indices)
    out: Tensor = mixer.output_linear(merged(mixed, size, region).permute(0, 3, 1, 2) + local)
    return out


def _to_chosen(mixer: Mixer, q: Tensor, k: Tensor, v: Tensor, chosen: Tensor) -> Tensor:
    """Attention of each region's tokens to those of its chosen regions.

    Args:
        q, k, v: (B, regions, tokens, dim); chosen: (B, regions, topk).

    Returns:
        (B · regions, tokens, dim).
    """
    image = torch.arange(len(q), device=q.device)[:, None, None]
    k, v = (t[image, chosen].flatten(2, 3) for t in (k, v))  # B, regions, topk · tokens, dim
    q, k, v = (t.flatten(0, 1).unflatten(2, (mixer.num_heads, -1)).transpose(1, 2) for t in (q, k, v))
    attn = (q * mixer.scale) @ k.transpose(-2, -1)  # B · regions, heads, tokens, topk · tokens
    return (attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
