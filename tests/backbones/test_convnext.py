"""ConvNeXt-T: exact counts, and the wiring against one written down with the authors' names."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.backbones import convnext
from benchsuite.measurement.macs import count_cost

DIMS, DEPTHS = (96, 192, 384, 768), (3, 3, 9, 3)


def on_meta(**options: Any) -> nn.Module:
    with torch.device("meta"):
        return convnext.convnext_t(**options)


def test_parameters_and_macs_are_those_of_the_configuration() -> None:
    params, macs = 48 * 96 + 3 * 96, 56**2 * 48 * 96
    for i, (d, depth) in enumerate(zip(DIMS, DEPTHS, strict=True)):
        n = (56 >> i) ** 2
        params += depth * (50 * d + 2 * d + 8 * d**2 + 5 * d + d)
        macs += depth * (49 * n * d + 8 * n * d**2)
        if i < 3:
            params += 2 * d + 4 * d * 2 * d + 2 * d
            macs += n // 4 * 4 * d * 2 * d
    params += 2 * 768 + 768 * 1000 + 1000
    macs += 768 * 1000
    cost = count_cost(on_meta(), (torch.empty(1, 3, 224, 224, device="meta"),))
    assert (cost.params, cost.macs, cost.uncounted) == (params, macs, {})
    assert round(params / 1e6, 2) == 28.59
    # The published 4.47 G have the norms in them.
    assert round((macs + cost.other_ops["norm"]) / 1e9, 2) == 4.47


class TheirBlock(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).movedim(1, -1))
        return x + (self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))).movedim(-1, 1)


class Theirs(nn.Module):
    def __init__(self, dims: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        self.downsample_layers = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(3, dims[0], 4, 4), nn.LayerNorm(dims[0], eps=1e-6))]
        )
        for before, dim in pairwise(dims):
            self.downsample_layers.append(
                nn.Sequential(nn.LayerNorm(before, eps=1e-6), nn.Conv2d(before, dim, 2, 2))
            )
        self.stages = nn.ModuleList(
            nn.Sequential(*(TheirBlock(dim) for _ in range(depth)))
            for dim, depth in zip(dims, depths, strict=True)
        )
        self.norm, self.head = nn.LayerNorm(dims[-1], eps=1e-6), nn.Linear(dims[-1], 5)

    def forward(self, x: Tensor) -> Tensor:
        for way_in, stage in zip(self.downsample_layers, self.stages, strict=True):
            for part in way_in:
                x = part(x) if isinstance(part, nn.Conv2d) else part(x.movedim(1, -1)).movedim(-1, 1)
            x = stage(x)
        return self.head(self.norm(x.mean((2, 3))))


@pytest.mark.parametrize("size", [(64, 32), (56, 40)], ids=["even grids", "odd grids"])
def test_the_authors_weights_make_the_authors_network(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    theirs = Theirs((4, 6, 8, 10), (1, 2, 1, 1))
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    kwargs = {"dims": [4, 6, 8, 10], "depths": [1, 2, 1, 1], "num_classes": 5, "drop_path_rate": 0.1}
    ours = convnext.PORTS["ConvNeXt"].load(kwargs, theirs.state_dict())
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(ours.double()(x), theirs.double()(x))


def test_without_layer_scale_there_is_no_gamma() -> None:
    ours = convnext.PORTS["ConvNeXt"].arguments({"layer_scale_init_value": 0, "depths": [1] * 4})
    with torch.device("meta"):
        names = convnext.Hierarchy(**ours).state_dict()
    assert not any("gamma" in name for name in names)


def test_another_mixer_changes_the_mixer_and_nothing_else() -> None:
    plain, swapped = on_meta(), on_meta(mixer={"stage2": {"name": "msa", "params": {"num_heads": 6}}})
    names = [{n for n, _ in network.named_parameters() if ".mixer." not in n} for network in (plain, swapped)]
    assert names[0] == names[1]
    image = torch.empty(1, 3, 224, 224, device="meta")
    n, d = 28**2, 192
    costs = [count_cost(network, (image,)).macs for network in (plain, swapped)]
    assert costs[1] - costs[0] == 3 * (4 * n * d**2 + 2 * n**2 * d - 49 * n * d)


def test_images_too_small_for_four_stages_are_refused() -> None:
    with pytest.raises(ValueError, match=r"stage4.*: 1 × 1 is too small for 2 × 2 patches"):
        on_meta(resolution=16)
