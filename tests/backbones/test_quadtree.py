"""QuadTree Transformers: exact counts, and the wiring against one written down with the authors' names."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.backbones import quadtree
from benchsuite.measurement.macs import count_cost
from benchsuite.mixers.quadtree import QuadTreeAttention

DIMS = {0: (32, 64, 160, 256)} | dict.fromkeys((1, 2, 3, 4), (64, 128, 320, 512))
DEPTHS = {0: (2, 2, 2, 2), 1: (2, 2, 2, 2), 2: (3, 4, 6, 3), 3: (3, 4, 18, 3), 4: (3, 8, 27, 3)}
PUBLISHED = {0: 0.6, 1: 2.3, 2: 4.5, 3: 7.8, 4: 11.5}
RATIOS, LEVELS = (8, 8, 4, 4), (4, 3, 2, 1)
IMAGE = torch.empty(1, 3, 224, 224, device="meta")


def on_meta(name: str, **options: Any) -> nn.Module:
    with torch.device("meta"):
        return getattr(quadtree, name)(**options)


def attention_params(d: int, levels: int, variant: str) -> int:
    params = 4 * d**2 + 4 * d
    if variant == "B":
        branch = 2 * d + (4 * d**2 + d) + 2 * d + (d**2 + d)
        params += (levels - 1) * branch + levels * (9 * d + d) + levels
    return params


def attention_macs(d: int, levels: int, variant: str) -> int:
    """All stages have a coarsest level of 7 × 7 tokens; finer ones look into 8 regions of 4."""
    tokens = [49 * 4**level for level in range(levels)]
    macs = 4 * tokens[-1] * d**2 + 2 * 49**2 * d + sum(2 * n * 32 * d for n in tokens[1:])
    if variant == "B":
        macs += sum(9 * n * d for n in tokens) + sum(n * (4 * d**2 + d**2) for n in tokens[:-1])
    return macs


@pytest.mark.parametrize(("variant", "number"), [("A", 0), ("A", 2), *(("B", number) for number in DIMS)])
def test_parameters_and_macs_are_those_of_the_configuration(variant: str, number: int) -> None:
    params, macs, before = 0, 0, 3
    for i, d in enumerate(DIMS[number]):
        n, kernel, hidden = (56 >> i) ** 2, 3 if i else 7, RATIOS[i] * d
        params += kernel**2 * before * d + d + 2 * d + 2 * d  # with the norms behind it and of the stage
        macs += n * kernel**2 * before * d
        feed_forward = 2 * d * hidden + hidden + d + 9 * hidden + hidden
        params += DEPTHS[number][i] * (attention_params(d, LEVELS[i], variant) + feed_forward + 4 * d)
        macs += DEPTHS[number][i] * (attention_macs(d, LEVELS[i], variant) + n * hidden * (2 * d + 9))
        before = d
    params += before * 1000 + 1000
    macs += before * 1000
    cost = count_cost(on_meta(f"quadtree_{variant.lower()}_b{number}"), (IMAGE,))
    assert (cost.params, cost.macs, cost.uncounted) == (params, macs, {})
    if variant == "B":
        # The published counter adds norms, activations and biases, which only b4 shows in the digits printed.
        added = cost.other_ops["norm"] + cost.other_ops["elementwise"] if number == 4 else 0
        assert round((macs + added) / 1e9, 1) == PUBLISHED[number]


class TheirBlock(nn.Module):
    def __init__(self, dim: int, heads: int, levels: int, variant: str) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = QuadTreeAttention(dim, heads, levels=levels, variant=variant)
        conv = nn.ModuleDict({"dwconv": nn.Conv2d(2 * dim, 2 * dim, 3, padding=1, groups=2 * dim)})
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(dim, 2 * dim), "dwconv": conv, "fc2": nn.Linear(2 * dim, dim)}
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.attn(self.norm1(x), size)
        y = self.mlp["fc1"](self.norm2(x)).transpose(1, 2).unflatten(2, size)
        y = self.mlp["dwconv"]["dwconv"](y).flatten(2).transpose(1, 2)
        return x + self.mlp["fc2"](F.gelu(y))


class Theirs(nn.Module):
    """Images of 128 × 96 are 32 × 24, 16 × 12, 8 × 6 and 4 × 3 tokens."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        before = 3
        for i, (dim, depth, levels) in enumerate(zip((4, 6, 8, 8), (1, 2, 1, 1), (2, 1, 1, 1), strict=True)):
            conv = nn.Conv2d(before, dim, 3 if i else 7, 2 if i else 4, 1 if i else 3)
            blocks = nn.ModuleList(TheirBlock(dim, 2, levels, variant) for _ in range(depth))
            setattr(self, f"patch_embed{i + 1}", nn.ModuleDict({"proj": conv, "norm": nn.LayerNorm(dim)}))
            setattr(self, f"block{i + 1}", blocks)
            setattr(self, f"norm{i + 1}", nn.LayerNorm(dim, eps=1e-6))
            before = dim
        self.head = nn.Linear(before, 5)

    def forward(self, x: Tensor) -> Tensor:
        for i in "1234":
            embed, blocks, norm = (getattr(self, f"{name}{i}") for name in ("patch_embed", "block", "norm"))
            x = embed["proj"](x)
            size = (x.shape[2], x.shape[3])
            x = embed["norm"](x.flatten(2).transpose(1, 2))
            for block in blocks:
                x = block(x, size)
            x = norm(x).transpose(1, 2).unflatten(2, size)
        return self.head(x.mean((2, 3)))


