"""Bi-level routing attention against an oracle that goes from region to region and from head to head."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.biformer import PORTS, BiLevelRoutingAttention, BiLevelRoutingAttention2d
from tests.mixers.counting import counted

Size = tuple[int, int]


def made(cls: type[Any] = BiLevelRoutingAttention, **options: Any) -> Any:
    torch.manual_seed(0)
    return cls(8, 2, **options).double()


def image(size: Size) -> Tensor:
    return torch.randn(2, *size, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def attend_by_region(
    q: Tensor, k: Tensor, v: Tensor, means: tuple[Tensor, Tensor], topk: int, scale: float, soft: bool = False
) -> Tensor:
    """q, k, v: lists of regions' tokens stacked, (regions, tokens, channels) of one image; 2 heads."""
    out = []
    for region, tokens in enumerate(q):
        likeness = means[0][region] @ means[1].t()
        best = likeness.argsort(descending=True)[:topk]
        weights = likeness[best].softmax(0) if soft else torch.ones(topk, dtype=q.dtype)
        keys = torch.cat([k[index] * weight for index, weight in zip(best, weights, strict=True)])
        values = torch.cat([v[index] * weight for index, weight in zip(best, weights, strict=True)])
        heads = []
        for one_q, one_k, one_v in zip(*(t.chunk(2, dim=-1) for t in (tokens, keys, values)), strict=True):
            heads.append((one_q @ one_k.t() * scale).softmax(-1) @ one_v)
        out.append(torch.cat(heads, dim=-1))
    return torch.stack(out)


def regions_of(x: Tensor, region: Size) -> Tensor:
    """(H, W, C) of one image → (regions, tokens, C)."""
    high, wide = region
    rows, columns = x.shape[0] // high, x.shape[1] // wide
    return torch.stack(
        [
            x[i * high : (i + 1) * high, j * wide : (j + 1) * wide].flatten(0, 1)
            for i in range(rows)
            for j in range(columns)
        ]
    )


def as_map(regions: Tensor, size: Size, region: Size) -> Tensor:
    out = torch.empty(*size, regions.shape[-1], dtype=regions.dtype)
    columns = size[1] // region[1]
    for index, tokens in enumerate(regions):
        i, j = index // columns * region[0], index % columns * region[1]
        out[i : i + region[0], j : j + region[1]] = tokens.unflatten(0, region)
    return out


def pooled(t: Tensor, module: Any, region: Size) -> Tensor:
    if module.kv_pool is None:
        return t
    return module.kv_pool(t.transpose(1, 2).unflatten(-1, region)).flatten(2).transpose(1, 2)


