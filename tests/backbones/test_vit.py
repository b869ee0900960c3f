"""DeiT against its formulas on the authors' weights; context broadcasting in every place; their counts."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.backbones import BACKBONES, vit
from benchsuite.backbones._choice import GRIDLESS
from benchsuite.backbones.vit import PORTS, Broadcasting, ViT, ViTConfig
from benchsuite.measurement.macs import count_cost
from benchsuite.results.record import Cost

PORT = PORTS["VisionTransformer"]
TINY: dict[str, Any] = {
    "img_size": 32,
    "patch_size": 8,
    "num_classes": 7,
    "embed_dim": 12,
    "depth": 3,
    "num_heads": 3,
    "mlp_ratio": 2.0,
}
"""The authors' arguments of a small ViT."""
SMALL = ViTConfig(dim=32, num_heads=4, depth=2, patch_size=8)
SIZES = {"ti": 192, "s": 384, "b": 768}
VARIANTS = [name for name, target in BACKBONES.items() if target.startswith("benchsuite.backbones.vit:")]


def authors_state() -> dict[str, Tensor]:
    """Random weights of a small ViT under the authors' names, in double precision."""
    torch.manual_seed(0)
    shapes = {
        "cls_token": (1, 1, 12),
        "pos_embed": (1, 17, 12),
        "patch_embed.proj.weight": (12, 3, 8, 8),
        "patch_embed.proj.bias": (12,),
        "norm.weight": (12,),
        "norm.bias": (12,),
        "head.weight": (7, 12),
        "head.bias": (7,),
    }
    for layer in range(3):
        for name, out_dim, in_dim in (("attn.qkv", 36, 12), ("attn.proj", 12, 12)):
            shapes |= {f"blocks.{layer}.{name}.weight": (out_dim, in_dim)}
            shapes |= {f"blocks.{layer}.{name}.bias": (out_dim,)}
        shapes |= {f"blocks.{layer}.mlp.fc1.weight": (24, 12), f"blocks.{layer}.mlp.fc1.bias": (24,)}
        shapes |= {f"blocks.{layer}.mlp.fc2.weight": (12, 24), f"blocks.{layer}.mlp.fc2.bias": (12,)}
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{layer}.{norm}.weight": (12,), f"blocks.{layer}.{norm}.bias": (12,)}
    return {name: torch.randn(*shape, dtype=torch.float64) for name, shape in shapes.items()}