KWARGS: dict[str, Any] = {
    "embed_dims": [4, 6, 8, 8],
    "num_heads": [2, 2, 2, 2],
    "mlp_ratios": [2, 2, 2, 2],
    "qkv_bias": True,
    "depths": [1, 2, 1, 1],
    "sr_ratios": [2, 1, 1, 1],
    "num_classes": 5,
    "img_size": 128,
}
RENAMED = (
    ("level_weight", "py_att.weight"),
    ("lepe.", "py_att.get_vs."),
    ("value_branches", "value_branchs"),
)


@pytest.mark.parametrize("variant", ["A", "B"])
def test_the_authors_weights_make_the_authors_network(variant: str) -> None:
    torch.manual_seed(0)
    theirs = Theirs(variant)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    state = {}
    for name, tensor in theirs.state_dict().items():
        for old, new in RENAMED:
            name = name.replace(old, new)
        state[name] = tensor
    ours = quadtree.PORTS["PyramidVisionTransformerV2"].load(KWARGS | {"attn_type": variant}, state)
    x = torch.randn(2, 3, 128, 96, dtype=torch.float64)
    torch.testing.assert_close(ours.double()(x), theirs.double()(x))


def test_a_pyramid_that_does_not_fit_the_grid_is_an_error_that_names_the_stage() -> None:
    with pytest.raises(ValueError, match=r"stage1.*: 4 levels need a grid that 8 divides, not 60 × 60"):
        on_meta("quadtree_b_b0", resolution=240)


def test_another_mixer_changes_the_mixer_and_nothing_else() -> None:
    plain, swapped = on_meta("quadtree_b_b1"), on_meta("quadtree_b_b1", mixer={"all": "sra"})
    names = [{n for n, _ in network.named_parameters() if ".attn." not in n} for network in (plain, swapped)]
    assert names[0] == names[1]
    costs = [count_cost(network, (IMAGE,)).macs for network in (plain, swapped)]
    expected = 0
    for i, d in enumerate(DIMS[1]):
        n = (56 >> i) ** 2
        m = n // 4 if i < 3 else 9  # stride 2; the last row and column of 7 × 7 are left out
        sra = 2 * n * d**2 + 4 * m * d**2 + 2 * m * d**2 + 2 * n * m * d
        expected += 2 * (attention_macs(d, LEVELS[i], "B") - sra)
    assert costs[0] - costs[1] == expected
