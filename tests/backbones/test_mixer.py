"""MLP-Mixer against its formulas on the authors' weights, and its counts."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.backbones import mixer
from benchsuite.backbones.mixer import PORTS, MixerConfig, MLPMixer
from benchsuite.measurement.macs import count_cost
from benchsuite.results.record import Cost

PORT = PORTS["MlpMixer"]
TINY: dict[str, Any] = {"img_size": 24, "patch_size": 8, "num_classes": 7, "num_blocks": 2, "embed_dim": 12}
"""The authors' arguments of a small Mixer: 9 tokens, 6 and 48 hidden units."""
SMALL = MixerConfig(32, 2, 16, 64, patch_size=8)
SIZES = {"s": (512, 8), "b": (768, 12), "l": (1024, 24)}
NAMES = [f"mixer_{size}{patch}" for size in SIZES for patch in (32, 16)]


def authors_state() -> dict[str, Tensor]:
    """Random weights of a small Mixer under the authors' names, in double precision."""
    torch.manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {"stem.proj.weight": (12, 3, 8, 8), "stem.proj.bias": (12,)}
    layers = {"norm": (12,), "head": (7, 12)}
    for block in range(2):
        layers |= {f"blocks.{block}.norm1": (12,), f"blocks.{block}.norm2": (12,)}
        layers |= {f"blocks.{block}.mlp_tokens.fc1": (6, 9), f"blocks.{block}.mlp_tokens.fc2": (9, 6)}
        layers |= {f"blocks.{block}.mlp_channels.fc1": (48, 12), f"blocks.{block}.mlp_channels.fc2": (12, 48)}
    for name, shape in layers.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {name: torch.randn(*shape, dtype=torch.float64) for name, shape in shapes.items()}


def by_hand(s: dict[str, Tensor], images: Tensor) -> Tensor:
    def mlp(name: str, x: Tensor) -> Tensor:
        hidden = F.gelu(x @ s[f"{name}.fc1.weight"].T + s[f"{name}.fc1.bias"])
        return hidden @ s[f"{name}.fc2.weight"].T + s[f"{name}.fc2.bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * s[f"{name}.weight"] + s[f"{name}.bias"]

    patches = F.unfold(images, 8, stride=8).transpose(1, 2)
    x = patches @ s["stem.proj.weight"].flatten(1).T + s["stem.proj.bias"]
    for block in range(2):
        name = f"blocks.{block}"
        x = x + mlp(f"{name}.mlp_tokens", norm(f"{name}.norm1", x).mT).mT
        x = x + mlp(f"{name}.mlp_channels", norm(f"{name}.norm2", x))
    return norm("norm", x).mean(1) @ s["head.weight"].T + s["head.bias"]


def test_the_authors_weights_give_the_authors_logits() -> None:
    state = authors_state()
    network = PORT.load(TINY, state).double()
    network.load_state_dict(PORT.state(state))  # in double precision
    images = torch.randn(2, 3, 24, 24, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(images), by_hand(state, images), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_macs_are_those_of_the_closed_form(name: str) -> None:
    (c, depth), patch = SIZES[name[6]], int(name[7:])
    n, t, d = (224 // patch) ** 2, c // 2, 4 * c
    tokens, channels = 2 * n * t + t + n, 2 * c * d + d + c
    cost = cost_of(name)
    assert cost.params == 3 * patch**2 * c + c + depth * (tokens + channels + 4 * c) + 2 * c + (c + 1) * 1000
    assert cost.macs == n * 3 * patch**2 * c + depth * (2 * n * t * c + 2 * n * c * d) + 1000 * c
    assert not cost.uncounted


def test_counts_round_to_what_timm_prints_which_counts_norms() -> None:
    cost = cost_of("mixer_b16")
    assert round(cost.params / 1e6, 2) == 59.88
    assert round((cost.macs + cost.other_ops["norm"]) / 1e9, 2) == 12.62


@pytest.mark.parametrize("choice", ["msa", "hilo", "dwconv", "nat", "gfnet", "resmlp"])
def test_any_mixer_of_the_zoo_can_be_put_in(choice: str) -> None:
    network = MLPMixer(SMALL, resolution=(64, 128), num_classes=5, mixer={"all": choice})
    assert network(torch.randn(1, 3, 64, 128)).shape == (1, 5)


def test_it_has_no_other_kernel_unless_a_mixer_that_is_put_in_has() -> None:
    with pytest.raises(ValueError, match="MLP-Mixer has no mixer that runs on kernel 'sdpa'"):
        MLPMixer(SMALL, resolution=64, kernel="sdpa")
    network = MLPMixer(SMALL, resolution=64, kernel="sdpa", mixer={"all": "msa"})
    assert {block.attn.kernel for block in network.blocks} == {"sdpa"}


def test_images_must_have_the_size_that_was_asked_for() -> None:
    with pytest.raises(ValueError, match="MLP-Mixer was built for images of 64 × 64, not of 64 × 72"):
        MLPMixer(SMALL, resolution=64)(torch.randn(1, 3, 64, 72))


@functools.cache
def cost_of(name: str) -> Cost:
    with torch.device("meta"):
        return count_cost(getattr(mixer, name)(), (torch.empty(1, 3, 224, 224),))
