"""Deformable attention against sampling pixel by pixel."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.dat import PORTS, DeformableAttention
from tests.mixers.counting import counted

Size = tuple[int, int]


def image(size: Size, dim: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, dim, *size, generator=generator, dtype=torch.float64)


def made(size: Size, **options: Any) -> DeformableAttention:
    torch.manual_seed(0)
    module = DeformableAttention(8, 4, **({"grid": size, "kernel_size": 3} | options)).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return module


def between(map_: Tensor, y: float, x: float) -> Tensor:
    """A (C, H, W) map between its pixels, −1 and 1 being the centres of the first and the last; 0 outside."""
    height, width = map_.shape[1:]
    row, column = (y + 1) / 2 * (height - 1), (x + 1) / 2 * (width - 1)
    out = torch.zeros(map_.shape[0], dtype=map_.dtype)
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(column), math.floor(column) + 1):
            if 0 <= i < height and 0 <= j < width:
                out += (1 - abs(row - i)) * (1 - abs(column - j)) * map_[:, i, j]
    return out


def oracle(module: DeformableAttention, x: Tensor) -> Tensor:
    (height, width), groups, early = x.shape[2:], module.num_groups, module.early
    less = 0 if early else 1
    q = module.proj_q(x)[0]
    conv, norm, _, last = module.conv_offset
    outputs = []
    for group in range(groups):
        own = slice(8 // groups * group, 8 // groups * (group + 1))
        offset = F.conv2d(
            q[None, own], conv.weight, conv.bias, module.stride, module.padding, groups=8 // groups
        )[0]
        h, w = offset.shape[1:]
        mean, var = offset.mean(0), offset.var(0, unbiased=False)
        offset = (offset - mean) / (var + 1e-5).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
        offset = 0.5 * offset * (1 + torch.erf(offset / 2**0.5))
        offset = torch.einsum("oc,cyx->oyx", last.weight[:, :, 0, 0], offset).tolist()
        places = []
        for i in range(h):
            for j in range(w):
                y, z = offset[0][i][j], offset[1][i][j]
                if module.offset_range_factor >= 0:
                    y = math.tanh(y) * module.offset_range_factor / (h - less)
                    z = math.tanh(z) * module.offset_range_factor / (w - less)
                y, z = y + (i + 0.5) / (h - less) * 2 - 1, z + (j + 0.5) / (w - less) * 2 - 1
                if module.offset_range_factor < 0:
                    y, z = (math.tanh(t) if early else max(-1.0, min(1.0, t)) for t in (y, z))
                places.append((y, z))
        outputs.append((places, torch.stack([between(x[0, own], *place) for place in places], dim=1)))
    sampled = torch.cat([values for _, values in outputs])[None, :, None]
    k, v = module.proj_k(sampled)[0, :, 0], module.proj_v(sampled)[0, :, 0]
    out = torch.zeros_like(q)
    for head in range(4):
        own, group = slice(2 * head, 2 * head + 2), head // (4 // groups)
        for i in range(height):
            for j in range(width):
                logits = k[own].t() @ q[own, i, j] / 2**0.5
                at = [
                    (s + (0.5 if early else 0)) / (side - less) * 2 - 1
                    for s, side in ((i, height), (j, width))
                ]
                for n, (y, z) in enumerate(outputs[group][0]):
                    dy, dx = at[0] - y, at[1] - z
                    if module.position == "rpe":
                        bias = between(module.rpe_table[head][None], dy / 2, dx / 2)[0]
                    elif module.position == "log_cpb":
                        spaced = [math.copysign(math.log2(abs(4 * d) + 1) / 3, d) for d in (dy, dx)]
                        bias = module.position_mlp(torch.tensor(spaced, dtype=x.dtype))[head % (4 // groups)]
                    elif module.position == "fixed":
                        bias = module.rpe_table[head, i * width + j, n]
                    else:
                        bias = 0.0
                    logits = logits + F.one_hot(torch.tensor(n), len(logits)) * bias
                out[own, i, j] = v[own] @ logits.softmax(0)
    if module.position == "dwc":
        out = out + module.position_conv(q[None])[0]
    return module.proj_out(out[None])


CASES: list[tuple[dict[str, Any], Size]] = [
    ({}, (3, 4)),
    ({"num_groups": 4, "offset_range_factor": 3}, (4, 3)),
    ({"stride": 2}, (5, 4)),
    ({"stride": 2, "kernel_size": 2, "num_groups": 1}, (4, 6)),
    ({"position": "log_cpb"}, (3, 4)),
    ({"position": "fixed"}, (3, 3)),
    ({"position": "dwc", "kernel_size": 5}, (3, 4)),
    ({"position": "none", "offset_range_factor": -1}, (3, 4)),
    ({"early": True}, (3, 4)),
    ({"early": True, "position": "none", "offset_range_factor": -1}, (3, 4)),
    ({"early": True, "position": "dwc", "stride": 3}, (4, 6)),
]


@pytest.mark.parametrize(("options", "size"), CASES, ids=str)
def test_queries_attend_to_what_lies_at_the_positions(options: dict[str, Any], size: Size) -> None:
    module, x = made(size, **options), image(size)
    expected = oracle(module, x)
    torch.testing.assert_close(module(x), expected)
    module.kernel = "sdpa"
    torch.testing.assert_close(module(x), expected)


def test_the_first_reference_is_shifted_by_half_a_step_and_the_last_lies_outside() -> None:
    module = made((4, 5), position="none")
    torch.nn.init.zeros_(module.conv_offset[3].weight)
    where = module._positions(image((4, 5)), (4, 5))[0]
    torch.testing.assert_close(where[0, 0].tolist(), [-1 + 1 / 3, -1 + 1 / 4])
    torch.testing.assert_close(where[-1, -1].tolist(), [1 + 1 / 3, 1 + 1 / 4])


def test_without_offsets_keys_are_means_of_squares() -> None:
    module, x = made((4, 6), offsets=False, stride=2), image((4, 6))
    means = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
    q, k, v = (
        layer(t).reshape(1, 4, 2, -1)
        for layer, t in ((module.proj_q, x), (module.proj_k, means), (module.proj_v, means))
    )
    attn = (torch.einsum("bhdn,bhdm->bhnm", q, k) / 2**0.5).softmax(-1)
    out = torch.einsum("bhnm,bhdm->bhdn", attn, v).reshape(1, 8, 4, 6)
    torch.testing.assert_close(module(x), module.proj_out(out))
    assert not any(parameter.requires_grad for parameter in module.conv_offset.parameters())


@pytest.mark.parametrize(("c", "h", "size"), [(768, 12, (14, 14)), (64, 2, (28, 14)), (32, 4, (7, 9))])
def test_the_closed_form(c: int, h: int, size: Size) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        plain = DeformableAttention(c, h, grid=size, kernel_size=5)
        spaced = DeformableAttention(c, h, num_groups=1, position="log_cpb")
        halved = DeformableAttention(c, h, position="dwc", kernel_size=3, stride=2)
    offsets = 25 * n * c + 2 * n * c
    assert counted(plain, size) == 4 * n * c**2 + 2 * n**2 * c + offsets
    assert counted(spaced, size) == counted(plain, size) + n**2 * (2 * 32 + 32 * h)
    m = -(-size[0] // 2) * -(-size[1] // 2)
    assert counted(halved, size) == 2 * (n + m) * c**2 + 2 * n * m * c + 11 * m * c + 9 * n * c


def test_a_map_of_another_size_is_refused_where_a_table_is_made_for_one() -> None:
    for position in ("rpe", "fixed"):
        module = DeformableAttention(8, 2, grid=(4, 5), position=position)
        with pytest.raises(ValueError, match=r"^the map is 5 × 4, this module is made for 4 × 5$"):
            module(torch.zeros(1, 8, 5, 4))
    assert (
        DeformableAttention(8, 2, grid=(4, 5), position="log_cpb")(torch.zeros(1, 8, 5, 4)).isfinite().all()
    )


def test_a_map_too_small_to_sample_is_refused() -> None:
    module = DeformableAttention(8, 2, stride=4, kernel_size=4, position="none")
    message = r"^stride 4 and kernel_size 4 leave too few samples of the 4 × 8 map$"
    with pytest.raises(ValueError, match=message):
        module(torch.zeros(1, 8, 4, 8))
    uneven = DeformableAttention(8, 2, grid=(5, 5), stride=2, kernel_size=3, position="fixed")
    with pytest.raises(ValueError, match=r'^position "fixed" is made for 4 samples, not for 9$'):
        uneven(torch.zeros(1, 8, 5, 5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_groups": 3}, "num_groups 3 does not divide num_heads 4"),
        ({"stride": 0}, "stride 0 and kernel_size 5 must be positive"),
        ({"position": "cpb"}, "unknown position 'cpb'; allowed: rpe, log_cpb, fixed, dwc, none"),
        (
            {"early": True, "offsets": False},
            'early has neither position "fixed" or "log_cpb" nor offsets=False',
        ),
        (
            {"early": True, "position": "fixed"},
            'early has neither position "fixed" or "log_cpb" nor offsets=F',
        ),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        DeformableAttention(8, 4, **options)


def test_the_authors_flags_are_one_position_here() -> None:
    convert = PORTS["dat"].arguments
    authors = {"q_size": [4, 4], "n_heads": 2, "n_head_channels": 4, "n_groups": 1, "ksize": 3, "stride": 1}
    assert convert(authors)["dim"] == 8
    for flags, position in (
        ({}, "rpe"),
        ({"log_cpb": True}, "log_cpb"),
        ({"fixed_pe": True, "log_cpb": True}, "fixed"),
        ({"dwc_pe": True, "fixed_pe": True}, "dwc"),
        ({"use_pe": False, "log_cpb": True}, "none"),
    ):
        assert convert(authors | flags)["position"] == position
    assert convert(authors | {"no_off": True})["offsets"] is False


@pytest.mark.parametrize(("stage", "kernel_size"), [(0, 9), (1, 7), (2, 5), (3, 3)])
def test_the_kernel_of_the_early_revision_depends_on_the_stage(stage: int, kernel_size: int) -> None:
    authors = {"q_size": [4, 4], "n_heads": 3, "n_head_channels": 4, "stage_idx": stage}
    ours = PORTS["dat_hubhop"].arguments(authors)
    assert (ours["kernel_size"], ours["num_groups"], ours["early"]) == (kernel_size, 3, True)
