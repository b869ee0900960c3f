"""ACmix in Swin and in PVT: exact counts, and the wiring against one written down with the authors' names."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.backbones import acmix_pvt, acmix_swin
from benchsuite.measurement.macs import count_cost
from benchsuite.mixers.acmix_swin import ACmixWindowAttention

SWIN = {
    "acmix_swin_t": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "acmix_swin_s": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "acmix_swin_b": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
}
PVT = {"acmix_pvt_t": (2, 2, 2, 2), "acmix_pvt_s": (3, 4, 6, 3)}
IMAGE = torch.empty(1, 3, 224, 224, device="meta")


def on_meta(name: str, **options: Any) -> nn.Module:
    with torch.device("meta"):
        return getattr(acmix_swin if "swin" in name else acmix_pvt, name)(**options)


def convolution_params(d: int, heads: int) -> int:
    """A layer from 3 × heads to 9 maps with its bias, 9 × 9 weights a channel, two rates."""
    return 27 * heads + 9 + 81 * d + 2


def convolution_macs(n: int, d: int) -> int:
    return 27 * n * d + 81 * n * d


@pytest.mark.parametrize("name", SWIN)
def test_parameters_and_macs_of_swin_are_those_of_the_configuration(name: str) -> None:
    dim, depths, heads = SWIN[name]
    params, macs, convolutions = 48 * dim + 3 * dim, 56**2 * 48 * dim, 0
    for i, (depth, h) in enumerate(zip(depths, heads, strict=True)):
        n, d = (56 >> i) ** 2, dim * 2**i
        params += depth * (12 * d**2 + 13 * d + 13**2 * h + convolution_params(d, h))
        macs += depth * (12 * n * d**2 + 2 * n * 49 * d)
        convolutions += depth * convolution_macs(n, d)
        if i < 3:
            params += 4 * d * 2 * d + 2 * 4 * d
            macs += n // 4 * 4 * d * 2 * d
    params += 2 * 8 * dim + 8 * dim * 1000 + 1000
    macs += 8 * dim * 1000 + convolutions
    cost = count_cost(on_meta(name), (IMAGE,))
    assert (cost.params, cost.macs, cost.uncounted) == (params, macs, {})
    published = {"acmix_swin_t": (4.6, 0.154), "acmix_swin_s": (9.0, 0.252)}
    if name in published:
        assert (round(macs / 1e9, 1), round(convolutions / 1e9, 3)) == published[name]


@pytest.mark.parametrize("name", PVT)
def test_parameters_and_macs_of_pvt_are_those_of_the_configuration(name: str) -> None:
    params, macs, before = 0, 0, 3
    for i, (d, depth) in enumerate(zip((64, 128, 320, 512), PVT[name], strict=True)):
        n, patch, heads, ratio = (56 >> i) ** 2, 2 if i else 4, (1, 2, 5, 8)[i], (8, 8, 4, 4)[i]
        reduction = 8 >> i
        m = n // reduction**2
        params += patch**2 * before * d + 3 * d + n * d  # with the norm and a position for each token
        macs += n * patch**2 * before * d
        attention, own = 4 * d**2 + 4 * d, 2 * n * d**2 + 2 * m * d**2 + 2 * n * m * d
        if reduction > 1:
            attention += reduction**2 * d**2 + d + 2 * d
            own += m * reduction**2 * d**2
        mlp = 2 * ratio * d**2 + ratio * d + d
        params += depth * (attention + convolution_params(d, heads) + mlp + 4 * d)
        macs += depth * (own + convolution_macs(n, d) + 2 * n * ratio * d**2)
        before = d
    params += 2 * before + before * 1000 + 1000
    macs += before * 1000
    cost = count_cost(on_meta(name), (IMAGE,))
    assert (cost.params, cost.macs, cost.uncounted) == (params, macs, {})
    # 3.96 G would print as 4.0; the paper does not say what of a reduced PVT is convolved.
    assert round(params / 1e6) == {"acmix_pvt_t": 13, "acmix_pvt_s": 25}[name]
    assert macs == pytest.approx({"acmix_pvt_t": 2.0e9, "acmix_pvt_s": 3.9e9}[name], rel=0.02)


class TheirBlock(nn.Module):
    def __init__(self, dim: int, heads: int, window_size: int, shift_size: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = ACmixWindowAttention(dim, heads, window_size=window_size, shift_size=shift_size)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, 4 * dim), "fc2": nn.Linear(4 * dim, dim)})

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.attn(self.norm1(x), size)
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class Theirs(nn.Module):
    """32 × 32 images on windows of 4: 8 × 8 tokens, of which the second block's are shifted, and 4 × 4."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, 4, 4, 4), "norm": nn.LayerNorm(4)})
        self.layers = nn.ModuleList([nn.Module(), nn.Module()])
        self.layers[0].blocks = nn.ModuleList([TheirBlock(4, 2, 4, 0), TheirBlock(4, 2, 4, 2)])
        self.layers[0].downsample = nn.ModuleDict(
            {"norm": nn.LayerNorm(16), "reduction": nn.Linear(16, 8, bias=False)}
        )
        self.layers[1].blocks = nn.ModuleList([TheirBlock(8, 4, 4, 0), TheirBlock(8, 4, 4, 0)])
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed["norm"](self.patch_embed["proj"](x).flatten(2).transpose(1, 2))
        for block in self.layers[0].blocks:
            x = block(x, (8, 8))
        grid = x.unflatten(1, (8, 8))
        corners = [grid[:, 0::2, 0::2], grid[:, 1::2, 0::2], grid[:, 0::2, 1::2], grid[:, 1::2, 1::2]]
        merging = self.layers[0].downsample
        x = merging["reduction"](merging["norm"](torch.cat(corners, -1).flatten(1, 2)))
        for block in self.layers[1].blocks:
            x = block(x, (4, 4))
        return self.head(self.norm(x).mean(1))


