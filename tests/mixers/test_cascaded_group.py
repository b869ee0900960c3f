"""Cascaded group attention, head by head and token by token."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers.cascaded_group import PORTS, CascadedGroupAttention

GRID = (2, 3)


def map_of(dim: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, dim, *GRID, generator=generator, dtype=torch.float64)


def build(**options: Any) -> CascadedGroupAttention:
    torch.manual_seed(0)
    module = CascadedGroupAttention(8, 2, **{"grid": GRID, "key_dim": 3} | options).double().eval()
    nn.init.normal_(module.attention_biases)
    for name, tensor in module.state_dict().items():
        if "norm" in name and tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5, 1.5)
    return module


def normed(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5)


def one_head(module: CascadedGroupAttention, head: int, x: Tensor, side: int) -> Tensor:
    (height, width), k_dim = GRID, module.key_dim
    qkv = normed(F.conv2d(x, module.qkvs[head].conv.weight), module.qkvs[head].norm)
    q, k, v = qkv[:, :k_dim], qkv[:, k_dim : 2 * k_dim], qkv[:, 2 * k_dim :]
    local = F.conv2d(q, module.dws[head].conv.weight, padding=side // 2, groups=k_dim)
    q = normed(local, module.dws[head].norm)
    places = [(i, j) for i in range(height) for j in range(width)]
    out = torch.empty_like(v)
    for i, j in places:
        logits = []
        for y, z in places:
            bias = module.attention_biases[head, abs(i - y) * width + abs(j - z)]
            logits.append((q[:, :, i, j] * k[:, :, y, z]).sum(dim=1) / k_dim**0.5 + bias)
        shares = torch.stack(logits, dim=1).softmax(dim=1)  # B, N
        out[:, :, i, j] = sum(shares[:, n, None] * v[:, :, y, z] for n, (y, z) in enumerate(places))
    return out


@torch.no_grad()
@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("sides", [5, (3, 1)])
def test_each_head_takes_its_share_and_the_output_of_the_last(
    kernel: str, sides: int | tuple[int, ...]
) -> None:
    module, x = build(kernel=kernel, kernel_sizes=sides), map_of()
    first_side, second_side = (sides, sides) if isinstance(sides, int) else sides
    first = one_head(module, 0, x[:, :4], first_side)
    second = one_head(module, 1, x[:, 4:] + first, second_side)
    joined = torch.cat([first, second], dim=1).clamp(min=0)
    expected = normed(F.conv2d(joined, module.proj.conv.weight), module.proj.norm)
    torch.testing.assert_close(module(x), expected)


@torch.no_grad()
def test_a_head_sees_the_groups_before_it_and_not_those_behind() -> None:
    module, x = build(), map_of()
    module.proj = nn.Identity()
    for group, expected in ((0, [True, True]), (1, [False, True])):
        other = x.clone()
        other[:, 4 * group : 4 * group + 4] += 1
        changed = (module(other) != module(x)).any(dim=(0, 2, 3))
        assert [bool(channels.any()) for channels in changed.split(4)] == expected


def test_batch_norms_use_the_batch_in_training() -> None:
    module = build().train()
    nn.init.ones_(module.proj.norm.weight)
    nn.init.zeros_(module.proj.norm.bias)
    out = module(map_of())
    torch.testing.assert_close(out.mean(dim=(0, 2, 3)), torch.zeros(8, dtype=torch.float64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_sizes": (3, 3, 3)}, r"^3 kernel_sizes for 2 heads$"),
        ({"kernel_sizes": (3, 4)}, r"^kernel size 4 is not odd, so the grid would not keep its size$"),
        ({"grid": (0, 3)}, r"^there is no 0 × 3 grid$"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CascadedGroupAttention(8, 2, **options)


def test_another_grid_is_refused_even_of_as_many_tokens() -> None:
    message = r"^cascaded_group was built for a 2 × 3 grid, and this one is 3 × 2$"
    with pytest.raises(ValueError, match=message):
        build()(map_of().transpose(2, 3))


def test_the_port_refuses_values_that_cannot_cascade() -> None:
    convert = PORTS["cascaded_group_attention"].arguments
    given = {"dim": 32, "num_heads": 2, "key_dim": 8, "attn_ratio": 2.0, "resolution": 7, "kernels": [5, 3]}
    assert convert(given) == {
        "dim": 32,
        "num_heads": 2,
        "key_dim": 8,
        "kernel_sizes": [5, 3],
        "grid": (7, 7),
    }
    message = r"^attn_ratio × key_dim is 8, and must be the 16 channels of a head to cascade$"
    with pytest.raises(ValueError, match=message):
        convert(given | {"attn_ratio": 1})


def test_the_port_understands_both_names_of_a_convolution() -> None:
    state = PORTS["cascaded_group_attention"].state
    names = ["qkvs.0.c.weight", "qkvs.1.conv.weight", "dws.0.bn.bias", "proj.1.c.weight", "proj.1.bn.bias"]
    ours = state({name: torch.zeros(()) for name in [*names, "attention_biases", "attention_bias_idxs"]})
    assert list(ours) == [
        "qkvs.0.conv.weight",
        "qkvs.1.conv.weight",
        "dws.0.norm.bias",
        "proj.conv.weight",
        "proj.norm.bias",
        "attention_biases",
    ]