def by_hand(s: dict[str, Tensor], images: Tensor) -> Tensor:
    def linear(name: str, x: Tensor) -> Tensor:
        return x @ s[f"{name}.weight"].T + s[f"{name}.bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * s[f"{name}.weight"] + s[f"{name}.bias"]

    batch = len(images)
    patches = F.unfold(images, 8, stride=8).transpose(1, 2)  # each row a patch, channels first
    x = patches @ s["patch_embed.proj.weight"].flatten(1).T + s["patch_embed.proj.bias"]
    x = torch.cat([s["cls_token"].expand(batch, -1, -1), x], 1) + s["pos_embed"]
    for layer in range(3):
        name = f"blocks.{layer}"
        q, k, v = linear(f"{name}.attn.qkv", norm(f"{name}.norm1", x)).reshape(batch, 17, 3, 3, 4).unbind(2)
        weights = (torch.einsum("bnhd,bmhd->bhnm", q, k) / 2).softmax(-1)  # the root of 4 is 2
        mixed = torch.einsum("bhnm,bmhd->bnhd", weights, v).reshape(batch, 17, 12)
        x = x + linear(f"{name}.attn.proj", mixed)
        hidden = F.gelu(linear(f"{name}.mlp.fc1", norm(f"{name}.norm2", x)))
        x = x + linear(f"{name}.mlp.fc2", hidden)
    return linear("head", norm("norm", x)[:, 0])


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
def test_the_authors_weights_give_the_authors_logits(kernel: str) -> None:
    state = authors_state()
    network = PORT.load(TINY, state, kernel=kernel).double()
    network.load_state_dict(PORT.state(state))  # in double precision
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(images), by_hand(state, images), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_and_macs_are_those_of_the_closed_form(name: str) -> None:
    _, size, *variant = name.split("_")
    c, n, depth = SIZES[size], 197, 12
    block = 4 * c * c + 4 * c + 8 * c * c + 5 * c + 4 * c  # attention, MLP, two norms
    params = (768 * c + c) + c + n * c + depth * block + 2 * c + (c + 1) * 1000
    lambdas = 0
    if "cbs" in variant:
        layers = depth // 2 if "deep" in variant else depth
        width = {"mid": 4 * c, "both": 2 * c}.get(variant[-1], c)
        lambdas = layers * width
    cost = cost_of(name)
    assert cost.params == params + lambdas
    assert cost.macs == 196 * 768 * c + depth * (12 * n * c**2 + 2 * n**2 * c) + 1000 * c
    assert not cost.uncounted


@pytest.mark.parametrize(("name", "millions", "giga"), [("deit_s", 22.05, 4.61), ("deit_b", 86.57, 17.58)])
def test_counts_round_to_what_timm_prints_which_counts_norms(name: str, millions: float, giga: float) -> None:
    cost = cost_of(name)
    assert round(cost.params / 1e6, 2) == millions
    assert round((cost.macs + cost.other_ops["norm"]) / 1e9, 2) == giga


def test_cbs_adds_two_hundredths_of_a_percent_to_the_small_one() -> None:
    plain, scaled = cost_of("deit_s").params, cost_of("deit_s_cbs").params
    assert round(100 * (scaled - plain) / plain, 2) == 0.02


def test_broadcasting_between_the_layers_of_the_mlp_costs_four_times_as_much() -> None:
    plain, end, mid, front = (
        sum(cost_of(name).other_ops.values())
        for name in ("deit_s", "deit_s_cb", "deit_s_cb_mid", "deit_s_cb_front")
    )
    assert front == end > plain
    assert mid - plain == 4 * (end - plain)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("where", ["front", "mid", "end", "msa", "both", "deep"])
def test_what_is_broadcast_stands_where_it_is_said_to(where: str, scaled: bool) -> None:
    torch.manual_seed(0)
    place = where if where in {"msa", "both"} else "mlp"
    position = where if where in {"front", "mid"} else "end"
    broadcasting = Broadcasting(place, position, scaled, deeper_half=where == "deep")
    plain = ViT(SMALL, resolution=16, num_classes=5).eval()
    network = ViT(
        ViTConfig(32, 4, depth=2, patch_size=8, broadcasting=broadcasting), resolution=16, num_classes=5
    ).eval()
    weights = plain.state_dict()  # the names are the same but for the attention inside of CB's
    network.load_state_dict(
        {
            name: weights.get(name.replace("attn.attn.", "attn."), tensor)
            for name, tensor in network.state_dict().items()
        }
    )
    seen: list[tuple[str, tuple[int, ...]]] = []
    for name, part in network.named_modules():
        if name.endswith(".cb"):
            part.register_forward_hook(lambda _, inputs, out, name=name: seen.append((name, out.shape)))
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        out, expected = network(images), plain(images)
    width = 128 if where == "mid" else 32
    layers = (1,) if where == "deep" else (0, 1)
    homes = {"msa": ("attn",), "both": ("attn", "mlp")}.get(where, ("mlp",))
    assert seen == [(f"blocks.{i}.{home}.cb", (2, 5, width)) for i in layers for home in homes]
    if scaled:  # its scale is 0 at first
        torch.testing.assert_close(out, expected)
    else:
        assert not torch.allclose(out, expected, atol=1e-3)


def test_a_class_token_is_part_of_what_is_broadcast() -> None:
    network = ViT(ViTConfig(32, 4, depth=1, patch_size=8, broadcasting=Broadcasting()), resolution=16)
    inputs: list[Tensor] = []
    network.blocks[0].mlp.cb.register_forward_hook(lambda _, given, out: inputs.extend([given[0], out]))
    network(torch.randn(2, 3, 16, 16))
    x, out = inputs
    torch.testing.assert_close(out, (x + x.mean(dim=1, keepdim=True)) / 2)
    assert x.shape[1] == 1 + 2 * 2


@pytest.mark.parametrize("choice", sorted(GRIDLESS))
def test_any_mixer_that_does_not_look_at_the_grid_can_be_put_in(choice: str) -> None:
    network = ViT(SMALL, resolution=16, num_classes=5, mixer={"all": choice})
    assert network(torch.randn(2, 3, 16, 16)).shape == (2, 5)


@pytest.mark.parametrize("choice", ["dwconv", {"name": "window"}, "hilo"])
def test_a_mixer_that_looks_at_the_grid_is_refused_as_the_class_token_has_no_place_in_it(choice: Any) -> None:
    with pytest.raises(ValueError, match="mixes over a grid, in which the class token has no place"):
        ViT(SMALL, resolution=16, mixer={"all": choice})


def test_a_stage_that_a_vit_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r'^no stage "stage3"\. Allowed: all$'):
        vit.deit_ti(mixer={"stage3": "msa"})


def test_the_mixer_of_the_paper_put_in_by_hand_changes_nothing() -> None:
    with torch.device("meta"):
        plain = vit.deit_s().state_dict()
        swapped = vit.deit_s(mixer={"all": {"name": "msa", "params": {"num_heads": 6}}}).state_dict()
    assert {name: t.shape for name, t in plain.items()} == {name: t.shape for name, t in swapped.items()}


def test_images_need_not_be_square_but_must_have_the_size_that_was_asked_for() -> None:
    network = ViT(SMALL, resolution=(16, 32), num_classes=5)
    assert network(torch.randn(1, 3, 16, 32)).shape == (1, 5)
    with pytest.raises(ValueError, match="built for images of 16 × 32, not of 32 × 32"):
        network(torch.randn(1, 3, 32, 32))
    with pytest.raises(ValueError, match="16 × 16 patches, not 200 × 200"):
        vit.deit_ti(resolution=200)


def test_a_distilled_network_of_the_authors_is_refused() -> None:
    with pytest.raises(ValueError, match="distilled=True is not supported; only distilled=False is"):
        PORT.arguments({"distilled": True})


@functools.cache
def cost_of(name: str) -> Cost:
    module, _, function = BACKBONES[name].partition(":")
    with torch.device("meta"):
        network = getattr(importlib.import_module(module), function)()
        return count_cost(network, (torch.empty(1, 3, 224, 224),))
