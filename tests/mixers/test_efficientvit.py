"""ReLU linear attention with the weights formed in full, query by query."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.efficientvit import PORTS, ReLULinearAttention


def map_of(dim: int = 8, size: tuple[int, int] = (3, 4)) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, dim, *size, generator=generator, dtype=torch.float64)


def build(**options: Any) -> ReLULinearAttention:
    torch.manual_seed(0)
    return ReLULinearAttention(8, 2, **options).double().eval()


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scales": (3, 5), "out_dim": 6},
        {"scales": (), "qkv_bias": True, "proj_bias": True},
        {"head_dim": 2, "qkv_bias": True},
        {"head_dim": 12},  # no more tokens than channels of a head: the other order of products
    ],
)
def test_weights_are_normalised_products_of_what_is_positive(options: dict[str, Any]) -> None:
    module, x = build(**options), map_of()
    d, heads = options.get("head_dim", 4), 2
    projected = F.conv2d(x, module.qkv.weight, module.qkv.bias)
    branches = [projected]
    for depthwise, grouped in module.aggreg:
        branch = F.conv2d(projected, depthwise.weight, depthwise.bias, padding="same", groups=3 * heads * d)
        parts = [
            F.conv2d(part, grouped.weight[i * d : (i + 1) * d])
            for i, part in enumerate(branch.split(d, dim=1))
        ]
        offset = 0 if grouped.bias is None else grouped.bias[:, None, None]
        branches.append(torch.cat(parts, dim=1) + offset)
    outputs = []
    for branch in branches:
        for head in range(heads):
            qkv = branch[:, 3 * d * head : 3 * d * (head + 1)].flatten(2)
            q, k, v = qkv[:, :d].clamp(min=0), qkv[:, d : 2 * d].clamp(min=0), qkv[:, 2 * d :]
            out = torch.zeros_like(v)
            for query in range(12):
                agreement = (q[:, :, query, None] * k).sum(dim=1)  # B, N
                share = agreement / (agreement.sum(dim=1, keepdim=True) + 1e-15)
                out[:, :, query] = (v * share[:, None]).sum(dim=2)
            outputs.append(out)
    joined = torch.cat(outputs, dim=1).reshape(2, -1, 3, 4)
    out = F.conv2d(joined, module.proj.conv.weight, module.proj.conv.bias)
    torch.testing.assert_close(module(x), out / (1 + 1e-5) ** 0.5)  # a new batch norm


def test_a_query_that_no_key_agrees_with_gives_zero_and_no_nan() -> None:
    module, x = build(scales=()), map_of().requires_grad_()
    with torch.no_grad():
        module.qkv.weight[:4].zero_()  # queries of the first head
    module.proj = torch.nn.Identity()
    out = module(x)
    assert (out[:, :4] == 0).all()
    assert (out[:, 4:] != 0).any()
    out.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_half_precision_neither_overflows_nor_divides_by_nothing() -> None:
    """The sum of the keys is beyond 65,504, the largest float16, and so is 1 / eps."""
    module, x = build(scales=()).float(), 40 * map_of(size=(64, 64)).float()
    with torch.no_grad():
        module.qkv.weight.abs_()
    x = x.abs()
    exact = module(x)
    half = module.half()(x.half())
    assert half.dtype == torch.float16
    assert half.isfinite().all()
    torch.testing.assert_close(half.float(), exact, rtol=0.02, atol=0.02)


def test_the_batch_norm_uses_the_batch_in_training() -> None:
    module = build().train()
    out = module(map_of())
    torch.testing.assert_close(out.mean(dim=(0, 2, 3)), torch.zeros(8, dtype=torch.float64))


@pytest.mark.parametrize("scale", [0, 2, 4])
def test_a_scale_without_a_middle_is_refused(scale: int) -> None:
    with pytest.raises(ValueError, match=f"^scale {scale} is not odd, so the grid would not keep its size$"):
        build(scales=(3, scale))


def test_the_port_computes_heads_as_the_authors_do() -> None:
    convert = PORTS["efficientvit_litemla"].arguments
    plain = {"dim": 24, "out_dim": 24, "head_dim": 8, "num_heads": 3, "qkv_bias": False, "proj_bias": False}
    assert convert({"in_channels": 24, "out_channels": 24, "dim": 8}) == plain
    ours = convert(
        {
            "in_channels": 24,
            "out_channels": 12,
            "heads_ratio": 0.5,
            "norm": [None, "bn2d"],
            "use_bias": [True, False],
            "scales": [3, 5],
        }
    )
    changed = {"out_dim": 12, "num_heads": 1, "qkv_bias": True, "scales": (3, 5)}
    assert ours == plain | changed
    assert convert({"in_channels": 24, "heads": 5, "dim": 4})["num_heads"] == 5
    with pytest.raises(
        ValueError, match=r"^kernel_func='gelu' is not supported; only kernel_func='relu' is$"
    ):
        convert({"in_channels": 24, "kernel_func": "gelu"})