def oracle(module: BiLevelRoutingAttention, x: Tensor) -> Tensor:
    s, d = module.n_win, module.qk_dim
    size = (-(-x.shape[1] // s) * s, -(-x.shape[2] // s) * s)
    region = (size[0] // s, size[1] // s)
    images = []
    for one in x:
        padded = torch.zeros(*size, 8, dtype=x.dtype)
        padded[: x.shape[1], : x.shape[2]] = one
        qkv = module.qkv(padded)
        q, k, v = (regions_of(t, region) for t in qkv.split([d, d, 8], dim=-1))
        means = (module.router(q.mean(1)) * module.scale, module.router(k.mean(1)))
        out = attend_by_region(
            q,
            pooled(k, module, region),
            pooled(v, module, region),
            means,
            module.topk,
            module.scale,
            module.soft_routing,
        )
        mixed = as_map(out, size, region)
        if module.lepe is not None:
            mixed = mixed + module.lepe(qkv[None, ..., 2 * d :].permute(0, 3, 1, 2))[0].permute(1, 2, 0)
        images.append(module.wo(mixed)[: x.shape[1], : x.shape[2]])
    return torch.stack(images)


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((6, 9), {"n_win": 3, "topk": 2}),
        ((4, 4), {"n_win": 2, "topk": 4, "side_dwconv": 5}),
        ((4, 6), {"n_win": 2, "topk": 3, "qk_dim": 4, "side_dwconv": 0}),
        ((6, 6), {"n_win": 3, "topk": 2, "soft_routing": True, "qk_scale": 0.7}),
        ((4, 4), {"n_win": 2, "topk": 2, "soft_routing": True, "diff_routing": True, "param_routing": True}),
        ((5, 7), {"n_win": 3, "topk": 2, "pad": True}),
        ((8, 8), {"n_win": 2, "topk": 2, "kv_pool": "ada_avgpool", "kv_per_win": 3}),
        ((8, 8), {"n_win": 2, "topk": 2, "kv_pool": "ada_maxpool", "kv_per_win": 2}),
        ((8, 8), {"n_win": 2, "topk": 2, "kv_pool": "avgpool", "kv_downsample_ratio": 2}),
        ((8, 8), {"n_win": 2, "topk": 2, "kv_pool": "maxpool", "kv_downsample_ratio": 4}),
    ],
)
def test_each_region_attends_to_those_it_resembles(size: Size, options: dict[str, Any], kernel: str) -> None:
    module, x = made(kernel=kernel, **options), image(size)
    torch.testing.assert_close(module(x), oracle(module, x))


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize(
    ("size", "n_win", "regions"), [((4, 6), 2, 4), ((7, 8), 3, 16), ((5, 5), 2, 9), ((3, 7), 3, 12)]
)
def test_with_channels_first_regions_that_do_not_fit_are_more_and_padded(
    size: Size, n_win: int, regions: int, kernel: str
) -> None:
    module, x = made(BiLevelRoutingAttention2d, n_win=n_win, topk=3, kernel=kernel), image(size)
    region = (size[0] // n_win, size[1] // n_win)
    grid = (-(-size[0] // region[0]) * region[0], -(-size[1] // region[1]) * region[1])
    assert (grid[0] // region[0]) * (grid[1] // region[1]) == regions
    x = x.permute(0, 3, 1, 2)
    expected = []
    for qkv in module.qkv_linear(x):
        padded = F.pad(qkv, (0, grid[1] - size[1], 0, grid[0] - size[0])).permute(1, 2, 0)
        there = F.pad(torch.ones(*size, 1, dtype=x.dtype), (0, 0, 0, grid[1] - size[1], 0, grid[0] - size[0]))
        counts = regions_of(there, region).sum(1)
        q, k, v = (regions_of(t, region) for t in padded.chunk(3, dim=-1))
        means = (q.sum(1) / counts, k.sum(1) / counts)  # of the tokens that are there
        mixed = as_map(attend_by_region(q, k, v, means, 3, module.scale), grid, region)
        mixed = mixed[: size[0], : size[1]].permute(2, 0, 1) + module.lepe(qkv[None, 16:])[0]
        expected.append(module.output_linear(mixed))
    torch.testing.assert_close(module(x), torch.stack(expected))


def test_logits_are_scaled_by_the_width_of_all_heads() -> None:
    assert made().scale == 8**-0.5
    assert made(qk_dim=4).scale == 4**-0.5
    assert made(BiLevelRoutingAttention2d).scale == 8**-0.5


def test_the_router_learns_only_where_routing_is_differentiable() -> None:
    module = made(n_win=2, topk=2, soft_routing=True, diff_routing=True, param_routing=True)
    module(image((4, 4))).sum().backward()
    assert module.router.weight.grad is not None
    assert module.router.weight.grad.any()


@pytest.mark.parametrize(("dim", "heads", "size"), [(768, 12, (14, 14)), (96, 3, (56, 28)), (32, 4, (7, 21))])
def test_macs_by_hand(dim: int, heads: int, size: Size) -> None:
    n, region, topk = size[0] * size[1], size[0] * size[1] // 49, 4
    projections, routing, local = 4 * n * dim**2, 49**2 * dim, 9 * n * dim
    expected = projections + routing + 2 * n * topk * region * dim + local
    with torch.device("meta"):
        module, other = BiLevelRoutingAttention(dim, heads), BiLevelRoutingAttention2d(dim, heads)
    assert counted(module, size) == counted(other, size) == expected


def test_macs_of_narrow_queries_pooled_keys_and_padding() -> None:
    n, c, d, keys = 36, 32, 16, 1  # 5 × 6 padded to 6 × 6: nine regions of 2 × 2, pooled to one key each
    options = {
        "n_win": 3,
        "topk": 2,
        "qk_dim": d,
        "pad": True,
        "kv_pool": "avgpool",
        "kv_downsample_ratio": 2,
    }
    expected = n * c * (2 * d + c) + 81 * d + n * 2 * keys * (d + c) + 25 * n * c + n * c**2
    with torch.device("meta"):
        module = BiLevelRoutingAttention(c, 4, side_dwconv=5, **options)
    assert counted(module, (5, 6)) == expected


def test_macs_of_a_router_with_weights() -> None:
    options = {"n_win": 2, "topk": 2, "soft_routing": True, "diff_routing": True}
    plain = BiLevelRoutingAttention(8, 2, **options)
    learned = BiLevelRoutingAttention(8, 2, **options, param_routing=True)
    assert counted(learned, (4, 4)) - counted(plain, (4, 4)) == 2 * 4 * 8**2


def test_macs_with_channels_first_pay_for_padded_tokens_in_attention_only() -> None:
    n, padded, c = 35, 54, 32  # 5 × 7 in regions of 2 × 3: 6 × 9, nine regions of six tokens
    with torch.device("meta"):
        module = BiLevelRoutingAttention2d(c, 4, n_win=2, topk=3)
    expected = 4 * n * c**2 + 81 * c + 2 * padded * 3 * 6 * c + 9 * n * c
    assert counted(module, (5, 7)) == expected


def test_grids_that_do_not_fit_are_refused() -> None:
    module, other = made(n_win=4), made(BiLevelRoutingAttention2d, n_win=4)
    with pytest.raises(ValueError, match=r"^n_win 4 does not divide the 4 × 6 grid$"):
        module(image((4, 6)))
    with pytest.raises(ValueError, match=r"^n_win 4 is larger than the 3 × 8 grid$"):
        other(image((3, 8)).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_win": 2, "topk": 5}, "topk 5 is not between 1 and the 4 regions of n_win 2"),
        ({"n_win": 0}, "n_win 0 is not positive"),
        ({"side_dwconv": 4}, "side_dwconv 4 is neither odd nor 0"),
        ({"diff_routing": True}, "diff_routing needs soft_routing: a hard choice has no gradient"),
        (
            {"soft_routing": True, "param_routing": True},
            "param_routing needs diff_routing: its layer would not learn",
        ),
        (
            {"kv_pool": "fracpool"},
            "unknown kv_pool 'fracpool'; allowed: identity, ada_avgpool, ada_maxpool, avgpool, maxpool",
        ),
        ({"qk_dim": 9}, "num_heads 2 does not divide dim 9"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        made(**options)


def test_the_port_has_our_words_for_the_authors_modes() -> None:
    ours = PORTS["biformer_bra"].arguments({"dim": 8, "kv_downsample_mode": "avgpool", "auto_pad": True})
    assert ours == {"dim": 8, "kv_pool": "avgpool", "pad": True}
    state = PORTS["biformer_bra"].state({"qkv.qkv.weight": torch.ones(1), "router.emb.bias": torch.ones(1)})
    assert set(state) == {"qkv.weight", "router.bias"}
