"""Sparse MLP: rows, columns, and which of the authors' two projections is which."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.smlp import PORTS, SparseMLP


def map_of(height: int, width: int, dim: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, dim, height, width, generator=generator, dtype=torch.float64)


def filled(dim: int, grid: tuple[int, int]) -> SparseMLP:
    torch.manual_seed(0)
    module = SparseMLP(dim, grid=grid).double()
    for tensor in (*module.parameters(), module.norm.running_mean, module.norm.running_var):
        torch.nn.init.uniform_(tensor, 0.5, 1.5)
    return module


@pytest.mark.parametrize("training", [False, True])
def test_a_token_is_fused_from_itself_its_row_and_its_column(training: bool) -> None:
    module, x = filled(3, (2, 4)).train(training), map_of(2, 4)
    norm = module.norm
    mean, var = (
        (x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False))
        if training
        else (norm.running_mean.clone(), norm.running_var.clone())
    )
    a = (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()
    a = F.gelu(a * norm.weight[:, None, None] + norm.bias[:, None, None])
    expected = torch.empty_like(x)
    for i in range(2):
        for j in range(4):
            row = a[:, :, i] @ module.proj_w.weight[j] + module.proj_w.bias[j]
            column = a[:, :, :, j] @ module.proj_h.weight[i] + module.proj_h.bias[i]
            parts = torch.cat([a[:, :, i, j], row, column], dim=1)
            expected[:, :, i, j] = parts @ module.fuse.weight[:, :, 0, 0].t()
    torch.testing.assert_close(module(x), expected)


def test_a_token_reaches_its_row_and_its_column_only() -> None:
    module, x = filled(3, (4, 5)).eval(), map_of(4, 5)
    other = x.clone()
    other[:, :, 1, 2] += 1
    changed = (module(other) != module(x)).any(dim=1).any(dim=0)
    assert changed[1].all()
    assert changed[:, 2].all()
    assert int(changed.sum()) == 4 + 5 - 1


def test_the_authors_proj_h_mixes_along_the_width() -> None:
    """Their forward pass with their weights, on a square map as they need; gradients of weights as well."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    state = {f"BN.{name}": draw(3) for name in ("weight", "bias", "running_mean", "running_var")}
    state |= {f"{name}.{kind}": draw(*shape) for name in ("proj_h", "proh_w") for kind, shape in _PROJECTION}
    state["fuse.weight"] = draw(3, 9, 1, 1)
    port = PORTS["smlp"]
    module = SparseMLP(**port.arguments({"W": 4, "H": 4, "channels": 3})).double().eval()
    module.load_state_dict(port.state(state))
    x = map_of(4, 4)
    weights = [state["proj_h.weight"].requires_grad_(), state["proh_w.weight"].requires_grad_()]
    bn = (state[f"BN.{name}"] for name in ("running_mean", "running_var", "weight", "bias"))
    a = F.gelu(F.batch_norm(x, *bn))
    x_h = F.conv2d(a.permute(0, 3, 1, 2), weights[0], state["proj_h.bias"]).permute(0, 2, 3, 1)
    x_w = F.conv2d(a.permute(0, 2, 1, 3), weights[1], state["proh_w.bias"]).permute(0, 2, 1, 3)
    theirs = F.conv2d(torch.cat([a, x_h, x_w], dim=1), state["fuse.weight"])
    ours = module(x)
    torch.testing.assert_close(ours, theirs)
    ours_grads = torch.autograd.grad(ours.square().sum(), [module.proj_w.weight, module.proj_h.weight])
    theirs_grads = torch.autograd.grad(theirs.square().sum(), weights)
    for mine, their in zip(ours_grads, theirs_grads, strict=True):
        torch.testing.assert_close(mine, their.flatten(1))


_PROJECTION = (("weight", (4, 4, 1, 1)), ("bias", (4,)))


def test_another_grid_is_refused_even_of_as_many_tokens() -> None:
    module = SparseMLP(3, grid=(2, 4))
    message = r"^smlp was built for a 2 × 4 grid, and this one is 4 × 2$"
    with pytest.raises(ValueError, match=message):
        module(torch.zeros(1, 3, 4, 2))
