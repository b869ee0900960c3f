"""Context broadcasting: the formulas, its places, and uniform heads as attention with equal weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers.context_broadcast import (
    ContextBroadcast,
    ContextBroadcastBlock,
    ContextBroadcastMLP,
    ContextBroadcastMSA,
    ScaledContextBroadcast,
    UniformHeadMSA,
)
from benchsuite.mixers.msa import MSA

DIM, HEADS, SIZE = 12, 3, (2, 4)


def tokens(number: int = 8) -> Tensor:
    return torch.randn(2, number, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def filled(module: nn.Module) -> Any:
    torch.manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double()


def context_of(x: Tensor, image: int, channel: int, kind: str) -> float:
    values = [float(x[image, n, channel]) for n in range(x.shape[1])]
    return {"mean": sum(values) / len(values), "max": max(values), "class": values[0]}[kind]


@pytest.mark.parametrize("kind", ["mean", "max", "class"])
@pytest.mark.parametrize("number", [8, 9])
def test_every_token_is_moved_towards_the_context(kind: str, number: int) -> None:
    """Nine tokens on eight places: a class token is one of those that the context is of."""
    x, scaled = tokens(number), filled(ScaledContextBroadcast(DIM, context=kind))
    plain_out, scaled_out = ContextBroadcast(DIM, context=kind)(x, SIZE), scaled(x, SIZE)
    for image in range(2):
        for c in range(DIM):
            context = context_of(x, image, c, kind)
            torch.testing.assert_close(plain_out[image, :, c], (x[image, :, c] + context) / 2)
            expected = x[image, :, c] + scaled.lam[c] * context
            torch.testing.assert_close(scaled_out[image, :, c], expected)


def test_broadcasting_has_no_parameters_and_scaling_one_a_channel() -> None:
    assert list(ContextBroadcast(DIM).parameters()) == []
    (lam,) = ScaledContextBroadcast(DIM).parameters()
    assert lam.shape == (DIM,)


def test_twelve_scales_of_vit_small_are_two_hundredths_of_a_percent_of_it() -> None:
    """The paper's statement: 4608 of 22.05 M parameters."""
    with torch.device("meta"):
        scales = 12 * sum(p.numel() for p in ScaledContextBroadcast(384).parameters())
    assert scales == 4608
    assert round(100 * scales / 22.05e6, 2) == 0.02


def test_scaled_broadcasting_starts_as_the_identity_and_learns() -> None:
    module, x = ScaledContextBroadcast(DIM).double(), tokens()
    out = module(x, SIZE)
    assert torch.equal(out, x)
    out.sum().backward()
    assert module.lam.grad is not None
    torch.testing.assert_close(module.lam.grad, 8 * x.mean(1).sum(0))


@pytest.mark.parametrize("scaled", [False, True])
def test_the_places_in_an_mlp(scaled: bool) -> None:
    x = tokens()
    for position in ("front", "mid", "end"):
        module = filled(ContextBroadcastMLP(DIM, mlp_ratio=2.0, position=position, scaled=scaled))

        def broadcast(y: Tensor, module: Any = module) -> Tensor:
            mean = y.mean(1, keepdim=True)
            return y + module.cb.lam * mean if scaled else (y + mean) / 2

        y = broadcast(x) if position == "front" else x
        y = module.fc1(y)
        y = y * (1 + torch.erf(y / 2**0.5)) / 2
        y = broadcast(y) if position == "mid" else y
        y = module.fc2(y)
        y = broadcast(y) if position == "end" else y
        torch.testing.assert_close(module(x, SIZE), y)


def test_in_the_middle_of_an_mlp_it_has_as_many_channels_as_the_hidden_layer() -> None:
    widths = {
        position: ContextBroadcastMLP(DIM, position=position, scaled=True).cb.dim
        for position in ("front", "mid", "end")
    }
    assert widths == {"front": DIM, "mid": 4 * DIM, "end": DIM}


