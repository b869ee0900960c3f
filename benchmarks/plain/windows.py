"""Attention inside of windows and stripes, and HiLo, with grids cut and merged by reshaping."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.acmix_swin import ACmixWindowAttention
from benchsuite.mixers.cswin import CrossShapedWindowAttention, StripeAttention
from benchsuite.mixers.davit import DaViTWindowAttention
from benchsuite.mixers.hilo import HiLo
from benchsuite.mixers.swin import WindowAttention
from benchsuite.mixers.twins import LocallyGroupedAttention, TwinsAttention
from plain.global_attention import heads_of, reduced, relative_bias

Size = tuple[int, int]


def windows(mixer: WindowAttention, x: Tensor, size: Size) -> Tensor:
    """W-MSA: attention of the tokens of a window, with a relative bias."""
    tokens = cut(x.unflatten(1, size), (mixer.window_size, mixer.window_size))
    mixed = _attend(mixer, mixer.qkv(tokens))
    return merged(mixer.proj(mixed), size, (mixer.window_size, mixer.window_size)).flatten(1, 2)


def unbiased_windows(mixer: DaViTWindowAttention | LocallyGroupedAttention, x: Tensor, size: Size) -> Tensor:
    """The same without a bias."""
    window = (mixer.window_size, mixer.window_size)
    q, k, v = heads_of(mixer.qkv(cut(x.unflatten(1, size), window)), mixer.num_heads, 3)
    attn = (q * mixer.head_dim**-0.5) @ k.transpose(-2, -1)
    mixed = (attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
    return merged(mixer.proj(mixed), size, window).flatten(1, 2)


def _attend(mixer: WindowAttention, qkv: Tensor) -> Tensor:
    """(B · windows, tokens, 3 · dim) → (B · windows, tokens, dim)."""
    q, k, v = heads_of(qkv, mixer.num_heads, 3)
    bias = relative_bias(mixer.relative_position_bias_table, (mixer.window_size, mixer.window_size))
    attn = (q * mixer.head_dim**-0.5) @ k.transpose(-2, -1) + bias
    return (attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)


def cut(x: Tensor, window: Size) -> Tensor:
    """(B, H, W, C) → (B · windows, tokens of a window, C)."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // window[0], window[0], width // window[1], window[1], channels)
    return x.transpose(2, 3).reshape(-1, window[0] * window[1], channels)


def merged(x: Tensor, size: Size, window: Size) -> Tensor:
    """The inverse of `cut`."""
    x = x.view(-1, size[0] // window[0], size[1] // window[1], *window, x.shape[-1])
    return x.transpose(2, 3).reshape(x.shape[0], *size, -1)


def acmix_windows(mixer: ACmixWindowAttention, x: Tensor, size: Size) -> Tensor:
    """W-MSA, and a convolution of its queries, keys and values: a layer over the heads, then shifts."""
    window = (mixer.window_size, mixer.window_size)
    qkv = mixer.qkv(x).unflatten(1, size)  # B, H, W, 3 · dim
    maps = qkv.permute(0, 3, 1, 2).unflatten(1, (3 * mixer.num_heads, mixer.head_dim))
    mapped = mixer.conv.fc(maps.flatten(3))  # B, k², head_dim, H · W
    conv = mixer.conv.dep_conv(mapped.transpose(1, 2).flatten(1, 2).unflatten(2, size))
    attended = mixer.proj(merged(_attend(mixer, cut(qkv, window)), size, window))
    return (mixer.rate1 * attended + mixer.rate2 * conv.permute(0, 2, 3, 1)).flatten(1, 2)


def cross_shaped(mixer: CrossShapedWindowAttention, x: Tensor, size: Size) -> Tensor:
    """Half of the channels in vertical stripes, half in horizontal ones."""
    q, k, v = mixer.qkv(x).unflatten(2, (3, -1)).permute(2, 0, 1, 3)
    parts = zip(mixer.attns, *(t.chunk(len(mixer.attns), dim=-1) for t in (q, k, v)), strict=True)
    out: Tensor = mixer.proj(torch.cat([_stripes(attn, qkv, size) for attn, *qkv in parts], dim=-1))
    return out


def _stripes(mixer: StripeAttention, qkv: list[Tensor], size: Size) -> Tensor:
    """Attention in the stripes of (B, N, dim) queries, keys and values, and a convolution of the values."""
    stripe = {"vertical": (size[0], mixer.split_size), "horizontal": (mixer.split_size, size[1])}[
        mixer.stripes
    ]
    q, k, v = (cut(t.unflatten(1, size), stripe) for t in qkv)  # B · stripes, tokens, dim
    lepe = mixer.get_v(v.transpose(1, 2).reshape(-1, mixer.dim, *stripe)).flatten(2).transpose(1, 2)
    q, k, v, lepe = (heads_of(t, mixer.num_heads, 1)[0] for t in (q, k, v, lepe))
    attn = (q * mixer.head_dim**-0.5) @ k.transpose(-2, -1)
    mixed = attn.softmax(dim=-1) @ v + lepe
    return merged(mixed.transpose(1, 2).flatten(2), size, stripe).flatten(1, 2)


def hilo(mixer: HiLo, x: Tensor, size: Size) -> Tensor:
    """Heads in windows (Hi-Fi), and heads whose keys and values are of the averaged grid (Lo-Fi)."""
    maps, side, branches = x.unflatten(1, size), mixer.window_size, []
    if mixer.h_heads:
        qkv = mixer.h_qkv(maps)
        q, k, v = heads_of(cut(qkv, (side, side)), mixer.h_heads, 3)
        attn = (q @ k.transpose(-2, -1)) * mixer.head_dim**-0.5
        mixed = (attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
        branches.append(mixer.h_proj(merged(mixed, size, (side, side))))
    if mixer.l_heads:
        few = F.avg_pool2d(maps.permute(0, 3, 1, 2), side).flatten(2).transpose(1, 2)
        (q,), (k, v) = heads_of(mixer.l_q(x), mixer.l_heads, 1), heads_of(mixer.l_kv(few), mixer.l_heads, 2)
        attn = (q @ k.transpose(-2, -1)) * mixer.head_dim**-0.5
        mixed = (attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
        branches.append(mixer.l_proj(mixed).unflatten(1, size))
    return torch.cat(branches, dim=-1).flatten(1, 2)


def alternating(mixer: TwinsAttention, x: Tensor, size: Size) -> Tensor:
    """Windows, and then keys and values of a reduced grid."""
    return reduced(mixer.gsa, unbiased_windows(mixer.lsa, x, size), size)
