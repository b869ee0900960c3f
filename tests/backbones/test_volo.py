"""VOLO against the authors' formulas on the authors' weights, written out; and its counts."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.backbones import volo
from benchsuite.backbones.volo import PORTS, VOLO
from benchsuite.measurement.macs import count_cost
from benchsuite.results.record import Cost

TINY: dict[str, Any] = {
    "layers": [1, 2, 1, 1],
    "img_size": 48,
    "num_classes": 7,
    "stem_hidden_dim": 4,
    "embed_dims": [8, 12, 12, 12],
    "num_heads": [2, 3, 3, 3],
    "downsamples": [True, False, False, False],
    "outlook_attention": [True, False, False, False],
    "mlp_ratios": [3, 3, 3, 2],
    "post_layers": ["ca", "ca"],
}
"""The authors' arguments of a small VOLO."""
PORT = PORTS["VOLO"]
SMALL = volo.VOLOConfig((1, 1, 1, 1), (8, 16, 16, 16), (2, 4, 4, 4), stem_dim=4)
CONFIGS = {
    "volo_d1": ((4, 4, 8, 2), 192, 384, 6, 3, 64),
    "volo_d2": ((6, 4, 10, 4), 256, 512, 8, 3, 64),
    "volo_d3": ((8, 8, 16, 4), 256, 512, 8, 3, 64),
    "volo_d4": ((8, 8, 16, 4), 384, 768, 12, 3, 64),
    "volo_d5": ((12, 12, 20, 4), 384, 768, 12, 4, 128),
}
"""depths, widths of the fine and the coarse grid, heads of the outlookers, MLP ratio, width of the stem."""


def random_state(**changed: Any) -> dict[str, Tensor]:
    """Weights under the authors' names, random and in double precision."""
    torch.manual_seed(0)
    state = VOLO(**PORT.arguments(TINY | changed)).double().state_dict()  # the names are the same
    for name, tensor in state.items():
        if "num_batches" not in name:
            tensor.copy_(torch.rand_like(tensor) + 0.5 if "running_var" in name else torch.randn_like(tensor))
    return state


