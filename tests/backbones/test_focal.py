"""Focal Transformers: exact counts, and the wiring against one written down with the authors' names."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.backbones import focal
from benchsuite.measurement.macs import count_cost
from benchsuite.mixers.focal import FocalAttention
from tests.mixers.counting import counted

SIZES = {
    "focal_t": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "focal_s": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "focal_b": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
}
PUBLISHED = {"focal_t": (28.9, 4.9), "focal_s": (51.1, 9.4), "focal_b": (89.8, 16.4)}
WINDOWS = (7, 5, 3, 1)


def on_meta(name: str, **options: Any) -> nn.Module:
    with torch.device("meta"):
        return getattr(focal, name)(**options)


def image(side: int = 224) -> Tensor:
    return torch.empty(1, 3, side, side, device="meta")


@pytest.mark.parametrize("name", SIZES)
def test_parameters_are_those_of_the_configuration(name: str) -> None:
    dim, depths, heads = SIZES[name]
    expected = 48 * dim + dim + 2 * dim
    for i, (depth, h, span) in enumerate(zip(depths, heads, WINDOWS, strict=True)):
        d = dim * 2**i
        layers = 12 * d**2 + 13 * d  # qkv, proj, fc1, fc2 and two norms
        neighbors = h * 49 * 132 if i < 3 else 0  # the last stage is one window
        tables = 13**2 * h + neighbors + h * (7 + span - 1) ** 2
        expected += depth * (layers + tables + 49 + 1)
        if i < 3:
            expected += 8 * d**2 + 2 * d + 4 * d
    expected += 2 * 8 * dim + 8 * dim * 1000 + 1000
    assert sum(p.numel() for p in on_meta(name).parameters()) == expected
    assert round(expected / 1e6, 1) == PUBLISHED[name][0]


@pytest.mark.parametrize("name", SIZES)
def test_macs_are_those_of_mixers_and_what_is_around_them(name: str) -> None:
    dim, depths, _ = SIZES[name]
    network = on_meta(name)
    macs = count_cost(network, (image(),)).macs
    expected, seen = 56**2 * 48 * dim + 8 * dim * 1000, 132 + 49
    uncounted = 0
    for i, (depth, span) in enumerate(zip(depths, WINDOWS, strict=True)):
        n, d = (56 >> i) ** 2, dim * 2**i
        attention = counted(network.stages[i].blocks[0].attn, (56 >> i, 56 >> i))
        keys = (seen if i < 3 else 49) + span**2
        assert 4 * n * d**2 + 2 * n * keys * d < attention
        expected += depth * (attention + 8 * n * d**2)
        if i < 3:
            expected += n // 4 * 8 * d**2
            uncounted += depth * 2 * n * 12 * d
    assert macs == expected
    # The authors' counter has 12 neighbours less a window than their code, and nothing else of this size.
    assert macs - uncounted == pytest.approx(PUBLISHED[name][1] * 1e9, rel=0.006)


class TheirBlock(nn.Module):
    def __init__(self, dim: int, heads: int, **options: Any) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = FocalAttention(dim, heads, pool_method="fc", **options)
        self.pool_layers = self.attn.pool_layers  # theirs are the block's
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, 4 * dim), "fc2": nn.Linear(4 * dim, dim)})

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.attn(self.norm1(x), size)
        return x + self.mlp["fc2"](nn.functional.gelu(self.mlp["fc1"](self.norm2(x))))


def patches(in_dim: int, dim: int, side: int) -> nn.ModuleDict:
    return nn.ModuleDict({"proj": nn.Conv2d(in_dim, dim, side, side), "norm": nn.LayerNorm(dim)})


class Theirs(nn.Module):
    """32 × 32 images on windows of 4: grids of 8, 4 and 2, of which the last two are one window each."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = patches(3, 4, 4)
        self.layers = nn.ModuleList(nn.Module() for _ in range(3))
        window: dict[str, Any] = {"focal_level": 2, "focal_window": 3, "window_size": 4, "expand_size": 2}
        one = {**window, "expand_size": 0}
        options = ((window, one), ({**one, "focal_window": 1},), ({**one, "window_size": 2},))
        for i, (layer, blocks) in enumerate(zip(self.layers, options, strict=True)):
            dim = 4 * 2**i
            layer.blocks = nn.ModuleList(TheirBlock(dim, 2, **block) for block in blocks)
            layer.downsample = patches(dim, 2 * dim, 2) if i < 2 else None
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        embeddings = [self.patch_embed, *(layer.downsample for layer in self.layers)]
        for embedding, layer in zip(embeddings, self.layers, strict=False):
            x = embedding["proj"](x)
            size = (x.shape[2], x.shape[3])
            x = embedding["norm"](x.flatten(2).transpose(1, 2))
            for block in layer.blocks:
                x = block(x, size)
            x = x.transpose(1, 2).unflatten(2, size)
        return self.head(self.norm(x.flatten(2).transpose(1, 2)).mean(1))


