"""ResMLP: affine maps instead of norms, and one matrix along the tokens."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.resmlp import PORTS, CrossPatch, ResMLPBlock

SIZE = (2, 3)


def tokens(dim: int = 4) -> Tensor:
    return torch.randn(2, 6, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def filled(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.double()


def across_patches(module: CrossPatch, x: Tensor) -> Tensor:
    out = torch.empty_like(x)
    for channel in range(x.shape[-1]):
        affine = module.norm.alpha[channel] * x[:, :, channel] + module.norm.beta[channel]
        for token in range(6):
            mixed = affine @ module.proj.weight[token] + module.proj.bias[token]
            out[:, token, channel] = module.gamma[channel] * mixed
    return out


def test_it_is_a_matrix_along_the_tokens_between_two_maps_of_the_channels() -> None:
    module, x = filled(CrossPatch(4, grid=SIZE)), tokens()
    torch.testing.assert_close(module(x, SIZE), across_patches(module, x))


def test_there_are_no_statistics_so_it_is_affine_in_its_input() -> None:
    module, x, y = filled(CrossPatch(4, grid=SIZE)), tokens(), tokens().flip(0)
    shift = module(torch.zeros_like(x), SIZE)
    torch.testing.assert_close(
        module(2 * x - 3 * y, SIZE), 2 * module(x, SIZE) - 3 * module(y, SIZE) + 2 * shift
    )


def test_the_block_adds_both_branches_with_a_scale_each() -> None:
    module, x = filled(ResMLPBlock(4, grid=SIZE, mlp_ratio=3)), tokens()
    middle = x + across_patches(module.mixer, x)
    affine = module.norm.alpha * middle + module.norm.beta
    hidden = affine @ module.mlp.fc1.weight.t() + module.mlp.fc1.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    mlp = hidden @ module.mlp.fc2.weight.t() + module.mlp.fc2.bias
    torch.testing.assert_close(module(x, SIZE), middle + module.gamma * mlp)


def test_a_new_layer_hardly_changes_its_input() -> None:
    module, x = ResMLPBlock(4, grid=SIZE), tokens().float()
    torch.testing.assert_close(module(x, SIZE), x, atol=1e-2, rtol=0)
    assert set(CrossPatch(4, init_scale=0.5).gamma.tolist()) == {0.5}


def test_another_number_of_tokens_is_refused() -> None:
    message = r"^resmlp was built for 6 tokens, and a 1 × 5 grid has 5$"
    with pytest.raises(ValueError, match=message):
        CrossPatch(4, grid=SIZE)(torch.zeros(1, 5, 4), (1, 5))


def test_the_port_knows_which_scale_belongs_to_which_branch() -> None:
    port = PORTS["resmlp_block"]
    assert port.arguments({"dim": 4, "num_patches": 6, "init_values": 0.1}) == {
        "dim": 4,
        "grid": (6, 1),
        "init_scale": 0.1,
    }
    ours = port.state({name: torch.tensor(i) for i, name in enumerate(("gamma_1", "gamma_2", "norm2.alpha"))})
    assert {name: int(tensor) for name, tensor in ours.items()} == {
        "mixer.gamma": 0,
        "gamma": 1,
        "norm.alpha": 2,
    }
