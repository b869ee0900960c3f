"""The non-local block against an oracle over pairs of positions."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchsuite.mixers.non_local import PORTS, NonLocal
from tests.mixers.counting import counted


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("options", [{}, {"use_scale": False}, {"rd_channels": 3}])
def test_it_adds_what_all_positions_say(options: dict[str, Any], train: bool, kernel: str) -> None:
    torch.manual_seed(0)
    module = NonLocal(16, kernel=kernel, **options).double().train(train)
    for tensor in (module.norm.weight, module.norm.bias, module.norm.running_mean):
        torch.nn.init.normal_(tensor)
    x = torch.randn(2, 16, 3, 4, dtype=torch.float64)
    mean, var = module.norm.running_mean.clone(), module.norm.running_var.clone()
    t, p, g = (project(x).flatten(2) for project in (module.t, module.p, module.g))
    scale = 16**-0.5 if module.scale != 1 else 1.0  # of the map's channels, not of the bottleneck's
    mixed = torch.zeros_like(g)
    for i in range(12):
        logits = [(t[:, :, i] * p[:, :, j]).sum(1) * scale for j in range(12)]
        weights = torch.stack(logits, dim=-1).softmax(-1)
        mixed[:, :, i] = (g * weights[:, None]).sum(-1)
    z = module.z(mixed.reshape(2, -1, 3, 4))
    if train:
        mean, var = z.mean((0, 2, 3)), z.var((0, 2, 3), unbiased=False)
    normed = (z - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()
    expected = x + normed * module.norm.weight[:, None, None] + module.norm.bias[:, None, None]
    torch.testing.assert_close(module(x), expected)


def test_the_bottleneck_is_half_as_wide_and_timms_an_eighth() -> None:
    assert NonLocal(64).width == 32
    assert NonLocal(36).width == 24  # 18 rounds to 16, which is less than 90 % of it
    assert NonLocal(64, rd_channels=5, rd_ratio=0.5).width == 5
    ours = PORTS["non_local"].arguments({"in_channels": 64})
    assert NonLocal(**ours).width == 8


@pytest.mark.parametrize(("dim", "size"), [(768, (14, 14)), (96, (28, 14)), (32, (7, 7))])
def test_macs_by_hand(dim: int, size: tuple[int, int]) -> None:
    n, width = size[0] * size[1], dim // 2
    with torch.device("meta"):
        module = NonLocal(dim)
    assert counted(module, size) == 4 * n * dim * width + 2 * n**2 * width
