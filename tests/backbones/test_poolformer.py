"""PoolFormers: exact counts, and the wiring against one written down with the authors' names."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.backbones import poolformer
from benchsuite.measurement.macs import count_cost

S, M = (64, 128, 320, 512), (96, 192, 384, 768)
SIZES = {
    "poolformer_s12": (S, (2, 2, 6, 2)),
    "poolformer_s24": (S, (4, 4, 12, 4)),
    "poolformer_s36": (S, (6, 6, 18, 6)),
    "poolformer_m36": (M, (6, 6, 18, 6)),
    "poolformer_m48": (M, (8, 8, 24, 8)),
}
IMAGE = torch.empty(1, 3, 224, 224, device="meta")


def on_meta(name: str, **options: Any) -> nn.Module:
    with torch.device("meta"):
        return getattr(poolformer, name)(**options)


@pytest.mark.parametrize("name", SIZES)
def test_parameters_and_macs_are_those_of_the_configuration(name: str) -> None:
    dims, depths = SIZES[name]
    assert sum(depths) == int(name[-2:])
    params, macs = 7 * 7 * 3 * dims[0] + dims[0], 56**2 * 7 * 7 * 3 * dims[0]
    for i, (d, depth) in enumerate(zip(dims, depths, strict=True)):
        n = (56 >> i) ** 2
        params += depth * (8 * d**2 + 5 * d + 2 * 2 * d + 2 * d)  # MLP, two norms, two scales
        macs += depth * 8 * n * d**2
        if i < 3:
            params += 9 * d * dims[i + 1] + dims[i + 1]
            macs += n // 4 * 9 * d * dims[i + 1]
    params += 2 * dims[3] + dims[3] * 1000 + 1000
    macs += dims[3] * 1000
    cost = count_cost(on_meta(name), (IMAGE,))
    assert (cost.params, cost.macs, cost.uncounted) == (params, macs, {})


def test_published_counts_of_s24_have_the_norms_in_them() -> None:
    cost = count_cost(on_meta("poolformer_s24"), (IMAGE,))
    assert round(cost.params / 1e6, 2) == 21.39
    assert round((cost.macs + cost.other_ops["norm"]) / 1e9, 2) == 3.41


class TheirBlock(nn.Module):
    def __init__(self, dim: int, pool_size: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(1, dim), nn.GroupNorm(1, dim)
        self.mlp = nn.ModuleDict({"fc1": nn.Conv2d(dim, 3 * dim, 1), "fc2": nn.Conv2d(3 * dim, dim, 1)})
        self.layer_scale_1, self.layer_scale_2 = (nn.Parameter(torch.empty(dim)) for _ in range(2))
        self.pool_size = pool_size

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        ones = torch.ones_like(y)
        total, count = (
            F.avg_pool2d(t, self.pool_size, 1, self.pool_size // 2, divisor_override=1) for t in (y, ones)
        )
        x = x + self.layer_scale_1.view(1, -1, 1, 1) * (total / count - y)
        y = self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))
        return x + self.layer_scale_2.view(1, -1, 1, 1) * y


class Theirs(nn.Module):
    def __init__(self, dims: tuple[int, ...], depths: tuple[int, ...], pool_size: int) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, dims[0], 7, 4, 2)})
        self.network = nn.ModuleList()
        for i, (dim, depth) in enumerate(zip(dims, depths, strict=True)):
            self.network.append(nn.Sequential(*(TheirBlock(dim, pool_size) for _ in range(depth))))
            if i < len(dims) - 1:
                self.network.append(nn.ModuleDict({"proj": nn.Conv2d(dim, dims[i + 1], 3, 2, 1)}))
        self.norm, self.head = nn.GroupNorm(1, dims[-1]), nn.Linear(dims[-1], 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed["proj"](x)
        for part in self.network:
            x = part["proj"](x) if isinstance(part, nn.ModuleDict) else part(x)
        return self.head(self.norm(x).mean((2, 3)))


KWARGS: dict[str, Any] = {
    "layers": [1, 2, 1],
    "embed_dims": [4, 6, 8],
    "mlp_ratios": [3, 3, 3],
    "downsamples": [True, True, True],
    "pool_size": 5,
    "num_classes": 5,
}


def test_the_authors_weights_make_the_authors_network() -> None:
    torch.manual_seed(0)
    theirs = Theirs((4, 6, 8), (1, 2, 1), 5)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    ours = poolformer.PORTS["PoolFormer"].load(KWARGS, theirs.state_dict())
    x = torch.randn(2, 3, 52, 40, dtype=torch.float64)
    torch.testing.assert_close(ours.double()(x), theirs.double()(x))


def test_without_layer_scale_a_block_has_norms_and_mlp_alone() -> None:
    ours = poolformer.PORTS["PoolFormer"].arguments(KWARGS | {"use_layer_scale": False})
    with torch.device("meta"):
        block = poolformer.Hierarchy(**ours).stages[0].blocks[0]
    assert {name.partition(".")[0] for name in block.state_dict()} == {"norm1", "norm2", "mlp"}


def test_stages_that_keep_their_grid_are_refused() -> None:
    with pytest.raises(ValueError, match=r"downsamples=\[True, False, True\] is not supported"):
        poolformer.PORTS["PoolFormer"].arguments(KWARGS | {"downsamples": [True, False, True]})


@pytest.mark.parametrize(
    ("mixer", "own"), [("msa", 4 * 49 * 512**2 + 2 * 49**2 * 512), ("dwconv", 49**2 * 512)]
)
def test_a_mixer_of_any_layout_takes_the_place_of_pooling(mixer: str, own: int) -> None:
    plain, swapped = on_meta("poolformer_s12"), on_meta("poolformer_s12", mixer={"stage4": mixer})
    names = [{n for n, _ in network.named_parameters() if ".mixer." not in n} for network in (plain, swapped)]
    assert names[0] == names[1]
    costs = [count_cost(network, (IMAGE,)).macs for network in (plain, swapped)]
    assert costs[1] - costs[0] == 2 * own


def test_what_has_no_fused_kernel_says_so() -> None:
    with pytest.raises(
        ValueError, match="PoolFormer has no mixer that runs on kernel 'sdpa'; it runs on math"
    ):
        on_meta("poolformer_s12", kernel="sdpa")