def test_the_authors_weights_make_the_authors_network() -> None:
    torch.manual_seed(0)
    theirs = Theirs()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    state = {name.replace(".conv.", "."): tensor for name, tensor in theirs.state_dict().items()}
    assert "layers.0.blocks.0.attn.dep_conv.weight" in state
    state["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(16, 16)
    state["layers.0.blocks.1.attn_mask"] = torch.zeros(4, 16, 16)
    kwargs = {"img_size": 32, "num_classes": 5, "embed_dim": 4, "depths": [2, 2], "num_heads": [2, 4]}
    port = acmix_swin.PORTS["SwinTransformer_acmix"]
    ours = port.load(kwargs | {"window_size": 4, "drop_path_rate": 0.2}, state)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(ours.double()(x), theirs.double()(x))


def test_the_last_stage_is_one_window_and_is_not_shifted() -> None:
    network = on_meta("acmix_swin_t")
    shifts = [[block.attn.shift_size for block in stage.blocks][:2] for stage in network.stages]
    assert shifts == [[0, 3], [0, 3], [0, 3], [0, 0]]


@pytest.mark.parametrize("name", ["acmix_swin_t", "acmix_pvt_t"])
def test_images_of_another_size_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="was built for images of 224 × 224, not of 256 × 256"):
        on_meta(name)(torch.empty(1, 3, 256, 256, device="meta"))


@pytest.mark.parametrize(("name", "mixer"), [("acmix_swin_t", "window"), ("acmix_pvt_t", "sra")])
def test_another_mixer_changes_the_mixer_and_nothing_else(name: str, mixer: str) -> None:
    plain, swapped = on_meta(name), on_meta(name, mixer={"stage1": mixer})
    names = [{n for n, _ in network.named_parameters() if ".attn." not in n} for network in (plain, swapped)]
    assert names[0] == names[1]
    dim = plain.stages[0].blocks[0].norm1.weight.numel()
    assert "ACmix" not in type(swapped.stages[0].blocks[0].attn).__name__
    assert "ACmix" in type(swapped.stages[1].blocks[0].attn).__name__
    if mixer == "window":
        costs = [count_cost(network, (IMAGE,)).macs for network in (plain, swapped)]
        assert costs[0] - costs[1] == 2 * convolution_macs(56**2, dim)


def test_pvt_gives_logits_and_gradients() -> None:
    torch.manual_seed(0)
    network = acmix_pvt.acmix_pvt_t(num_classes=7, resolution=(64, 32))
    logits = network(torch.randn(1, 3, 64, 32))
    assert logits.shape == (1, 7)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