KWARGS: dict[str, Any] = {
    "img_size": 32,
    "num_classes": 5,
    "embed_dim": 4,
    "depths": [2, 1, 1],
    "num_heads": [2, 2, 2],
    "window_size": 4,
    "focal_levels": [2, 2, 2],
    "focal_windows": [3, 1, 3],
    "expand_sizes": [2, 2, 2],
    "expand_layer": "odd",
    "drop_path_rate": 0.2,
}


def test_the_authors_weights_make_the_authors_network() -> None:
    torch.manual_seed(0)
    theirs = Theirs()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    state = {name: t for name, t in theirs.state_dict().items() if ".attn.pool_layers." not in name}
    state["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(16, 16)
    state["layers.0.blocks.0.attn.relative_position_index_0"] = torch.zeros(16, 9)
    state["layers.0.blocks.0.attn.valid_ind_rolled"] = torch.zeros(48)
    state["layers.0.blocks.0.attn_mask"] = torch.zeros(4, 16, 16)
    ours = focal.PORTS["FocalTransformer"].load(KWARGS, state)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(ours.double()(x), theirs.double()(x))


def test_shifts_and_neighbors_alternate_as_the_authors_have_it() -> None:
    kwargs = KWARGS | {"use_shift": True, "expand_layer": "even", "focal_stages": [1, 2], "depths": [3, 1, 1]}
    ours = focal.PORTS["FocalTransformer"].arguments(kwargs)
    with torch.device("meta"):
        network = focal.Hierarchy(**ours)
    mixers = [block.attn for block in network.stages[0].blocks]
    assert [mixer.shift_size for mixer in mixers] == [0, 2, 0]
    assert [mixer.expand_size for mixer in mixers] == [0, 2, 0]
    assert [mixer.levels for mixer in mixers] == [0, 0, 0]
    assert network.stages[1].blocks[0].attn.levels == 1


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("use_conv_embed", True, "use_conv_embed=True is not supported; only use_conv_embed=False is"),
        ("expand_layer", "some", "expand_layer='some' is none of all, even, odd"),
        ("depth", 3, "the authors' argument depth=3 has no counterpart here"),
    ],
)
def test_what_ours_cannot_do_is_said(argument: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        focal.PORTS["FocalTransformer"].arguments({argument: value})


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"this Focal was built for images of 224 × 224, not of 256 × 256"):
        on_meta("focal_t")(image(256))


def test_a_larger_image_has_neighbors_in_the_last_stage_too() -> None:
    network = on_meta("focal_t", resolution=448)
    assert [stage.blocks[0].attn.expand_size for stage in network.stages] == [3, 3, 3, 3]
    assert network(image(448)).shape == (1, 1000)


def test_another_mixer_changes_the_mixer_and_nothing_else() -> None:
    plain, swapped = on_meta("focal_t"), on_meta("focal_t", mixer={"stage3": "msa"})
    names = [{n for n, _ in network.named_parameters() if ".attn." not in n} for network in (plain, swapped)]
    assert names[0] == names[1]
    kinds = [type(stage.blocks[0].attn).__name__ for stage in swapped.stages]
    assert kinds == ["FocalAttention", "FocalAttention", "MSA", "FocalAttention"]
    n, d = 14**2, 384
    own = counted(plain.stages[2].blocks[0].attn, (14, 14))
    costs = [count_cost(network, (image(),)).macs for network in (plain, swapped)]
    assert costs[0] - costs[1] == 6 * (own - (4 * n * d**2 + 2 * n**2 * d))