def test_in_attention_it_follows_the_projection() -> None:
    module, x = filled(ContextBroadcastMSA(DIM, HEADS)), tokens()
    attended = module.attn(x, SIZE)
    torch.testing.assert_close(module(x, SIZE), (attended + attended.mean(1, keepdim=True)) / 2)


@pytest.mark.parametrize("place", ["none", "mlp", "msa", "both"])
def test_the_places_in_a_block(place: str) -> None:
    block, x = filled(ContextBroadcastBlock(DIM, HEADS, place=place)), tokens() * 0.001  # so that eps matters

    def normed(norm: nn.LayerNorm, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() * norm.weight + norm.bias

    def broadcast(y: Tensor) -> Tensor:
        return (y + y.mean(1, keepdim=True)) / 2

    attention = block.attn.attn if place in {"msa", "both"} else block.attn
    y = attention(normed(block.norm1, x), SIZE)
    expected = x + (broadcast(y) if place in {"msa", "both"} else y)
    y = block.mlp.fc1(normed(block.norm2, expected))
    y = block.mlp.fc2(y * (1 + torch.erf(y / 2**0.5)) / 2)
    expected = expected + (broadcast(y) if place in {"mlp", "both"} else y)
    torch.testing.assert_close(block(x, SIZE), expected)


def head_by_head(module: UniformHeadMSA, x: Tensor) -> Tensor:
    """All heads as attention matrices, the uniform one's filled with 1 / N, then joined and projected."""
    n, attending = x.shape[1], module.attn_heads
    q, k, v = module.qkv(x).chunk(3, -1)
    outputs = []
    for head in range(attending):
        part = slice(head * module.head_dim, (head + 1) * module.head_dim)
        weights = (q[..., part] @ k[..., part].mT / module.head_dim**0.5).softmax(-1)
        outputs.append(weights @ v[..., part])
    uniform = torch.full((n, n), 1 / n, dtype=x.dtype)
    outputs.append(uniform @ module.uniform_v(x))
    weight = torch.cat([module.proj.weight, module.uniform_proj.weight], dim=1)
    return torch.cat(outputs, -1) @ weight.T + module.proj.bias


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("uniform", ["replace", "compensated", "parallel"])
def test_a_uniform_head_attends_equally_to_all_tokens(uniform: str, kernel: str) -> None:
    module, x = filled(UniformHeadMSA(DIM, HEADS, uniform=uniform, kernel=kernel)), tokens()
    torch.testing.assert_close(module(x, SIZE), head_by_head(module, x))


def test_what_uniform_heads_do_to_the_number_of_parameters() -> None:
    def count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    with torch.device("meta"):
        msa = count(MSA(384, 6, qkv_bias=False))
        counts = {
            uniform: count(UniformHeadMSA(384, 6, uniform=uniform, qkv_bias=False))
            for uniform in ("replace", "compensated", "parallel")
        }
    head = 64 * 384
    assert counts == {"replace": msa - 2 * head, "compensated": msa, "parallel": msa + 2 * head}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContextBroadcast(8, context="min"), "unknown context 'min'; allowed: mean, max, class"),
        (
            lambda: ContextBroadcastMLP(8, position="last"),
            "unknown position 'last'; allowed: front, mid, end",
        ),
        (
            lambda: UniformHeadMSA(8, 2, uniform="all"),
            "unknown uniform 'all'; allowed: replace, compensated, parallel",
        ),
        (lambda: UniformHeadMSA(8, 1), "num_heads 1 leaves no head beside the uniform one"),
        (
            lambda: ContextBroadcastBlock(8, 2, place="all"),
            "unknown place 'all'; allowed: none, mlp, msa, both",
        ),
    ],
)
def test_wrong_options_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


def test_one_head_may_have_a_uniform_one_beside_it() -> None:
    module, x = filled(UniformHeadMSA(DIM, 1, uniform="parallel")), tokens()
    torch.testing.assert_close(module(x, SIZE), head_by_head(module, x))