def without_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As weights are often stored: without the numbers of batches that norms have seen."""
    return {name: tensor for name, tensor in state.items() if "num_batches" not in name}


class ByHand:
    """VOLO's forward pass in eval mode, on the authors' state dict. Grids are (B, H, W, C)."""

    def __init__(self, state: dict[str, Tensor], authors: dict[str, Any]) -> None:
        self.state = state
        self.authors = authors

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"))

    def norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.state[f"{name}.weight"], self.state[f"{name}.bias"], 1e-5)

    def mlp(self, name: str, x: Tensor) -> Tensor:
        return self.linear(f"{name}.fc2", F.gelu(self.linear(f"{name}.fc1", x)))

    def stem(self, x: Tensor) -> Tensor:
        s = self.state
        for conv, stride, padding in ((0, 2, 3), (3, 1, 1), (6, 1, 1)):
            x = F.conv2d(x, s[f"patch_embed.conv.{conv}.weight"], stride=stride, padding=padding)
            norm = f"patch_embed.conv.{conv + 1}"
            mean, var = s[f"{norm}.running_mean"], s[f"{norm}.running_var"]
            x = F.relu(F.batch_norm(x, mean, var, s[f"{norm}.weight"], s[f"{norm}.bias"]))
        x = F.conv2d(x, s["patch_embed.proj.weight"], s["patch_embed.proj.bias"], stride=4)
        return x.permute(0, 2, 3, 1)

    def outlook(self, name: str, x: Tensor, heads: int) -> Tensor:
        batch, height, width, dim = x.shape
        values = F.unfold(self.linear(f"{name}.v", x).permute(0, 3, 1, 2), 3, padding=1, stride=2)
        values = values.reshape(batch, heads, dim // heads, 9, -1).permute(0, 1, 4, 3, 2)
        pooled = F.avg_pool2d(x.permute(0, 3, 1, 2), 2, ceil_mode=True).permute(0, 2, 3, 1)
        weights = self.linear(f"{name}.attn", pooled).reshape(batch, -1, heads, 9, 9).transpose(1, 2)
        mixed = (weights / (dim // heads) ** 0.5).softmax(-1) @ values
        mixed = mixed.permute(0, 1, 4, 3, 2).reshape(batch, dim * 9, -1)
        out = F.fold(mixed, (height, width), 3, padding=1, stride=2)
        return self.linear(f"{name}.proj", out.permute(0, 2, 3, 1))

    def attention(self, name: str, x: Tensor, heads: int) -> Tensor:
        batch, height, width, dim = x.shape
        q, k, v = self.linear(f"{name}.qkv", x).reshape(batch, -1, 3, heads, dim // heads).unbind(2)
        logits = torch.einsum("bnhd,bmhd->bhnm", q, k) / (dim // heads) ** 0.5
        mixed = torch.einsum("bhnm,bmhd->bnhd", logits.softmax(-1), v)
        return self.linear(f"{name}.proj", mixed.reshape(batch, height, width, dim))

    def class_attention(self, name: str, x: Tensor, heads: int) -> Tensor:
        batch, _, dim = x.shape
        q = self.linear(f"{name}.q", x[:, 0]).reshape(batch, heads, -1)
        k, v = self.linear(f"{name}.kv", x).reshape(batch, -1, 2, heads, dim // heads).unbind(2)
        logits = torch.einsum("bhd,bmhd->bhm", q, k) / (dim // heads) ** 0.5
        mixed = torch.einsum("bhm,bmhd->bhd", logits.softmax(-1), v)
        return self.linear(f"{name}.proj", mixed.reshape(batch, 1, dim))

    def __call__(self, x: Tensor) -> Tensor:
        a, s = self.authors, self.state
        x, entry = self.stem(x), 0
        for stage, depth in enumerate(a["layers"]):
            if entry == 2:
                x = x + s["pos_embed"]
            attend = self.outlook if a["outlook_attention"][stage] else self.attention
            for layer in range(depth):
                name = f"network.{entry}.{layer}"
                x = x + attend(f"{name}.attn", self.norm(f"{name}.norm1", x), a["num_heads"][stage])
                x = x + self.mlp(f"{name}.mlp", self.norm(f"{name}.norm2", x))
            entry += 1
            if a["downsamples"][stage]:
                w, b = s[f"network.{entry}.proj.weight"], s[f"network.{entry}.proj.bias"]
                x = F.conv2d(x.permute(0, 3, 1, 2), w, b, stride=2).permute(0, 2, 3, 1)
                entry += 1
        x = x.flatten(1, 2)
        if a.get("post_layers"):
            x = torch.cat([s["cls_token"].expand(len(x), -1, -1), x], dim=1)
        for number in range(len(a.get("post_layers") or ())):
            name = f"post_network.{number}"
            attended = self.class_attention(f"{name}.attn", self.norm(f"{name}.norm1", x), a["num_heads"][-1])
            token = x[:, :1] + attended
            token = token + self.mlp(f"{name}.mlp", self.norm(f"{name}.norm2", token))
            x = torch.cat([token, x[:, 1:]], dim=1)
        x = self.norm("norm", x)
        if a.get("return_mean"):
            return self.linear("head", x.mean(1))
        logits = self.linear("head", x[:, 0])
        if a.get("return_dense", True):
            logits = logits + 0.5 * self.linear("aux_head", x[:, 1:]).max(1)[0]
        return logits


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"qkv_bias": True, "mlp_ratios": [4, 4, 4, 4]},
        {"img_size": 72},  # grids of 9 × 9 and 4 × 4
        {"return_dense": False, "mix_token": False},
        {"return_mean": True, "return_dense": False, "mix_token": False, "post_layers": None},
        {"outlook_attention": [True, True, False, False]},
    ],
)
def test_the_authors_weights_give_the_authors_logits(changed: dict[str, Any], kernel: str) -> None:
    authors = TINY | changed
    state = random_state(**changed)
    network = PORT.load(authors, without_counters(state), kernel=kernel).double()
    network.load_state_dict(state)  # in double precision
    x = torch.randn(2, 3, authors["img_size"], authors["img_size"], dtype=torch.float64)
    with torch.no_grad():
        expected = ByHand(state, authors)(x)
        torch.testing.assert_close(network.eval()(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_and_macs_are_those_of_the_closed_form(name: str) -> None:
    depths, fine, c, heads, ratio, stem = CONFIGS[name]
    n, m = 28 * 28, 14 * 14  # tokens of the fine and the coarse grid
    outlooker = (
        (fine * fine + heads * 81 * (fine + 1) + fine * fine + fine)  # v without bias, attn, proj
        + (2 * ratio * fine * fine + ratio * fine + fine)
        + 4 * fine  # two norms
    )
    transformer = 3 * c * c + c * c + c + 2 * ratio * c * c + ratio * c + c + 4 * c
    params = (
        (147 + 18 * stem) * stem
        + 6 * stem  # three convolutions without bias, their norms
        + (16 * stem + 1) * fine
        + depths[0] * outlooker
        + (4 * fine + 1) * c
        + m * c  # positions
        + (sum(depths[1:]) + 2) * transformer  # class blocks have as many as the others
        + c  # class token
        + 2 * c
        + 2 * (c + 1) * 1000
    )
    macs = (
        112**2 * (147 + 18 * stem) * stem
        + n * 16 * stem * fine
        + depths[0] * (2 * n * fine**2 + m * fine * 81 * (heads + 1) + 2 * n * ratio * fine**2)
        + m * 4 * fine * c
        + sum(depths[1:]) * (4 * m * c**2 + 2 * m**2 * c + 2 * ratio * m * c**2)
        + 2 * (2 * c**2 + 2 * (m + 1) * c**2 + 2 * (m + 1) * c + 2 * ratio * c**2)
        + (m + 1) * 1000 * c
    )
    cost = cost_of(name)
    assert (cost.params, cost.macs) == (params, macs)
    assert not cost.uncounted


@pytest.mark.parametrize(
    ("name", "millions"), [("volo_d1", 27), ("volo_d2", 59), ("volo_d3", 86), ("volo_d4", 193)]
)
def test_parameters_round_to_what_the_authors_print(name: str, millions: int) -> None:
    assert round(cost_of(name).params / 1e6) == millions


def test_the_authors_print_half_a_million_more_for_the_largest_than_their_code_has() -> None:
    assert cost_of("volo_d5").params == 295_455_584  # printed as 296 million


def test_with_norms_counted_macs_round_to_what_timm_prints() -> None:
    cost = cost_of("volo_d1")
    assert round((cost.macs + cost.other_ops["norm"]) / 1e9, 2) == 6.94


def test_images_need_not_be_square_but_must_have_the_size_that_was_asked_for() -> None:
    network = VOLO(SMALL, resolution=(32, 64))
    assert network(torch.randn(2, 3, 32, 64)).shape == (2, 1000)
    with pytest.raises(ValueError, match=r"built for images of 32 × 64, not of 64 × 32"):
        network(torch.randn(2, 3, 64, 32))
    with pytest.raises(ValueError, match="8 × 8 patches, not 36 × 32"):
        volo.volo_d1(resolution=(36, 32))


def test_every_parameter_gets_a_gradient() -> None:
    network = VOLO(**PORT.arguments(TINY))
    network(torch.randn(2, 3, 48, 48)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_another_mixer_changes_its_stage_only() -> None:
    def weights_of(**options: Any) -> dict[str, torch.Size]:
        network: nn.Module = VOLO(SMALL, resolution=64, **options)
        return {name: tensor.shape for name, tensor in network.state_dict().items()}

    before, after = weights_of(), weights_of(mixer={"stage3": {"name": "sra", "params": {"sr_ratio": 2}}})
    changed = before.keys() ^ after.keys()
    changed |= {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert changed
    assert {name.rsplit(".attn.")[0] for name in changed} == {"network.3.0"}


@pytest.mark.parametrize("choice", ["dwconv", "nat", "window", "pooling", "relpos_msa"])
def test_mixers_of_every_layout_can_be_put_in(choice: str) -> None:
    network = VOLO(SMALL, resolution=112, num_classes=5, mixer={"all": choice})
    assert network(torch.randn(1, 3, 112, 112)).shape == (1, 5)


def test_settings_that_ours_does_not_have_are_named() -> None:
    with pytest.raises(ValueError, match="in_chans=1 is not supported; only in_chans=3 is"):
        PORT.arguments(TINY | {"in_chans": 1})
    with pytest.raises(ValueError, match="argument colour='red' has no counterpart here"):
        PORT.arguments(TINY | {"colour": "red"})
    with pytest.raises(ValueError, match=r"post_layers=\['mlp'\]: only 'ca'"):
        PORT.arguments(TINY | {"post_layers": ["mlp"]})


@functools.cache
def cost_of(name: str) -> Cost:
    with torch.device("meta"):
        return count_cost(getattr(volo, name)(), (torch.empty(1, 3, 224, 224),))


def test_it_is_counted_alike_with_memory_and_without() -> None:
    network = VOLO(SMALL, resolution=64)
    here = count_cost(network, (torch.randn(2, 3, 64, 64),), images=2)
    there = count_cost(network.to("meta"), (torch.empty(2, 3, 64, 64, device="meta"),), images=2)
    assert replace(here, counter=there.counter) == there
