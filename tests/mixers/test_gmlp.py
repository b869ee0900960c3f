"""gMLP's gate: which half gates, what is normed, and how heads share the channels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.gmlp import PORTS, GatedMLP, GMLPBlock, SpatialGatingUnit

SIZE = (2, 3)


def tokens(dim: int, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(2, 6, dim, generator=generator, dtype=torch.float64)


def filled(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.double()


def normed(x: Tensor, norm: torch.nn.LayerNorm, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return norm.weight * centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() + norm.bias


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_the_second_half_is_normed_mixed_and_gates_the_first(heads: int, scale: float) -> None:
    """On the smaller input, the epsilon of the norm decides: it is 1e-5."""
    module, x = filled(SpatialGatingUnit(16, heads, grid=SIZE)), tokens(16, scale)
    weight, bias = module.proj.weight.reshape(heads, 6, 6), module.proj.bias.reshape(heads, 6)
    v = normed(x[..., 8:], module.norm, 1e-5)
    expected = torch.empty(2, 6, 8, dtype=torch.float64)
    for channel in range(8):
        head = channel // (8 // heads)
        for token in range(6):
            gate = v[:, :, channel] @ weight[head, token] + bias[head, token]
            expected[:, token, channel] = x[:, token, channel] * gate
    torch.testing.assert_close(module(x, SIZE), expected)


@pytest.mark.parametrize("heads", [1, 2])
def test_a_new_gate_lets_the_first_half_through(heads: int) -> None:
    x = tokens(16).float()
    out = SpatialGatingUnit(16, heads, grid=SIZE)(x, SIZE)
    torch.testing.assert_close(out, x[..., :8], atol=1e-3, rtol=0)


def test_the_block_activates_before_the_gate_and_adds_the_input() -> None:
    module, x = filled(GMLPBlock(8, grid=SIZE, mlp_ratio=3)), tokens(8, 1e-3)  # its norm's epsilon is 1e-6
    inner = module.mlp_channels
    hidden = normed(x, module.norm, 1e-6) @ inner.fc1.weight.t() + inner.fc1.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    v = normed(hidden[..., 12:], inner.gate.norm, 1e-5)
    gated = hidden[..., :12] * (inner.gate.proj.weight @ v + inner.gate.proj.bias[:, None])
    torch.testing.assert_close(module(x, SIZE), x + gated @ inner.fc2.weight.t() + inner.fc2.bias)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^dim 7 is odd and has no half$"):
        SpatialGatingUnit(7)
    with pytest.raises(ValueError, match=r"^num_heads 3 does not divide dim 8$"):
        SpatialGatingUnit(16, 3)
    message = r"^gmlp_sgu was built for 6 tokens, and a 3 × 3 grid has 9$"
    with pytest.raises(ValueError, match=message):
        GatedMLP(8, grid=SIZE)(torch.zeros(1, 9, 8), (3, 3))


def test_the_port_of_several_heads_takes_weights_of_a_matrix_for_each() -> None:
    port = PORTS["gmlp_sgu_multihead"]
    ours = port.arguments({"dim": 16, "dim_seq": 6, "heads": 2, "causal": False})
    assert ours == {"dim": 16, "num_heads": 2, "grid": (6, 1)}
    state = {"weight": torch.ones(2, 6, 6), "bias": torch.zeros(2, 6)}
    state |= {"norm.weight": torch.ones(8), "norm.bias": torch.zeros(8)}
    module = SpatialGatingUnit(**ours)
    module.load_state_dict(port.state(state))
    # A row of ones sums the tokens, so that all gates of a channel are alike.
    out = module(tokens(16).float(), SIZE) / tokens(16).float()[..., :8]
    torch.testing.assert_close(out, out[:, :1].expand_as(out))
    with pytest.raises(ValueError, match=r"^causal=True is not supported; only causal=False is$"):
        port.arguments({"dim": 16, "dim_seq": 6, "causal": True})
