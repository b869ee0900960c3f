"""Attention that is linear in the tokens: keys and values summed up before the queries come."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.efficientvit import ReLULinearAttention
from benchsuite.mixers.lambda_layer import LambdaLayer
from benchsuite.mixers.linformer import Linformer
from benchsuite.mixers.mobilevit import SeparableSelfAttention
from benchsuite.mixers.performer import Performer
from plain.global_attention import heads_of

Size = tuple[int, int]


def random_features(mixer: Performer, x: Tensor, size: Size) -> Tensor:
    """FAVOR+: φ(q) (φ(k)ᵀ v) over φ(q) Σ φ(k)."""
    q, k, v = heads_of(mixer.qkv(x), mixer.num_heads, 3)
    q, k = _features(mixer, q, (-1,)), _features(mixer, k, (-2, -1))
    mixed = q @ (k.transpose(-2, -1) @ v)
    mixed = mixed / (q @ k.sum(dim=-2).unsqueeze(-1))
    out: Tensor = mixer.proj(mixed.transpose(1, 2).flatten(2))
    return out


def _features(mixer: Performer, x: Tensor, largest_over: tuple[int, ...]) -> Tensor:
    """(exp(ω x − |x|² / 2 − largest) + ε) / √m of (B, heads, N, head_dim), scaled by head_dim^(−1/4)."""
    x = x * mixer.head_dim**-0.25
    projected = x @ mixer.projection.t()
    half_norm = (x**2).sum(dim=-1, keepdim=True) / 2
    largest = projected.amax(dim=largest_over, keepdim=True).detach()
    return ((projected - half_norm - largest).exp() + 1e-4) * mixer.num_features**-0.5


def projected_tokens(mixer: Linformer, x: Tensor, size: Size) -> Tensor:
    """Softmax attention to a fixed number of rows, each a weighted sum of all tokens."""
    tokens = x.shape[1]
    k, v = mixer.kv(x).chunk(2, dim=-1)
    k = torch.einsum("bnd,nk->bkd", k, mixer.proj_k[:tokens])
    v = torch.einsum("bnd,nk->bkd", v, mixer.proj_v[:tokens])
    q, k, v = (heads_of(t, mixer.num_heads, 1)[0] for t in (mixer.q(x), k, v))
    attn = (q @ k.transpose(-2, -1)) * mixer.head_dim**-0.5
    out: Tensor = mixer.proj((attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
    return out


def relu_attention(mixer: ReLULinearAttention, x: Tensor) -> Tensor:
    """Divide v relu(k)ᵀ relu(q) by Σ relu(k)ᵀ relu(q), heads of the projections and of their aggregates."""
    qkv = mixer.qkv(x)
    qkv = torch.cat([qkv, *(aggregate(qkv) for aggregate in mixer.aggreg)], dim=1)
    q, k, v = qkv.flatten(2).unflatten(1, (-1, 3 * mixer.head_dim)).chunk(3, dim=2)  # B, heads, head_dim, N
    q, k = q.relu(), k.relu()
    mixed = (v @ k.transpose(-2, -1)) @ q
    mixed = mixed / (k.sum(dim=-1).unsqueeze(2) @ q + mixer.eps)
    out: Tensor = mixer.proj(mixed.flatten(1, 2).unflatten(2, x.shape[2:]))
    return out


def separable(mixer: SeparableSelfAttention, x: Tensor) -> Tensor:
    """One context vector of the tokens at each place of a patch, times their values."""
    batch, dim, height, width = x.shape
    side = mixer.patch_size
    rows, columns = height // side, width // side
    patches = x.reshape(batch, dim, rows, side, columns, side).permute(0, 1, 3, 5, 2, 4)
    patches = patches.reshape(batch, dim, side**2, rows * columns)
    query, key, value = mixer.qkv_proj(patches).split([1, dim, dim], dim=1)
    context = (key * query.softmax(dim=-1)).sum(dim=-1, keepdim=True)
    mixed = mixer.out_proj(value.relu() * context)
    mixed = mixed.reshape(batch, dim, side, side, rows, columns).permute(0, 1, 4, 2, 5, 3)
    return mixed.reshape(x.shape)


def lambdas(mixer: LambdaLayer, x: Tensor) -> Tensor:
    """Queries times a matrix of all keys and values, and times one of the values around each position."""
    q, k, v = mixer.qkv(x).split(mixer.widths, dim=1)
    q = mixer.norm_q(q).flatten(2).unflatten(1, (mixer.num_heads, mixer.head_dim))  # B, heads, K, N
    v = mixer.norm_v(v)
    content = torch.einsum("bkn,bvn->bkv", k.flatten(2).softmax(dim=-1), v.flatten(2))
    of_content = torch.einsum("bhkn,bkv->bhvn", q, content)
    conv = mixer.conv_lambda
    local = F.conv3d(v.unsqueeze(1), conv.weight.unsqueeze(2), conv.bias, padding=(0, *conv.padding))
    of_position = torch.einsum("bhkn,bkvn->bhvn", q, local.flatten(3))
    return (of_content + of_position).flatten(1, 2).unflatten(2, x.shape[2:])
